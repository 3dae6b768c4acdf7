"""The web process: operations pages, health checks, metrics."""

import threading

import uvicorn

from secondread import __version__, log
from secondread.app.heartbeat import Heartbeat
from secondread.app.node import open_node
from secondread.app.signals import stop_event, stop_with_parent
from secondread.clock import utc_now
from secondread.settings import Settings
from secondread.watch.pages import app

_log = log.get(__name__)


def run(settings: Settings, parent: int | None) -> None:
    """Serve the pages until asked to stop."""
    stop = stop_event()
    if parent is not None:
        stop_with_parent(parent)
    node = open_node(settings)
    pages = app(node.tracker, node.archive, settings, utc_now)
    config = uvicorn.Config(
        pages, host=settings.web.host, port=settings.web.port, log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    # uvicorn takes the signals over when it runs in the main thread; ours decide here.
    thread = threading.Thread(target=server.run, name="web", daemon=True)
    with Heartbeat(node.tracker, "web", "web", settings.work.heartbeat_seconds):
        thread.start()
        _log.info(
            "web_started", version=__version__, host=settings.web.host, port=settings.web.port
        )
        while thread.is_alive() and not stop.wait(0.2):
            pass
        server.should_exit = True
        thread.join(5.0)
    _log.info("web_stopped")
