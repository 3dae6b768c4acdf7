"""Valid CAD SRs with one fault each: the table that the check, and other validators, are tried on.

Faults are planted in the finished data set. References are kept pointing at what they pointed at
where a fault moves items, so that each document has the one fault that it is named after.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from io import BytesIO

import pydicom
from pydicom.dataset import Dataset

from secondread.codes import (
    Change,
    Code,
    FindingType,
    Laterality,
    Morphology,
    ProcessingSummary,
    RenderingIntent,
    ResultStatus,
)
from secondread.findings.finding import StudyReading
from secondread.report import concepts
from secondread.report.encoding import encode_file
from secondread.report.sr import tree
from secondread.report.sr.cad_sr import build_cad_sr
from secondread.settings import ProfileSettings
from tests.unit.report.followed import (
    PRIOR,
    make_described_study,
    make_followed_study,
    make_mixed_study,
)
from tests.unit.report.readings import make_authorship

PROFILES = {
    "mixed": ProfileSettings(findings="all"),
    "followed": ProfileSettings(findings="all", individual_calcifications=False),
    "described": ProfileSettings(),
}
BASES: dict[str, Callable[[], tuple[StudyReading, dict[str, Dataset]]]] = {
    "mixed": make_mixed_study,
    "followed": make_followed_study,
    "described": make_described_study,
}
Plant = Callable[[Dataset], object]


@dataclass(frozen=True)
class PlantedFault:
    """One fault."""

    plant: Plant
    says: str
    """A part of the message that the check gives for it."""
    base: str = "mixed"
    with_findings: bool = False
    """Whether only the findings or the images' headers can tell."""
    renumbered: bool = True
    """Whether references go on pointing at what they pointed at."""


def build_valid(base: str) -> Dataset:
    """Return the document of a base as it is read from its file, without a fault."""
    return pydicom.dcmread(BytesIO(_file(base)))


@cache
def _file(base: str) -> bytes:
    reading, sources = BASES[base]()
    return encode_file(build_cad_sr(reading, sources, make_authorship(PROFILES[base])).dataset)


def build_faulty(name: str) -> Dataset:
    """Return the document with the fault of this name."""
    fault = FAULTS[name]
    ds = build_valid(fault.base)
    before = dict(walk_items(ds))
    pointed = {id(item): (item, target, before[target]) for item, target in _references(before)}
    fault.plant(ds)
    places = {id(item): position for position, item in walk_items(ds)}
    for item, target, meant in pointed.values() if fault.renumbered else ():
        # What a fault has changed on purpose is not moved along with the rest.
        if id(meant) in places and _target(item) == target:
            item.ReferencedContentItemIdentifier = list(places[id(meant)])
    return ds


def walk_items(
    ds: Dataset, position: tuple[int, ...] = (1,)
) -> Iterator[tuple[tuple[int, ...], Dataset]]:
    """Yield all content items with their positions."""
    yield position, ds
    for index, child in enumerate(ds.get("ContentSequence", []), start=1):
        yield from walk_items(child, (*position, index))


def _references(
    at: dict[tuple[int, ...], Dataset],
) -> Iterator[tuple[Dataset, tuple[int, ...]]]:
    for item in at.values():
        if "ReferencedContentItemIdentifier" in item:
            yield item, _target(item)


def _target(item: Dataset) -> tuple[int, ...]:
    value = item.get("ReferencedContentItemIdentifier", ())
    return (value,) if isinstance(value, int) else tuple(value)


def find_items(ds: Dataset, *path: Code) -> list[Dataset]:
    """Return the items below each other with these concept names, depth first."""
    matches = [ds]
    for concept in path:
        matches = [below for item in matches for below in _find_below(item, concept)]
    return matches


def _find_below(ds: Dataset, concept: Code) -> list[Dataset]:
    own = [child for child in ds.get("ContentSequence", []) if is_named(child, concept)]
    deeper = [i for child in ds.get("ContentSequence", []) for i in _find_below(child, concept)]
    return own + [item for item in deeper if all(item is not child for child in own)]


def is_named(item: Dataset, concept: Code) -> bool:
    names = item.get("ConceptNameCodeSequence", None)
    return bool(names) and names[0].CodeValue == concept.value


def find_item(ds: Dataset, *path: Code) -> Dataset:
    """Return the first of them."""
    return find_items(ds, *path)[0]


def drop(ds: Dataset, *path: Code) -> None:
    """Take an item out of what it hangs below."""
    gone = find_item(ds, *path)
    for _, item in walk_items(ds):
        children = item.get("ContentSequence", [])
        for index, child in enumerate(children):
            if child is gone:
                del children[index]
                return
    raise AssertionError("not in the tree")


def find_parent(ds: Dataset, wanted: Dataset) -> Dataset:
    for _, item in walk_items(ds):
        if any(child is wanted for child in item.get("ContentSequence", [])):
            return item
    raise AssertionError("not in the tree")


def set_code(item: Dataset, code: Code) -> None:
    item.ConceptCodeSequence = [tree.encode_code(code)]


