"""A finished SR document as rules look at it: content items by position, and what they name."""

from collections.abc import Iterator
from functools import cached_property

from pydicom.dataset import Dataset

from secondread.codes import Code
from secondread.report.tree import Position

LIBRARY: Position = (1, 2)
"""Position of the Image Library, behind the language."""


class Document:
    """A document's content items by position, with the questions that the rules ask."""

    def __init__(self, ds: Dataset) -> None:
        self.ds = ds
        self.items: dict[Position, Dataset] = dict(_walk(ds, (1,)))
        self._children: dict[Position, list[tuple[Position, Dataset]]] = {}
        for position, item in self.items.items():
            self._children.setdefault(position[:-1], []).append((position, item))

    @cached_property
    def library(self) -> dict[Position, Dataset]:
        """The IMAGE items of the Image Library."""
        return {
            position: item
            for position, item in self.items.items()
            if position[:-1] == LIBRARY and item.get("ValueType") == "IMAGE"
        }

    def named(self, value: str) -> Iterator[tuple[Position, Dataset]]:
        """Yield the items whose concept name has this DCM code value."""
        return ((p, item) for p, item in self.items.items() if name_of(item) == value)

    def has(self, value: str) -> bool:
        """Whether there is an item with this concept name."""
        return any(True for _ in self.named(value))

    def value(self, concept: Code) -> tuple[str, str]:
        """Return the coded value of the first item with this concept name, or empty strings."""
        return next((value_of(item) for _, item in self.named(concept.value)), ("", ""))

    def children(self, position: Position) -> list[tuple[Position, Dataset]]:
        """Return the items right below a position."""
        return self._children.get(position, [])

    def child(self, position: Position, concept: str) -> Dataset | None:
        """Return the first item right below a position with this concept name."""
        return next((i for _, i in self.children(position) if name_of(i) == concept), None)

    def targets(self, position: Position) -> list[Position]:
        """Return what the references right below a position point at."""
        return [
            target_of(item)
            for _, item in self.children(position)
            if "ReferencedContentItemIdentifier" in item
        ]


def _walk(item: Dataset, position: Position) -> Iterator[tuple[Position, Dataset]]:
    yield position, item
    for index, child in enumerate(item.get("ContentSequence", []), start=1):
        yield from _walk(child, (*position, index))


def _code(item: Dataset, keyword: str) -> tuple[str, str]:
    codes = item.get(keyword, None) or []
    return (str(codes[0].CodeValue), str(codes[0].CodingSchemeDesignator)) if codes else ("", "")


def name_of(item: Dataset) -> str:
    """Return the code value of the concept name, or an empty string."""
    return _code(item, "ConceptNameCodeSequence")[0]


def value_of(item: Dataset) -> tuple[str, str]:
    """Return code value and scheme of a CODE item, or empty strings."""
    return _code(item, "ConceptCodeSequence")


def target_of(item: Dataset) -> Position:
    """Return the position that a by-reference item points at."""
    value = item.ReferencedContentItemIdentifier
    return (value,) if isinstance(value, int) else tuple(value)


def instance_of(item: Dataset) -> tuple[str, str]:
    """Return SOP class and instance UID of an IMAGE item."""
    reference = item.ReferencedSOPSequence[0]
    return str(reference.ReferencedSOPClassUID), str(reference.ReferencedSOPInstanceUID)


def number_of(item: Dataset | None) -> float:
    """Return the value of a NUM item; 0 where there is none."""
    return 0.0 if item is None else float(item.MeasuredValueSequence[0].NumericValue)
