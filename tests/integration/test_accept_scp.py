import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pynetdicom import StoragePresentationContexts

from secondread.accept.archive import Archive
from secondread.accept.dispositions import Disposition
from secondread.accept.instance_file import hash_data_set
from secondread.accept.ledger import RecordOutcome, RefusalKind, StoredInstance
from secondread.accept.scp import Receiver
from secondread.accept.upper_layer import StreamingDul
from secondread.errors import SettingsError, TransientError
from secondread.metrics import AUDIT_EVENTS_LOST
from secondread.reasons import Reason
from secondread.settings import ReceiveSettings, Settings, TlsSettings
from tests.unit.accept.fakes import (
    STUDY,
    MemoryCommitments,
    MemoryLedger,
    Node,
    eventually,
    instance,
    running_node,
    write_own,
)

MG = uid.DigitalMammographyXRayImageStorageForPresentation
CAPTURE = uid.SecondaryCaptureImageStorage


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with running_node(tmp_path) as node:
        yield node


def test_an_echo_is_answered_and_is_not_worth_a_row(node: Node) -> None:
    association = node.call()
    assert association.send_c_echo().Status == 0x0000
    association.release()
    assert eventually(lambda: not node.receiver.list_open_associations())
    assert (node.ledger.opened, node.ledger.closed) == ([], [])


def test_a_stored_instance_is_a_part_10_file_with_the_pixels_it_was_sent_with(
    node: Node,
) -> None:
    ds = instance()
    assert node.send(ds) == [0x0000]
    (stored,) = node.ledger.instances.values()
    archived = dcmread(node.archive.resolve_path(stored.relative_path))
    assert archived.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
    assert archived.file_meta.TransferSyntaxUID == uid.ExplicitVRLittleEndian
    assert archived.PixelData == ds.PixelData
    assert len(node.files) == 1


def test_a_large_instance_takes_the_short_way_to_the_spool(node: Node) -> None:
    association = node.call(MG)
    assert association.send_c_store(instance(rows=1024, columns=1024)).Status == 0x0000
    (opened,) = node.receiver._associations.list_open()
    dul = opened.association.dul
    assert isinstance(dul, StreamingDul)
    assert dul.fragments_streamed >= 15
    association.release()
    (stored,) = node.ledger.instances.values()
    assert stored.sha256 == hash_data_set(node.archive.resolve_path(stored.relative_path))


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian])
def test_other_encodings_are_kept_as_they_were_sent(node: Node, syntax: str) -> None:
    ds = instance()
    ds.file_meta.TransferSyntaxUID = uid.UID(syntax)
    assert node.send(ds, syntaxes=(syntax,)) == [0x0000]
    (stored,) = node.ledger.instances.values()
    assert stored.transfer_syntax == syntax
    assert node.ledger.headers[0].Rows == 64
    archived = dcmread(node.archive.resolve_path(stored.relative_path))
    assert (archived.file_meta.TransferSyntaxUID, archived.PixelData) == (syntax, ds.PixelData)


def test_the_ledger_knows_which_association_delivered_and_when_it_ended(node: Node) -> None:
    association = node.call(MG)
    # The requestor knows of its acceptance a moment before the ledger does.
    assert eventually(lambda: len(node.ledger.opened) == 1)
    (opened,) = node.ledger.opened
    assert (opened.calling_ae_title, opened.address) == ("MOD", "127.0.0.1")
    assert node.receiver.list_open_associations() == (opened,)
    association.send_c_store(instance())
    (stored,) = node.ledger.instances.values()
    assert stored.association == opened
    assert node.ledger.closed == []
    association.release()
    assert eventually(lambda: node.ledger.closed == [opened.association_id])
    assert node.receiver.list_open_associations() == ()


