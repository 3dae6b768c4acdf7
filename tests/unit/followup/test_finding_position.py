from dataclasses import replace
from typing import Any

import pytest

from secondread.codes import Laterality, View, ViewModifier
from secondread.detect import breast
from secondread.detect.landmarks import add_landmarks
from secondread.findings.changes import FindingRef
from secondread.findings.finding import ImageReading, StudyReading
from secondread.findings.position import BreastHalf, DepthThird, Position, Quadrant
from secondread.findings.view_pair import BreastPlace
from secondread.followup.comparison import compare_with_priors
from secondread.followup.finding_position import add_positions
from secondread.followup.follow_up import follow_up
from secondread.followup.lesion_identity import assign_lesions
from secondread.followup.view_correlation import (
    SignedDistance,
    add_quadrants,
    correlate_views,
    locate_in_breast,
    to_clock_hour,
)
from secondread.geometry import PointPx
from tests.unit.followup.breasts import Lie, group, reading

CC, MLO = Lie(), Lie(view=View.MLO)


def place(done: StudyReading, image: int = 0) -> Position:
    position = add_positions(done).images[image].findings[0].position
    assert position is not None
    return position


@pytest.mark.parametrize(
    ("lie", "up", "half"),
    [
        (CC, 30.0, BreastHalf.OUTER),
        (CC, -30.0, BreastHalf.INNER),
        (replace(CC, right=True), 30.0, BreastHalf.OUTER),
        (CC, 1.0, BreastHalf.CENTRAL),
        (replace(MLO, woman=3), 45.0, BreastHalf.UPPER),
        (replace(MLO, woman=3), -45.0, BreastHalf.LOWER),
        (replace(MLO, right=True), 45.0, BreastHalf.UPPER),
        (replace(MLO, right=True, pitch_mm=0.25), -45.0, BreastHalf.LOWER),
    ],
)
def test_the_half_follows_from_the_side_of_the_nipple_line(
    lie: Lie, up: float, half: BreastHalf
) -> None:
    assert place(reading((lie, group(35.0, up)))).half is half


@pytest.mark.parametrize("up", [-15.0, 1.0, 15.0])
def test_one_oblique_view_tells_no_half_near_the_nipple(up: float) -> None:
    # What lies outwards is projected upwards: 20 mm out and 10 mm down are above the nipple.
    assert place(reading((MLO, group(35.0, up)))).half is None


@pytest.mark.parametrize("right", [False, True])
def test_a_deep_place_above_the_nipple_is_not_below_it_for_the_muscles_slope(right: bool) -> None:
    outwards, above = 36.0, 41.0  # superior by 22 mm
    cc, mlo = replace(CC, right=right), replace(MLO, right=right)
    done = add_positions(reading((cc, group(39.0, outwards)), (mlo, group(39.0, above))))

    placed = add_quadrants(done, correlate_views(done))

    told = [finding.position for image in placed.images for finding in image.shown_findings]
    assert [position and position.quadrant for position in told] == [Quadrant.UPPER_OUTER] * 2


@pytest.mark.parametrize(
    ("view", "up", "half"),
    [
        (View.XCCL, 30.0, BreastHalf.OUTER),
        (View.XCCL, -30.0, None),
        (View.XCCM, -30.0, BreastHalf.INNER),
        (View.XCCM, 30.0, None),
        (View.XCC, 30.0, None),
        (View.FB, 30.0, BreastHalf.OUTER),
        (View.ML, 15.0, BreastHalf.UPPER),
        (View.LM, -15.0, BreastHalf.LOWER),
    ],
)
def test_other_views_tell_what_they_can(view: View, up: float, half: BreastHalf | None) -> None:
    done = reading((CC if view.is_cc_like else MLO, group(35.0, up)))
    image = done.images[0]
    turned = replace(image, mammogram=replace(image.mammogram, view=view))

    assert place(replace(done, images=(turned,))).half is half


