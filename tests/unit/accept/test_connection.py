"""Reads of a connection have a limit of time, or take what has come."""

import socket
from collections.abc import Iterator

import pytest

from secondread.accept.connection import fill, read_ready


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(5.0)
        yield ours, theirs


def test_what_has_come_is_read_into_several_buffers(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    first, second = bytearray(4), bytearray(3)
    views = [memoryview(first), memoryview(second)]
    assert read_ready(ours, views) == 0
    theirs.sendall(b"abcdefgh")
    assert read_ready(ours, views) == 7
    assert bytes(first + second) == b"abcdefg"
    assert read_ready(ours, views) == 1


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
