"""The connection of an association: limits of time, and ways to end it from another thread."""

import contextlib
import socket
from collections.abc import Sequence
from typing import cast

from pynetdicom.transport import AssociationSocket

from secondread.accept import connection as connections


class PeerSocket(AssociationSocket):
    """A connection whose reads have a time limit, and that reads a PDU at once.

    `patience` is the time in seconds that one read may take altogether.
    """

    patience: float = 5.0
    is_asked_to_end = False
    """Whether the association is to be aborted; set by another thread than its own."""
    _unread = b""

    @property
    def ready(self) -> bool:
        """Whether there is something to read."""
        return self.wait_until_readable(0.0)

    def wait_until_readable(self, seconds: float) -> bool:
        """Wait until there is something to read; return False if there is nothing in time."""
        connection = self.socket
        if self._unread:
            return True
        if connection is None:
            return False
        try:
            return connections.is_readable(connection, seconds)
        except (OSError, ValueError):
            self.event_queue.put("Evt17")
            return False

    def recv(self, nr_bytes: int) -> bytearray:
        """Read exactly `nr_bytes`, or fewer where the peer closed the connection.

        Raises
        ------
        OSError
            The peer took too long.
        """
        if len(self._unread) >= nr_bytes:
            data = bytearray(self._unread[:nr_bytes])
            self._unread = self._unread[nr_bytes:]
            return data
        data = bytearray(nr_bytes)
        with memoryview(data) as view:
            length = self.recv_into(view)
        del data[length:]
        return data

    def recv_into(self, view: memoryview) -> int:
        """Fill a buffer as `recv` does; return how many bytes are in it."""
        begun = self._take_unread(view)
        connection = cast(socket.socket, self.socket)
        return begun + connections.fill(connection, view[begun:], self.patience)

    def recv_ready(self, views: Sequence[memoryview]) -> int:
        """Fill buffers, one after the other, with what has come; return how many bytes.

        Nothing is read over TLS, which gives what comes in small pieces anyway.
        """
        connection = cast(socket.socket, self.socket)
        if not views or not connections.is_plain(connection):
            return 0
        filled = 0
        for number, view in enumerate(views):
            begun = self._take_unread(view)
            filled += begun
            if begun < len(view):
                return filled + connections.read_ready(
                    connection, [view[begun:], *views[number + 1 :]]
                )
        return filled

    def _take_unread(self, view: memoryview) -> int:
        begun = min(len(self._unread), len(view))
        if begun:
            view[:begun] = self._unread[:begun]
            self._unread = self._unread[begun:]
        return begun

    def unread(self, data: bytes) -> None:
        """Make the next read begin with these bytes."""
        self._unread = data + self._unread

    def set_patience(self, seconds: float) -> None:
        """Set how long the peer may be silent inside a PDU, or not accept what is sent to it."""
        self.patience = seconds
        # The association may be ended by another thread at any moment.
        connection = self.socket
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.settimeout(seconds)

    def ask_to_end(self) -> None:
        """Have the association's thread look up from its wait for the peer, and abort it."""
        self.is_asked_to_end = True
        connection = self.socket
        if connection is not None:
            connections.wake(connection)

    def break_connection(self) -> None:
        """Break the connection, even while another thread reads from it."""
        connection = self.socket
        if connection is not None:
            connections.break_off(connection)

    def close(self) -> None:
        """Close the connection, after the peer had a moment to take what was sent to it."""
        if self.socket is not None:
            connections.linger(self.socket)
        super().close()
