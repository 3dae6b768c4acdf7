"""The demo: one machine plays the hospital, and the whole round trip is seen to work.

An archive peer stands for the PACS. It is given an exam and its prior, forwards both to a node
that is started for the occasion, and waits for what the node sends back. Nothing is simulated
between the two: it is the node as installed, over DICOM on loopback.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from secondread.app.node import Node, open_node
from secondread.clock import utc_now
from secondread.demo.archive_peer import ArchivePeer
from secondread.demo.node_process import (
    ARCHIVE_AE,
    NODE_AE,
    NodeProcess,
    wait_for_node,
    write_settings,
)
from secondread.errors import PeerError, SettingsError
from secondread.report.check.cad_sr_check import check_cad_sr
from secondread.report.compose import encode_capture_png
from secondread.send.outbox import PeerAddress, StoreAnswer
from secondread.settings import ObjectKind, load_settings
from secondread.track.states import StudyState
from secondread.track.summaries import StudyDetail
from secondread_lab.simulate.exam import ExamSpec, write_exam
from secondread_lab.simulate.spec import find_latest_study_date

Announce = Callable[[str], None]
"""Tells a person what is going on."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the demo is asked to do."""

    output_folder: Path
    exam_folder: Path | None = None
    """Folder of DICOM files to send; None simulates an exam and its prior."""
    override_gates: tuple[str, ...] = ()
    wait_seconds: float = 300.0
    """How long to wait for results."""


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file that the node did not take."""

    path: Path
    description: str
    """SOP class and transfer syntax, and the answer."""


@dataclass(frozen=True, slots=True)
class DemoStudy:
    """What came of one study."""

    detail: StudyDetail
    seconds: float | None
    """From its last image to its results; None where it was not read."""
    files: tuple[Path, ...]
    """The results as they came back to the archive, and a PNG of each capture."""
    faults: tuple[str, ...]
    """What is missing, or does not parse."""


@dataclass(frozen=True, slots=True)
class DemoOutcome:
    """What came of the demo; the command prints it."""

    studies: tuple[DemoStudy, ...]
    """Studies of which the node took something, oldest first."""
    refused: tuple[RefusedFile, ...]
    log_file: Path


def run_demo(options: DemoOptions, say: Announce) -> DemoOutcome:
    """Play the round trip.

    Raises
    ------
    SettingsError
        The exam's folder holds no DICOM file, or the output folder is in use by another demo.
    PeerError
        The node did not start.
    """
    out = options.output_folder.resolve()
    out.mkdir(parents=True, exist_ok=True)
    files = _exam_files(options, out, say)
    with ArchivePeer(out / "archive", ARCHIVE_AE) as archive:
        # The built-in exam goes through the normal intake rule; files of one's own are old and
        # would all be priors.
        age = 30 if options.exam_folder is None else -1
        settings_file = write_settings(out, archive.port, age, options.override_gates)
        settings = load_settings(settings_file)
        to = PeerAddress(NODE_AE, "127.0.0.1", settings.receive.port)
        with NodeProcess(settings_file, out / "node.log"):
            say(f"starting the node; operations page http://127.0.0.1:{settings.web.port}/")
            wait_for_node(archive, to)
            taken = archive.import_files(files)
            node = open_node(settings)
            sent, refused = _forward(archive, taken.study_uids, to, say)
            _await_results(node, archive, sent, options.wait_seconds, say)
        studies = tuple(_collect(node, archive, study_uid, out) for study_uid in sent)
    return DemoOutcome(studies, tuple(refused), out / "node.log")


def _collect(node: Node, archive: ArchivePeer, study_uid: str, out: Path) -> DemoStudy:
    """Copy what came back to a folder for people, and look at each object."""
    detail = node.tracker.study_queries.find_detail(study_uid)
    if detail is None:
        raise PeerError(f"the node took study {study_uid} and does not know it")
    faults = [f"{uid} did not come back" for uid in _missing(detail, archive)]
    if detail.summary.state not in {StudyState.REPORTED, StudyState.HELD}:
        faults.append(f"the study is still {detail.summary.state.value}")
    folder = out / "results" / f"{detail.summary.study_date or 'no-date'}-{study_uid[-6:]}"
    received = {one.sop_instance_uid: one.path for one in archive.list_objects(study_uid)}
    files: list[Path] = []
    for entry in detail.outbox_objects:
        if entry.sop_instance_uid in received:
            folder.mkdir(parents=True, exist_ok=True)
            target = folder / f"{entry.kind.value}-{entry.index + 1}.dcm"
            shutil.copyfile(received[entry.sop_instance_uid], target)
            files.append(target)
            faults += _look_at(entry.kind, target, files)
    summary = detail.summary
    seconds = (
        (summary.reported_at - summary.last_arrived_at).total_seconds()
        if summary.reported_at is not None
        else None
    )
    return DemoStudy(detail, seconds, tuple(files), tuple(faults))


_HOLDS = {
    ObjectKind.TID1500: "ContentSequence",
    ObjectKind.PRESENTATION: "GraphicAnnotationSequence",
}


def _look_at(kind: ObjectKind, path: Path, files: list[Path]) -> list[str]:
    """Parse a result as its receiver would; a capture also becomes a PNG."""
    ds = pydicom.dcmread(path)
    if kind is ObjectKind.CAD_SR:
        return [f"{path.name}: {fault}" for fault in check_cad_sr(ds)]
    if kind is not ObjectKind.CAPTURE:
        return [] if ds.get(_HOLDS[kind]) else [f"{path.name}: no {_HOLDS[kind]}"]
    picture = path.with_suffix(".png")
    picture.write_bytes(encode_capture_png(ds))
    files.append(picture)
    return []


def _exam_files(options: DemoOptions, out: Path, say: Announce) -> list[Path]:
    if options.exam_folder is None:
        say("simulating a follow-up exam and its prior (seeded; eight views)")
        # The person's own calendar: the exam is to look as if taken today where they are.
        day = find_latest_study_date(utc_now().astimezone())
        exam = write_exam(ExamSpec.for_demo(day), out / "exam", say)
        return sorted(exam.paths)
    if not options.exam_folder.is_dir():
        raise SettingsError(f"{options.exam_folder}: no such folder")
    files = sorted(path for path in options.exam_folder.rglob("*") if path.is_file())
    files = [path for path in files if _is_dicom(path)]
    if not files:
        raise SettingsError(f"{options.exam_folder}: no DICOM file in it")
    return files


def _is_dicom(path: Path) -> bool:
    try:
        pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPInstanceUID"])
    except (InvalidDicomError, OSError):
        return False
    return True


def _forward(
    archive: ArchivePeer, study_uids: Sequence[str], to: PeerAddress, say: Announce
) -> tuple[list[str], list[RefusedFile]]:
    """Forward all studies, priors first; return what was taken and what was not."""
    sent: list[str] = []
    refused: list[RefusedFile] = []
    for study_uid in sorted(study_uids, key=lambda uid: _study_date(archive, uid)):
        objects = archive.list_objects(study_uid)
        say(f"the archive forwards {len(objects)} objects of {_study_date(archive, study_uid)}")
        answers = archive.forward([one.path for one in objects], to)
        refused += [
            RefusedFile(one.path, _words(one.path, answer))
            for one, answer in zip(objects, answers, strict=True)
            if not answer.is_stored
        ]
        if any(answer.is_stored for answer in answers):
            sent.append(study_uid)
    return sent, refused


def _study_date(archive: ArchivePeer, study_uid: str) -> str:
    header = pydicom.dcmread(archive.list_objects(study_uid)[0].path, specific_tags=["StudyDate"])
    return str(header.get("StudyDate", "") or "no date")


def _words(path: Path, answer: StoreAnswer) -> str:
    meta = pydicom.dcmread(path, specific_tags=["SOPClassUID"]).file_meta
    status = f", status 0x{answer.status:04X}" if answer.status is not None else ""
    return (
        f"{meta.MediaStorageSOPClassUID.name}, {meta.TransferSyntaxUID.name}: "
        f"{answer.kind.value}{status}"
    )


def _await_results(
    node: Node, archive: ArchivePeer, study_uids: Sequence[str], seconds: float, say: Announce
) -> None:
    """Wait until each study is held, or read and everything made for it has come back."""
    deadline = time.monotonic() + seconds
    waiting = list(study_uids)
    while waiting and time.monotonic() < deadline:
        for study_uid in list(waiting):
            detail = node.tracker.study_queries.find_detail(study_uid)
            if detail is not None and _is_settled(detail, archive):
                waiting.remove(study_uid)
                outcome = detail.summary.outcome
                say(
                    f"study of {detail.summary.study_date}: {detail.summary.state.value}"
                    + (f", {outcome.value}" if outcome else "")
                )
        time.sleep(0.2)


def _is_settled(detail: StudyDetail, archive: ArchivePeer) -> bool:
    if detail.summary.state in {StudyState.HELD, StudyState.STUCK}:
        return True
    return detail.summary.state is StudyState.REPORTED and not _missing(detail, archive)


def _missing(detail: StudyDetail, archive: ArchivePeer) -> list[str]:
    """Return the result objects of a study that the archive has not got."""
    held = {one.sop_instance_uid for one in archive.list_objects(detail.summary.study_uid)}
    return [
        entry.sop_instance_uid
        for entry in detail.outbox_objects
        if entry.sop_instance_uid not in held
    ]
