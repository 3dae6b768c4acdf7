"""The associations that are open in this process, shared by all of their threads."""

import threading
import time
from dataclasses import dataclass, field

from secondread.accept.ledger import PeerAssociation
from secondread.accept.peer_socket import PeerSocket
from secondread.accept.refusal_counts import Caller
from secondread.accept.served_association import ServedAssociation
from secondread.accept.transfers import TransferCount
from secondread.accept.unmet_contexts import Negotiation
from secondread.accept.upper_layer import BoundedDimse

_BREAK_SECONDS = 2.0
"""How long the threads of an association may take to end once its connection is broken."""


@dataclass(slots=True)
class OpenAssociation:
    """One open association; changed by its own threads, read by the one that ends all."""

    association: ServedAssociation
    peer: PeerAssociation
    caller: Caller
    socket: PeerSocket = field(init=False)
    """Its connection."""
    transfers: TransferCount = field(default_factory=TransferCount)
    """What it has brought."""
    contexts: Negotiation = field(default_factory=Negotiation)
    """What it proposed, and what became of that."""
    used: set[str] = field(default_factory=set)
    """SOP classes of which requests came."""
    is_recorded: bool = False
    """Whether the ledger knows of it."""
    is_answering: bool = False
    """Whether a request is between its last byte and its answer."""
    is_disbelieved: bool = False
    """Whether it has said of an instance that this node asked for it, and was not believed."""
    _dimse: BoundedDimse = field(init=False)

    def __post_init__(self) -> None:
        # The association itself is taken apart when it ends, in its own thread.
        self.socket = self.association.dul.peer
        self._dimse = self.association.dimse

    @property
    def is_busy(self) -> bool:
        """Whether a request is arriving, waiting to be served, or being answered."""
        dimse = self._dimse
        return self.is_answering or dimse.message is not None or not dimse.msg_queue.empty()


class OpenAssociations:
    """Which associations are open."""

    def __init__(self) -> None:
        self._open: dict[ServedAssociation, OpenAssociation] = {}
        self._lock = threading.Lock()

    def add(self, opened: OpenAssociation) -> None:
        """Count an association as open."""
        with self._lock:
            self._open[opened.association] = opened

    def find(self, association: ServedAssociation) -> OpenAssociation | None:
        """Return what is known of an association; None if it was never let in."""
        with self._lock:
            return self._open.get(association)

    def remove(self, association: ServedAssociation) -> OpenAssociation | None:
        """Count an association as ended, and return what was known of it."""
        with self._lock:
            return self._open.pop(association, None)

    def list_open(self) -> list[OpenAssociation]:
        """Return those that are open at this moment."""
        with self._lock:
            return list(self._open.values())

    def end_all(self, grace_seconds: float) -> None:
        """Abort each association when it is idle; break those that are busy after the grace."""
        deadline = time.monotonic() + grace_seconds
        asked: set[ServedAssociation] = set()
        while (remaining := self.list_open()) and time.monotonic() < deadline:
            for opened in remaining:
                if opened.association not in asked and not opened.is_busy:
                    asked.add(opened.association)
                    opened.socket.ask_to_end()
            time.sleep(0.01)
        for opened in self.list_open():
            opened.socket.break_connection()
        deadline = time.monotonic() + _BREAK_SECONDS
        while self.list_open() and time.monotonic() < deadline:
            time.sleep(0.01)
