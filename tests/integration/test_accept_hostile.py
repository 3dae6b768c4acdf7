import hashlib
import io
import os
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pynetdicom.dimse_primitives import C_STORE

from secondread.accept.archive import Archive
from secondread.accept.ledger import RefusalKind
from secondread.reasons import Reason
from tests.unit.accept.fakes import Node, encoded, eventually, instance, running_node
from tests.worlds.certificates import Authority

MG = uid.DigitalMammographyXRayImageStorageForPresentation

# Short enough to wait for, and long enough for an honest caller on a busy machine.
ACSE_SECONDS, NETWORK_SECONDS = 1.0, 1.5


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(params=["plain", pytest.param("tls", marks=pytest.mark.peer("openssl"))])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    """A node that is called over TCP alone, and one that is called over TLS."""
    if request.param == "plain":
        with running_node(
            tmp_path, acse_seconds=ACSE_SECONDS, network_seconds=NETWORK_SECONDS
        ) as node:
            yield node
        return
    authority: Authority = request.getfixturevalue("authority")
    tls = authority.issue("node").files
    with running_node(
        tmp_path, acse_seconds=ACSE_SECONDS, network_seconds=NETWORK_SECONDS, tls=tls
    ) as node:
        context = ssl.create_default_context(cafile=str(authority.certificate))
        node.tls = (context, "127.0.0.1")
        yield node


@pytest.fixture
def connect(node: Node) -> Iterator[Callable[[], socket.socket]]:
    """Opens connections, with the node's TLS if it has that."""
    connections: list[socket.socket] = []

    def open_one() -> socket.socket:
        opened = socket.create_connection(("127.0.0.1", node.port), timeout=10)
        if node.tls is not None:
            opened = node.tls[0].wrap_socket(opened, server_hostname=node.tls[1])
        connections.append(opened)
        return opened

    yield open_one
    for connection in connections:
        connection.close()


def is_cut(connection: socket.socket, seconds: float = 15) -> bool:
    """Whether the other side ends the connection in time."""
    connection.settimeout(seconds)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def raw_send(association: object, data: bytes) -> None:
    association.dul.socket.socket.sendall(data)  # type: ignore[attr-defined]  # behind its back


def pdu(context_id: int, fragment: bytes, *, command: bool, last: bool, kind: int = 4) -> bytes:
    """One P-DATA-TF PDU with one fragment (PS3.8 9.3.5)."""
    value = bytes([context_id, command | last << 1]) + fragment
    item = struct.pack(">I", len(value)) + value
    return struct.pack(">BBI", kind, 0, len(item)) + item


def store_request(ds: Dataset, *, sop_instance_uid: str | None = None) -> bytes:
    """The command set of a C-STORE request, Implicit VR."""
    command = Dataset()
    command.CommandGroupLength = 0
    command.AffectedSOPClassUID = ds.SOPClassUID
    command.CommandField = 1
    command.MessageID = 1
    command.Priority = 2
    command.CommandDataSetType = 1
    command.AffectedSOPInstanceUID = sop_instance_uid or ds.SOPInstanceUID
    return encoded(command, implicit=True)


def begin(node: Node, ds: Dataset | None = None) -> tuple[object, int]:
    """Open an association, send a C-STORE command and half of its data set."""
    ds = instance() if ds is None else ds
    association = node.call(MG)
    context = next(cx for cx in association.accepted_contexts if cx.abstract_syntax == MG)
    context_id = context.context_id
    assert context_id is not None
    raw_send(association, pdu(context_id, store_request(ds), command=True, last=True))
    half = encoded(ds)[:3000]
    raw_send(association, pdu(context_id, half, command=False, last=False))
    assert eventually(lambda: len(list(node.archive.spool.iterdir())) == 1)
    return association, context_id


def test_silent_clients_are_cut_and_hold_no_place(
    node: Node, connect: Callable[[], socket.socket]
) -> None:
    silent = [connect() for _ in range(80)]
    assert node.send(instance()) == [0x0000]
    assert all(is_cut(connection) for connection in silent)


