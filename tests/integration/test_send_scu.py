"""C-STORE and C-ECHO as SCU, against peers that do what real ones do on bad days."""

import hashlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.events import Event, EventHandlerType

from secondread.send.outbox import AnswerKind, OutboxObject, PeerAddress
from secondread.send.scu import check_storage_support, send_echo, store_objects
from secondread.settings import CallTlsSettings
from tests.peers.ports import free_port

CAD_SR = "1.2.840.10008.5.1.4.1.1.88.50"
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
CALLING = "SECONDREAD"


def outbox_object(folder: Path, number: int, sop_class: str = CAPTURE) -> OutboxObject:
    ds = Dataset()
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = f"1.2.826.0.1.3680043.10.99.{number}"
    ds.StudyInstanceUID = "1.2.826.0.1.3680043.10.99"
    ds.PatientID = "X"
    ds.TextValue = "y" * 40_001  # odd, and several PDUs long
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    path = folder / f"{number}.dcm"
    ds.save_as(path, enforce_file_format=True)
    return OutboxObject(
        sop_class, str(ds.SOPInstanceUID), path, hashlib.sha256(path.read_bytes()).hexdigest()
    )


def data_set_bytes(path: Path) -> bytes:
    """The file without preamble and file meta information."""
    content = path.read_bytes()
    assert content[128:132] == b"DICM"
    length = read_file_meta_info(path).FileMetaInformationGroupLength
    return content[132 + 12 + length :]


@dataclass
class Peer:
    """A loopback SCP whose answers a test chooses."""

    port: int = 0
    statuses: list[int] = field(default_factory=list)
    """Answers in turn; Success after the last."""
    comment: str = ""
    on_store: Callable[[Event], object] = lambda event: None
    received: list[bytes] = field(default_factory=list)
    asked: list[list[tuple[str, list[str]]]] = field(default_factory=list)
    """SOP class and transfer syntaxes of each context, for each association."""

    def requested(self, event: Event) -> None:
        contexts = event.assoc.requestor.requested_contexts
        self.asked.append([(str(c.abstract_syntax), list(c.transfer_syntax)) for c in contexts])

    def store(self, event: Event) -> Dataset:
        self.received.append(event.encoded_dataset(include_meta=False))
        self.on_store(event)
        answer = Dataset()
        answer.Status = self.statuses.pop(0) if self.statuses else 0x0000
        answer.ErrorComment = self.comment
        return answer

    @property
    def address(self) -> PeerAddress:
        return PeerAddress("PACS", "127.0.0.1", self.port, timeout_seconds=60.0)


@contextmanager
def serving(
    peer: Peer,
    classes: tuple[str, ...] = (CAD_SR, CAPTURE, "1.2.840.10008.1.1"),
    syntaxes: tuple[str, ...] = (str(ExplicitVRLittleEndian),),
    callers: list[str] | None = None,
    tls: ssl.SSLContext | None = None,
    handlers: list[EventHandlerType] | None = None,
    syntaxes_of: dict[str, str] | None = None,
) -> Iterator[Peer]:
    entity = AE(ae_title="PACS")
    for sop_class in classes:
        only = (syntaxes_of or {}).get(sop_class)
        entity.add_supported_context(sop_class, list(syntaxes) if only is None else only)
    entity.require_called_aet = True
    entity.require_calling_aet = callers or []
    server = entity.start_server(
        ("127.0.0.1", 0),
        block=False,
        ssl_context=tls,
        evt_handlers=handlers
        or [(evt.EVT_C_STORE, peer.store), (evt.EVT_REQUESTED, peer.requested)],
    )
    assert server is not None
    assert server.socket is not None
    peer.port = server.socket.getsockname()[1]
    try:
        yield peer
    finally:
        server.shutdown()


@pytest.fixture(scope="module")
def server() -> Iterator[Peer]:
    with serving(Peer()) as peer:
        yield peer


