"""A dozen CAD SRs under PixelMed's validator; `make conformance` runs it over all."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from secondread.codes import Code, ResultStatus
from secondread.report import concepts as c
from secondread.report.encoding import encode_file
from secondread.report.sr import tree
from tests.peers.pixelmed import complaints, silenced, tell
from tests.peers.pixelmed_alarms import FALSE_ALARMS
from tests.worlds import faulty_reports as planting
from tests.worlds.faulty_reports import (
    build_valid,
    drop,
    find_finding,
    find_item,
    find_quality,
    set_code,
    set_unit,
)
from tests.worlds.golden_set import golden_exams, objects
from tests.worlds.report_documents import cad_srs

pytestmark = [pytest.mark.acceptance, pytest.mark.peer("pixelmed", "saxon", "java")]

DOZEN = (
    "no findings, SCT",
    "findings, SCT",
    "findings, SRT, all findings, MG",
    "findings, a later revision",
    "every image failed, SCT",
    "partial without marks, SCT",
    "partial with marks, SRT, all findings, MG",
    "unilateral, SCT",
    "images: For Processing",
    "images: no spacing",
    "images: Japanese",
    "not eligible, as failed",
    "followed up, all findings",
    "followed up, without calcifications, SRT",
    "of every kind, all findings",
)
BEYOND = ("one cluster in two views", "both views in one quadrant", "second look: seen")
"""Exams of the golden set that the others say nothing like."""

Plant = Callable[[Dataset], object]


def with_a_forbidden_relationship(root: Dataset) -> None:
    """Relate the language to the document as a child instead of a modifier."""
    find_item(root, c.LANGUAGE).RelationshipType = "CONTAINS"


def below(parent: Dataset, relation: str, item: tree.TreeItem | Dataset) -> None:
    """Hang an item behind the others, with a relation of its own."""
    child = deepcopy(item) if isinstance(item, Dataset) else item.content
    child.RelationshipType = relation
    parent.ContentSequence.append(child)


def to_the_first_image(parent: Dataset) -> None:
    reference = Dataset()
    reference.RelationshipType = "INFERRED FROM"
    reference.ReferencedContentItemIdentifier = [1, 2, 1]
    parent.ContentSequence.append(reference)


def both_values_of_one_axis(root: Dataset) -> None:
    point = find_item(root, c.OPERATING_POINT_TABLE, c.CAD_OPERATING_POINT)
    first, second = (item for item in point.ContentSequence if item.ValueType == "NUM")
    second.ConceptNameCodeSequence = deepcopy(first.ConceptNameCodeSequence)


def the_other_meaning(root: Dataset) -> None:
    find_item(root, c.COMPOSITE_TYPE).ConceptNameCodeSequence[0].CodeMeaning = "Kind of composite"


def succeeded_without_analyses(root: Dataset) -> None:
    set_code(find_item(root, c.ANALYSIS_SUMMARY), ResultStatus.SUCCEEDED.code)
    del find_item(root, c.ANALYSIS_SUMMARY).ContentSequence


DESCRIPTION = tree.text(c.IMPRESSION_DESCRIPTION, "a second one")
DIFFERENCE = planting.DIFFERENCE
PERCENT = Code("%", "UCUM", "Percent")

FAULTS: dict[str, tuple[str, Plant]] = {
    "no rendering intent": ("mixed", lambda ds: drop(ds, c.RENDERING_INTENT)),
    "a forbidden relationship": ("mixed", with_a_forbidden_relationship),
    # Neighbours of each known false alarm: the same row or item, and wrong.
    "an overall impression contained": (
        "mixed",
        lambda ds: below(find_item(ds, c.PROCESSING_SUMMARY), "CONTAINS", DESCRIPTION),
    ),
    "a finding's algorithm contained": (
        "mixed",
        lambda ds: setattr(
            find_item(find_finding(ds), c.ALGORITHM_NAME), "RelationshipType", "CONTAINS"
        ),
    ),
    "two descriptions": (
        "mixed",
        lambda ds: below(find_item(ds, c.INDIVIDUAL_IMPRESSION), "CONTAINS", DESCRIPTION),
    ),
    "the same change twice": (
        "followed",
        lambda ds: below(
            planting.find_parent(ds, find_item(ds, c.IMPRESSION)),
            "CONTAINS",
            find_item(ds, c.IMPRESSION),
        ),
    ),
    "succeeded, without successful analyses": ("followed", succeeded_without_analyses),
    "partially succeeded, without failed detections": (
        "mixed",
        lambda ds: drop(ds, c.FAILED_DETECTIONS),
    ),
    "an image of a cluster": ("mixed", lambda ds: to_the_first_image(find_finding(ds))),
    "a mark's point out of another range": (
        "mixed",
        lambda ds: set_unit(
            find_item(ds, c.RENDERING_INTENT, c.CAD_OPERATING_POINT), c.range_unit(1, 9)
        ),
    ),
    "the recommended point out of another range": (
        "mixed",
        lambda ds: set_unit(find_item(ds, c.RECOMMENDED_OPERATING_POINT), c.range_unit(0, 9)),
    ),
    "a point of the table out of another range": (
        "mixed",
        lambda ds: set_unit(
            find_item(ds, c.OPERATING_POINT_TABLE, c.CAD_OPERATING_POINT), c.range_unit(0, 9)
        ),
    ),
    "both values of one axis": ("mixed", both_values_of_one_axis),
    "a table of points below a finding": (
        "mixed",
        lambda ds: below(
            find_finding(ds), "HAS PROPERTIES", find_item(ds, c.OPERATING_POINT_TABLE)
        ),
    ),
    "another meaning of composite type": ("followed", the_other_meaning),
    "a quadrant that is none": (
        "followed",
        lambda ds: below(
            find_item(ds, c.COMPOSITE_FEATURE),
            "HAS PROPERTIES",
            tree.code(c.QUADRANT, ResultStatus.FAILED.code),
        ),
    ),
    "an hour that is none": (
        "followed",
        lambda ds: set_code(find_item(ds, c.CLOCK_FACE), ResultStatus.FAILED.code),
    ),
    "a difference in percent": (
        "followed",
        lambda ds: set_unit(find_item(ds, DIFFERENCE), PERCENT),
    ),
    "a difference of one number": (
        "followed",
        lambda ds: find_item(ds, DIFFERENCE).ContentSequence.pop(),
    ),
    "a difference of something else": (
        "followed",
        lambda ds: setattr(
            planting.list_references(find_item(ds, DIFFERENCE))[0],
            "ReferencedContentItemIdentifier",
            [1, 2, 1],
        ),
    ),
    "the length of an image's quality": (
        "mixed",
        lambda ds: below(find_quality(ds), "HAS PROPERTIES", find_item(ds, c.LONG_AXIS)),
    ),
    "a length in percent": ("mixed", lambda ds: set_unit(find_item(ds, c.LONG_AXIS), PERCENT)),
    "a length that a cluster contains": (
        "mixed",
        lambda ds: setattr(find_item(ds, c.LONG_AXIS), "RelationshipType", "CONTAINS"),
    ),
}


def golden(name: str) -> Dataset:
    """Return the CAD SR on an exam of the golden set."""
    made = objects(golden_exams()[name])
    return next(result.dataset for result in made if result.kind == "cad-sr")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every document that the validator is asked about, by its name."""
    folder = tmp_path_factory.mktemp("reports")
    made = cad_srs(folder, DOZEN)
    documents = {name: golden(name) for name in BEYOND}
    for name, (base, plant) in FAULTS.items():
        documents[name] = build_valid(base)
        plant(documents[name])
    for name, ds in documents.items():
        made[name] = folder / f"{name}.dcm"
        made[name].write_bytes(encode_file(ds))
    return made


