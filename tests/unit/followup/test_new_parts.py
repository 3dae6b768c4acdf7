"""What is new inside an old region is a finding of its own, and the region is what it was."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from secondread.codes import Change, View
from secondread.findings.changes import ChangeKind, FindingChange, StudyComparison
from secondread.findings.finding import Finding, StudyReading
from secondread.followup.comparison import compare_with_priors
from secondread.followup.follow_up import follow_up
from secondread.followup.lesion_identity import assign_lesions
from secondread.followup.recheck import recheck_priors
from tests.unit.followup.breasts import READER, Lie, Spot, reading
from tests.unit.followup.test_recheck import make_scorer

NOW = Lie()
THEN = Lie(study="1.2.2", date="20250105", nipple_mm=(82.0, 116.0), turn_deg=2.0)
OLDER = Lie(study="1.2.1", date="20240105", nipple_mm=(84.0, 112.0), turn_deg=1.0)


def spread(hole_mm: float = 0.0) -> list[Spot]:
    """Return scattered calcifications over 28 x 24 mm, perhaps with a hole in their middle."""
    rng = np.random.default_rng(3)
    places = [
        (31.0 + 4.0 * (n % 8) + rng.uniform(-1, 1), -14.0 + 4.0 * (n // 8) + rng.uniform(-1, 1))
        for n in range(56)
    ]
    return [spot for spot in places if np.hypot(spot[0] - 45.0, spot[1] + 2.0) > hole_mm]


HOLED = spread(7.0)
FILLING = [(41.5, -2.0), (45.0, -5.5), (45.2, -1.8), (48.6, -2.2), (44.8, 1.6), (48.2, -5.4)]
"""In the hole, no denser than what is around it."""
DENSE = [(45.0, -2.0), (45.8, -1.6), (44.6, -2.8), (45.4, -2.9), (44.4, -1.4), (45.9, -2.4)]
"""In the hole, much denser."""


def follow(
    now: Sequence[Spot], then: Sequence[Spot], in_pixels: Sequence[Spot] = ()
) -> StudyReading:
    """Return a study followed up, after a second look at pixels that show some places."""
    return follow_with([(THEN, then)], now, in_pixels)


def follow_with(
    priors: Sequence[tuple[Lie, Sequence[Spot]]], now: Sequence[Spot], in_pixels: Sequence[Spot]
) -> StudyReading:
    current = reading((NOW, list(now)))
    read = [reading((lie, list(spots))) for lie, spots in priors]
    comparisons = compare_with_priors(current, read)
    rechecked = recheck_priors(comparisons, make_scorer(in_pixels, noise=1))
    return follow_up(current, comparisons, rechecked, READER.describe_group)


def get_clusters(study: StudyReading) -> list[Finding]:
    """Return the findings with members, the smallest first."""
    (image,) = study.images
    return sorted((f for f in image.findings if f.members), key=lambda f: len(f.members))


def get_change(study: StudyReading, finding: Finding, prior: int = 0) -> FindingChange:
    comparison: StudyComparison = study.comparisons[prior]
    change = comparison.find_change(study.images[0].sop_instance_uid, finding.id)
    assert change is not None
    return change


def test_what_fills_a_gap_of_an_old_region_is_new_within_it_and_the_region_is_unchanged() -> None:
    study = follow(HOLED + FILLING, HOLED)
    new, region = get_clusters(study)

    assert (len(new.members), len(region.members)) == (len(FILLING), len(HOLED))
    assert new.region == region.id
    assert new.id == f"{region.id}a"
    assert (new.change, region.change) == (Change.NEW, Change.UNCHANGED)
    assert new.long_axis_mm < 10.0
    assert region.long_axis_mm > 25.0
    number = get_change(study, region).number
    assert number is not None
    assert (number.prior, number.current) == (len(HOLED), len(HOLED))
    assert get_change(study, region).new_calcifications == ()
    assert get_change(study, new).kind is ChangeKind.NEW
    assert get_change(study, new).place
    recheck = get_change(study, new).recheck_of_whole
    assert recheck is not None
    assert recheck.words == "not in its pixels either"


def test_what_is_dense_and_new_is_found_by_its_density_alone() -> None:
    study = follow(HOLED + DENSE, HOLED)
    new, region = get_clusters(study)

    assert (len(new.members), len(region.members)) == (len(DENSE), len(HOLED))
    assert new.region == region.id
    assert not new.id.endswith("a")
    assert (new.change, region.change) == (Change.NEW, Change.UNCHANGED)


def test_a_dense_cluster_and_its_region_that_the_prior_shows_are_both_unchanged() -> None:
    cluster, region = get_clusters(follow(HOLED + DENSE, HOLED + DENSE))

    assert cluster.region == region.id
    assert (cluster.change, region.change) == (Change.UNCHANGED, Change.UNCHANGED)


def test_what_the_priors_pixels_show_is_not_new_and_stays_with_its_region() -> None:
    (region,) = get_clusters(follow(HOLED + FILLING, HOLED, in_pixels=FILLING))

    assert len(region.members) == len(HOLED) + len(FILLING)
    assert region.change is Change.UNCHANGED


def test_what_is_new_all_over_a_region_makes_the_region_more() -> None:
    every_other = spread()[::2]
    (region,) = get_clusters(follow(spread(), every_other))

    assert region.region is None
    assert region.change is Change.MORE


def test_what_a_small_cluster_has_gained_is_an_increase_of_the_cluster() -> None:
    old = [(45.0 + d, u) for d, u in ((0.0, 0.0), (2.0, 1.0), (1.0, 3.0), (3.0, 3.0), (2.0, 5.0))]
    (cluster,) = get_clusters(follow([*old, (0.5 + 45, 4.5), (46.5, 6.0), (48.0, 5.5)], old))

    assert cluster.change is Change.MORE


def test_what_an_older_prior_shows_is_not_new_within_a_region() -> None:
    study = follow_with([(THEN, HOLED), (OLDER, HOLED + FILLING)], HOLED + FILLING, in_pixels=())

    assert len(get_clusters(study)) == 1


def test_against_an_older_prior_the_region_is_counted_with_its_new_part() -> None:
    study = follow_with([(THEN, HOLED), (OLDER, HOLED)], HOLED + FILLING, in_pixels=())
    new, region = get_clusters(study)

    older = get_change(study, region, prior=1)
    assert [ref.finding_id for ref in older.counted_with] == [new.id]
    assert new.change is Change.NEW


def test_both_views_of_a_new_part_are_one_lesion_with_an_identifier_of_its_own() -> None:
    oblique = replace(NOW, view=View.MLO)
    current = reading((NOW, HOLED + FILLING), (oblique, HOLED + FILLING))
    prior = reading((THEN, HOLED), (replace(THEN, view=View.MLO), HOLED))
    comparisons = compare_with_priors(current, [prior])
    rechecked = recheck_priors(comparisons, make_scorer((), noise=1))
    study = follow_up(current, comparisons, rechecked, READER.describe_group)

    lesions = assign_lesions(study, {}, lambda ref: f"{ref.sop_instance_uid} {ref.finding_id}")
    of = {
        (image.label, finding.number): lesions[image.refer_to(finding)]
        for image in study.images
        for finding in image.shown_findings
    }
    assert sorted(of) == [("LCC", "1"), ("LCC", "1a"), ("LMLO", "1"), ("LMLO", "1a")]
    assert of["LCC", "1a"] == of["LMLO", "1a"] != of["LCC", "1"] == of["LMLO", "1"]


def test_without_a_second_look_or_a_describer_nothing_is_separated() -> None:
    current, prior = reading((NOW, HOLED + FILLING)), reading((THEN, HOLED))
    comparisons = compare_with_priors(current, [prior])
    rechecked = recheck_priors(comparisons, make_scorer((), noise=1))

    unlooked = follow_up(current, comparisons, None, READER.describe_group)
    undescribed = follow_up(current, comparisons, rechecked)

    assert [len(get_clusters(study)) for study in (unlooked, undescribed)] == [1, 1]
