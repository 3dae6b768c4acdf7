"""A presentation state as DICOMscope draws it: another program, from the standard's time.

The image has a white square in two corners, by which its place in the window is found; where the
outline of the finding is to be drawn follows from them.
"""

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from secondread.reasons import Outcome
from secondread.report.compose import compose_results
from secondread.report.encoding import encode_file
from secondread.settings import ObjectKind, ProfileSettings
from tests.peers.dicomscope_peer import show
from tests.unit.report.readings import (
    index_by_uid,
    make_authorship,
    make_cluster,
    make_header,
    make_image_reading,
    make_study_reading,
)

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.peer("dicomscope", "xvfb-run", "java"),
]

Picture = npt.NDArray[np.uint8]
ROWS, COLUMNS = 1000, 800
SQUARES = ((60, 40, 24), (880, 700, 48))
"""First row, first column and width."""
WITHIN_MM = 0.25
"""DICOMscope counts pixels from 1 and draws whole ones: some two pixels up and to the left."""


def image() -> Dataset:
    """Return a dark image with the squares."""
    ds = make_header("LCC", Rows=ROWS, Columns=COLUMNS, SamplesPerPixel=1, PixelRepresentation=0)
    pixels = np.full((ROWS, COLUMNS), 800, np.uint16)
    for row, column, width in SQUARES:
        pixels[row : row + width, column : column + width] = 4095
    ds.PixelData = pixels.tobytes()
    return ds


def presentation_state(of: Dataset) -> Dataset:
    reading = make_study_reading(Outcome.FINDINGS, make_image_reading(of, make_cluster()))
    profile = ProfileSettings(objects=(ObjectKind.PRESENTATION,))
    blank = np.zeros((ROWS, COLUMNS), np.uint8)
    (result,) = compose_results(
        reading, index_by_uid(of), lambda _: blank, make_authorship(profile)
    )
    return result.dataset


def squares(white: Picture) -> list[tuple[float, float, float]]:
    """Return left edge, upper edge and width of the two filled white squares of a window."""
    _, _, boxes, _ = cv2.connectedComponentsWithStats(white)
    found = sorted(
        (int(area), float(left), float(top), float(width))
        for left, top, width, height, area in boxes[1:].tolist()
        if area > 0.95 * width * height and 15 < width < 100 and abs(width - height) <= 1
    )
    return [box for _, *box in found]  # type: ignore[misc]  # Three floats each.


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Picture:
    """The viewer's part of the window, in gray."""
    folder = tmp_path_factory.mktemp("dicomscope")
    ds = image()
    for name, one in (("image", ds), ("state", presentation_state(ds))):
        (folder / f"{name}.dcm").write_bytes(encode_file(one))
    window = show(folder / "state.dcm", folder / "image.dcm", folder / "run")
    shown = np.asarray(Image.open(window).convert("L"))
    return shown[60:1140, :1340]


def test_the_outline_is_drawn_where_the_finding_is(seen: Picture) -> None:
    white = (seen > 240).astype(np.uint8)
    (left, top, width), (right, bottom, _) = squares(white)
    (first_row, first_column, first_width), (last_row, last_column, _) = SQUARES
    across = (right - left) / (last_column - first_column)
    down = (bottom - top) / (last_row - first_row)
    assert across == pytest.approx(down, abs=0.01) == pytest.approx(width / first_width, abs=0.1)

    within = across * WITHIN_MM / float(image().ImagerPixelSpacing[0])
    away = cv2.distanceTransform(1 - white, cv2.DIST_L2, 5)
    outline = np.array([(p.col, p.row) for p in make_cluster().outline])
    for start, end in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        for share in np.linspace(0.0, 1.0, 10):
            col, row = start + share * (end - start)
            x, y = left + across * (col - first_column), top + down * (row - first_row)
            assert away[round(y - 0.5), round(x - 0.5)] <= within


def test_number_and_note_are_drawn_and_nothing_else(seen: Picture) -> None:
    """Lines and letters have their own pixels, of which there are few."""
    drawn = int((seen > 240).sum()) - sum(width**2 for *_, width in SQUARES)
    assert 500 < drawn < 10_000
