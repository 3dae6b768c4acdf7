"""What is new by the prior's findings is looked for in the prior's pixels, with made-up scores."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from secondread.errors import DetectorDiedError, InputError, TransientError
from secondread.findings.changes import (
    ChangeKind,
    FindingChange,
    FindingRef,
    Recheck,
    StudyComparison,
)
from secondread.findings.finding import StudyReading
from secondread.followup import recheck
from secondread.followup.comparison import compare_with_priors
from secondread.followup.comparison_json import decode_recheck, encode_comparison, encode_recheck
from secondread.followup.constellation import (
    LEAST_PLACES,
    MOST_AS_HIGH,
    MOST_MEMBERS,
    PLACES,
    Scores,
)
from secondread.followup.follow_up import follow_up
from secondread.followup.recheck import (
    MOST_IN_AN_IMAGE,
    RecheckedFinding,
    ScoreImage,
    apply_rechecks,
    recheck_priors,
)
from secondread.followup.registration.register import Registration
from secondread.followup.reported_priors import add_reported_priors
from secondread.geometry import PointPx
from tests.unit.followup.breasts import Lie, Spot, group, reading

NOW = Lie()
THEN = Lie(study="1.2.2", date="20250105", nipple_mm=(82.0, 116.0), turn_deg=2.0)
HERE = group(45.0, 20.0, 8)
PRIOR = reading((THEN, []))
BACKGROUND, BRIGHT = 0.02, 0.9
STEPS = 13
OF_ONE = STEPS * len(HERE)


def make_scorer(
    spots: Sequence[Spot], lie: Lie = THEN, reach_mm: float = 0.45, noise: int = 0
) -> Callable[[str, Sequence[PointPx]], Scores]:
    """Return a prior's pixels: bright at some places of the breast, and else what noise gives."""
    at = np.array([(p.col, p.row) for p in (lie.at(*spot) for spot in spots)]).reshape(-1, 2)
    rng = np.random.default_rng(noise)

    def ask(_: str, points: Sequence[PointPx]) -> Scores:
        away = np.array([(p.col, p.row) for p in points])[:, None] - at[None]
        near = np.hypot(*np.moveaxis(away, -1, 0)).min(axis=1, initial=np.inf)
        there = near * lie.pitch_mm < reach_mm
        dark = BACKGROUND * rng.uniform(0.5, 1.5, len(points))
        return [float(share) for share in np.where(there, BRIGHT, dark)]

    return ask


def find_changes(
    ask: ScoreImage, now: StudyReading | None = None, prior: StudyReading = PRIOR
) -> tuple[FindingChange, ...]:
    now = now or reading((NOW, HERE))
    comparisons = compare_with_priors(now, [prior])
    return apply_rechecks(comparisons[0], now, recheck_priors(comparisons, ask)).changes


def find_change(ask: ScoreImage) -> FindingChange:
    (change,) = find_changes(ask)
    return change


def explain_why_not(ask: ScoreImage) -> str:
    change = find_change(ask)
    assert change.kind is ChangeKind.NEW
    assert change.recheck is not None
    assert not change.recheck.seen
    return change.recheck.why_not


def test_what_stands_in_the_priors_pixels_has_become_more_and_no_number_is_told() -> None:
    change = find_change(make_scorer(HERE))

    assert change.kind is ChangeKind.MORE
    assert change.prior == ()
    assert change.place
    assert change.number is None
    (image,) = PRIOR.images
    uid = image.mammogram.sop_instance_uid
    assert change.recheck == Recheck(seen=True, other_places=PLACES, as_similar=0, prior_image=uid)


