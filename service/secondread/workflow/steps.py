"""What each step of a reading does.

A step may be repeated after a crash up to the moment its result was remembered, so each is
harmless when repeated.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from hashlib import sha256
from pathlib import Path
from traceback import extract_tb

from secondread import log, metrics
from secondread.accept.archive import Archive
from secondread.clock import Clock
from secondread.detect.attempts import failed_detection
from secondread.detect.marks import Detection
from secondread.errors import TransientError
from secondread.findings.finding import StudyReading
from secondread.reading import Reader, read_study
from secondread.reasons import Reason
from secondread.report.compose import compose, to_bytes
from secondread.report.result import NodeIdentity, ResultObject
from secondread.report.uids import ResultUids
from secondread.settings import ProfileSettings
from secondread.track.alarms import PATIENT_MISMATCH
from secondread.track.tracker import Tracker
from secondread.track.values import OutboxEntry, RecordedReading, Severity
from secondread.workflow.answers import (
    keep_answers,
    known_answer,
    made_by,
    reported_readings,
)
from secondread.workflow.circumstances import circumstances
from secondread.workflow.kept import Detect, Kept, Show
from secondread.workflow.lesions import Display, keep_crops, with_lesions
from secondread.workflow.material import Material, Priors, gather, gather_priors
from secondread.workflow.occasion import occasion_of
from secondread.workflow.priors import (
    PriorReadings,
    compared,
    earlier_readings,
    images_to_read,
)
from secondread.workflow.record import (
    answer_entries,
    finding_entries,
    image_entries,
    prior_finding_entries,
)

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Tools:
    """What the steps work with, put together by `app`."""

    tracker: Tracker
    archive: Archive
    detect: Detect
    show: Show
    reader: Reader
    settings_digest: str
    """Digest of the settings that a reading's content depends on."""
    node: NodeIdentity
    installation_id: str
    profiles: Mapping[str, ProfileSettings]
    """The destinations' profiles by key."""
    destinations: Mapping[str, str]
    """For each destination's name the key of its profile."""
    overrides: frozenset[str]
    attempts: int
    """How often an image may kill the detector before it is given up."""
    work_dir: Path
    """Where detections and display arrays lie between steps; losing it costs time only."""
    clock: Clock
    zone: tzinfo | None
    """The site's time zone, which dates and times in results are given in; None: the machine's."""


