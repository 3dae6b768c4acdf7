"""The content tree builder: positions, references, values that cannot be written."""

import pytest

from secondread.codes import Code, FindingType
from secondread.errors import ReportError
from secondread.geometry import PointPx
from secondread.report import concepts
from secondread.report.sr import tree
from secondread.report.sr.tree import Relation


def test_a_reference_names_its_target_by_position_although_items_came_before_it_later() -> None:
    root = tree.container(concepts.CAD_REPORT)
    library = tree.container(concepts.IMAGE_LIBRARY)
    library.add(Relation.CONTAINS, tree.image("1.2", "1.2.3"))
    image = library.add(Relation.CONTAINS, tree.image("1.2", "1.2.4"))
    point = tree.scoord(concepts.CENTER, "POINT", (PointPx(1.5, 2.5),))
    point.refer_to(Relation.SELECTED_FROM, image)
    root.add(Relation.CONTAINS, point)
    root.add(Relation.HAS_CONCEPT_MOD, tree.code(concepts.LANGUAGE, concepts.ENGLISH))
    root.add(Relation.CONTAINS, library)

    ds = tree.encode_tree(root, "4000")

    reference = ds.ContentSequence[0].ContentSequence[0]
    assert list(reference.ReferencedContentItemIdentifier) == [1, 3, 2]
    assert ds.ContentSequence[2].ContentSequence[1].ReferencedSOPSequence[0][
        "ReferencedSOPInstanceUID"
    ].value == ("1.2.4")


def test_references_count_as_siblings() -> None:
    root = tree.container(concepts.CAD_REPORT)
    image = tree.image("1.2", "1.2.3")
    item = tree.code(concepts.DETECTION_PERFORMED, FindingType.CLUSTER.code)
    item.refer_to(Relation.HAS_PROPERTIES, image)
    item.add(Relation.HAS_PROPERTIES, image)
    root.add(Relation.CONTAINS, item)

    ds = tree.encode_tree(root, "4000")

    reference, _ = ds.ContentSequence[0].ContentSequence
    assert list(reference.ReferencedContentItemIdentifier) == [1, 1, 2]


def test_a_by_reference_item_has_nothing_but_relationship_and_position() -> None:
    root = tree.container(concepts.CAD_REPORT)
    image = root.add(Relation.CONTAINS, tree.image("1.2", "1.2.3"))
    root.refer_to(Relation.HAS_PROPERTIES, image)
    reference = tree.encode_tree(root, "4000").ContentSequence[1]
    assert {element.keyword for element in reference} == {
        "RelationshipType",
        "ReferencedContentItemIdentifier",
    }


def test_a_reference_out_of_the_tree_is_refused() -> None:
    root = tree.container(concepts.CAD_REPORT)
    root.refer_to(Relation.INFERRED_FROM, tree.image("1.2", "1.2.3"))
    with pytest.raises(ReportError, match="outside the tree"):
        tree.encode_tree(root, "4000")


def test_an_item_at_two_places_is_refused() -> None:
    root = tree.container(concepts.CAD_REPORT)
    image = tree.image("1.2", "1.2.3")
    root.add(Relation.CONTAINS, image)
    root.add(Relation.CONTAINS, image)
    with pytest.raises(ReportError, match=r"two places: 1\.2"):
        tree.encode_tree(root, "4000")


@pytest.mark.parametrize("text", ["", "Größe", "a\nb"])
def test_text_that_is_empty_or_not_printable_ascii_is_refused(text: str) -> None:
    with pytest.raises(ReportError, match="ASCII"):
        tree.text(concepts.IMPRESSION_DESCRIPTION, text)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(ReportError, match="number"):
        tree.format_decimal(value)


@pytest.mark.parametrize("value", [1 / 3 * 1e-9, -123456.789012345, 1e20 / 7, 0.1 + 0.2])
def test_decimal_strings_fit_their_sixteen_characters(value: float) -> None:
    text = tree.format_decimal(value)
    assert len(text) <= 16
    assert float(text) == pytest.approx(value, rel=1e-9)


def test_srt_replaces_snomed_codes_only() -> None:
    root = tree.container(concepts.CAD_REPORT)
    item = tree.code(concepts.SINGLE_IMAGE_FINDING, FindingType.CLUSTER.code)
    item.add(Relation.HAS_PROPERTIES, tree.number(concepts.DIAMETER, 1, concepts.MILLIMETER))
    root.add(Relation.CONTAINS, item)
    ds = tree.encode_tree(root, "4000")
    tree.convert_to_srt(ds)
    written = {
        (code.CodeValue, code.CodingSchemeDesignator)
        for element in ds.iterall()
        if element.VR == "SQ" and element.keyword.endswith("CodeSequence")
        for code in element.value
    }
    assert written == {
        ("111036", "DCM"),
        ("111059", "DCM"),
        ("F-01775", "SRT"),
        ("M-02550", "SRT"),
        ("mm", "UCUM"),
    }


def test_a_snomed_code_without_srt_form_stays() -> None:
    ds = tree.encode_code(Code("123", "SCT", "Something new"))
    tree.convert_to_srt(ds)
    assert (ds.CodeValue, ds.CodingSchemeDesignator) == ("123", "SCT")
