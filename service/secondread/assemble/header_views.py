"""View, modifiers and side of an image, from every attribute in which makers write them.

Codes are known by their value, whatever scheme they are said to be of: identifiers of SNOMED are
written under SCT and under its retired forms SRT, SNM3 and 99SDM, and some units put private
schemes, or the DCM of other codes, beside them. Where the value is unknown, the meaning is read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from pydicom.dataset import Dataset

from secondread.assemble import header_attributes
from secondread.assemble.header_values import read_items, read_text, read_texts
from secondread.assemble.image_kinds import read_modifier_words
from secondread.assemble.view_names import ViewName, combine_names, parse_view_name
from secondread.codes import CodedEnum, Laterality, View, ViewModifier

_MORE_PRECISE = {
    View.CC: frozenset({View.XCC, View.XCCL, View.XCCM}),
    View.XCC: frozenset({View.XCCL, View.XCCM}),
}
"""The views that say the same as another one, and more."""
MemberT = TypeVar("MemberT", bound=CodedEnum)


@dataclass(frozen=True, slots=True)
class ImageSide:
    """Which breast an image shows."""

    laterality: Laterality | None
    is_contradictory: bool = False
    """Whether attributes name different sides; the laterality is None then."""


@dataclass(frozen=True, slots=True)
class ImageView:
    """Which view an image is."""

    view: View | None
    modifiers: frozenset[ViewModifier]
    is_contradictory: bool = False
    """Whether attributes name different views; the view is None then."""


def read_side(ds: Dataset) -> ImageSide:
    """Return which breast the file's own attributes name."""
    found = header_attributes.LATERALITY.find_all(ds, _read_sides)
    if not found:
        found = header_attributes.REGION_SIDE.find_all(ds, _read_region_sides)
    sides = frozenset[Laterality]().union(*found.values())
    if len(sides) > 1:
        return ImageSide(None, is_contradictory=True)
    return ImageSide(next(iter(sides), None))


def read_view(ds: Dataset) -> ImageView:
    """Return view and modifiers."""
    by_source = header_attributes.VIEW.find_all(ds, _read_view_names)
    name = combine_names(by_source.values())
    views = {view for view in name.views if not _is_made_precise(view, name.views)}
    modifiers = frozenset[ViewModifier]().union(
        *header_attributes.VIEW_MODIFIERS.find_all(ds, _read_modifiers).values()
    )
    if len(views) > 1:
        return ImageView(None, modifiers, is_contradictory=True)
    return ImageView(next(iter(views), name.implied_view), modifiers)


def _is_made_precise(view: View, views: frozenset[View]) -> bool:
    return bool(_MORE_PRECISE.get(view, frozenset()) & views)


def _read_sides(ds: Dataset, source: str) -> frozenset[Laterality] | None:
    return combine_names(map(parse_view_name, read_texts(ds, source))).sides or None


def _read_region_sides(ds: Dataset, source: str) -> frozenset[Laterality] | None:
    if source == "ImageType":
        words = [word.upper() for word in read_texts(ds, source)]
        sides = [side for side in Laterality if side.name in words]
    else:
        sides = [
            side
            for item in _list_items(ds, source)
            for side, codes in _REGIONS.items()
            if _read_code_value(item) in codes
        ]
    return frozenset(sides) or None


_REGIONS = {
    Laterality.RIGHT: {"73056007", "T-04020", "24028007", "G-A100"},
    Laterality.LEFT: {"80248007", "T-04030", "7771000", "G-A101"},
    Laterality.BOTH: {"63762007", "T-04080", "51440002", "G-A102"},
}
"""Breasts of CID 6023, and the modifiers "right", "left" and "right and left" of CID 244."""


def _read_view_names(ds: Dataset, source: str) -> ViewName | None:
    if source == "ViewPosition":
        name = combine_names(map(parse_view_name, read_texts(ds, source)))
    else:
        name = combine_names(_read_coded_view(item) for item in _list_items(ds, source))
    return name if name.views or name.modifiers else None


def _read_coded_view(item: Dataset) -> ViewName:
    value = _read_code_value(item)
    if (view := _find_by_value(View, value)) is not None:
        return ViewName(views=frozenset({view}))
    if (modifier := _find_by_value(ViewModifier, value)) is not None:  # in the place of a view
        return ViewName(modifiers=frozenset({modifier}))
    return _read_meaning(item)


def _read_modifiers(ds: Dataset, source: str) -> frozenset[ViewModifier] | None:
    if source == "ViewPosition":
        return combine_names(map(parse_view_name, read_texts(ds, source))).modifiers or None
    if not source.endswith("Sequence"):
        return read_modifier_words(ds, source) or None
    found: set[ViewModifier] = set()
    for item in _list_items(ds, source):
        modifier = _find_by_value(ViewModifier, _read_code_value(item))
        found |= _read_meaning(item).modifiers if modifier is None else {modifier}
    if source.startswith("ViewCodeSequence"):  # they may stand in the place of the view
        for item in read_items(ds, "ViewCodeSequence"):
            found |= _read_coded_view(item).modifiers
    return frozenset(found) or None


def _find_by_value(members: type[MemberT], value: str) -> MemberT | None:
    current = members.from_code(value, "SCT")
    return members.from_code(_DEPRECATED.get(value, value), "SRT") if current is None else current


_DEPRECATED = {"Y-X1770": "R-1024A", "Y-X1771": "R-1024B"}
"""Codes of CID 4014 that were replaced, which receivers are to know still (PS3.16 CID 4014)."""


def _read_code_value(item: Dataset) -> str:
    return (read_text(item, "CodeValue") or read_text(item, "LongCodeValue")).upper()


def _read_meaning(item: Dataset) -> ViewName:
    # A value of a private scheme may be the view's short form.
    texts = (read_text(item, "CodeMeaning"), read_text(item, "CodeValue"))
    names = (parse_view_name(text) for text in texts)
    return next((name for name in names if name.views or name.modifiers), ViewName())


def _list_items(ds: Dataset, path: str) -> Iterator[Dataset]:
    keyword, *rest = path.split("/", maxsplit=1)
    for item in read_items(ds, keyword):
        if rest:
            yield from _list_items(item, rest[0])
        else:
            yield item
