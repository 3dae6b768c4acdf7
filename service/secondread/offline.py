"""Reading files without network or database: `secondread read`.

The same reading and the same objects as the node makes, written into a folder, with
`findings.json`, whose form is a contract (schema version 1).
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
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
from secondread.detect.marks import Detection
from secondread.errors import HeaderError, SettingsError
from secondread.findings.finding import ImageReading, PriorStudy, StudyReading
from secondread.findings.findings_json import encode_image
from secondread.followup.comparison_json import encode_cad_report, encode_comparison
from secondread.followup.finding_position import add_positions
from secondread.followup.follow_up import follow_up
from secondread.followup.header_treatments import read_header_treatments
from secondread.followup.priors import EarlierStudy, choose_priors
from secondread.followup.recheck import RecheckedFinding, ScoreFile, recheck_priors, score_files
from secondread.followup.treatment_file import RecordedTreatment, select_patient
from secondread.followup.treatment_status import find_mastectomy_sides
from secondread.reading import Reader, StudyContext, read_study
from secondread.reasons import ImageStatus, Reason
from secondread.report.compose import compose_results, encode_capture_png, encode_file
from secondread.report.readback.cad_reader import read_cad_report
from secondread.report.readback.content import ContentError
from secondread.report.result import Authorship, NodeIdentity, Occasion, ResultObject
from secondread.report.sr.impression_words import describe_finding, list_treatment_lines
from secondread.report.sr.uids import ResultUids
from secondread.settings import ObjectKind, ProfileSettings

SCHEMA_VERSION = 1

DetectImage = Callable[[Path, Path, frozenset[str]], Detection]
"""Reads an image file, writes its display array to the second path, overriding the gates named."""


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
    by_patient: dict[PatientKey | str, list[str]] = defaultdict(list)
    for study_uid in inputs.studies:
        patient = _any(inputs, study_uid).patient
        # Without an ID nobody can say whose prior a study is.
        by_patient[patient if patient.patient_id else study_uid].append(study_uid)
    named = frozenset(prior_uids)
    if unknown := sorted(named - set(inputs.studies)):
        raise SettingsError(f"--prior: no file given is of study {', '.join(unknown)}")
    current: list[str] = []
    priors: dict[str, tuple[EarlierStudy, ...]] = {}
    for studies in by_patient.values():
        chosen = [s for s in studies if s not in named] if named & set(studies) else None
        for study_uid in chosen if chosen is not None else [max(studies, key=_age(inputs))]:
            others = [describe_earlier_study(inputs, s) for s in studies if s != study_uid]
            views = _views(inputs, study_uid)
            current.append(study_uid)
            priors[study_uid] = choose_priors(_any(inputs, study_uid).study_date, views, others)
    return ReadingPlan(tuple(current), priors)


def _any(inputs: InputFiles, study_uid: str) -> Mammogram:
    return inputs.mammograms[next(iter(inputs.studies[study_uid]))]


def _age(inputs: InputFiles) -> Callable[[str], tuple[date, str]]:
    return lambda uid: (_any(inputs, uid).study_date or date.min, uid)


def describe_earlier_study(inputs: InputFiles, study_uid: str) -> EarlierStudy:
    """Return what the choice of priors needs of a study."""
    day = _any(inputs, study_uid).study_date
    return EarlierStudy(study_uid, day, _views(inputs, study_uid))


def _views(inputs: InputFiles, study_uid: str) -> frozenset[tuple[str, str]]:
    selection = _selection(inputs, study_uid)
    return frozenset(
        (m.laterality.letter, m.view.name) for m in selection.to_read if m.laterality and m.view
    )


def _selection(inputs: InputFiles, study_uid: str) -> ImageSelection:
    return select_images(inputs.mammograms[uid] for uid in inputs.studies[study_uid])


@dataclass(frozen=True, slots=True)
class OfflineReader:
    """What an offline reading needs besides the files."""

    detect: DetectImage
    scores_at: ScoreFile
    reader: Reader
    node: NodeIdentity
    installation_id: str
    """Drawn for this run: offline objects never share a UID with those of a node."""
    now: datetime
    out: Path
    overrides: frozenset[str] = frozenset()
    attempts: int = 3
    """How often an image may kill the detector before it is given up."""
    record: tuple[RecordedTreatment, ...] = ()
    """Treatments of the patients, as `--treatments` gives them."""
    profile: ProfileSettings = field(default_factory=lambda: ProfileSettings(findings="all"))


def read_files(
    inputs: InputFiles, plan_: ReadingPlan, desk: OfflineReader, progress: Callable[[str], None]
) -> Path:
    """Read every study, write the objects of the current ones, and `findings.json`.

    Parameters
    ----------
    inputs, plan_
        What was given, and which study is current.
    desk
        Detector, model, identity and the folder to write into.
    progress
        Called with a line for people before each image.

    Returns
    -------
    Path
        That of `findings.json`.
    """
    desk.out.mkdir(parents=True, exist_ok=True)
    alone = read_studies(inputs, plan_, desk, progress)
    readings = []
    for study_uid, reading in alone.items():
        if study_uid in plan_.current:
            earlier = [alone[prior.study_uid] for prior in plan_.priors.get(study_uid, ())]
            looks = recheck_study(reading, earlier, inputs, desk)
            readings.append(follow_up(reading, earlier, looks))
            _write_objects(readings[-1], inputs, _folder(inputs, study_uid, desk), desk)
        else:
            readings.append(add_positions(reading))
    remove_display_arrays(desk)
    path = desk.out / "findings.json"
    document = encode_findings(inputs, readings, plan_)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path


def read_studies(
    inputs: InputFiles, plan_: ReadingPlan, desk: OfflineReader, progress: Callable[[str], None]
) -> dict[str, StudyReading]:
    """Read every study by itself; display arrays stay in the folder until they are removed."""
    return {
        study_uid: _read_study(inputs, study_uid, plan_, desk, progress)
        for study_uid in inputs.studies
    }


def recheck_study(
    reading: StudyReading, earlier: Sequence[StudyReading], inputs: InputFiles, desk: OfflineReader
) -> tuple[RecheckedFinding, ...]:
    """Return what is seen in the priors' pixels of findings that are new by their findings."""
    files = {uid: path for study in inputs.studies.values() for uid, path in study.items()}
    return recheck_priors(reading, earlier, score_files(desk.scores_at, files))


