"""A cluster that is in parts in one of the exams, and what has appeared inside an old one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from secondread.findings.changes import ChangeKind, FindingChange
from secondread.findings.finding import StudyReading
from secondread.followup.comparison import compare_with_priors
from secondread.followup.recheck import apply_rechecks, recheck_priors
from secondread.followup.view_changes import GONE_CERTAINTY, PARTLY_SHOWN
from tests.unit.followup.breasts import Lie, Spot, group, reading
from tests.unit.followup.test_recheck import make_scorer

NOW = Lie()
THEN = Lie(study="1.2.2", date="20250105", nipple_mm=(82.0, 116.0), turn_deg=2.0)
SIX = [(45.0, 20.0), (46.0, 22.0), (47.0, 20.0), (46.0, 18.0), (44.0, 21.0), (47.4, 21.5)]
NINE = [(52.0 + 1.5 * (n % 3), 18.0 + 1.5 * (n // 3)) for n in range(9)]
"""Less than 5 mm from the six: one cluster of fifteen."""
NINE_APART = [(depth + 1.0, up) for depth, up in NINE]
"""The same as another compression has it, a millimeter farther: another cluster."""


def make_region(hole_mm: float) -> list[Spot]:
    """Return a regional spread of 24 mm with a hole in its middle."""
    spread = [(33.0 + 4.0 * (n % 7), -14.0 + 4.0 * (n // 7)) for n in range(49)]
    return [spot for spot in spread if np.hypot(spot[0] - 45.0, spot[1] + 2.0) > hole_mm]


INSIDE = [(45.0, -2.0), (45.8, -1.6), (44.6, -2.8), (45.4, -2.9)]
"""In that hole."""


def compare(
    now: Sequence[Spot], then: Sequence[Spot], in_pixels: Sequence[Spot] = ()
) -> list[FindingChange]:
    """Return the changes after a second look at a prior whose pixels show some places."""
    current = reading((NOW, list(now)))
    comparisons = compare_with_priors(current, [reading((THEN, list(then)))])
    rechecked = recheck_priors(comparisons, make_scorer(in_pixels, noise=1))
    return list(apply_rechecks(comparisons[0], current, rechecked).changes)


def get_number(change: FindingChange) -> tuple[float, float]:
    assert change.number is not None
    return change.number.prior, change.number.current


def test_a_cluster_of_fifteen_that_is_six_and_nine_now_is_unchanged_as_a_whole() -> None:
    changes = compare(SIX + NINE_APART, SIX + NINE)

    assert [change.kind for change in changes] == [ChangeKind.UNCHANGED] * 2
    for change, other in zip(changes, reversed(changes), strict=True):
        assert get_number(change) == (15, 15)
        assert change.extent_mm is not None
        assert change.extent_mm.current > 9.0
        assert change.counted_with == (other.current,)
        assert change.prior == other.prior
        assert change.remarks == (f"counted with {other.current and other.current.finding_id}",)
    assert sorted(len(change.pairs) for change in changes) == [6, 9]


def test_of_fifteen_of_which_six_are_left_none_is_said_to_be_unchanged() -> None:
    (change,) = compare(SIX, SIX + NINE)

    assert change.kind is ChangeKind.FEWER
    assert get_number(change) == (15, 6)
    assert change.counted_with == ()


def test_both_parts_have_decreased_where_the_whole_has() -> None:
    changes = compare(SIX[:3] + NINE_APART[:4], SIX + NINE)

    assert [change.kind for change in changes] == [ChangeKind.FEWER] * 2
    assert {get_number(change) for change in changes} == {(15, 7)}


def test_two_clusters_that_are_one_now_are_counted_together() -> None:
    (change,) = compare(SIX + NINE, SIX + NINE_APART)

    assert change.kind is ChangeKind.UNCHANGED
    assert get_number(change) == (15, 15)
    assert len(change.prior) == 2


def test_what_a_split_leaves_over_as_single_calcifications_has_not_vanished() -> None:
    (change,) = compare([*SIX, *NINE_APART[6:8]], [*SIX, *NINE[6:8]])

    assert change.kind is ChangeKind.UNCHANGED
    assert get_number(change) == (8, 8)


def test_a_cluster_beside_the_outline_of_an_old_one_is_no_part_of_it() -> None:
    beside = [(depth + 9.0, up) for depth, up in SIX]

    changes = compare(SIX + beside, SIX)

    assert sorted(change.kind for change in changes) == [ChangeKind.NEW, ChangeKind.UNCHANGED]
    assert not any(change.counted_with for change in changes)


def test_a_cluster_inside_an_old_region_is_new_where_the_prior_shows_nothing_of_it() -> None:
    region = make_region(6.5)

    changes = compare(region + INSIDE, region, in_pixels=region)

    assert sorted(change.kind for change in changes) == [ChangeKind.NEW, ChangeKind.UNCHANGED]
    (new,) = (change for change in changes if change.kind is ChangeKind.NEW)
    assert new.recheck is not None
    assert new.recheck.words == "not in its pixels either"


def test_what_has_appeared_in_an_old_cluster_is_named_and_keeps_it_from_being_unchanged() -> None:
    region = make_region(3.0)

    (change,) = compare(region + INSIDE, region, in_pixels=region)

    assert get_number(change) == (len(region), len(region) + 4)
    assert change.number is not None
    assert change.number.direction == 0
    assert change.kind is ChangeKind.MORE
    assert len(change.new_calcifications) == 4
    middle = np.mean([(p.col, p.row) for p in change.new_calcifications], axis=0)
    true = NOW.at(45.0, -2.3)
    assert np.hypot(*(middle - (true.col, true.row))) * NOW.pitch_mm < 1.0
    assert change.remarks == ("4 calcifications new, not in the prior's pixels either",)


def test_what_the_detector_missed_then_and_a_second_look_sees_is_no_increase() -> None:
    (change,) = compare(SIX + NINE, SIX, in_pixels=SIX + NINE)

    assert change.kind is ChangeKind.UNCHANGED
    assert get_number(change) == (15, 15)
    assert change.seen_again == 9
    assert change.new_calcifications == ()
    assert change.remarks == ("9 seen then at a second look",)


def test_what_a_second_look_does_not_see_is_an_increase() -> None:
    (change,) = compare(SIX + NINE, SIX, in_pixels=SIX)

    assert change.kind is ChangeKind.MORE
    assert get_number(change) == (6, 15)
    assert len(change.new_calcifications) >= 6


def test_where_no_second_look_is_possible_the_numbers_decide() -> None:
    current = reading((NOW, SIX + NINE))
    comparisons = compare_with_priors(current, [reading((THEN, SIX))])
    rechecked = recheck_priors(comparisons, lambda _, __: None)

    (change,) = apply_rechecks(comparisons[0], current, rechecked).changes

    assert change.kind is ChangeKind.MORE
    assert change.new_calcifications == ()
    assert change.recheck is None


def test_two_calcifications_together_are_no_new_finding() -> None:
    region = make_region(3.0)

    (change,) = compare(region + INSIDE[:2], region, in_pixels=region)

    assert change.kind is ChangeKind.UNCHANGED
    assert change.new_calcifications == ()


def with_certainty(study: StudyReading, certainty: float) -> StudyReading:
    return study.map_findings(lambda _, finding: replace(finding, certainty=certainty))


@pytest.mark.parametrize(
    ("certainty", "kinds"), [(GONE_CERTAINTY, [ChangeKind.GONE]), (GONE_CERTAINTY - 1, [])]
)
def test_only_what_was_surely_there_can_be_gone(certainty: float, kinds: list[ChangeKind]) -> None:
    then = with_certainty(reading((THEN, SIX)), certainty)

    (found,) = compare_with_priors(reading((NOW, [])), [then])

    assert [change.kind for change in found.changes] == kinds


def test_a_tile_that_does_not_show_a_place_makes_nothing_gone_that_another_one_shows() -> None:
    deep = group(78.0, 5.0)
    tile = replace(NOW, nipple_mm=(62.0, 110.0))
    current = reading((NOW, deep), (tile, []))

    (found,) = compare_with_priors(current, [reading((THEN, deep))])

    assert [change.kind for change in found.changes] == [ChangeKind.UNCHANGED]


def test_a_second_image_that_shows_the_place_without_the_cluster_makes_it_not_gone() -> None:
    current = reading((NOW, SIX), (replace(NOW, manufacturer="Other"), []))

    (found,) = compare_with_priors(current, [reading((THEN, SIX))])

    assert [change.kind for change in found.changes] == [ChangeKind.UNCHANGED]


def test_a_cluster_of_which_one_image_shows_a_part_only_is_not_comparable() -> None:
    shallow = replace(NOW, nipple_mm=(62.0, 110.0))
    across = [(46.0 + 3.0 * n, 5.0 + (n % 2)) for n in range(9)]
    seen = [spot for spot in across if spot[0] < 60.0]

    (found,) = compare_with_priors(reading((shallow, seen)), [reading((THEN, across))])

    (change,) = found.changes
    assert change.kind is ChangeKind.NOT_COMPARABLE
    assert change.why_not == PARTLY_SHOWN


def with_faint(study: StudyReading, certainty: float, faint: int) -> StudyReading:
    """Return a study of one cluster whose last members are as certain as this."""
    (image,) = study.images
    (finding,) = image.findings
    sure, rest = finding.members[:-faint], finding.members[-faint:]
    members = (*sure, *(replace(member, certainty=certainty) for member in rest))
    return study.map_findings(lambda _, cluster: replace(cluster, members=members))


def test_what_the_detector_marks_faintly_where_it_surely_was_has_not_vanished() -> None:
    then = reading((THEN, SIX + NINE))
    now = with_faint(reading((NOW, SIX + NINE)), certainty=2.0, faint=8)

    (change,) = compare_with_priors(now, [then])[0].changes

    assert change.kind is ChangeKind.UNCHANGED
    assert get_number(change) == (15, 15)


def test_a_candidate_below_every_limit_in_its_place_keeps_a_cluster_from_being_gone() -> None:
    then = reading((THEN, SIX + NINE))

    (found,) = compare_with_priors(reading((NOW, SIX + NINE), score=0.02), [then])

    assert found.changes == ()
