"""Who may open an association: the calling AE title, its address, and the AE title it calls."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from secondread.accept.refusal_counts import Caller
from secondread.reasons import Reason
from secondread.settings import Settings

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class AssociationRejection(NamedTuple):
    """Result, source and reason of an A-ASSOCIATE-RJ PDU (PS3.8 table 9-21)."""

    result: int
    source: int
    diagnostic: int


ASSOCIATION_REJECTIONS: Mapping[Reason, AssociationRejection] = {
    Reason.CALLING_AE_UNKNOWN: AssociationRejection(1, 1, 3),
    # The same as to an unknown title, so that a stranger does not learn which titles are known.
    Reason.ADDRESS_UNEXPECTED: AssociationRejection(1, 1, 3),
    Reason.CALLED_AE_UNKNOWN: AssociationRejection(1, 1, 7),
    Reason.TOO_MANY_ASSOCIATIONS: AssociationRejection(2, 3, 2),
}
"""How each reason is encoded for the peer."""


@dataclass(frozen=True, slots=True)
class Admission:
    """The allow-list: who may open an association."""

    called_ae_title: str
    accepts_unknown: bool
    networks: Mapping[str, tuple[_Network, ...]]
    """Networks by known calling AE title; empty: any address."""
    destinations: frozenset[str] = frozenset()
    """AE titles that results go to. One that is not a peer may report on storage commitments, and
    do nothing else."""

    @classmethod
    def from_settings(cls, settings: Settings) -> "Admission":
        """Read peers, destinations, `receive.unknown_peers` and `node.ae_title`."""
        return cls(
            called_ae_title=settings.node.ae_title.strip(),
            accepts_unknown=settings.receive.unknown_peers == "accept",
            networks={
                peer.ae_title.strip(): tuple(
                    ipaddress.ip_network(text, strict=False) for text in peer.addresses
                )
                for peer in settings.peers
            },
            destinations=frozenset(
                destination.ae_title.strip() for destination in settings.destinations
            ),
        )

    def find_refusal_reason(self, caller: Caller) -> Reason | None:
        """Return why a caller is refused, or None if it is let in."""
        if caller.called_ae_title != self.called_ae_title:
            return Reason.CALLED_AE_UNKNOWN
        networks = self.networks.get(caller.calling_ae_title)
        if networks is None:
            return None if self.accepts_unknown else Reason.CALLING_AE_UNKNOWN
        if networks and not _is_in_networks(caller.address, networks):
            return Reason.ADDRESS_UNEXPECTED
        return None


def _is_in_networks(text: str, networks: tuple[_Network, ...]) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