def remove_display_arrays(desk: OfflineReader) -> None:
    """Remove the display arrays."""
    for leftover in desk.out.glob("study-*/.*.npy"):
        leftover.unlink()


def _read_study(
    inputs: InputFiles,
    study_uid: str,
    plan_: ReadingPlan,
    desk: OfflineReader,
    progress: Callable[[str], None],
) -> StudyReading:
    selection = _selection(inputs, study_uid)
    folder = _folder(inputs, study_uid, desk)
    folder.mkdir(parents=True, exist_ok=True)
    detections = {}
    for mammogram in selection.to_read:
        uid = mammogram.sop_instance_uid
        path = inputs.studies[study_uid][uid]
        progress(f"{mammogram.label} {path.name}")
        display = _display_path(folder, uid)
        detections[uid] = detect_with_retries(
            uid, partial(desk.detect, path, display, desk.overrides), desk.attempts
        )
    priors = plan_.priors.get(study_uid, ())
    any_image = _any(inputs, study_uid)
    treatments = (
        *select_patient(desk.record, any_image.patient),
        *read_header_treatments(inputs.headers[uid] for uid in inputs.studies[study_uid]),
    )
    removed = find_mastectomy_sides(treatments, any_image.study_date)
    circumstances = StudyContext(
        revision=1,
        cause="offline",
        missing_views=StudyViews(
            _views(inputs, study_uid), [p.views or () for p in priors], removed
        ).find_missing_slots(),
        treatments=treatments,
        priors=tuple(
            PriorStudy(p.study_uid, p.study_date, compared=False, reason=Reason.NO_COMPARISON)
            for p in priors
        ),
    )
    return read_study(study_uid, selection, detections, desk.reader, circumstances)


