"""The associations that are open in this process, shared by all of their threads."""

import threading
import time
from dataclasses import dataclass
from typing import cast

from pynetdicom.association import Association

from secondread.accept.ledger import PeerAssociation
from secondread.accept.refusal_counts import Caller
from secondread.accept.upper_layer import PeerSocket

_BREAK_SECONDS = 2.0
"""How long the threads of an association may take to end once its connection is broken."""


@dataclass(slots=True)
class OpenAssociation:
    """One open association; changed by its own threads, read by the one that ends all."""

    association: Association
    peer: PeerAssociation
    caller: Caller
    is_recorded: bool = False
    """Whether the ledger knows of it."""
    is_answering: bool = False
    """Whether a request is between its last byte and its answer."""

    @property
    def socket(self) -> PeerSocket:
        """Its connection."""
        return cast(PeerSocket, self.association.dul.socket)

    @property
    def is_busy(self) -> bool:
        """Whether a request is arriving, waiting to be served, or being answered."""
        dimse = self.association.dimse
        return self.is_answering or dimse.message is not None or not dimse.msg_queue.empty()


class OpenAssociations:
    """Which associations are open, at most `maximum` of them."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._open: dict[Association, OpenAssociation] = {}
        self._lock = threading.Lock()

    def add(self, opened: OpenAssociation) -> bool:
        """Count an association as open; return False if too many are."""
        with self._lock:
            if len(self._open) >= self._maximum:
                return False
            self._open[opened.association] = opened
            return True

    def find(self, association: Association) -> OpenAssociation | None:
        """Return what is known of an association; None if it was never let in."""
        with self._lock:
            return self._open.get(association)

    def remove(self, association: Association) -> OpenAssociation | None:
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
        aborted: set[Association] = set()
        while (remaining := self.list_open()) and time.monotonic() < deadline:
            for opened in remaining:
                if opened.association not in aborted and not opened.is_busy:
                    aborted.add(opened.association)
                    # It waits for the association's threads, which may wait for the peer.
                    threading.Thread(target=opened.association.abort, daemon=True).start()
            time.sleep(0.01)
        for opened in self.list_open():
            opened.socket.break_connection()
        deadline = time.monotonic() + _BREAK_SECONDS
        while self.list_open() and time.monotonic() < deadline:
            time.sleep(0.01)
