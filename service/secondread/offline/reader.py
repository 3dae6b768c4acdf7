"""Reads the studies of a plan, and writes the same objects as the node makes into a folder."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from secondread import log
from secondread.assemble.mammogram import Mammogram
from secondread.assemble.viewset import StudyViews
from secondread.detect.child import detect_with_retries
from secondread.detect.marks import Detection
from secondread.errors import TransientError, describe_without_quoting
from secondread.findings.finding import LeftOutInstance, PriorStudy, StudyReading
from secondread.findings.treatment import Treatment
from secondread.followup.comparison import RegisteredComparison, compare_with_priors
from secondread.followup.finding_position import add_positions
from secondread.followup.follow_up import follow_up
from secondread.followup.header_treatments import read_header_treatments
from secondread.followup.priors import EarlierStudy
from secondread.followup.recheck import recheck_priors, score_files
from secondread.followup.treatment_file import RecordedTreatment, select_patient
from secondread.followup.treatment_status import find_mastectomy_sides
from secondread.offline.findings_document import encode_findings
from secondread.offline.input_files import InputFiles
from secondread.offline.reading_plan import ReadingPlan
from secondread.reading import FileDetector, Reader, StudyContext, read_study
from secondread.reasons import Outcome, Reason
from secondread.report.compose import compose_results, encode_capture_png
from secondread.report.encoding import encode_file
from secondread.report.result import Authorship, NodeIdentity, Occasion
from secondread.report.sr.uids import ResultUids
from secondread.settings import ObjectKind, ProfileSettings

_log = log.get_logger(__name__)

ATTEMPTS = 3
"""How often an image may kill the detector before it is given up."""

PROFILE = ProfileSettings(findings="all")
"""What is written of a study: as for a destination that takes all findings."""


@dataclass(frozen=True, slots=True)
class OfflineAuthor:
    """Who writes the objects of one run, and when."""

    node: NodeIdentity
    installation_id: str
    """Drawn for this run: offline objects never share a UID with those of a node."""
    written_at: datetime


@dataclass(frozen=True, slots=True)
class OfflineReader:
    """Reads the studies of a plan, each in a folder of its own."""

    inputs: InputFiles
    plan: ReadingPlan
    detector: FileDetector
    reader: Reader
    author: OfflineAuthor
    out: Path
    overrides: frozenset[str] = frozenset()
    treatments: tuple[RecordedTreatment, ...] = ()
    """Of the patients, as `--treatments` gives them."""

    def read_studies(self, progress: Callable[[str], None]) -> dict[str, StudyReading]:
        """Read every study by itself; display arrays stay in the folders until they are removed.

        Parameters
        ----------
        progress
            Called with a line for people before each image.
        """
        return {uid: self._read_study(uid, progress) for uid in self.inputs.studies}

    def _read_study(self, study_uid: str, progress: Callable[[str], None]) -> StudyReading:
        selection = self.inputs.select_images(study_uid)
        self.get_folder(study_uid).mkdir(parents=True, exist_ok=True)
        detections = {}
        for mammogram in selection.to_read:
            uid = mammogram.sop_instance_uid
            path = self.inputs.studies[study_uid][uid]
            progress(f"{mammogram.label} {path.name}")
            display_to = self._get_display_path(mammogram)
            detect = partial(self.detector.detect, path, display_to, self.overrides)
            try:
                detections[uid] = detect_with_retries(uid, detect, ATTEMPTS)
            except TransientError as error:
                # The file was there a moment ago: a folder on a network, or a disk that fails.
                failure = Detection.from_failure(uid, Reason.PIXELS_UNREADABLE, str(error))
                detections[uid] = failure
        context = self._make_context(study_uid)
        return read_study(study_uid, selection, detections, self.reader, context)

    def _make_context(self, study_uid: str) -> StudyContext:
        priors = self.plan.priors.get(study_uid, ())
        any_image = self.inputs.get_any(study_uid)
        treatments = self._find_treatments(study_uid)
        removed = find_mastectomy_sides(treatments, any_image.study_date)
        present = self.inputs.select_images(study_uid).views
        views = StudyViews(present, [p.views or () for p in priors], removed)
        return StudyContext(
            revision=1,
            cause="offline",
            missing_views=views.find_missing_slots(),
            treatments=treatments,
            priors=(
                *_list_priors(priors, Reason.NO_COMPARISON),
                *_list_priors(self.plan.doubtful.get(study_uid, ()), Reason.IDENTITY_IN_DOUBT),
            ),
            identity=self.plan.identity.get(study_uid, ()),
            set_aside=tuple(
                LeftOutInstance(m.sop_instance_uid, m.label, Reason.OTHER_PATIENT)
                for m in (stray.mammogram for stray in self.inputs.strays.get(study_uid, ()))
            ),
        )

    def _find_treatments(self, study_uid: str) -> tuple[Treatment, ...]:
        """Return the treatments of record and headers; of a shared ID, the headers' alone."""
        patient = self.inputs.get_any(study_uid).patient
        headers = (self.inputs.headers[uid] for uid in self.inputs.studies[study_uid])
        is_known = patient not in self.plan.shared_ids
        recorded = select_patient(self.treatments, patient) if is_known else ()
        return (*recorded, *read_header_treatments(headers))

    def compare(
        self, reading: StudyReading, priors: Sequence[StudyReading]
    ) -> tuple[StudyReading, tuple[RegisteredComparison, ...]]:
        """Return a reading compared with its priors, and the comparisons with registrations."""
        comparisons = compare_with_priors(reading, priors)
        score_image = score_files(self.detector.score_places, self.inputs.paths)
        rechecked = recheck_priors(comparisons, score_image)
        return follow_up(reading, comparisons, rechecked), comparisons

    def get_folder(self, study_uid: str) -> Path:
        """Return the folder of a study."""
        return self.out / f"study-{1 + list(self.inputs.studies).index(study_uid)}"

    def _get_display_path(self, mammogram: Mammogram) -> Path:
        # From a digest: nothing that a file contains becomes a path.
        name = sha256(mammogram.sop_instance_uid.encode()).hexdigest()[:32]
        return self.get_folder(mammogram.study_uid) / f".{name}.npy"

    def load_display(self, uid: str) -> npt.NDArray[np.uint8]:
        """Return an image as people look at it, by SOP Instance UID, once its study was read.

        Raises
        ------
        FileNotFoundError
            The image's pixels could not be decoded.
        """
        path = self._get_display_path(self.inputs.mammograms[uid])
        display: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r")
        return display

    def remove_displays(self) -> None:
        """Remove the display arrays."""
        for leftover in self.out.glob("study-*/.*.npy"):
            leftover.unlink()