@pytest.fixture(scope="module")
def told(files: dict[str, Path]) -> dict[str, tuple[str, Dataset]]:
    """What the validator says of each; one run for all, because its start is slow."""
    said = tell(files.values(), seconds=500)
    return {name: (said[path], pydicom.dcmread(path)) for name, path in files.items()}


@pytest.mark.parametrize("name", [*DOZEN, *BEYOND])
def test_a_report_follows_its_template(told: dict[str, tuple[str, Dataset]], name: str) -> None:
    assert complaints(*told[name]) == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_beside_a_false_alarm_is_noticed(
    told: dict[str, tuple[str, Dataset]], name: str
) -> None:
    assert complaints(*told[name]) != []


def test_every_false_alarm_of_the_list_is_raised_by_a_report_that_is_right(
    told: dict[str, tuple[str, Dataset]],
) -> None:
    raised = {alarm for name in (*DOZEN, *BEYOND) for alarm in silenced(*told[name])}

    assert [alarm for alarm in FALSE_ALARMS if alarm not in raised] == []


ENDS = "Root Template Validation Complete\nIOD validation complete\n"


def test_a_validation_that_broke_off_and_a_bare_illegal_relationship_are_complaints() -> None:
    assert complaints("Found MammographyCADSR IOD\n", Dataset()) != []
    line = "1.3: illegal relationship"
    assert complaints(f"{line}\n{ENDS}", Dataset()) == [line]
