"""What each step of a reading does.

A step may be repeated after a crash up to the moment its result was remembered, so each is
harmless when repeated.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from hashlib import sha256
from pathlib import Path

from secondread import log, metrics
from secondread.accept.archive import Archive
from secondread.assemble.viewset import missing_slots
from secondread.clock import Clock
from secondread.detect.attempts import failed_detection
from secondread.detect.marks import Detection
from secondread.findings.finding import StudyReading
from secondread.followup.history import read_history
from secondread.followup.treatment import mastectomy_sides
from secondread.reading import Circumstances, Reader, read_study
from secondread.reasons import Reason
from secondread.report.compose import compose, to_bytes
from secondread.report.result import NodeIdentity, ResultObject
from secondread.report.uids import ResultUids
from secondread.settings import ProfileSettings
from secondread.track.alarms import PATIENT_MISMATCH
from secondread.track.tracker import Tracker
from secondread.track.values import (
    OutboxEntry,
    RecordedReading,
    Severity,
)
from secondread.workflow.answers import keep_answers, reported_readings
from secondread.workflow.kept import Detect, Kept
from secondread.workflow.lesions import Display, keep_crops, with_lesions
from secondread.workflow.material import Material, Priors, gather, gather_priors
from secondread.workflow.occasion import occasion_of
from secondread.workflow.priors import as_known, compared, earlier_readings, images_to_read
from secondread.workflow.record import finding_entries, image_entries, prior_finding_entries
from secondread.workflow.treatments import from_entries

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Tools:
    """What the steps work with, put together by `app`."""

    tracker: Tracker
    archive: Archive
    detect: Detect
    reader: Reader
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
        path = images_to_read(material, self._priors(material)).get(instance_uid)
        if path is None:
            return "gone"
        return self._kept(material).prior_detection(instance_uid, path).status.value

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
        return self._finish(material, detections, priors, self._earlier(material, priors))

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
        return Kept(folder, tools.detect, tools.overrides, tools.attempts)

    def _detection(self, material: Material, instance_uid: str) -> Detection:
        return self._kept(material).detection(instance_uid, material.paths[instance_uid])

    def _earlier(self, material: Material, priors: Priors) -> tuple[StudyReading, ...]:
        kept = self._kept(material)
        detections = {
            uid: kept.prior_detection(uid, path)
            for uid, path in images_to_read(material, priors).items()
        }
        return earlier_readings(material, priors, detections, self._tools.reader)

    def _finish_failed(self, material: Material, reason: Reason) -> str:
        failed = {
            m.sop_instance_uid: failed_detection(m.sop_instance_uid, reason)
            for m in material.selection.to_read
        }
        return self._finish(material, failed, self._priors(material), ())

    def _finish(
        self,
        material: Material,
        detections: Mapping[str, Detection],
        priors: Priors,
        earlier: Sequence[StudyReading],
    ) -> str:
        tools, claimed = self._tools, material.claimed
        reading = read_study(
            claimed.study_uid,
            material.selection,
            detections,
            tools.reader,
            self._circumstances(material, priors),
        )
        reported = reported_readings(tools.tracker, tools.archive, priors, tools.reader)
        reading = with_lesions(
            compared(reading, earlier, reported),
            tools.tracker.lesions,
            tools.installation_id,
            reported,
        )
        display = self._display(material, priors)
        crops = keep_crops(reading, display, tools.archive)
        # What is found in images of two patients is nobody's: it is recorded, and an alarm is up,
        # and nothing of it goes into a PACS under either name.
        profiles = () if material.is_mixed else tools.profiles
        outbox = [
            self._write(profile, result)
            for profile in profiles
            for result in self._compose(material, priors, reading, display, profile)
        ]
        recorded = RecordedReading(
            study_uid=claimed.study_uid,
            revision=claimed.number,
            outcome=reading.outcome,
            reasons=reading.reasons,
            images=image_entries(reading, keep_answers(detections, tools.archive)),
            findings=finding_entries(reading, crops),
            outbox=tuple(outbox),
            prior_findings=prior_finding_entries(reading, crops),
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

    def _circumstances(self, material: Material, priors: Priors) -> Circumstances:
        claimed, tracker = material.claimed, self._tools.tracker
        known = tracker.studies.views_known(claimed.study_uid)
        # Where images of two patients came as one study, nobody knows whose history it is.
        headers = () if material.is_mixed else material.headers.values()
        recorded = from_entries(tracker.treatments.of_study(claimed.study_uid))
        said = read_history(headers)
        days = {m.study_date for m in material.selection.to_read}
        removed = mastectomy_sides(said, max((day for day in days if day), default=None))
        views = {
            (m.laterality.letter, m.view.name)
            for m in material.selection.to_read
            if m.laterality and m.view
        }
        return Circumstances(
            revision=claimed.number,
            cause=claimed.cause.value,
            missing=missing_slots(views, known.priors, known.mastectomy_sides | removed),
            priors=as_known(material, priors),
            no_priors=priors.reason,
            treatments=() if material.is_mixed else (*recorded, *said),
            invalid=material.invalid,
            is_withdrawn=material.is_withdrawn,
        )

    def _display(self, material: Material, priors: Priors) -> Display:
        """Return what gives the pictures of the study's images and of its priors'."""
        kept = self._kept(material)
        paths = {**material.paths, **images_to_read(material, priors)}
        return lambda instance_uid: kept.display(instance_uid, paths[instance_uid])

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
