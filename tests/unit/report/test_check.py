"""The last look at a CAD SR: single faults, planted in valid documents, are all found."""

from collections.abc import Callable
from copy import deepcopy

import pytest
from pydicom.dataset import Dataset

from secondread.codes import FindingType, RenderingIntent, Status, Summary
from secondread.report.cad_sr import cad_sr
from secondread.report.check import check_cad_sr
from secondread.report.tree import code_item
from secondread.settings import ProfileSettings
from tests.unit.report.readings import FIRST, NODE, UIDS, situations

EVERYTHING = ProfileSettings(findings="all")


def document(situation: str = "partial with marks") -> Dataset:
    reading, sources = situations()[situation]
    return cad_sr(reading, sources, NODE, UIDS, FIRST, EVERYTHING).dataset


@pytest.mark.parametrize("snomed_codes", ["SCT", "SRT"])
@pytest.mark.parametrize("findings", ["shown", "all"])
@pytest.mark.parametrize("situation", situations())
def test_what_the_node_writes_passes(situation: str, findings: str, snomed_codes: str) -> None:
    reading, sources = situations()[situation]
    profile = ProfileSettings.model_validate({"findings": findings, "snomed_codes": snomed_codes})
    assert check_cad_sr(cad_sr(reading, sources, NODE, UIDS, FIRST, profile).dataset) == []


def at(ds: Dataset, position: str) -> Dataset:
    """The content item at a position such as ``1.3.4``."""
    for index in position.split(".")[1:]:
        below: Dataset = ds.ContentSequence[int(index) - 1]
        ds = below
    return ds


def remove(ds: Dataset, position: str) -> None:
    parent, _, index = position.rpartition(".")
    del at(ds, parent).ContentSequence[int(index) - 1]


def child(item: Dataset, meaning: str) -> Dataset:
    children: list[Dataset] = [c for c in item.ContentSequence if "ConceptNameCodeSequence" in c]
    return next(c for c in children if c.ConceptNameCodeSequence[0].CodeMeaning == meaning)


def drop(item: Dataset, meaning: str) -> None:
    item.ContentSequence.remove(child(item, meaning))


def value(item: Dataset, code: FindingType | RenderingIntent | Status | Summary) -> None:
    item.ConceptCodeSequence = [code_item(code.code)]


# In the document above, 1.3.4 is the first finding's Individual Impression, after the summary's
# description and algorithm; the finding itself is its second item.
IMPRESSION, FINDING = "1.3.4", "1.3.4.2"


def center(ds: Dataset) -> Dataset:
    return child(at(ds, FINDING), "Center")


def outline(ds: Dataset) -> Dataset:
    return child(at(ds, FINDING), "Outline")


def member(ds: Dataset) -> Dataset:
    return child(at(ds, FINDING), "Single Image Finding")


def evidence(ds: Dataset) -> Dataset:
    series: Dataset = ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    return series


def references(item: Dataset) -> list[Dataset]:
    return [c for c in item.ContentSequence if "ReferencedContentItemIdentifier" in c]


def forget_images(ds: Dataset) -> None:
    performed = at(ds, "1.4.1.1")
    for reference in references(performed):
        performed.ContentSequence.remove(reference)


def forget_refused_image(ds: Dataset) -> None:
    for performed in at(ds, "1.4.2").ContentSequence:
        references(performed)[0].ReferencedContentItemIdentifier = [1, 2, 1]


def show_member_of_hidden_finding(ds: Dataset) -> None:
    hidden = at(ds, "1.3.6.2")
    value(
        child(child(hidden, "Single Image Finding"), "Rendering Intent"), RenderingIntent.OPTIONAL
    )


