"""A content tree held against the tables of its template, item by item.

Of each item's children it is asked which row of the template each is, whether each may be there
and has what the row wants, whether those that have to be there are, and whether they come in the
template's order.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from secondread.codes import Code
from secondread.report.check.fault import ReportFault
from secondread.report.check.item_values import check_meaning, check_value
from secondread.report.check.template import (
    MANY,
    Group,
    Include,
    Row,
    Slot,
    Template,
    current_snomed,
    in_group,
    slots,
)
from secondread.report.readback.content import Content, ContentTree


@dataclass(frozen=True, slots=True)
class _Kind:
    """What an item is when rows are asked for it: of a reference, what its target is."""

    relation: str
    value_type: str
    name: Code | None
    by_reference: bool


class Conformity:
    """The comparison of one document with a template.

    Parameters
    ----------
    tree
        The document's content.
    root
        The template's root row.
    templates
        All that it includes, by number.
    """

    def __init__(self, tree: ContentTree, root: Row, templates: dict[str, Template]) -> None:
        self._tree = tree
        self._root = root
        self._templates = templates
        self._at = {content.position: content for content in walk(tree.root)}
        self._tables: dict[int, tuple[Slot, ...]] = {}

    def find_faults(self) -> Iterator[ReportFault]:
        """Yield what differs, from the root on."""
        root = self._tree.root
        if root.value_type != "CONTAINER" or not _named(root.name, self._root.concept):
            yield ReportFault(root.path, f"the root is no {self._root.words}")
            return
        yield from self._item(root, self._root)

    def _item(self, content: Content, row: Row) -> Iterator[ReportFault]:
        yield from check_value(content, row)
        if row.concept is not None:
            yield from check_meaning(content.path, content.name)
        yield from self._children(content, row)

    def _children(self, parent: Content, row: Row) -> Iterator[ReportFault]:
        table = self._table(row)
        found: list[tuple[Content, Slot]] = []
        for child in parent.children:
            kind = self._kind(child)
            if kind is None:
                yield ReportFault(
                    child.path, f"points at {_dotted(child)}, which is not in the tree"
                )
                continue
            slot, faults = _place(parent, child, kind, table)
            yield from faults
            if slot is not None:
                found.append((child, slot))
                if not kind.by_reference:
                    yield from self._item(child, slot.row)
            elif not faults and not self._is_open(row):
                yield ReportFault(child.path, f"{_words(kind)} is not in the template here")
        yield from _missing(parent, table, found, self._templates)
        yield from _disordered(found)

    def _table(self, row: Row) -> tuple[Slot, ...]:
        """Return what may hang below a row's items; rows live as long as their table does."""
        known = self._tables.get(id(row))
        if known is None:
            known = self._tables[id(row)] = slots(row.below, "", self._templates)
        return known

    def _kind(self, child: Content) -> _Kind | None:
        if child.target is None:
            return _Kind(child.relation, child.value_type, child.name, by_reference=False)
        target = self._at.get(child.target)
        if target is None:
            return None
        return _Kind(child.relation, target.value_type, target.name, by_reference=True)

    def _is_open(self, row: Row) -> bool:
        return any(
            self._templates[one.template].extensible
            for one in row.below
            if isinstance(one, Include)
        )


def walk(content: Content) -> Iterator[Content]:
    """Yield an item and all below it, depth first."""
    yield content
    for child in content.children:
        yield from walk(child)


def _place(
    parent: Content, child: Content, kind: _Kind, table: Sequence[Slot]
) -> tuple[Slot | None, list[ReportFault]]:
    """Return the row that a child is, and what of it is not as the row has it."""
    exact = [slot for slot in table if _is(kind, slot)]
    allowed = [slot for slot in exact if not _forbidden(parent, slot)]
    if allowed:
        return allowed[0], []
    if exact:
        why = "; ".join(_forbidden(parent, exact[0]))
        return None, [ReportFault(child.path, f"{exact[0].words} is only for: {why}")]
    differing = [(slot, _differs(kind, slot)) for slot in table]
    near = [(slot, wrong) for slot, wrong in differing if len(wrong) == 1 and wrong != ["concept"]]
    # A row for any concept is near to everything, and says nothing about it.
    near = [(s, w) for s, w in near if s.row.concept is not None or w == ["relation"]]
    if near:
        slot, (wrong,) = near[0]
        return slot, [ReportFault(child.path, _difference(kind, slot, wrong))]
    return None, []


