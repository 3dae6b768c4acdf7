"""What peers were refused, taken together in memory so that a hostile scan cannot flood SQL."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import NamedTuple

from secondread.accept.ledger import Refusal, RefusalKind
from secondread.metrics import REFUSALS
from secondread.reasons import Reason

OTHERS = "(others)"
"""Stands in the place of a peer's texts when there were too many different ones."""

MAXIMUM_KEYS_PER_DAY = 1000
"""How many different refusals are told apart in a day."""


class Caller(NamedTuple):
    """Who called: the texts are the peer's own words."""

    calling_ae_title: str
    called_ae_title: str
    address: str
    """Its IP address."""


class _Kind(NamedTuple):
    """What makes two refusals alike."""

    what: RefusalKind
    reason: Reason
    caller: Caller
    sop_class_uid: str
    transfer_syntax: str


def make_printable(text: str, length: int) -> str:
    r"""Return at most `length` characters of a peer's text, without what is not printable ASCII.

    >>> make_printable("SCAN\x1b[31mNER  ", 16)
    'SCAN?[31mNER'
    """
    cleaned = "".join(letter if " " <= letter <= "~" else "?" for letter in text[:length])
    return cleaned.strip()


class RefusalLog:
    """Counts refusals by kind, and hands them to the ledger from time to time.

    The number of kinds a day is bounded; further ones are counted under `OTHERS`, which leaves
    at most one row for each thing refused and reason.
    """

    def __init__(self) -> None:
        self._waiting: dict[_Kind, Refusal] = {}
        self._known: set[_Kind] = set()
        self._day = date.min
        self._lock = threading.Lock()

    def add_refusal(
        self,
        what: RefusalKind,
        reason: Reason,
        caller: Caller,
        at: datetime,
        *,
        sop_class_uid: str = "",
        transfer_syntax: str = "",
    ) -> None:
        """Count one refusal."""
        REFUSALS.labels(what=what.value, reason=reason.value).inc()
        cleaned = Caller(
            make_printable(caller.calling_ae_title, 16),
            make_printable(caller.called_ae_title, 16),
            make_printable(caller.address, 45),
        )
        kind = _Kind(
            what,
            reason,
            cleaned,
            make_printable(sop_class_uid, 64),
            make_printable(transfer_syntax, 64),
        )
        with self._lock:
            self._count(_refusal(self._bounded(kind, at.date()), at))

    def flush(self, write: Callable[[Sequence[Refusal]], None]) -> None:
        """Write what was counted since the last time; what cannot be written stays counted.

        Raises
        ------
        Exception
            What `write` raised.
        """
        with self._lock:
            taken, self._waiting = self._waiting, {}
        if not taken:
            return
        try:
            write(list(taken.values()))
        except Exception:
            with self._lock:
                for refusal in taken.values():
                    self._count(refusal)
            raise

    def _bounded(self, kind: _Kind, day: date) -> _Kind:
        """The kind itself, or the collecting one if too many are told apart already."""
        if day > self._day:
            self._day, self._known = day, set()
        if kind not in self._known:
            if len(self._known) >= MAXIMUM_KEYS_PER_DAY:
                return _Kind(kind.what, kind.reason, Caller(OTHERS, OTHERS, OTHERS), "", "")
            self._known.add(kind)
        return kind

    def _count(self, refusal: Refusal) -> None:
        kind = _kind_of(refusal)
        before = self._waiting.get(kind)
        if before is not None:
            refusal = replace(
                before,
                count=before.count + refusal.count,
                first_at=min(before.first_at, refusal.first_at),
                last_at=max(before.last_at, refusal.last_at),
            )
        self._waiting[kind] = refusal


def _refusal(kind: _Kind, at: datetime) -> Refusal:
    return Refusal(
        kind=kind.what,
        reason=kind.reason,
        calling_ae_title=kind.caller.calling_ae_title,
        called_ae_title=kind.caller.called_ae_title,
        address=kind.caller.address,
        sop_class_uid=kind.sop_class_uid,
        transfer_syntax=kind.transfer_syntax,
        count=1,
        first_at=at,
        last_at=at,
    )


def _kind_of(refusal: Refusal) -> _Kind:
    caller = Caller(refusal.calling_ae_title, refusal.called_ae_title, refusal.address)
    return _Kind(
        refusal.kind, refusal.reason, caller, refusal.sop_class_uid, refusal.transfer_syntax
    )