@pytest.fixture
def peer(server: Peer) -> Peer:
    """The module's server with nothing in its memory and Success for all."""
    server.__dict__.update(Peer(port=server.port).__dict__)
    return server


@pytest.fixture
def objects(tmp_path: Path) -> list[OutboxObject]:
    return [outbox_object(tmp_path, 1, CAD_SR), *(outbox_object(tmp_path, n) for n in (2, 3))]


def test_the_data_set_arrives_byte_for_byte(objects: list[OutboxObject], peer: Peer) -> None:
    answers = store_objects(peer.address, CALLING, objects)
    assert [answer.kind for answer in answers] == [AnswerKind.STORED] * 3
    assert [answer.sop_instance_uid for answer in answers] == [o.sop_instance_uid for o in objects]
    assert peer.received == [data_set_bytes(item.path) for item in objects]


def test_a_study_uses_one_association_with_two_contexts_for_each_class_in_it(
    objects: list[OutboxObject], peer: Peer
) -> None:
    store_objects(peer.address, CALLING, objects)
    syntaxes = [[str(ExplicitVRLittleEndian)], [str(ImplicitVRLittleEndian)]]
    assert peer.asked == [[(uid, syntax) for uid in (CAD_SR, CAPTURE) for syntax in syntaxes]]


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007])
def test_a_warning_counts_as_stored(objects: list[OutboxObject], peer: Peer, status: int) -> None:
    peer.statuses = [status]
    (answer,) = store_objects(peer.address, CALLING, objects[:1])
    assert answer.is_stored
    assert (answer.kind, answer.status) == (AnswerKind.STORED_WITH_WARNING, status)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0xA700, "out of resources"),
        (0xA900, "does not match"),
        (0xC000, "cannot understand"),
        (0x0124, "not authorised"),
        (0xB123, "a status of its own"),
    ],
)
def test_a_failure_of_one_object_leaves_the_others_alone(
    objects: list[OutboxObject], peer: Peer, status: int, words: str
) -> None:
    peer.statuses = [0x0000, status, 0x0000]
    answers = store_objects(peer.address, CALLING, objects)
    assert [answer.is_stored for answer in answers] == [True, False, True]
    assert (answers[1].kind, answers[1].status) == (AnswerKind.STATUS, status)
    assert f"0x{status:04X}" in answers[1].detail
    assert words in answers[1].detail


def test_the_comment_of_the_peer_is_left_out_because_it_may_quote_the_patient(
    objects: list[OutboxObject], peer: Peer
) -> None:
    peer.statuses, peer.comment = [0xA700], "MUSTER^ERIKA is not known"
    (answer,) = store_objects(peer.address, CALLING, objects[:1])
    assert answer.detail == "the peer did not store it: status 0xA700, out of resources"


def test_a_peer_that_aborts_midway_leaves_the_confirmed_stored_and_the_rest_unsent(
    objects: list[OutboxObject], peer: Peer
) -> None:
    def abort_at_second(event: Event) -> None:
        if len(peer.received) == 2:
            event.assoc.abort()

    peer.on_store = abort_at_second
    answers = store_objects(peer.address, CALLING, objects)
    assert [answer.kind for answer in answers] == [
        AnswerKind.STORED,
        AnswerKind.BROKEN,
        AnswerKind.BROKEN,
    ]
    assert "aborted" in answers[1].detail
    assert answers[2].detail == answers[1].detail
    assert len(peer.received) == 2


def test_a_peer_that_is_slow_to_answer_is_given_up_after_its_timeout(
    objects: list[OutboxObject], peer: Peer
) -> None:
    release = threading.Event()
    peer.on_store = lambda _: release.wait(60)
    began = time.monotonic()
    answers = store_objects(replace(peer.address, timeout_seconds=0.3), CALLING, objects)
    took = time.monotonic() - began
    release.set()
    assert [answer.kind for answer in answers] == [AnswerKind.NO_ANSWER] * 3
    assert took < 30


