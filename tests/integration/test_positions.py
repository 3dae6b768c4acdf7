"""Places of findings against what the simulator knows of them."""

from datetime import date

import numpy as np
import pytest

from secondread.assemble.mammogram import Mammogram
from secondread.assemble.scope import select_images
from secondread.codes import MarkClass
from secondread.detect.marks import Detection, Mark
from secondread.detect.prepare import prepare_image
from secondread.findings.finding import ModelIdentity, StudyReading
from secondread.findings.operating_point import OperatingPoint
from secondread.findings.position import BreastHalf, Position, Quadrant
from secondread.followup.finding_position import add_positions
from secondread.followup.view_correlation import add_quadrants, correlate_views
from secondread.reading import Reader, StudyContext, read_study
from secondread.reasons import ImageStatus
from secondread_lab.simulate.exam import ExamSpec, Seeds, SimulatedView, simulate_views
from secondread_lab.simulate.projection import compute_beam_axes

MODEL = ModelIdentity("Truth", "1", "0" * 64, 1, calibrated=True)
READER = Reader(MODEL, lambda _, score: 100 * score, OperatingPoint(1, "test", 50.0))

PLACES = {
    Quadrant.UPPER_OUTER: (0.5, 0.4, 0.3),
    Quadrant.UPPER_INNER: (0.5, -0.3, 0.4),
    Quadrant.LOWER_OUTER: (0.5, 0.4, -0.3),
    Quadrant.LOWER_INNER: (0.5, -0.3, -0.35),
}
"""Shares of the depth, and lateral and superior of the half width; all of them are deep enough
for the posterior nipple line and the nipple's level to differ by more than 10 mm."""


def marked(view: SimulatedView, share: tuple[float, float, float]) -> tuple[Mammogram, Detection]:
    """Return an image with a true cluster at a place of the breast, and its landmarks."""
    header = Mammogram.from_dataset(view.instances[0][1])
    found = prepare_image(view.instances[0][1], header, 0.07).region.breast
    breast = view.scene.breast
    middle = np.array(share) * (breast.depth_mm, breast.half_width_mm, breast.half_width_mm)
    spots = middle + np.random.default_rng(1).uniform(-3, 3, (8, 3))
    at = spots @ compute_beam_axes(breast, view.identity.view).T
    marks = tuple(
        Mark(
            view.scene.layout.to_px(depth, across), 0.9, MarkClass.CALCIFICATION, 0.3, contrast=8.0
        )
        for depth, across, _ in at.tolist()
    )
    detection = Detection(
        header.sop_instance_uid, ImageStatus.READ, (), marks, {}, found, seconds=0.1
    )
    return header, detection


@pytest.fixture(scope="module", params=["L", "R"])
def views(request: pytest.FixtureRequest) -> list[SimulatedView]:
    spec = ExamSpec(
        date(2026, 6, 1),
        Seeds(770_003, 1, 1),
        prior_years=None,
        pitch_mm=0.4,
        views=(f"{request.param}CC", f"{request.param}MLO"),
    )
    return list(simulate_views(spec))


@pytest.mark.parametrize("quadrant", PLACES)
def test_a_cluster_is_said_to_be_in_the_quadrant_that_it_was_put_into(
    views: list[SimulatedView], quadrant: Quadrant
) -> None:
    pairs = [marked(view, PLACES[quadrant]) for view in views]
    answers = {detection.sop_instance_uid: detection for _, detection in pairs}
    selection = select_images(header for header, _ in pairs)
    alone = add_positions(
        read_study("1.2", selection, answers, READER, StudyContext(revision=1, cause="first"))
    )

    found = add_quadrants(alone, correlate_views(alone))

    assert [said(found, label) for label in ("CC", "MLO")] == [quadrant, quadrant]
    upper, outer = str(quadrant).split()
    assert half(alone, "CC") is BreastHalf(outer)
    assert half(alone, "MLO") in {BreastHalf(upper), None}


def positions(reading: StudyReading, view: str) -> list[Position]:
    return [
        finding.position
        for image in reading.images
        for finding in image.findings
        if image.mammogram.label.endswith(view) and finding.position is not None
    ]


def said(reading: StudyReading, view: str) -> Quadrant | None:
    (position,) = positions(reading, view)
    return position.quadrant


def half(reading: StudyReading, view: str) -> BreastHalf | None:
    (position,) = positions(reading, view)
    return position.half
