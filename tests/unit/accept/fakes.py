"""Instances, files and a ledger for tests of the receiver."""

import hashlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydicom import uid
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pynetdicom import AE, evt
from pynetdicom.association import Association

from secondread.accept.archive import Archive
from secondread.accept.commitment import CommitmentOutcome, CommitmentReport, CommitmentResult
from secondread.accept.ledger import (
    OutboxFile,
    PeerAssociation,
    RecordOutcome,
    Refusal,
    StoredInstance,
    Transfer,
)
from secondread.accept.scp import Receiver
from secondread.errors import TransientError
from secondread.settings import (
    DestinationSettings,
    PeerSettings,
    PriorSourceSettings,
    PriorsSettings,
    ReceiveSettings,
    Settings,
)

STUDY = "1.2.826.0.1.3680043.10.99.1"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def instance(
    number: int = 1,
    sop_class: str = uid.DigitalMammographyXRayImageStorageForPresentation,
    *,
    rows: int = 64,
    columns: int = 48,
) -> Dataset:
    """A small data set of the given class, with pixels and the file meta of Explicit VR."""
    ds = Dataset()
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = f"{STUDY}.2.{number}"
    ds.StudyInstanceUID = STUDY
    ds.SeriesInstanceUID = f"{STUDY}.2"
    ds.PatientID = "P1"
    ds.PatientName = "Doe^Jane"
    ds.Modality = "MG"
    ds.Rows = rows
    ds.Columns = columns
    ds.BitsAllocated = 16
    ds.PixelData = bytes(range(256)) * (rows * columns * 2 // 256)
    ds["PixelData"].VR = "OW"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    return ds


def document(number: int, sop_class: str, title: tuple[str, str, str] | None = None) -> Dataset:
    """A data set without pixels; `title` is (value, scheme, meaning)."""
    ds = instance(number, sop_class)
    del ds.PixelData, ds.Rows, ds.Columns, ds.BitsAllocated
    ds.Modality = "KO"
    if title is not None:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = title
        ds.ConceptNameCodeSequence = [code]
    return ds


def commitment_report(
    transaction_uid: str, committed: Iterable[str], refused: Mapping[str, int]
) -> Dataset:
    """The Event Information of a storage commitment report."""

    def reference(uid: str) -> Dataset:
        item = Dataset()
        item.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
        item["ReferencedSOPInstanceUID"] = DataElement(
            "ReferencedSOPInstanceUID", "UI", uid, validation_mode=IGNORE
        )
        return item

    information = Dataset()
    information.TransactionUID = transaction_uid
    information.ReferencedSOPSequence = [reference(uid) for uid in committed]
    information.FailedSOPSequence = [reference(uid) for uid in refused]
    for item, reason in zip(information.FailedSOPSequence, refused.values(), strict=True):
        item.FailureReason = reason
    return information


def encoded(ds: Dataset, *, implicit: bool = False) -> bytes:
    """The data set alone, little endian."""
    stream = DicomBytesIO()
    stream.is_implicit_VR = implicit
    stream.is_little_endian = True
    write_dataset(stream, ds)
    return stream.getvalue()


def part10(data_set: bytes) -> bytes:
    """A file around an encoded data set, with the least file meta information."""
    return bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00" + bytes(4) + data_set


def spooled(folder: Path, data_set: bytes, name: str = "tmp1.dcm") -> Path:
    """Write a file around an encoded data set."""
    path = folder / name
    path.write_bytes(part10(data_set))
    return path


class MemoryLedger:
    """A ledger in memory, which can be set to be away."""

    def __init__(self) -> None:
        self.instances: dict[tuple[str, str], StoredInstance] = {}
        self.headers: list[Dataset] = []
        self.own: dict[str, OutboxFile] = {}
        self.opened: list[PeerAssociation] = []
        self.closed: list[str] = []
        self.refusals: list[Refusal] = []
        self.starts: list[datetime] = []
        self.transfers: list[Transfer] = []
        self.away = False
        self.error: Exception | None = None
        self._lock = threading.Lock()

    def _reach(self) -> None:
        if self.error is not None:
            raise self.error
        if self.away:
            raise TransientError("database away")

    def record_receiver_start(self, at: datetime) -> None:
        self.starts.append(at)

    def find_own(self, sop_instance_uid: str) -> OutboxFile | None:
        self._reach()
        return self.own.get(sop_instance_uid)

    def record_instance(self, instance: StoredInstance, header: Dataset) -> RecordOutcome:
        self._reach()
        key = (instance.sop_instance_uid, instance.sha256)
        with self._lock:
            if key in self.instances:
                return RecordOutcome.REPEATED
            is_known = any(uid == instance.sop_instance_uid for uid, _ in self.instances)
            self.instances[key] = instance
            self.headers.append(header)
        return RecordOutcome.CONFLICTING if is_known else RecordOutcome.NEW

    def record_association_start(self, association: PeerAssociation) -> None:
        self._reach()
        self.opened.append(association)

    def record_association_end(
        self, association_id: str, at: datetime, transfers: Sequence[Transfer] = ()
    ) -> None:
        self._reach()
        self.closed.append(association_id)
        self.transfers.extend(transfers)

    def record_refusals(self, refusals: Sequence[Refusal]) -> None:
        self._reach()
        self.refusals.extend(refusals)


def write_own(archive: Archive, ledger: MemoryLedger, ds: Dataset) -> None:
    """Put an object into the outbox, as one that this node wrote."""
    data = part10(encoded(ds))
    path = archive.write_bytes(data).relative_path
    ledger.own[str(ds.SOPInstanceUID)] = OutboxFile(path, hashlib.sha256(data).hexdigest())


class MemoryCommitments:
    """A ledger of storage commitments in memory, with the transactions in `known`."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        """Destinations by Transaction UID."""
        self.reports: list[CommitmentReport] = []
        self.away = False

    def record_report(self, report: CommitmentReport, now: datetime) -> CommitmentResult:
        if self.away:
            raise TransientError("database away")
        if report.transaction_uid not in self.known:
            return CommitmentResult(CommitmentOutcome.UNKNOWN)
        name = self.known[report.transaction_uid]
        if any(earlier.transaction_uid == report.transaction_uid for earlier in self.reports):
            return CommitmentResult(CommitmentOutcome.REPEATED, name)
        self.reports.append(report)
        return CommitmentResult(
            CommitmentOutcome.RECORDED, name, len(report.committed), len(report.refused)
        )


@dataclass
class Node:
    """A receiver that listens on loopback, and what it works with."""

    archive: Archive
    ledger: MemoryLedger
    receiver: Receiver
    commitments: MemoryCommitments
    port: int = 0
    tls: tuple[ssl.SSLContext, str] | None = None
    """What calls over TLS are made with, unless they say otherwise."""
    associations: list[Association] = field(default_factory=list)
    sockets: list[socket.socket] = field(default_factory=list)

    def call(
        self, *sop_classes: str, calling: str = "MOD", called: str = "SECONDREAD", **options: Any
    ) -> Association:
        """Open an association that proposes Verification and the given classes."""
        ae = AE(calling)
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 20
        for sop_class in (uid.UID("1.2.840.10008.1.1"), *sop_classes):
            ae.add_requested_context(sop_class, *options.get("syntaxes", ()))
        association = ae.associate(
            "127.0.0.1",
            self.port,
            ae_title=called,
            tls_args=options.get("tls", self.tls),
            evt_handlers=self.socket_handlers,
        )
        self.associations.append(association)
        return association

    @property
    def socket_handlers(self) -> list[evt.EventHandlerType]:
        """Handlers for associations that a test opens by itself."""
        return [(evt.EVT_CONN_OPEN, self._keep_socket)]

    def _keep_socket(self, event: evt.Event) -> None:
        # pynetdicom drops a socket unclosed when the other side was faster to close.
        transport = event.assoc.dul.socket
        if transport is not None and transport.socket is not None:
            self.sockets.append(transport.socket)

    def send(self, *instances: Dataset, **options: Any) -> list[int]:
        """Send instances over one association; return the statuses."""
        association = self.call(*{str(ds.SOPClassUID) for ds in instances}, **options)
        assert association.is_established
        statuses = [association.send_c_store(ds).get("Status", -1) for ds in instances]
        association.release()
        return statuses

    @property
    def files(self) -> list[Path]:
        """All files of the archive, those in the spool too."""
        return [path for path in self.archive.root.rglob("*") if path.is_file()]


@contextmanager
def running_node(
    folder: Path, ledger: MemoryLedger | None = None, **receive: Any
) -> Iterator[Node]:
    """Run a receiver with the peers MOD and FAR (from elsewhere), the destination PACS, and
    the peer VNA, which is asked for priors.
    """
    archive = Archive(folder)
    archive.create()
    values = {"host": "127.0.0.1", "port": 0, "minimum_free_bytes": 0} | receive
    settings = Settings(
        receive=ReceiveSettings.model_validate(values),
        peers=(
            PeerSettings(ae_title="MOD"),
            PeerSettings(ae_title="VNA"),
            PeerSettings(ae_title="FAR", addresses=("10.1.2.3",)),
        ),
        destinations=(
            DestinationSettings(name="pacs", ae_title="PACS", host="127.0.0.1", port=104),
        ),
        priors=PriorsSettings(
            sources=(PriorSourceSettings(name="vna", ae_title="VNA", host="127.0.0.1", port=104),)
        ),
    )
    ledger = MemoryLedger() if ledger is None else ledger
    commitments = MemoryCommitments()
    receiver = Receiver(settings, archive, ledger, commitments, housekeeping_seconds=0.05)
    node = Node(archive, ledger, receiver, commitments)
    node.port = node.receiver.start()
    try:
        yield node
    finally:
        for association in node.associations:
            if association.is_established:
                association.abort()
        node.receiver.stop(grace_seconds=2)
        for connection in node.sockets:
            connection.close()


def eventually(condition: Callable[[], bool], seconds: float = 15) -> bool:
    """Wait until a condition holds; False if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
