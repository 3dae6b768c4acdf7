"""A content tree compared with the tables of its template, item by item.

Of an item's children it finds out which row of the template each one matches, whether each may be
there and has the value that the row asks for, whether the required ones are present, and whether
they are in the template's order.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from secondread.codes import Code
from secondread.report.check.checked_report import Fault
from secondread.report.check.context_groups import current_snomed, is_in_group
from secondread.report.check.item_values import check_meaning, check_value
from secondread.report.check.template import (
    MANY,
    ContextGroup,
    PlacedRow,
    Template,
    TemplateRow,
    place_rows,
)
from secondread.report.readback.content import Content, ContentTree, format_position

_Matches = Sequence[tuple[Content, PlacedRow]]
"""The children of an item that match a row, each with its row."""


@dataclass(frozen=True, slots=True)
class _ItemKind:
    """What decides which row an item matches; of a reference, with its target's type and name."""

    relation: str
    value_type: str
    name: Code | None
    is_by_reference: bool

    @property
    def words(self) -> str:
        name = self.name.meaning if self.name is not None else "without a name"
        return f"{self.relation or 'no relation'} {self.value_type or 'no value type'} {name!r}"


class Conformity:
    """The comparison of one document with a template.

    Parameters
    ----------
    tree
        The document's content.
    root
        Number of the root template.
    templates
        It and all that it includes, by number.
    """

    def __init__(self, tree: ContentTree, root: str, templates: dict[str, Template]) -> None:
        self._tree = tree
        self._root = place_rows(templates[root].rows, templates)[0].row
        self._templates = templates
        self._tables: dict[int, tuple[PlacedRow, ...]] = {}

    def find_faults(self) -> Iterator[Fault]:
        """Yield what differs, from the root on."""
        root = self._tree.root
        if root.value_type != "CONTAINER" or not _is_named(root.name, self._root.concept):
            yield Fault(root.path, f"the root is not a {self._root.words}")
            return
        yield from self._check_item(root, self._root)

    def _check_item(self, content: Content, row: TemplateRow) -> Iterator[Fault]:
        yield from check_value(content, row)
        if row.concept is not None:
            yield from check_meaning(content.path, content.name)
        yield from self._check_children(content, row)

    def _check_children(self, parent: Content, row: TemplateRow) -> Iterator[Fault]:
        table = self._find_table(row)
        matches: list[tuple[Content, PlacedRow]] = []
        unmet = _UnmetConditions(parent)
        for child in parent.children:
            kind = self._find_kind(child)
            if kind is None:
                target = format_position(child.target or ())
                yield Fault(child.path, f"points at {target}, which is not in the tree")
                continue
            placed, faults = _find_row(unmet, child, kind, table)
            yield from faults
            if placed is not None:
                matches.append((child, placed))
                if not kind.is_by_reference:
                    yield from self._check_item(child, placed.row)
            elif not faults and not row.is_extensible:
                yield Fault(child.path, f"{kind.words} is not in the template here")
        yield from _check_numbers(parent, table, matches)
        yield from self._check_alternatives(parent, row, table, [placed for _, placed in matches])
        yield from _check_order(matches)

    def _find_table(self, row: TemplateRow) -> tuple[PlacedRow, ...]:
        """Return what may hang below a row's items; the row lives as long as the templates."""
        table = self._tables.get(id(row))
        if table is None:
            table = self._tables[id(row)] = place_rows(row.below, self._templates)
        return table

    def _find_kind(self, child: Content) -> _ItemKind | None:
        """Return what kind of item a child is; None where it points at nothing."""
        item = child if child.target is None else self._tree.items.get(child.target)
        if item is None:
            return None
        return _ItemKind(child.relation, item.value_type, item.name, child.target is not None)

    def _check_alternatives(
        self,
        parent: Content,
        row: TemplateRow,
        table: Sequence[PlacedRow],
        present: Sequence[PlacedRow],
    ) -> Iterator[Fault]:
        """Yield where all rows are absent of which the template requires one."""
        if row.one_of and not {row.below[p.place[0]].number for p in present} & {*row.one_of}:
            yield _no_alternative(parent, row.template, row.one_of)
        checked: set[tuple[int, ...]] = set()
        for placed in table:
            for depth, inclusion in enumerate(placed.through, start=1):
                outer, template = placed.place[:depth], self._templates[inclusion.template]
                if outer in checked or not template.one_of:
                    continue
                if not _is_expected(parent, placed, present):
                    continue
                checked.add(outer)
                # The part of the place behind that of the inclusion is a row of its template.
                chosen = {
                    template.rows[other.place[depth]].number
                    for other in present
                    if other.place[:depth] == outer
                }
                if not chosen & {*template.one_of}:
                    yield _no_alternative(parent, template.number, template.one_of)


def _no_alternative(parent: Content, template: str, numbers: Sequence[str]) -> Fault:
    return Fault(parent.path, f"TID {template} has none of its rows {', '.join(numbers)}")


