"""From a connection to the spool: the fragments of one C-STORE data set (PS3.8 9.3.5, annex E).

A PDU that holds one fragment, and not the last, is copied to the file. Senders make them all alike,
so the heads of several that follow are known before they come, and one call to the system reads all
that have come: their data to where it is written from, their heads aside.
"""

import struct
from collections.abc import Callable
from typing import Final

from secondread.accept.association_request import PDU_HEAD
from secondread.accept.peer_socket import PeerSocket
from secondread.accept.spool_file import SpoolFile

P_DATA_TF: Final = 4
"""Type of the PDU (PS3.8 table 9-22)."""
FRAGMENT_HEAD: Final = struct.Struct(">IBB")
"""Length, presentation context ID and message control header (PS3.8 table 9-23, E.2)."""

_HEAD_BYTES: Final = PDU_HEAD.size + FRAGMENT_HEAD.size
_MORE_DATA: Final = 0
"""Message control header: of a data set, and not its last fragment."""
_MOST_AT_ONCE: Final = 64
"""How many fragments one call may read: small ones are many."""
_BYTES_PER_CHECK: Final = 8 * 1024**2
"""How much is written between two checks of the free space."""
_NEXT_FRAGMENT_SECONDS: Final = 0.2
"""How long to wait for the next fragment where the last was taken."""


class FragmentStream:
    """Copies fragments to their file until something else comes, or nothing.

    Parameters
    ----------
    peer
        Where they come from.
    file
        Where they go.
    context_id
        Presentation context of the message.
    longest
        How long a PDU may be, without its head.
    has_room
        Whether there is room for more on the disk. Where there is not, the file is dropped.
    """

    def __init__(
        self,
        peer: PeerSocket,
        file: SpoolFile,
        context_id: int | None,
        longest: int,
        has_room: Callable[[], bool],
    ) -> None:
        self._peer = peer
        self._file = file
        self._context_id = context_id
        self._longest = longest
        self._has_room = has_room
        self._unchecked = _BYTES_PER_CHECK
        self.fragments = 0
        """How many were copied."""

    def copy(self) -> bool:
        """Copy what comes; return whether another PDU is to be read now.

        Otherwise nothing more has come, or this side is asked to end the association.

        Raises
        ------
        OSError
            The peer took too long, or the connection broke or was closed inside a fragment.
        """
        while (head := self._read_head()) is not None:
            length = int.from_bytes(head[PDU_HEAD.size : PDU_HEAD.size + 4], "big") - 2
            self._copy_rest(length)
            self._count(1, length)
            while copied := self._copy_alike(head, length):
                self._count(copied, length)
            peer = self._peer
            if not peer.wait_until_readable(_NEXT_FRAGMENT_SECONDS) or peer.is_asked_to_end:
                return False
        return True

    def _count(self, fragments: int, length: int) -> None:
        self.fragments += fragments
        self._unchecked += fragments * length
        if self._unchecked >= _BYTES_PER_CHECK:
            self._unchecked = 0
            if not self._has_room():
                self._file.drop()

    def _read_head(self) -> bytes | None:
        """Read the head of a PDU with a fragment; None, and nothing is read, if it is another."""
        head = bytes(self._peer.recv(PDU_HEAD.size))
        if len(head) == PDU_HEAD.size:
            kind, pdu_length = PDU_HEAD.unpack(head)
            if kind == P_DATA_TF and FRAGMENT_HEAD.size < pdu_length <= self._longest:
                head += self._peer.recv(FRAGMENT_HEAD.size)
                if len(head) == _HEAD_BYTES:
                    found = FRAGMENT_HEAD.unpack_from(head, PDU_HEAD.size)
                    if found == (pdu_length - 4, self._context_id, _MORE_DATA):
                        return head
        self._peer.unread(head)
        return None

    def _copy_rest(self, length: int) -> None:
        """Copy the data of a fragment, or the rest of it."""
        while length:
            with self._file.get_space(length) as space:
                wanted = len(space)
                received = self._peer.recv_into(space)
            self._file.advance(received)
            if received < wanted:
                raise ConnectionError("closed inside a fragment")
            length -= wanted

    def _copy_alike(self, head: bytes, length: int) -> int:
        """Copy the fragments that have come and have the same head; return how many."""
        with self._file.get_space(_MOST_AT_ONCE * length, at_least=length) as space:
            count = len(space) // length
            heads = bytearray(count * _HEAD_BYTES)
            views: list[memoryview] = []
            for number in range(count):
                at = number * _HEAD_BYTES
                views.append(memoryview(heads)[at : at + _HEAD_BYTES])
                views.append(space[number * length : (number + 1) * length])
            come = self._peer.recv_ready(views)
            alike, rest = divmod(come, _HEAD_BYTES + length)
            for number in range(alike):
                at = number * _HEAD_BYTES
                if heads[at : at + _HEAD_BYTES] != head:
                    alike, rest = number, come - number * (_HEAD_BYTES + length)
                    break
            at = alike * _HEAD_BYTES
            is_begun = rest > _HEAD_BYTES and heads[at : at + _HEAD_BYTES] == head
            if rest and not is_begun:
                self._peer.unread(b"".join(views[2 * alike :])[:rest])
        begun = rest - _HEAD_BYTES if is_begun else 0
        self._file.advance(alike * length + begun)
        if is_begun:
            self._copy_rest(length - begun)
        return alike + is_begun
