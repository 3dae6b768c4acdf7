"""The demo: the whole round trip of an exam, with one machine in the part of the hospital.

An archive peer stands for the PACS. It gets an exam and its prior, forwards both to a node that is
started for the demo, and waits for what the node sends back. Nothing is simulated between the two:
it is the node as installed, over DICOM on loopback.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from secondread.app.node import Node, open_node
from secondread.app.sign_in import make_login_link
from secondread.clock import utc_now
from secondread.demo.archive_peer import ArchivePeer
from secondread.demo.node_process import (
    ARCHIVE_AE,
    NODE_AE,
    NodeProcess,
    wait_for_node,
    write_settings,
)
from secondread.dicom_files import read_document, read_header, read_image
from secondread.errors import DataSetError, PeerError, SettingsError
from secondread.report.check.cad_sr_check import check_cad_sr
from secondread.report.compose import encode_capture_png
from secondread.send.outbox import PeerAddress, StoreAnswer
from secondread.settings import ObjectKind, Role, load_settings
from secondread.track.states import StudyState
from secondread.track.summaries import StudyDetail
from secondread_lab.simulate.exam import ExamSpec, write_exam
from secondread_lab.simulate.spec import find_latest_study_date

Announce = Callable[[str], None]
"""Shows a person what is going on."""


_WITHOUT_RESULTS = {StudyState.HELD, StudyState.WITHOUT_IMAGES}
"""States in which a study rests without having been read, and nothing is wrong."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the demo does."""

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
    """What became of one study."""

    detail: StudyDetail
    seconds: float | None
    """From its last image to its results; None where it was not read."""
    files: tuple[Path, ...]
    """The results as they came back to the archive, and a PNG of each capture."""
    faults: tuple[str, ...]
    """What is missing, or does not parse."""


@dataclass(frozen=True, slots=True)
class DemoOutcome:
    """The result of the demo, which the command prints."""

    studies: tuple[DemoStudy, ...]
    """Studies of which the node took something, oldest first."""
    refused: tuple[RefusedFile, ...]
    log_file: Path


def run_demo(options: DemoOptions, announce: Announce) -> DemoOutcome:
    """Play the round trip.

    Raises
    ------
    SettingsError
        The exam's folder holds no DICOM file, or the output folder is in use by another demo.
    PeerError
        The node did not start.
    """
    output = options.output_folder.resolve()
    output.mkdir(parents=True, exist_ok=True)
    files = _find_exam_files(options, output, announce)
    with ArchivePeer(output / "archive", ARCHIVE_AE) as archive:
        # The built-in exam goes through the normal intake rule; files of one's own are old and
        # would all be priors.
        age = 30 if options.exam_folder is None else -1
        settings_file = write_settings(output, archive.port, age, options.override_gates)
        settings = load_settings(settings_file)
        address = PeerAddress(NODE_AE, "127.0.0.1", settings.receive.port)
        with NodeProcess(settings_file, output / "node.log"):
            announce("starting the node")
            wait_for_node(archive, address)
            node = open_node(settings)
            link = make_login_link(node, "demo", Role.ADMIN, utc_now())
            announce(f"operations page, while the demo runs (signs in once): {link}")
            study_uids = archive.import_files(files).study_uids
            trip = _RoundTrip(node, archive, announce)
            sent, refused = trip.forward(study_uids, address)
            trip.await_results(sent, options.wait_seconds)
        studies = tuple(trip.collect(study_uid, output / "results") for study_uid in sent)
    return DemoOutcome(studies, tuple(refused), output / "node.log")


def _find_exam_files(options: DemoOptions, output: Path, announce: Announce) -> list[Path]:
    if options.exam_folder is None:
        announce("simulating a follow-up exam and its prior (seeded; eight views)")
        # By the calendar of this place, so that the exam looks as if it was taken today.
        day = find_latest_study_date(utc_now().astimezone())
        return sorted(write_exam(ExamSpec.for_demo(day), output / "exam", announce).paths)
    if not options.exam_folder.is_dir():
        raise SettingsError(f"{options.exam_folder}: no such folder")
    files = sorted(path for path in options.exam_folder.rglob("*") if _is_dicom(path))
    if not files:
        raise SettingsError(f"{options.exam_folder}: no DICOM file in it")
    return files