def set_number(item: Dataset, text: str) -> None:
    item.MeasuredValueSequence[0].NumericValue = text


def read_count(item: Dataset) -> int:
    return int(item.MeasuredValueSequence[0].NumericValue)


def set_unit(item: Dataset, code: Code) -> None:
    item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence = [tree.encode_code(code)]


def hang(ds: Dataset, relation: str, item: tree.TreeItem) -> None:
    """Hang an item behind the others."""
    child = item.content
    child.RelationshipType = relation
    ds.ContentSequence.append(child)


def point_at(item: Dataset, *position: int) -> None:
    """Let the references right below an item point elsewhere."""
    for child in item.ContentSequence:
        if "ReferencedContentItemIdentifier" in child:
            child.ReferencedContentItemIdentifier = list(position)


def list_references(item: Dataset) -> list[Dataset]:
    return [c for c in item.ContentSequence if "ReferencedContentItemIdentifier" in c]


def drop_references(item: Dataset, references_to: slice) -> None:
    for reference in list_references(item)[references_to]:
        item.ContentSequence.remove(reference)


def drop_detected_image(ds: Dataset, number: int) -> None:
    """Take an image of the library out of the successful detections."""
    for performed in find_items(ds, C.DETECTION_PERFORMED)[:2]:
        drop_references(performed, slice(number, number + 1))


def find_evidence(ds: Dataset) -> Dataset:
    series: Dataset = ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    return series


def shift_point(item: Dataset, by: float) -> None:
    item.GraphicData = [float(item.GraphicData[0]) + by, *item.GraphicData[1:]]


def swap(item: Dataset, first: int, second: int) -> None:
    children = item.ContentSequence
    children[first], children[second] = children[second], children[first]


C = concepts
IMPRESSION, FINDING, FEATURE = C.INDIVIDUAL_IMPRESSION, C.SINGLE_IMAGE_FINDING, C.COMPOSITE_FEATURE
DIFFERENCE = Code("129810007", "SCT", "Difference in number of calcifications")
COMMENT = Code("121106", "DCM", "Comment")
OBSERVER = Code("121005", "DCM", "Observer Type")
DEVICE = Code("121007", "DCM", "Device")


def find_finding(ds: Dataset) -> Dataset:
    return find_item(ds, FINDING)


def find_member(ds: Dataset) -> Dataset:
    return find_item(find_finding(ds), FINDING)


def list_impressions(ds: Dataset) -> list[Dataset]:
    return find_items(ds, IMPRESSION)


def find_optional(ds: Dataset) -> Dataset:
    return find_item(list_impressions(ds)[1], FINDING)


def find_quality(ds: Dataset) -> Dataset:
    return find_item(list_impressions(ds)[-1], FINDING)


def list_library(ds: Dataset) -> list[Dataset]:
    entries: list[Dataset] = list(find_item(ds, C.IMAGE_LIBRARY).ContentSequence)
    return entries


def move_finding(item: Dataset, *position: int) -> None:
    """Move a finding with all its parts to another image."""
    for _, child in walk_items(item):
        if child.get("ValueType") == "SCOORD":
            point_at(child, *position)


def add_date_time(ds: Dataset) -> None:
    item = Dataset()
    item.ValueType, item.RelationshipType = "DATETIME", "HAS OBS CONTEXT"
    item.ConceptNameCodeSequence = [tree.encode_code(Code("111526", "DCM", "DateTime Started"))]
    item.DateTime = "20260105101500"
    find_finding(ds).ContentSequence.append(item)


def copy_evidence_as_other(ds: Dataset) -> None:
    ds.PertinentOtherEvidenceSequence = deepcopy(ds.CurrentRequestedProcedureEvidenceSequence)


def make_required(ds: Dataset) -> None:
    """Show what the operating point hides: impression, finding and calcifications alike."""
    for _, item in walk_items(list_impressions(ds)[2]):
        if is_named(item, C.RENDERING_INTENT):
            set_code(item, RenderingIntent.REQUIRED.code)


def exchange_certainties(ds: Dataset) -> None:
    first, second = (find_item(i, FINDING, C.CERTAINTY) for i in list_impressions(ds)[:2])
    a, b = (i.MeasuredValueSequence[0] for i in (first, second))
    a.NumericValue, b.NumericValue = b.NumericValue, a.NumericValue


def exchange_references(ds: Dataset) -> None:
    first, second = list_references(find_item(ds, DIFFERENCE))
    targets = [list(item.ReferencedContentItemIdentifier) for item in (second, first)]
    first.ReferencedContentItemIdentifier, second.ReferencedContentItemIdentifier = targets


def find_prior_finding(ds: Dataset) -> Dataset:
    findings = find_items(ds, FINDING)
    return next(f for f in findings if "2025" in str(find_items(f, C.TRACKING_IDENTIFIER)[:1]))