@pytest.mark.parametrize(
    ("off_mm", "verdict"), [(0.0, ChangeKind.MORE), (0.8, ChangeKind.MORE), (2.5, ChangeKind.NEW)]
)
@pytest.mark.parametrize("turn", [0.0, 0.7, 1.9, 4.0])
def test_a_place_may_be_off_by_less_than_a_millimeter(
    off_mm: float, verdict: ChangeKind, turn: float
) -> None:
    away = off_mm * np.array([np.cos(turn), np.sin(turn)])
    apart = [(45.0 + 5.0 * (n % 3), 20.0 + 5.0 * (n // 3)) for n in range(6)]
    now = reading((NOW, apart))

    (change,) = find_changes(make_scorer([(d + away[0], u + away[1]) for d, u in apart]), now)

    assert change.kind is verdict


def test_where_a_place_is_known_less_well_nothing_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Registration, "estimate_error", lambda *_: 1.6)

    change = find_change(make_failing_scorer(AssertionError()))

    assert change.recheck is not None
    assert change.recheck.why_not == "the tissue around its place was not found again"


def test_what_is_not_there_stays_new_and_says_that_the_pixels_were_looked_at() -> None:
    change = find_change(make_scorer([]))

    assert change.kind is ChangeKind.NEW
    assert change.number is None
    assert change.recheck is not None
    assert (change.recheck.seen, change.recheck.why_not, change.recheck.other_places) == (
        False,
        "",
        PLACES,
    )


def test_what_looks_no_other_than_the_rest_of_the_breast_stays_new() -> None:
    change = find_change(lambda _, points: [BRIGHT] * len(points))

    assert change.kind is ChangeKind.NEW
    assert change.recheck is not None
    assert change.recheck.as_similar > 0


@pytest.mark.parametrize(
    ("as_high", "verdict"),
    [(0, ChangeKind.MORE), (MOST_AS_HIGH, ChangeKind.MORE), (MOST_AS_HIGH + 1, ChangeKind.NEW)],
)
def test_one_other_place_of_forty_may_look_as_much_like_it(
    as_high: int, verdict: ChangeKind
) -> None:
    def ask(_: str, points: Sequence[PointPx]) -> Scores:
        bright = OF_ONE * (1 + as_high)  # its own place comes first, then one after the other
        return [BRIGHT] * bright + [BACKGROUND] * (len(points) - bright)

    change = find_change(ask)

    assert change.kind is verdict
    assert change.recheck is not None
    assert change.recheck.as_similar == as_high


def test_of_what_is_chance_everywhere_little_is_taken_for_old() -> None:
    rng = np.random.default_rng(5)
    found = sum(
        find_change(lambda _, at: rng.random(len(at)).tolist()).kind is not ChangeKind.NEW
        for _ in range(20)
    )

    # At most one of 40 places as high is a chance of 2 in 41.
    assert found <= 3


def test_of_many_calcifications_the_surest_are_asked_about() -> None:
    asked: list[int] = []
    many = group(45.0, 20.0, 20)

    def ask(_: str, points: Sequence[PointPx]) -> None:
        asked.append(len(points))

    find_changes(ask, reading((NOW, many)))

    assert asked == [STEPS * MOST_MEMBERS * (1 + PLACES)]


def test_each_cluster_has_its_own_answer() -> None:
    there = group(45.0, -25.0, 7, seed=1)
    now = reading((NOW, HERE + there))

    found = find_changes(make_scorer(there), now)

    (seen,) = [change for change in found if change.kind is not ChangeKind.NEW]
    assert seen.recheck is not None
    assert seen.recheck.seen
    assert len(found) == 2


def test_the_same_is_asked_every_time() -> None:
    asked: list[tuple[PointPx, ...]] = []

    def ask(_: str, points: Sequence[PointPx]) -> None:
        asked.append(tuple(points))

    for _ in range(2):
        find_changes(ask)

    assert asked[0] == asked[1]
    assert len(asked[0]) == STEPS * 8 * (1 + PLACES)


def test_places_outside_the_tissue_are_not_compared_with() -> None:
    def ask(_: str, points: Sequence[PointPx]) -> Scores:
        known = (LEAST_PLACES + 1) * OF_ONE
        rest = [None] * (len(points) - known)
        return [BRIGHT] * OF_ONE + [BACKGROUND] * (known - OF_ONE) + rest

    change = find_change(ask)

    assert change.recheck is not None
    assert (change.recheck.seen, change.recheck.other_places) == (True, LEAST_PLACES)


@pytest.mark.parametrize("known", [0, OF_ONE - 30, LEAST_PLACES * OF_ONE])
def test_with_too_little_tissue_nothing_is_decided(known: int) -> None:
    def ask(_: str, points: Sequence[PointPx]) -> Scores:
        return [BRIGHT if n < OF_ONE else BACKGROUND for n in range(known)] + [None] * (
            len(points) - known
        )

    assert "too little tissue" in explain_why_not(ask)


def make_failing_scorer(error: Exception) -> ScoreImage:
    def ask(_: str, __: Sequence[PointPx]) -> Scores:
        raise error

    return ask


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda _, __: None, "the model has no way to look"),
        (make_failing_scorer(DetectorDiedError("3 GB")), "the detector was lost"),
        (make_failing_scorer(TransientError("FileNotFoundError")), "could not be read again"),
        (make_failing_scorer(InputError("x")), "could not be read again"),
    ],
    ids=["no graph", "lost", "gone", "broken"],
)
def test_what_cannot_be_looked_at_stays_new_and_says_why(ask: ScoreImage, words: str) -> None:
    assert words in explain_why_not(ask)


