import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from pydicom import uid
from pydicom.dataset import Dataset

from secondread.accept.archive import Archive, ArchivedFile
from secondread.accept.dispositions import Disposition
from secondread.accept.intake import Intake, ReceivedInstance, StoreStatus
from secondread.accept.ledger import PeerAssociation, RecordOutcome, Refusal, StoredInstance
from secondread.accept.refusal_counts import Caller, RefusalLog
from secondread.errors import StorageFullError
from secondread.reasons import Reason
from tests.unit.accept.fakes import (
    NOW,
    STUDY,
    MemoryLedger,
    document,
    encoded,
    instance,
    spooled,
    write_own,
)

PEER = PeerAssociation("a1", "MOD", "10.1.2.3", NOW)


class Node:
    """An intake over a real archive and a ledger in memory, and what it was given."""

    def __init__(self, folder: Path) -> None:
        self.archive = Archive(folder)
        self.archive.create()
        self.ledger = MemoryLedger()
        self.refusals = RefusalLog()
        self.minimum_free_bytes = 0

    def deliver(self, ds: Dataset, **changes: str) -> StoreStatus:
        path = spooled(self.archive.spool, encoded(ds))
        return self.store(self.delivery(ds, path, **changes))

    def delivery(self, ds: Dataset, path: Path, **changes: str) -> ReceivedInstance:
        delivery = ReceivedInstance(
            spool_path=path,
            sop_class_uid=ds.SOPClassUID,
            sop_instance_uid=ds.SOPInstanceUID,
            abstract_syntax=ds.SOPClassUID,
            transfer_syntax=uid.ExplicitVRLittleEndian,
            association=PEER,
            caller=Caller("MOD", "SECONDREAD", "10.1.2.3"),
        )
        return replace(delivery, **changes)  # type: ignore[arg-type]  # texts only

    def store(self, delivery: ReceivedInstance) -> StoreStatus:
        intake = Intake(
            self.archive, self.ledger, self.refusals, lambda: NOW, self.minimum_free_bytes
        )
        return intake.store(delivery)

    @property
    def files(self) -> list[Path]:
        return [path for path in self.archive.root.rglob("*") if path.is_file()]

    @property
    def refused(self) -> list[Refusal]:
        written: list[Refusal] = []
        self.refusals.flush(written.extend)
        return written


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path / "archive")


@pytest.fixture
def events() -> Iterator[list[structlog.typing.EventDict]]:
    with structlog.testing.capture_logs() as captured:
        yield captured


def test_an_instance_is_in_archive_and_ledger_when_success_is_answered(node: Node) -> None:
    assert node.deliver(instance()) is StoreStatus.SUCCESS
    (stored,) = node.ledger.instances.values()
    assert node.files == [node.archive.resolve_path(stored.relative_path)]
    assert stored.size == node.files[0].stat().st_size
    assert (stored.study_uid, stored.series_uid) == (STUDY, f"{STUDY}.2")
    assert (stored.association, stored.received_at) == (PEER, NOW)
    assert node.ledger.headers[0].Rows == 64


def test_the_ledger_records_after_the_archive_has_committed(node: Node) -> None:
    steps: list[str] = []

    class RecordingArchive(Archive):
        def commit(self, spooled: Path, digest: str, area: str = "instances") -> ArchivedFile:
            file = super().commit(spooled, digest)
            steps.append("archive")
            return file

    class RecordingLedger(MemoryLedger):
        def record_instance(self, instance: StoredInstance, header: Dataset) -> RecordOutcome:
            assert node.archive.resolve_path(instance.relative_path).is_file()
            steps.append("ledger")
            return super().record_instance(instance, header)

    node.archive, node.ledger = RecordingArchive(node.archive.root), RecordingLedger()
    assert node.deliver(instance()) is StoreStatus.SUCCESS
    assert steps == ["archive", "ledger"]


def test_a_ledger_that_is_away_makes_the_sender_keep_its_copy(node: Node) -> None:
    node.ledger.away = True
    assert node.deliver(instance()) is StoreStatus.OUT_OF_RESOURCES
    node.ledger.away = False
    assert node.deliver(instance()) is StoreStatus.SUCCESS
    assert len(node.files) == 1


