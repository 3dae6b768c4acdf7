"""The connection of an association: limits of time, and ways to end it from another thread."""

import contextlib
import socket
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

    def recv_into(self, view: memoryview, ahead: int = 0) -> int:
        """Fill a buffer as `recv` does; return how many bytes are in it.

        Parameters
        ----------
        ahead
            So many of the bytes behind it are taken along if they have come, for the next read.
        """
        begun = min(len(self._unread), len(view))
        view[:begun] = self._unread[:begun]
        self._unread = self._unread[begun:]
        connection, beyond = cast(socket.socket, self.socket), bytearray(ahead)
        filled = begun + connections.fill(
            connection, view[begun:], self.patience, memoryview(beyond)
        )
        if filled > len(view):
            self._unread = bytes(beyond[: filled - len(view)])
        return min(filled, len(view))

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