def test_where_the_tissue_was_not_found_again_nothing_is_asked() -> None:
    other = reading((replace(THEN, woman=2), []))

    (change,) = find_changes(make_failing_scorer(AssertionError()), prior=other)

    assert change.kind is ChangeKind.NEW
    assert change.recheck is not None
    assert change.recheck.why_not == "the tissue around its place was not found again"


def test_what_the_priors_findings_show_and_what_is_not_shown_now_is_not_asked_about() -> None:
    shown_then = reading((THEN, HERE))
    faint_now = reading((NOW, HERE), score=0.1)

    assert [
        change.recheck
        for change in find_changes(make_failing_scorer(AssertionError()), prior=shown_then)
    ] == [None]
    assert [
        change.recheck for change in find_changes(make_failing_scorer(AssertionError()), faint_now)
    ] == [None]


def test_of_very_many_new_clusters_the_first_are_looked_at() -> None:
    places = [(d, u) for d in (25.0, 45.0, 65.0) for u in (-40.0, -20.0, 0.0, 20.0)]
    spots = [spot for n, place in enumerate(places) for spot in group(*place, 4, seed=n)]

    found = find_changes(make_scorer([]), reading((NOW, spots)))

    looked = [change.recheck for change in found if change.recheck is not None]
    assert len(looked) > MOST_IN_AN_IMAGE
    assert sum(not answer.why_not for answer in looked) == MOST_IN_AN_IMAGE
    assert {answer.why_not for answer in looked} == {"", "too many clusters are new"}


def test_of_several_images_of_a_view_the_one_that_shows_it_counts() -> None:
    twice = reading((THEN, []), (THEN, []))
    second = twice.images[1].mammogram.sop_instance_uid
    bright, dark = make_scorer(HERE), make_scorer([])

    def ask(uid: str, points: Sequence[PointPx]) -> Scores | None:
        return bright(uid, points) if uid == second else dark(uid, points)

    (change,) = find_changes(ask, prior=twice)

    assert change.kind is ChangeKind.MORE


@pytest.mark.parametrize("shows", [0, 1])
def test_of_two_images_of_a_view_the_place_is_of_the_one_that_was_seen(shows: int) -> None:
    lies = [THEN, replace(THEN, nipple_mm=(78.0, 100.0), turn_deg=0.0, manufacturer="Other")]
    twice = reading(*((lie, []) for lie in lies))
    # Their order is that of their UIDs, which are drawn.
    (uid,) = (
        image.mammogram.sop_instance_uid
        for image in twice.images
        if image.mammogram.manufacturer == lies[shows].manufacturer
    )
    bright = make_scorer(HERE, lies[shows])

    def ask(asked: str, points: Sequence[PointPx]) -> Scores:
        return bright(asked, points) if asked == uid else [BACKGROUND] * len(points)

    (change,) = find_changes(ask, prior=twice)

    assert change.recheck is not None
    assert change.recheck.prior_image == uid
    middle = np.mean([(p.col, p.row) for p in change.place], axis=0)
    at = [lies[shows].at(*spot) for spot in HERE]
    true = np.mean([(p.col, p.row) for p in at], axis=0)
    assert np.hypot(*(middle - true)) * THEN.pitch_mm < 2.0