def test_an_unexpected_error_is_a_failure_and_is_logged_without_its_text(
    node: Node, events: list[structlog.typing.EventDict]
) -> None:
    node.ledger.error = ValueError("Doe^Jane")
    assert node.deliver(instance()) is StoreStatus.CANNOT_UNDERSTAND
    (event,) = [event for event in events if event["event"] == "instance_not_stored"]
    assert event["error"].startswith("ValueError at fakes.py:")
    assert "Doe" not in str(events)


def test_a_disk_that_fails_makes_the_sender_keep_its_copy(node: Node) -> None:
    class FailingArchive(Archive):
        def commit(self, spooled: Path, digest: str, area: str = "instances") -> ArchivedFile:
            raise StorageFullError("archive: No space left on device")

    node.archive = FailingArchive(node.archive.root)
    assert node.deliver(instance()) is StoreStatus.OUT_OF_RESOURCES
    assert (node.files, node.ledger.instances) == ([], {})
    assert [refusal.reason for refusal in node.refused] == [Reason.STORAGE_FULL]


def test_a_nearly_full_disk_is_answered_before_anything_is_written(node: Node) -> None:
    node.minimum_free_bytes = 2**62
    assert node.deliver(instance()) is StoreStatus.OUT_OF_RESOURCES
    assert (node.files, node.ledger.instances) == ([], {})
    assert [refusal.reason for refusal in node.refused] == [Reason.STORAGE_FULL]


def test_the_same_bytes_again_are_success_and_nothing_is_rewritten(node: Node) -> None:
    assert node.deliver(instance()) is StoreStatus.SUCCESS
    before = node.files[0].stat()
    assert node.deliver(instance()) is StoreStatus.SUCCESS
    (path,) = node.files
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_same_uid_with_other_bytes_is_kept_beside_and_logged(
    node: Node, events: list[structlog.typing.EventDict]
) -> None:
    other = instance()
    other.PixelData = bytes(len(other.PixelData))
    assert node.deliver(instance()) is StoreStatus.SUCCESS
    assert node.deliver(other) is StoreStatus.SUCCESS
    assert len(node.files) == len(node.ledger.instances) == 2
    stored = [event for event in events if event["event"] == "instance_stored"]
    assert [(event["recorded"], event["log_level"]) for event in stored] == [
        ("new", "info"),
        ("conflicting", "warning"),
    ]


def test_an_own_object_is_answered_success_and_dropped(node: Node) -> None:
    capture = instance(1, uid.SecondaryCaptureImageStorage)
    write_own(node.archive, node.ledger, capture)
    in_outbox = node.files
    assert node.deliver(capture) is StoreStatus.SUCCESS
    assert (node.files, node.ledger.instances, node.refused) == (in_outbox, {}, [])


def test_an_own_object_that_a_peer_encoded_anew_is_still_the_same(node: Node) -> None:
    capture = instance(1, uid.SecondaryCaptureImageStorage)
    write_own(node.archive, node.ledger, capture)
    path = spooled(node.archive.spool, encoded(capture, implicit=True))
    delivery = node.delivery(capture, path, transfer_syntax=uid.ImplicitVRLittleEndian)
    assert node.store(delivery) is StoreStatus.SUCCESS
    assert node.ledger.instances == {}


def test_an_own_object_that_comes_back_altered_is_stored_as_not_analysed(node: Node) -> None:
    capture = instance(1, uid.SecondaryCaptureImageStorage)
    write_own(node.archive, node.ledger, capture)
    capture.PatientID = "P2"
    assert node.deliver(capture) is StoreStatus.SUCCESS
    (stored,) = node.ledger.instances.values()
    assert (stored.disposition, stored.is_altered) == (Disposition.NOT_ANALYSED, True)


def test_an_own_object_whose_outbox_file_is_gone_is_stored(node: Node) -> None:
    capture = instance(1, uid.SecondaryCaptureImageStorage)
    write_own(node.archive, node.ledger, capture)
    node.files[0].unlink()
    assert node.deliver(capture) is StoreStatus.SUCCESS
    assert len(node.ledger.instances) == 1


@pytest.mark.parametrize(
    "sop_class", [uid.SecondaryCaptureImageStorage, uid.EncapsulatedPDFStorage]
)
def test_what_others_send_beside_the_images_is_stored_before_success(
    node: Node, sop_class: str
) -> None:
    assert node.deliver(instance(1, sop_class)) is StoreStatus.SUCCESS
    (stored,) = node.ledger.instances.values()
    assert (stored.disposition, stored.is_altered) == (Disposition.NOT_ANALYSED, False)
    assert node.files == [node.archive.resolve_path(stored.relative_path)]
    assert node.refused == []


