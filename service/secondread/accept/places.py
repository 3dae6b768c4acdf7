"""Who may hold how many associations at the same time."""

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from secondread.accept.refusal_counts import Caller
from secondread.settings import Settings

Connection = TypeVar("Connection")


@dataclass(frozen=True, slots=True)
class PlaceLimits:
    """How many associations may be open at the same time, and whose."""

    maximum: int
    """Altogether."""
    per_peer: int
    """Of one calling AE title."""
    per_address: int
    """From one IP address."""
    unknown: int
    """Of all callers together that are not in `known`."""
    reserved_per_peer: int
    """Kept free for each of `peers` while it does not use them."""
    peers: frozenset[str]
    """AE titles that places are reserved for."""
    known: frozenset[str]
    """AE titles that the settings name, `peers` among them."""

    @classmethod
    def from_settings(cls, settings: Settings) -> "PlaceLimits":
        """Read `[receive]`; no more than half of the places are reserved."""
        receive = settings.receive
        peers = frozenset(peer.ae_title.strip() for peer in settings.peers)
        others = frozenset(destination.ae_title.strip() for destination in settings.destinations)
        share = receive.maximum_associations // 2 // max(1, len(peers))
        return cls(
            maximum=receive.maximum_associations,
            per_peer=receive.maximum_per_peer,
            per_address=receive.maximum_per_address,
            unknown=receive.maximum_unknown,
            reserved_per_peer=min(receive.reserved_per_peer, share),
            peers=peers,
            known=peers | others,
        )


class Places:
    """The places for associations that are taken at this moment; may be called from any thread."""

    def __init__(self, limits: PlaceLimits) -> None:
        self._limits = limits
        self._by_title: Counter[str] = Counter()
        self._by_address: Counter[str] = Counter()
        self._unknown = 0
        self._lock = threading.Lock()

    def take(self, caller: Caller) -> bool:
        """Take a place for a caller; return False if there is none for it."""
        with self._lock:
            if not self._has_place(caller):
                return False
            self._by_title[caller.calling_ae_title] += 1
            self._by_address[caller.address] += 1
            self._unknown += caller.calling_ae_title not in self._limits.known
            return True

    def give_back(self, caller: Caller) -> None:
        """Free a place that was taken."""
        with self._lock:
            for count, key in (
                (self._by_title, caller.calling_ae_title),
                (self._by_address, caller.address),
            ):
                count[key] -= 1
                if not count[key]:  # strangers' titles must not pile up
                    del count[key]
            self._unknown -= caller.calling_ae_title not in self._limits.known

    def _has_place(self, caller: Caller) -> bool:
        limits, title = self._limits, caller.calling_ae_title
        taken = self._by_title.total()
        if title in limits.peers and self._by_title[title] < limits.reserved_per_peer:
            # Its own, whatever else comes from its address.
            return taken < limits.maximum
        reserved = sum(
            max(0, limits.reserved_per_peer - self._by_title[peer])
            for peer in limits.peers
            if peer != title
        )
        is_unknown = title not in limits.known
        return (
            taken + reserved < limits.maximum
            and self._by_title[title] < limits.per_peer
            and self._by_address[caller.address] < limits.per_address
            and not (is_unknown and self._unknown >= limits.unknown)
        )


class Turns:
    """Lets a few requests of each peer be stored at the same time; the others wait their turn.

    What is stored shares one processor and one writer of the database. A peer that sends over many
    associations at once would otherwise have all others wait behind each of them.

    Parameters
    ----------
    known
        AE titles that the settings name; all other callers take turns together.
    at_a_time
        How many requests of one peer.
    """

    def __init__(self, known: Iterable[str], at_a_time: int) -> None:
        self._strangers = threading.BoundedSemaphore(at_a_time)
        self._known = {title: threading.BoundedSemaphore(at_a_time) for title in known}

    def wait_for_one(self, caller: Caller) -> threading.Semaphore:
        """Return what is held while a request is stored; use it in a ``with`` statement."""
        return self._known.get(caller.calling_ae_title, self._strangers)


class WaitingRoom(Generic[Connection]):
    """Connections that have not asked for an association yet, a bounded number of them.

    Where it is full, whoever waits longest of the address with the most of them has to leave: a
    crowd of silent connections pushes out one another, and nobody who asks at once.

    Parameters
    ----------
    seats
        How many there are.
    """

    def __init__(self, seats: int) -> None:
        self._seats = seats
        self._waiting: dict[Connection, str] = {}
        self._lock = threading.Lock()

    def enter(self, connection: Connection, address: str) -> Connection | None:
        """Take a seat; return the connection that has to leave for it, if there is one."""
        with self._lock:
            displaced = self._choose_displaced() if len(self._waiting) >= self._seats else None
            if displaced is not None:
                del self._waiting[displaced]
            self._waiting[connection] = address
            return displaced

    def leave(self, connection: Connection) -> None:
        """Free a connection's seat, if it has one."""
        with self._lock:
            self._waiting.pop(connection, None)

    def _choose_displaced(self) -> Connection:
        crowd, _ = Counter(self._waiting.values()).most_common(1)[0]
        return next(waiting for waiting, address in self._waiting.items() if address == crowd)
