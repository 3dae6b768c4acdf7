"""The web process: operations pages, health checks, metrics."""

import getpass
import sys

from secondread.app.audit_trail import AuditTrail
from secondread.app.heartbeat import Heartbeat
from secondread.app.node import open_node
from secondread.app.sign_in import make_login_link, prepare_first_token, warn_of_exposure
from secondread.app.signals import make_stop_event
from secondread.app.vital import LOOK_SECONDS, VitalThreads
from secondread.app.web_server import WebServer
from secondread.clock import utc_now
from secondread.settings import Role, Settings
from secondread.watch.application import make_app


def run_web_server(settings: Settings, parent: int | None) -> None:
    """Serve the pages until asked to stop."""
    stop = make_stop_event(parent)
    node = open_node(settings)
    prepare_first_token(node, utc_now())
    warn_of_exposure(settings.web)
    trail = AuditTrail(node, "web")
    pages = make_app(node.tracker, node.archive, settings, utc_now, trail.record)
    heartbeat = Heartbeat(node, "web", "web")
    with heartbeat, trail, WebServer(pages, settings.web) as server:
        if sys.stderr.isatty():
            # For the person at the terminal alone: a log would keep it.
            link = make_login_link(node, getpass.getuser(), Role.ADMIN, utc_now())
            sys.stderr.write(f"\nOperations page, signed in (once, within ten minutes): {link}\n\n")
        vital = VitalThreads({"heartbeat": lambda: heartbeat.is_alive})
        while server.is_alive and not stop.wait(LOOK_SECONDS):
            vital.end_if_lost()
    if not stop.is_set():
        # It ended by itself; the log counts what uvicorn had to say.
        sys.exit(1)