def test_a_crowd_of_silent_connections_pushes_out_its_own_and_nobody_who_asks(
    tmp_path: Path,
) -> None:
    with running_node(tmp_path, acse_seconds=60) as node:
        crowd = [socket.create_connection(("127.0.0.1", node.port), timeout=10) for _ in range(100)]
        # Sooner than the minute that the silent ones in the room are given.
        assert is_cut(crowd[0], seconds=20)
        assert node.send(instance()) == [0x0000]
        assert not is_cut(crowd[-1], seconds=0.1)
        for connection in crowd:
            connection.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x01",
        b"\x01\x00\x00\x00\x01\x00" + bytes(100),
        b"\x01\x00\xff\xff\xff\xff" + bytes(100),
        b"\x04\x00\x00\x00\x00\x04" + bytes(4),
        b"GET / HTTP/1.1\r\nHost: node\r\n\r\n",
        bytes(100_000),
    ],
    ids=["byte", "truncated-request", "giant-request", "data-first", "http", "zeros"],
)
def test_broken_first_bytes_cost_only_their_connection(
    node: Node, connect: Callable[[], socket.socket], sent: bytes
) -> None:
    connection = connect()
    connection.sendall(sent)
    assert node.send(instance()) == [0x0000]
    assert is_cut(connection)