def _list_priors(studies: Sequence[EarlierStudy], reason: Reason) -> tuple[PriorStudy, ...]:
    """Return studies as priors that are not compared yet, or not at all."""
    return tuple(
        PriorStudy(study.study_uid, study.study_date, compared=False, reason=reason)
        for study in studies
    )


def read_files(offline: OfflineReader, progress: Callable[[str], None]) -> Path:
    """Read every study, write the objects of the current ones, and `findings.json`.

    Parameters
    ----------
    offline
        What reads and writes what, and into which folder.
    progress
        Called with a line for people before each image.

    Returns
    -------
    Path
        That of `findings.json`.
    """
    offline.out.mkdir(parents=True, exist_ok=True)
    unfollowed = offline.read_studies(progress)
    readings = [_finish_study(offline, reading, unfollowed) for reading in unfollowed.values()]
    offline.remove_displays()
    path = offline.out / "findings.json"
    document = encode_findings(offline.inputs, readings, offline.plan)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path


def _finish_study(
    offline: OfflineReader, reading: StudyReading, unfollowed: Mapping[str, StudyReading]
) -> StudyReading:
    """Compare a current study and write its objects; return it as `findings.json` has it.

    What breaks costs no other study: first the comparison is given up, then the objects.
    """
    if reading.study_uid not in offline.plan.current:
        return add_positions(reading)
    priors = offline.plan.priors.get(reading.study_uid, ())
    try:
        followed = offline.compare(reading, [unfollowed[p.study_uid] for p in priors])[0]
        _write_objects(followed, offline)
    except Exception as error:  # noqa: BLE001  (whatever it is, the study's images were read)
        _log_break("comparison_broke", reading, error)
    else:
        return followed
    try:
        _write_objects(add_positions(reading), offline)
    except Exception as error:  # noqa: BLE001  (whatever it is, other studies wait)
        _log_break("reading_broke", reading, error)
        return replace(
            reading, outcome=Outcome.FAILED, reasons=(*reading.reasons, Reason.READING_FAILED)
        )
    return add_positions(reading)


def _log_break(event: str, reading: StudyReading, error: Exception) -> None:
    _log.error(event, study_uid=reading.study_uid, error=describe_without_quoting(error))


def _write_objects(reading: StudyReading, offline: OfflineReader) -> None:
    inputs, author = offline.inputs, offline.author
    studies = (reading.study_uid, *(prior.study_uid for prior in reading.prior_readings))
    sources = {uid: inputs.headers[uid] for study in studies for uid in inputs.studies[study]}
    uids = ResultUids(author.installation_id, reading.study_uid, reading.revision, "offline")
    occasion = Occasion(author.written_at, predecessor=None)
    authorship = Authorship(author.node, uids, occasion, PROFILE)
    folder = offline.get_folder(reading.study_uid)
    for result in compose_results(reading, sources, offline.load_display, authorship):
        stem = folder / f"{result.kind.value}-{result.index + 1}"
        stem.with_suffix(".dcm").write_bytes(encode_file(result.dataset))
        if result.kind is ObjectKind.CAPTURE:
            stem.with_suffix(".png").write_bytes(encode_capture_png(result.dataset))
