"""Which lesion a finding is: by its prior, by its place, and by its other view."""

from dataclasses import replace

from secondread.codes import View
from secondread.findings.changes import FindingRef
from secondread.findings.finding import StudyReading
from secondread.followup.comparison import compare_with_priors
from secondread.followup.follow_up import follow_up
from secondread.followup.lesion_identity import (
    TrackedFinding,
    add_lesions,
    assign_lesions,
    recognize_lesions,
)
from tests.unit.followup.breasts import Lie, group, reading

NOW = Lie()
LAST_YEAR = Lie(study="1.2.9", date="20250105", nipple_mm=(83.0, 113.0))
SPOTS, OTHERS = group(45.0, 20.0), group(45.0, -30.0, seed=1)


def mint(ref: FindingRef) -> str:
    return f"{ref.study_uid}/{ref.finding_id}"


def refs(done: StudyReading) -> list[FindingRef]:
    return [
        FindingRef(done.study_uid, image.mammogram.sop_instance_uid, finding.id)
        for image in done.images
        for finding in image.findings
    ]


def known(done: StudyReading, *lesions: str) -> tuple[TrackedFinding, ...]:
    (image,) = done.images
    return tuple(
        TrackedFinding(image.mammogram.sop_instance_uid, finding.outline, lesion)
        for finding, lesion in zip(image.findings, lesions, strict=True)
    )


def test_a_finding_is_recognized_by_its_place_whatever_it_is_called() -> None:
    done = reading((NOW, SPOTS + OTHERS))
    first, other = known(done, "A", "B")

    found = recognize_lesions([done], [(other, first)])

    assert [found[ref] for ref in refs(done)] == ["A", "B"]


def test_the_latest_reading_of_an_image_has_the_last_word() -> None:
    done = reading((NOW, SPOTS))

    found = recognize_lesions([done], [known(done, "later"), known(done, "earlier")])

    assert list(found.values()) == ["later"]


def compared(now: StudyReading, *priors: StudyReading) -> StudyReading:
    """Return a study that holds its comparisons, and nothing about its views."""
    return replace(now, comparisons=compare_with_priors(now, priors))


def test_another_place_and_another_image_are_not_recognized() -> None:
    done, elsewhere = reading((NOW, SPOTS)), reading((NOW, OTHERS))
    (far,) = known(elsewhere, "A")
    uid = done.images[0].mammogram.sop_instance_uid
    (same,) = known(done, "B")

    assert recognize_lesions([done], [(replace(far, sop_instance_uid=uid),)]) == {}
    assert recognize_lesions([done], [(replace(same, sop_instance_uid="1.9"),)]) == {}


def test_a_priors_lesion_outlives_the_name_that_the_study_gave_it_without_the_prior() -> None:
    now, then = reading((NOW, SPOTS)), reading((LAST_YEAR, SPOTS))
    names = {refs(now)[0]: "young", refs(then)[0]: "old"}

    found = assign_lesions(compared(now, then), names, mint)

    assert found == {refs(now)[0]: "old", refs(then)[0]: "old"}


def test_a_prior_that_nobody_named_gets_the_name_that_its_finding_has_today() -> None:
    now, then = reading((NOW, SPOTS)), reading((LAST_YEAR, SPOTS))

    found = assign_lesions(compared(now, then), {refs(now)[0]: "young"}, mint)

    assert found == {refs(now)[0]: "young", refs(then)[0]: "young"}


def test_what_two_priors_show_of_a_finding_is_one_lesion() -> None:
    now, then = reading((NOW, SPOTS)), reading((LAST_YEAR, SPOTS))
    before = reading((replace(LAST_YEAR, study="1.2.8", date="20230105"), SPOTS))

    found = assign_lesions(compared(now, then, before), {}, mint)

    assert set(found) == {refs(now)[0], refs(then)[0], refs(before)[0]}
    assert len(set(found.values())) == 1


def test_both_views_are_one_lesion_though_the_prior_has_it_in_both() -> None:
    lies = ((NOW, LAST_YEAR), (replace(NOW, view=View.MLO), replace(LAST_YEAR, view=View.MLO)))
    now = reading(*((lie, SPOTS) for lie, _ in lies))
    then = reading(*((other, SPOTS) for _, other in lies))
    followed = follow_up(now, compare_with_priors(now, [then]))

    assert len(followed.view_pairs) == 1
    assert len(set(assign_lesions(followed, {}, mint).values())) == 1


def test_views_that_were_two_lesions_in_earlier_reports_stay_two() -> None:
    lies = (NOW, replace(NOW, view=View.MLO))
    now = follow_up(reading(*((lie, SPOTS) for lie in lies)))
    names = dict(zip(refs(now), ("A", "B"), strict=True))

    assert assign_lesions(now, names, mint) == names
    (first, second) = refs(now)
    assert assign_lesions(now, {second: "B"}, mint) == {first: "B", second: "B"}


def test_what_the_study_does_not_show_any_more_has_a_lesion_too() -> None:
    now, then = reading((NOW, [])), reading((LAST_YEAR, SPOTS))

    found = assign_lesions(compared(now, then), {}, mint)

    assert found == {refs(then)[0]: "1.2.9/LCC-1"}


def test_findings_of_the_study_and_of_its_priors_are_told_their_lesion() -> None:
    now, then = reading((NOW, SPOTS)), reading((LAST_YEAR, SPOTS))
    names = {refs(now)[0]: "A", refs(then)[0]: "A"}

    done = add_lesions(replace(now, prior_readings=(then,)), names)

    assert [study.images[0].findings[0].lesion_uid for study in (done, *done.prior_readings)] == [
        "A",
        "A",
    ]
