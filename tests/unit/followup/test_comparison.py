from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from secondread.assemble.intent import Intent
from secondread.assemble.patient_key import PatientKey
from secondread.codes import Change
from secondread.findings.changes import ChangeKind, FindingChange, StudyComparison
from secondread.findings.finding import PriorStudy, StudyReading
from secondread.followup.comparison import compare_with_priors, find_doubts, is_same_unit
from secondread.followup.comparison_json import encode_comparison
from secondread.followup.follow_up import add_comparisons, follow_up
from secondread.geometry import SpacingMm
from secondread.reasons import ImageStatus, Reason
from tests.unit.followup.breasts import MODEL, Lie, group, reading

NOW = Lie()
THEN = Lie(study="1.2.2", date="20250105", nipple_mm=(82.0, 116.0), turn_deg=2.0)
HERE = group(45.0, 20.0, 8)
THERE = group(45.0, -25.0, 8, seed=1)
SEVEN_MORE = group(45.0, 20.0, 7, seed=2)


def changes(current: StudyReading, prior: StudyReading) -> tuple[FindingChange, ...]:
    return compare_with_priors(current, [prior])[0].changes


def verdicts(current: StudyReading, prior: StudyReading) -> list[ChangeKind]:
    return [change.kind for change in changes(current, prior)]


@pytest.mark.parametrize(
    ("now", "then", "expected"),
    [
        pytest.param(HERE, HERE, [ChangeKind.UNCHANGED], id="the same calcifications"),
        pytest.param(HERE, [], [ChangeKind.NEW], id="nothing then"),
        pytest.param([], HERE, [ChangeKind.GONE], id="nothing now"),
        pytest.param(HERE + SEVEN_MORE, HERE, [ChangeKind.MORE], id="twice as many"),
        pytest.param(HERE, HERE + SEVEN_MORE, [ChangeKind.FEWER], id="half as many"),
        pytest.param(HERE[:7], HERE, [ChangeKind.UNCHANGED], id="one missed"),
        pytest.param(HERE, THERE, [ChangeKind.NEW, ChangeKind.GONE], id="another place"),
        pytest.param(
            HERE + THERE, THERE, [ChangeKind.NEW, ChangeKind.UNCHANGED], id="one beside an old one"
        ),
    ],
)
def test_the_word_says_what_became_of_the_calcifications(
    now: list[tuple[float, float]], then: list[tuple[float, float]], expected: list[ChangeKind]
) -> None:
    found = verdicts(reading((NOW, now)), reading((THEN, then)))

    assert sorted(found) == sorted(expected)


def test_the_calcifications_of_both_exams_are_paired() -> None:
    (change,) = changes(reading((NOW, HERE)), reading((THEN, HERE)))

    assert len(change.pairs) == len(HERE)
    for current, prior in change.pairs:
        spot = next(s for s in HERE if NOW.spacing.distance_mm(NOW.at(*s), current) < 0.01)
        assert THEN.spacing.distance_mm(THEN.at(*spot), prior) < 0.01


def test_a_cluster_that_the_prior_shows_faintly_is_not_new() -> None:
    faint = reading((THEN, HERE), score=0.3)

    (change,) = changes(reading((NOW, HERE)), faint)

    assert change.kind is ChangeKind.UNCHANGED
    assert change.number is not None
    assert change.number.prior == len(HERE)


def _doubtful_one_by_one(study: StudyReading) -> StudyReading:
    """Return the study with clusters that are likely, of members none of which is."""
    images = tuple(
        replace(
            image,
            findings=tuple(
                replace(
                    finding,
                    certainty=30.0,
                    members=tuple(replace(member, certainty=8.0) for member in finding.members),
                )
                for finding in image.findings
            ),
        )
        for image in study.images
    )
    return replace(study, images=images)


def test_a_cluster_counts_that_is_likelier_than_each_of_its_calcifications() -> None:
    now, then = reading((NOW, HERE)), reading((THEN, HERE))

    for current, prior in (
        (_doubtful_one_by_one(now), then),
        (now, _doubtful_one_by_one(then)),
    ):
        (change,) = changes(current, prior)
        assert change.kind is ChangeKind.UNCHANGED
    (change,) = changes(_doubtful_one_by_one(now), reading((THEN, [])))
    assert change.kind is ChangeKind.NEW


