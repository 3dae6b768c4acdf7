"""Reading files without network or database: `secondread read`.

The same reading and the same objects as the node makes, written into a folder, with
`findings.json`, whose form is a contract (schema version 1).
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import MammographyCADSRStorage

from secondread import __version__
from secondread.assemble.mammogram import Mammogram, PatientKey
from secondread.assemble.scope import ImageSelection, select_images
from secondread.assemble.viewset import StudyViews
from secondread.detect.child import detect_with_retries
from secondread.errors import HeaderError, SettingsError
from secondread.findings.finding import ImageReading, PriorStudy, StudyReading
from secondread.findings.findings_json import encode_image
from secondread.followup.comparison import RegisteredComparison, compare_with_priors
from secondread.followup.comparison_json import encode_cad_report, encode_comparison
from secondread.followup.finding_position import add_positions
from secondread.followup.follow_up import follow_up
from secondread.followup.header_treatments import read_header_treatments
from secondread.followup.priors import EarlierStudy, choose_priors
from secondread.followup.recheck import recheck_priors, score_files
from secondread.followup.treatment_file import RecordedTreatment, select_patient
from secondread.followup.treatment_status import find_mastectomy_sides
from secondread.reading import FileDetector, Reader, StudyContext, read_study
from secondread.reasons import ImageStatus, Reason
from secondread.report.compose import compose_results, encode_capture_png, encode_file
from secondread.report.readback.cad_reader import read_cad_report
from secondread.report.readback.content import ContentError
from secondread.report.result import Authorship, NodeIdentity, Occasion
from secondread.report.sr.impression_words import describe_finding, list_treatment_lines
from secondread.report.sr.uids import ResultUids
from secondread.settings import ObjectKind, ProfileSettings

SCHEMA_VERSION = 1

ATTEMPTS = 3
"""How often an image may kill the detector before it is given up."""

PROFILE = ProfileSettings(findings="all")
"""What is written of a study: as for a destination that takes all findings."""


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    """A file that was given and could not even be opened as an image."""

    path: Path
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class InputFiles:
    """The files given, in studies, and those that are no readable DICOM."""

    studies: Mapping[str, Mapping[str, Path]]
    """Path by SOP Instance UID, by Study Instance UID."""
    headers: Mapping[str, Dataset]
    mammograms: Mapping[str, Mammogram]
    unreadable: tuple[UnreadableFile, ...]

    @property
    def paths(self) -> dict[str, Path]:
        """Path by SOP Instance UID, of all studies."""
        return {uid: path for study in self.studies.values() for uid, path in study.items()}

    def get_any(self, study_uid: str) -> Mammogram:
        """Return the first image of a study, for what all its images have in common."""
        return self.mammograms[next(iter(self.studies[study_uid]))]

    def select_images(self, study_uid: str) -> ImageSelection:
        """Return which images of a study are read."""
        return select_images(self.mammograms[uid] for uid in self.studies[study_uid])

    def describe_study(self, study_uid: str) -> EarlierStudy:
        """Return what the choice of priors needs of a study."""
        views = self.select_images(study_uid).views
        return EarlierStudy(study_uid, self.get_any(study_uid).study_date, views)


def gather_files(paths: Sequence[Path]) -> InputFiles:
    """Read the header of every file; folders are searched through.

    Raises
    ------
    SettingsError
        A path does not exist, or there is no file to answer for.
    """
    studies: dict[str, dict[str, Path]] = defaultdict(dict)
    headers: dict[str, Dataset] = {}
    mammograms: dict[str, Mammogram] = {}
    unreadable: list[UnreadableFile] = []
    for path in _files(paths):
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True)
            mammogram = Mammogram.from_dataset(header)
        except InvalidDicomError:
            unreadable.append(UnreadableFile(path, Reason.DATA_SET_INVALID, "not a DICOM file"))
            continue
        except HeaderError as error:
            unreadable.append(UnreadableFile(path, Reason.HEADER_INVALID, str(error)))
            continue
        uid = mammogram.sop_instance_uid
        if uid in mammograms:
            unreadable.append(
                UnreadableFile(path, Reason.SUPERSEDED, "same SOP Instance UID again")
            )
            continue
        headers[uid], mammograms[uid] = header, mammogram
        studies[mammogram.study_uid][uid] = path
    if not studies and not unreadable:
        raise SettingsError(f"{', '.join(map(str, paths))}: no DICOM file in it")
    return InputFiles(studies, headers, mammograms, tuple(unreadable))


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for given in paths:
        path = given.resolve()
        if path.is_dir():
            yield from (p for p in sorted(path.rglob("*")) if p.is_file() and _may_be_dicom(p))
        elif path.is_file():
            yield path
        else:
            raise SettingsError(f"{given}: no such file or folder")


def _may_be_dicom(path: Path) -> bool:
    # Of a folder, only what begins like a Part 10 file is taken, so that a README beside the
    # images is not reported as a broken one; a file that is named by itself always is.
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


@dataclass(frozen=True, slots=True)
class ReadingPlan:
    """Which of the studies given is read and which serve as its priors."""

    current: tuple[str, ...]
    priors: Mapping[str, tuple[EarlierStudy, ...]]


def plan_reading(inputs: InputFiles, prior_uids: Iterable[str] = ()) -> ReadingPlan:
    """Choose each patient's newest study as current, unless priors are named.

    Parameters
    ----------
    inputs
        What was given.
    prior_uids
        Study Instance UIDs that are priors by request; all others are then current.

    Raises
    ------
    SettingsError
        A study named as prior is not among the files.
    """
    by_patient: dict[PatientKey | str, list[EarlierStudy]] = defaultdict(list)
    for study_uid in inputs.studies:
        patient = inputs.get_any(study_uid).patient
        # Without an ID nobody can say whose prior a study is.
        key = patient if patient.patient_id else study_uid
        by_patient[key].append(inputs.describe_study(study_uid))
    named = frozenset(prior_uids)
    if unknown := sorted(named - set(inputs.studies)):
        raise SettingsError(f"--prior: no file given is of study {', '.join(unknown)}")
    priors: dict[str, tuple[EarlierStudy, ...]] = {}
    for studies in by_patient.values():
        current = [study for study in studies if study.study_uid not in named]
        if len(current) == len(studies):
            current = [max(studies, key=_get_age)]
        for study in current:
            others = [other for other in studies if other is not study]
            views = study.views or frozenset()
            priors[study.study_uid] = choose_priors(study.study_date, views, others)
    return ReadingPlan(tuple(priors), priors)


def _get_age(study: EarlierStudy) -> tuple[date, str]:
    return study.study_date or date.min, study.study_uid


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
            detections[uid] = detect_with_retries(uid, detect, ATTEMPTS)
        context = self._make_context(study_uid)
        return read_study(study_uid, selection, detections, self.reader, context)

    def _make_context(self, study_uid: str) -> StudyContext:
        priors = self.plan.priors.get(study_uid, ())
        any_image = self.inputs.get_any(study_uid)
        headers = (self.inputs.headers[uid] for uid in self.inputs.studies[study_uid])
        treatments = (
            *select_patient(self.treatments, any_image.patient),
            *read_header_treatments(headers),
        )
        removed = find_mastectomy_sides(treatments, any_image.study_date)
        present = self.inputs.select_images(study_uid).views
        views = StudyViews(present, [p.views or () for p in priors], removed)
        return StudyContext(
            revision=1,
            cause="offline",
            missing_views=views.find_missing_slots(),
            treatments=treatments,
            priors=tuple(
                PriorStudy(p.study_uid, p.study_date, compared=False, reason=Reason.NO_COMPARISON)
                for p in priors
            ),
        )

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
    readings = []
    for study_uid, reading in unfollowed.items():
        if study_uid in offline.plan.current:
            priors = offline.plan.priors.get(study_uid, ())
            followed, _ = offline.compare(reading, [unfollowed[p.study_uid] for p in priors])
            _write_objects(followed, offline)
            readings.append(followed)
        else:
            readings.append(add_positions(reading))
    offline.remove_displays()
    path = offline.out / "findings.json"
    document = encode_findings(offline.inputs, readings, offline.plan)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path


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


def encode_findings(
    inputs: InputFiles, readings: Sequence[StudyReading], plan: ReadingPlan
) -> dict[str, Any]:
    """Return the content of `findings.json`: every input answered, refusals included."""
    images = []
    for reading in readings:
        paths = inputs.studies[reading.study_uid]
        for image in reading.images:
            path = paths[image.mammogram.sop_instance_uid]
            images.append({**_encode_image(reading, image), "path": str(path)})
        for left_out in reading.left_out:
            uid = left_out.sop_instance_uid
            unread = UnreadableFile(paths[uid], left_out.reason, "")
            images.append(_encode_unread(unread, reading.study_uid, uid))
    images += [_encode_unread(unreadable) for unreadable in inputs.unreadable]
    return {
        "schema_version": SCHEMA_VERSION,
        "node_version": __version__,
        "model": asdict(readings[0].model) if readings else None,
        "studies": [_encode_study(inputs, reading, plan) for reading in readings],
        "images": images,
    }


def _encode_image(reading: StudyReading, image: ImageReading) -> dict[str, Any]:
    """Return an image's answer whose findings have their line for people."""
    values = encode_image(image)
    for document, finding in zip(values["findings"], image.findings, strict=True):
        document["line"] = describe_finding(reading, image, finding)
    return values


