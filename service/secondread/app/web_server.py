"""Web servers in a thread: of the pages, or of the probes of a process that runs alone."""

import threading
from contextlib import ExitStack

import uvicorn
from starlette.applications import Starlette

from secondread import log
from secondread.app.node import Node
from secondread.clock import utc_now
from secondread.watch.gauges import NodeGauges, make_metrics_route
from secondread.watch.health import make_health_routes

_log = log.get_logger(__name__)


class WebServer:
    """An ASGI application served from a thread while its `with` block runs.

    Parameters
    ----------
    application
        What answers.
    host, port
        Where to listen.
    """

    def __init__(self, application: Starlette, host: str, port: int) -> None:
        config = uvicorn.Config(
            application, host=host, port=port, log_config=None, access_log=False
        )
        self._server = uvicorn.Server(config)
        # uvicorn takes the signals over when it runs in the main thread; ours decide there.
        self._thread = threading.Thread(target=self._server.run, name="web", daemon=True)
        self._where = {"host": host, "port": port}

    def __enter__(self) -> "WebServer":
        """Begin to listen."""
        self._thread.start()
        _log.info("web_started", **self._where)
        return self

    def __exit__(self, *_: object) -> None:
        """Answer open requests, and stop."""
        self._server.should_exit = True
        self._thread.join(5.0)
        _log.info("web_stopped")

    @property
    def is_alive(self) -> bool:
        """Whether it runs; False if, for example, the port was taken."""
        return self._thread.is_alive()


def serve_probes(node: Node, port: int | None) -> ExitStack | WebServer:
    """Return a server of `/healthz`, `/readyz` and `/metrics`; nothing without a port."""
    if port is None:
        return ExitStack()
    settings = node.settings
    routes = [
        *make_health_routes(node.tracker, node.archive, settings, utc_now),
        make_metrics_route(NodeGauges(node.tracker, node.archive, settings, utc_now)),
    ]
    return WebServer(Starlette(routes=routes), settings.web.host, port)
