"""Who is believed that an instance comes because this node asked for it by C-MOVE.

A C-STORE request that belongs to a C-MOVE names who started it (Move Originator, PS3.7 9.1.1.1.6).
Any peer can write that. What came on request is a prior, and is kept apart where it was not asked
for, so only the archives that this node asks are believed.
"""

import ipaddress
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field

from secondread.accept.refusal_counts import Caller
from secondread.settings import RetrieveMethod, Settings

_RESOLVED_FOR_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class MoveSources:
    """The archives that this node asks to send priors."""

    own_ae_title: str
    ae_titles: frozenset[str] = frozenset()
    """Theirs."""
    hosts: frozenset[str] = frozenset()
    """Where they are; what calls from there under another title may send on behalf of one."""
    _resolved: dict[str, tuple[float, frozenset[str]]] = field(default_factory=dict)
    """Addresses by host, with the time until which they are taken for right."""

    @classmethod
    def from_settings(cls, settings: Settings) -> "MoveSources":
        """Read the sources of priors that deliver over associations of their own."""
        sources = [
            source
            for source in settings.priors.active_sources
            if source.retrieve is RetrieveMethod.MOVE
        ]
        return cls(
            settings.node.ae_title,
            frozenset(source.ae_title for source in sources),
            frozenset(source.host for source in sources),
        )

    def claims_own_move(self, request: object) -> bool:
        """Whether a C-STORE request says that it belongs to a C-MOVE of this node."""
        title = getattr(request, "MoveOriginatorApplicationEntityTitle", None)
        return title is not None and str(title).strip() == self.own_ae_title

    def believes(self, caller: Caller) -> bool:
        """Whether such a request is believed from a caller; it may wait for a name server."""
        if caller.calling_ae_title in self.ae_titles:
            return True
        address = _normalize(caller.address)
        if ipaddress.ip_address(address).is_loopback:
            return False  # it is that of every program on this machine
        return any(address in self._resolve(host) for host in self.hosts)

    def _resolve(self, host: str) -> frozenset[str]:
        until, addresses = self._resolved.get(host, (0.0, frozenset()))
        if time.monotonic() < until:
            return addresses
        addresses = frozenset()
        with suppress(OSError):  # a name that is not known now is nobody's
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            addresses = frozenset(_normalize(str(entry[4][0])) for entry in found)
        self._resolved[host] = (time.monotonic() + _RESOLVED_FOR_SECONDS, addresses)
        return addresses


def _normalize(text: str) -> str:
    """Return an address in one spelling; an IPv4 address that came over IPv6 as IPv4."""
    address = ipaddress.ip_address(text.partition("%")[0])
    return str(getattr(address, "ipv4_mapped", None) or address)
