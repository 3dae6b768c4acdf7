"""What passes for a UID, and what for one of our own."""

import pytest

from secondread.uids import is_standard_uid, is_uid


@pytest.mark.parametrize("text", ["1.2.3", "0.1", "2.25.0", "1.2." + "3" * 60])
def test_a_uid_as_the_standard_has_it_passes_for_both(text: str) -> None:
    assert is_uid(text)
    assert is_standard_uid(text)


@pytest.mark.parametrize("text", ["1.02.3", "00.1", "1.2.00", "1.2.840.0099.01"])
def test_leading_zeros_pass_for_a_uid_of_others_alone(text: str) -> None:
    assert is_uid(text)
    assert not is_standard_uid(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1..2",
        ".1.2",
        "1.2.",
        "1.2 ",
        "1.2\n",
        "1.2\0",
        "1,2",
        "1.a",
        "\u0661.2",
        "1." + "2" * 63,
    ],
)
def test_what_is_no_uid_passes_for_neither(text: str) -> None:
    assert not is_uid(text)
    assert not is_standard_uid(text)