def test_a_class_without_instances_is_refused_and_counted(node: Node) -> None:
    verification = "1.2.840.10008.1.1"
    assert node.deliver(instance(1, verification)) is StoreStatus.SOP_CLASS_NOT_SUPPORTED
    (refusal,) = node.refused
    assert (refusal.reason, refusal.calling_ae_title) == (Reason.SOP_CLASS_REFUSED, "MOD")
    assert refusal.sop_class_uid == verification
    assert (node.files, node.ledger.instances) == ([], {})


def test_a_file_that_was_removed_while_it_came_again_is_not_answered_for(node: Node) -> None:
    class RemovingLedger(MemoryLedger):
        def record_instance(self, instance: StoredInstance, header: Dataset) -> RecordOutcome:
            node.archive.remove(instance.relative_path)
            return super().record_instance(instance, header)

    node.ledger = RemovingLedger()
    assert node.deliver(instance()) is StoreStatus.OUT_OF_RESOURCES


def test_a_rejection_note_is_stored_with_its_title(node: Node) -> None:
    note = document(
        7, uid.KeyObjectSelectionDocumentStorage, ("113001", "DCM", "Rejected for Quality Reasons")
    )
    assert node.deliver(note) is StoreStatus.SUCCESS
    assert node.ledger.headers[0].ConceptNameCodeSequence[0].CodeValue == "113001"


@pytest.mark.parametrize(
    "changes",
    [
        {"sop_class_uid": uid.CTImageStorage},
        {"sop_instance_uid": "1.2.3"},
        {"abstract_syntax": uid.CTImageStorage},
    ],
)
def test_an_instance_other_than_announced_is_a_mismatch(
    node: Node, changes: dict[str, str]
) -> None:
    assert node.deliver(instance(), **changes) is StoreStatus.DATA_SET_MISMATCH
    assert (node.files, node.ledger.instances) == ([], {})


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"])
@pytest.mark.parametrize(
    "value",
    ["../../x", "1.2/3", "", "1." + "1" * 63, "1.2.3\\4.5.6", "1..2", ".1.2", "1.2."],
)
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_a_uid_that_is_none_is_refused_and_becomes_no_path(
    node: Node, keyword: str, value: str
) -> None:
    ds = instance()
    setattr(ds, keyword, value)
    announced = str(ds.SOPInstanceUID)
    assert node.deliver(ds, sop_instance_uid=announced) is StoreStatus.CANNOT_UNDERSTAND
    assert (node.files, node.ledger.instances) == ([], {})
    assert [refusal.reason for refusal in node.refused] == [Reason.DATA_SET_INVALID]


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"])
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_a_uid_with_leading_zeros_is_stored_as_it_came(node: Node, keyword: str) -> None:
    ds = instance()
    setattr(ds, keyword, "1.2.003.0456")
    assert node.deliver(ds) is StoreStatus.SUCCESS
    (stored,) = node.ledger.instances.values()
    uids = (stored.sop_instance_uid, stored.study_uid, stored.series_uid)
    assert "1.2.003.0456" in uids


def test_a_broken_data_set_is_refused_and_leaves_nothing(node: Node) -> None:
    path = spooled(node.archive.spool, encoded(instance())[:-100])
    assert node.store(node.delivery(instance(), path)) is StoreStatus.CANNOT_UNDERSTAND
    assert node.files == []


def test_a_spooled_file_that_vanished_is_a_failure(node: Node) -> None:
    delivery = node.delivery(instance(), node.archive.spool / "gone.dcm")
    assert node.store(delivery) is StoreStatus.OUT_OF_RESOURCES


def test_no_status_says_stored_with_a_warning() -> None:
    assert not [status for status in StoreStatus if 0xB000 <= status < 0xC000]


def test_nothing_of_the_patient_is_logged(
    node: Node, events: list[structlog.typing.EventDict], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    node.deliver(instance())
    node.deliver(instance(1, uid.SecondaryCaptureImageStorage))
    node.deliver(instance(), sop_instance_uid="1.2.3")
    assert len(events) == 3
    assert "Doe" not in f"{events}{caplog.text}"
    assert "P1" not in f"{events}{caplog.text}"
