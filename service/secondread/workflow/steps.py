"""What each step of a reading does.

A step may be repeated after a crash up to the moment its result was remembered, so each is
harmless when repeated.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from secondread import log, metrics
from secondread.accept.archive import Archive
from secondread.assemble.viewset import missing_slots
from secondread.clock import Clock
from secondread.detect.attempts import answered, failed_detection
from secondread.detect.marks import Detection
from secondread.findings.finding import PriorStudy, StudyReading
from secondread.followup.applied import followed_up
from secondread.followup.history import read_history
from secondread.followup.treatment import mastectomy_sides
from secondread.reading import Circumstances, Reader, read_study
from secondread.reasons import Reason
from secondread.report.compose import compose, to_bytes
from secondread.report.result import NodeIdentity, Occasion, ResultObject
from secondread.report.uids import ResultUids
from secondread.settings import ObjectKind, ProfileSettings
from secondread.track.alarms import PATIENT_MISMATCH
from secondread.track.tracker import Tracker
from secondread.track.values import (
    ClaimedRevision,
    OutboxEntry,
    RecordedReading,
    Severity,
)
from secondread.workflow.material import Material, gather, gather_priors
from secondread.workflow.record import finding_entries, image_entries
from secondread.workflow.treatments import from_entries

_log = log.get(__name__)

Detect = Callable[[Path, Path, frozenset[str]], Detection]
"""Reads an image file, writes its display array to the second path, overriding the gates named."""


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
        return self._finish(material, detections)

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

    def _detection(self, material: Material, instance_uid: str) -> Detection:
        """Return the answer about an image: the one kept by an earlier step, or a fresh one."""
        claimed = material.claimed
        folder = self._folder(claimed.study_uid, claimed.number)
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / f"{_name(instance_uid)}.json"
        detection = _read_kept(kept)
        if detection is None:
            tools, display = self._tools, _display(folder, instance_uid)
            detect = partial(tools.detect, material.paths[instance_uid], display, tools.overrides)
            detection = answered(instance_uid, detect, tools.attempts)
            begun = kept.with_suffix(".part")
            begun.write_text(json.dumps(detection.as_json()), encoding="utf-8")
            begun.replace(kept)
        return detection

    def _finish_failed(self, material: Material, reason: Reason) -> str:
        failed = {
            m.sop_instance_uid: failed_detection(m.sop_instance_uid, reason)
            for m in material.selection.to_read
        }
        return self._finish(material, failed)

    def _finish(self, material: Material, detections: Mapping[str, Detection]) -> str:
        tools, claimed = self._tools, material.claimed
        reading = read_study(
            claimed.study_uid,
            material.selection,
            detections,
            tools.reader,
            self._circumstances(material),
        )
        reading = followed_up(reading, ())
        # What is found in images of two patients is nobody's: it is recorded, and an alarm is up,
        # and nothing of it goes into a PACS under either name.
        profiles = () if material.is_mixed else tools.profiles
        outbox = [
            self._write(profile, result)
            for profile in profiles
            for result in self._compose(material, reading, profile)
        ]
        recorded = RecordedReading(
            study_uid=claimed.study_uid,
            revision=claimed.number,
            outcome=reading.outcome,
            reasons=reading.reasons,
            images=image_entries(reading),
            findings=finding_entries(reading),
            outbox=tuple(outbox),
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

    def _circumstances(self, material: Material) -> Circumstances:
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
        priors = gather_priors(tracker, self._tools.archive, material)
        return Circumstances(
            revision=claimed.number,
            cause=claimed.cause.value,
            missing=missing_slots(views, known.priors, known.mastectomy_sides | removed),
            priors=tuple(
                PriorStudy(
                    prior.study_uid,
                    prior.study_date,
                    compared=False,
                    reason=prior.reason or Reason.NO_COMPARISON,
                )
                for prior in priors.studies
            ),
            no_priors=priors.reason,
            treatments=() if material.is_mixed else (*recorded, *said),
            invalid=material.invalid,
        )

    def _compose(
        self, material: Material, reading: StudyReading, profile: str
    ) -> tuple[ResultObject, ...]:
        tools, claimed = self._tools, material.claimed
        folder = self._folder(claimed.study_uid, claimed.number)

        def display(instance_uid: str) -> npt.NDArray[np.uint8]:
            path = _display(folder, instance_uid)
            picture = _open_kept(path)
            if picture is None:
                # The answer was kept and the picture lost: read the image once more for it.
                tools.detect(material.paths[instance_uid], path, tools.overrides)
                picture = np.load(path, mmap_mode="r")
            return picture

        uids = ResultUids(tools.installation_id, claimed.study_uid, claimed.number, profile)
        occasion = self._occasion(claimed, profile)
        return compose(
            reading,
            material.headers,
            display,
            tools.node,
            uids,
            occasion,
            tools.profiles[profile],
        )

    def _occasion(self, claimed: ClaimedRevision, profile: str) -> Occasion:
        tools, at = self._tools, claimed.content_at.astimezone(self._tools.zone)
        if claimed.predecessor is not None:
            earlier = tools.tracker.studies.claimed(claimed.study_uid, claimed.predecessor)
            written_at = earlier.content_at.astimezone(tools.zone)
            for entry in tools.tracker.results.recorded(claimed.study_uid, claimed.predecessor):
                if entry.profile == profile and entry.kind is ObjectKind.CAD_SR:
                    replaced = (claimed.study_uid, entry.series_uid, entry.sop_instance_uid)
                    return Occasion(at, replaced, written_at)
        return Occasion(at, predecessor=None)

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


def _name(uid: str) -> str:
    # From a digest, as everything that becomes a path.
    return sha256(uid.encode()).hexdigest()[:32]


def _display(folder: Path, instance_uid: str) -> Path:
    return folder / f"{_name(instance_uid)}.npy"


# Files between steps are not flushed to the disk, so a power cut may leave empty or broken ones
# under their final names. Such a file counts as none, and costs one more reading of its image.


def _read_kept(path: Path) -> Detection | None:
    try:
        return Detection.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, LookupError, TypeError, ValueError):
        return None


def _open_kept(path: Path) -> npt.NDArray[np.uint8] | None:
    try:
        picture: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r")
    except (FileNotFoundError, EOFError, ValueError):
        return None
    return picture
