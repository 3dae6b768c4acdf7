"""Attributes of documents that hold anything but what they should."""

import math

import pytest
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from secondread.report.readback.attributes import (
    list_items,
    list_numbers,
    list_whole_numbers,
    read_text,
)


def holding(vr: str, value: object) -> Dataset:
    ds = Dataset()
    ds["NumericValue"] = DataElement(0x0040A30A, vr, value, validation_mode=IGNORE)
    return ds


@pytest.mark.parametrize(
    ("vr", "value"),
    [("LO", "items"), ("OB", b"items"), ("DS", ["1", "2"]), ("LO", None), ("SQ", [])],
)
def test_only_a_sequence_has_items(vr: str, value: object) -> None:
    assert list(list_items(holding(vr, value), "NumericValue")) == []


def test_items_are_those_of_a_sequence() -> None:
    item = Dataset()
    assert list(list_items(holding("SQ", [item]), "NumericValue")) == [item]


@pytest.mark.parametrize(
    ("vr", "value", "expected"),
    [
        ("DS", "1.5", (1.5,)),
        ("LO", "12", (12.0,)),
        ("FL", [1.0, 2.5], (1.0, 2.5)),
        ("FD", math.nan, ()),
        ("FD", [1.0, math.inf], ()),
        ("LO", "twelve", ()),
        ("LO", ["1", "two"], ()),
        ("UT", "9" * 5000, ()),
        ("OB", b"12", ()),
        ("SQ", [Dataset()], ()),
        ("LO", "", ()),
    ],
)
def test_numbers_are_finite_or_none_at_all(
    vr: str, value: object, expected: tuple[float, ...]
) -> None:
    assert list_numbers(holding(vr, value), "NumericValue") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [([1, 3, 2], (1, 3, 2)), (7, (7,)), (-1, ()), (1.5, ()), (1e12, ()), ([1, math.nan], ())],
)
def test_whole_numbers_point_at_something_or_are_none(
    value: object, expected: tuple[int, ...]
) -> None:
    assert list_whole_numbers(holding("FD", value), "NumericValue") == expected


@pytest.mark.parametrize(
    ("vr", "value", "expected"),
    [
        ("LO", " left breast ", "left breast"),
        ("LO", ["a", "b"], "a\\b"),
        ("UT", "x" * 5000, "x" * 1024),
        ("UT", "half \ud800 a pair", "half ? a pair"),
        ("OB", b"bytes", ""),
        ("SQ", [Dataset()], ""),
        ("DS", None, ""),
    ],
)
def test_text_is_short_and_can_be_written(vr: str, value: object, expected: str) -> None:
    assert read_text(holding(vr, value), "NumericValue") == expected