@pytest.mark.parametrize(
    ("lie", "changes"),
    [
        (CC, {"view_modifiers": frozenset({ViewModifier.ROLLED_LATERAL})}),
        (CC, {"view_modifiers": frozenset({ViewModifier.CLEAVAGE})}),
        (CC, {"laterality": None}),
        (CC, {"orientation": ("R", "A")}),
        (MLO, {"view_modifiers": frozenset({ViewModifier.AXILLARY_TAIL})}),
    ],
)
def test_an_image_that_lies_otherwise_tells_no_half(lie: Lie, changes: dict[str, Any]) -> None:
    done = reading((lie, group(35.0, 45.0)))
    (image,) = done.images
    other = replace(image, mammogram=replace(image.mammogram, **changes))

    assert place(replace(done, images=(other,))).half is None


@pytest.mark.parametrize("lie", [CC, MLO, replace(MLO, right=True), replace(CC, right=True)])
@pytest.mark.parametrize("about", ["columns", "rows", "both"])
def test_a_mirrored_image_tells_the_same_half(lie: Lie, about: str) -> None:
    up = replace(lie, pitch_mm=0.4)
    straight = reading((up, group(35.0, 45.0)))
    wanted = place(straight).half
    image = mirrored(straight.images[0], up, about)

    found = place(replace(straight, images=(image,)))

    assert wanted in {BreastHalf.UPPER, BreastHalf.OUTER}
    assert found.half is wanted
    assert found.from_nipple_mm == pytest.approx(place(straight).from_nipple_mm, abs=3)


def mirrored(image: ImageReading, lie: Lie, about: str) -> ImageReading:
    """Return an image as a unit stores it that turns its pixels over, with findings and header."""
    header = image.mammogram
    over, across = about in {"rows", "both"}, about in {"columns", "both"}
    pixels = lie.picture()[:: -1 if over else 1, :: -1 if across else 1].copy()
    region = breast.find_breast(pixels, lie.spacing)
    assert region is not None
    found = add_landmarks(region, pixels, lie.spacing, oblique=lie.view is View.MLO).breast
    other = str.maketrans("APLRHF", "PARLFH")
    assert header.orientation is not None
    along, down = header.orientation
    turned = (along.translate(other) if across else along, down.translate(other) if over else down)

    def moved(point: PointPx) -> PointPx:
        col = header.columns - point.col if across else point.col
        return PointPx(col, header.rows - point.row if over else point.row)

    findings = tuple(replace(one, center=moved(one.center)) for one in image.findings)
    return replace(
        image, mammogram=replace(header, orientation=turned), breast=found, findings=findings
    )


def test_distances_are_those_of_the_breast() -> None:
    found = place(reading((CC, group(50.0, 20.0))))

    assert found.from_nipple_mm == pytest.approx(59, abs=4)  # the tip is before the skin
    assert found.depth_mm == pytest.approx(55, abs=4)
    assert found.third is DepthThird.MIDDLE
    assert found.from_skin_mm is not None
    assert 30 < found.from_skin_mm < 50
    assert found.words.startswith("outer half, middle third, ")


def test_without_landmarks_there_is_no_position() -> None:
    blind = reading((CC, group(50.0, 20.0)))
    image = replace(blind.images[0], breast=None)

    done = add_positions(replace(blind, images=(image,)))

    assert done.images[0].findings[0].position is None


def test_a_cluster_is_recognised_in_both_views_by_its_depth() -> None:
    above = group(20.0, 20.0, 8) + group(58.0, 20.0, 8, seed=1)
    oblique = group(20.0, 36.0, 8) + group(58.0, 36.0, 8, seed=1)
    done = add_positions(reading((CC, above), (MLO, oblique)))

    pairs = correlate_views(done)

    assert len(pairs) == 2
    for pair in pairs:
        assert abs(pair.depths_mm[0] - pair.depths_mm[1]) < 12
    placed = add_quadrants(done, pairs)
    told = [finding.position for image in placed.images for finding in image.shown_findings]
    assert len(told) == 4
    assert all(position is not None and position.quadrant is not None for position in told)


