"""Fragments reach their file in order, whatever their sizes and however they come."""

import queue
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import cast

import pytest
from pynetdicom.association import Association

from secondread.accept.fragment_stream import FragmentStream
from secondread.accept.peer_socket import PeerSocket
from secondread.accept.spool_file import SpoolFile

CONTEXT, LONGEST = 3, 200_000
RELEASE = struct.pack(">BxI4x", 5, 4)


def pdu(data: bytes, control: int = 0) -> bytes:
    """A P-DATA-TF PDU with one fragment."""
    return struct.pack(">BxIIBB", 4, len(data) + 6, len(data) + 2, CONTEXT, control) + data


class Ends:
    """A connection with a peer, and the file that its data set goes to."""

    def __init__(self, folder: Path) -> None:
        ours, self.peer = socket.socketpair()
        association = SimpleNamespace(dul=SimpleNamespace(event_queue=queue.Queue()))
        self.socket = PeerSocket(cast(Association, association), client_socket=ours)
        self.socket.set_patience(5.0)
        self.file = SpoolFile(folder, "test-")
        self.rooms: list[int] = []

    def has_room(self) -> bool:
        self.rooms.append(1)
        return True

    def copy(self, sent: Sequence[bytes]) -> bool:
        """Send some bytes from another thread, and copy what comes."""

        def send() -> None:
            for part in sent:
                self.peer.sendall(part)

        sender = threading.Thread(target=send)
        sender.start()
        try:
            stream = FragmentStream(self.socket, self.file, CONTEXT, LONGEST, self.has_room)
            return stream.copy()
        finally:
            sender.join()

    def read_file(self) -> bytes:
        self.file.flush()
        return Path(self.file.name).read_bytes()


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Ends]:
    opened = Ends(tmp_path)
    yield opened
    opened.file.close()
    opened.peer.close()  # first, for the other end lingers
    opened.socket.close()


@pytest.mark.parametrize("sizes", [[131_066] * 40, [16_378] * 100, [2] * 300, [199_994] * 9])
def test_fragments_that_are_alike_are_copied_up_to_another_pdu(
    ends: Ends, sizes: Sequence[int]
) -> None:
    parts = [Random(number).randbytes(size) for number, size in enumerate(sizes)]
    last = pdu(b"the last", control=2)
    assert ends.copy([*map(pdu, parts), last + RELEASE])
    assert ends.read_file() == b"".join(parts)
    # What was read ahead is read again.
    assert bytes(ends.socket.recv(len(last))) == last
    assert bytes(ends.socket.recv(len(RELEASE))) == RELEASE
    assert ends.rooms


def test_sizes_and_pieces_of_all_kinds_make_no_difference(ends: Ends) -> None:
    random = Random(5)
    parts = [random.randbytes(random.choice([1, 7, 131_066, 131_066, 70_000])) for _ in range(120)]
    stream = b"".join(map(pdu, parts)) + RELEASE
    pieces = []
    while stream:
        length = random.choice([1, 5, 11, 12, 13, 4096, 131_078, 400_000])
        pieces.append(stream[:length])
        stream = stream[length:]
    while not ends.copy(pieces):  # the sender may have been slow in between
        pieces = []
    assert ends.read_file() == b"".join(parts)
    assert bytes(ends.socket.recv(len(RELEASE))) == RELEASE


def test_a_peer_that_closes_inside_a_fragment_is_an_error(ends: Ends) -> None:
    whole = pdu(bytes(1000))
    ends.peer.sendall(whole + whole[:500])
    ends.peer.close()
    with pytest.raises(ConnectionError):
        ends.copy([])


def test_a_fragment_of_another_message_is_left_to_others(ends: Ends) -> None:
    other = bytearray(pdu(b"abc"))
    other[10] = CONTEXT + 2
    assert ends.copy([pdu(b"abc"), bytes(other)])
    assert ends.read_file() == b"abc"
    assert ends.socket.recv(len(other)) == other
