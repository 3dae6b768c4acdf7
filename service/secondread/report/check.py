"""The last look at a CAD SR before it leaves: rules that no validator checks, and cheap ones.

It reads the finished data set and shares no code with the builder but the codes, so that a
mistake of the builder is not repeated here. What it checks was chosen by planting single faults
in a valid document: coordinates outside the image, open outlines, a child more presentable than
its parent and a summary that contradicts the findings pass every public validator.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset

from secondread.codes import FindingType, RenderingIntent, Status, Summary
from secondread.report import concepts
from secondread.report.document import (
    LIBRARY,
    Document,
    instance_of,
    name_of,
    number_of,
    target_of,
    value_of,
)
from secondread.report.tree import Position, dotted

_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+")
_LANGUAGE: Position = (1, 1)
_PRESENTABLE = (RenderingIntent.NOT, RenderingIntent.OPTIONAL, RenderingIntent.REQUIRED)
_CONTAINERS = {
    Status.SUCCEEDED: {concepts.SUCCESSFUL_DETECTIONS.value},
    Status.PARTIALLY_SUCCEEDED: {
        concepts.SUCCESSFUL_DETECTIONS.value,
        concepts.FAILED_DETECTIONS.value,
    },
    Status.FAILED: {concepts.FAILED_DETECTIONS.value},
    Status.NOT_ATTEMPTED: set[str](),
}
_WITH_FINDINGS = {Summary.ALL_WITH_FINDINGS, Summary.SOME_WITH_FINDINGS}
_DETECTION_OF = {
    Summary.ALL_WITH_FINDINGS: Status.SUCCEEDED,
    Summary.ALL_WITHOUT_FINDINGS: Status.SUCCEEDED,
    Summary.SOME_WITH_FINDINGS: Status.PARTIALLY_SUCCEEDED,
    Summary.SOME_WITHOUT_FINDINGS: Status.PARTIALLY_SUCCEEDED,
    Summary.NONE: Status.FAILED,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong, and where."""

    position: str
    """Position of the content item, or ``header``."""
    message: str

    def __str__(self) -> str:
        return f"{self.position}: {self.message}"


def check_cad_sr(ds: Dataset) -> list[Fault]:
    """Return what is wrong with a CAD SR; an empty list if nothing is."""
    document = Document(ds)
    return [fault for rule in _RULES for fault in rule(document)]


def _language_and_library(document: Document) -> Iterator[Fault]:
    for position, concept in (
        (_LANGUAGE, concepts.LANGUAGE),
        (LIBRARY, concepts.IMAGE_LIBRARY),
    ):
        if name_of(document.items.get(position, Dataset())) != concept.value:
            yield Fault(dotted(position), f"{concept.meaning} is not here")
    if not document.library:
        yield Fault(dotted(LIBRARY), "no image in the library")


def _evidence(document: Document) -> Iterator[Fault]:
    evidence = {
        (str(sop.ReferencedSOPClassUID), str(sop.ReferencedSOPInstanceUID))
        for study in document.ds.get("CurrentRequestedProcedureEvidenceSequence", [])
        for series in study.ReferencedSeriesSequence
        for sop in series.ReferencedSOPSequence
    }
    library = {instance_of(item) for item in document.library.values()}
    for _, missing in sorted(evidence - library):
        yield Fault("header", f"{missing} is evidence and not in the library")
    for _, missing in sorted(library - evidence):
        yield Fault("header", f"{missing} is in the library and no evidence")


def _references(document: Document) -> Iterator[Fault]:
    for position, item in document.items.items():
        if "RelationshipType" not in item and position != (1,):
            yield Fault(dotted(position), "no relationship type")
        if "ReferencedContentItemIdentifier" in item:
            target = target_of(item)
            if target not in document.library:
                yield Fault(dotted(position), f"{dotted(target)} is no image of the library")


def _coordinates(document: Document) -> Iterator[Fault]:
    for position, item in document.items.items():
        if item.get("ValueType") == "SCOORD":
            for message in _graphic_faults(document, position, item):
                yield Fault(dotted(position), message)


def _graphic_faults(document: Document, position: Position, item: Dataset) -> Iterator[str]:
    numbers = [float(number) for number in item.GraphicData]
    points = list(zip(numbers[::2], numbers[1::2], strict=False))
    if len(numbers) % 2:
        yield "an odd count of coordinates"
    if item.GraphicType == "POINT" and len(points) != 1:
        yield f"a POINT of {len(points)} points"
    if item.GraphicType == "POLYLINE" and (len(points) < 4 or points[0] != points[-1]):
        yield "the outline is not closed"
    targets = document.targets(position)
    if len(targets) != 1:
        yield f"selected from {len(targets)} images"
    elif targets[0] in document.library:
        columns, rows = _size(document, targets[0])
        if not all(0 <= col <= columns and 0 <= row <= rows for col, row in points):
            yield f"outside the image of {columns:.0f} columns, {rows:.0f} rows"


