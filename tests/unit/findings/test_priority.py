"""Priority: the one order of findings, and its name for a lesion in all views."""

from dataclasses import replace

from secondread.codes import Distribution, Morphology, View
from secondread.findings.finding import Finding
from secondread.findings.priority import compute_priority
from secondread.findings.suspicion import compute_suspicion
from secondread.followup.lesion_numbers import number_lesions
from tests.conftest import ROOT
from tests.unit.followup.breasts import Lie, group, reading

CC, MLO = Lie(view=View.CC), Lie(view=View.MLO)
HERE, THERE = group(45.0, 20.0, 8), group(20.0, -40.0, 6, seed=3)


def rate(finding: Finding, certainty: float, suspicion: float | None) -> Finding:
    return replace(finding, certainty=certainty, suspicion=suspicion)


def test_a_sure_plain_cluster_comes_before_a_doubtful_suspicious_fold() -> None:
    study = reading((CC, HERE + THERE))
    first, second = study.images[0].findings
    fold, plain = rate(first, 28.0, 59.0), rate(second, 99.0, 31.6)
    image = replace(study.images[0], findings=(fold, plain))

    numbered = number_lesions(replace(study, images=(image,)))

    assert [(f.id, f.certainty) for f in numbered.images[0].findings] == [
        ("LCC-1", 99.0),
        ("LCC-2", 28.0),
    ]
    assert numbered.priority == compute_priority(99.0, 31.6) == 31.3


def test_a_shown_finding_comes_before_one_of_higher_priority_that_is_not() -> None:
    study = reading((CC, HERE + THERE))
    first, second = study.images[0].findings
    hidden = replace(rate(first, 20.0, 80.0), shown=False)
    image = replace(
        study.images[0], findings=(hidden, replace(rate(second, 90.0, 2.0), shown=True))
    )

    numbered = number_lesions(replace(study, images=(image,)))

    assert [finding.shown for finding in numbered.images[0].findings] == [True, False]
    assert [finding.certainty for _, finding in numbered.list_shown()] == [90.0]


def test_a_lesion_has_one_number_and_one_priority_in_both_views() -> None:
    study = reading((CC, HERE + THERE), (MLO, HERE))
    paired = next(f for f in study.images[0].findings if len(f.members) == 8)
    images = tuple(
        replace(
            image,
            findings=tuple(
                rate(f, 90.0, (20.0, 60.0)[number] if len(f.members) == 8 else 40.0)
                for f in image.findings
            ),
        )
        for number, image in enumerate(study.images)
    )

    numbered = number_lesions(replace(study, images=images))

    # By its own numbers the lesion would come second in CC; its other view is of higher priority.
    assert paired.id in {"LCC-1", "LCC-2"}
    assert [f.id for f in numbered.images[0].findings] == ["LCC-1", "LCC-2"]
    assert [len(f.members) for f in numbered.images[0].findings] == [8, 6]
    assert [f.id for f in numbered.images[1].findings] == ["LMLO-1"]
    assert {f.priority for image in numbered.images for f in image.findings[:1]} == {54.0}
    assert [(pair.cc.finding_id, pair.mlo.finding_id) for pair in numbered.view_pairs] == [
        ("LCC-1", "LMLO-1")
    ]


def test_a_number_of_one_view_is_missing_in_the_other() -> None:
    numbered = reading((CC, HERE), (MLO, HERE + THERE))

    numbers = [[finding.number for finding in image.findings] for image in numbered.images]
    assert sorted(numbers[1]) == ["1", "2"]
    assert len(numbered.view_pairs) == 1
    assert numbers[0] == [numbered.view_pairs[0].mlo.finding_id.rsplit("-", 1)[-1]]


def test_numbering_twice_changes_nothing() -> None:
    numbered = reading((CC, HERE + THERE), (MLO, HERE))

    assert number_lesions(numbered) == numbered


def test_without_types_certainty_orders() -> None:
    study = reading((CC, HERE + THERE))
    first, second = study.images[0].findings
    image = replace(study.images[0], findings=(rate(first, 40.0, None), rate(second, 70.0, None)))

    numbered = number_lesions(replace(study, images=(image,)))

    assert [finding.certainty for finding in numbered.images[0].findings] == [70.0, 40.0]
    assert numbered.priority is None


def test_the_worked_example_of_the_page_is_what_the_code_computes() -> None:
    page = (ROOT / "service" / "docs" / "priority.md").read_text(encoding="utf-8")
    grouped = ((Distribution.GROUPED, 1.0),)
    unsure = (Morphology.PUNCTATE, 0.44), (Morphology.FINE_PLEOMORPHIC, 0.43)
    for certainty, types in (
        (99.0, (*unsure, (Morphology.AMORPHOUS, 0.13))),
        (28.0, ((Morphology.FINE_LINEAR_BRANCHING, 0.7), (Morphology.ROUND, 0.3))),
        (98.0, ((Morphology.AMORPHOUS, 1.0),)),
    ):
        suspicion = compute_suspicion(types, grouped)
        priority = compute_priority(certainty, suspicion)
        assert f"{certainty / 100:.2f} x {suspicion} = **{priority}**" in page
