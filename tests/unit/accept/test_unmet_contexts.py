"""Which of the contexts that were rejected kept a peer from sending something."""

import pytest
from pynetdicom.presentation import PresentationContext, build_context

from secondread.accept.unmet_contexts import Negotiation, find_unmet_contexts

ECHO, MG, SC, US, CT = "1.2.840.10008.1.1", "1.2.1", "1.2.2", "1.2.3", "1.2.4"
EVERYTHING = [f"1.3.{number}" for number in range(100)]


def negotiate(*proposed: str, accepted: tuple[str, ...] = (MG, SC, ECHO)) -> Negotiation:
    contexts: list[PresentationContext] = [build_context(uid) for uid in proposed]
    taken = [context for context in contexts if context.abstract_syntax in accepted]
    return Negotiation(contexts, taken, [context for context in contexts if context not in taken])


@pytest.mark.parametrize(
    ("contexts", "used", "unmet"),
    [
        # Proposes what it sends: each class that is rejected was meant.
        (negotiate(MG, US), {MG}, [US]),
        (negotiate(ECHO, MG, SC, US), {MG}, [US]),
        (negotiate(CT), set(), [CT]),
        (negotiate(MG, US, CT, *EVERYTHING[:4]), {MG}, [US, CT, *EVERYTHING[:4]]),
        # Proposes everything.
        (negotiate(MG, SC, *EVERYTHING), {MG}, []),
        (negotiate(CT, MG, SC, *EVERYTHING), set(), [CT]),
        (negotiate(MG, SC, CT, *EVERYTHING), set(), []),
        # Nobody was kept from anything.
        (negotiate(MG, SC), {MG}, []),
        (negotiate(ECHO, accepted=()), set(), []),
        (Negotiation(), set(), []),
    ],
)
def test_what_a_peer_would_have_sent_is_told_from_what_it_only_proposes(
    contexts: Negotiation, used: set[str], unmet: list[str]
) -> None:
    assert [str(cx.abstract_syntax) for cx in find_unmet_contexts(contexts, used)] == unmet


def test_a_class_that_was_accepted_in_another_syntax_was_not_refused() -> None:
    other = build_context(MG, "1.2.840.10008.1.2.4.201")
    contexts = Negotiation([other, build_context(MG)], [build_context(MG)], [other])
    assert find_unmet_contexts(contexts, {MG}) == []
