"""A finding's outline, read back from every kind of result, lies where the calcifications are.

The truth is spots in the pixels: wherever a result says that the finding is, those spots are, and
the half pixel between an index and a coordinate is in none of them lost. For captures the outline
is found again by its colour, and its place in the image by two white squares in the corners.
"""

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset
from scipy import ndimage

from secondread.findings.finding import Calcification, Finding, StudyReading
from secondread.geometry import PointPx, SpacingMm, padded_hull
from secondread.reasons import Outcome
from secondread.report.compose import compose_results
from secondread.report.pages.drawing import MARK
from secondread.report.result import ResultObject
from secondread.settings import ObjectKind, ProfileSettings
from tests.unit.report.readings import (
    index_by_uid,
    make_authorship,
    make_cluster,
    make_header,
    make_image_reading,
    make_study_reading,
)

Picture = npt.NDArray[np.uint8]

WITHIN_MM = 0.5
ROWS, COLUMNS = 1300, 1000
SPOTS = ((610, 402), (652, 441), (631, 470))
"""Row and column of the calcifications' pixels."""
SQUARES = ((60, 40, 24), (1180, 880, 48))
"""First row, first column and width of the white squares."""
DOCUMENTS = (ObjectKind.CAD_SR, ObjectKind.TID1500, ObjectKind.PRESENTATION)
CAPTURES = (ObjectKind.CAPTURE,)

ORIENTATIONS = [
    ("LCC", ["A", "R"]),
    ("LCC", ["P", "R"]),
    ("LCC", ["A", "L"]),
    ("LCC", ["P", "L"]),
    ("RCC", ["P", "L"]),
    ("RCC", ["A", "L"]),
    ("RCC", ["P", "R"]),
    ("RCC", ["A", "R"]),
    ("LMLO", ["A", "FR"]),
    ("LMLO", ["P", "FR"]),
    ("LMLO", ["A", "HL"]),
    ("LMLO", ["P", "HL"]),
    ("RMLO", ["P", "FL"]),
    ("RMLO", ["A", "FL"]),
    ("RMLO", ["P", "HR"]),
    ("RMLO", ["A", "HR"]),
]
SPACINGS = [(0.05, 0.05), (0.07, 0.07), (0.085, 0.085), (0.1, 0.1), (0.07, 0.09)]
"""Between rows, between columns, in mm."""
USUAL = SPACINGS[1]


def picture(_uid: str) -> Picture:
    array = np.full((ROWS, COLUMNS), 40, np.uint8)
    for row, column in SPOTS:
        array[row, column] = 150
    for row, column, width in SQUARES:
        array[row : row + width, column : column + width] = 255
    return array


def bright_spots() -> list[PointPx]:
    """The calcifications as the pixels have them: the truth."""
    rows, columns = np.nonzero(picture("") == 150)
    return [PointPx(c + 0.5, r + 0.5) for r, c in zip(rows.tolist(), columns.tolist(), strict=True)]


def found(spacing: SpacingMm) -> Finding:
    centers = [PointPx(column + 0.5, row + 0.5) for row, column in SPOTS]
    return make_cluster(
        at=(sum(p.col for p in centers) / 3, sum(p.row for p in centers) / 3),
        members=tuple(Calcification(center, 0.2, 80.0) for center in centers),
        outline=padded_hull(centers, spacing, 1.0),
    )


def made(
    label: str,
    orientation: list[str],
    spacing: tuple[float, float],
    kinds: tuple[ObjectKind, ...],
) -> list[ResultObject]:
    ds = make_header(
        label,
        Rows=ROWS,
        Columns=COLUMNS,
        PatientOrientation=orientation,
        ImagerPixelSpacing=list(spacing),
    )
    reading: StudyReading = make_study_reading(
        Outcome.FINDINGS, make_image_reading(ds, found(SpacingMm(*spacing)))
    )
    profile = ProfileSettings(objects=kinds)
    return list(compose_results(reading, index_by_uid(ds), picture, make_authorship(profile)))


def graphics(ds: Dataset) -> list[list[float]]:
    """The closed outlines of a structured report or a presentation state, as they are written."""
    return [
        [float(value) for value in item.GraphicData]
        for item in _holders(ds)
        if item.get("GraphicType") == "POLYLINE"
    ]


def _holders(ds: Dataset) -> Iterable[Dataset]:
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                yield item
                yield from _holders(item)


def misplaced_mm(outline: list[float], spacing: tuple[float, float]) -> float:
    """How far the outline of a result is from where one around the truth would be."""
    true = padded_hull(bright_spots(), SpacingMm(*spacing), 1.0)
    pairs = list(zip(outline[::2], outline[1::2], strict=True))
    assert len(pairs) == len(true)
    return max(
        math.hypot((col - p.col) * spacing[1], (row - p.row) * spacing[0])
        for (col, row), p in zip(pairs, true, strict=True)
    )


@pytest.mark.parametrize(("label", "orientation"), ORIENTATIONS)
def test_documents_say_where_the_calcifications_are(label: str, orientation: list[str]) -> None:
    for spacing in SPACINGS:
        for result in made(label, orientation, spacing, DOCUMENTS):
            (outline,) = graphics(result.dataset)
            # Float values of 32 bits, far better than what is asked for.
            assert misplaced_mm(outline, spacing) < 0.001, (result.kind, spacing)


