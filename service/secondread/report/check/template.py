"""What a template of PS3.16 is made of, as data: rows, inclusions, value sets.

`template_4000` holds the tables, `conformity` compares documents with them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import cast

from secondread.codes import Code
from secondread.report.readback.content import Content

Condition = Callable[[Content], bool]
"""Asked of the item that a row's items hang below."""

MANY = 1_000_000
"""The n of a value multiplicity 1-n."""


@dataclass(frozen=True, slots=True)
class Group:
    """A context group of PS3.16, by number."""

    number: int


@dataclass(frozen=True, slots=True)
class When:
    """A condition, and how it is said to people."""

    holds: Condition
    words: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a template: a kind of content item."""

    number: str
    relation: str
    """Empty where the inclusion of the template says it."""
    value_type: str
    concept: Code | Group | None
    """None where there is none, or any."""
    least: int = 1
    """How many there are at least, where the condition does not say otherwise."""
    most: int = 1
    by_reference: bool = False
    only: When | None = None
    """When it may be there; None for always."""
    needed: When | None = None
    """When it has to be there; None where `least` says so for all cases."""
    values: Group | tuple[Code, ...] | None = None
    """Of a CODE item."""
    units: tuple[str, ...] = ()
    """Code values that the unit of a NUM item may have; with an asterisk, how they begin."""
    whole: bool = False
    """Whether the number is an integer."""
    low: float | None = None
    high: float | None = None
    graphics: tuple[str, ...] = ()
    """Graphic types of an SCOORD item."""
    below: "tuple[Row | Include, ...]" = ()

    @property
    def words(self) -> str:
        """What kind of item it is, for people."""
        if isinstance(self.concept, Code):
            return f"{self.value_type} {self.concept.meaning}"
        group = f" of CID {self.concept.number}" if isinstance(self.concept, Group) else ""
        return f"{self.value_type}{group}{' by reference' if self.by_reference else ''}"


@dataclass(frozen=True, slots=True)
class Include:
    """A row that includes another template, whose rows stand in its place."""

    number: str
    template: str
    relation: str = ""
    least: int = 1
    most: int = 1
    only: When | None = None
    needed: When | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A template."""

    number: str
    rows: tuple[Row | Include, ...]
    one_of: tuple[str, ...] = ()
    """Rows of which at least one has to be there."""
    extensible: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """A row where it stands in a list of siblings, once inclusions are followed."""

    row: Row
    template: str
    relation: str
    place: tuple[int, ...]
    """For the order: which row of the outer list, then which of the included one."""
    repeats_from: int
    """From which part of the place on the order starts anew, since the inclusion repeats."""
    through: tuple[Include, ...] = field(repr=False)

    @property
    def words(self) -> str:
        """Where the row stands, for people."""
        return f"TID {self.template} row {self.row.number}"


def slots(
    rows: tuple[Row | Include, ...],
    template: str,
    templates: dict[str, Template],
    through: tuple[Include, ...] = (),
    place: tuple[int, ...] = (),
) -> tuple[Slot, ...]:
    """Return the rows that siblings can be, in their order, with inclusions followed."""
    found: list[Slot] = []
    for index, row in enumerate(rows):
        here = (*place, index)
        if isinstance(row, Include):
            included = templates[row.template]
            found += slots(included.rows, included.number, templates, (*through, row), here)
        else:
            relation = row.relation or next(
                (i.relation for i in reversed(through) if i.relation), ""
            )
            repeats = next((n for n, i in enumerate(through, 1) if i.most > 1), len(through) + 1)
            found.append(Slot(row, template, relation, here, repeats, through))
    return tuple(found)


@cache
def members(number: int) -> dict[tuple[str, str], str] | None:
    """Return the codes of a context group with their meanings; None where it is not known.

    From pydicom's copy of PS3.16, which the builder of reports does not use.
    """
    from pydicom.sr.codedict import codes

    if number in _INCOMPLETE:
        return None
    group = getattr(codes, f"cid{number}", None)
    if group is None:
        return None
    found = {(code.value, code.scheme_designator): code.meaning for code in group.concepts.values()}
    return found | _NEWER.get(number, {})


# BI-RADS' own codes are missing there, and what people speak is not restricted (BCP 47).
_INCOMPLETE = frozenset({6026, 6030, 5000})
_NEWER: dict[int, dict[tuple[str, str], str]] = {
    4014: {("399265009", "SCT"): "cranio-caudal exaggerated"},
}


@cache
def current_snomed(value: str, scheme: str) -> tuple[str, str]:
    """Return a retired SNOMED code as SCT; other codes as they are."""
    from pydicom.sr._snomed_dict import mapping

    if scheme in {"SRT", "SNM3", "99SDM"} and value in mapping["SRT"]:
        return mapping["SRT"][value], "SCT"
    return value, scheme


@cache
def meanings(value: str, scheme: str) -> frozenset[str]:
    """Return what PS3.16 calls a code, folded for comparison; empty for a code that it lacks."""
    return frozenset(_all_meanings().get((value, scheme), ()))


_AnnexD = dict[str, dict[str, dict[str, tuple[str, list[int]]]]]
"""By scheme, keyword and code value: meaning and context groups."""


@cache
def _all_meanings() -> dict[tuple[str, str], list[str]]:
    from pydicom.sr._concepts_dict import concepts

    found: dict[tuple[str, str], list[str]] = {}
    for scheme, keywords in cast("_AnnexD", concepts).items():
        for entries in keywords.values():
            for value, (meaning, _) in entries.items():
                found.setdefault((value, scheme), []).append(folded(meaning))
    return found


def folded(meaning: str) -> str:
    """Return a meaning for comparison: without case, doubled blanks and zero-width characters."""
    return " ".join(meaning.replace("\u200b", "").casefold().split())


def in_group(code: Code, group: Group) -> bool:
    """Whether a code is in a context group, or nothing is known of the group."""
    known = members(group.number)
    return known is None or current_snomed(code.value, code.scheme) in known
