"""The node's own reading compares with priors, keeps lesions apart over the years, and never
fails over a prior."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from secondread.assemble.mammogram import Mammogram, PatientKey
from secondread.codes import View
from secondread.detect.child import DetectorLimitError
from secondread.engine import Result
from secondread.errors import InputError, ModelError, TransientError
from secondread.findings.finding import StudyReading
from secondread.followup.constellation import Scores
from secondread.followup.timeline import LesionHistory
from secondread.reasons import Outcome, Reason
from secondread.track.prior_choice import FETCH_NOTHING
from secondread.track.states import StudyState
from secondread.track.values import ClaimedRevision, RecordedFinding
from secondread.workflow import prior_readings, record, revision_reader, steps
from secondread.workflow.inputs import gather_inputs, gather_priors
from secondread.workflow.order import run_reading
from secondread.workflow.revision_reader import RevisionReader
from secondread.workflow.steps import ReadingSteps
from tests.integration.test_workflow import CrashError, Desk, Points, run_at_once
from tests.unit.followup.breasts import Lie, Spot, detection, group
from tests.worlds.builders import header, view_sequence

LAST_YEAR = Lie(study="1.2.9", date="20250105", nipple_mm=(83.0, 113.0))
YEARS_AGO = Lie(study="1.2.8", date="20230105", nipple_mm=(86.0, 108.0))
NOW = Lie()
OLD, OTHER = group(45.0, 20.0), group(45.0, -30.0, seed=1)
PATIENT = PatientKey("P1", "HOSPITAL")


class Clinic(Desk):
    """A desk that exams of one woman come to."""

    def comes(self, lie: Lie, spots: list[Spot]) -> str:
        """Deliver one view, and settle what the detector finds in it."""
        ds = dataset(lie)
        uid = self.deliver(ds)
        self.answers[uid] = detection(lie, Mammogram.from_dataset(ds), spots)
        return uid

    def keeps(self, *lies: tuple[Lie, list[Spot]]) -> list[str]:
        """Have an exam come that is kept as a prior and not read."""
        uids = [self.comes(lie, spots) for lie, spots in lies]
        self.now += timedelta(seconds=300)
        reason, study = Reason.PRIOR_ONLY_BY_AGE, lies[0][0].study
        assert self.node.tracker.studies.hold_study(study, reason, self.now, FETCH_NOTHING)
        return uids

    def reads(self, lie: Lie, spots: list[Spot]) -> str:
        """Have one view come and read its study."""
        uid = self.comes(lie, spots)
        self.follow()
        return uid

    def follow(self) -> ClaimedRevision:
        """Read what is due."""
        claimed = self.claim()
        run_reading(self.steps, run_at_once, claimed.study_uid, claimed.number)
        return claimed

    def findings(self, study_uid: str = "1.2.3") -> list[RecordedFinding]:
        detail = self.node.tracker.study_queries.find_detail(study_uid)
        assert detail is not None
        return [finding for finding in detail.findings if finding.shown]

    def changes(self) -> list[str]:
        return sorted(str(finding.document["change"]) for finding in self.findings())

    def lesions(self, study_uid: str = "1.2.3") -> set[str]:
        found = {finding.tracking_uid for finding in self.findings(study_uid)}
        assert None not in found
        return {str(uid) for uid in found}

    def histories(self) -> tuple[LesionHistory, ...]:
        return tuple(h for h in self.node.tracker.lesions.list_for_patient(PATIENT) if h.was_shown)

    def reasons(self) -> tuple[Reason, ...]:
        return self.outcome()[2]


def dataset(lie: Lie) -> Dataset:
    return header(
        StudyInstanceUID=lie.study,
        SeriesInstanceUID=f"{lie.study}.1",
        StudyDate=lie.date,
        AcquisitionDate=lie.date,
        ImageLaterality="R" if lie.right else "L",
        ViewCodeSequence=view_sequence(lie.view),
        PatientOrientation=["A", "R" if lie.view is View.CC else "FR"],
        Rows=550,
        Columns=425,
        ImagerPixelSpacing=[lie.pitch_mm, lie.pitch_mm],
        Manufacturer=lie.manufacturer,
    )


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path)


def test_findings_say_what_became_of_them_since_the_prior(clinic: Clinic) -> None:
    clinic.keeps((LAST_YEAR, OLD))
    clinic.reads(NOW, OLD + OTHER)

    assert clinic.changes() == ["new", "unchanged"]
    assert Reason.NO_COMPARISON not in clinic.reasons()
    lines = [finding.document["line"] for finding in clinic.findings()]
    assert any(
        "NEW since 2025-01-05 (prior re-read, pixels not looked at)" in line for line in lines
    )


def test_only_the_views_of_a_prior_that_the_study_has_are_read(clinic: Clinic) -> None:
    oblique, right = replace(LAST_YEAR, view=View.MLO), replace(LAST_YEAR, right=True)
    uids = clinic.keeps((LAST_YEAR, OLD), (oblique, OLD), (right, OLD))
    own = clinic.reads(NOW, OLD)

    asked = [str(pydicom.dcmread(p, stop_before_pixels=True).SOPInstanceUID) for p in clinic.asked]
    assert asked == [own, uids[0]]


def test_a_prior_that_kills_the_detector_costs_the_comparison_and_not_the_reading(
    clinic: Clinic,
) -> None:
    (killer,) = clinic.keeps((LAST_YEAR, OLD))
    clinic.answers[killer] = DetectorLimitError(Reason.MEMORY_LIMIT, "3 GB")
    clinic.reads(NOW, OLD)

    assert clinic.outcome()[1] is Outcome.FINDINGS
    assert clinic.changes() == ["None"]
    assert Reason.NO_COMPARISON in clinic.reasons()
    assert len(clinic.asked) == 1 + 3
    told = str(clinic.sr(1).to_json())
    assert Reason.PRIOR_NOT_COMPARABLE.sentence in told


def test_a_comparison_that_breaks_costs_the_comparison_and_not_the_reading(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(prior_readings, "compare_with_priors", broken)
    clinic.keeps((LAST_YEAR, OLD))
    clinic.reads(NOW, OLD)

    assert clinic.outcome()[1] is Outcome.FINDINGS
    assert Reason.NO_COMPARISON in clinic.reasons()


@pytest.mark.parametrize(
    ("module", "place"),
    [(steps, "track_lesions"), (record, "store_crops"), (record, "compose_results")],
)
def test_whatever_breaks_over_a_prior_costs_the_comparison_and_not_the_reading(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, module: ModuleType, place: str
) -> None:
    whole: Callable[..., object] = getattr(module, place)

    def broken(*arguments: object) -> object:
        (reading,) = (one for one in arguments if isinstance(one, StudyReading))
        if reading.prior_readings:
            raise LookupError
        return whole(*arguments)

    monkeypatch.setattr(module, place, broken)
    clinic.keeps((LAST_YEAR, OLD))
    clinic.reads(NOW, OLD)

    assert clinic.outcome()[:2] == (StudyState.REPORTED, Outcome.FINDINGS)
    assert clinic.changes() == ["None"]
    assert Reason.PRIOR_NOT_COMPARABLE.sentence in str(clinic.sr(1).to_json())


def test_a_prior_whose_file_is_broken_is_done_without(clinic: Clinic) -> None:
    (broken,) = clinic.keeps((LAST_YEAR, OLD))
    detail = clinic.node.tracker.study_queries.find_detail(LAST_YEAR.study)
    assert detail is not None
    path = clinic.node.archive.resolve_path(detail.images[0].path)
    whole = path.read_bytes()
    # A value representation that there is none of, in the middle of the header.
    place = whole.index(b"\x08\x00\x20\x00DA")
    path.write_bytes(whole[: place + 4] + b"ZZ" + whole[place + 6 :])

    clinic.reads(NOW, OLD)

    assert broken
    assert clinic.outcome()[:2] == (StudyState.REPORTED, Outcome.FINDINGS)
    assert Reason.PRIOR_FILES_LOST.sentence in str(clinic.sr(1).to_json())


def test_a_prior_whose_file_goes_after_the_plan_is_done_without(clinic: Clinic) -> None:
    clinic.keeps((LAST_YEAR, OLD))
    clinic.comes(NOW, OLD)
    claimed = clinic.claim()

    def losing_it(name: str, step: Callable[..., Result], *arguments: object) -> Result:
        if name.startswith("detect prior"):
            tracker, archive = clinic.node.tracker, clinic.node.archive
            material = gather_inputs(tracker, archive, claimed.study_uid, claimed.number)
            for prior in gather_priors(tracker, archive, material).studies:
                for path in prior.paths.values():
                    path.unlink()
        return step(*arguments)

    run_reading(clinic.steps, losing_it, claimed.study_uid, claimed.number)

    assert clinic.outcome()[1] is Outcome.FINDINGS
    assert Reason.PRIOR_FILES_LOST.sentence in str(clinic.sr(1).to_json())


def test_a_prior_whose_file_cannot_be_read_is_not_waited_for(clinic: Clinic) -> None:
    (lost,) = clinic.keeps((LAST_YEAR, OLD))
    clinic.answers[lost] = TransientError("detector: input/output error")
    clinic.reads(NOW, OLD)

    assert clinic.outcome()[1] is Outcome.FINDINGS
    assert Reason.NO_COMPARISON in clinic.reasons()


def test_a_prior_that_kills_the_detector_when_its_lost_picture_is_made_again_is_done_without(
    clinic: Clinic,
) -> None:
    (killer,) = clinic.keeps((LAST_YEAR, OLD))
    clinic.comes(NOW, OLD)
    claimed = clinic.claim()
    clinic.steps.detect_prior(claimed.study_uid, claimed.number, killer)
    for picture in clinic.tools.work_dir.rglob("*.npy"):
        picture.unlink()
    clinic.answers[killer] = DetectorLimitError(Reason.TIME_LIMIT, "60 s")

    clinic.steps.record(claimed.study_uid, claimed.number, [])

    assert clinic.outcome()[1] is Outcome.FINDINGS
    assert Reason.NO_COMPARISON in clinic.reasons()


def test_a_crash_before_recording_reads_no_prior_twice(clinic: Clinic) -> None:
    clinic.keeps((LAST_YEAR, OLD))
    clinic.comes(NOW, OLD)
    claimed = clinic.claim()

    def crashing(name: str, step: Callable[..., Result], *arguments: object) -> Result:
        if name == "record":
            raise CrashError
        return step(*arguments)

    with pytest.raises(CrashError):
        run_reading(clinic.steps, crashing, claimed.study_uid, claimed.number)
    assert len(clinic.asked) == 2
    clinic.steps.record(claimed.study_uid, claimed.number, [])

    assert len(clinic.asked) == 2
    assert clinic.changes() == ["unchanged"]


def asked(clinic: Clinic) -> list[str]:
    """Return the images that the detector was asked about, in that order."""
    headers = (pydicom.dcmread(path, stop_before_pixels=True) for path in clinic.asked)
    return [str(ds.SOPInstanceUID) for ds in headers]


def test_a_second_revision_has_no_prior_read_again(clinic: Clinic) -> None:
    (prior,) = clinic.keeps((LAST_YEAR, OLD))
    own = clinic.reads(NOW, OLD)
    first = [finding.document for finding in clinic.findings()]

    late = clinic.reads(replace(NOW, view=View.MLO), OLD)

    assert asked(clinic) == [own, prior, own, late]
    assert clinic.changes() == ["None", "unchanged"]  # the late view has no prior
    (compared,) = [f for f in clinic.findings() if f.sop_instance_uid == own]
    (before,) = first
    keys = ("change", "calcifications", "outline", "line")
    assert [compared.document[key] for key in keys] == [before[key] for key in keys]


def test_what_was_read_as_a_study_is_not_read_again_as_a_prior(clinic: Clinic) -> None:
    then = clinic.reads(LAST_YEAR, OLD)
    own = clinic.reads(NOW, OLD + OTHER)

    assert asked(clinic) == [then, own]
    assert clinic.changes() == ["new", "unchanged"]
    lines = [str(finding.document["line"]) for finding in clinic.findings()]
    assert any("(prior re-read)" in line for line in lines)


@pytest.mark.parametrize("other", ["model", "settings", "file", "lost answer", "broken answer"])
def test_what_differs_has_the_prior_read_again(clinic: Clinic, other: str) -> None:
    (prior,) = clinic.keeps((LAST_YEAR, OLD))
    own = clinic.reads(NOW, OLD)
    reader = clinic.tools.reader
    if other == "model":
        changed = replace(reader, model=replace(reader.model, digest="1" * 64))
        clinic.steps = ReadingSteps(replace(clinic.tools, reader=changed))
    elif other == "settings":
        clinic.steps = ReadingSteps(replace(clinic.tools, settings_digest="1" * 64))
    elif other == "file":
        again = dataset(LAST_YEAR)
        again.SOPInstanceUID, again.StationName = prior, "OTHER"
        clinic.deliver(again)
    else:
        for path in clinic.node.archive.root.glob("answers/**/*.json"):
            path.write_text("{") if other.startswith("broken") else path.unlink()

    late = clinic.reads(replace(NOW, view=View.MLO), OLD)

    assert asked(clinic) == [own, prior, own, late, prior]


def test_a_lost_work_folder_costs_no_comparison(clinic: Clinic) -> None:
    clinic.keeps((LAST_YEAR, OLD))
    clinic.comes(NOW, OLD)
    claimed = clinic.claim()
    for uid in clinic.steps.plan_priors(claimed.study_uid, claimed.number):
        clinic.steps.detect_prior(claimed.study_uid, claimed.number, uid)
    shutil.rmtree(clinic.tools.work_dir)

    clinic.steps.record(claimed.study_uid, claimed.number, [])

    assert clinic.changes() == ["unchanged"]


def test_a_prior_that_comes_late_makes_a_revision_that_compares_and_names_the_first(
    clinic: Clinic,
) -> None:
    clinic.reads(NOW, OLD + OTHER)
    assert clinic.changes() == ["None", "None"]
    first = clinic.lesions()

    clinic.keeps((LAST_YEAR, OLD))
    claimed = clinic.follow()

    assert (claimed.number, claimed.cause.value) == (2, "late-prior")
    assert clinic.changes() == ["new", "unchanged"]
    assert clinic.lesions() == first
    replaced = clinic.sr(2).PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    (told,) = replaced.ReferencedSOPSequence
    assert told.ReferencedSOPInstanceUID == clinic.sr(1).SOPInstanceUID


def test_a_lesion_has_one_identifier_over_the_years_and_a_timeline(clinic: Clinic) -> None:
    clinic.keeps((YEARS_AGO, OLD[:5]))
    clinic.reads(LAST_YEAR, OLD)
    clinic.reads(NOW, [*OLD, *group(45.0, 20.0, 6, seed=3), *OTHER])

    (last,) = clinic.lesions(LAST_YEAR.study)
    assert last in clinic.lesions()
    history = next(one for one in clinic.histories() if one.lesion == last)
    seen = [(str(one.study_date), one.calcifications) for one in history.sightings]
    assert seen == [("2023-01-05", 5), ("2025-01-05", 8), ("2026-01-05", 14)]
    (new,) = [one for one in clinic.histories() if one.lesion != last]
    assert [str(one.study_date) for one in new.sightings] == ["2026-01-05"]


def test_what_the_prior_showed_and_the_study_does_not_is_gone_in_its_timeline(
    clinic: Clinic,
) -> None:
    clinic.keeps((LAST_YEAR, OLD))
    clinic.reads(NOW, [])

    (history,) = clinic.histories()
    assert [str(one.study_date) for one in history.sightings] == ["2025-01-05"]
    assert [(one.study_uid, one.word) for one in history.absences] == [("1.2.3", "gone")]


def test_a_new_model_that_names_findings_otherwise_keeps_their_lesions(clinic: Clinic) -> None:
    uid = clinic.reads(NOW, OLD)
    (before,) = clinic.lesions()
    # The other group is surer now, so that it is the first of the image and the old one second.
    old = clinic.answers[uid]
    assert not isinstance(old, Exception)
    unsure = tuple(replace(mark, score=0.6) for mark in old.marks)
    fresh = detection(NOW, Mammogram.from_dataset(replace_uid(uid)), OTHER)
    clinic.answers[uid] = replace(fresh, marks=(*unsure, *fresh.marks))
    clinic.node.tracker.studies.request_reading("1.2.3", "somebody", clinic.now)
    clinic.follow()

    by_name = {finding.finding_id: finding.tracking_uid for finding in clinic.findings()}
    assert by_name["LCC-2"] == before
    assert by_name["LCC-1"] != before


def replace_uid(uid: str) -> Dataset:
    ds = dataset(NOW)
    ds.SOPInstanceUID = uid
    return ds


def test_pictures_of_lesions_are_kept_of_the_study_and_of_its_priors(clinic: Clinic) -> None:
    clinic.keeps((LAST_YEAR, OLD))
    clinic.reads(NOW, OLD)

    (history,) = clinic.histories()
    assert len(history.sightings) == 2
    for one in history.sightings:
        assert one.crop is not None
        with Image.open(clinic.node.archive.resolve_path(one.crop)) as picture:
            assert picture.width == picture.height
            assert float(picture.info["across_mm"]) >= 20


def test_the_radiologists_category_stands_in_the_timeline(clinic: Clinic) -> None:
    clinic.reads(NOW, OLD)
    lesions = clinic.node.tracker.lesions
    for category in ("2", "4B"):
        lesions.record_assessment("1.2.3", "L", category, clinic.now, "someone")
    lesions.record_assessment("1.2.3", "R", "1", clinic.now, "someone")

    (history,) = clinic.histories()
    assert dict(history.categories) == {"1.2.3": "4B"}


def shows(*spots: Spot, lie: Lie = LAST_YEAR) -> Callable[[Points], Scores]:
    """Return a prior's pixels that are bright at these places of the breast."""
    at = [lie.at(*spot) for spot in spots]

    def scores(points: Points) -> Scores:
        return [
            0.9 if any(lie.spacing.distance_mm(one, point) < 0.45 for one in at) else 0.02
            for point in points
        ]

    return scores


