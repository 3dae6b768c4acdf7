"""What one caller may use up of a receiver: places, requests at a time, descriptors, processor."""

import os
import resource
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from secondread.accept.archive import Archive
from secondread.accept.ledger import PeerAssociation, RecordOutcome, RefusalKind, StoredInstance
from secondread.errors import StorageFullError
from secondread.reasons import Reason
from tests.integration.test_accept_hostile import pdu, store_request
from tests.peers.raw_requests import (
    EXPLICIT,
    context,
    item,
    open_raw,
    read_pdu,
    request,
    user_information,
)
from tests.unit.accept.fakes import (
    MemoryLedger,
    Node,
    encoded,
    eventually,
    instance,
    running_node,
)

MG = uid.DigitalMammographyXRayImageStorageForPresentation
MG_CONTEXT = context(1, MG, (EXPLICIT,))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with running_node(tmp_path, acse_seconds=10, network_seconds=30) as node:
        yield node


def answer_to(node: Node, data: bytes) -> tuple[int, bytes]:
    """The PDU that answers the first bytes of a connection."""
    with closing(socket.create_connection(("127.0.0.1", node.port), timeout=10)) as connection:
        connection.sendall(data)
        return read_pdu(connection)


def store_message(number: int) -> bytes:
    """A whole C-STORE request over context 1, as P-DATA PDUs."""
    ds = instance(number)
    return pdu(1, store_request(ds), command=True, last=True) + pdu(
        1, encoded(ds), command=False, last=True
    )


def test_a_giant_request_is_aborted_by_its_first_bytes(node: Node) -> None:
    contexts = [context(number % 128 * 2 + 1) for number in range(40_000)]
    giant = request(*contexts, user_information())
    assert len(giant) > 1_500_000
    started = time.process_time()
    kind, answer = answer_to(node, giant[:200_000])
    assert (kind, answer[2:]) == (7, b"\x02\x02")
    assert time.process_time() - started < 0.3
    assert eventually(lambda: bool(node.ledger.refusals))
    assert node.ledger.refusals[0].reason is Reason.REQUEST_INVALID


def test_a_stranger_is_rejected_before_the_rest_of_its_request_has_come(node: Node) -> None:
    head = request(context(), *[item(0x77, b"")] * 5000, calling="EVIL")[:74]
    assert answer_to(node, head) == (3, bytes([0, 1, 1, 3]))


def test_a_request_of_another_version_of_the_protocol_is_rejected(node: Node) -> None:
    assert answer_to(node, request(context(), version=2)) == (3, bytes([0, 1, 2, 2]))


def test_too_many_items_end_the_request_of_a_peer_and_free_its_place(node: Node) -> None:
    kind, _ = answer_to(node, request(context(), *[item(0x77, b"")] * 4096))
    assert kind == 7
    assert node.send(instance()) == [0x0000]
    assert eventually(lambda: not node.receiver.list_open_associations())
    assert eventually(lambda: bool(node.ledger.refusals))
    (refusal,) = node.ledger.refusals
    assert (refusal.kind, refusal.reason) == (RefusalKind.ASSOCIATION, Reason.REQUEST_INVALID)
    assert refusal.calling_ae_title == "MOD"


def test_requests_that_do_not_wait_for_answers_have_one_file_in_the_spool(tmp_path: Path) -> None:
    spooled: list[int] = []

    class WatchingLedger(MemoryLedger):
        def record_instance(self, instance: StoredInstance, header: Dataset) -> RecordOutcome:
            spooled.append(len(list((tmp_path / "spool").iterdir())))
            return super().record_instance(instance, header)

    with running_node(tmp_path, WatchingLedger()) as node:
        with closing(open_raw(node.port, "MOD", MG_CONTEXT)) as connection:
            connection.sendall(b"".join(store_message(number) for number in range(20)))
            kinds = [read_pdu(connection)[0] for _ in range(20)]
        assert kinds == [4] * 20
        assert len(node.ledger.instances) == 20
    # Each was moved to the archive before it was recorded, and the next had not been read.
    assert spooled == [0] * 20


