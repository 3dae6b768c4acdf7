"""Which presentation contexts a peer was refused that it needed: for what it would have sent.

Many peers propose every class that they know on every association, Orthanc among them, and send
one or two of them: a class of those that is rejected keeps nothing back. Others propose just what
they are about to send, and leave out, or stop at, what was rejected. What they say is the same;
how they go on tells them apart. So it is decided when the association ends.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from pynetdicom.presentation import PresentationContext

_VERIFICATION: Final = "1.2.840.10008.1.1"
"""Proposed beside anything, and says nothing of it."""

MOST_SELECTED: Final = 4
"""A peer that proposes no more classes is taken to have something to send of each."""


@dataclass(frozen=True, slots=True)
class Negotiation:
    """The presentation contexts of one association."""

    proposed: Sequence[PresentationContext] = ()
    """What the peer asked for, in its order."""
    accepted: Sequence[PresentationContext] = ()
    rejected: Sequence[PresentationContext] = ()


def find_unmet_contexts(contexts: Negotiation, used: Collection[str]) -> list[PresentationContext]:
    """Return the rejected contexts that kept something back, one for each class.

    Parameters
    ----------
    contexts
        Of an association that has ended.
    used
        SOP classes of which requests came over it.
    """
    wanted, accepted = _list_classes(contexts.proposed), _list_classes(contexts.accepted)
    first_rejected = {
        str(context.abstract_syntax): context
        for context in reversed(contexts.rejected)
        if context.abstract_syntax != _VERIFICATION
    }
    if len(wanted) <= MOST_SELECTED or all(uid in used for uid in accepted):
        return [first_rejected[uid] for uid in wanted if uid in first_rejected.keys() - accepted]
    # One that proposes everything begins with what it is there for: Orthanc, for one.
    if not used and wanted and wanted[0] in first_rejected:
        return [first_rejected[wanted[0]]]
    return []


def _list_classes(contexts: Sequence[PresentationContext]) -> list[str]:
    uids = dict.fromkeys(str(context.abstract_syntax) for context in contexts)
    return [uid for uid in uids if uid != _VERIFICATION]