def test_a_request_that_drips_is_cut(node: Node, connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    connection.sendall(b"\x01\x00\x00\x00\x01\x00")
    cut_after = time.monotonic() + 15
    while time.monotonic() < cut_after:
        try:
            connection.sendall(b"\x00")
        except OSError:
            break
        time.sleep(0.05)
    assert time.monotonic() < cut_after


def test_a_stall_inside_a_pdu_is_cut_and_its_half_instance_removed(node: Node) -> None:
    association, context_id = begin(node)
    raw_send(association, pdu(context_id, bytes(5000), command=False, last=True)[:100])
    assert eventually(lambda: not node.receiver.list_open_associations())
    assert node.files == []
    assert eventually(lambda: bool(node.ledger.refusals))
    (refusal,) = node.ledger.refusals
    assert (refusal.kind, refusal.reason) == (RefusalKind.ASSOCIATION, Reason.ASSOCIATION_BROKEN)
    assert eventually(lambda: len(node.ledger.closed) == 1)
    assert node.send(instance()) == [0x0000]


def test_a_stall_between_pdus_is_cut_and_its_half_instance_removed(node: Node) -> None:
    begin(node)
    assert eventually(lambda: not node.receiver.list_open_associations())
    assert node.files == []


def test_an_abort_in_the_middle_of_an_instance_leaves_nothing(node: Node) -> None:
    association, _ = begin(node)
    raw_send(association, b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00")
    assert eventually(lambda: not node.receiver.list_open_associations())
    assert (node.files, node.ledger.instances) == ([], {})
    assert eventually(lambda: len(node.ledger.closed) == 1)


def test_a_connection_lost_in_the_middle_of_an_instance_leaves_nothing(node: Node) -> None:
    begin(node)
    node.sockets[0].shutdown(socket.SHUT_RDWR)
    assert eventually(lambda: not node.receiver.list_open_associations())
    assert (node.files, node.ledger.instances) == ([], {})


def test_a_pdu_longer_than_any_is_not_read_into_memory(node: Node) -> None:
    association = node.call(MG)
    raw_send(association, struct.pack(">BBI", 4, 0, 2**32 - 1))
    assert eventually(lambda: not node.receiver.list_open_associations())
    assert node.send(instance()) == [0x0000]


def test_a_command_without_end_is_not_kept_in_memory(node: Node) -> None:
    association = node.call(MG)
    endless = pdu(1, bytes(100_000), command=True, last=False)
    with pytest.raises(OSError, match=r"reset|pipe|descriptor|EOF"):
        raw_send(association, endless * 1000)
    assert eventually(lambda: not node.receiver.list_open_associations())


def test_a_context_that_was_not_accepted_ends_the_association_and_leaves_nothing(
    node: Node,
) -> None:
    association = node.call(MG)
    raw_send(association, pdu(77, store_request(instance()), command=True, last=True))
    assert eventually(lambda: not node.receiver.list_open_associations())
    assert node.files == []
    assert node.send(instance()) == [0x0000]


def fragments(context_id: int, data: bytes) -> Iterator[bytes]:
    """The PDUs of a data set in every lawful shape: single, double, empty, and in one last PDU."""
    yield pdu(context_id, data[:1000], command=False, last=False)
    yield pdu(context_id, b"", command=False, last=False)
    double = [pdu(context_id, part, command=False, last=False) for part in (data[1000:1500], b"x")]
    double[1] = pdu(context_id, data[1500:1501], command=False, last=False)
    items = b"".join(single[6:] for single in double)
    yield struct.pack(">BBI", 4, 0, len(items)) + items
    for start in range(1501, 6000, 300):
        yield pdu(context_id, data[start : min(start + 300, 6000)], command=False, last=False)
    yield pdu(context_id, data[6000:], command=False, last=True)


def test_fragments_of_every_shape_and_pace_make_the_same_instance(node: Node) -> None:
    ds = instance()
    association = node.call(MG)
    context_id = next(
        cx.context_id for cx in association.accepted_contexts if cx.abstract_syntax == MG
    )
    assert context_id is not None
    raw_send(association, pdu(context_id, store_request(ds), command=True, last=True))
    stream = b"".join(fragments(context_id, encoded(ds)))
    for start in range(0, len(stream), 701):
        raw_send(association, stream[start : start + 701])
        time.sleep(0.002)
    assert eventually(lambda: len(node.ledger.instances) == 1)
    (stored,) = node.ledger.instances.values()
    assert stored.sha256 == hashlib.sha256(encoded(ds)).hexdigest()


@pytest.mark.parametrize(
    ("context_id", "kind"), [(77, 4), (None, 3)], ids=["other-context", "other-pdu"]
)
def test_what_does_not_belong_into_a_data_set_never_gets_into_it(
    node: Node, context_id: int | None, kind: int
) -> None:
    ds = instance()
    association, own_id = begin(node, ds)
    rest = encoded(ds)[3000:]
    odd = pdu(context_id or own_id, b"odd", command=False, last=False, kind=kind)
    raw_send(association, odd + pdu(own_id, rest, command=False, last=True))
    assert eventually(
        lambda: not node.receiver.list_open_associations() or bool(node.ledger.refusals)
    )
    assert node.ledger.instances == {}


def test_a_broken_data_set_is_answered_and_the_association_goes_on(node: Node) -> None:
    association = node.call(MG)
    context = next(cx for cx in association.accepted_contexts if cx.abstract_syntax == MG)
    request = C_STORE()
    request.MessageID, request.Priority = 7, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = MG, "1.2.3"
    request.DataSet = io.BytesIO(b"this is not a data set")
    assert context.context_id is not None
    association._reactor_checkpoint.clear()
    association.dimse.send_msg(request, context.context_id)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    assert answer is not None
    assert answer.Status == 0xC000
    assert association.send_c_store(instance()).Status == 0x0000
    association.release()


def test_a_path_in_a_uid_is_answered_with_a_failure_or_an_abort(node: Node, tmp_path: Path) -> None:
    association, context_id = begin(node, instance())
    association.abort()  # type: ignore[attr-defined]
    association = node.call(MG)
    command = store_request(instance(), sop_instance_uid="../../../../tmp/x")
    raw_send(association, pdu(context_id, command, command=True, last=True))
    raw_send(association, pdu(context_id, encoded(instance()), command=False, last=True))
    assert eventually(
        lambda: not node.receiver.list_open_associations() or bool(node.ledger.refusals)
    )
    assert eventually(lambda: node.files == [])
    assert node.ledger.instances == {}


def test_spool_files_of_an_earlier_life_are_swept(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.create()
    stale = archive.spool / "tmpold.dcm"
    stale.write_bytes(b"half an instance")
    long_ago = time.time() - 3600
    os.utime(stale, (long_ago, long_ago))
    with running_node(tmp_path):
        assert eventually(lambda: not stale.exists())