def _is_dicom(path: Path) -> bool:
    try:
        read_header(path)
    except (DataSetError, OSError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class _RoundTrip:
    node: Node
    archive: ArchivePeer
    announce: Announce

    def forward(
        self, study_uids: Sequence[str], address: PeerAddress
    ) -> tuple[list[str], list[RefusedFile]]:
        """Forward all studies, priors first; return those taken, and the files that were not."""
        sent: list[str] = []
        refused: list[RefusedFile] = []
        for study_uid in sorted(study_uids, key=self._read_study_date):
            paths = [archived.path for archived in self.archive.list_objects(study_uid)]
            self.announce(
                f"the archive forwards {len(paths)} objects of {self._read_study_date(study_uid)}"
            )
            answers = self.archive.forward(paths, address)
            refused += [
                RefusedFile(path, _describe_refusal(path, answer))
                for path, answer in zip(paths, answers, strict=True)
                if not answer.is_stored
            ]
            if any(answer.is_stored for answer in answers):
                sent.append(study_uid)
        return sent, refused

    def await_results(self, study_uids: Sequence[str], seconds: float) -> None:
        """Wait until each study is held, or read and everything made for it has come back."""
        deadline = time.monotonic() + seconds
        waiting = list(study_uids)
        while waiting and time.monotonic() < deadline:
            for study_uid in list(waiting):
                detail = self.node.tracker.study_queries.find_detail(study_uid)
                if detail is not None and self._is_settled(detail):
                    waiting.remove(study_uid)
                    summary = detail.summary
                    outcome = f", {summary.outcome.value}" if summary.outcome else ""
                    self.announce(f"study of {summary.study_date}: {summary.state.value}{outcome}")
            time.sleep(0.2)

    def collect(self, study_uid: str, results: Path) -> DemoStudy:
        """Copy what came back to a folder for people, and check each object."""
        detail = self.node.tracker.study_queries.find_detail(study_uid)
        if detail is None:
            raise PeerError(f"the node took study {study_uid} and does not know it")
        summary, paths = detail.summary, self._map_paths(study_uid)
        faults = [f"{uid} did not come back" for uid in self._list_missing(detail)]
        if summary.state not in {StudyState.REPORTED, *_WITHOUT_RESULTS}:
            faults.append(f"the study is still {summary.state.value}")
        folder = results / f"{summary.study_date or 'no-date'}-{study_uid[-6:]}"
        files: list[Path] = []
        for entry in detail.outbox_objects:
            if entry.sop_instance_uid in paths:
                folder.mkdir(parents=True, exist_ok=True)
                target = folder / f"{entry.kind.value}-{entry.index + 1}.dcm"
                shutil.copyfile(paths[entry.sop_instance_uid], target)
                files.append(target)
                faults += _check_result(entry.kind, target, files)
        seconds = None
        if summary.reported_at is not None:
            seconds = (summary.reported_at - summary.last_arrived_at).total_seconds()
        return DemoStudy(detail, seconds, tuple(files), tuple(faults))

    def _is_settled(self, detail: StudyDetail) -> bool:
        if detail.summary.state in {StudyState.STUCK, *_WITHOUT_RESULTS}:
            return True
        return detail.summary.state is StudyState.REPORTED and not self._list_missing(detail)

    def _list_missing(self, detail: StudyDetail) -> list[str]:
        """Return the UIDs of the results of a study that the archive does not have."""
        paths = self._map_paths(detail.summary.study_uid)
        uids = (entry.sop_instance_uid for entry in detail.outbox_objects)
        return [uid for uid in uids if uid not in paths]

    def _map_paths(self, study_uid: str) -> dict[str, Path]:
        """Return the files that the archive has of a study, by SOP Instance UID."""
        return {
            archived.sop_instance_uid: archived.path
            for archived in self.archive.list_objects(study_uid)
        }

    def _read_study_date(self, study_uid: str) -> str:
        path = self.archive.list_objects(study_uid)[0].path
        return str(read_header(path).get("StudyDate") or "no date")


_REQUIRED_SEQUENCES = {
    ObjectKind.TID1500: "ContentSequence",
    ObjectKind.PRESENTATION: "GraphicAnnotationSequence",
}


def _check_result(kind: ObjectKind, path: Path, files: list[Path]) -> list[str]:
    """Return what is wrong with a result, parsed as by its receiver; add a PNG of a capture."""
    ds = (read_image if kind is ObjectKind.CAPTURE else read_document)(path)
    if kind is ObjectKind.CAD_SR:
        return [f"{path.name}: {fault}" for fault in check_cad_sr(ds)]
    if kind is not ObjectKind.CAPTURE:
        keyword = _REQUIRED_SEQUENCES[kind]
        return [] if ds.get(keyword) else [f"{path.name}: no {keyword}"]
    picture = path.with_suffix(".png")
    picture.write_bytes(encode_capture_png(ds))
    files.append(picture)
    return []


def _describe_refusal(path: Path, answer: StoreAnswer) -> str:
    meta = read_header(path).file_meta
    status = f", status 0x{answer.status:04X}" if answer.status is not None else ""
    return (
        f"{meta.MediaStorageSOPClassUID.name}, {meta.TransferSyntaxUID.name}: "
        f"{answer.kind.value}{status}"
    )
