"""Concept names against pydicom's copy of PS3.16 Annex D."""

from typing import cast

import pytest
from pydicom.sr import _concepts_dict

from secondread.codes import Code
from secondread.report import concepts

# Scheme, then keyword, then code value: meaning and context groups.
AnnexD = dict[str, dict[str, dict[str, tuple[str, list[int]]]]]
annex_d = cast("AnnexD", _concepts_dict.concepts)
# The copy has one or several meanings of a code; the group that it is written from here has this.
OF_ITS_GROUP = {
    "103339001": "Long Axis",  # CID 7470.
    "363679005": "Imaging procedure",  # CID 100.
    "76752008": "Breast",  # CID 4031.
}
WRITTEN = {name: value for name, value in vars(concepts).items() if isinstance(value, Code)}


@pytest.mark.parametrize("name", [n for n, c in WRITTEN.items() if c.scheme in {"DCM", "SCT"}])
def test_concepts_are_those_of_the_standard(name: str) -> None:
    written = WRITTEN[name]
    meanings = {
        # Two meanings of that copy hold a zero-width space, which no DICOM character set of
        # ours can carry.
        OF_ITS_GROUP.get(value, meaning.replace("\u200b", ""))
        for entry in annex_d[written.scheme].values()
        for value, (meaning, _) in entry.items()
        if value == written.value
    }
    assert meanings == {written.meaning}


@pytest.mark.parametrize("name", WRITTEN)
def test_concepts_are_plain_ascii_and_fit_a_long_string(name: str) -> None:
    code = WRITTEN[name]
    assert code.meaning.isascii()
    assert code.meaning.isprintable()
    assert len(code.meaning) <= 64
    assert len(code.value) <= 16


def test_no_concept_is_written_down_twice() -> None:
    assert len({(code.value, code.scheme) for code in WRITTEN.values()}) == len(WRITTEN)