def exchange_partners(ds: Dataset) -> None:
    """Exchange what the grown cluster was for what is gone."""
    findings = [f for f in find_items(ds, FINDING) if find_items(f, C.TRACKING_IDENTIFIER)]
    partner, gone = (
        next(f for f in findings if find_item(f, C.TRACKING_IDENTIFIER).TextValue == name)
        for name in ("20250105 LCC-1", "20250105 LCC-2")
    )
    above, below = find_parent(ds, partner), find_parent(ds, gone)
    here = [c is partner for c in above.ContentSequence].index(True)
    there = [c is gone for c in below.ContentSequence].index(True)
    above.ContentSequence[here], below.ContentSequence[there] = gone, partner
    gone.RelationshipType, partner.RelationshipType = "INFERRED FROM", "CONTAINS"
    # So that intents, counts and the difference stay right.
    for item, code in ((gone, RenderingIntent.REQUIRED), (partner, RenderingIntent.NOT)):
        for _, child in walk_items(item):
            if is_named(child, C.RENDERING_INTENT):
                set_code(child, code.code)
    reference = list_references(find_item(above, DIFFERENCE))[1]
    positions = {id(item): position for position, item in walk_items(ds)}
    count = find_item(gone, C.NUMBER_OF_CALCIFICATIONS)
    reference.ReferencedContentItemIdentifier = list(positions[id(count)])
    now = read_count(find_item(above.ContentSequence[here - 1], C.NUMBER_OF_CALCIFICATIONS))
    set_number(find_item(above, DIFFERENCE), str(now - read_count(count)))


def move_prior_to_current(ds: Dataset) -> None:
    """Put what a cluster was into a current image."""
    partner = next(
        f
        for f in find_items(ds, FINDING)
        if find_items(f, C.TRACKING_IDENTIFIER)
        and find_item(f, C.TRACKING_IDENTIFIER).TextValue == "20250105 LMLO-3"
    )
    move_finding(partner, 1, 2, 2)


def change_side(ds: Dataset) -> None:
    set_code(find_item(list_library(ds)[1], C.IMAGE_LATERALITY), Laterality.RIGHT.code)


