"""What a template of PS3.16 is made of, as data, and how its table is written, a row a line.

`template_4000` and `finding_templates` hold the tables; `conformity` compares documents with them.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from secondread.codes import Code
from secondread.report.readback.content import Content

MANY = 1_000_000
"""The n of a value multiplicity 1-n."""


@dataclass(frozen=True, slots=True)
class ContextGroup:
    """A context group of PS3.16, by number."""

    number: int


@dataclass(frozen=True, slots=True)
class NumberRange:
    """What a NUM item may hold."""

    units: tuple[str, ...] = ()
    """Code values that the unit may have; with an asterisk, how they begin. Empty for any."""
    is_whole: bool = False
    """Whether the number is an integer."""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on the item that a row's items hang below."""

    holds: Callable[[Content], bool]
    words: str
    """The condition, for people."""


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A row that includes another template, whose rows stand in its place."""

    number: str
    template: str
    relation: str
    """Empty where the rows of the included template have their own."""
    least: int
    """How many there are at least, unless the condition demands more."""
    most: int
    only: Condition | None
    """When it may be there; None for always."""
    needed: Condition | None
    """When it has to be there; None where `least` holds for all cases."""


@dataclass(frozen=True, slots=True)
class TemplateRow:
    """One row of a template: a kind of content item."""

    number: str
    relation: str
    """Empty where the inclusion of its template gives it."""
    value_type: str
    concept: Code | ContextGroup | None
    """None for any, or for items without a name."""
    least: int
    most: int
    only: Condition | None
    needed: Condition | None
    is_by_reference: bool = False
    values: ContextGroup | NumberRange | tuple[str, ...] | None = None
    """Of a CODE item, of a NUM item, or the graphic types of an SCOORD item."""
    template: str = ""
    below: "tuple[TemplateRow | Inclusion, ...]" = ()
    one_of: tuple[str, ...] = ()
    """Numbers of the rows below of which at least one has to be there."""
    is_extensible: bool = False
    """Whether items that no row describes may hang below (an extensible template)."""

    @property
    def words(self) -> str:
        """What kind of item it is, for people."""
        if isinstance(self.concept, Code):
            return f"{self.value_type} {self.concept.meaning}"
        group = f" of CID {self.concept.number}" if self.concept is not None else ""
        return f"{self.value_type}{group}{' by reference' if self.is_by_reference else ''}"


@dataclass(frozen=True, slots=True)
class Template:
    """A template."""

    number: str
    rows: tuple[TemplateRow | Inclusion, ...]
    one_of: tuple[str, ...]
    """Numbers of the rows of which at least one has to be there."""


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """A row at its place among all that siblings can match, with inclusions followed."""

    row: TemplateRow
    relation: str
    place: tuple[int, ...]
    """For the order: index in the outer list of rows, then in each included one."""
    repeats_from: int
    """The parts of the place from here on may start again, since the inclusion before repeats."""
    through: tuple[Inclusion, ...] = field(repr=False)
    """The inclusions that lead to it, outermost first."""

    @property
    def words(self) -> str:
        """Where the row stands, for people."""
        return f"TID {self.row.template} row {self.row.number}"


def place_rows(
    rows: tuple[TemplateRow | Inclusion, ...],
    templates: dict[str, Template],
    through: tuple[Inclusion, ...] = (),
    place: tuple[int, ...] = (),
) -> tuple[PlacedRow, ...]:
    """Return the rows that siblings can match, in their order, with inclusions followed."""
    placed: list[PlacedRow] = []
    for index, row in enumerate(rows):
        here = (*place, index)
        if isinstance(row, Inclusion):
            placed += place_rows(templates[row.template].rows, templates, (*through, row), here)
            continue
        inherited = next((i.relation for i in reversed(through) if i.relation), "")
        # A place of n inclusions has n + 1 parts. Where the k-th inclusion (from 1) may come many
        # times, the parts behind its k-th belong to one time; without any, nothing starts again.
        repeats = next((k for k, i in enumerate(through, 1) if i.most > 1), len(through) + 1)
        placed.append(PlacedRow(row, row.relation or inherited, here, repeats, through))
    return tuple(placed)


# How the tables are written. The columns are those of PS3.16: row number with its nesting level,
# relationship with the parent, value type, concept name, value multiplicity with the requirement
# type, value set constraint, condition.

PERCENT = NumberRange(("%",), low=0, high=100)

_RELATIONS = {
    "": "",
    "CONTAINS": "CONTAINS",
    "PROPS": "HAS PROPERTIES",
    "OBS": "HAS OBS CONTEXT",
    "ACQ": "HAS ACQ CONTEXT",
    "MOD": "HAS CONCEPT MOD",
    "INFERRED": "INFERRED FROM",
    "SELECTED": "SELECTED FROM",
}

Line = tuple[int, TemplateRow | Inclusion]
"""Nesting level and row."""


def row(
    number: str,
    relation: str,
    value_type: str,
    concept: str | int | None,
    occurs: str,
    values: int | NumberRange | tuple[str, ...] | None = None,
    when: Condition | tuple[Condition, Condition] | None = None,
) -> Line:
    """Return one line of a template's table.

    Parameters
    ----------
    number
        The row's number, behind a ``>`` for each level of nesting.
    relation
        A key of `_RELATIONS`, with ``R-`` in front where it is by reference; empty where the
        including template gives it.
    value_type
        ``CODE``, ..., or ``INCLUDE``.
    concept
        Code value and meaning, ``SCT:`` in front for a concept of SNOMED; the number of a context
        group; None for any; of an ``INCLUDE``, the number of the template.
    occurs
        Value multiplicity and requirement type: ``1-n MC``.
    values
        Value set constraint; a number is that of a context group.
    when
        Of a row of type MC or UC; two where that under which it may be there is wider than that
        under which it must.
    """
    multiplicity, requirement = occurs.split()
    least, _, most = multiplicity.partition("-")
    only, needed = when if isinstance(when, tuple) else (when, when)
    occurrence = (
        int(least) if requirement == "M" else 0,
        MANY if most == "n" else int(most or least),
        only,
        needed if requirement == "MC" else None,
    )
    level, number = number.count(">"), number.lstrip(">")
    relationship = _RELATIONS[relation.removeprefix("R-")]
    if value_type == "INCLUDE":
        return level, Inclusion(number, str(concept), relationship, *occurrence)
    return level, TemplateRow(
        number,
        relationship,
        value_type,
        _parse_concept(concept),
        *occurrence,
        relation.startswith("R-"),
        ContextGroup(values) if isinstance(values, int) else values,
    )


def _parse_concept(concept: str | int | None) -> Code | ContextGroup | None:
    if isinstance(concept, str):
        return parse_code(concept)
    return None if concept is None else ContextGroup(concept)


def parse_code(text: str) -> Code:
    """Return a code as the tables write it: ``111010 Center``, ``SCT:107644003 Shape``."""
    scheme, _, code = text.rpartition(":")
    value, _, meaning = code.partition(" ")
    return Code(value, scheme or "DCM", meaning)


def template(
    number: str,
    *lines: Line,
    one_of: tuple[str, ...] = (),
    one_of_below: tuple[str, ...] = (),
    is_extensible: bool = False,
) -> Template:
    """Return a template from the lines of its table.

    Parameters
    ----------
    number
        Its number, without TID.
    lines
        As `row` gives them, in the order of the table.
    one_of, one_of_below
        Rows of the first level, or right below the only one of the first level, of which at least
        one has to be there.
    is_extensible
        Whether the template is extensible: of what is below the only row of the first level.
    """
    below: defaultdict[int, list[TemplateRow | Inclusion]] = defaultdict(list)
    # From the last line to the first: what is below a row is complete when the row comes.
    for level, item in reversed(lines):
        children = tuple(reversed(below.pop(level + 1, [])))
        if isinstance(item, TemplateRow):
            below[level].append(replace(item, template=number, below=children))
        else:
            below[level].append(item)
    rows = tuple(reversed(below[0]))
    if isinstance(rows[0], TemplateRow) and (one_of_below or is_extensible):
        rows = (replace(rows[0], one_of=one_of_below, is_extensible=is_extensible),)
    return Template(number, rows, one_of)


def require_value(words: str, *codes: str) -> Condition:
    """Return the condition that the item above has one of these codes as its value."""
    return Condition(lambda parent: has_value(parent, *codes), f"the value is {words}")


def exclude_value(words: str, *codes: str) -> Condition:
    """Return the condition that the item above has none of these codes as its value."""
    return Condition(lambda parent: not has_value(parent, *codes), f"the value is not {words}")


def has_value(content: Content | None, *codes: str) -> bool:
    """Whether an item has one of these codes as its value, in whichever scheme of SNOMED."""
    value = content.code if content is not None else None
    return value is not None and any(
        parse_code(code).matches(value.value, value.scheme) for code in codes
    )
