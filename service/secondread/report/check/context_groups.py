"""Context groups and code meanings of PS3.16, as far as they are known.

From pydicom's copy of the standard, which the builder of reports does not use.
"""

from functools import cache
from typing import cast

from secondread.codes import Code

# BI-RADS' own codes are missing there, and the languages of people are not restricted (BCP 47).
_INCOMPLETE = frozenset({6026, 6030, 5000})
_NEWER = {4014: {("399265009", "SCT")}}  # cranio-caudal exaggerated


def is_in_group(code: Code, group: int) -> bool:
    """Whether a code is in a context group, or the group is not known."""
    codes = find_codes(group)
    return codes is None or current_snomed(code.value, code.scheme) in codes


@cache
def find_codes(group: int) -> set[tuple[str, str]] | None:
    """Return the codes of a context group, value and scheme; None where it is not known."""
    from pydicom.sr.codedict import codes

    if group in _INCOMPLETE:
        return None
    collection = getattr(codes, f"cid{group}", None)
    if collection is None:
        return None
    listed = {(code.value, code.scheme_designator) for code in collection.concepts.values()}
    return listed | _NEWER.get(group, set())


@cache
def current_snomed(value: str, scheme: str) -> tuple[str, str]:
    """Return a retired SNOMED code as SCT; other codes as they are."""
    from pydicom.sr._snomed_dict import mapping

    if scheme in {"SRT", "SNM3", "99SDM"} and value in mapping["SRT"]:
        return mapping["SRT"][value], "SCT"
    return value, scheme


def has_other_meaning(code: Code) -> bool:
    """Whether PS3.16 has this code, but with another meaning."""
    meanings = _all_meanings().get(current_snomed(code.value, code.scheme), ())
    return bool(meanings) and _fold(code.meaning) not in meanings


_AnnexD = dict[str, dict[str, dict[str, tuple[str, list[int]]]]]
"""By scheme, keyword and code value: meaning and context groups."""


@cache
def _all_meanings() -> dict[tuple[str, str], list[str]]:
    from pydicom.sr._concepts_dict import concepts

    meanings: dict[tuple[str, str], list[str]] = {}
    for scheme, keywords in cast("_AnnexD", concepts).items():
        for entries in keywords.values():
            for value, (meaning, _) in entries.items():
                meanings.setdefault((value, scheme), []).append(_fold(meaning))
    return meanings


def _fold(meaning: str) -> str:
    """Return a meaning for comparison: without case, doubled blanks and zero-width characters."""
    return " ".join(meaning.replace("\u200b", "").casefold().split())