def lines(clinic: Clinic) -> list[str]:
    return [str(finding.document["line"]) for finding in clinic.findings()]


def test_what_the_priors_pixels_show_faintly_is_not_new(clinic: Clinic) -> None:
    (prior,) = clinic.keeps((LAST_YEAR, OLD))
    clinic.scores = shows(*OTHER)
    clinic.reads(NOW, OLD + OTHER)

    assert clinic.changes() == ["more", "unchanged"]
    (told,) = [line for line in lines(clinic) if "faintly" in line]
    assert "increased in number since 2025-01-05 (prior re-read, seen faintly)" in told
    assert "seen faintly at a second look at the prior's pixels" in str(clinic.sr(1).to_json())
    assert [pydicom.dcmread(path).SOPInstanceUID for path in clinic.looked] == [prior]
    # It has no finding of the prior, and so a lesion of its own.
    assert len(clinic.lesions()) == 2
    (once,) = [one for one in clinic.histories() if len(one.sightings) == 1]
    assert [one.change for one in once.sightings] == ["increased in number"]


def test_what_the_priors_pixels_do_not_show_is_new_and_was_looked_for(clinic: Clinic) -> None:
    clinic.keeps((LAST_YEAR, OLD))
    clinic.scores = shows()
    clinic.reads(NOW, OLD + OTHER)

    assert clinic.changes() == ["new", "unchanged"]
    word = "NEW since 2025-01-05 (prior re-read, not in its pixels either)"
    assert any(word in line for line in lines(clinic))