def test_the_center_is_that_of_the_pixels() -> None:
    (document,) = made("LCC", ["A", "R"], USUAL, (ObjectKind.CAD_SR,))
    points = [
        tuple(item.GraphicData)
        for item in _holders(document.dataset)
        if item.get("GraphicType") == "POINT"
    ]
    for spot in bright_spots():
        assert (spot.col, spot.row) in points


class Sheet:
    """A capture whose picture of the whole image is found by the white squares in it."""

    def __init__(self, ds: Dataset) -> None:
        self.page: Picture = ds.pixel_array
        white = (self.page >= 250).all(axis=2)
        labels, number = ndimage.label(white)
        boxes = ndimage.find_objects(labels)
        solid = [
            box
            for index, box in enumerate(boxes[:number], start=1)
            if (box[0].stop - box[0].start) > 3 and (labels[box] == index).mean() > 0.9
        ]
        self.squares = sorted(solid, key=lambda box: box[0].stop - box[0].start)[-2:]
        assert len(self.squares) == 2

    def to_image(self, axis: int, at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return rows (axis 0) or columns (axis 1) of the page in those of the image."""
        on_page = [(box[axis].start + box[axis].stop) / 2 for box in self.squares]
        in_image = [square[axis] + square[2] / 2 for square in SQUARES]
        scale = (in_image[1] - in_image[0]) / (on_page[1] - on_page[0])
        return np.asarray(in_image[0] + (at - on_page[0]) * scale, np.float64)

    def marked(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return rows and columns of the image at which the outline's line runs.

        The badge has its colour too, and is much thicker than a line; what is left of the leader
        touches the line from outside, and is cut off with the thin things that end.
        """
        # The tissue is grey; of a line between two pixels, each has a part of its colour.
        colored = self.page[..., 2].astype(int) - self.page[..., 0] > 0.25 * (MARK[2] - MARK[0])
        box = self.frame()
        part = colored[box]
        solid = ndimage.binary_opening(part, np.ones((9, 9), bool))
        line = part & ~ndimage.binary_dilation(solid, np.ones((13, 13), bool))
        inside = ndimage.binary_fill_holes(line) & ~line
        labels, number = ndimage.label(inside)
        sizes = ndimage.sum_labels(inside, labels, range(1, number + 1))
        # What the outline encloses, and one pixel of the line around it.
        enclosed = labels == 1 + int(np.argmax(sizes))
        rows, columns = np.nonzero(enclosed)
        return (
            self.to_image(0, rows + 0.5 + box[0].start),
            self.to_image(1, columns + 0.5 + box[1].start),
        )

    def frame(self) -> tuple[slice, slice]:
        """Return the part of the page that shows the whole image."""
        top, left = (min(box[axis].start for box in self.squares) for axis in (0, 1))
        bottom, right = (max(box[axis].stop for box in self.squares) for axis in (0, 1))
        return slice(top, bottom), slice(left, right)


def assert_encloses_the_truth(sheet: Sheet, spacing: tuple[float, float]) -> None:
    rows, columns = sheet.marked()
    truth = bright_spots()
    for found_at, spots, pitch in (
        (rows, [p.row for p in truth], spacing[0]),
        (columns, [p.col for p in truth], spacing[1]),
    ):
        # The line keeps the same distance on all sides, so its middle is that of the spots.
        middle = (found_at.min() + found_at.max()) / 2
        true_middle = (min(spots) + max(spots)) / 2
        assert abs(middle - true_middle) * pitch < WITHIN_MM
        assert found_at.min() < min(spots)
        assert found_at.max() > max(spots)


@pytest.mark.parametrize(("label", "orientation"), [*ORIENTATIONS[:4], *ORIENTATIONS[12:]])
def test_captures_of_every_orientation_show_where_the_calcifications_are(
    label: str, orientation: list[str]
) -> None:
    overview, view = made(label, orientation, USUAL, CAPTURES)
    assert_encloses_the_truth(Sheet(overview.dataset), USUAL)
    assert_encloses_the_truth(Sheet(view.dataset), USUAL)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_captures_of_every_spacing_show_where_the_calcifications_are(
    spacing: tuple[float, float],
) -> None:
    overview, view = made("RMLO", ["P", "FL"], spacing, CAPTURES)
    assert_encloses_the_truth(Sheet(overview.dataset), spacing)
    assert_encloses_the_truth(Sheet(view.dataset), spacing)


def test_an_overview_is_hung_and_a_view_is_as_stored() -> None:
    overview, view = made("LMLO", ["P", "HL"], USUAL, CAPTURES)
    turned, stored = Sheet(overview.dataset), Sheet(view.dataset)
    for axis in (0, 1):
        assert (
            turned.to_image(axis, np.array([1.0]))[0] > turned.to_image(axis, np.array([99.0]))[0]
        )
        assert (
            stored.to_image(axis, np.array([1.0]))[0] < stored.to_image(axis, np.array([99.0]))[0]
        )
