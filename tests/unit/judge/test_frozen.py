"""The frozen record: exams made again agree with it, and a changed generator does not."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from secondread.codes import Laterality, Morphology
from secondread.judge.frozen import (
    GENERATOR,
    Entry,
    Fingerprint,
    fingerprint,
    read_record,
    spec_digest,
    write_record,
)
from secondread.judge.population import SEED, PlannedExam, exam_set
from secondread.simulate.exam import simulated_views
from secondread.simulate.lesions import LesionSpec
from secondread.simulate.spec import ExamSpec, Seeds
from secondread.simulate.vendors import VENDORS

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
    return fingerprint(next(iter(simulated_views(spec))))


@pytest.fixture(scope="module")
def small() -> Fingerprint:
    return _mark(SMALL)


def test_a_view_made_again_has_the_same_fingerprint(small: Fingerprint) -> None:
    assert small.differences(_mark(SMALL)) == ()


def test_one_grey_level_here_and_there_is_tolerated(small: Fingerprint) -> None:
    near = replace(small, grey=tuple(level + 1.0 for level in small.grey))
    assert small.differences(near) == ()
    far = replace(small, grey=tuple(level + 5.0 for level in small.grey))
    assert [text.split("[")[0] for text in small.differences(far)] == ["grey"] * 4


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
    assert any(text.startswith(what) for text in small.differences(_mark(changed)))


def test_a_change_of_the_generator_is_seen(
    small: Fingerprint, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = VENDORS["alpha"]
    finest, *others = vendor.processing.octave_gains
    sharper = replace(vendor.processing, octave_gains=(1.03 * finest, *others))
    monkeypatch.setitem(VENDORS, "alpha", replace(vendor, processing=sharper))
    assert small.differences(_mark(SMALL)) != ()


def test_a_record_is_read_as_it_was_written(small: Fingerprint, tmp_path: Path) -> None:
    exam = PlannedExam(7, SMALL, Morphology.ROUND)
    entry = Entry(exam.name, "LCC", spec_digest(SMALL), small)
    write_record(tmp_path / "record.csv", [entry], seed=3)
    record = read_record(tmp_path / "record.csv")
    assert (record.generator, record.seed, record.entries) == (GENERATOR, 3, (entry,))
    view = next(iter(simulated_views(SMALL)))
    assert record.differences(exam, view) == ()
    other = replace(exam, spec=replace(SMALL, paddle_edge=True))
    assert "specification" in record.differences(other, view)[0]
    assert record.differences(replace(exam, number=8), view) == ("not in the record",)


def test_a_digest_tells_specifications_apart_and_ignores_defaults() -> None:
    assert spec_digest(replace(SMALL, paddle_edge=False)) == spec_digest(SMALL)
    lesion = replace(SMALL.lesions[0], count=13)
    assert spec_digest(replace(SMALL, lesions=(lesion,))) != spec_digest(SMALL)
    assert spec_digest(replace(SMALL, vendor="zeta")) != spec_digest(SMALL)


def test_the_committed_record_is_of_these_exams() -> None:
    record = read_record()
    assert (record.generator, record.seed) == (GENERATOR, SEED)
    known = {(entry.exam, entry.view): entry.spec for entry in record.entries}
    made = {
        (exam.name, view): spec_digest(exam.spec)
        for exam in exam_set("full")
        for view in exam.spec.views
    }
    assert {place: made[place] for place in known} == known
    daily = {(exam.name, view) for exam in exam_set("daily") for view in exam.spec.views}
    assert daily <= set(known)


def test_a_view_of_the_daily_set_is_as_recorded() -> None:
    exam = next(one for one in exam_set("daily") if one.spec.vendor == "zeta" and one.has_cluster)
    label = exam.spec.views[0]
    view = next(iter(simulated_views(replace(exam.spec, views=(label,)))))
    assert read_record().differences(exam, view) == ()
