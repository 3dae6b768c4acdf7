"""The receiver's TLS port: strangers of every kind cost nobody else anything."""

import shutil
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest
from pydicom import uid

from secondread.accept.application_entity import WAITING_CONNECTIONS
from secondread.reasons import Reason
from tests.unit.accept.fakes import Node, eventually, instance, running_node
from tests.worlds.certificates import Authority, KeyPair, make_self_signed

MG = uid.DigitalMammographyXRayImageStorageForPresentation
CLIENT_HELLO_HEAD = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
PLAIN_REQUEST = b"\x01\x00\x00\x00\x00\xcd\x00\x01\x00\x00" + b"SECONDREAD".ljust(16) + bytes(185)

CUT_SECONDS = 3.0
"""After how long a silent caller is cut: an honest one must not need that on a busy machine."""
SOONER = 2.7
"""Who has done within this waited for no silent caller."""

pytestmark = pytest.mark.peer("openssl")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def own(authority: Authority) -> KeyPair:
    return authority.issue("node")


@pytest.fixture(scope="module")
def modality(authority: Authority) -> KeyPair:
    return authority.issue("modality")


@pytest.fixture
def node(tmp_path: Path, own: KeyPair) -> Iterator[Node]:
    """With TLS, and without certificates of peers."""
    with running_node(
        tmp_path, tls=own.files, acse_seconds=CUT_SECONDS, network_seconds=CUT_SECONDS
    ) as node:
        yield node


def as_client(authority: Authority, pair: KeyPair | None = None) -> tuple[ssl.SSLContext, str]:
    """What pynetdicom takes to call over TLS."""
    context = ssl.create_default_context(cafile=str(authority.certificate))
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return context, "127.0.0.1"


def connect(node: Node) -> socket.socket:
    return socket.create_connection(("127.0.0.1", node.port), timeout=10)


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


def get_refusals(node: Node) -> set[Reason]:
    return {refusal.reason for refusal in node.ledger.refusals}


def send_while(node: Node, authority: Authority) -> float:
    """Send an instance over TLS; return how many seconds that took."""
    began = time.monotonic()
    assert node.send(instance(), tls=as_client(authority)) == [0x0000]
    return time.monotonic() - began


@pytest.mark.parametrize(
    "first",
    [b"", CLIENT_HELLO_HEAD, CLIENT_HELLO_HEAD[:3]],
    ids=["silent", "half a handshake", "half a record"],
)
def test_who_does_not_finish_a_handshake_is_cut_and_blocks_nobody(
    node: Node, authority: Authority, first: bytes
) -> None:
    with closing(connect(node)) as stranger:
        stranger.sendall(first)
        assert send_while(node, authority) < SOONER
        assert is_cut(stranger)
    assert eventually(lambda: get_refusals(node) == {Reason.TLS_FAILED})


def test_a_handshake_byte_by_byte_has_the_time_of_one(node: Node, authority: Authority) -> None:
    began = time.monotonic()
    with closing(connect(node)) as slow, suppress(OSError):
        slow.sendall(CLIENT_HELLO_HEAD)
        while time.monotonic() - began < 15:
            slow.sendall(b"\x00")
            time.sleep(0.05)
    assert time.monotonic() - began < 12
    assert send_while(node, authority) < SOONER


def test_a_crowd_of_half_handshakes_displaces_itself_and_keeps_nobody_out(
    node: Node, authority: Authority
) -> None:
    with ExitStack() as stack:
        for _ in range(3 * WAITING_CONNECTIONS):
            stranger = stack.enter_context(closing(connect(node)))
            stranger.sendall(CLIENT_HELLO_HEAD)
        assert send_while(node, authority) < 3 * CUT_SECONDS


def test_who_finishes_a_handshake_and_says_nothing_is_cut(node: Node, authority: Authority) -> None:
    context, name = as_client(authority)
    with context.wrap_socket(connect(node), server_hostname=name) as silent:
        assert send_while(node, authority) < SOONER
        assert is_cut(silent)


def test_an_association_that_falls_silent_over_tls_is_cut(node: Node, authority: Authority) -> None:
    association = node.call(MG, tls=as_client(authority))
    assert association.is_established
    assert eventually(lambda: not node.receiver.list_open_associations())


@pytest.mark.parametrize(
    "greeting",
    [PLAIN_REQUEST, b"GET / HTTP/1.1\r\n\r\n", b"SSH-2.0-x\r\n", bytes(range(256)) * 40],
    ids=["plain DICOM", "HTTP", "SSH", "garbage"],
)
def test_who_speaks_no_tls_is_refused_at_once_and_counted(
    node: Node, authority: Authority, greeting: bytes
) -> None:
    began = time.monotonic()
    with closing(connect(node)) as stranger:
        stranger.sendall(greeting)
        assert is_cut(stranger)
    assert time.monotonic() - began < SOONER
    assert eventually(lambda: get_refusals(node) == {Reason.TLS_FAILED})
    assert send_while(node, authority) < SOONER


