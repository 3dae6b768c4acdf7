from dataclasses import replace

import pytest

from secondread.codes import Laterality, View
from secondread.findings.comparison import FindingRef
from secondread.findings.finding import StudyReading
from secondread.findings.position import Half, Position, Quadrant, Third
from secondread.followup.comparison import compare
from secondread.followup.correlation import clock_hour, correlate, with_quadrants
from secondread.followup.identity import lesion_uids
from secondread.followup.position import with_positions
from tests.unit.followup.breasts import Lie, group, reading

CC, MLO = Lie(), Lie(view=View.MLO)


def place(done: StudyReading, image: int = 0) -> Position:
    position = with_positions(done).images[image].findings[0].position
    assert position is not None
    return position


@pytest.mark.parametrize(
    ("lie", "up", "half"),
    [
        (CC, 30.0, Half.OUTER),
        (CC, -30.0, Half.INNER),
        (replace(CC, right=True), 30.0, Half.OUTER),
        (CC, 1.0, Half.CENTRAL),
        (replace(MLO, woman=3), 35.0, Half.UPPER),
        (replace(MLO, woman=3), -40.0, Half.LOWER),
    ],
)
def test_the_half_follows_from_the_side_of_the_nipple_line(lie: Lie, up: float, half: Half) -> None:
    assert place(reading((lie, group(35.0, up)))).half is half


def test_distances_are_those_of_the_breast() -> None:
    found = place(reading((CC, group(50.0, 20.0))))

    assert found.from_nipple_mm == pytest.approx(59, abs=4)  # the tip is before the skin
    assert found.depth_mm == pytest.approx(55, abs=4)
    assert found.third is Third.MIDDLE
    assert found.from_skin_mm is not None
    assert 30 < found.from_skin_mm < 50
    assert found.words.startswith("outer half, middle third, ")


def test_without_landmarks_there_is_no_position() -> None:
    blind = reading((CC, group(50.0, 20.0)))
    image = replace(blind.images[0], breast=None)

    done = with_positions(replace(blind, images=(image,)))

    assert done.images[0].findings[0].position is None


def test_a_cluster_is_recognised_in_both_views_by_its_depth() -> None:
    shallow, deep = group(20.0, 12.0, 8), group(58.0, 12.0, 8, seed=1)
    done = with_positions(reading((CC, shallow + deep), (MLO, shallow + deep)))

    pairs = correlate(done)

    assert len(pairs) == 2
    for pair in pairs:
        assert abs(pair.depths_mm[0] - pair.depths_mm[1]) < 12
    placed = with_quadrants(done, pairs)
    told = [finding.position for image in placed.images for finding in image.shown]
    assert len(told) == 4
    assert all(position is not None and position.quadrant is not None for position in told)


def test_a_cluster_of_one_view_alone_has_no_partner() -> None:
    assert correlate(reading((CC, group(50.0, 12.0)), (MLO, []))) == ()


def test_clusters_too_different_in_depth_are_not_one() -> None:
    assert correlate(reading((CC, group(15.0, 10.0)), (MLO, group(70.0, 0.0)))) == ()


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
    assert clock_hour(lateral, superior, side) == hour


def mint(ref: FindingRef) -> str:
    return f"{ref.study_uid}/{ref.finding_id}"


def test_a_lesion_keeps_its_identifier_over_the_years() -> None:
    spots = group(45.0, 20.0)
    first = reading((replace(CC, study="1.1", nipple_mm=(84.0, 113.0)), spots))
    second = reading((replace(CC, study="1.2", nipple_mm=(82.0, 116.0)), spots))
    third = reading((replace(CC, study="1.3"), spots + group(45.0, -30.0, seed=1)))

    known = lesion_uids(first, (), (), {}, mint)
    known |= lesion_uids(second, compare(second, [first]), (), known, mint)
    found = lesion_uids(third, compare(third, [second]), (), known, mint)

    of_third = [uid for ref, uid in found.items() if ref.study_uid == "1.3"]
    assert sorted(of_third) == ["1.1/LCC-1", "1.3/LCC-2"] or sorted(of_third) == [
        "1.1/LCC-1",
        "1.3/LCC-1",
    ]


def test_both_views_of_a_lesion_share_its_identifier() -> None:
    spots = group(50.0, 12.0)
    done = reading((CC, spots), (MLO, spots))

    found = lesion_uids(done, (), correlate(done), {}, mint)

    assert set(found.values()) == {"1.2.3/LCC-1"}


def test_the_words_leave_out_what_is_unknown() -> None:
    nothing = Position(None, None, None, None, None, None)

    assert nothing.words == ""
    told = replace(nothing, quadrant=Quadrant.CENTRAL, third=Third.ANTERIOR)
    assert told.words == "central, anterior third"