@pytest.mark.parametrize(
    "error",
    [
        DetectorLimitError(Reason.TIME_LIMIT, "60 s"),
        TransientError("detector: FileNotFoundError"),
        InputError("broken"),
    ],
    ids=["too slow", "gone", "broken"],
)
def test_a_look_that_cannot_be_had_costs_the_look_and_not_the_comparison(
    clinic: Clinic, error: Exception
) -> None:
    def failing(_: Points) -> Scores:
        raise error

    clinic.keeps((LAST_YEAR, OLD))
    clinic.scores = failing
    clinic.reads(NOW, OLD + OTHER)

    assert clinic.outcome()[1] is Outcome.FINDINGS
    assert clinic.changes() == ["new", "unchanged"]
    assert len(clinic.looked) == 1
    assert any("(prior re-read, pixels not looked at)" in line for line in lines(clinic))


@pytest.mark.parametrize("error", [ZeroDivisionError(), ModelError("x")], ids=["bug", "model"])
def test_a_look_that_breaks_costs_the_look_and_not_the_comparison(
    clinic: Clinic, error: Exception
) -> None:
    def broken(_: Points) -> Scores:
        raise error

    clinic.keeps((LAST_YEAR, OLD))
    clinic.scores = broken
    clinic.reads(NOW, OLD + OTHER)

    assert clinic.changes() == ["new", "unchanged"]
    assert any("(prior re-read, pixels not looked at)" in line for line in lines(clinic))
    assert "the look broke" in str(clinic.sr(1).to_json())