@pytest.mark.parametrize("reset", [False, True])
def test_who_only_looks_whether_the_port_is_open_is_not_counted(
    node: Node, authority: Authority, *, reset: bool
) -> None:
    for _ in range(50):
        with closing(connect(node)) as stranger:
            if reset:
                linger = struct.pack("ii", 1, 0)
                stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    assert send_while(node, authority) < SOONER
    time.sleep(0.1)
    assert get_refusals(node) == set()


def test_garbage_inside_of_tls_is_refused_as_it_is_on_a_plain_port(
    node: Node, authority: Authority
) -> None:
    context, name = as_client(authority)
    with context.wrap_socket(connect(node), server_hostname=name) as stranger:
        stranger.sendall(bytes(range(256)) * 40)
        assert is_cut(stranger)
    assert eventually(lambda: get_refusals(node) == {Reason.REQUEST_INVALID})


def test_records_broken_in_the_middle_of_an_association_end_it_alone(
    node: Node, authority: Authority
) -> None:
    association = node.call(MG, tls=as_client(authority))
    assert association.is_established
    socket.socket.send(node.sockets[-1], b"\x17\x03\x03\x00\x20" + bytes(32))
    assert eventually(lambda: not node.receiver.list_open_associations())
    assert send_while(node, authority) < SOONER


def test_only_peers_with_a_certificate_get_in_where_one_is_asked_for(
    tmp_path: Path, authority: Authority, own: KeyPair, modality: KeyPair
) -> None:
    stranger = make_self_signed(tmp_path, "stranger", "stranger")
    tls = own.files | {"trusted": str(authority.certificate)}
    with running_node(tmp_path / "archive", tls=tls) as node:
        assert not node.call(MG, tls=as_client(authority)).is_established
        assert not node.call(MG, tls=as_client(authority, stranger)).is_established
        assert node.send(instance(), tls=as_client(authority, modality)) == [0x0000]
        assert eventually(lambda: get_refusals(node) == {Reason.TLS_FAILED})


def copy_pair(source: KeyPair, folder: Path) -> KeyPair:
    pair = KeyPair(folder / "own.pem", folder / "own.key")
    shutil.copy(source.certificate, pair.certificate)
    shutil.copy(source.key, pair.key)
    return pair


def read_certificate(node: Node, authority: Authority) -> object:
    context, name = as_client(authority)
    with context.wrap_socket(connect(node), server_hostname=name) as called:
        return called.getpeercert(binary_form=True)


def test_new_handshakes_use_new_files_and_open_associations_go_on(
    tmp_path: Path, authority: Authority, own: KeyPair, modality: KeyPair
) -> None:
    pair = copy_pair(own, tmp_path)
    with running_node(tmp_path / "archive", tls=pair.files) as node:
        assert node.receiver.tls is not None
        before = read_certificate(node, authority)
        association = node.call(MG, tls=as_client(authority))
        copy_pair(modality, tmp_path)
        assert node.receiver.tls.refresh()
        assert read_certificate(node, authority) != before
        assert association.send_c_store(instance()).Status == 0x0000
        association.release()


def dcmtk_options(pair: KeyPair, authority: Authority) -> list[str]:
    trusted = ["+cf", str(authority.certificate)]
    return ["+tls", str(pair.key), str(pair.certificate), *trusted]


@pytest.mark.peer("storescu", "echoscu")
@pytest.mark.parametrize("profile", ["+py", "+px", "+pz"])
def test_dcmtk_delivers_over_mutual_tls(
    tmp_path: Path, authority: Authority, own: KeyPair, modality: KeyPair, profile: str
) -> None:
    ds = instance()
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.save_as(tmp_path / "sent.dcm", enforce_file_format=True)
    tls = own.files | {"trusted": str(authority.certificate)}
    with running_node(tmp_path / "archive", tls=tls) as node:
        called = ["-aet", "MOD", "-aec", "SECONDREAD", "127.0.0.1", str(node.port)]
        options = [*dcmtk_options(modality, authority), profile]
        for command in (
            ["echoscu", *options, *called],
            ["storescu", "-xe", *options, *called, str(tmp_path / "sent.dcm")],
        ):
            subprocess.run(command, check=True, timeout=30)
        assert len(node.ledger.instances) == 1
