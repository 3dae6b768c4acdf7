"""Reads and waits on one TCP or TLS connection, each with a limit of time."""

import contextlib
import os
import select
import socket
import ssl
import time
from collections.abc import Sequence

LINGER_SECONDS = 0.5
"""How long a peer may take to close a connection after the last that was sent to it."""
_LINGER_BYTES = 1024**2
"""What is read and dropped meanwhile: closing over unread bytes resets the connection, and the
peer may then lose what was sent to it."""


def fill(connection: socket.socket, view: memoryview, seconds: float) -> int:
    """Fill a buffer from a connection; return how many bytes are in it.

    They are fewer than the buffer holds only where the peer closed the connection.

    Parameters
    ----------
    connection
        With a timeout of its own, the same as `seconds`: then its descriptor does not block.
    seconds
        How long it may take altogether.

    Raises
    ------
    OSError
        The peer took too long, or the connection broke.
    """
    filled = 0
    deadline = time.monotonic() + seconds
    while filled < len(view):
        received = _receive(connection, view[filled:], deadline)
        if received == 0:
            break
        filled += received
        if filled < len(view) and time.monotonic() > deadline:
            raise TimeoutError("the peer stalled")
    return filled


def _receive(connection: socket.socket, view: memoryview, deadline: float) -> int:
    """Read what has come, or wait for it; return how many bytes, 0 at the connection's end."""
    if not is_plain(connection):
        return connection.recv_into(view)
    while True:
        try:
            # The socket's own method would ask first, each time, whether there is something.
            return os.readv(connection.fileno(), [view])
        except BlockingIOError:
            if not _poll(connection, deadline - time.monotonic()):
                raise TimeoutError("the peer stalled") from None


def is_plain(connection: socket.socket) -> bool:
    """Whether a connection is without TLS."""
    return not isinstance(connection, ssl.SSLSocket)


def read_ready(connection: socket.socket, views: Sequence[memoryview]) -> int:
    """Fill buffers, one after the other, with what has come over a plain connection.

    Returns
    -------
    int
        How many bytes; 0 also where the peer closed the connection.

    Raises
    ------
    OSError
        The connection broke.
    """
    try:
        return os.readv(connection.fileno(), views)
    except BlockingIOError:
        return 0


def is_readable(connection: socket.socket, seconds: float) -> bool:
    """Whether there is something to read, or will be within some seconds: bytes, or the end.

    It polls, because `select.select` fails with file descriptors above 1,023.

    Raises
    ------
    OSError, ValueError
        The connection is closed.
    """
    if isinstance(connection, ssl.SSLSocket) and connection.pending():
        return True
    return _poll(connection, seconds)


def wake(connection: socket.socket) -> None:
    """Have a thread that waits in `is_readable` go on; bytes that have come can still be read."""
    with contextlib.suppress(OSError, ValueError):
        # Not the method of a TLS socket, which would give up its keys as well.
        socket.socket.shutdown(connection, socket.SHUT_RD)


def break_off(connection: socket.socket) -> None:
    """Break a connection, even while another thread reads from it or waits for it."""
    with contextlib.suppress(OSError, ValueError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def linger(connection: socket.socket) -> None:
    """Wait a little for the peer to close, as it has to after the last answer (PS3.8 Sta13).

    The end of this side is not announced before: a requestor that reads both at once may take the
    end for a broken connection, and forget the answer.
    """
    deadline = time.monotonic() + LINGER_SECONDS
    dropped = 0
    with contextlib.suppress(OSError, ValueError):
        while dropped < _LINGER_BYTES and _poll(connection, deadline - time.monotonic()):
            received = len(socket.socket.recv(connection, 65536))
            if received == 0:
                return
            dropped += received
        socket.socket.shutdown(connection, socket.SHUT_WR)


def _poll(connection: socket.socket, seconds: float) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))
