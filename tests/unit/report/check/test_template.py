"""The tables of TID 4000, as they are written: a row a line."""

import re
from collections.abc import Iterable, Iterator

import pytest

from secondread.codes import Code
from secondread.report.check.template import (
    MANY,
    ContextGroup,
    Inclusion,
    TemplateRow,
    row,
    template,
)
from secondread.report.check.template_4000 import TEMPLATES


def walk_rows(
    rows: Iterable[TemplateRow | Inclusion],
) -> Iterator[TemplateRow | Inclusion]:
    """Yield the rows of a table in the order of its lines."""
    for line in rows:
        yield line
        if isinstance(line, TemplateRow):
            yield from walk_rows(line.below)


@pytest.mark.parametrize("number", TEMPLATES)
def test_rows_are_numbered_in_the_order_of_their_lines(number: str) -> None:
    labels = [line.number for line in walk_rows(TEMPLATES[number].rows)]
    numbers = [int(re.match(r"\d+", label)[0]) for label in labels]  # type: ignore[index]

    assert numbers == sorted(numbers)
    assert len(set(labels)) == len(labels)


def test_every_template_that_is_included_has_a_table() -> None:
    lines = [line for table in TEMPLATES.values() for line in walk_rows(table.rows)]
    assert {line.template for line in lines} == set(TEMPLATES)


def test_a_line_is_a_row_with_the_rows_below_it() -> None:
    table = template(
        "1",
        row("1", "CONTAINS", "CODE", "111059 Single Image Finding", "1-n U", 6014),
        row(">2", "R-SELECTED", "IMAGE", None, "1 M"),
        row(">3", "PROPS", "INCLUDE", "4019", "1 M"),
        row("4", "", "CODE", "SCT:107644003 Shape", "2 M"),
        one_of=("1", "4"),
    )

    first, second = table.rows
    assert isinstance(first, TemplateRow)
    assert isinstance(second, TemplateRow)
    assert first.concept == Code("111059", "DCM", "Single Image Finding")
    assert (first.least, first.most, first.values) == (0, MANY, ContextGroup(6014))
    reference, inclusion = first.below
    assert isinstance(reference, TemplateRow)
    assert (reference.relation, reference.is_by_reference) == ("SELECTED FROM", True)
    assert (reference.template, reference.concept) == ("1", None)
    assert isinstance(inclusion, Inclusion)
    assert (inclusion.template, inclusion.relation) == ("4019", "HAS PROPERTIES")
    assert second.concept == Code("107644003", "SCT", "Shape")
    assert (second.least, second.most) == (2, 2)
