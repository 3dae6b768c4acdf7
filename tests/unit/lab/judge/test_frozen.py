"""The frozen record: exams made again agree with it, and a changed generator does not."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from secondread.codes import Laterality, Morphology
from secondread_lab.judge.frozen import (
    GENERATOR,
    Fingerprint,
    RecordedView,
    digest_spec,
    read_record,
    take_fingerprint,
    write_record,
)
from secondread_lab.judge.population import SEED, PlannedExam, plan_exams
from secondread_lab.simulate.exam import simulate_views
from secondread_lab.simulate.lesion_history import LesionSpec
from secondread_lab.simulate.spec import ExamSpec, Seeds
from secondread_lab.simulate.vendors import VENDORS

SMALL = ExamSpec(
    date(2026, 6, 1),
    Seeds(3, 4, 5),
    prior_years=None,
    lesions=(LesionSpec("one", Laterality.LEFT, Morphology.ROUND, diameter_mm=(0.5, 0.8)),),
    density="b",
    size=0.7,
    pitch_mm=0.25,
    views=("LCC",),
)


def _mark(spec: ExamSpec) -> Fingerprint:
    return take_fingerprint(next(iter(simulate_views(spec))))


@pytest.fixture(scope="module")
def small() -> Fingerprint:
    return _mark(SMALL)


def test_a_view_made_again_has_the_same_fingerprint(small: Fingerprint) -> None:
    assert small.list_differences(_mark(SMALL)) == ()


def test_one_grey_level_here_and_there_is_tolerated(small: Fingerprint) -> None:
    near = replace(small, grey=tuple(level + 1.0 for level in small.grey))
    assert small.list_differences(near) == ()
    far = replace(small, grey=tuple(level + 5.0 for level in small.grey))
    assert [text.split("[")[0] for text in small.list_differences(far)] == ["grey"] * 4


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        (replace(SMALL, seeds=Seeds(3, 4, 6)), "centre"),
        (replace(SMALL, seeds=Seeds(3, 9, 5)), "centre"),
        (replace(SMALL, noise=False), "detail"),
        (replace(SMALL, lesions=()), "counts"),
        (replace(SMALL, lesions=(replace(SMALL.lesions[0], mineral=1.1),)), "cnr"),
    ],
)
def test_a_changed_exam_is_seen(small: Fingerprint, changed: ExamSpec, what: str) -> None:
    assert any(text.startswith(what) for text in small.list_differences(_mark(changed)))


def test_a_change_of_the_generator_is_seen(
    small: Fingerprint, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = VENDORS["alpha"]
    finest, *others = vendor.processing.octave_gains
    sharper = replace(vendor.processing, octave_gains=(1.03 * finest, *others))
    monkeypatch.setitem(VENDORS, "alpha", replace(vendor, processing=sharper))
    assert small.list_differences(_mark(SMALL)) != ()


def test_a_record_is_read_as_it_was_written(small: Fingerprint, tmp_path: Path) -> None:
    exam = PlannedExam(7, SMALL, Morphology.ROUND)
    entry = RecordedView(exam.name, "LCC", digest_spec(SMALL), small)
    write_record(tmp_path / "record.csv", [entry], seed=3)
    record = read_record(tmp_path / "record.csv")
    assert (record.generator, record.seed, record.views) == (GENERATOR, 3, (entry,))
    view = next(iter(simulate_views(SMALL)))
    assert record.list_differences(exam, view) == ()
    other = replace(exam, spec=replace(SMALL, paddle_edge=True))
    assert "specification" in record.list_differences(other, view)[0]
    assert record.list_differences(replace(exam, number=8), view) == ("not in the record",)


def test_a_digest_tells_specifications_apart_and_ignores_defaults() -> None:
    assert digest_spec(replace(SMALL, paddle_edge=False)) == digest_spec(SMALL)
    lesion = replace(SMALL.lesions[0], count=13)
    assert digest_spec(replace(SMALL, lesions=(lesion,))) != digest_spec(SMALL)
    assert digest_spec(replace(SMALL, vendor="zeta")) != digest_spec(SMALL)


def test_the_committed_record_is_of_these_exams() -> None:
    record = read_record()
    assert (record.generator, record.seed) == (GENERATOR, SEED)
    recorded = {(entry.exam, entry.view): entry.spec for entry in record.views}
    made = {
        (exam.name, view): digest_spec(exam.spec)
        for exam in plan_exams("full")
        for view in exam.spec.views
    }
    assert {place: made[place] for place in recorded} == recorded
    daily = {(exam.name, view) for exam in plan_exams("daily") for view in exam.spec.views}
    assert daily <= set(recorded)


def test_a_view_of_the_daily_set_is_as_recorded() -> None:
    exam = next(one for one in plan_exams("daily") if one.spec.vendor == "zeta" and one.has_cluster)
    label = exam.spec.views[0]
    view = next(iter(simulate_views(replace(exam.spec, views=(label,)))))
    assert read_record().list_differences(exam, view) == ()