def test_stopping_between_two_objects_leaves_the_rest_for_later(
    objects: list[OutboxObject], peer: Peer
) -> None:
    answers = store_objects(
        peer.address, CALLING, objects, cancelled=lambda: len(peer.received) == 1
    )
    assert [answer.kind for answer in answers] == [
        AnswerKind.STORED,
        AnswerKind.STOPPED,
        AnswerKind.STOPPED,
    ]


def test_a_refused_context_is_named_and_the_other_class_still_goes(
    objects: list[OutboxObject],
) -> None:
    with serving(Peer(), classes=(CAPTURE,)) as peer:
        answers = store_objects(peer.address, CALLING, objects)
    assert [answer.kind for answer in answers] == [
        AnswerKind.CONTEXT_REFUSED,
        AnswerKind.STORED,
        AnswerKind.STORED,
    ]
    assert answers[0].detail == (
        "the peer does not accept Mammography CAD SR Storage in Explicit VR Little Endian "
        "or Implicit VR Little Endian"
    )


def test_a_peer_that_takes_only_implicit_vr_gets_the_same_values(
    objects: list[OutboxObject],
) -> None:
    with serving(Peer(), syntaxes=(str(ImplicitVRLittleEndian),)) as peer:
        answers = store_objects(peer.address, CALLING, objects)
    assert {answer.kind for answer in answers} == {AnswerKind.STORED}
    for received, item in zip(peer.received, objects, strict=True):
        assert received != data_set_bytes(item.path)
        decoded = pydicom.dcmread(BytesIO(received), force=True)
        assert decoded.original_encoding == (True, True)
        assert decoded == pydicom.dcmread(item.path)


def test_each_class_goes_in_the_syntax_in_which_it_is_accepted(objects: list[OutboxObject]) -> None:
    """A PACS may take reports in one transfer syntax and images in another."""
    syntaxes = {CAD_SR: str(ImplicitVRLittleEndian), CAPTURE: str(ExplicitVRLittleEndian)}
    with serving(Peer(), syntaxes_of=syntaxes) as peer:
        answers = store_objects(peer.address, CALLING, objects)
    assert {answer.kind for answer in answers} == {AnswerKind.STORED}
    assert peer.received[1:] == [data_set_bytes(item.path) for item in objects[1:]]
    assert peer.received[0] != data_set_bytes(objects[0].path)


def test_a_duplicate_counts_as_stored_and_is_named(objects: list[OutboxObject], peer: Peer) -> None:
    peer.statuses = [0x0111]
    (answer,) = store_objects(peer.address, CALLING, objects[:1])
    assert answer.is_stored
    assert (answer.kind, answer.status) == (AnswerKind.DUPLICATE, 0x0111)
    assert "duplicate SOP instance" in answer.detail


RESULTS = {CAD_SR: "cad-sr", CAPTURE: "capture"}


def test_a_peer_that_accepts_all_results_passes_the_check(peer: Peer) -> None:
    found = check_storage_support(peer.address, CALLING, RESULTS, ExplicitVRLittleEndian)
    assert found.ok
    assert found.detail == (
        "accepts Mammography CAD SR Storage and Secondary Capture Image Storage "
        "in Explicit VR Little Endian"
    )
    assert peer.received == []


def test_the_check_names_each_class_with_the_syntax_in_which_it_is_accepted() -> None:
    with serving(Peer(), syntaxes=(str(ImplicitVRLittleEndian),), classes=(CAPTURE,)) as peer:
        found = check_storage_support(peer.address, CALLING, RESULTS, ExplicitVRLittleEndian)
    assert (found.ok, found.kind) == (False, AnswerKind.CONTEXT_REFUSED)
    assert found.detail == (
        "accepts Secondary Capture Image Storage in Implicit VR Little Endian only, and is sent "
        "them converted; does not accept Mammography CAD SR Storage: have it accept them, or take "
        "cad-sr out of the profile's objects"
    )


