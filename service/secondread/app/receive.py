"""The receiver's process: SCP and heartbeat."""

import socket
import sys
import threading
from functools import partial

from secondread import __version__, log
from secondread.accept.archive import Archive
from secondread.accept.ledger import Ledger
from secondread.accept.scp import Receiver
from secondread.app.arenas import limit_arenas
from secondread.app.audit_trail import AuditTrail, record_refusals
from secondread.app.certificate_watch import ContextSource, watch_certificates
from secondread.app.disk_watch import watch_disk
from secondread.app.heartbeat import Heartbeat
from secondread.app.node import Node, make_tracker, open_node
from secondread.app.probes import serve_probes
from secondread.app.reconcile import Reconciliation
from secondread.app.signals import make_stop_event
from secondread.app.vital import VitalThreads
from secondread.clock import utc_now
from secondread.errors import DatabaseDamagedError, TransientError, describe_without_quoting
from secondread.settings import Settings
from secondread.track.change_rights import ChangeRights
from secondread.track.receiver_ledger import ReceiverLedger

_log = log.get_logger(__name__)

_SWITCH_SECONDS = 0.0005
"""How long a thread may run before another has its turn: Python's 5 ms add up for a peer whose
request waits a dozen times for the interpreter, beside many busy ones."""

_RETRY_SECONDS = 2.0
"""How often to try to open the node."""

GRACE_SECONDS = 10.0
"""How long instances on the wire may take to arrive when the receiver is asked to stop."""


def run_receiver(settings: Settings, parent: int | None, probe_port: int | None) -> None:
    """Receive until asked to stop.

    A full or read-only disk, or a database that is away, does not keep it from starting: it answers
    A700 until they are back.
    """
    stop = make_stop_event(parent)
    sys.setswitchinterval(_SWITCH_SECONDS)
    limit_arenas()
    opening = _Opening(settings)
    archive = Archive(settings.node.data_dir)
    tracker = make_tracker(settings, _name_receiver(settings))
    ledger = tracker.open_ledger(
        _name_receiver(settings), settings.assemble, ChangeRights.from_settings(settings)
    )
    opening.try_once()
    receiver = Receiver(
        settings, archive, ledger, tracker.proofs, utc_now, check_ledger=opening.check
    )
    receiver.start()
    _log.info(
        "receiver_open_to",
        version=__version__,
        ae_title=settings.node.ae_title,
        tls=settings.receive.tls is not None,
        peers=[peer.ae_title for peer in settings.peers],
        unknown_peers=settings.receive.unknown_peers,
    )
    try:
        node = opening.wait(stop)
        while node is not None and not stop.is_set():
            try:
                _run_beside(node, receiver, ledger, probe_port, stop)
            except TransientError as error:  # it could not even record that it lives
                _log.error("node_not_open", why=str(error))
                stop.wait(_RETRY_SECONDS)
    finally:
        receiver.stop(GRACE_SECONDS)


def _name_receiver(settings: Settings) -> str:
    return f"receive-{socket.gethostname()}-{settings.receive.port}"


class _Opening:
    """Opens the node, as soon as its disk and its database allow it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._node: Node | None = None
        self._why = "the database has not been reached since the start"

    def try_once(self) -> None:
        """Open the node, unless it is open.

        Raises
        ------
        SettingsError, DatabaseDamagedError
            Trying again would not help.
        """
        try:
            self._node = self._node or open_node(self._settings)
        except DatabaseDamagedError:
            raise
        except TransientError as error:
            self._why = str(error)

    def check(self) -> None:
        """Raise a TransientError while the node is not open."""
        if self._node is None:
            raise TransientError(self._why)

    def wait(self, stop: threading.Event) -> Node | None:
        """Return the node once it is open; None if `stop` is set before."""
        while self._node is None:
            _log.error("node_not_open", why=self._why)
            if stop.wait(_RETRY_SECONDS):
                return None
            self.try_once()
        return self._node


def _run_beside(
    node: Node,
    receiver: Receiver,
    ledger: ReceiverLedger,
    probe_port: int | None,
    stop: threading.Event,
) -> None:
    """Run what a receiver does besides receiving, until `stop` is set."""
    name = _name_receiver(node.settings)
    reconciling = threading.Thread(
        target=_reconcile, args=(node, ledger, stop), name="reconcile", daemon=True
    )
    heartbeat, trail = Heartbeat(node, name, "receive"), AuditTrail(node, name)
    ledger.on_refusals = partial(record_refusals, trail.record)
    vital = VitalThreads(
        {"heartbeat": lambda: heartbeat.is_alive, "receiver": lambda: receiver.is_alive}
    )
    contexts: dict[str, ContextSource] = {}
    if receiver.tls is not None:
        tls = receiver.tls
        contexts["receiver"] = lambda: tls
    with (
        heartbeat,
        trail,
        serve_probes(node, probe_port, vital.check),
        watch_disk(node, name),
        watch_certificates(node, contexts),
    ):
        reconciling.start()
        vital.wait(stop)
        # While there is a trail: what it records last are the callers that it turned away.
        receiver.stop(GRACE_SECONDS)
        reconciling.join(GRACE_SECONDS)


def _reconcile(node: Node, ledger: Ledger, stop: threading.Event) -> None:
    """Compare archive and database in the background, as soon as the database answers."""
    reconciliation = Reconciliation(node.archive, node.tracker, ledger, utc_now)
    while not stop.is_set():
        try:
            reconciliation.compare(stop)
        except TransientError as error:
            _log.warning("reconciliation_postponed", why=str(error))
            stop.wait(60.0)
        except Exception as error:  # noqa: BLE001  (a disk that fails under way, for example)
            _log.error("reconciliation_failed", error=describe_without_quoting(error))
            stop.wait(600.0)
        else:
            return