def test_a_request_that_cannot_be_stored_leaves_nothing_in_the_spool(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    ledger.error = StorageFullError("full")
    with running_node(tmp_path, ledger) as node:
        ledger.error = RuntimeError("a bug")
        association = node.call(MG)
        statuses = [association.send_c_store(instance(n)).get("Status", -1) for n in range(3)]
        assert 0x0000 not in statuses
        assert list(node.archive.spool.iterdir()) == []


def test_a_peer_that_takes_what_it_can_leaves_the_other_its_places(tmp_path: Path) -> None:
    with (
        running_node(tmp_path, maximum_associations=6, unknown_peers="accept") as node,
        ExitStack() as stack,
    ):

        def take_all(calling: str) -> int:
            taken = 0
            while True:
                try:
                    stack.enter_context(closing(open_raw(node.port, calling)))
                except ConnectionRefusedError:
                    return taken
                taken += 1

        assert 0 < take_all("STRANGER") < 6
        assert take_all("MOD") == 1


def test_idle_associations_take_next_to_nothing_of_the_processor(node: Node) -> None:
    with ExitStack() as stack:
        for _ in range(64):
            stack.enter_context(closing(open_raw(node.port)))
        assert threading.active_count() < 64 + 16  # one each, and the test's own
        started = time.process_time()
        time.sleep(1.0)
        # Threads that look for work every millisecond, as pynetdicom's, take all of it.
        assert time.process_time() - started < 0.15


def test_associations_with_descriptors_beyond_1023_are_served(node: Node) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 1200 and hard < 1200:
        pytest.skip("this machine allows fewer descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    try:
        with ExitStack() as stack:
            while stack.enter_context(Path(os.devnull).open()).fileno() < 1030:
                pass
            with closing(open_raw(node.port, "MOD", MG_CONTEXT)) as connection:
                connection.sendall(store_message(1))
                assert read_pdu(connection)[0] == 4
                connection.sendall(struct.pack(">BBII", 5, 0, 4, 0))
                assert read_pdu(connection)[0] == 6
        assert len(node.ledger.instances) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_files_of_an_earlier_life_of_this_receiver_are_gone_when_it_listens(
    tmp_path: Path,
) -> None:
    archive = Archive(tmp_path)
    archive.create()
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    own = archive.spool / f"receive-{socket.gethostname()}-{port}-x.dcm"
    others = archive.spool / f"receive-{socket.gethostname()}-{port + 1}-x.dcm"
    for path in (own, others):
        path.write_bytes(b"half an instance")
    with running_node(tmp_path, port=port):
        assert not own.exists()
        assert others.exists()


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack(">BBI", 1, 0, 100_000) + bytes(100_000),
        struct.pack(">BBI", 2, 0, 4) + bytes(4),
        struct.pack(">BBI", 4, 0, 132_200),
        struct.pack(">BBI", 4, 0, 6) + struct.pack(">IBB", 1, 1, 0),
        struct.pack(">BBI", 4, 0, 6 * 5000) + struct.pack(">IBB", 2, 1, 1) * 5000,
        struct.pack(">BBI", 9, 0, 4) + bytes(4),
        pdu(1, bytes(40_000), command=True, last=False) * 2,
    ],
    ids=[
        "second-request",
        "acceptance",
        "longer-than-offered",
        "empty-item",
        "dust",
        "unknown",
        "long-command",
    ],
)
def test_what_is_out_of_place_in_an_association_is_aborted(node: Node, sent: bytes) -> None:
    with closing(open_raw(node.port)) as connection:
        connection.sendall(sent)
        assert read_pdu(connection)[0] == 7
    assert eventually(lambda: not node.receiver.list_open_associations())


def test_what_the_database_takes_is_no_silence_of_the_peer(tmp_path: Path) -> None:
    class SlowLedger(MemoryLedger):
        def record_association_start(self, association: PeerAssociation) -> None:
            time.sleep(1.3)
            super().record_association_start(association)

    with (
        running_node(tmp_path, SlowLedger(), network_seconds=1.0) as node,
        closing(open_raw(node.port, "MOD", MG_CONTEXT)) as connection,
    ):
        connection.sendall(store_message(1))
        assert read_pdu(connection)[0] == 4


def test_a_cancel_of_nothing_costs_nothing(node: Node) -> None:
    command = Dataset()
    command.CommandGroupLength = 0
    command.CommandField = 0x0FFF
    command.MessageIDBeingRespondedTo = 1
    command.CommandDataSetType = 0x0101
    cancel = pdu(1, encoded(command, implicit=True), command=True, last=True)
    with closing(open_raw(node.port, "MOD", MG_CONTEXT)) as connection:
        connection.sendall(cancel * 20 + store_message(1))
        assert read_pdu(connection)[0] == 4
    assert len(node.ledger.instances) == 1


def test_stopping_aborts_idle_associations_at_once(node: Node) -> None:
    with closing(open_raw(node.port)) as connection:
        stopper = threading.Thread(target=node.receiver.stop, args=(60.0,))
        started = time.monotonic()
        stopper.start()
        assert read_pdu(connection)[0] == 7
        stopper.join(60)
        assert time.monotonic() - started < 20
