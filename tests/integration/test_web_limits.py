"""The web server under connections that take and give nothing, over real sockets."""

import socket
import time
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from secondread.app.web_protocol import LARGEST_BODY_BYTES
from secondread.app.web_server import WebServer
from secondread.settings import WebSettings
from tests.peers.ports import free_port

PLACES = 16
SECONDS = 1.0
HALF_HEADER = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Half: "
HALF_BODY = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf"


async def healthz(_: Request) -> Response:
    return PlainTextResponse("ok\n")


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


async def large(_: Request) -> Response:
    return Response(bytes(50_000_000))


@pytest.fixture
def port() -> Iterator[int]:
    routes = [
        Route("/healthz", healthz),
        Route("/echo", echo, methods=["POST"]),
        Route("/large", large),
    ]
    web = WebSettings(port=free_port(), request_seconds=SECONDS)
    web = web.model_copy(update={"maximum_connections": PLACES})
    with WebServer(Starlette(routes=routes), web):
        deadline = time.monotonic() + 30
        while not answers(web.port):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield web.port


def connect(port: int, data: bytes = b"") -> socket.socket:
    peer = socket.create_connection(("127.0.0.1", port), 20)
    peer.settimeout(20)
    peer.sendall(data)
    return peer


def ask(peer: socket.socket) -> bytes:
    peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = b""
    while not answer.endswith(b"\nok\n"):
        piece = peer.recv(4096)
        if not piece:
            break
        answer += piece
    return answer


def answers(port: int) -> bool:
    try:
        with connect(port) as peer:
            return ask(peer).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def has_ended(peer: socket.socket) -> bool:
    """Whether the server closes the connection within twenty seconds."""
    try:
        while peer.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


@pytest.mark.parametrize("half", [b"", HALF_HEADER, HALF_BODY], ids=["nothing", "header", "body"])
def test_a_request_that_does_not_come_to_its_end_is_ended(port: int, half: bytes) -> None:
    with connect(port, half) as peer:
        begun = time.monotonic()
        assert has_ended(peer)
        assert time.monotonic() - begun < 15


def test_bytes_that_trickle_in_do_not_keep_a_connection_open(port: int) -> None:
    with connect(port, HALF_HEADER) as peer:
        begun = time.monotonic()
        has_been_cut = False
        while not has_been_cut and time.monotonic() < begun + 20:
            time.sleep(0.05)
            try:
                peer.sendall(b"x")
            except OSError:
                has_been_cut = True
        assert has_been_cut


def test_a_late_header_is_answered_408(port: int) -> None:
    with connect(port, HALF_HEADER) as peer:
        assert peer.recv(100).startswith(b"HTTP/1.1 408")


def test_an_answer_that_is_not_taken_ends_the_connection(port: int) -> None:
    with connect(port, b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n") as peer:
        time.sleep(4 * SECONDS)
        begun, taken = time.monotonic(), 0
        try:
            while piece := peer.recv(1 << 20):
                taken += len(piece)
        except OSError:
            pass
        assert time.monotonic() - begun < 15
        assert taken < 50_000_000


def test_a_body_that_is_too_long_ends_the_connection(port: int) -> None:
    head = f"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {10 * LARGEST_BODY_BYTES}\r\n\r\n"
    with connect(port, head.encode()) as peer:
        try:
            peer.sendall(bytes(9 * LARGEST_BODY_BYTES))
        except OSError:
            return
        assert has_ended(peer)


def test_half_requests_by_the_hundred_leave_room_for_the_next_caller(port: int) -> None:
    crowd = [connect(port, HALF_HEADER) for _ in range(100)]
    try:
        assert answers(port)
        crowd += [connect(port, HALF_BODY) for _ in range(100)]
        assert answers(port)
    finally:
        for peer in crowd:
            peer.close()


def test_a_connection_serves_several_requests_in_a_row_and_in_one_packet(port: int) -> None:
    with connect(port) as peer:
        assert ask(peer).startswith(b"HTTP/1.1 200")
        time.sleep(2 * SECONDS)
        assert ask(peer).startswith(b"HTTP/1.1 200")
        peer.sendall(2 * b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        found = b""
        while found.count(b"HTTP/1.1 200") < 2:
            found += peer.recv(4096)


def test_a_body_within_the_limits_arrives_whole(port: int) -> None:
    body = bytes(LARGEST_BODY_BYTES // 2)
    head = f"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
    with connect(port, head.encode() + b"\r\n") as peer:
        peer.sendall(body)
        answer = b""
        while piece := peer.recv(65536):
            answer += piece
        assert answer.endswith(body)