def test_what_a_detector_answers_to_noise_makes_nothing_old() -> None:
    noise = reading((THEN, HERE), score=0.02)

    assert verdicts(reading((NOW, HERE)), noise) == [ChangeKind.NEW]


def test_a_few_calcifications_then_are_an_increase_and_not_new() -> None:
    two = reading((THEN, HERE[:2]))

    (change,) = changes(reading((NOW, HERE)), two)

    assert change.kind is ChangeKind.MORE
    assert change.number is not None
    assert change.number.prior == 2


def test_what_the_prior_did_not_show_the_place_of_is_not_called_new() -> None:
    shallow = replace(THEN, nipple_mm=(62.0, 110.0), turn_deg=0.0)
    deep = group(78.0, 5.0)

    assert verdicts(reading((NOW, deep)), reading((shallow, []))) == [ChangeKind.NOT_IN_FIELD]
    assert verdicts(reading((shallow, [])), reading((NOW, deep))) == [ChangeKind.NOT_IN_FIELD]


def test_where_the_tissue_was_not_found_again_nothing_is_called_gone() -> None:
    other = reading((replace(THEN, woman=2), HERE))

    (found,) = compare_with_priors(reading((NOW, [])), [other])

    assert found.compared
    assert not found.views[0].aligned
    (change,) = found.changes
    assert change.kind is ChangeKind.NOT_COMPARABLE
    assert change.why_not == "the tissue around its place was not found again"
    assert change.place == ()


def test_what_is_gone_counts_the_calcifications_that_count_for_what_is_new() -> None:
    then = reading((THEN, HERE))
    (image,) = then.images
    (cluster,) = image.findings
    faint = (replace(member, certainty=5.0) for member in cluster.members[:3])
    cluster = replace(cluster, members=(*faint, *cluster.members[3:]))
    prior = replace(then, images=(replace(image, findings=(cluster,)),))

    (change,) = changes(reading((NOW, HERE[:1])), prior)

    assert change.kind is ChangeKind.GONE
    assert change.number is not None
    assert (change.number.current, change.number.prior) == (1, len(HERE) - 3)


def test_a_prior_that_was_refused_makes_nothing_new() -> None:
    refused = reading((THEN, []), status=ImageStatus.REFUSED)

    (found,) = compare_with_priors(reading((NOW, HERE)), [refused])

    assert not found.compared
    assert [change.kind for change in found.changes] == [ChangeKind.NOT_COMPARABLE]
    assert "prior image was not read" in found.why_not


def test_a_prior_read_with_another_model_is_not_comparable() -> None:
    upgraded = reading((THEN, HERE), model=replace(MODEL, digest="1" * 64))

    (found,) = compare_with_priors(reading((NOW, HERE)), [upgraded])

    assert found.why_not == "the prior was read with another model"


def test_another_unit_has_limits_that_are_at_least_as_wide() -> None:
    other = replace(THEN, manufacturer="Other", pitch_mm=0.3)

    (same,) = changes(reading((NOW, HERE)), reading((THEN, HERE)))
    (found,) = compare_with_priors(reading((NOW, HERE)), [reading((other, HERE))])

    assert not found.views[0].same_unit
    wide, narrow = found.changes[0].diameter_mm, same.diameter_mm
    assert wide is not None
    assert narrow is not None
    assert wide.upper - wide.lower > narrow.upper - narrow.lower


def test_a_pitch_that_shows_other_calcifications_is_not_comparable() -> None:
    coarse = replace(THEN, pitch_mm=0.9)

    (found,) = compare_with_priors(reading((NOW, HERE)), [reading((coarse, HERE))])

    assert found.why_not == "the pixel spacings are too different"
    assert [change.kind for change in found.changes] == [ChangeKind.NOT_COMPARABLE]


@pytest.mark.parametrize(
    "values",
    [
        {"model": "Another"},
        {"intent": Intent.PROCESSING},
        {"is_lossy": True},
        {"bits_stored": 8},
        {"spacing": SpacingMm(0.35, 0.35)},
    ],
)
def test_another_processing_or_pitch_is_another_unit(values: dict[str, Any]) -> None:
    image = NOW.header()

    assert is_same_unit(image, replace(image, sop_instance_uid="1.9"))
    assert not is_same_unit(image, replace(image, **values))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, ()),
        ({"patient": PatientKey("P1", "")}, ()),
        ({"patient": PatientKey("P2", "HOSPITAL")}, ("the exams name different patients",)),
        ({"study_date": date(2026, 1, 5)}, ("both exams are of one day",)),
        ({"study_date": date(2027, 1, 5)}, ("the prior is of a later day than the exam",)),
        ({"study_date": None}, ()),
    ],
)
def test_what_is_no_exam_and_its_prior_is_doubted(
    values: dict[str, Any], told: tuple[str, ...]
) -> None:
    prior = reading((THEN, HERE))
    (image,) = prior.images
    changed = replace(image, mammogram=replace(image.mammogram, **values))

    assert find_doubts(reading((NOW, HERE)), replace(prior, images=(changed,))) == told