def test_the_check_of_a_peer_that_accepts_no_class_names_them_all() -> None:
    with serving(Peer(), classes=("1.2.840.10008.5.1.4.1.1.2",)) as peer:
        found = check_storage_support(peer.address, CALLING, RESULTS, ExplicitVRLittleEndian)
    assert not found.ok
    assert "does not accept Mammography CAD SR Storage and Secondary Capture" in found.detail


def test_the_check_of_a_peer_that_is_away_says_so() -> None:
    away = PeerAddress("PACS", "127.0.0.1", free_port())
    found = check_storage_support(away, CALLING, RESULTS, ExplicitVRLittleEndian)
    assert (found.ok, found.kind) == (False, AnswerKind.UNREACHABLE)


def test_a_file_that_is_not_the_recorded_one_is_not_sent(
    objects: list[OutboxObject], peer: Peer
) -> None:
    with objects[1].path.open("r+b") as file:
        file.seek(-10, 2)
        file.write(b"z")
    objects[2].path.unlink()
    answers = store_objects(peer.address, CALLING, objects)
    assert [answer.kind for answer in answers] == [
        AnswerKind.STORED,
        AnswerKind.UNREADABLE,
        AnswerKind.UNREADABLE,
    ]
    assert "SHA-256" in answers[1].detail
    assert len(peer.received) == 1


def test_a_file_without_meta_information_is_unreadable_not_an_error(tmp_path: Path) -> None:
    path = tmp_path / "text.dcm"
    path.write_text("no DICOM here")
    item = OutboxObject(CAPTURE, "1.2.3", path, hashlib.sha256(path.read_bytes()).hexdigest())
    (answer,) = store_objects(PeerAddress("PACS", "127.0.0.1", free_port()), CALLING, [item])
    assert answer.kind is AnswerKind.UNREADABLE


def test_a_peer_that_stops_reading_is_given_up(tmp_path: Path) -> None:
    # The peer takes the association and then never reads again: the send buffers fill.
    (tmp_path / "big").mkdir()
    item = outbox_object(tmp_path, 1)
    big = tmp_path / "big.dcm"
    big.write_bytes(item.path.read_bytes() + b"\0" * 30_000_000)
    item = replace(item, path=big, digest=hashlib.sha256(big.read_bytes()).hexdigest())
    stuck, release = threading.Event(), threading.Event()

    def hold(event: Event) -> None:
        stuck.set()
        release.wait(60)

    handlers: list[EventHandlerType] = [(evt.EVT_DATA_RECV, _after_first(hold))]
    with serving(Peer(), handlers=handlers) as peer:
        began = time.monotonic()
        (answer,) = store_objects(replace(peer.address, timeout_seconds=1.5), CALLING, [item])
        took = time.monotonic() - began
        release.set()
    assert stuck.is_set()
    assert answer.kind is AnswerKind.BROKEN
    assert took < 30


def _after_first(action: Callable[[Event], None]) -> Callable[[Event], None]:
    seen: list[int] = []

    def handler(event: Event) -> None:
        seen.append(1)
        if len(seen) == 3:  # the association request, the command set, then data
            action(event)

    return handler


# Why there is no association, in words.


def test_echo_answers(peer: Peer) -> None:
    answer = send_echo(peer.address, CALLING)
    assert (answer.ok, answer.kind, answer.detail) == (True, None, "answers")


def test_echo_tells_a_refused_connection() -> None:
    answer = send_echo(PeerAddress("PACS", "127.0.0.1", free_port()), CALLING)
    assert answer.kind is AnswerKind.UNREACHABLE
    assert "nothing listens there" in answer.detail


