"""Reads of a connection have a limit of time, and take along what follows only if it has come."""

import socket
from collections.abc import Iterator

import pytest

from secondread.accept.connection import fill


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(5.0)
        yield ours, theirs


def test_what_follows_is_taken_along_if_it_has_come(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    buffer, beyond = bytearray(4), bytearray(3)
    theirs.sendall(b"abcdefgh")
    assert fill(ours, memoryview(buffer), 5.0, memoryview(beyond)) == 7
    assert bytes(buffer + beyond) == b"abcdefg"

    theirs.sendall(b"ijk")
    assert fill(ours, memoryview(buffer), 5.0, memoryview(beyond)) == 4
    assert buffer == b"hijk"


def test_of_a_closed_connection_there_is_less(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(b"ab")
    theirs.close()
    buffer = bytearray(4)
    assert fill(ours, memoryview(buffer), 5.0) == 2
    assert buffer[:2] == b"ab"


def test_a_peer_that_stalls_is_an_error(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(b"ab")
    with pytest.raises(TimeoutError):
        fill(ours, memoryview(bytearray(4)), 0.05)
