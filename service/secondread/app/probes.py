"""The probes of a process that runs alone; what a web server takes is loaded where there is one."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from secondread.app.node import Node

if TYPE_CHECKING:
    from secondread.watch.health import ReadinessCheck


def serve_probes(
    node: Node, port: int | None, check_process: "Callable[[], ReadinessCheck] | None" = None
) -> AbstractContextManager[object]:
    """Return a server of `/healthz`, `/readyz` and `/metrics`; nothing without a port.

    `check_process` is one more check of `/readyz`, of this process itself.
    """
    if port is None:
        return nullcontext()
    from secondread.app.web_server import make_probe_server

    return make_probe_server(node, port, check_process)