def test_a_view_that_the_prior_lacks_is_not_comparable() -> None:
    right = replace(THEN, right=True)

    (found,) = compare_with_priors(reading((NOW, HERE)), [reading((right, HERE))])

    assert found.views[0].prior_sop_instance_uid is None
    assert [change.kind for change in found.changes] == [ChangeKind.NOT_COMPARABLE]


def test_of_two_images_of_a_view_the_one_that_shows_the_place_decides() -> None:
    shallow = replace(THEN, nipple_mm=(62.0, 110.0), turn_deg=0.0)
    deep = group(78.0, 5.0)

    both = reading((shallow, []), (THEN, deep))

    assert verdicts(reading((NOW, deep)), both) == [ChangeKind.UNCHANGED]


def test_findings_and_priors_say_what_the_comparison_found() -> None:
    current = reading((NOW, HERE))
    known = PriorStudy("1.2.2", None, compared=False, reason=Reason.NO_COMPARISON)
    current = replace(current, priors=(known,), reasons=(Reason.NO_COMPARISON,))

    done = follow_up(current, compare_with_priors(current, [reading((THEN, []))]))

    assert done.images[0].shown_findings[0].change is Change.NEW
    assert done.priors == (PriorStudy("1.2.2", None, compared=True, reason=None),)
    assert Reason.NO_COMPARISON not in done.reasons
    assert encode_comparison(done.comparisons[0])["changes"][0]["verdict"] == "new"
    assert type(done.comparisons[0]) is StudyComparison  # without the images of registrations


def test_a_prior_that_cannot_be_compared_leaves_the_reason() -> None:
    current = reading((NOW, HERE))
    known = PriorStudy("1.2.2", None, compared=False, reason=Reason.NO_COMPARISON)
    current = replace(current, priors=(known,), reasons=(Reason.NO_COMPARISON,))
    refused = reading((THEN, []), status=ImageStatus.REFUSED)

    done = add_comparisons(current, compare_with_priors(current, [refused]))

    assert done.priors[0].reason is Reason.PRIOR_NOT_COMPARABLE
    assert done.reasons == (Reason.NO_COMPARISON,)
    assert done.images[0].shown_findings[0].change is None


def test_where_the_nearest_prior_does_not_show_the_place_the_next_one_is_asked() -> None:
    deep = group(78.0, 5.0)
    shallow = replace(THEN, nipple_mm=(62.0, 110.0), turn_deg=0.0)
    oldest = replace(THEN, study="1.2.1", date="20230105")

    now, priors = reading((NOW, deep)), [reading((shallow, [])), reading((oldest, deep))]
    done = follow_up(now, compare_with_priors(now, priors))

    assert done.images[0].shown_findings[0].change is Change.UNCHANGED


def test_what_an_older_prior_shows_is_not_new_against_the_one_between() -> None:
    oldest = replace(THEN, study="1.2.1", date="20230105")
    now, priors = reading((NOW, HERE)), [reading((THEN, [])), reading((oldest, HERE))]

    done = follow_up(now, compare_with_priors(now, priors))

    assert done.images[0].shown_findings[0].change is Change.UNCHANGED
    nearest, older = (comparison.changes[0] for comparison in done.comparisons)
    assert nearest.kind is ChangeKind.NOT_COMPARABLE
    assert nearest.why_not == "the prior of 2023-01-05 shows it, and this one's findings do not"
    assert older.kind is ChangeKind.UNCHANGED


def test_what_an_older_prior_shows_of_two_calcifications_leaves_the_rest_new() -> None:
    oldest = replace(THEN, study="1.2.1", date="20230105")
    now, priors = reading((NOW, HERE)), [reading((THEN, [])), reading((oldest, HERE[:2]))]

    done = follow_up(now, compare_with_priors(now, priors))

    assert done.images[0].shown_findings[0].change is Change.NEW