class ReadingSteps:
    """The steps of a reading. Their results are remembered, so they return small plain values."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def plan(self, study_uid: str, revision: int) -> list[str]:
        """Return the SOP Instance UIDs to read, in reading order."""
        material = self._material(study_uid, revision)
        if material.is_mixed:
            return []
        return [mammogram.sop_instance_uid for mammogram in material.selection.to_read]

    def detect(self, study_uid: str, revision: int, instance_uid: str) -> str:
        """Have one image read, and keep the answer beside its display array; return its status."""
        material = self._material(study_uid, revision)
        return self._detection(material, instance_uid).status.value

    def plan_priors(self, study_uid: str, revision: int) -> list[str]:
        """Return the SOP Instance UIDs of the priors' images to read, the latest prior first."""
        material = self._material(study_uid, revision)
        if material.is_mixed:
            return []
        return list(images_to_read(material, self._priors(material)))

    def detect_prior(self, study_uid: str, revision: int, instance_uid: str) -> str:
        """Have one image of a prior read, and keep the answer; return its status."""
        material = self._material(study_uid, revision)
        priors = self._priors(material)
        path = images_to_read(material, priors).get(instance_uid)
        if path is None:
            return "gone"
        return self._prior_detection(material, priors, instance_uid, path).status.value

    def record(self, study_uid: str, revision: int) -> str:
        """Make the results, write them to the outbox, record everything; return the outcome."""
        material = self._material(study_uid, revision)
        if material.is_mixed:
            words = "images of more than one patient; nothing of it is sent"
            self._tools.tracker.alarms.raise_alarm(
                PATIENT_MISMATCH, study_uid, words, self._tools.clock(), Severity.CRITICAL
            )
            return self._finish_failed(material, Reason.PATIENT_MISMATCH)
        detections = {
            m.sop_instance_uid: self._detection(material, m.sop_instance_uid)
            for m in material.selection.to_read
        }
        priors = self._priors(material)
        try:
            return self._finish(material, detections, priors, self._read_priors(material, priors))
        except TransientError:
            raise
        except Exception as error:
            if not priors.studies:
                raise
            # Whatever breaks over a prior must not cost the reading. What breaks without one too
            # does so again, and ends in the failed result. The error's words may quote a header.
            frame = extract_tb(error.__traceback__)[-1]
            _log.error(
                "follow_up_broke",
                study_uid=study_uid,
                revision=revision,
                error=f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}",
            )
            given_up = tuple(prior.study_uid for prior in priors.usable)
            return self._finish(material, detections, priors, PriorReadings(given_up=given_up))

    def record_failure(self, study_uid: str, revision: int) -> str:
        """Record that the reading broke, as a failed result; return the outcome."""
        return self._finish_failed(self._material(study_uid, revision), Reason.READING_FAILED)

    def tidy(self, study_uid: str, revision: int) -> None:
        """Remove what the reading left between its steps."""
        shutil.rmtree(self._folder(study_uid, revision), ignore_errors=True)

    def _material(self, study_uid: str, revision: int) -> Material:
        return gather(self._tools.tracker, self._tools.archive, study_uid, revision)

    def _folder(self, study_uid: str, revision: int) -> Path:
        name = sha256(f"{study_uid}:{revision}".encode()).hexdigest()[:32]
        return self._tools.work_dir / name

    def _priors(self, material: Material) -> Priors:
        return gather_priors(self._tools.tracker, self._tools.archive, material)

    def _kept(self, material: Material) -> Kept:
        tools, claimed = self._tools, material.claimed
        folder = self._folder(claimed.study_uid, claimed.number)
        return Kept(folder, tools.detect, tools.show, tools.overrides, tools.attempts)

    def _detection(self, material: Material, instance_uid: str) -> Detection:
        return self._kept(material).detection(instance_uid, material.paths[instance_uid])

    def _prior_detection(
        self, material: Material, priors: Priors, instance_uid: str, path: Path
    ) -> Detection:
        tools = self._tools
        maker = made_by(tools.settings_digest, tools.reader)
        digest = priors.digests[instance_uid]
        known = known_answer(tools.tracker, tools.archive, digest, maker)
        return self._kept(material).prior_detection(instance_uid, path, known)

    def _read_priors(self, material: Material, priors: Priors) -> PriorReadings:
        tools = self._tools
        detections = {
            uid: self._prior_detection(material, priors, uid, path)
            for uid, path in images_to_read(material, priors).items()
        }
        return PriorReadings(
            detections=detections,
            read=earlier_readings(material, priors, detections, tools.reader),
            reported=reported_readings(tools.tracker, tools.archive, priors, tools.reader),
        )

    def _finish_failed(self, material: Material, reason: Reason) -> str:
        failed = {
            m.sop_instance_uid: failed_detection(m.sop_instance_uid, reason)
            for m in material.selection.to_read
        }
        return self._finish(material, failed, self._priors(material), PriorReadings())

    def _finish(
        self,
        material: Material,
        detections: Mapping[str, Detection],
        priors: Priors,
        known: PriorReadings,
    ) -> str:
        tools, claimed = self._tools, material.claimed
        reading = read_study(
            claimed.study_uid,
            material.selection,
            detections,
            tools.reader,
            circumstances(tools.tracker, material, priors),
        )
        reading = with_lesions(
            compared(reading, known), tools.tracker.lesions, tools.installation_id, known.reported
        )
        display = self._display(material, priors)
        crops = keep_crops(reading, display, tools.archive)
        outbox = self._outbox(material, priors, reading, display)
        answers = keep_answers({**known.detections, **detections}, tools.archive)
        recorded = RecordedReading(
            study_uid=claimed.study_uid,
            revision=claimed.number,
            outcome=reading.outcome,
            reasons=reading.reasons,
            images=image_entries(reading, answers),
            findings=finding_entries(reading, crops),
            outbox=outbox,
            prior_findings=prior_finding_entries(reading, crops),
            answers=answer_entries(
                answers,
                {**material.digests, **priors.digests},
                made_by(tools.settings_digest, tools.reader),
            ),
        )
        tools.tracker.results.record(recorded, tools.destinations, tools.clock())
        metrics.READINGS.labels(reading.outcome.value).inc()
        _log.info(
            "study_read",
            study_uid=claimed.study_uid,
            revision=claimed.number,
            outcome=reading.outcome.value,
            shown=sum(len(image.shown) for image in reading.images),
            objects=len(outbox),
        )
        return reading.outcome.value

    def _display(self, material: Material, priors: Priors) -> Display:
        """Return what gives the pictures of the study's images and of its priors'."""
        kept = self._kept(material)
        paths = {**material.paths, **images_to_read(material, priors)}
        return lambda instance_uid: kept.display(instance_uid, paths[instance_uid])

    def _outbox(
        self, material: Material, priors: Priors, reading: StudyReading, display: Display
    ) -> tuple[OutboxEntry, ...]:
        # What is found in images of two patients is nobody's: it is recorded, and an alarm is up,
        # and nothing of it goes into a PACS under either name.
        profiles = () if material.is_mixed else self._tools.profiles
        return tuple(
            self._write(profile, result)
            for profile in profiles
            for result in self._compose(material, priors, reading, display, profile)
        )

    def _compose(
        self,
        material: Material,
        priors: Priors,
        reading: StudyReading,
        display: Display,
        profile: str,
    ) -> tuple[ResultObject, ...]:
        tools, claimed = self._tools, material.claimed
        uids = ResultUids(tools.installation_id, claimed.study_uid, claimed.number, profile)
        occasion = occasion_of(tools.tracker, claimed, profile, tools.zone)
        return compose(
            reading,
            {**material.headers, **priors.headers},
            display,
            tools.node,
            uids,
            occasion,
            tools.profiles[profile],
        )

    def _write(self, profile: str, result: ResultObject) -> OutboxEntry:
        data = to_bytes(result.dataset)
        file = self._tools.archive.put_bytes(data)
        return OutboxEntry(
            profile=profile,
            kind=result.kind,
            index=result.index,
            sop_class_uid=str(result.dataset.SOPClassUID),
            series_uid=str(result.dataset.SeriesInstanceUID),
            sop_instance_uid=result.sop_instance_uid,
            source_uid=result.source_uid,
            path=file.relative_path,
            sha256=sha256(data).hexdigest(),
            size_bytes=file.size,
        )