def test_the_most_suspicious_are_looked_at_where_too_many_are_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recheck, "MOST_IN_AN_IMAGE", 1)
    now = reading((NOW, HERE + group(45.0, -25.0, 7, seed=1)))
    (image,) = now.images
    for chosen in (0, 1):
        findings = tuple(
            replace(finding, suspicion=80.0 if n == chosen else 20.0)
            for n, finding in enumerate(image.findings)
        )
        ranked = replace(now, images=(replace(image, findings=findings),))

        found = find_changes(make_scorer([]), ranked)

        (looked,) = [
            change for change in found if change.recheck is not None and not change.recheck.why_not
        ]
        assert looked.current is not None
        assert looked.current.finding_id == findings[chosen].id


@pytest.mark.parametrize("what", ["center", "members", "method"])
def test_a_look_at_another_finding_of_the_name_does_not_count(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    now = reading((NOW, HERE))
    looks = recheck_priors(compare_with_priors(now, [PRIOR]), make_scorer(HERE))
    (image,) = now.images
    (finding,) = image.findings
    if what == "method":
        monkeypatch.setattr(recheck, "METHOD", "another")
    elif what == "center":
        away = PointPx(finding.center.col + 9, finding.center.row)
        finding = replace(finding, center=away)
    else:
        finding = replace(finding, members=finding.members[1:])
    other = replace(now, images=(replace(image, findings=(finding,)),))

    (change,) = apply_rechecks(compare_with_priors(other, [PRIOR])[0], other, looks).changes

    assert change.kind is ChangeKind.NEW
    assert change.recheck == Recheck(seen=False, why_not="what was looked at is another finding")


def test_where_the_look_broke_what_is_new_says_so() -> None:
    now = reading((NOW, HERE))

    (change,) = apply_rechecks(compare_with_priors(now, [PRIOR])[0], now, ()).changes

    assert change.kind is ChangeKind.NEW
    assert change.recheck == Recheck(seen=False, why_not="the look broke")


def test_the_findings_of_the_study_have_the_word_of_the_second_look() -> None:
    now = reading((NOW, HERE))
    comparisons = compare_with_priors(now, [PRIOR])
    looks = recheck_priors(comparisons, make_scorer(HERE))

    done = follow_up(now, comparisons, looks)

    (finding,) = done.images[0].findings
    assert finding.change is not None
    assert finding.change.name == "MORE"
    assert done.comparisons[0].changes[0].recheck == looks[0].recheck


def test_where_only_a_report_is_left_that_is_said() -> None:
    done = add_reported_priors(follow_up(reading((NOW, HERE)), ()), [PRIOR])

    (change,) = done.comparisons[0].changes
    assert change.kind is ChangeKind.NEW
    assert change.recheck is not None
    assert "not at hand" in change.recheck.why_not


REF = FindingRef("1", "1.1", "LCC-1")
LOOKED = [
    RecheckedFinding(
        REF, "8 at 1, 2", Recheck(True, 40, 0, prior_image="2.1"), (PointPx(1.5, 2.0),), 0.4
    ),
    RecheckedFinding(
        REF, "8 at 1, 2", Recheck(seen=False, why_not="x", prior_image="2.1"), (), None
    ),
    RecheckedFinding(REF, "8 at 1, 2", Recheck(False, 40, 7, prior_image="2.1"), (), 0.4),
]


@pytest.mark.parametrize("looked", LOOKED)
def test_a_look_passes_through_its_json(looked: RecheckedFinding) -> None:
    assert decode_recheck(json.loads(json.dumps(encode_recheck(looked)))) == looked


def test_a_comparison_document_says_what_was_looked_at_and_nothing_where_nobody_did() -> None:
    def document(found: StudyComparison) -> Any:
        return encode_comparison(found)["changes"][0]["second_look"]

    now = reading((NOW, HERE))
    (plain,) = compare_with_priors(now, [PRIOR])
    looks = recheck_priors([plain], make_scorer(HERE))

    assert document(plain) is None
    told = document(apply_rechecks(plain, now, looks))
    assert told["seen"] is True
    assert (told["other_places"], told["as_high"]) == (PLACES, 0)