def _encode_study(inputs: InputFiles, reading: StudyReading, plan: ReadingPlan) -> dict[str, Any]:
    priors = plan.priors.get(reading.study_uid, ())
    return {
        "study_uid": reading.study_uid,
        "role": "current" if reading.study_uid in plan.current else "prior",
        "outcome": reading.outcome.value,
        "reasons": [reason.value for reason in reading.reasons],
        "priors": [prior.study_uid for prior in reading.priors],
        "treatment": list(list_treatment_lines(reading)),
        "comparisons": [encode_comparison(comparison) for comparison in reading.comparisons],
        "cad_reports": [
            report for prior in priors for report in _encode_cad_reports(inputs, prior.study_uid)
        ],
        "suspicion": reading.suspicion,
    }


def _encode_cad_reports(inputs: InputFiles, study_uid: str) -> Iterator[dict[str, Any]]:
    """Yield what the CAD reports of a prior say; for one that cannot be read, why not."""
    for uid in inputs.studies[study_uid]:
        if inputs.mammograms[uid].sop_class_uid == MammographyCADSRStorage:
            try:
                yield encode_cad_report(read_cad_report(inputs.headers[uid]))
            except ContentError as error:
                yield {
                    "study_uid": study_uid,
                    "sop_instance_uid": uid,
                    "not_readable": [str(error)],
                }


def _encode_unread(file: UnreadableFile, study_uid: str = "", uid: str = "") -> dict[str, Any]:
    return {
        "sop_instance_uid": uid,
        "study_uid": study_uid,
        "path": str(file.path),
        "status": ImageStatus.REFUSED.value,
        "reasons": [file.reason.value],
        "detail": file.detail,
        "gates": {},
        "seconds": 0.0,
        "findings": [],
    }
