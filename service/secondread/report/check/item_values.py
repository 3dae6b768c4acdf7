"""What one content item holds, held against its row of a template."""

import re
from collections.abc import Iterator

from secondread.codes import Code
from secondread.report.check.fault import ReportFault
from secondread.report.check.template import Group, Row, current_snomed, folded, in_group, meanings
from secondread.report.readback.content import Content

_VALUE = {
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


def check_value(content: Content, row: Row) -> Iterator[ReportFault]:
    """Yield what is wrong with the value of an item: missing, of another group, unit or range."""
    for keyword in _VALUE.get(content.value_type, ()):
        if content.item.get(keyword, None) in (None, "", []):
            yield ReportFault(content.path, f"a {content.value_type} without {keyword}")
            return
    check = {
        "CODE": _code_faults,
        "NUM": _number_faults,
        "SCOORD": _graphic_faults,
        "DATE": _moment_faults,
        "TIME": _moment_faults,
    }.get(content.value_type)
    if check is not None:
        yield from check(content, row)


def _code_faults(content: Content, row: Row) -> Iterator[ReportFault]:
    code = content.code
    if code is None or not code.value or not code.scheme:
        yield ReportFault(content.path, "a code without value or scheme")
        return
    if isinstance(row.values, Group) and not in_group(code, row.values):
        yield ReportFault(
            content.path,
            f"({code.value}, {code.scheme}) {code.meaning!r} is not in CID {row.values.number}",
        )
    yield from check_meaning(content.path, code)


def check_meaning(where: str, code: Code | None) -> Iterator[ReportFault]:
    """Yield that a code of the standard is said to mean something else."""
    if code is None:
        return
    known = meanings(*current_snomed(code.value, code.scheme))
    if known and folded(code.meaning) not in known:
        yield ReportFault(where, f"({code.value}, {code.scheme}) does not mean {code.meaning!r}")


def _number_faults(content: Content, row: Row) -> Iterator[ReportFault]:
    number, unit = content.number, content.unit
    if number is None:
        yield ReportFault(content.path, "a NUM without a number")
        return
    if row.units and not any(_is_unit(unit, wanted) for wanted in row.units):
        yield ReportFault(
            content.path, f"unit {unit!r}, and {' or '.join(row.units)} in the template"
        )
    if row.whole and number != round(number):
        yield ReportFault(content.path, f"{number:g} is not a whole number")
    low, high = row.low, row.high
    if (low is not None and number < low) or (high is not None and number > high):
        room = f"between {low:g} and {high:g}" if high is not None else f"{low:g} or more"
        yield ReportFault(content.path, f"{number:g} is not {room}")


def _is_unit(unit: str, wanted: str) -> bool:
    return unit.startswith(wanted[:-1]) if wanted.endswith("*") else unit == wanted


def _graphic_faults(content: Content, row: Row) -> Iterator[ReportFault]:
    graphic = str(content.item.get("GraphicType", ""))
    if row.graphics and graphic not in row.graphics:
        yield ReportFault(
            content.path, f"a {graphic}, and {' or '.join(row.graphics)} in the template"
        )


def _moment_faults(content: Content, _row: Row) -> Iterator[ReportFault]:
    keyword = content.value_type.capitalize()
    value = str(content.item.get(keyword, ""))
    if not is_moment(value, date=keyword == "Date"):
        yield ReportFault(content.path, f"{value!r} is no {keyword.lower()}")


def is_moment(text: str, *, date: bool) -> bool:
    """Whether a text is a date, or else a time, in DICOM's form (PS3.5 6.2)."""
    return (_DATE if date else _TIME).fullmatch(text) is not None
