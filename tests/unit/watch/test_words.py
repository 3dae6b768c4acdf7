"""Words and tones: every state has its own, and none is shown by colour alone."""

from enum import StrEnum

import pytest

from secondread.reasons import ImageStatus, Outcome
from secondread.settings import DestinationMode, Proof
from secondread.track.states import DeliveryState, RevisionState, StudyState
from secondread.track.values import Severity
from secondread.watch.words import get_tone, get_word

KINDS: tuple[type[StrEnum], ...] = (
    StudyState,
    Outcome,
    ImageStatus,
    RevisionState,
    DeliveryState,
    Proof,
    DestinationMode,
    Severity,
)


@pytest.mark.parametrize("value", [value for kind in KINDS for value in kind], ids=repr)
def test_every_state_has_a_word_and_a_tone(value: StrEnum) -> None:
    assert get_word(value)
    assert get_tone(value) in {"good", "info", "warn", "bad", "idle"}


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_states_of_a_kind_share_a_word(kind: type[StrEnum]) -> None:
    words = [get_word(value) for value in kind]
    assert len(set(words)) == len(words)


def test_equal_values_of_two_kinds_keep_their_own_words() -> None:
    assert get_word(DestinationMode.SHADOW) == "shadow"
    assert get_word(DeliveryState.SHADOW) == "shadow: kept, would be sent"
