"""What the rescoring graph says of places of an image that somebody asks about."""

import math
from pathlib import Path

import pytest

from secondread.codes import MarkClass
from secondread.detect.detector import Detector
from secondread.detect.manifest import load_manifest
from secondread.detect.prepare import InputGrid
from secondread.errors import InputError, PixelError
from secondread.geometry import PointPx, SpacingMm
from tests.unit.detect import models
from tests.unit.detect.pictures import Stored, breast_image, dataset, file, with_dots

SMALL, LARGE = [(500, 200), (520, 230), (480, 240)], (505, 330)
AIR = PointPx(850.5, 100.5)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return Detector(
        load_manifest(models.two_graphs(tmp_path_factory.mktemp("model"), rescore_at=8.0))
    )


def picture(side: str = "left") -> Stored:
    flip = (lambda at: (at[0], 899 - at[1])) if side == "right" else (lambda at: at)
    image = with_dots(breast_image(1100, 900, side=side), [flip(at) for at in SMALL], 800, 1.0)
    return with_dots(image, [flip(LARGE)], height=800, sigma=5)


@pytest.mark.parametrize(("side", "factor"), [("left", 1), ("right", 1), ("left", 2)])
def test_the_place_of_a_mark_scores_as_the_mark_does(
    detector: Detector, tmp_path: Path, side: str, factor: int
) -> None:
    stored = picture(side).repeat(factor, 0).repeat(factor, 1)
    fine = [0.07 / factor, 0.07 / factor]
    path = file(tmp_path / "x.dcm", dataset(stored, ImagerPixelSpacing=fine))
    marks = detector.detect(path)[0].marks
    small = [mark for mark in marks if mark.mark_class is MarkClass.CALCIFICATION]
    large = [mark for mark in marks if mark.mark_class is MarkClass.VASCULAR]
    assert len(small) >= 3
    assert large

    shares = detector.score_places(path, [mark.center for mark in (*small, *large)])

    assert shares is not None
    expected = [mark.score for mark in small] + [1 - mark.score for mark in large]
    assert shares == pytest.approx(expected, abs=1e-5)


def test_nothing_is_said_of_places_outside_the_breast(detector: Detector, tmp_path: Path) -> None:
    path = file(tmp_path / "x.dcm", dataset(picture()))
    inside = PointPx(200.5, 500.5)
    far = PointPx(-5000.0, 1e6)

    nowhere = [PointPx(math.nan, 500.5), PointPx(200.5, math.inf), PointPx(-math.inf, math.nan)]
    shares = detector.score_places(path, [AIR, inside, far, *nowhere])

    assert shares is not None
    assert [share is None for share in shares] == [True, False, True, True, True, True]
    assert detector.score_places(path, []) == ()


def test_what_was_not_seen_can_be_asked_about(detector: Detector, tmp_path: Path) -> None:
    path = file(tmp_path / "x.dcm", dataset(breast_image(1100, 900)))

    assert detector.detect(path)[0].marks == ()
    (share,) = detector.score_places(path, [PointPx(200.5, 500.5)]) or ()

    assert share is not None
    assert 0 < share < 1


def test_a_model_without_a_rescoring_graph_has_nothing_to_look_with(tmp_path: Path) -> None:
    path = file(tmp_path / "x.dcm", dataset(picture()))

    assert Detector(load_manifest(models.one_graph(tmp_path))).score_places(path, [AIR]) is None


def test_a_file_that_cannot_be_read_is_a_clear_error(detector: Detector, tmp_path: Path) -> None:
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(b"\0" * 128 + b"DICM" + b"x" * 500)
    ds = dataset(picture())
    ds.PixelData = ds.PixelData[:1000]

    with pytest.raises(InputError):
        detector.score_places(broken, [AIR])
    with pytest.raises(PixelError):
        detector.score_places(file(tmp_path / "short.dcm", ds), [AIR])
    with pytest.raises(FileNotFoundError):
        detector.score_places(tmp_path / "nowhere.dcm", [AIR])


def test_the_way_into_the_input_is_the_way_back() -> None:
    grid = InputGrid(100, 40, 2.0, 1.5, SpacingMm(0.07, 0.07))

    assert grid.to_input(grid.to_stored(10.0, 20.0)) == pytest.approx((10.0, 20.0))
    assert grid.to_input(PointPx(40.75, 101.0)) == (0.0, 0.0)
