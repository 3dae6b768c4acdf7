"""The receiver's process: SCP and heartbeat."""

import socket
import sys
import threading

from secondread import __version__, log
from secondread.accept.ledger import Ledger
from secondread.accept.scp import Receiver
from secondread.app.arenas import limit_arenas
from secondread.app.heartbeat import Heartbeat
from secondread.app.node import Node, open_node
from secondread.app.reconcile import Reconciliation
from secondread.app.signals import make_stop_event
from secondread.app.vital import VitalThreads
from secondread.app.web_server import serve_probes
from secondread.clock import utc_now
from secondread.errors import TransientError
from secondread.settings import Settings
from secondread.track.change_rights import ChangeRights

_log = log.get_logger(__name__)

_SWITCH_SECONDS = 0.0005
"""How long a thread may run before another has its turn: Python's 5 ms add up for a peer whose
request waits a dozen times for the interpreter, beside many busy ones."""

GRACE_SECONDS = 10.0
"""How long instances on the wire may take to arrive when the receiver is asked to stop."""


def run_receiver(settings: Settings, parent: int | None, probe_port: int | None) -> None:
    """Receive until asked to stop."""
    stop = make_stop_event(parent)
    sys.setswitchinterval(_SWITCH_SECONDS)
    limit_arenas()
    node = open_node(settings)
    name = f"receive-{socket.gethostname()}-{settings.receive.port}"
    ledger = node.tracker.open_ledger(name, settings.assemble, ChangeRights.from_settings(settings))
    receiver = Receiver(settings, node.archive, ledger, node.tracker.proofs, utc_now)
    receiver.start()
    _log.info(
        "receiver_open_to",
        version=__version__,
        ae_title=settings.node.ae_title,
        tls=settings.receive.tls is not None,
        peers=[peer.ae_title for peer in settings.peers],
        unknown_peers=settings.receive.unknown_peers,
    )
    heartbeat = Heartbeat(node, name, "receive")
    vital = VitalThreads(
        {"heartbeat": lambda: heartbeat.is_alive, "receiver": lambda: receiver.is_alive}
    )
    with heartbeat, serve_probes(node, probe_port, vital.check):
        reconciling = threading.Thread(
            target=_reconcile, args=(node, ledger, stop), name="reconcile", daemon=True
        )
        reconciling.start()
        vital.wait(stop)
        reconciling.join(GRACE_SECONDS)
    receiver.stop(GRACE_SECONDS)


def _reconcile(node: Node, ledger: Ledger, stop: threading.Event) -> None:
    """Compare archive and database in the background, as soon as the database answers."""
    reconciliation = Reconciliation(node.archive, node.tracker, ledger, utc_now)
    while not stop.is_set():
        try:
            reconciliation.compare(stop)
        except TransientError as error:
            _log.warning("reconciliation_postponed", why=str(error))
            stop.wait(60.0)
        else:
            return