def test_echo_tells_an_unknown_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    answer = send_echo(PeerAddress("PACS", "pacs.invalid", 104), CALLING)
    assert answer.kind is AnswerKind.UNREACHABLE
    assert "pacs.invalid is not known" in answer.detail


def test_echo_tells_that_the_calling_ae_title_is_unknown_there() -> None:
    with serving(Peer(), callers=["OTHER"]) as peer:
        answer = send_echo(peer.address, CALLING)
    assert answer.kind is AnswerKind.REJECTED
    assert "does not know the calling AE title SECONDREAD" in answer.detail


def test_echo_tells_that_the_called_ae_title_is_wrong(peer: Peer) -> None:
    answer = send_echo(replace(peer.address, ae_title="PACSS"), CALLING)
    assert answer.kind is AnswerKind.REJECTED
    assert "it is not called PACSS" in answer.detail


def test_echo_tells_that_verification_is_refused() -> None:
    with serving(Peer(), classes=(CAPTURE,)) as peer:
        answer = send_echo(peer.address, CALLING)
    assert answer.kind is AnswerKind.CONTEXT_REFUSED


@contextmanager
def raw_server(talk: Callable[[socket.socket], object]) -> Iterator[int]:
    """A TCP server that serves one connection at a time with `talk`."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                talk(connection)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def test_echo_tells_a_peer_that_takes_the_connection_and_stays_silent() -> None:
    release = threading.Event()
    with raw_server(lambda _: release.wait(60)) as port:
        answer = send_echo(PeerAddress("PACS", "127.0.0.1", port, timeout_seconds=0.3), CALLING)
        release.set()
    assert answer.kind is AnswerKind.NO_ANSWER
    assert "no answer within 0.3 s" in answer.detail


def test_echo_tells_a_peer_that_hangs_up() -> None:
    with raw_server(lambda connection: connection.recv(10)) as port:
        answer = send_echo(PeerAddress("PACS", "127.0.0.1", port, timeout_seconds=60), CALLING)
    assert answer.kind is AnswerKind.BROKEN
    assert "hung up" in answer.detail


def test_echo_tells_another_protocol() -> None:
    def web(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.recv(1000)

    with raw_server(web) as port:
        answer = send_echo(PeerAddress("PACS", "127.0.0.1", port, timeout_seconds=60), CALLING)
    assert answer.kind is AnswerKind.BROKEN
    assert "does not speak plain DICOM" in answer.detail


def test_a_peer_that_stops_inside_a_pdu_is_given_up() -> None:
    release = threading.Event()

    def half(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"\x02\x00\x00\x00\x00\xf0")  # an accept that never comes whole
        release.wait(60)

    with raw_server(half) as port:
        began = time.monotonic()
        answer = send_echo(PeerAddress("PACS", "127.0.0.1", port, timeout_seconds=0.3), CALLING)
        took = time.monotonic() - began
        release.set()
    assert not answer.ok
    assert took < 30


# TLS.


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> CallTlsSettings:
    """One self-signed certificate for 127.0.0.1, which both sides use and trust."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 2 -keyout key.pem -out cert.pem "
        "-subj /CN=node -addext subjectAltName=IP:127.0.0.1".split(),
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=60,
    )
    return CallTlsSettings(
        certificate=folder / "cert.pem", key=folder / "key.pem", trusted=folder / "cert.pem"
    )


def server_side(tls: CallTlsSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tls.trusted))
    context.load_cert_chain(str(tls.certificate), tls.key)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_objects_travel_over_mutual_tls(
    objects: list[OutboxObject], certificates: CallTlsSettings
) -> None:
    with serving(Peer(), tls=server_side(certificates)) as peer:
        answers = store_objects(replace(peer.address, tls=certificates), CALLING, objects)
    assert all(answer.is_stored for answer in answers)
    assert peer.received == [data_set_bytes(item.path) for item in objects]


