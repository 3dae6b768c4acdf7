"""What peers were refused, counted in memory so that a hostile scan cannot flood SQL."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import NamedTuple

from secondread.accept.ledger import Refusal, RefusalKind
from secondread.metrics import REFUSALS
from secondread.reasons import Reason
from secondread.uids import quote_uid

OTHERS = "(others)"
"""Takes the place of a peer's texts when there were too many different ones."""

MAXIMUM_KEYS_PER_DAY = 1000
"""How many different refusals are counted separately in a day."""


PAUSE_BETWEEN_RECORDS = timedelta(minutes=1)
"""Between two records of the log about refusals that are alike."""


class Caller(NamedTuple):
    """Who called; the texts come from the peer."""

    calling_ae_title: str
    called_ae_title: str
    address: str
    """Its IP address."""


class _RefusalKey(NamedTuple):
    """What makes two refusals alike: the first fields of `Refusal`."""

    kind: RefusalKind
    reason: Reason
    calling_ae_title: str
    called_ae_title: str
    address: str
    sop_class_uid: str
    transfer_syntax: str


def make_printable(text: str, length: int) -> str:
    r"""Return at most `length` characters of a peer's text, with what is not printable as "?".

    >>> make_printable("SCAN\x1b[31mNER  ", 16)
    'SCAN?[31mNER'
    """
    cleaned = "".join(letter if " " <= letter <= "~" else "?" for letter in text[:length])
    return cleaned.strip()


class RefusalLog:
    """Counts refusals by kind, and hands them to the ledger from time to time.

    The number of different ones a day is bounded; further ones are counted under `OTHERS`, which
    leaves at most one row for each kind and reason.
    """

    def __init__(self) -> None:
        self._waiting: dict[_RefusalKey, Refusal] = {}
        self._keys_today: set[_RefusalKey] = set()
        self._records: dict[_RefusalKey, tuple[datetime | None, int]] = {}
        """When each kind was last due for a record, and how many have come since."""
        self._today = date.min
        self._lock = threading.Lock()

    def add_refusal(
        self,
        kind: RefusalKind,
        reason: Reason,
        caller: Caller,
        at: datetime,
        *,
        sop_class_uid: str = "",
        transfer_syntax: str = "",
    ) -> int:
        """Count one refusal; return how many a record of the log is due for, 0 if none is.

        A record is due for the first of its kind, and then for all that came since the last one:
        whoever calls all the time, as a health check in the wrong place does, fills no log.
        """
        REFUSALS.labels(what=kind.value, reason=reason.value).inc()
        key = _RefusalKey(
            kind,
            reason,
            make_printable(caller.calling_ae_title, 16),
            make_printable(caller.called_ae_title, 16),
            make_printable(caller.address, 45),
            quote_uid(sop_class_uid),
            quote_uid(transfer_syntax),
        )
        with self._lock:
            key = self._limit_keys(key, at.date())
            self._count(key, Refusal(*key, count=1, first_at=at, last_at=at))
            return self._take_unrecorded(key, at)

    def _take_unrecorded(self, key: _RefusalKey, at: datetime) -> int:
        last, number = self._records.get(key, (None, 0))
        is_recent = last is not None and timedelta(0) <= at - last < PAUSE_BETWEEN_RECORDS
        self._records[key] = (last, number + 1) if is_recent else (at, 0)
        return 0 if is_recent else number + 1

    def flush(self, write: Callable[[Sequence[Refusal]], None]) -> None:
        """Write what was counted since the last time; what cannot be written stays counted.

        Raises
        ------
        Exception
            What `write` raised.
        """
        with self._lock:
            batch, self._waiting = self._waiting, {}
        if not batch:
            return
        try:
            write(list(batch.values()))
        except Exception:
            with self._lock:
                for key, refusal in batch.items():
                    self._count(key, refusal)
            raise

    def _limit_keys(self, key: _RefusalKey, day: date) -> _RefusalKey:
        """Return the key itself, or that of all others if too many are counted separately."""
        if day > self._today:
            self._today, self._keys_today, self._records = day, set(), {}
        if key not in self._keys_today:
            if len(self._keys_today) >= MAXIMUM_KEYS_PER_DAY:
                return _RefusalKey(key.kind, key.reason, OTHERS, OTHERS, OTHERS, "", "")
            self._keys_today.add(key)
        return key

    def _count(self, key: _RefusalKey, refusal: Refusal) -> None:
        counted = self._waiting.get(key)
        if counted is not None:
            refusal = replace(
                counted,
                count=counted.count + refusal.count,
                first_at=min(counted.first_at, refusal.first_at),
                last_at=max(counted.last_at, refusal.last_at),
            )
        self._waiting[key] = refusal