@pytest.mark.parametrize(
    ("lateral", "oblique", "angle", "quadrant", "half", "hour"),
    [
        (30.0, 45.0, 47.5, Quadrant.UPPER_OUTER, BreastHalf.OUTER, 1),
        (30.0, 0.0, 47.5, Quadrant.LOWER_OUTER, BreastHalf.OUTER, 4),
        (-30.0, 15.0, 47.5, Quadrant.UPPER_INNER, BreastHalf.INNER, 11),
        (-30.0, -50.0, 47.5, Quadrant.LOWER_INNER, BreastHalf.INNER, 7),
        (30.0, 20.3, 47.5, None, BreastHalf.OUTER, 3),
        (1.0, 30.0, 47.5, None, BreastHalf.UPPER, 12),
        (2.0, 3.0, 47.5, Quadrant.CENTRAL, BreastHalf.CENTRAL, None),
        (30.0, 20.3, 90.0, Quadrant.UPPER_OUTER, BreastHalf.OUTER, 2),
        (30.0, -20.0, 132.5, None, BreastHalf.OUTER, 3),
    ],
)
def test_two_views_tell_the_quadrant_where_it_is_clear_of_the_lines(
    lateral: float,
    oblique: float,
    angle: float,
    quadrant: Quadrant | None,
    half: BreastHalf,
    hour: int | None,
) -> None:
    found = locate_in_breast(
        SignedDistance(lateral, 2.5), SignedDistance(oblique, 2.5), angle, Laterality.LEFT
    )

    assert found == BreastPlace(quadrant, half, hour)


def test_views_of_a_turned_breast_tell_no_quadrant() -> None:
    spots = group(50.0, 30.0)
    done = add_positions(reading((CC, spots), (MLO, group(50.0, 36.0))))
    cc = done.images[0]
    turned = replace(cc, mammogram=replace(cc.mammogram, view=View.XCCL))

    (pair,) = correlate_views(replace(done, images=(turned, done.images[1])))

    assert pair.place == BreastPlace()


def test_a_cluster_of_one_view_alone_has_no_partner() -> None:
    assert correlate_views(reading((CC, group(50.0, 12.0)), (MLO, []))) == ()


def test_clusters_too_different_in_depth_are_not_one() -> None:
    assert correlate_views(reading((CC, group(15.0, 10.0)), (MLO, group(70.0, 0.0)))) == ()


@pytest.mark.parametrize(
    ("lateral", "superior", "side", "hour"),
    [
        (10.0, 0.0, Laterality.LEFT, 3),
        (10.0, 0.0, Laterality.RIGHT, 9),
        (0.0, 10.0, Laterality.LEFT, 12),
        (-10.0, -10.0, Laterality.RIGHT, 4),
    ],
)
def test_the_clock_is_seen_from_in_front(
    lateral: float, superior: float, side: Laterality, hour: int
) -> None:
    assert to_clock_hour(lateral, superior, side) == hour


def mint(ref: FindingRef) -> str:
    return f"{ref.study_uid}/{ref.finding_id}"


def test_a_lesion_keeps_its_identifier_over_the_years() -> None:
    spots = group(45.0, 20.0)
    first = reading((replace(CC, study="1.1", nipple_mm=(84.0, 113.0)), spots))
    second = reading((replace(CC, study="1.2", nipple_mm=(82.0, 116.0)), spots))
    third = reading((replace(CC, study="1.3"), spots + group(45.0, -30.0, seed=1)))

    second = replace(second, comparisons=compare_with_priors(second, [first]))
    third = replace(third, comparisons=compare_with_priors(third, [second]))
    known = assign_lesions(first, {}, mint)
    known |= assign_lesions(second, known, mint)
    found = assign_lesions(third, known, mint)

    of_third = [uid for ref, uid in found.items() if ref.study_uid == "1.3"]
    assert sorted(of_third) == ["1.1/LCC-1", "1.3/LCC-2"] or sorted(of_third) == [
        "1.1/LCC-1",
        "1.3/LCC-1",
    ]


def test_both_views_of_a_lesion_share_its_identifier() -> None:
    spots = group(50.0, 12.0)
    done = follow_up(reading((CC, spots), (MLO, spots)))

    found = assign_lesions(done, {}, mint)

    assert set(found.values()) == {"1.2.3/LCC-1"}


def test_the_words_leave_out_what_is_unknown() -> None:
    nothing = Position(None, None, None, None, None, None)

    assert nothing.words == ""
    told = replace(nothing, quadrant=Quadrant.CENTRAL, third=DepthThird.ANTERIOR)
    assert told.words == "central, anterior third"