@pytest.mark.parametrize(
    ("place", "name"),
    [(RevisionReader, "read_priors"), (revision_reader, "read_reported_priors")],
)
def test_what_breaks_over_a_prior_before_the_look_costs_no_reading(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, place: object, name: str
) -> None:
    def broken(*_: object) -> None:
        raise LookupError

    monkeypatch.setattr(place, name, broken)
    clinic.keeps((LAST_YEAR, OLD))
    clinic.reads(NOW, OLD)

    assert clinic.outcome()[1] is Outcome.FINDINGS


def test_a_remembered_look_holds_for_the_finding_that_it_was_at_and_for_no_other(
    clinic: Clinic,
) -> None:
    clinic.keeps((LAST_YEAR, OLD))
    current = clinic.comes(NOW, OLD + OTHER)
    clinic.scores = shows(*OTHER)
    claimed = clinic.claim()
    looks = clinic.steps.recheck_priors(claimed.study_uid, claimed.number)
    # Another worker takes over, whose model finds something else where names go by place.
    shutil.rmtree(clinic.tools.work_dir)
    elsewhere = group(20.0, 5.0, seed=2)
    header = Mammogram.from_dataset(replace_uid(current))
    clinic.answers[current] = detection(NOW, header, OLD + elsewhere)

    clinic.steps.record(claimed.study_uid, claimed.number, looks)

    assert clinic.changes() == ["new", "unchanged"]
    assert "what was looked at is another finding" in str(clinic.sr(1).to_json())