def _is(kind: _Kind, slot: Slot) -> bool:
    row = slot.row
    return (
        slot.relation == kind.relation
        and row.value_type == kind.value_type
        and row.by_reference is kind.by_reference
        and _named(kind.name, row.concept)
    )


def _differs(kind: _Kind, slot: Slot) -> list[str]:
    """Return in what an item is not what a row has."""
    row = slot.row
    same = {
        "relation": slot.relation == kind.relation,
        "value type": row.value_type == kind.value_type,
        "by reference": row.by_reference is kind.by_reference,
        "concept": _named(kind.name, row.concept),
    }
    return [what for what, is_same in same.items() if not is_same]


def _difference(kind: _Kind, slot: Slot, wrong: str) -> str:
    if wrong == "relation":
        is_, wanted = kind.relation or "none", slot.relation
    elif wrong == "value type":
        is_, wanted = kind.value_type or "none", slot.row.value_type
    else:
        is_, wanted = str(kind.by_reference).lower(), str(slot.row.by_reference).lower()
    return f"{wrong} is {is_}, and {wanted} in {slot.words}"


def _forbidden(parent: Content, slot: Slot) -> list[str]:
    conditions = (slot.row.only, *(include.only for include in slot.through))
    return [when.words for when in conditions if when is not None and not when.holds(parent)]


def _missing(
    parent: Content,
    table: Sequence[Slot],
    found: Sequence[tuple[Content, Slot]],
    templates: dict[str, Template],
) -> Iterator[ReportFault]:
    """Yield the rows of which there are too few or too many items."""
    seen = [slot for _, slot in found]
    counted = Counter(slot.place for slot in seen)
    for slot in table:
        number = counted[slot.place]
        if not number and not slot.row.least and slot.row.needed is None:
            continue
        if not _is_wanted(parent, slot, seen):
            continue
        needed = slot.row.needed is not None and slot.row.needed.holds(parent)
        least = max(slot.row.least, 1 if needed else 0)
        most = MANY if any(one.most > 1 for one in slot.through) else slot.row.most
        if number < least:
            yield ReportFault(parent.path, f"no {slot.row.words} ({slot.words})")
        elif number > most:
            yield ReportFault(parent.path, f"{number} items {slot.row.words} ({slot.words})")
    yield from _none_of(parent, table, seen, templates)


def _is_wanted(parent: Content, slot: Slot, seen: Sequence[Slot]) -> bool:
    """Whether the inclusions around a row are there, or have to be."""
    for depth, include in enumerate(slot.through, start=1):
        needed = include.needed is not None and include.needed.holds(parent)
        there = any(one.place[:depth] == slot.place[:depth] for one in seen)
        if not (include.least or needed or there):
            return False
    return True


def _none_of(
    parent: Content,
    table: Sequence[Slot],
    seen: Sequence[Slot],
    templates: dict[str, Template],
) -> Iterator[ReportFault]:
    """Yield the templates of which none of the rows is there that one is wanted of."""
    asked: set[tuple[int, ...]] = set()
    for slot in table:
        for depth, include in enumerate(slot.through, start=1):
            outer = slot.place[:depth]
            template = templates[include.template]
            if outer in asked or not template.one_of or not _is_wanted(parent, slot, seen):
                continue
            asked.add(outer)
            within = [one for one in seen if one.place[:depth] == outer]
            chosen = {template.rows[one.place[depth]].number for one in within}
            if not chosen & set(template.one_of):
                rows = ", ".join(template.one_of)
                yield ReportFault(parent.path, f"TID {template.number} has none of its rows {rows}")


def _disordered(found: Sequence[tuple[Content, Slot]]) -> Iterator[ReportFault]:
    """Yield the first item that comes behind what the template has it before."""
    before: Slot | None = None
    for child, slot in found:
        if before is not None and slot.place != before.place:
            same_block = slot.place[: slot.repeats_from] == before.place[: before.repeats_from]
            again = same_block and len(slot.through) >= slot.repeats_from
            if slot.place < before.place and not again:
                yield ReportFault(child.path, f"{slot.words} comes behind {before.words}")
                return
        before = slot


def _named(name: Code | None, concept: Code | Group | None) -> bool:
    if concept is None:
        return True
    if name is None:
        return False
    if isinstance(concept, Group):
        return in_group(name, concept)
    return concept.matches(*current_snomed(name.value, name.scheme))


def _words(kind: _Kind) -> str:
    name = kind.name.meaning if kind.name is not None else "without a name"
    return f"{kind.relation or 'no relation'} {kind.value_type or 'no value type'} {name!r}"


def _dotted(child: Content) -> str:
    return ".".join(map(str, child.target or ()))
