"""The whole trees of studies that were not read, or not all of them."""

from dataclasses import replace

import pytest
from pydicom.dataset import Dataset

from secondread.findings.finding import ImageReading, LeftOutInstance, StudyReading
from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.report import concepts
from secondread.report.compose import compose_results
from secondread.report.readback.content import Content, ContentTree
from secondread.settings import ObjectKind, ProfileSettings
from tests.unit.report.readings import (
    FOUR_VIEWS,
    index_by_uid,
    make_authorship,
    make_cluster,
    make_grey_display,
    make_header,
    make_image_reading,
    make_refused_image,
    make_study_reading,
)

AS_FAILED = ProfileSettings(objects=(ObjectKind.CAD_SR,), not_eligible_as_failed_sr=True)
TOMOSYNTHESIS = "1.2.840.10008.5.1.4.1.1.13.1.3"
HEADERS = {label: make_header(label) for label in FOUR_VIEWS}
# Said in other tests, and long.
_UNSAID = {
    concepts.ALGORITHM_NAME.value,
    concepts.ALGORITHM_VERSION.value,
    concepts.ALGORITHM_PARAMETERS.value,
    concepts.IMPRESSION_DESCRIPTION.value,
    concepts.TRACKING_UID.value,
}


def outline(content: Content, depth: int = 0) -> list[str]:
    """Return a tree as lines; what an image of the library is like is left out."""
    if content.target is not None:
        return ["  " * depth + "-> " + ".".join(map(str, content.target))]
    if content.name is not None and content.name.value in _UNSAID:
        return []
    name = content.name.meaning if content.name is not None else content.value_type
    value = content.code.meaning if content.code is not None else content.text
    if content.number is not None:
        value = f"{content.number:g}"
    line = "  " * depth + name + (f" = {value.split(':')[0]}" if value else "")
    if content.value_type == "IMAGE":
        return [line]
    return [line, *(item for child in content.children for item in outline(child, depth + 1))]


def tree_of(reading: StudyReading, *headers: Dataset) -> list[str]:
    results = compose_results(
        reading, index_by_uid(*headers), make_grey_display, make_authorship(AS_FAILED)
    )
    return [line for result in results for line in outline(ContentTree(result.dataset).root)]


def of_images(outcome: Outcome, *images: ImageReading) -> list[str]:
    return tree_of(make_study_reading(outcome, *images), *HEADERS.values())


def failed(label: str) -> ImageReading:
    return make_image_reading(
        HEADERS[label], status=ImageStatus.FAILED, reasons=(Reason.DETECTOR_DIED,)
    )


def left_out(reason: Reason, **attributes: object) -> list[str]:
    headers = [make_header(label, **attributes) for label in ("LCC", "LMLO")]
    reading = replace(
        make_study_reading(Outcome.NOT_ELIGIBLE, reasons=(Reason.NOTHING_IN_SCOPE,)),
        left_out=tuple(LeftOutInstance(str(ds.SOPInstanceUID), "L", reason) for ds in headers),
    )
    return tree_of(reading, *headers)


def library(images: int) -> list[str]:
    return [
        "Mammography CAD Report",
        "  Language of Content Item and Descendants = English (United States)",
        "  Image Library",
        *["    IMAGE"] * images,
    ]


def performed(name: str, *images: int) -> list[str]:
    return [
        f"      Detection Performed = {name}",
        *(f"        -> 1.2.{number}" for number in images),
    ]


def detections(container: str, *images: int) -> list[str]:
    return [
        f"    {container}",
        *performed("Individual Calcification", *images),
        *performed("Calcification Cluster", *images),
    ]


NOT_ATTEMPTED = ["  Summary of Analyses = Not Attempted"]


def nothing_read(images: int) -> list[str]:
    return [
        *library(images),
        "  CAD Processing and Findings Summary = No algorithms succeeded; without findings",
        "  Summary of Detections = Failed",
        *detections("Failed Detections", *range(1, images + 1)),
        *NOT_ATTEMPTED,
    ]


def partly(summary: str, succeeded: tuple[int, ...], not_read: tuple[int, ...]) -> list[str]:
    return [
        *library(4),
        f"  CAD Processing and Findings Summary = Not all algorithms succeeded; {summary}",
        "  Summary of Detections = Partially Succeeded",
        *detections("Successful Detections", *succeeded),
        *detections("Failed Detections", *not_read),
        *NOT_ATTEMPTED,
    ]


def test_all_images_refused() -> None:
    images = [make_refused_image(ds, Reason.IMPLANT) for ds in HEADERS.values()]
    assert of_images(Outcome.FAILED, *images) == nothing_read(4)


def test_all_images_failed() -> None:
    assert of_images(Outcome.FAILED, *map(failed, FOUR_VIEWS)) == nothing_read(4)


def test_one_view_failed() -> None:
    images = [make_image_reading(HEADERS[label]) for label in FOUR_VIEWS[:3]]
    found = of_images(Outcome.PARTIAL, *images, failed("LMLO"))
    assert found == partly("without findings", (1, 2, 3), (4,))


def test_read_refused_and_failed_images_with_a_finding() -> None:
    found = of_images(
        Outcome.PARTIAL,
        make_image_reading(HEADERS["RCC"]),
        make_image_reading(
            HEADERS["LCC"], replace(make_cluster(), members=make_cluster().members[:1])
        ),
        make_refused_image(HEADERS["RMLO"]),
        failed("LMLO"),
    )
    expected = partly("with findings", (1, 2), (3, 4))
    expected[8:8] = [
        "    Individual Impression/Recommendation",
        "      Rendering Intent = Presentation Required",
        "      Single Image Finding = Calcification Cluster",
        "        Rendering Intent = Presentation Required",
        "        Tracking Identifier = LCC-1",
        "        Certainty of Finding = 82.2",
        "        Center",
        "          -> 1.2.2",
        "        Outline",
        "          -> 1.2.2",
        "        Number of calcifications = 1",
        "        Long Axis = 3.1",
        "        Single Image Finding = Individual Calcification",
        "          Rendering Intent = Presentation Required",
        "          Certainty of Finding = 75",
        "          Center",
        "            -> 1.2.2",
        "          Diameter = 0.31",
    ]
    assert found == expected


@pytest.mark.parametrize(
    ("reason", "attributes"),
    [
        (Reason.TOMOSYNTHESIS, {"SOPClassUID": TOMOSYNTHESIS, "NumberOfFrames": 40}),
        (Reason.MAGNIFICATION, {}),
        (Reason.SYNTHESIZED_2D, {"ImageType": ["DERIVED", "PRIMARY", "GENERATED_2D"]}),
    ],
)
def test_a_study_outside_the_scope_is_failed_where_a_site_wants_it_so(
    reason: Reason, attributes: dict[str, object]
) -> None:
    assert left_out(reason, **attributes) == nothing_read(2)


def test_a_study_without_any_mammogram_has_no_report_even_so() -> None:
    assert left_out(Reason.NOT_MAMMOGRAPHY, Rows=None, Columns=None) == []