def test_success_comes_only_after_the_ledger_committed(tmp_path: Path) -> None:
    committing, go_on = threading.Event(), threading.Event()

    class SlowLedger(MemoryLedger):
        def record_instance(self, instance: StoredInstance, header: Dataset) -> RecordOutcome:
            committing.set()
            assert go_on.wait(10)
            return super().record_instance(instance, header)

    statuses: list[int] = []
    with running_node(tmp_path, SlowLedger()) as node:
        sender = threading.Thread(target=lambda: statuses.extend(node.send(instance())))
        sender.start()
        assert committing.wait(10)
        assert [path.parent.parent.parent.name for path in node.files] == ["instances"]
        time.sleep(0.1)
        assert statuses == []
        go_on.set()
        sender.join(10)
    assert statuses == [0x0000]


def test_a_database_outage_costs_answers_and_nothing_else(node: Node) -> None:
    node.ledger.away = True
    association = node.call(MG)
    assert association.send_c_store(instance(1)).Status == 0xA700
    assert association.send_c_echo().Status == 0x0000
    node.ledger.away = False
    assert association.send_c_store(instance(1)).Status == 0x0000
    association.release()
    assert len(node.files) == len(node.ledger.instances) == 1
    assert eventually(lambda: len(node.ledger.closed) == 1)


def test_the_end_of_an_association_is_recorded_later_if_it_could_not_be_at_once(node: Node) -> None:
    node.send(instance())
    association = node.call(MG)
    assert eventually(lambda: len(node.ledger.opened) == 2)
    node.ledger.away = True
    association.release()
    assert eventually(lambda: not node.receiver.list_open_associations())
    node.ledger.away = False
    assert eventually(lambda: len(node.ledger.closed) == 2)


def test_a_nearly_full_disk_is_answered_a700(tmp_path: Path) -> None:
    with running_node(tmp_path, minimum_free_bytes=2**62) as node:
        assert node.send(instance()) == [0xA700]
        assert node.files == []
        assert eventually(lambda: bool(node.ledger.refusals))
        assert node.ledger.refusals[0].reason is Reason.STORAGE_FULL


