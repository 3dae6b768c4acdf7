"""What is stuck on the skin lies on the skin; labels stay off the breast."""

from datetime import date, datetime
from itertools import pairwise

import numpy as np
import pytest

from secondread.codes import Laterality
from secondread_lab.simulate.markers import draw_label_mask, draw_scar_wire, make_nipple_ball
from secondread_lab.simulate.phantom import draw_breast
from secondread_lab.simulate.spec import find_latest_study_date
from secondread_lab.simulate.treated_breast import TreatmentSpec


def test_the_ball_lies_in_front_of_the_breast() -> None:
    breast = draw_breast(1, Laterality.LEFT)
    assert make_nipple_ball(breast).centre[0] < 0.5


def test_the_scar_wire_runs_over_the_bed_without_gaps() -> None:
    breast = draw_breast(1, Laterality.LEFT)
    treatment = TreatmentSpec(Laterality.LEFT, date(2022, 1, 1))
    solid = draw_scar_wire(breast, treatment, seed=1)
    bed = treatment.locate_bed(breast)
    assert solid.centre[0] == pytest.approx(bed[0])
    assert np.linalg.norm(solid.centre[1:]) > np.linalg.norm(bed[1:])
    places = np.array([part.offset for part in solid.parts])
    assert max(np.linalg.norm(b - a) for a, b in pairwise(places)) < 0.4


@pytest.mark.parametrize("pitch", [0.05, 0.1, 0.4])
@pytest.mark.parametrize(("side", "half"), [("left", slice(300, None)), ("right", slice(0, 300))])
def test_a_label_stands_away_from_the_chest_wall(pitch: float, side: str, half: slice) -> None:
    mask = draw_label_mask((round(240 / pitch), 600), "LMLO", pitch * 180 / (600 * pitch), side)
    assert mask.any()
    assert mask[:, half].sum() == mask.sum()
    assert mask[mask.shape[0] // 4 :].sum() == 0


@pytest.mark.parametrize("side", ["left", "right"])
def test_technique_stands_below_the_label_in_smaller_letters(side: str) -> None:
    shape, lines = (2400, 1800), ("29 KVP 80 MAS", "100 N 54 MM", "SIMULATED")
    label = draw_label_mask(shape, "LMLO", 0.1, side)
    whole = draw_label_mask(shape, "LMLO", 0.1, side, lines)
    assert (whole & label).sum() == label.sum()
    added = np.flatnonzero((whole & ~label).any(axis=1))
    assert added.min() >= np.flatnonzero(label.any(axis=1)).max() - 2
    assert added.max() < 0.25 * shape[0]


@pytest.mark.parametrize(
    ("now", "day"),
    [
        (datetime(2026, 5, 2, 6, 0), date(2026, 5, 1)),  # noqa: DTZ001  (a local time)
        (datetime(2026, 5, 2, 8, 0), date(2026, 5, 2)),  # noqa: DTZ001  (a local time)
    ],
)
def test_a_study_is_never_dated_in_the_future(now: datetime, day: date) -> None:
    assert find_latest_study_date(now) == day
