"""Web servers in a thread: of the pages, or of the probes of a process that runs alone."""

import socket
import threading
from collections.abc import Callable

from starlette.applications import Starlette

from secondread import log
from secondread.app.node import Node
from secondread.app.web_protocol import ConnectionLimits, LimitedConfig, LimitedServer
from secondread.clock import utc_now
from secondread.errors import explain_port
from secondread.settings import WebSettings
from secondread.watch.callers import Callers
from secondread.watch.gauges import NodeGauges, make_metrics_route
from secondread.watch.guard import Guard
from secondread.watch.health import ReadinessCheck, make_health_routes

_log = log.get_logger(__name__)


class WebServer:
    """An ASGI application served from a thread while its `with` block runs.

    Parameters
    ----------
    application
        What answers.
    web
        Its address and its limits.
    port
        The port, where it is not that of the settings.
    """

    def __init__(self, application: Starlette, web: WebSettings, port: int | None = None) -> None:
        self._host, self._port = web.host, web.port if port is None else port
        self._port_setting = "web.port" if port is None else "--probe-port"
        limits = ConnectionLimits(web.maximum_connections, web.request_seconds)
        self._server = LimitedServer(LimitedConfig(application, self._host, self._port, limits))
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "WebServer":
        """Begin to listen.

        Raises
        ------
        SettingsError
            Host or port cannot be listened on.
        """
        # uvicorn takes the signals over when it runs in the main thread; ours decide there.
        self._thread = threading.Thread(
            target=self._server.run,
            args=([self._listen()],),
            name="web",
            daemon=True,
        )
        self._thread.start()
        _log.info("web_started", host=self._host, port=self._port)
        return self

    def __exit__(self, *_: object) -> None:
        """Answer open requests, and stop."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(5.0)
        _log.info("web_stopped")

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            return socket.create_server((self._host, self._port), family=family)
        except OSError as error:
            where = f"{self._port_setting} {self._port}", f"web.host {self._host}"
            raise explain_port(*where, error) from error

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._thread is not None and self._thread.is_alive()


def make_probe_server(
    node: Node, port: int, check_process: Callable[[], ReadinessCheck] | None
) -> WebServer:
    """Return the server of `/healthz`, `/readyz` and `/metrics`; see `app.probes`."""
    settings = node.settings
    routes = [
        *make_health_routes(node.tracker, node.archive, settings, utc_now, check_process),
        make_metrics_route(NodeGauges(node.tracker, node.archive, settings, utc_now)),
    ]
    guard = Guard(Callers(node.tracker.access, settings.web, utc_now), settings.web.public_url)
    return WebServer(Starlette(routes=guard.protect(routes)), settings.web, port)
