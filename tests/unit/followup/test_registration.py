from dataclasses import replace

import numpy as np
import pytest

from secondread.codes import View
from secondread.followup.registration.frame import ViewFrame, find_frame
from secondread.followup.registration.register import UNALIGNED_MM, register
from tests.unit.followup.breasts import Lie, reading

PLACES = [(30.0, 20.0), (50.0, -25.0), (60.0, 40.0), (40.0, 0.0)]


def frame(lie: Lie) -> ViewFrame:
    found = find_frame(reading((lie, [])).images[0])
    assert found is not None
    return found


@pytest.mark.parametrize(
    "prior",
    [
        pytest.param(Lie(nipple_mm=(80.0, 122.0), turn_deg=3.0), id="another positioning"),
        pytest.param(Lie(nipple_mm=(87.0, 100.0), pitch_mm=0.25), id="another pitch"),
        pytest.param(Lie(nipple_mm=(84.0, 116.0), contrast=0.5), id="another processing"),
    ],
)
def test_a_place_of_the_breast_is_found_again(prior: Lie) -> None:
    current = Lie()

    found = register(frame(current), frame(prior))

    assert found.is_aligned
    for place in PLACES:
        there = found.map_to_prior([current.at(*place)])[0]
        assert prior.spacing.distance_mm(there, prior.at(*place)) < 1.0
        back = found.map_to_current([there])[0]
        assert current.spacing.distance_mm(back, current.at(*place)) < 0.1


def test_a_mirrored_image_is_laid_on_an_unmirrored_one() -> None:
    left, mirrored = Lie(), Lie(right=True, nipple_mm=(82.0, 105.0))

    found = register(frame(left), frame(mirrored))

    there = found.map_to_prior([left.at(50.0, 20.0)])[0]
    assert mirrored.spacing.distance_mm(there, mirrored.at(50.0, 20.0)) < 1.0


@pytest.mark.parametrize("view", [View.CC, View.MLO])
def test_an_image_that_is_stored_upside_down_is_laid_on_one_that_is_not(view: View) -> None:
    usual = Lie(view=view)
    turned = Lie(view=view, nipple_mm=(83.0, 118.0), turn_deg=-2.0, upside_down=True)

    found = register(frame(usual), frame(turned))

    assert found.is_aligned
    for place in PLACES:
        there = found.map_to_prior([usual.at(*place)])[0]
        assert turned.spacing.distance_mm(there, turned.at(*place)) < 1.5
    muscles = found.current.pectoral(), found.prior.pectoral()
    if view is View.MLO:
        assert muscles[0] == pytest.approx(muscles[1], abs=6)
    else:
        assert muscles == (None, None)


def test_another_womans_breast_is_laid_by_its_landmarks_and_says_so() -> None:
    found = register(frame(Lie()), frame(Lie(woman=2, nipple_mm=(85.0, 118.0))))

    assert not found.is_aligned
    assert found.error_mm >= UNALIGNED_MM
    nipple = found.map_to_prior([Lie().at(0.0, 0.0)])[0]
    assert Lie().spacing.distance_mm(nipple, Lie(nipple_mm=(85.0, 118.0)).at(0.0, 0.0)) < 4.0


def test_what_the_prior_cut_off_at_the_chest_wall_is_not_in_its_field_of_view() -> None:
    deep, shallow = Lie(nipple_mm=(85.0, 110.0)), Lie(nipple_mm=(65.0, 110.0))

    found = register(frame(deep), frame(shallow))

    behind, before = (found.current.to_mm([deep.at(depth, 5.0)]) for depth in (76.0, 40.0))
    assert not found.prior_shows(behind)
    assert found.prior_shows(before)
    assert found.current_shows(found.map_mm(before))


def test_a_place_is_known_less_well_far_from_tissue_that_was_found_again() -> None:
    found = register(frame(Lie()), frame(Lie(nipple_mm=(85.0, 112.0))))

    near = found.anchors[:1]
    far = np.array([[160.0, 10.0]])

    assert found.estimate_error(near) == pytest.approx(found.error_mm)
    assert found.estimate_error(far) > 2 * found.estimate_error(near)


def test_a_place_is_found_again_where_tissue_around_it_was() -> None:
    found = register(frame(Lie()), frame(Lie(nipple_mm=(85.0, 112.0))))
    with_one_anchor = replace(found, anchors=found.anchors[:1])

    beside, away = (with_one_anchor.anchors + np.array([0.0, mm]) for mm in (20.0, 28.0))
    assert with_one_anchor.has_tissue_near(beside)
    assert not with_one_anchor.has_tissue_near(away)
    assert not replace(with_one_anchor, anchors=np.empty((0, 2))).has_tissue_near(beside)


def test_the_oblique_view_is_found_again_too() -> None:
    current = Lie(view=View.MLO)
    prior = Lie(view=View.MLO, nipple_mm=(83.0, 118.0), turn_deg=-2.0)

    found = register(frame(current), frame(prior))

    there = found.map_to_prior([current.at(35.0, -20.0)])[0]
    assert prior.spacing.distance_mm(there, prior.at(35.0, -20.0)) < 1.5
