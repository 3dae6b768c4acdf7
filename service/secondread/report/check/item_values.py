"""What one content item holds, compared with its row of a template."""

import re
from collections.abc import Iterator

from secondread.codes import Code
from secondread.report.check.checked_report import Fault
from secondread.report.check.context_groups import has_other_meaning, is_in_group
from secondread.report.check.template import ContextGroup, NumberRange, TemplateRow
from secondread.report.readback.attributes import read_text
from secondread.report.readback.content import Content

_ATTRIBUTES = {
    "TEXT": ("TextValue",),
    "CODE": ("ConceptCodeSequence",),
    "NUM": ("MeasuredValueSequence",),
    "UIDREF": ("UID",),
    "DATE": ("Date",),
    "TIME": ("Time",),
    "SCOORD": ("GraphicData", "GraphicType"),
    "IMAGE": ("ReferencedSOPSequence",),
    "COMPOSITE": ("ReferencedSOPSequence",),
    "CONTAINER": ("ContinuityOfContent",),
    "PNAME": ("PersonName",),
}
"""Attributes that an item of a value type has; the table of PS3.3 A.35.5 has no others."""

_DATE = re.compile(r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")


def check_value(content: Content, row: TemplateRow) -> Iterator[Fault]:
    """Yield what is wrong with the value of an item: missing, of another group, unit or range."""
    for keyword in _ATTRIBUTES.get(content.value_type, ()):
        if content.item.get(keyword, None) in (None, "", []):
            yield Fault(content.path, f"a {content.value_type} without {keyword}")
            return
    match content.value_type:
        case "CODE":
            yield from _check_code(content, row)
        case "NUM":
            yield from _check_number(content, row)
        case "SCOORD":
            yield from _check_graphic(content, row)
        case "DATE" | "TIME":
            yield from _check_time(content)
        case _:
            pass


def _check_code(content: Content, row: TemplateRow) -> Iterator[Fault]:
    code, group = content.code, row.values
    if code is None or not code.value or not code.scheme:
        yield Fault(content.path, "a code without value or scheme")
        return
    if isinstance(group, ContextGroup) and not is_in_group(code, group.number):
        words = f"({code.value}, {code.scheme}) {code.meaning!r}"
        yield Fault(content.path, f"{words} is not in CID {group.number}")
    yield from check_meaning(content.path, code)


def check_meaning(path: str, code: Code | None) -> Iterator[Fault]:
    """Yield where a code of the standard has another meaning than there."""
    if code is not None and has_other_meaning(code):
        yield Fault(path, f"({code.value}, {code.scheme}) does not mean {code.meaning!r}")


def _check_number(content: Content, row: TemplateRow) -> Iterator[Fault]:
    number, unit = content.number, content.unit
    if number is None:
        yield Fault(content.path, "a NUM without a number")
        return
    if not isinstance(row.values, NumberRange):
        return
    units, low, high = row.values.units, row.values.low, row.values.high
    if units and not any(_is_unit(unit, allowed) for allowed in units):
        yield Fault(content.path, f"unit {unit!r}, and {' or '.join(units)} in the template")
    if row.values.is_whole and number != round(number):
        yield Fault(content.path, f"{number:g} is not a whole number")
    if (low is not None and number < low) or (high is not None and number > high):
        room = f"between {low:g} and {high:g}" if high is not None else f"{low:g} or more"
        yield Fault(content.path, f"{number:g} is not {room}")


def _is_unit(unit: str, allowed: str) -> bool:
    return unit.startswith(allowed[:-1]) if allowed.endswith("*") else unit == allowed


def _check_graphic(content: Content, row: TemplateRow) -> Iterator[Fault]:
    graphic, allowed = content.graphic_type, row.values
    if isinstance(allowed, tuple) and graphic not in allowed:
        yield Fault(content.path, f"a {graphic}, and {' or '.join(allowed)} in the template")


def _check_time(content: Content) -> Iterator[Fault]:
    keyword = content.value_type.capitalize()
    value = read_text(content.item, keyword)
    if not (is_date(value) if keyword == "Date" else is_time(value)):
        yield Fault(content.path, f"{value!r} is not a {keyword.lower()}")


def is_date(text: str) -> bool:
    """Whether a text is a date in DICOM's form (PS3.5 6.2)."""
    return _DATE.fullmatch(text) is not None


def is_time(text: str) -> bool:
    """Whether a text is a time in DICOM's form (PS3.5 6.2)."""
    return _TIME.fullmatch(text) is not None
