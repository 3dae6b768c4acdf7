"""The associations that are open in this process, shared by all of their threads."""

import threading
from dataclasses import dataclass

from pynetdicom.association import Association

from secondread.accept.ledger import PeerAssociation
from secondread.accept.refusals import Caller


@dataclass(slots=True)
class Session:
    """One open association; written by its own thread, looked at when the receiver stops."""

    peer: PeerAssociation
    caller: Caller
    is_announced: bool = False
    """Whether the ledger knows of it."""
    is_answering: bool = False
    """Whether a request is between its last byte and its answer."""


class Sessions:
    """Which associations are open, at most `maximum` of them."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._open: dict[Association, Session] = {}
        self._lock = threading.Lock()

    def enter(self, association: Association, session: Session) -> bool:
        """Count an association as open; False if too many are."""
        with self._lock:
            if len(self._open) >= self._maximum:
                return False
            self._open[association] = session
            return True

    def of(self, association: Association) -> Session | None:
        """Return an open association's session; None if it was never let in."""
        with self._lock:
            return self._open.get(association)

    def leave(self, association: Association) -> Session | None:
        """Count an association as ended, and return its session."""
        with self._lock:
            return self._open.pop(association, None)

    def open(self) -> list[tuple[Association, Session]]:
        """Those open at this moment."""
        with self._lock:
            return list(self._open.items())
