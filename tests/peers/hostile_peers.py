"""What strangers do to a receiver, connection by connection; each behaviour is drawn from a seed.

They write to plain sockets, so that no library keeps them from breaking a rule. A behaviour returns
the sockets that it leaves open, for the caller to close some time.
"""

import contextlib
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from pydicom import uid
from pydicom.dataset import Dataset

from tests.mutation.mutations import corrupt
from tests.peers.raw_requests import (
    EXPLICIT,
    context,
    item,
    open_raw,
    read_pdu,
    request,
    user_information,
)
from tests.unit.accept.fakes import encoded, instance

MG = uid.DigitalMammographyXRayImageStorageForPresentation
RELEASE = struct.pack(">BBII", 5, 0, 4, 0)
ABORT = struct.pack(">BBII", 7, 0, 4, 0)

_TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(32)


@dataclass(frozen=True)
class Target:
    """The receiver that is called."""

    port: int
    title: str
    """A calling AE title that it knows."""

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)

    def associate(self) -> socket.socket:
        """Open an association over which mammograms can be stored as context 1."""
        return open_raw(self.port, self.title, context(1, MG, (EXPLICIT,)))


def fragment(context_id: int, value: bytes, *, command: bool, last: bool) -> bytes:
    """One P-DATA-TF PDU with one fragment (PS3.8 9.3.5)."""
    content = bytes([context_id, command | last << 1]) + value
    body = struct.pack(">I", len(content)) + content
    return struct.pack(">BBI", 4, 0, len(body)) + body


def make_command(sop_instance_uid: str, **changed: object) -> bytes:
    """The command set of a C-STORE request (PS3.7 9.3.1.1)."""
    command = Dataset()
    command.CommandGroupLength = 0
    command.AffectedSOPClassUID = MG
    command.CommandField = 1
    command.MessageID = 1
    command.Priority = 2
    command.CommandDataSetType = 1
    command.AffectedSOPInstanceUID = sop_instance_uid
    for keyword, value in changed.items():
        setattr(command, keyword, value)
    return encoded(command, implicit=True)


_INSTANCE = instance(7)
_DATA_SET = encoded(_INSTANCE)
_COMMAND = make_command(_INSTANCE.SOPInstanceUID)
WHOLE = fragment(1, _COMMAND, command=True, last=True) + fragment(
    1, _DATA_SET, command=False, last=True
)
"""A C-STORE request as it should be."""


def _send(connection: socket.socket, data: bytes) -> None:
    # The receiver closes what breaks the rules, often before all of it is sent.
    with contextlib.suppress(OSError):
        connection.sendall(data)


def _read_to_end(connection: socket.socket) -> None:
    connection.settimeout(3)
    with contextlib.suppress(OSError):
        while connection.recv(65536):
            pass


def _say(target: Target, data: bytes, *, waits: bool = False) -> list[socket.socket]:
    """Say something, and listen until the receiver hangs up; `waits`: as if more were to come."""
    with contextlib.closing(target.connect()) as connection:
        _send(connection, data)
        if not waits:
            connection.shutdown(socket.SHUT_WR)
        _read_to_end(connection)
    return []


def _say_within(target: Target, data: bytes) -> list[socket.socket]:
    with contextlib.closing(target.associate()) as connection:
        _send(connection, data)
        connection.shutdown(socket.SHUT_WR)
        _read_to_end(connection)
    return []


def _be_silent(target: Target, _: Random) -> list[socket.socket]:
    return [target.connect()]


def _idle(target: Target, _: Random) -> list[socket.socket]:
    return [target.associate()]


def _say_half_a_request(target: Target, random: Random) -> list[socket.socket]:
    whole = request(context(), user_information(), calling=target.title)
    connection = target.connect()
    _send(connection, whole[: random.randrange(1, len(whole))])
    return [connection]


def _drip(target: Target, random: Random) -> list[socket.socket]:
    whole = request(context(), user_information(), calling=target.title)
    connection = target.connect()
    for at in range(random.randrange(5, 20)):
        _send(connection, whole[at : at + 1])
        time.sleep(0.002)
    return [connection]


