"""A tiny archive: receives objects over C-STORE, keeps them as files, and forwards studies.

It stands for the hospital's PACS in the demo and in tests, so that no other program is needed.
It keeps objects as they were sent, in whatever transfer syntax, and forwards a file in the syntax
it is stored in. It is not for patients: nothing is flushed to disk, nobody is refused.
"""

import hashlib
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pynetdicom import AE, _config, evt
from pynetdicom.events import Event
from pynetdicom.transport import ThreadedAssociationServer

from secondread import log
from secondread.accept.intake import StoreStatus
from secondread.accept.sop_classes import SOP_CLASSES, InstanceUse, list_transfer_syntaxes
from secondread.dicom_files import read_header
from secondread.errors import DataSetError, InputError
from secondread.files import write_whole
from secondread.send.outbox import Callee, OutboxObject, PeerCheck, StoreAnswer
from secondread.send.scu import send_echo, store_objects
from secondread.uids import is_uid

_log = log.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ArchivedObject:
    """One object of the archive."""

    study_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    path: Path


@dataclass(frozen=True, slots=True)
class ImportedFiles:
    """What became of files that were put into the archive without the network."""

    study_uids: tuple[str, ...]
    """Their studies, in the order of the first file of each."""
    skipped: tuple[Path, ...]
    """Files that are not DICOM instances."""