def _find_row(
    unmet: "_UnmetConditions", child: Content, kind: _ItemKind, table: Sequence[PlacedRow]
) -> tuple[PlacedRow | None, list[Fault]]:
    """Return the row that a child matches, or how it differs from the nearest one."""
    exact = [placed for placed in table if next(_find_differences(kind, placed), None) is None]
    allowed = [placed for placed in exact if not unmet.find(placed)]
    if allowed:
        return allowed[0], []
    if exact:
        why = "; ".join(unmet.find(exact[0]))
        return None, [Fault(child.path, f"{exact[0].words} is only for: {why}")]
    for placed in table:
        differences = list(_find_differences(kind, placed))
        # With another concept it is another item. A row for any concept is like everything.
        telling = {"relation", "value type", "by reference"}
        if placed.row.concept is None:
            telling = {"relation"}
        if len(differences) == 1 and differences[0] in telling:
            message = _describe_difference(kind, placed, differences[0])
            return placed, [Fault(child.path, message)]
    return None, []


def _find_differences(kind: _ItemKind, placed: PlacedRow) -> Iterator[str]:
    """Yield how an item differs from a row."""
    row = placed.row
    if placed.relation != kind.relation:
        yield "relation"
    if row.value_type != kind.value_type:
        yield "value type"
    if row.is_by_reference is not kind.is_by_reference:
        yield "by reference"
    if not _is_named(kind.name, row.concept):
        yield "concept"


def _describe_difference(kind: _ItemKind, placed: PlacedRow, difference: str) -> str:
    if difference == "relation":
        actual, expected = kind.relation or "none", placed.relation
    elif difference == "value type":
        actual, expected = kind.value_type or "none", placed.row.value_type
    else:
        actual = str(kind.is_by_reference).lower()
        expected = str(placed.row.is_by_reference).lower()
    return f"{difference} is {actual}, and {expected} in {placed.words}"


class _UnmetConditions:
    """What does not hold of the conditions of rows, below one item.

    A condition looks at all of the item's children, so that it is asked once for all of them.
    """

    def __init__(self, parent: Content) -> None:
        self._parent = parent
        self._words: dict[int, list[str]] = {}

    def find(self, placed: PlacedRow) -> list[str]:
        """Return the conditions, of the row and of the inclusions around it, that do not hold."""
        words = self._words.get(id(placed))
        if words is None:
            conditions = (placed.row.only, *(inclusion.only for inclusion in placed.through))
            words = [c.words for c in conditions if c is not None and not c.holds(self._parent)]
            self._words[id(placed)] = words
        return words


def _check_numbers(
    parent: Content, table: Sequence[PlacedRow], matches: _Matches
) -> Iterator[Fault]:
    """Yield the rows of which there are too few or too many items."""
    present = [placed for _, placed in matches]
    counts = Counter(placed.place for placed in present)
    for placed in table:
        row, number = placed.row, counts[placed.place]
        if not number and not row.least and row.needed is None:
            continue
        if not _is_expected(parent, placed, present):
            continue
        is_needed = row.needed is not None and row.needed.holds(parent)
        # How often an inclusion repeats cannot be seen from its rows, which then are unlimited.
        most = MANY if any(inclusion.most > 1 for inclusion in placed.through) else row.most
        if number < max(row.least, int(is_needed)):
            yield Fault(parent.path, f"no {row.words} ({placed.words})")
        elif number > most:
            yield Fault(parent.path, f"{number} items {row.words} ({placed.words})")


def _is_expected(parent: Content, placed: PlacedRow, present: Sequence[PlacedRow]) -> bool:
    """Whether the inclusions around a row are present, or have to be."""
    for depth, inclusion in enumerate(placed.through, start=1):
        is_needed = inclusion.needed is not None and inclusion.needed.holds(parent)
        is_there = any(other.place[:depth] == placed.place[:depth] for other in present)
        if not (inclusion.least or is_needed or is_there):
            return False
    return True


def _check_order(matches: _Matches) -> Iterator[Fault]:
    """Yield the first item that is out of the template's order."""
    before: PlacedRow | None = None
    for child, placed in matches:
        if before is not None and placed.place < before.place:
            # Going back is allowed inside one repeating inclusion, as its next time begins. The
            # inclusion is the k-th around the row; the first k parts of the place name it.
            k = placed.repeats_from
            is_repeating = len(placed.through) >= k
            is_same_inclusion = placed.place[:k] == before.place[: before.repeats_from]
            if not (is_repeating and is_same_inclusion):
                yield Fault(child.path, f"{placed.words} comes behind {before.words}")
                return
        before = placed


def _is_named(name: Code | None, concept: Code | ContextGroup | None) -> bool:
    if concept is None:
        return True
    if name is None:
        return False
    if isinstance(concept, ContextGroup):
        return is_in_group(name, concept.number)
    return concept.matches(*current_snomed(name.value, name.scheme))