def test_what_was_seen_is_remembered_as_a_step_and_not_looked_for_again(clinic: Clinic) -> None:
    clinic.keeps((LAST_YEAR, OLD))
    clinic.comes(NOW, OLD + OTHER)
    clinic.scores = shows(*OTHER)
    claimed = clinic.claim()
    remembered: dict[str, str] = {}

    def durable(name: str, step: Callable[..., Result], *arguments: object) -> Result:
        """Remember what a step returned, as the engine does."""
        if name not in remembered:
            remembered[name] = json.dumps(step(*arguments))
        found: Result = json.loads(remembered[name])
        return found

    def crashing(name: str, step: Callable[..., Result], *arguments: object) -> Result:
        if name == "record":
            raise CrashError
        return durable(name, step, *arguments)

    with pytest.raises(CrashError):
        run_reading(clinic.steps, crashing, claimed.study_uid, claimed.number)
    clinic.scores = shows()
    run_reading(clinic.steps, durable, claimed.study_uid, claimed.number)

    assert clinic.changes() == ["more", "unchanged"]
    assert len(clinic.looked) == 1
    assert len(remembered["recheck priors"]) < 2000


def test_a_study_without_priors_is_not_looked_at_again(clinic: Clinic) -> None:
    clinic.reads(NOW, OLD)

    assert clinic.looked == []
