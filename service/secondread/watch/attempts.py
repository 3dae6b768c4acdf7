"""How often strangers may try to get in: pauses that grow, in bounded memory.

Tokens cannot be guessed; the pauses keep whoever tries from costing the node its database, and the
log its readability. They delay an address, never an account, and an address that got in lately is
not delayed for what others do.
"""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

FREE_FAILURES = 5
"""An address may fail this often without a pause."""

LONGEST_PAUSE_SECONDS = 60.0
FORGET_AFTER_SECONDS = 900.0
"""An address that has not tried for so long begins anew."""

MOST_ADDRESSES = 4096
"""How many addresses are remembered; beyond that, the one that tried longest ago is forgotten."""

FAILURES_OF_ALL = 100
"""Failures of all addresses together, above which strangers wait..."""

FAILURES_FORGIVEN_A_SECOND = 1.0
"""... until enough are forgiven."""


@dataclass(frozen=True, slots=True)
class _Record:
    failures: int = 0
    tried_at: float = 0.0
    has_succeeded: bool = False


_NEVER_TRIED = _Record()


class Attempts:
    """The attempts to get in, by address.

    Instants are seconds of a monotonic clock.
    """

    def __init__(self) -> None:
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._failures_of_all = 0.0
        self._counted_at = 0.0

    def compute_wait(self, address: str, now: float) -> float:
        """Return how many seconds an address has to wait before it may try; 0 for not at all."""
        record = self._find(address, now)
        return max(_compute_pause(record, now), self._compute_pause_of_all(record, now))

    def fail(self, address: str, now: float) -> None:
        """Count an attempt that failed."""
        self._forgive(now)
        self._failures_of_all += 1
        record = self._find(address, now)
        self._keep(address, _Record(record.failures + 1, now, record.has_succeeded))

    def succeed(self, address: str, now: float) -> None:
        """Count an attempt that succeeded: what failed before is forgiven."""
        self._keep(address, _Record(tried_at=now, has_succeeded=True))

    def _find(self, address: str, now: float) -> _Record:
        record = self._records.get(_group_address(address), _NEVER_TRIED)
        return record if now - record.tried_at <= FORGET_AFTER_SECONDS else _NEVER_TRIED

    def _keep(self, address: str, record: _Record) -> None:
        key = _group_address(address)
        self._records[key] = record
        self._records.move_to_end(key)
        if len(self._records) > MOST_ADDRESSES:
            self._records.popitem(last=False)

    def _compute_pause_of_all(self, record: _Record, now: float) -> float:
        self._forgive(now)
        if record.has_succeeded or self._failures_of_all < FAILURES_OF_ALL:
            return 0.0
        excess = self._failures_of_all - FAILURES_OF_ALL + 1
        return excess / FAILURES_FORGIVEN_A_SECOND

    def _forgive(self, now: float) -> None:
        forgiven = (now - self._counted_at) * FAILURES_FORGIVEN_A_SECOND
        self._failures_of_all = max(self._failures_of_all - forgiven, 0.0)
        self._counted_at = now


def _compute_pause(record: _Record, now: float) -> float:
    if record.failures < FREE_FAILURES:
        return 0.0
    exponent = min(record.failures - FREE_FAILURES, 10)  # 2**10 is beyond the longest pause
    pause = min(2.0**exponent, LONGEST_PAUSE_SECONDS)
    return max(record.tried_at + pause - now, 0.0)


def _group_address(address: str) -> str:
    """Return what counts as one address: of IPv6, the network that one subscriber is given.

    >>> _group_address("2001:db8::1") == _group_address("2001:db8::2")
    True
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if ip.version == 6:
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