def test_a_certificate_that_is_not_trusted_is_told(certificates: CallTlsSettings) -> None:
    stranger = certificates.model_copy(update={"trusted": None})
    with serving(Peer(), tls=server_side(certificates)) as peer:
        answer = send_echo(replace(peer.address, tls=stranger), CALLING)
    assert answer.kind is AnswerKind.TLS
    assert "is not trusted" in answer.detail


def test_a_peer_without_tls_is_told(certificates: CallTlsSettings) -> None:
    with serving(Peer()) as peer:
        answer = send_echo(replace(peer.address, tls=certificates), CALLING)
    assert answer.kind is AnswerKind.TLS


def test_a_certificate_of_this_node_that_is_demanded_and_missing_is_told(
    certificates: CallTlsSettings,
) -> None:
    without = CallTlsSettings(trusted=certificates.trusted)
    with serving(Peer(), tls=server_side(certificates)) as peer:
        answer = send_echo(replace(peer.address, tls=without), CALLING)
    assert answer.kind is AnswerKind.TLS
    assert "demands a certificate of this node" in answer.detail


def test_the_name_in_the_certificate_is_checked_unless_the_settings_say_otherwise(
    certificates: CallTlsSettings,
) -> None:
    with serving(Peer(), tls=server_side(certificates)) as peer:
        answers = [
            send_echo(replace(peer.address, tls=certificates.model_copy(update=changes)), CALLING)
            for changes in (
                {"server_name": "pacs.hospital"},
                {"server_name": "pacs.hospital", "check_server_name": False},
            )
        ]
    assert [answer.ok for answer in answers] == [False, True]
    assert "names another host" in answers[0].detail


def test_a_peer_that_never_finishes_the_handshake_takes_no_longer_than_its_time(
    certificates: CallTlsSettings,
) -> None:
    release = threading.Event()
    with raw_server(lambda _: release.wait(60)) as port:
        began = time.monotonic()
        address = PeerAddress("PACS", "127.0.0.1", port, timeout_seconds=0.3, tls=certificates)
        answer = send_echo(address, CALLING)
        took = time.monotonic() - began
        release.set()
    assert answer.kind in {AnswerKind.TLS, AnswerKind.UNREACHABLE}
    assert took < 30


def test_a_missing_certificate_file_is_told(
    objects: list[OutboxObject], certificates: CallTlsSettings, tmp_path: Path
) -> None:
    broken = certificates.model_copy(update={"certificate": tmp_path / "gone.pem"})
    answers = store_objects(PeerAddress("PACS", "127.0.0.1", 104, tls=broken), CALLING, objects)
    assert {answer.kind for answer in answers} == {AnswerKind.TLS}
    assert "certificate files" in answers[0].detail


@pytest.mark.peer("storescp")
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
def test_storescp_receives_identical_data_sets(
    objects: list[OutboxObject],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    *,
    encrypted: bool,
) -> None:
    tls: CallTlsSettings | None = None
    options: list[str] = []
    if encrypted:
        tls = request.getfixturevalue("certificates")
        assert tls is not None
        options = ["+tls", str(tls.key), str(tls.certificate), "+cf", str(tls.trusted)]
    folder = tmp_path / "received"
    folder.mkdir()
    port = free_port()
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(
                [
                    "storescp",
                    "-q",
                    *options,
                    "-aet",
                    "PACS",
                    "--bit-preserving",
                    "-od",
                    str(folder),
                    str(port),
                ]
            )
        )
        stack.callback(process.terminate)
        address = PeerAddress("PACS", "127.0.0.1", port, timeout_seconds=60, tls=tls)
        deadline = time.monotonic() + 60
        while not send_echo(address, CALLING).ok and time.monotonic() < deadline:
            time.sleep(0.05)
        answers = store_objects(address, CALLING, objects)
    assert all(answer.is_stored for answer in answers)
    received = sorted(data_set_bytes(path) for path in folder.iterdir())
    assert received == sorted(data_set_bytes(item.path) for item in objects)