_ROWS: dict[str, PlantedFault] = {
    "no language": PlantedFault(lambda ds: drop(ds, C.LANGUAGE), "no CODE Language"),
    "no image library": PlantedFault(
        lambda ds: drop(ds, C.IMAGE_LIBRARY), "no CONTAINER Image Library"
    ),
    "an empty library": PlantedFault(
        lambda ds: delattr(find_item(ds, C.IMAGE_LIBRARY), "ContentSequence"), "no IMAGE"
    ),
    "no processing summary": PlantedFault(
        lambda ds: drop(ds, C.PROCESSING_SUMMARY), "no CODE CAD Processing and Findings Summary"
    ),
    "no summary of detections": PlantedFault(
        lambda ds: drop(ds, C.DETECTION_SUMMARY), "no CODE Summary of Detections"
    ),
    "no summary of analyses": PlantedFault(
        lambda ds: drop(ds, C.ANALYSIS_SUMMARY), "no CODE Summary of Analyses"
    ),
    "no rendering intent of a finding": PlantedFault(
        lambda ds: drop(ds, FINDING, C.RENDERING_INTENT), "no CODE Rendering Intent"
    ),
    "no rendering intent of an impression": PlantedFault(
        lambda ds: list_impressions(ds)[0].ContentSequence.pop(0), "no CODE Rendering Intent"
    ),
    "no rendering intent of a composite": PlantedFault(
        lambda ds: drop(ds, FEATURE, C.RENDERING_INTENT), "no CODE Rendering Intent", "followed"
    ),
    "no algorithm name": PlantedFault(
        lambda ds: drop(ds, FINDING, C.ALGORITHM_NAME), "no TEXT Algorithm Name"
    ),
    "no algorithm version": PlantedFault(
        lambda ds: drop(ds, FINDING, FINDING, C.ALGORITHM_VERSION), "no TEXT Algorithm Version"
    ),
    "no algorithm of an impression": PlantedFault(
        lambda ds: drop(ds, IMPRESSION, C.ALGORITHM_NAME), "no TEXT Algorithm Name"
    ),
    "no center": PlantedFault(lambda ds: drop(ds, FINDING, C.CENTER), "no SCOORD Center"),
    "two centers": PlantedFault(
        lambda ds: find_finding(ds).ContentSequence.insert(
            8, deepcopy(find_item(ds, FINDING, C.CENTER))
        ),
        "2 items SCOORD Center",
    ),
    "two descriptions of an impression": PlantedFault(
        lambda ds: list_impressions(ds)[0].ContentSequence.insert(
            1, deepcopy(find_item(list_impressions(ds)[0], C.IMPRESSION_DESCRIPTION))
        ),
        "2 items TEXT Impression Description",
    ),
    "an impression of nothing": PlantedFault(
        lambda ds: drop(list_impressions(ds)[0], FINDING), "TID 4003 has none"
    ),
    "a tracking without identifier": PlantedFault(
        lambda ds: (
            find_item(ds, FINDING, C.TRACKING_IDENTIFIER)
            .ConceptNameCodeSequence[0]
            .__setattr__("CodeValue", "112041")
        ),
        "only for: it is from another report",
    ),
    "a detection on no image": PlantedFault(
        lambda ds: drop_references(find_item(ds, C.DETECTION_PERFORMED), slice(None)),
        "has none of its rows",
    ),
    "image quality without a quality": PlantedFault(
        lambda ds: drop(find_quality(ds), C.QUALITY_FINDING), "no CODE Quality Finding"
    ),
    "image quality of no image": PlantedFault(
        lambda ds: drop_references(find_quality(ds), slice(None)), "no IMAGE by reference"
    ),
    "image quality with a center": PlantedFault(
        lambda ds: find_quality(ds).ContentSequence.append(
            deepcopy(find_item(ds, FINDING, C.CENTER))
        ),
        "is only for: the value is not composition",
    ),
}
_RELATIONS: dict[str, PlantedFault] = {
    "a relation that the IOD forbids": PlantedFault(
        lambda ds: setattr(find_item(ds, FINDING, C.CENTER), "RelationshipType", "CONTAINS"),
        "relation is CONTAINS, and HAS PROPERTIES",
    ),
    "a relation that the template does not know": PlantedFault(
        lambda ds: setattr(find_item(ds, FINDING, C.CENTER), "RelationshipType", "INFERRED FROM"),
        "relation is INFERRED FROM, and HAS PROPERTIES",
    ),
    "an algorithm as modifier": PlantedFault(
        lambda ds: setattr(
            find_item(ds, FINDING, C.ALGORITHM_NAME), "RelationshipType", "HAS CONCEPT MOD"
        ),
        "relation is HAS CONCEPT MOD, and HAS PROPERTIES",
    ),
    "a container with properties": PlantedFault(
        lambda ds: setattr(
            find_item(ds, IMPRESSION, C.IMPRESSION_DESCRIPTION),
            "RelationshipType",
            "HAS PROPERTIES",
        ),
        "relation is HAS PROPERTIES, and CONTAINS",
    ),
    "no relationship type": PlantedFault(
        lambda ds: delattr(find_item(ds, C.PROCESSING_SUMMARY), "RelationshipType"),
        "relation is none, and CONTAINS",
    ),
    "another value type": PlantedFault(
        lambda ds: setattr(find_item(ds, FINDING, C.ALGORITHM_VERSION), "ValueType", "UIDREF"),
        "value type is UIDREF, and TEXT",
    ),
    "an image by value": PlantedFault(
        lambda ds: setattr(
            find_item(ds, FINDING, C.CENTER),
            "ContentSequence",
            [_image_item(list_library(ds)[1])],
        ),
        "by reference",
    ),
}
_VALUES: dict[str, PlantedFault] = {
    "a rendering intent of another group": PlantedFault(
        lambda ds: set_code(
            find_item(ds, FINDING, C.RENDERING_INTENT), ResultStatus.SUCCEEDED.code
        ),
        "is not in CID 6034",
    ),
    "a summary of another group": PlantedFault(
        lambda ds: set_code(find_item(ds, C.PROCESSING_SUMMARY), ResultStatus.SUCCEEDED.code),
        "not in CID 6047",
    ),
    "a status of another group": PlantedFault(
        lambda ds: set_code(find_item(ds, C.ANALYSIS_SUMMARY), ProcessingSummary.NONE.code),
        "not in CID 6042",
    ),
    "an unknown finding": PlantedFault(
        lambda ds: setattr(find_finding(ds).ConceptCodeSequence[0], "CodeValue", "111105"),
        "not in CID 6014",
    ),
    "an unknown change": PlantedFault(
        lambda ds: set_code(find_item(ds, C.IMPRESSION), FindingType.CLUSTER.code),
        "not in CID 6002",
        "followed",
    ),
    "a wrong meaning of a value": PlantedFault(
        lambda ds: setattr(find_finding(ds).ConceptCodeSequence[0], "CodeMeaning", "Breast mass"),
        "does not mean 'Breast mass'",
    ),
    "a wrong meaning of a name": PlantedFault(
        lambda ds: setattr(
            find_item(ds, FINDING, C.CENTER).ConceptNameCodeSequence[0], "CodeMeaning", "Outline"
        ),
        "does not mean 'Outline'",
    ),
    "an unknown concept name": PlantedFault(
        lambda ds: setattr(
            find_item(ds, FINDING, C.CERTAINTY).ConceptNameCodeSequence[0], "CodeValue", "111099"
        ),
        "is not in the template",
    ),
    "a code without scheme": PlantedFault(
        lambda ds: setattr(find_finding(ds).ConceptCodeSequence[0], "CodingSchemeDesignator", ""),
        "without value or scheme",
    ),
    "a certainty in millimeters": PlantedFault(
        lambda ds: set_unit(find_item(ds, FINDING, C.CERTAINTY), C.MILLIMETER), "unit 'mm'"
    ),
    "a spacing in percent": PlantedFault(
        lambda ds: set_unit(find_item(list_library(ds)[0], C.HORIZONTAL_SPACING), C.PERCENT),
        "unit '%'",
    ),
    "a certainty of 150": PlantedFault(
        lambda ds: set_number(find_item(ds, FINDING, C.CERTAINTY), "150"),
        "150 is not between 0 and 100",
    ),
    "half a calcification": PlantedFault(
        lambda ds: set_number(find_item(ds, FINDING, C.NUMBER_OF_CALCIFICATIONS), "3.5"),
        "3.5 is not a whole number",
    ),
    "a number without value": PlantedFault(
        lambda ds: setattr(find_item(ds, FINDING, C.CERTAINTY), "MeasuredValueSequence", []),
        "a NUM without",
    ),
    "an empty text": PlantedFault(
        lambda ds: setattr(find_item(ds, FINDING, C.ALGORITHM_NAME), "TextValue", ""),
        "TEXT without",
    ),
    "a text in another alphabet": PlantedFault(
        lambda ds: setattr(find_item(ds, FINDING, C.ALGORITHM_NAME), "TextValue", "αβγ"),
        "beyond ASCII",
    ),
    "a date with dashes": PlantedFault(
        lambda ds: setattr(find_item(list_library(ds)[0], C.STUDY_DATE), "Date", "2026-01-05"),
        "is not a date",
    ),
}
_REFERENCES: dict[str, PlantedFault] = {
    "a reference to nothing": PlantedFault(
        lambda ds: point_at(find_item(ds, FINDING, C.CENTER), 1, 2, 9),
        "1.2.9, which is not in the tree",
    ),
    "a reference to a code": PlantedFault(
        lambda ds: point_at(find_item(ds, FINDING, C.CENTER), 1, 1), "is not in the template"
    ),
    "a reference to what it is part of": PlantedFault(
        lambda ds: point_at(find_item(ds, FINDING, C.CENTER), 1, 3), "refers to what it is part of"
    ),
    "a center without image": PlantedFault(
        lambda ds: delattr(find_item(ds, FINDING, C.CENTER), "ContentSequence"),
        "selected from 0 images",
    ),
    "a center in another image than its outline": PlantedFault(
        lambda ds: point_at(find_item(ds, FINDING, C.CENTER), 1, 2, 1), "in another image"
    ),
}
_COORDINATES: dict[str, PlantedFault] = {
    "a point of two points": PlantedFault(
        lambda ds: setattr(find_item(ds, FINDING, C.CENTER), "GraphicData", [1, 2, 3, 4]),
        "a POINT of 2 points",
    ),
    "half a point": PlantedFault(
        lambda ds: setattr(
            find_item(ds, FINDING, C.OUTLINE),
            "GraphicData",
            list(find_item(ds, FINDING, C.OUTLINE).GraphicData)[:-1],
        ),
        "coordinates that make no points",
    ),
    "a point right of the image": PlantedFault(
        lambda ds: setattr(find_item(ds, FINDING, FINDING, C.CENTER), "GraphicData", [800.5, 10.0]),
        "outside the image of 800 columns, 1000 rows",
    ),
    "a point above the image": PlantedFault(
        lambda ds: setattr(find_item(ds, FINDING, FINDING, C.CENTER), "GraphicData", [5.0, -0.5]),
        "outside the image",
    ),
    "an open outline": PlantedFault(
        lambda ds: setattr(
            find_item(ds, FINDING, C.OUTLINE),
            "GraphicData",
            list(find_item(ds, FINDING, C.OUTLINE).GraphicData)[:-2],
        ),
        "the outline is not closed",
    ),
    "a center outside its outline": PlantedFault(
        lambda ds: shift_point(find_item(ds, FINDING, C.CENTER), 60.0),
        "the center is outside the outline",
    ),
    "a center that is a line": PlantedFault(
        lambda ds: setattr(find_item(ds, FINDING, C.CENTER), "GraphicType", "POLYLINE"),
        "a POLYLINE",
    ),
}
_INTENTS: dict[str, PlantedFault] = {
    "a finding above its impression": PlantedFault(
        lambda ds: set_code(list_impressions(ds)[0].ContentSequence[0], RenderingIntent.NOT.code),
        "more presentable",
    ),
    "a calcification above its cluster": PlantedFault(
        lambda ds: set_code(
            find_item(list_impressions(ds)[2], FINDING, FINDING, C.RENDERING_INTENT),
            RenderingIntent.REQUIRED.code,
        ),
        "more presentable",
    ),
    "an optional mark without operating point": PlantedFault(
        lambda ds: delattr(find_item(find_optional(ds), C.RENDERING_INTENT), "ContentSequence"),
        "an optional mark without CAD Operating Point",
    ),
    "an operating point of a required mark": PlantedFault(
        lambda ds: setattr(
            find_item(ds, FINDING, C.RENDERING_INTENT),
            "ContentSequence",
            deepcopy(find_item(find_optional(ds), C.RENDERING_INTENT).ContentSequence),
        ),
        "only for: the value is Presentation Optional",
    ),
    "an operating point beyond the maximum": PlantedFault(
        lambda ds: set_number(find_item(find_optional(ds), C.CAD_OPERATING_POINT), "2"),
        "beyond the maximum CAD Operating Point",
    ),
    "an operating point missing in the table": PlantedFault(
        lambda ds: find_item(ds, C.OPERATING_POINT_TABLE).ContentSequence.pop(), "are wanted"
    ),
}
_SUMMARIES: dict[str, PlantedFault] = {
    "findings, and a summary without": PlantedFault(
        lambda ds: set_code(
            find_item(ds, C.PROCESSING_SUMMARY), ProcessingSummary.SOME_WITHOUT_FINDINGS.code
        ),
        "and there are findings",
    ),
    "failures, and a summary without": PlantedFault(
        lambda ds: set_code(
            find_item(ds, C.PROCESSING_SUMMARY), ProcessingSummary.ALL_WITH_FINDINGS.code
        ),
        "with detections, analyses",
    ),
    "successes, and a summary without": PlantedFault(
        lambda ds: set_code(find_item(ds, C.PROCESSING_SUMMARY), ProcessingSummary.NONE.code),
        "and there are findings",
    ),
    "failed, with successful detections": PlantedFault(
        lambda ds: set_code(find_item(ds, C.DETECTION_SUMMARY), ResultStatus.FAILED.code),
        "only for: the value is Succeeded",
    ),
    "succeeded, with failed analyses": PlantedFault(
        lambda ds: set_code(find_item(ds, C.ANALYSIS_SUMMARY), ResultStatus.SUCCEEDED.code),
        "only for: the value is Failed",
    ),
    "partially succeeded, without failures": PlantedFault(
        lambda ds: drop(ds, C.FAILED_DETECTIONS), "no CONTAINER Failed Detections"
    ),
    "an image that nothing names": PlantedFault(
        lambda ds: drop_detected_image(ds, 0),
        "no detection and no analysis names this image",
    ),
    "a finding in an image without detection": PlantedFault(
        lambda ds: drop_detected_image(ds, 1),
        "no successful detection of it",
    ),
}
_EVIDENCE: dict[str, PlantedFault] = {
    "no evidence": PlantedFault(
        lambda ds: delattr(ds, "CurrentRequestedProcedureEvidenceSequence"), "no current evidence"
    ),
    "an image that is no evidence": PlantedFault(
        lambda ds: find_evidence(ds).ReferencedSOPSequence.pop(),
        "is in the library and not evidence",
    ),
    "evidence of another class": PlantedFault(
        lambda ds: setattr(
            find_evidence(ds).ReferencedSOPSequence[0],
            "ReferencedSOPClassUID",
            "1.2.840.10008.5.1.4.1.1.7",
        ),
        "is in the library and not evidence of this class",
    ),
    "evidence that is not in the library": PlantedFault(
        lambda ds: find_evidence(ds).ReferencedSOPSequence.append(
            tree.encode_reference("1.2.840.10008.5.1.4.1.1.1.2", "1.2.3.99")
        ),
        "is current evidence and not in the library",
    ),
    "current evidence that is prior evidence too": PlantedFault(
        copy_evidence_as_other, "both current and other evidence"
    ),
    "current evidence of another study": PlantedFault(
        lambda ds: setattr(
            ds.CurrentRequestedProcedureEvidenceSequence[0], "StudyInstanceUID", "1.2.3.98"
        ),
        "current evidence of another study",
    ),
    "no template": PlantedFault(
        lambda ds: delattr(ds, "ContentTemplateSequence"), "not 4000 of DCMR"
    ),
    "another template": PlantedFault(
        lambda ds: setattr(ds.ContentTemplateSequence[0], "TemplateIdentifier", "4100"),
        "not 4000 of DCMR",
    ),
    "no completion flag": PlantedFault(
        lambda ds: delattr(ds, "CompletionFlag"), "CompletionFlag is not COMPLETE"
    ),
    "verified by nobody": PlantedFault(
        lambda ds: setattr(ds, "VerificationFlag", "VERIFIED"), "nobody is named"
    ),
    "no performed procedure step": PlantedFault(
        lambda ds: delattr(ds, "ReferencedPerformedProcedureStepSequence"), "is not there"
    ),
    "a mammogram's modality": PlantedFault(
        lambda ds: setattr(ds, "Modality", "MG"), "Modality is not SR"
    ),
    "another SOP class": PlantedFault(
        lambda ds: setattr(ds, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.88.33"), "SOPClassUID is not"
    ),
    "no continuity": PlantedFault(
        lambda ds: delattr(ds, "ContinuityOfContent"), "ContinuityOfContent"
    ),
    "a UID with a leading zero": PlantedFault(
        lambda ds: setattr(ds, "SeriesInstanceUID", "1.02.3"), "'1.02.3' is not a UID"
    ),
    "a UID of 65 characters": PlantedFault(
        lambda ds: setattr(find_item(ds, C.TRACKING_UID), "UID", "1." + "2" * 63), "is not a UID"
    ),
    "no series number": PlantedFault(
        lambda ds: setattr(ds, "SeriesNumber", None), "SeriesNumber has no value"
    ),
    "one image twice in the library": PlantedFault(
        lambda ds: find_item(ds, C.IMAGE_LIBRARY).ContentSequence.append(
            deepcopy(list_library(ds)[0])
        ),
        "the same image as 1.2.1",
    ),
    "rows without columns": PlantedFault(
        lambda ds: list_library(ds)[0].ContentSequence.pop(), "rows without columns"
    ),
}
_STRANGERS: dict[str, PlantedFault] = {
    "a comment at the root": PlantedFault(
        lambda ds: hang(ds, "CONTAINS", tree.text(COMMENT, "not for diagnosis")),
        "is not in the template",
    ),
    "an observer at the root": PlantedFault(
        lambda ds: hang(ds, "HAS OBS CONTEXT", tree.code(OBSERVER, DEVICE)),
        "is not in the template",
    ),
    "a date and time in the tree": PlantedFault(add_date_time, "is not in the template"),
    "version before name": PlantedFault(
        lambda ds: swap(find_finding(ds), 3, 4), "TID 4019 row 1 comes behind TID 4019 row 2"
    ),
    "a summary before the library": PlantedFault(lambda ds: swap(ds, 1, 2), "comes behind"),
    "a cluster in a cluster": PlantedFault(
        lambda ds: set_code(find_member(ds), FindingType.CLUSTER.code),
        "individual calcifications only",
    ),
    "more calcifications than their number": PlantedFault(
        lambda ds: set_number(find_item(ds, FINDING, C.NUMBER_OF_CALCIFICATIONS), "2"),
        "3 calcifications, and their number is less",
    ),
}
_FEATURES: dict[str, PlantedFault] = {
    "a composite of one": PlantedFault(
        lambda ds: drop(find_items(ds, FEATURE)[-1], FINDING),
        "composed of 1, and two at least",
        "followed",
    ),
    "a temporal composite within one study": PlantedFault(
        move_prior_to_current, "related temporally, and all of one study", "followed"
    ),
    "a composite of both breasts": PlantedFault(
        change_side, "composed of findings of both breasts", "followed"
    ),
    "a composite of an unknown kind": PlantedFault(
        lambda ds: set_code(find_item(ds, C.COMPOSITE_TYPE), ResultStatus.FAILED.code),
        "not in CID 6035",
        "followed",
    ),
    "a difference that is none": PlantedFault(
        lambda ds: set_number(find_item(ds, DIFFERENCE), "1"),
        "not the first value less",
        "followed",
    ),
    "a difference the wrong way round": PlantedFault(
        exchange_references, "not the first value less", "followed"
    ),
    "a difference of one value": PlantedFault(
        lambda ds: find_item(ds, DIFFERENCE).ContentSequence.pop(), "refers to 1 values", "followed"
    ),
    "a difference in space": PlantedFault(
        lambda ds: find_item(ds, FEATURE).ContentSequence.insert(
            8, _related(tree.number(DIFFERENCE, 3, C.NO_UNITS))
        ),
        "only for: the composite is related temporally",
        "followed",
    ),
}
_FINDINGS: dict[str, PlantedFault] = {
    "a finding in another image": PlantedFault(
        lambda ds: move_finding(find_finding(ds), 1, 2, 1), "and found in", with_findings=True
    ),
    "a center a pixel beside": PlantedFault(
        lambda ds: shift_point(find_item(ds, FINDING, C.CENTER), 1.0),
        "not the finding's center",
        with_findings=True,
    ),
    "a calcification a pixel beside": PlantedFault(
        lambda ds: shift_point(find_item(ds, FINDING, FINDING, C.CENTER), 1.0),
        "not the finding's center",
        with_findings=True,
    ),
    "a vertex half a pixel beside": PlantedFault(
        lambda ds: setattr(
            find_item(ds, FINDING, C.OUTLINE),
            "GraphicData",
            [
                float(n) + (0.5 if index == 4 else 0.0)
                for index, n in enumerate(find_item(ds, FINDING, C.OUTLINE).GraphicData)
            ],
        ),
        "not the finding's outline",
        with_findings=True,
    ),
    "another finding's certainty": PlantedFault(
        exchange_certainties, "Certainty of Finding is", with_findings=True
    ),
    "one calcification too many": PlantedFault(
        lambda ds: set_number(find_item(ds, FINDING, C.NUMBER_OF_CALCIFICATIONS), "4"),
        "the number of calcifications is not 3",
        with_findings=True,
    ),
    "a calcification left out": PlantedFault(
        lambda ds: find_finding(ds).ContentSequence.pop(),
        "2 individual calcifications of 3",
        with_findings=True,
    ),
    "a finding left out": PlantedFault(
        lambda ds: find_item(ds, C.PROCESSING_SUMMARY).ContentSequence.remove(
            list_impressions(ds)[1]
        ),
        "the finding LCC-2 is missing",
        with_findings=True,
    ),
    "a finding of another name": PlantedFault(
        lambda ds: setattr(find_item(ds, FINDING, C.TRACKING_IDENTIFIER), "TextValue", "LCC-9"),
        "'LCC-9' is not a finding of the reading",
        with_findings=True,
    ),
    "a type that nobody predicted": PlantedFault(
        lambda ds: find_finding(ds).ContentSequence.insert(
            11,
            _related(
                tree.code(C.CALCIFICATION_TYPE, Code("129755006", "SCT", "Punctate calcification"))
            ),
        ),
        "Calcification Type is not that of the finding",
        with_findings=True,
    ),
    "both types that cannot be told apart": PlantedFault(
        lambda ds: find_finding(ds).ContentSequence.insert(
            11, _related(tree.code(C.CALCIFICATION_TYPE, Morphology.FINE_PLEOMORPHIC.code))
        ),
        "more than one Calcification Type",
        "described",
        with_findings=True,
    ),
    "a type that is uncertain": PlantedFault(
        lambda ds: find_item(list_impressions(ds)[1], FINDING).ContentSequence.insert(
            11, _related(tree.code(C.CALCIFICATION_TYPE, Morphology.AMORPHOUS.code))
        ),
        "Calcification Type is not that of the finding",
        "described",
        with_findings=True,
    ),
    "an alternative that is not named": PlantedFault(
        lambda ds: setattr(
            find_item(ds, IMPRESSION, C.IMPRESSION_DESCRIPTION), "TextValue", "L CC 1: punctate"
        ),
        "LCC-1 is not described as punctate 44 %, fine pleomorphic 43 %",
        "described",
        with_findings=True,
    ),
    "impressions out of order": PlantedFault(
        lambda ds: swap(find_item(ds, C.PROCESSING_SUMMARY), -2, -1),
        "of a higher priority than what comes before it",
        "described",
        with_findings=True,
    ),
    "a hidden finding shown": PlantedFault(
        make_required, "presented other than the operating point says", with_findings=True
    ),
    "another side in the library": PlantedFault(
        lambda ds: set_code(
            find_item(list_library(ds)[1], C.IMAGE_LATERALITY), Laterality.RIGHT.code
        ),
        "Image Laterality is not that of the image",
        with_findings=True,
    ),
    "another orientation in the library": PlantedFault(
        lambda ds: setattr(find_item(list_library(ds)[1], C.ORIENTATION_ROW), "TextValue", "P"),
        "Patient Orientation Row is not",
        with_findings=True,
    ),
    "another spacing in the library": PlantedFault(
        lambda ds: set_number(find_item(list_library(ds)[1], C.HORIZONTAL_SPACING), "85"),
        "Horizontal Pixel Spacing is not 70.0",
        with_findings=True,
    ),
    "another size in the library": PlantedFault(
        lambda ds: set_number(find_item(list_library(ds)[1], C.PIXEL_ROWS), "1024"),
        "Pixel Data Rows is not 1000.0",
        with_findings=True,
    ),
    "another study date in the library": PlantedFault(
        lambda ds: setattr(find_item(list_library(ds)[1], C.STUDY_DATE), "Date", "20250105"),
        "Study Date is not",
        with_findings=True,
    ),
    "another patient": PlantedFault(
        lambda ds: setattr(ds, "PatientID", "P2"),
        "PatientID is not that of the images",
        with_findings=True,
    ),
    "a code in the other scheme": PlantedFault(
        lambda ds: tree.convert_to_srt(find_finding(ds)), "a code in SRT", with_findings=True
    ),
    "another word for the change": PlantedFault(
        lambda ds: set_code(find_item(ds, C.IMPRESSION), Change.FEWER.code),
        "its word for the change",
        "followed",
        with_findings=True,
    ),
    "another finding of the prior": PlantedFault(
        exchange_partners,
        "was not what these findings were",
        "followed",
        with_findings=True,
        renumbered=False,
    ),
    "a prior under the current study": PlantedFault(
        lambda ds: setattr(ds.PertinentOtherEvidenceSequence[0], "StudyInstanceUID", PRIOR + ".7"),
        "evidence under another study",
        "followed",
        with_findings=True,
    ),
}
FAMILIES: dict[str, dict[str, PlantedFault]] = {
    "rows of the template": _ROWS,
    "relationships": _RELATIONS,
    "codes, units, numbers, texts": _VALUES,
    "references": _REFERENCES,
    "coordinates": _COORDINATES,
    "rendering intent": _INTENTS,
    "summaries": _SUMMARIES,
    "header and evidence": _EVIDENCE,
    "items without a row": _STRANGERS,
    "composite features": _FEATURES,
    "against findings and headers": _FINDINGS,
}
"""All faults by what they offend."""

FAULTS: dict[str, PlantedFault] = {
    name: planted for some in FAMILIES.values() for name, planted in some.items()
}


def _image_item(entry: Dataset) -> Dataset:
    item = Dataset()
    item.ValueType, item.RelationshipType = "IMAGE", "SELECTED FROM"
    item.ReferencedSOPSequence = deepcopy(entry.ReferencedSOPSequence)
    return item


def _related(item: tree.TreeItem) -> Dataset:
    item.content.RelationshipType = "HAS PROPERTIES"
    return item.content