class ArchivePeer:
    """The archive; a context manager that listens while it is entered.

    Parameters
    ----------
    folder
        Where the files go: one folder a study, one file an instance.
    ae_title
        Its AE title. It answers to any called AE title, and calls with this one.
    port
        TCP port on loopback; 0 takes a free one, see `port`.
    """

    def __init__(self, folder: Path, ae_title: str, port: int = 0) -> None:
        self.folder = folder
        self.ae_title = ae_title
        self._wanted_port = port
        self._server: ThreadedAssociationServer | None = None
        self._changed = threading.Condition()
        self._objects: dict[str, ArchivedObject] = {}
        self._received: dict[str, ArchivedObject] = {}

    def __enter__(self) -> "ArchivePeer":
        """Start listening."""
        entity = AE(ae_title=self.ae_title)
        for row in SOP_CLASSES:
            if row.use is InstanceUse.REPORTS:
                continue  # it never commits itself to storage
            syntaxes = [syntax.uid for syntax in list_transfer_syntaxes(row.syntax_list)]
            entity.add_supported_context(row.uid, syntaxes)
        self._server = entity.start_server(
            ("127.0.0.1", self._wanted_port),
            block=False,
            evt_handlers=[(evt.EVT_C_STORE, self._on_store)],
        )
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        if self._server is None or self._server.socket is None:
            raise RuntimeError("the archive does not listen")
        port: int = self._server.socket.getsockname()[1]
        return port

    def import_files(self, paths: Iterable[Path]) -> ImportedFiles:
        """Copy files into the archive, as if they had always been there."""
        studies: dict[str, None] = {}
        skipped = []
        for path in paths:
            try:
                studies[self._store_file(path).study_uid] = None
            except InputError:
                skipped.append(path)
        return ImportedFiles(tuple(studies), tuple(skipped))

    def list_objects(self, study_uid: str) -> tuple[ArchivedObject, ...]:
        """Return everything that the archive has of a study, in the order of arrival."""
        with self._changed:
            return tuple(item for item in self._objects.values() if item.study_uid == study_uid)

    def list_received(self, study_uid: str) -> Mapping[str, tuple[ArchivedObject, ...]]:
        """Return what came in over the network for a study, by SOP Class UID."""
        with self._changed:
            return self._group_received(study_uid)

    def wait_until(
        self,
        study_uid: str,
        enough: Callable[[Mapping[str, tuple[ArchivedObject, ...]]], bool],
        timeout_seconds: float,
    ) -> bool:
        """Wait until what was received for a study is enough.

        Parameters
        ----------
        study_uid
            The study.
        enough
            Gets what `list_received` returns, after each object that comes in.
        timeout_seconds
            The longest to wait.

        Returns
        -------
        bool
            False when the time was up before.
        """
        with self._changed:
            return self._changed.wait_for(
                lambda: enough(self._group_received(study_uid)), timeout_seconds
            )

    def forward(self, paths: Iterable[Path], to: Callee) -> tuple[StoreAnswer, ...]:
        """Send files over one association, each in the transfer syntax it is stored in.

        Returns
        -------
        tuple of StoreAnswer
            One for each file, in their order. A context that the peer refuses is answered
            ``CONTEXT_REFUSED``, and the detail names SOP class and transfer syntax.

        Raises
        ------
        InputError
            A path is not a DICOM file; nothing was sent.
        """
        return store_objects(to, self.ae_title, [_make_outbox_object(path) for path in paths])

    def forward_study(self, study_uid: str, to: Callee) -> tuple[StoreAnswer, ...]:
        """Send everything that the archive has of a study; see `forward`."""
        return self.forward([archived.path for archived in self.list_objects(study_uid)], to)

    def echo(self, to: Callee) -> PeerCheck:
        """Ask a peer whether it answers."""
        return send_echo(to, self.ae_title)

    def _group_received(self, study_uid: str) -> dict[str, tuple[ArchivedObject, ...]]:
        by_class: dict[str, tuple[ArchivedObject, ...]] = {}
        for received in self._received.values():
            if received.study_uid == study_uid:
                earlier = by_class.get(received.sop_class_uid, ())
                by_class[received.sop_class_uid] = (*earlier, received)
        return by_class

    def _on_store(self, event: Event) -> int:
        try:
            received = self._store_received(event)
        except (InputError, OSError) as error:
            _log.warning("demo_archive_refused", reason=type(error).__name__)
            return StoreStatus.CANNOT_UNDERSTAND
        with self._changed:
            self._received[received.sop_instance_uid] = received
            self._changed.notify_all()
        return StoreStatus.SUCCESS

    def _store_received(self, event: Event) -> ArchivedObject:
        # Another receiver in this process may have set it for the whole process.
        if _config.STORE_RECV_CHUNKED_DATASET:
            return self._store_file(event.dataset_path)
        with tempfile.NamedTemporaryFile(suffix=".dcm") as file:
            file.write(event.encoded_dataset())
            file.flush()
            return self._store_file(Path(file.name))

    def _store_file(self, path: Path) -> ArchivedObject:
        study_uid, sop_class_uid, sop_instance_uid = _read_uids(path)
        target = self.folder / study_uid / f"{sop_instance_uid}.dcm"
        target.parent.mkdir(parents=True, exist_ok=True)
        with write_whole(target) as part:
            shutil.copyfile(path, part)
        stored = ArchivedObject(study_uid, sop_class_uid, sop_instance_uid, target)
        with self._changed:
            self._objects[sop_instance_uid] = stored
        return stored


def _read_uids(path: Path) -> tuple[str, str, str]:
    """Return study, class and instance UID of a file; all of them are safe as file names."""
    keywords = ["StudyInstanceUID", "SOPClassUID", "SOPInstanceUID"]
    with suppress(DataSetError, OSError, AttributeError):
        ds = read_header(path)
        study, sop_class, instance = (str(getattr(ds, keyword)) for keyword in keywords)
        if all(is_uid(uid) for uid in (study, sop_class, instance)):
            return study, sop_class, instance
    raise InputError(f"{path.name} is not a DICOM instance with valid UIDs")


def _make_outbox_object(path: Path) -> OutboxObject:
    try:
        meta = read_file_meta_info(path)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        sop_class, instance = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    except (InvalidDicomError, OSError, AttributeError) as error:
        raise InputError(f"{path.name} is not a DICOM file") from error
    return OutboxObject(str(sop_class), str(instance), path, digest)
