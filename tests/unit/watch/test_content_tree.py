"""A structured report as words."""

import math

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from secondread.watch.content_tree import ContentItem, build_content_tree
from tests.worlds.watch_world import STUDY, content_item, report


def flat(item: ContentItem) -> list[tuple[str, str, str]]:
    below = [line for child in item.children for line in flat(child)]
    return [(item.position, item.concept, item.value), *below]


def test_each_kind_of_item_is_said_in_words() -> None:
    assert flat(build_content_tree(report())) == [
        ("1", "Mammography CAD Report", ""),
        ("1.1", "Comment", "<script>alert(1)</script>"),
        ("1.2", "Rendering Intent", "Presentation Required (111150, DCM)"),
        ("1.2.1", "Center", "point at column 2.5, row 3.5"),
        ("1.2.1.1", "", f"Secondary Capture Image Storage, {STUDY}.1.1"),
        ("1.2.2", "Outline", "polyline of 4 points"),
        ("1.2.2.1", "", "see item 1.2.1"),
        ("1.3", "Certainty of Finding", "91 %"),
        ("1.4", "Person Observer Name", "(a name, withheld)"),
        ("1.5", "Study Date", "20260302"),
    ]


def test_a_document_without_content_is_one_empty_item() -> None:
    assert build_content_tree(Dataset()) == ContentItem("1", "", "", "", ())


def test_a_bottomless_document_ends() -> None:
    root = content_item("CONTAINER", "0")
    item = root
    for depth in range(1, 200):
        child = content_item("CONTAINER", str(depth))
        item.ContentSequence = [child]
        item = child
    assert 10 < len(flat(build_content_tree(root))) < 50


def test_values_of_another_kind_are_passed_over() -> None:
    ds = report()
    text, code, number, _, _ = ds.ContentSequence
    text["TextValue"] = DataElement("TextValue", "OB", b"bytes")
    code["ConceptCodeSequence"] = DataElement(0x0040A168, "LO", "no items")
    number.MeasuredValueSequence[0]["NumericValue"] = DataElement("NumericValue", "SQ", [])
    center, outline = code.ContentSequence
    center["GraphicData"] = DataElement(0x00700022, "FL", [math.nan, 1.0])
    outline["ContentSequence"] = DataElement(0x0040A730, "LO", ["no", "items"])
    assert {position: value for position, _, value in flat(build_content_tree(ds))} == {
        "1": "",
        "1.1": "",
        "1.2": "",
        "1.2.1": "point of 0 points",
        "1.2.1.1": f"Secondary Capture Image Storage, {STUDY}.1.1",
        "1.2.2": "polyline of 4 points",
        "1.3": "%",
        "1.4": "(a name, withheld)",
        "1.5": "20260302",
    }