FAULTS: dict[str, tuple[Callable[[Dataset], object], str, str]] = {
    "no language": (lambda ds: remove(ds, "1.1"), "1.1", "Language"),
    "no library": (lambda ds: remove(ds, "1.2"), "1.2", "Image Library is not here"),
    "empty library": (
        lambda ds: delattr(at(ds, "1.2"), "ContentSequence"),
        "1.2",
        "no image in the library",
    ),
    "an image is no evidence": (
        lambda ds: evidence(ds).ReferencedSOPSequence.pop(),
        "header",
        "is in the library and no evidence",
    ),
    "evidence is not in the library": (
        lambda ds: remove(ds, "1.2.4"),
        "header",
        "is evidence and not in the library",
    ),
    "another class in the evidence": (
        lambda ds: setattr(evidence(ds).ReferencedSOPSequence[0], "ReferencedSOPClassUID", "1.2"),
        "header",
        "evidence",
    ),
    "a reference to nothing": (
        lambda ds: setattr(references(center(ds))[0], "ReferencedContentItemIdentifier", [1, 2, 9]),
        "1.3.4.2",
        "1.2.9 is no image of the library",
    ),
    "a reference to a code": (
        lambda ds: setattr(references(center(ds))[0], "ReferencedContentItemIdentifier", [1, 1]),
        "1.3.4.2",
        "1.1 is no image of the library",
    ),
    "a center without image": (
        lambda ds: delattr(center(ds), "ContentSequence"),
        "1.3.4.2",
        "selected from 0 images",
    ),
    "a relationship is missing": (
        lambda ds: delattr(at(ds, "1.3"), "RelationshipType"),
        "1.3",
        "no relationship type",
    ),
    "a point right of the image": (
        lambda ds: setattr(center(ds), "GraphicData", [800.5, 10]),
        "1.3.4.2",
        "outside the image of 800 columns, 1000 rows",
    ),
    "a point above the image": (
        lambda ds: setattr(center(ds), "GraphicData", [5, -0.5]),
        "1.3.4.2",
        "outside",
    ),
    "an open outline": (
        lambda ds: setattr(outline(ds), "GraphicData", list(outline(ds).GraphicData)[:-2]),
        "1.3.4.2",
        "not closed",
    ),
    "half a point": (
        lambda ds: setattr(outline(ds), "GraphicData", list(outline(ds).GraphicData)[:-1]),
        "1.3.4.2",
        "odd count",
    ),
    "a point that is two": (
        lambda ds: setattr(center(ds), "GraphicData", [1, 2, 3, 4]),
        "1.3.4.2",
        "a POINT of 2 points",
    ),
    "no rendering intent": (
        lambda ds: remove(ds, IMPRESSION + ".1"),
        IMPRESSION,
        "no rendering intent",
    ),
    "a finding above its impression": (
        lambda ds: value(at(ds, IMPRESSION + ".1"), RenderingIntent.NOT),
        FINDING,
        "more presentable",
    ),
    "a calcification above its cluster": (show_member_of_hidden_finding, "1.3.6.2", "more"),
    "no algorithm": (lambda ds: drop(at(ds, FINDING), "Algorithm Name"), FINDING, "no Algorithm"),
    "no version": (lambda ds: drop(member(ds), "Algorithm Version"), "1.3.4.2", "no Algorithm"),
    "no center": (lambda ds: drop(at(ds, FINDING), "Center"), FINDING, "no Center"),
    "a cluster in a cluster": (
        lambda ds: value(member(ds), FindingType.CLUSTER),
        "1.3.4.2",
        "individual calcifications only",
    ),
    "an unknown finding": (
        lambda ds: setattr(at(ds, FINDING).ConceptCodeSequence[0], "CodeValue", "111105"),
        FINDING,
        "an unknown finding",
    ),
    "a certainty of 150": (
        lambda ds: setattr(
            child(at(ds, FINDING), "Certainty of Finding").MeasuredValueSequence[0],
            "NumericValue",
            "150",
        ),
        FINDING,
        "no percentage",
    ),
    "a summary without the findings": (
        lambda ds: value(at(ds, "1.3"), Summary.SOME_WITHOUT_FINDINGS),
        "1",
        "without findings",
    ),
    "a summary without the failure": (
        lambda ds: value(at(ds, "1.3"), Summary.ALL_WITH_FINDINGS),
        "1",
        "with detection 'Partially Succeeded'",
    ),
    "an unknown summary": (
        lambda ds: setattr(at(ds, "1.3").ConceptCodeSequence[0], "CodeValue", "111222"),
        "1",
        "summary is missing",
    ),
    "a status without its container": (
        lambda ds: remove(ds, "1.4.2"),
        "1",
        "with containers",
    ),
    "no analyses": (lambda ds: remove(ds, "1.5"), "1", "no summary of analyses"),
    "a detection on no image": (forget_images, "1.4.1.1", "performed on no image"),
    "an image that no detection names": (forget_refused_image, "1.2.3", "no detection names it"),
    "a text in another alphabet": (
        lambda ds: setattr(at(ds, "1.3.1"), "TextValue", "α"),
        "1.3.1",
        "ASCII",
    ),
    "an empty text": (lambda ds: setattr(at(ds, "1.3.1"), "TextValue", ""), "1.3.1", "ASCII"),
    "a UID with a leading zero": (
        lambda ds: setattr(evidence(ds), "SeriesInstanceUID", "1.02.3"),
        "header",
        "SeriesInstanceUID '1.02.3' is no UID",
    ),
    "a UID of 65 characters": (
        lambda ds: setattr(ds, "SOPInstanceUID", "1." + "2" * 63),
        "header",
        "SOPInstanceUID",
    ),
    "a verified document": (
        lambda ds: setattr(ds, "VerificationFlag", "VERIFIED"),
        "header",
        "VerificationFlag is not UNVERIFIED",
    ),
    "a mammogram's modality": (
        lambda ds: setattr(ds, "Modality", "MG"),
        "header",
        "Modality is not SR",
    ),
}


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI", "ignore:The value length")
@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_where_it_is(name: str) -> None:
    plant, position, message = FAULTS[name]
    ds = deepcopy(document())
    plant(ds)
    faults = check_cad_sr(ds)
    assert any(f.position.startswith(position) and message in f.message for f in faults), faults