def _folder(inputs: InputFiles, study_uid: str, desk: OfflineReader) -> Path:
    return desk.out / f"study-{1 + list(inputs.studies).index(study_uid)}"


def _display_path(folder: Path, uid: str) -> Path:
    # From a digest: what a file says of itself never becomes a path.
    return folder / f".{sha256(uid.encode()).hexdigest()[:32]}.npy"


def load_display_array(
    inputs: InputFiles, study_uid: str, uid: str, desk: OfflineReader
) -> npt.NDArray[np.uint8]:
    """Return an image as people look at it, of a study that `read_studies` has read.

    Raises
    ------
    FileNotFoundError
        The image's pixels could not be decoded.
    """
    path = _display_path(_folder(inputs, study_uid, desk), uid)
    array: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return array


def _write_objects(
    reading: StudyReading, inputs: InputFiles, folder: Path, desk: OfflineReader
) -> None:
    def display(uid: str) -> npt.NDArray[np.uint8]:
        return load_display_array(inputs, inputs.mammograms[uid].study_uid, uid, desk)

    studies = (reading.study_uid, *(one.study_uid for one in reading.prior_readings))
    sources = {uid: inputs.headers[uid] for one in studies for uid in inputs.studies[one]}
    uids = ResultUids(desk.installation_id, reading.study_uid, reading.revision, "offline")
    occasion = Occasion(desk.now, predecessor=None)
    for result in compose_results(
        reading, sources, display, Authorship(desk.node, uids, occasion, desk.profile)
    ):
        _write(result, folder)


def _write(result: ResultObject, folder: Path) -> None:
    stem = folder / f"{result.kind.value}-{result.index + 1}"
    stem.with_suffix(".dcm").write_bytes(encode_file(result.dataset))
    if result.kind is ObjectKind.CAPTURE:
        stem.with_suffix(".png").write_bytes(encode_capture_png(result.dataset))


def encode_findings(
    inputs: InputFiles, readings: Sequence[StudyReading], plan_: ReadingPlan
) -> dict[str, Any]:
    """Return the content of `findings.json`: every input answered, refusals included."""
    images = []
    for reading in readings:
        paths = inputs.studies[reading.study_uid]
        for image in reading.images:
            path = paths[image.mammogram.sop_instance_uid]
            images.append({**_image(reading, image), "path": str(path)})
        for left in reading.left_out:
            unread = UnreadableFile(paths[left.sop_instance_uid], left.reason, "")
            images.append(_unread_json(unread, reading.study_uid, left.sop_instance_uid))
    images += [_unread_json(unreadable) for unreadable in inputs.unreadable]
    return {
        "schema_version": SCHEMA_VERSION,
        "node_version": __version__,
        "model": asdict(readings[0].model) if readings else None,
        "studies": [_study_json(inputs, reading, plan_) for reading in readings],
        "images": images,
    }


def _image(reading: StudyReading, image: ImageReading) -> dict[str, Any]:
    """Return an image's answer whose findings have their line for people."""
    values = encode_image(image)
    for document, finding in zip(values["findings"], image.findings, strict=True):
        document["line"] = describe_finding(reading, image, finding)
    return values


def _study_json(inputs: InputFiles, reading: StudyReading, plan_: ReadingPlan) -> dict[str, Any]:
    priors = plan_.priors.get(reading.study_uid, ())
    return {
        "study_uid": reading.study_uid,
        "role": "current" if reading.study_uid in plan_.current else "prior",
        "outcome": reading.outcome.value,
        "reasons": [reason.value for reason in reading.reasons],
        "priors": [prior.study_uid for prior in reading.priors],
        "treatment": list(list_treatment_lines(reading)),
        "comparisons": [encode_comparison(one) for one in reading.comparisons],
        "cad_reports": [one for prior in priors for one in _cad_reports(inputs, prior.study_uid)],
        "suspicion": reading.suspicion,
    }


def _cad_reports(inputs: InputFiles, study_uid: str) -> Iterator[dict[str, Any]]:
    """Yield what the CAD reports of a prior say; one that cannot be read says why."""
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


def _unread_json(file: UnreadableFile, study_uid: str = "", uid: str = "") -> dict[str, Any]:
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