def _size(document: Document, entry: Position) -> tuple[float, float]:
    columns, rows = (
        document.child(entry, concept.value)
        for concept in (concepts.PIXEL_COLUMNS, concepts.PIXEL_ROWS)
    )
    return (number_of(columns), number_of(rows))


def _intents(document: Document) -> Iterator[Fault]:
    """PS3.4 O.2: nothing is more presentable than what it is part of."""
    for position, item in document.items.items():
        own = _intent(document, position)
        if own is None:
            if name_of(item) in {
                concepts.INDIVIDUAL_IMPRESSION.value,
                concepts.SINGLE_IMAGE_FINDING.value,
            }:
                yield Fault(dotted(position), "no rendering intent")
            continue
        above = _intent(document, position[:-1])
        if above is not None and _PRESENTABLE.index(own) > _PRESENTABLE.index(above):
            yield Fault(dotted(position), "more presentable than what it is part of")


def _intent(document: Document, position: Position) -> RenderingIntent | None:
    item = document.child(position, concepts.RENDERING_INTENT.value)
    return None if item is None else RenderingIntent.from_code(*value_of(item))


def _findings(document: Document) -> Iterator[Fault]:
    for position, item in document.named(concepts.SINGLE_IMAGE_FINDING.value):
        where = dotted(position)
        for concept in (concepts.ALGORITHM_NAME, concepts.ALGORITHM_VERSION, concepts.CENTER):
            if document.child(position, concept.value) is None:
                yield Fault(where, f"no {concept.meaning}")
        finding_type = FindingType.from_code(*value_of(item))
        nested = name_of(document.items[position[:-1]]) == concepts.SINGLE_IMAGE_FINDING.value
        if finding_type is None:
            yield Fault(where, "an unknown finding")
        elif nested and finding_type is not FindingType.CALCIFICATION:
            yield Fault(where, "a cluster is inferred from individual calcifications only")
        certainty = document.child(position, concepts.CERTAINTY.value)
        if certainty is not None and not 0 <= number_of(certainty) <= 100:
            yield Fault(where, "the certainty is no percentage")


def _summaries(document: Document) -> Iterator[Fault]:
    summary = Summary.from_code(*document.value(concepts.PROCESSING_SUMMARY))
    detection = Status.from_code(*document.value(concepts.DETECTION_SUMMARY))
    found = document.has(concepts.SINGLE_IMAGE_FINDING.value)
    if summary is None or detection is None:
        yield Fault("1", "a summary is missing or has an unknown value")
        return
    if found is not (summary in _WITH_FINDINGS):
        yield Fault("1", f"the summary says {summary.code.meaning!r}")
    if detection is not _DETECTION_OF[summary]:
        yield Fault("1", f"{summary.code.meaning!r} with detection {detection.code.meaning!r}")
    containers = {
        concept for concept in _CONTAINERS[Status.PARTIALLY_SUCCEEDED] if document.has(concept)
    }
    if containers != _CONTAINERS[detection]:
        yield Fault("1", f"detection {detection.code.meaning!r} with containers {containers}")
    if not document.has(concepts.ANALYSIS_SUMMARY.value):
        yield Fault("1", "no summary of analyses")


def _detections(document: Document) -> Iterator[Fault]:
    """TID 4000 rows 6 and 8: together they reference every image of the evidence."""
    referenced: set[Position] = set()
    for position, _ in document.named(concepts.DETECTION_PERFORMED.value):
        targets = document.targets(position)
        if not targets:
            yield Fault(dotted(position), "performed on no image")
        referenced.update(targets)
    for position in document.library.keys() - referenced:
        yield Fault(dotted(position), "in the library, and no detection names it")


def _texts(document: Document) -> Iterator[Fault]:
    for position, item in document.items.items():
        text = str(item.get("TextValue", "-"))
        if not (text and text.isascii() and text.isprintable()):
            yield Fault(dotted(position), "text that is not printable ASCII")


def _uids(document: Document) -> Iterator[Fault]:
    for element in document.ds.iterall():
        if element.VR == "UI":
            values = [element.value] if element.VM <= 1 else list(element.value)
            for value in values:
                if not (_UID.fullmatch(str(value)) and len(str(value)) <= 64):
                    yield Fault("header", f"{element.keyword} {value!r} is no UID")


def _flags(document: Document) -> Iterator[Fault]:
    for keyword, expected in (
        ("Modality", "SR"),
        ("CompletionFlag", "COMPLETE"),
        ("VerificationFlag", "UNVERIFIED"),
    ):
        if document.ds.get(keyword) != expected:
            yield Fault("header", f"{keyword} is not {expected}")


_RULES = (
    _language_and_library,
    _evidence,
    _references,
    _coordinates,
    _intents,
    _findings,
    _summaries,
    _detections,
    _texts,
    _uids,
    _flags,
)
