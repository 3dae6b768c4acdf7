"""Who may replace an image that is here, or reject one.

Anybody who may call may add to a study. What is there already is changed by the peer that it came
from, and by the archive: whoever else could do so could take a finding off the workstation.

DICOM has no proof of a calling AE title. Where the settings list a peer's addresses, the receiver
has compared them; where they do not, a peer is taken for the one that sent an image only if it
calls from the same address.
"""

from dataclasses import dataclass
from typing import NamedTuple

from secondread.settings import Settings


class Sender(NamedTuple):
    """Who sent something."""

    peer: str
    """Its calling AE title."""
    address: str
    """Its IP address."""


@dataclass(frozen=True, slots=True)
class ChangeRights:
    """Which peers may change which images, by AE title."""

    everything: frozenset[str] = frozenset()
    """They may change any image."""
    nothing: frozenset[str] = frozenset()
    """They may change no image, not even their own."""
    located: frozenset[str] = frozenset()
    """The settings list the addresses that they may call from."""

    @classmethod
    def from_settings(cls, settings: Settings) -> "ChangeRights":
        """Read `peers.may_change`; without it, destinations and sources of priors may."""
        archives = {destination.ae_title for destination in settings.destinations}
        archives |= {source.ae_title for source in settings.priors.sources}
        decided = {peer.ae_title: peer.may_change for peer in settings.peers}
        return cls(
            everything=frozenset(title for title, may in decided.items() if may)
            | frozenset(title for title in archives if decided.get(title) is None),
            nothing=frozenset(title for title, may in decided.items() if may is False),
            located=frozenset(peer.ae_title for peer in settings.peers if peer.addresses),
        )

    def may_change_any(self, sender: Sender) -> bool:
        """Whether a sender may change whatever image it is, also one that is not here yet."""
        return sender.peer in self.everything

    def may_change(self, sender: Sender, first: Sender) -> bool:
        """Whether a sender may change an image that `first` sent."""
        if sender.peer in self.nothing:
            return False
        return self.may_change_any(sender) or self.is_same(sender, first)

    def is_same(self, sender: Sender, first: Sender) -> bool:
        """Whether a sender is taken for the same peer as another."""
        is_same_place = sender.address == first.address or sender.peer in self.located
        return sender.peer == first.peer and is_same_place


OWN_ALONE = ChangeRights()
"""Everybody may change what it sent, and nothing else."""
