"""What a peer says over one connection, changed: PDUs, their items, DIMSE commands, data sets.

A session is a request for an association, a C-ECHO, a C-STORE, a release: each as its parts, so
that a change may hit a length, an item or the order of what is said (PS3.8 9.3, PS3.7 6.3).
"""

import contextlib
import socket
import struct
from collections.abc import Callable
from random import Random
from typing import Final

from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation

from secondread.accept.archive import Archive
from tests.mutation.elements import Element, Item, encode
from tests.mutation.mutations import corrupt, mutate
from tests.mutation.values import draw_value
from tests.peers.raw_requests import EXPLICIT, IMPLICIT, VERIFICATION, context, item, request
from tests.unit.accept.fakes import Node, encoded, eventually, instance

_MAMMOGRAM: Final = str(DigitalMammographyXRayImageStorageForPresentation)
_ABORT, _RELEASE = struct.pack(">BBIHBB", 7, 0, 4, 0, 0, 0), struct.pack(">BBII", 5, 0, 4, 0)
_LENGTHS: Final = (0, 1, 2, 65535, 2**20, 2**31, 2**32 - 1)
_KINDS: Final = (*range(10), 0x10, 0x20, 0x21, 0x30, 0x40, 0x50, 0x51, 0x52, 0x58, 0x80, 0xFF)


def draw_session(random: Random) -> bytes:
    """Return all that a peer sends over a connection."""
    said = [_draw_request(random), *_draw_messages(random), random.choice((_RELEASE, _ABORT, b""))]
    for _ in range(random.choice((0, 0, 1, 2))):
        random.choice(_CHANGES)(said, random)
    data = b"".join(said)
    return corrupt(data, random) if random.random() < 0.4 else data


def _draw_request(random: Random) -> bytes:
    """Return an A-ASSOCIATE-RQ PDU; in two of three something is odd in it."""
    contexts = [context(1), context(3, _MAMMOGRAM, (EXPLICIT, IMPLICIT))]
    details = [item(0x51, struct.pack(">I", 16384)), item(0x52, b"1.2.3"), item(0x55, b"SCAN")]
    calling, version = "MOD", 1
    match random.randint(0, 11):
        case 0:
            contexts *= random.choice((2, 60, 200))
        case 1:
            contexts.append(context(random.choice((0, 2, 255)), "1." * random.randint(0, 40)))
        case 2:
            contexts.append(context(5, _MAMMOGRAM, ("",) * random.choice((0, 1, 500))))
        case 3:
            details.append(item(random.choice(_KINDS), draw_value(random)[:60_000]))
        case 4:
            details *= random.choice((2, 300))
        case 5:
            details.append(item(0x58, bytes([2, 1]) + struct.pack(">H", 9) + b"user"))
        case 6:
            calling = random.choice(("", "NOBODY", "A\\B", "\xff" * 16, "M" * 16))
        case 7:
            version = random.choice((0, 2, 65535))
        case _:
            pass
    random.shuffle(details)
    return request(*contexts, item(0x50, b"".join(details)), calling=calling, version=version)


def _draw_messages(random: Random) -> list[bytes]:
    """Return P-DATA-TF PDUs: an echo, and an instance in pieces, or what is left of them."""
    echo = _encode_command(_make_command(0x0030, VERIFICATION, 0x0101), random)
    store = _make_command(0x0001, _MAMMOGRAM, 1)
    uid = str(instance(5).SOPInstanceUID).encode()
    store.append(Element((0x0000, 0x1000), b"UI", uid + b"\0" * (len(uid) % 2)))
    data, half = encoded(instance(5)), random.choice((0, 1, 100, 3000))
    return [
        _fragment(1, echo, random, is_command=True, is_last=True),
        _fragment(3, _encode_command(store, random), random, is_command=True, is_last=True),
        _fragment(3, data[:half], random, is_command=False, is_last=False),
        _fragment(3, data[half:], random, is_command=False, is_last=True),
    ]


def _make_command(field: int, sop_class: str, data_set_type: int) -> Item:
    uid = sop_class.encode()
    return [
        Element((0x0000, 0x0000), b"UL", struct.pack("<I", 60)),
        Element((0x0000, 0x0002), b"UI", uid + b"\0" * (len(uid) % 2)),
        Element((0x0000, 0x0100), b"US", struct.pack("<H", field)),
        Element((0x0000, 0x0110), b"US", struct.pack("<H", 1)),
        Element((0x0000, 0x0700), b"US", struct.pack("<H", 0)),
        Element((0x0000, 0x0800), b"US", struct.pack("<H", data_set_type)),
    ]


def _encode_command(command: Item, random: Random) -> bytes:
    changed = mutate(command, random) if random.random() < 0.4 else command
    return encode(changed, implicit=True)


def _fragment(
    context_id: int, value: bytes, random: Random, *, is_command: bool, is_last: bool
) -> bytes:
    """Return a P-DATA-TF PDU with one fragment, whose head may be odd (PS3.8 9.3.5)."""
    control = is_command | is_last << 1
    if random.random() < 0.1:
        context_id, control = random.choice((0, 1, 2, 3, 255)), random.choice((0, 1, 2, 3, 4, 255))
    content = bytes([context_id, control]) + value
    length = random.choice(_LENGTHS) if random.random() < 0.05 else len(content)
    body = struct.pack(">I", length) + content
    return struct.pack(">BBI", 4, 0, len(body)) + body


def _drop(said: list[bytes], random: Random) -> None:
    said.remove(random.choice(said))


def _repeat(said: list[bytes], random: Random) -> None:
    pdu = random.choice(said)
    said[said.index(pdu) :] = [pdu] * random.choice((2, 50))


def _exchange(said: list[bytes], random: Random) -> None:
    random.shuffle(said)


def _set_kind(said: list[bytes], random: Random) -> None:
    index = random.randrange(len(said))
    said[index] = bytes([random.choice(_KINDS)]) + said[index][1:]


def _set_length(said: list[bytes], random: Random) -> None:
    index = random.randrange(len(said))
    said[index] = said[index][:2] + struct.pack(">I", random.choice(_LENGTHS)) + said[index][6:]


_CHANGES: Final[tuple[Callable[[list[bytes], Random], None], ...]] = (
    _drop, _repeat, _exchange, _set_kind, _set_length,
)  # fmt: skip


def hold_session(port: int, data: bytes) -> None:
    """Say all of it, hang up on this side, and hear the other side out until it does."""
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as peer:
        # The receiver closes what breaks the rules, often before all of it is sent.
        with contextlib.suppress(ConnectionError):
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while peer.recv(65536):
                pass


def check_node(node: Node, archive: Archive) -> None:
    """Have a polite peer store an instance; nothing of what came before is left in the spool."""
    assert node.send(instance(1)) == [0x0000]
    assert eventually(lambda: not list(archive.spool.iterdir())), "a file is left in the spool"
