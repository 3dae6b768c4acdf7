"""HTTP headers that keep the pages to themselves, and the hosts that they answer for."""

import ipaddress
from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    # Everything comes from this node; nothing may run, be framed, or be sent elsewhere.
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class SecurityHeaders:
    """ASGI middleware that adds `HEADERS` to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers)


def list_allowed_hosts(listen_host: str) -> Sequence[str]:
    """Return the Host headers that are answered.

    A node that listens on loopback answers for loopback names only: otherwise a web page on the
    internet whose name is made to point at 127.0.0.1 could read the pages through the browser of
    whoever visits it. Elsewhere the access control in front decides.

    >>> "localhost" in list_allowed_hosts("127.0.0.1"), list_allowed_hosts("0.0.0.0")
    (True, ['*'])
    """
    try:
        loopback = ipaddress.ip_address(listen_host).is_loopback
    except ValueError:
        loopback = listen_host == "localhost"
    return ["localhost", "127.0.0.1", "::1", "[::1]", listen_host] if loopback else ["*"]