def test_a_disk_that_fills_up_under_way_is_answered_a700_and_spared(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter([2**40, 2**40, -1])  # at the first two looks there is room, then no more
    monkeypatch.setattr(node.archive, "measure_free_bytes", lambda: next(left, 2**40))
    large = instance(rows=4096, columns=4096)
    assert node.send(large) == [0xA700]
    assert node.files == []
    assert node.send(instance()) == [0x0000]


def test_a_spool_that_cannot_be_written_is_answered_a700_until_it_can(node: Node) -> None:
    away = node.archive.root / "away"
    node.archive.spool.rename(away)
    assert node.send(instance()) == [0xA700]
    away.rename(node.archive.spool)
    assert node.send(instance()) == [0x0000]


class AbsentLedger(MemoryLedger):
    """A ledger that is away when the receiver starts."""

    is_away = True

    def record_receiver_start(self, at: datetime) -> None:
        if self.is_away:
            raise TransientError("the database does not answer")
        super().record_receiver_start(at)


def test_a_receiver_without_its_ledger_answers_a700_until_it_is_there(tmp_path: Path) -> None:
    ledger = AbsentLedger()
    with running_node(tmp_path, ledger) as node:
        assert node.send(instance()) == [0xA700]
        assert not ledger.instances
        ledger.is_away = False
        assert node.send(instance()) == [0x0000]


def test_own_objects_are_dropped_and_captures_of_others_stored(node: Node) -> None:
    own, other = instance(1, CAPTURE), instance(2, CAPTURE)
    write_own(node.archive, node.ledger, own)
    assert node.send(own, other) == [0x0000, 0x0000]
    (stored,) = node.ledger.instances.values()
    assert (stored.sop_instance_uid, stored.disposition) == (
        other.SOPInstanceUID,
        Disposition.NOT_ANALYSED,
    )


@pytest.mark.parametrize(
    ("calling", "called", "reason", "diagnostic"),
    [
        ("EVIL", "SECONDREAD", Reason.CALLING_AE_UNKNOWN, 3),
        ("FAR", "SECONDREAD", Reason.ADDRESS_UNEXPECTED, 3),
        ("MOD", "OTHER", Reason.CALLED_AE_UNKNOWN, 7),
    ],
)
def test_strangers_are_rejected_with_the_reason_and_counted(
    node: Node, calling: str, called: str, reason: Reason, diagnostic: int
) -> None:
    association = node.call(MG, calling=calling, called=called)
    assert association.is_rejected
    answer = association.acceptor.primitive
    assert answer is not None
    assert (answer.result, answer.result_source, answer.diagnostic) == (1, 1, diagnostic)
    assert eventually(lambda: bool(node.ledger.refusals))
    (refusal,) = node.ledger.refusals
    assert (refusal.kind, refusal.reason) == (RefusalKind.ASSOCIATION, reason)
    assert (refusal.calling_ae_title, refusal.called_ae_title) == (calling, called)
    assert refusal.address == "127.0.0.1"
    assert node.ledger.opened == []


def test_associations_beyond_the_limit_are_rejected_as_transient(tmp_path: Path) -> None:
    with running_node(tmp_path, maximum_associations=1) as node:
        first = node.call(MG)
        second = node.call(MG)
        assert second.is_rejected
        answer = second.acceptor.primitive
        assert answer is not None
        assert (answer.result, answer.result_source, answer.diagnostic) == (2, 3, 2)
        assert first.send_c_store(instance()).Status == 0x0000
        first.release()
        assert eventually(lambda: not node.receiver.list_open_associations())
        assert node.send(instance()) == [0x0000]


def test_refused_contexts_are_counted_by_class_and_syntax(node: Node) -> None:
    node.call(uid.CTImageStorage).release()
    node.call(MG, syntaxes=(uid.ExplicitVRBigEndian,)).release()
    assert eventually(lambda: len(node.ledger.refusals) == 2)
    found = {
        (refusal.reason, refusal.sop_class_uid, refusal.transfer_syntax)
        for refusal in node.ledger.refusals
        if refusal.kind is RefusalKind.CONTEXT
    }
    assert (Reason.SOP_CLASS_REFUSED, uid.CTImageStorage, "") in found
    assert (Reason.TRANSFER_SYNTAX_REFUSED, MG, uid.ExplicitVRBigEndian) in found


def test_classes_that_a_peer_only_proposes_are_no_refusals(node: Node) -> None:
    others = [str(context.abstract_syntax) for context in StoragePresentationContexts][:100]
    everything = [MG, *(other for other in others if other != MG)]
    association = node.call(*everything)
    assert association.send_c_store(instance()).Status == 0x0000
    association.release()
    node.call(uid.CTImageStorage, *everything).release()  # as Orthanc does that has a CT to send
    assert eventually(lambda: len(node.ledger.refusals) == 1)
    assert [refusal.sop_class_uid for refusal in node.ledger.refusals] == [uid.CTImageStorage]


def test_two_associations_deliver_at_the_same_time(node: Node) -> None:
    statuses: list[int] = []

    def deliver(first: int) -> None:
        numbers = range(first, first + 10)
        statuses.extend(node.send(*(instance(number) for number in numbers)))

    senders = [threading.Thread(target=deliver, args=(first,)) for first in (100, 200)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(30)
    assert statuses == [0x0000] * 20
    assert len(node.files) == len(node.ledger.instances) == 20


def test_stopping_lets_a_running_request_finish_and_ends_idle_associations(
    tmp_path: Path,
) -> None:
    committing, go_on = threading.Event(), threading.Event()

    class SlowLedger(MemoryLedger):
        def record_instance(self, instance: StoredInstance, header: Dataset) -> RecordOutcome:
            committing.set()
            assert go_on.wait(10)
            return super().record_instance(instance, header)

    with running_node(tmp_path, SlowLedger()) as node:
        idle = node.call(MG)
        statuses: list[int] = []

        def send() -> None:
            # Not with `node.send`: the receiver may end the association before it is released.
            statuses.append(node.call(MG).send_c_store(instance()).Status)

        sender = threading.Thread(target=send)
        sender.start()
        assert committing.wait(10)
        stopper = threading.Thread(target=node.receiver.stop, args=(10.0,))
        stopper.start()
        assert eventually(lambda: not idle.is_established)
        go_on.set()
        sender.join(10)
        stopper.join(10)
        assert not stopper.is_alive()
    assert statuses == [0x0000]
    assert len(node.ledger.closed) == len(node.ledger.opened) == 2


def test_stopping_does_not_wait_longer_than_its_grace(tmp_path: Path) -> None:
    go_on, committing = threading.Event(), threading.Event()

    class StuckLedger(MemoryLedger):
        def record_instance(self, instance: StoredInstance, header: Dataset) -> RecordOutcome:
            committing.set()
            go_on.wait(20)
            raise TransientError("at last")

    with running_node(tmp_path, StuckLedger()) as node:
        sender = threading.Thread(target=node.send, args=(instance(),))
        sender.start()
        assert committing.wait(10)
        started = time.monotonic()
        node.receiver.stop(grace_seconds=0.2)
        assert time.monotonic() - started < 5
        go_on.set()
        sender.join(10)


def test_a_missing_certificate_is_a_fault_in_the_settings(tmp_path: Path) -> None:
    tls = TlsSettings(certificate=tmp_path / "none.pem", key=tmp_path / "none.key")
    settings = Settings(receive=ReceiveSettings(tls=tls))
    with pytest.raises(SettingsError, match=r"receive\.tls"):
        Receiver(settings, Archive(tmp_path), MemoryLedger(), MemoryCommitments())


@pytest.mark.parametrize(("calling", "believed"), [("VNA", True), ("MOD", False)])
def test_a_move_of_this_node_is_believed_from_the_archive_that_is_asked_alone(
    node: Node, calling: str, *, believed: bool
) -> None:
    association = node.call(MG, calling=calling)
    for number in (1, 2):
        answer = association.send_c_store(
            instance(number), originator_aet="SECONDREAD", originator_id=1
        )
        assert answer.Status == 0x0000
    association.release()
    assert [stored.was_requested for stored in node.ledger.instances.values()] == [believed] * 2


def test_what_an_association_brought_is_counted_when_it_ends(tmp_path: Path) -> None:
    with running_node(tmp_path) as node:
        broken = instance(3)
        del broken.StudyInstanceUID
        other = instance(1)
        other.StudyInstanceUID = f"{STUDY}.9"
        other.SOPInstanceUID = f"{STUDY}.9.1"
        assert node.send(instance(1), instance(2), instance(1), other) == [0, 0, 0, 0]
        assert node.send(instance(1), broken) == [0, 0xC000]
        assert eventually(lambda: len(node.ledger.transfers) == 4)
        first, second, repeated, failed = node.ledger.transfers
    assert (first.study_uid, sum(first.instances.values()), first.action) == (STUDY, 3, "C")
    assert (second.study_uid, sum(second.instances.values())) == (f"{STUDY}.9", 1)
    assert (repeated.study_uid, repeated.action, repeated.reasons) == (STUDY, "R", ())
    assert (failed.study_uid, failed.reasons) == ("", ("data-set-invalid",))
    assert first.association.calling_ae_title == "MOD"


def test_a_ledger_that_is_away_bounds_what_waits_for_it_and_the_rest_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secondread.accept.housekeeping.MOST_TRANSFERS", 2)
    lost = count_lost()
    with running_node(tmp_path) as node:
        node.ledger.away = True
        for _ in range(3):
            assert node.send(instance()) == [0xA700]
        node.ledger.away = False
        assert eventually(lambda: len(node.ledger.transfers) == 2)
    assert count_lost() == lost + 1
    assert node.ledger.transfers[0].reasons == ("the database was away",)


def count_lost() -> float:
    (family,) = AUDIT_EVENTS_LOST.collect()
    return next(sample.value for sample in family.samples if sample.name.endswith("_total"))
