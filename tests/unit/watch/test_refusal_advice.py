"""The settings lines that would let a refused peer in are exact, and only where they help."""

import tomllib
from pathlib import Path

import pytest

from secondread.reasons import Reason
from secondread.settings import Settings, load_settings
from secondread.watch.words import find_advice, propose_settings
from tests.worlds.watch_world import refusal, settings


def test_the_lines_for_an_unknown_caller_are_settings_that_admit_it(tmp_path: Path) -> None:
    lines = propose_settings(refusal(calling_ae_title="MAMMO 3"), Settings())
    assert lines == '[[peers]]\nae_title = "MAMMO 3"\naddresses = ["10.20.4.33"]'
    file = tmp_path / "secondread.toml"
    file.write_text(lines)
    peer = load_settings(file, {}).find_peer("MAMMO 3")
    assert peer is not None
    assert peer.addresses == ("10.20.4.33",)


def test_a_quote_in_an_ae_title_is_escaped() -> None:
    lines = propose_settings(refusal(calling_ae_title='A"B'), Settings())
    assert lines is not None
    assert tomllib.loads(lines)["peers"][0]["ae_title"] == 'A"B'


@pytest.mark.parametrize("title", ["", "(others) and more than 16", "BACK\\SLASH", "  ", "ÄÖ"])
def test_words_that_are_no_ae_title_get_no_lines(title: str) -> None:
    assert propose_settings(refusal(calling_ae_title=title), Settings()) is None


def test_an_unexpected_address_is_added_to_those_of_the_peer() -> None:
    seen = refusal(
        reason=Reason.ADDRESS_UNEXPECTED, calling_ae_title="MAMMO_1", address="10.20.4.99"
    )
    lines = propose_settings(seen, settings())
    assert lines is not None
    assert tomllib.loads(lines) == {"addresses": ["10.20.4.31", "10.20.4.99"]}


def test_a_wrong_called_title_is_put_right_at_the_peer() -> None:
    seen = refusal(reason=Reason.CALLED_AE_UNKNOWN)
    assert propose_settings(seen, settings()) is None
    assert find_advice(seen, settings()) == "Let the peer call this node SECONDREAD."


def test_nothing_is_to_be_done_about_a_broken_association() -> None:
    seen = refusal(reason=Reason.ASSOCIATION_BROKEN)
    assert (propose_settings(seen, settings()), find_advice(seen, settings())) == (None, None)