def _ask_for_everything(target: Target, random: Random) -> list[socket.socket]:
    many = random.choice((5_000, 20_000))
    items = {
        0: lambda: [context(number % 128 * 2 + 1) for number in range(many)],
        1: lambda: [item(0x77, b"")] * many,
        2: lambda: [user_information(*[item(0x56, b"\0\x051.2.9")] * 5000)] * (many // 5000),
        3: lambda: [context(1, MG, ["1.2"] * 5000)] * (many // 5000),
    }[random.randrange(4)]()
    return _say(target, request(*items, calling=target.title))


def _ask_strangely(target: Target, random: Random) -> list[socket.socket]:
    whole = request(context(), user_information(), calling=target.title)
    return _say(target, corrupt(whole, random), waits=random.random() < 0.1)


def _be_a_stranger(target: Target, random: Random) -> list[socket.socket]:
    title = "".join(random.choices("ABCDEFGH\\^ ", k=random.randrange(17)))
    return _say(target, request(context(), user_information(), calling=title))


def _speak_otherwise(target: Target, random: Random) -> list[socket.socket]:
    words = (b"GET / HTTP/1.1\r\n\r\n", _TLS_HELLO, b"\0" * 3000, random.randbytes(500))
    return _say(target, random.choice(words), waits=random.random() < 0.1)


def _leave_in_the_middle(target: Target, random: Random) -> list[socket.socket]:
    """Begin an instance, and abort, release, close or stop in its middle."""
    half = _DATA_SET[: random.randrange(len(_DATA_SET))]
    begun = fragment(1, _COMMAND, command=True, last=True)
    begun += fragment(1, half, command=False, last=False)
    connection = target.associate()
    _send(connection, begun + random.choice((ABORT, RELEASE, b"\x04\0\0\0\x40\0half", b"")))
    if random.random() < 0.7:
        connection.close()
        return []
    return [connection]


def _mix_contexts(target: Target, random: Random) -> list[socket.socket]:
    other = random.choice((0, 3, 77, 255))
    begun = fragment(random.choice((1, other)), _COMMAND, command=True, last=True)
    return _say_within(target, begun + fragment(other, _DATA_SET, command=False, last=True))


def _do_not_wait(target: Target, random: Random) -> list[socket.socket]:
    """Send many requests without reading an answer, and then read them or not."""
    connection = target.associate()
    connection.settimeout(3)
    _send(connection, WHOLE * random.randrange(2, 40))
    if random.random() < 0.5:
        connection.close()
        return []
    return [connection]


def _send_strange_pdus(target: Target, random: Random) -> list[socket.socket]:
    data = b"".join(corrupt(WHOLE, random) for _ in range(random.randrange(1, 4)))
    return _say_within(target, data)


def _send_strange_commands(target: Target, random: Random) -> list[socket.socket]:
    changed: dict[str, object] = {
        "CommandField": random.choice((1, 0x20, 0x21, 0x30, 0x100, 0x8001, 0x0FFF, 0xFFFF)),
        "CommandDataSetType": random.choice((1, 0x101)),
        "MessageID": random.choice((0, 65535)),
    }
    command = make_command("1.2.3." + "9" * random.choice((1, 50, 58)), **changed)
    if random.random() < 0.5:
        command = corrupt(command, random)
    data = fragment(1, command, command=True, last=True)
    return _say_within(target, data + fragment(1, _DATA_SET, command=False, last=True) + RELEASE)


def _send_strange_data_sets(target: Target, random: Random) -> list[socket.socket]:
    data = fragment(1, _COMMAND, command=True, last=True)
    data += fragment(1, corrupt(_DATA_SET, random), command=False, last=True)
    return _say_within(target, data + RELEASE)


BEHAVIOURS: tuple[Callable[[Target, Random], list[socket.socket]], ...] = (
    _be_silent,
    _idle,
    _say_half_a_request,
    _drip,
    _ask_for_everything,
    _ask_strangely,
    _be_a_stranger,
    _speak_otherwise,
    _leave_in_the_middle,
    _mix_contexts,
    _do_not_wait,
    _send_strange_pdus,
    _send_strange_commands,
    _send_strange_data_sets,
)


def behave_badly(target: Target, random: Random) -> list[socket.socket]:
    """Do one of the things above; a receiver that refuses or hangs up is right to do so."""
    with contextlib.suppress(OSError):
        return random.choice(BEHAVIOURS)(target, random)
    return []


def store_politely(target: Target) -> list[int]:
    """Store an instance as it should be done; return the types of the PDUs that answer."""
    with contextlib.closing(target.associate()) as connection:
        connection.settimeout(60)
        connection.sendall(WHOLE)
        answers = [read_pdu(connection)[0]]
        connection.sendall(RELEASE)
        return [*answers, read_pdu(connection)[0]]
