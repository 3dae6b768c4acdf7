"""The node's own reading compares with priors, keeps lesions apart over the years, and never
fails over a prior."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from secondread.assemble.mammogram import Mammogram
from secondread.codes import View
from secondread.detect.child import DetectorLimitError, DetectorStartError
from secondread.engine import Result
from secondread.errors import InputError, ModelError, StorageFullError, TransientError
from secondread.findings.finding import StudyReading
from secondread.followup.constellation import Scores
from secondread.reasons import Outcome, Reason
from secondread.track.states import StudyState
from secondread.workflow import record, revision_reader, steps
from secondread.workflow.inputs import gather_inputs, gather_priors
from secondread.workflow.order import run_reading
from secondread.workflow.revision_reader import RevisionReader
from secondread.workflow.steps import ReadingSteps
from tests.unit.followup.breasts import Lie, Spot, detection, group
from tests.worlds.node_world import (
    LAST_YEAR,
    NOW,
    OLD,
    OTHER,
    YEARS_AGO,
    CrashError,
    PatientWorld,
    Points,
    make_dataset,
    run_step,
)


@pytest.fixture
def world(tmp_path: Path) -> PatientWorld:
    return PatientWorld(tmp_path)


def test_findings_say_what_became_of_them_since_the_prior(world: PatientWorld) -> None:
    world.hold_prior((LAST_YEAR, OLD))
    world.read_view(NOW, OLD + OTHER)

    assert world.list_changes() == ["new", "unchanged"]
    assert Reason.NO_COMPARISON not in world.list_reasons()
    lines = [finding.document["line"] for finding in world.list_findings()]
    assert any(
        "NEW since 2025-01-05 (prior re-read, pixels not looked at)" in line for line in lines
    )


def test_only_the_views_of_a_prior_that_the_study_has_are_read(world: PatientWorld) -> None:
    oblique, right = replace(LAST_YEAR, view=View.MLO), replace(LAST_YEAR, right=True)
    uids = world.hold_prior((LAST_YEAR, OLD), (oblique, OLD), (right, OLD))
    own = world.read_view(NOW, OLD)

    asked = [
        str(pydicom.dcmread(p, stop_before_pixels=True).SOPInstanceUID)
        for p in world.detected_paths
    ]
    assert asked == [own, uids[0]]


def test_a_prior_that_kills_the_detector_costs_the_comparison_and_not_the_reading(
    world: PatientWorld,
) -> None:
    (killer,) = world.hold_prior((LAST_YEAR, OLD))
    world.answers[killer] = DetectorLimitError(Reason.MEMORY_LIMIT, "3 GB")
    world.read_view(NOW, OLD)

    assert world.get_outcome()[1] is Outcome.FINDINGS
    assert world.list_changes() == ["None"]
    assert Reason.NO_COMPARISON in world.list_reasons()
    assert len(world.detected_paths) == 1 + 3
    told = str(world.read_cad_sr(1).to_json())
    assert Reason.PRIOR_NOT_COMPARABLE.sentence in told


def test_a_comparison_that_breaks_costs_the_comparison_and_not_the_reading(
    world: PatientWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(world.steps, "_compare", broken)
    world.hold_prior((LAST_YEAR, OLD))
    world.read_view(NOW, OLD)

    assert world.get_outcome()[1] is Outcome.FINDINGS
    assert Reason.NO_COMPARISON in world.list_reasons()


@pytest.mark.parametrize(
    ("module", "place"),
    [(steps, "track_lesions"), (record, "store_crops"), (record, "compose_results")],
)
def test_whatever_breaks_over_a_prior_costs_the_comparison_and_not_the_reading(
    world: PatientWorld, monkeypatch: pytest.MonkeyPatch, module: ModuleType, place: str
) -> None:
    whole: Callable[..., object] = getattr(module, place)

    def broken(*arguments: object) -> object:
        (reading,) = (argument for argument in arguments if isinstance(argument, StudyReading))
        if reading.prior_readings:
            raise LookupError
        return whole(*arguments)

    monkeypatch.setattr(module, place, broken)
    world.hold_prior((LAST_YEAR, OLD))
    world.read_view(NOW, OLD)

    assert world.get_outcome()[:2] == (StudyState.REPORTED, Outcome.FINDINGS)
    assert world.list_changes() == ["None"]
    assert Reason.PRIOR_NOT_COMPARABLE.sentence in str(world.read_cad_sr(1).to_json())


def test_a_prior_whose_file_is_broken_is_done_without(world: PatientWorld) -> None:
    (broken,) = world.hold_prior((LAST_YEAR, OLD))
    detail = world.node.tracker.study_queries.find_detail(LAST_YEAR.study)
    assert detail is not None
    path = world.node.archive.resolve_path(detail.images[0].path)
    whole = path.read_bytes()
    # It ends in the middle of the header.
    path.write_bytes(whole[: whole.index(b"\x08\x00\x20\x00DA") + 10])

    world.read_view(NOW, OLD)

    assert broken
    assert world.get_outcome()[:2] == (StudyState.REPORTED, Outcome.FINDINGS)
    assert Reason.PRIOR_FILES_LOST.sentence in str(world.read_cad_sr(1).to_json())


def test_a_prior_whose_file_goes_after_the_plan_is_done_without(world: PatientWorld) -> None:
    world.hold_prior((LAST_YEAR, OLD))
    world.deliver_view(NOW, OLD)
    claimed = world.claim()

    def losing_it(name: str, step: Callable[..., Result], *arguments: object) -> Result:
        if name.startswith("detect prior"):
            tracker, archive = world.node.tracker, world.node.archive
            material = gather_inputs(tracker, archive, claimed.study_uid, claimed.number)
            for prior in gather_priors(tracker, archive, material).studies:
                for path in prior.paths.values():
                    path.unlink()
        return step(*arguments)

    run_reading(world.steps, losing_it, claimed.study_uid, claimed.number)

    assert world.get_outcome()[1] is Outcome.FINDINGS
    assert Reason.PRIOR_FILES_LOST.sentence in str(world.read_cad_sr(1).to_json())


def test_a_prior_whose_file_cannot_be_read_is_not_waited_for(world: PatientWorld) -> None:
    (lost,) = world.hold_prior((LAST_YEAR, OLD))
    world.answers[lost] = TransientError("detector: input/output error")
    world.read_view(NOW, OLD)

    assert world.get_outcome()[1] is Outcome.FINDINGS
    assert Reason.NO_COMPARISON in world.list_reasons()


@pytest.mark.parametrize("outage", [StorageFullError("disk"), DetectorStartError("slow")])
def test_an_outage_costs_no_prior(world: PatientWorld, outage: TransientError) -> None:
    (prior,) = world.hold_prior((LAST_YEAR, OLD))
    answer = world.answers[prior]
    world.answers[prior] = outage
    world.deliver_view(NOW, OLD)
    claimed = world.claim()
    with pytest.raises(type(outage)):
        run_reading(world.steps, run_step, claimed.study_uid, claimed.number)

    world.answers[prior] = answer
    run_reading(world.steps, run_step, claimed.study_uid, claimed.number)

    assert world.list_changes() != ["None"]


def test_a_prior_that_kills_the_detector_when_its_lost_picture_is_made_again_is_done_without(
    world: PatientWorld,
) -> None:
    (killer,) = world.hold_prior((LAST_YEAR, OLD))
    world.deliver_view(NOW, OLD)
    claimed = world.claim()
    world.steps.detect_prior(claimed.study_uid, claimed.number, killer)
    for picture in world.tools.work_dir.rglob("*.npy"):
        picture.unlink()
    world.answers[killer] = DetectorLimitError(Reason.TIME_LIMIT, "60 s")

    world.steps.record(claimed.study_uid, claimed.number, [])

    assert world.get_outcome()[1] is Outcome.FINDINGS
    assert Reason.NO_COMPARISON in world.list_reasons()


def test_a_crash_before_recording_reads_no_prior_twice(world: PatientWorld) -> None:
    world.hold_prior((LAST_YEAR, OLD))
    world.deliver_view(NOW, OLD)
    claimed = world.claim()

    def crashing(name: str, step: Callable[..., Result], *arguments: object) -> Result:
        if name == "record":
            raise CrashError
        return step(*arguments)

    with pytest.raises(CrashError):
        run_reading(world.steps, crashing, claimed.study_uid, claimed.number)
    assert len(world.detected_paths) == 2
    world.steps.record(claimed.study_uid, claimed.number, [])

    assert len(world.detected_paths) == 2
    assert world.list_changes() == ["unchanged"]


def asked(world: PatientWorld) -> list[str]:
    """Return the images that the detector was asked about, in that order."""
    headers = (pydicom.dcmread(path, stop_before_pixels=True) for path in world.detected_paths)
    return [str(ds.SOPInstanceUID) for ds in headers]


def test_a_second_revision_has_no_prior_read_again(world: PatientWorld) -> None:
    (prior,) = world.hold_prior((LAST_YEAR, OLD))
    own = world.read_view(NOW, OLD)
    first = [finding.document for finding in world.list_findings()]

    late = world.read_view(replace(NOW, view=View.MLO), OLD)

    assert asked(world) == [own, prior, own, late]
    assert world.list_changes() == ["None", "unchanged"]  # the late view has no prior
    (compared,) = [f for f in world.list_findings() if f.sop_instance_uid == own]
    (before,) = first
    keys = ("change", "calcifications", "outline", "line")
    assert [compared.document[key] for key in keys] == [before[key] for key in keys]


def test_what_was_read_as_a_study_is_not_read_again_as_a_prior(world: PatientWorld) -> None:
    then = world.read_view(LAST_YEAR, OLD)
    own = world.read_view(NOW, OLD + OTHER)

    assert asked(world) == [then, own]
    assert world.list_changes() == ["new", "unchanged"]
    lines = [str(finding.document["line"]) for finding in world.list_findings()]
    assert any("(prior re-read)" in line for line in lines)


@pytest.mark.parametrize("other", ["model", "settings", "file", "lost answer", "broken answer"])
def test_what_differs_has_the_prior_read_again(world: PatientWorld, other: str) -> None:
    (prior,) = world.hold_prior((LAST_YEAR, OLD))
    own = world.read_view(NOW, OLD)
    reader = world.tools.reader
    if other == "model":
        changed = replace(reader, model=replace(reader.model, digest="1" * 64))
        world.steps = ReadingSteps(replace(world.tools, reader=changed))
    elif other == "settings":
        world.steps = ReadingSteps(replace(world.tools, settings_digest="1" * 64))
    elif other == "file":
        again = make_dataset(LAST_YEAR)
        again.SOPInstanceUID, again.StationName = prior, "OTHER"
        world.deliver(again)
    else:
        for path in world.node.archive.root.glob("answers/**/*.json"):
            path.write_text("{") if other.startswith("broken") else path.unlink()

    late = world.read_view(replace(NOW, view=View.MLO), OLD)

    assert asked(world) == [own, prior, own, late, prior]


def test_a_lost_work_folder_costs_no_comparison(world: PatientWorld) -> None:
    world.hold_prior((LAST_YEAR, OLD))
    world.deliver_view(NOW, OLD)
    claimed = world.claim()
    for uid in world.steps.plan_priors(claimed.study_uid, claimed.number):
        world.steps.detect_prior(claimed.study_uid, claimed.number, uid)
    shutil.rmtree(world.tools.work_dir)

    world.steps.record(claimed.study_uid, claimed.number, [])

    assert world.list_changes() == ["unchanged"]


def test_a_prior_that_comes_late_makes_a_revision_that_compares_and_names_the_first(
    world: PatientWorld,
) -> None:
    world.read_view(NOW, OLD + OTHER)
    assert world.list_changes() == ["None", "None"]
    first = world.list_lesions()

    world.hold_prior((LAST_YEAR, OLD))
    claimed = world.read_due()

    assert (claimed.number, claimed.cause.value) == (2, "late-prior")
    assert world.list_changes() == ["new", "unchanged"]
    assert world.list_lesions() == first
    replaced = world.read_cad_sr(2).PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    (told,) = replaced.ReferencedSOPSequence
    assert told.ReferencedSOPInstanceUID == world.read_cad_sr(1).SOPInstanceUID


def test_a_lesion_has_one_identifier_over_the_years_and_a_timeline(world: PatientWorld) -> None:
    world.hold_prior((YEARS_AGO, OLD[:5]))
    world.read_view(LAST_YEAR, OLD)
    world.read_view(NOW, [*OLD, *group(45.0, 20.0, 6, seed=3), *OTHER])

    (last,) = world.list_lesions(LAST_YEAR.study)
    assert last in world.list_lesions()
    history = next(history for history in world.list_histories() if history.lesion == last)
    seen = [(str(sighting.study_date), sighting.calcifications) for sighting in history.sightings]
    assert seen == [("2023-01-05", 5), ("2025-01-05", 8), ("2026-01-05", 14)]
    (new,) = [history for history in world.list_histories() if history.lesion != last]
    assert [str(sighting.study_date) for sighting in new.sightings] == ["2026-01-05"]


def test_what_the_prior_showed_and_the_study_does_not_is_gone_in_its_timeline(
    world: PatientWorld,
) -> None:
    world.hold_prior((LAST_YEAR, OLD))
    world.read_view(NOW, [])

    (history,) = world.list_histories()
    assert [str(sighting.study_date) for sighting in history.sightings] == ["2025-01-05"]
    assert [(absence.study_uid, absence.word) for absence in history.absences] == [
        ("1.2.3", "gone")
    ]


def test_a_new_model_that_names_findings_otherwise_keeps_their_lesions(world: PatientWorld) -> None:
    uid = world.read_view(NOW, OLD)
    (before,) = world.list_lesions()
    # The other group is surer now, so that it is the first of the image and the old one second.
    old = world.answers[uid]
    assert not isinstance(old, Exception)
    unsure = tuple(replace(mark, score=0.6) for mark in old.marks)
    fresh = detection(NOW, Mammogram.from_dataset(replace_uid(uid)), OTHER)
    world.answers[uid] = replace(fresh, marks=(*unsure, *fresh.marks))
    world.node.tracker.studies.request_reading("1.2.3", "somebody", world.now)
    world.read_due()

    by_name = {finding.finding_id: finding.tracking_uid for finding in world.list_findings()}
    assert by_name["LCC-2"] == before
    assert by_name["LCC-1"] != before


def replace_uid(uid: str) -> Dataset:
    ds = make_dataset(NOW)
    ds.SOPInstanceUID = uid
    return ds


def test_pictures_of_lesions_are_kept_of_the_study_and_of_its_priors(world: PatientWorld) -> None:
    world.hold_prior((LAST_YEAR, OLD))
    world.read_view(NOW, OLD)

    (history,) = world.list_histories()
    assert len(history.sightings) == 2
    for sighting in history.sightings:
        assert sighting.crop is not None
        with Image.open(world.node.archive.resolve_path(sighting.crop)) as picture:
            assert picture.width == picture.height
            assert float(picture.info["across_mm"]) >= 20


def test_the_radiologists_category_stands_in_the_timeline(world: PatientWorld) -> None:
    world.read_view(NOW, OLD)
    lesions = world.node.tracker.lesions
    for category in ("2", "4B"):
        lesions.record_assessment("1.2.3", "L", category, world.now, "someone")
    lesions.record_assessment("1.2.3", "R", "1", world.now, "someone")

    (history,) = world.list_histories()
    assert dict(history.categories) == {"1.2.3": "4B"}


def shows(*spots: Spot, lie: Lie = LAST_YEAR) -> Callable[[Points], Scores]:
    """Return a prior's pixels that are bright at these places of the breast."""
    at = [lie.at(*spot) for spot in spots]

    def scores(points: Points) -> Scores:
        return [
            0.9 if any(lie.spacing.distance_mm(place, point) < 0.45 for place in at) else 0.02
            for point in points
        ]

    return scores


def lines(world: PatientWorld) -> list[str]:
    return [str(finding.document["line"]) for finding in world.list_findings()]


def test_what_the_priors_pixels_show_faintly_is_not_new(world: PatientWorld) -> None:
    (prior,) = world.hold_prior((LAST_YEAR, OLD))
    world.score = shows(*OTHER)
    world.read_view(NOW, OLD + OTHER)

    assert world.list_changes() == ["more", "unchanged"]
    (told,) = [line for line in lines(world) if "faintly" in line]
    assert "increased in number since 2025-01-05 (prior re-read, seen faintly)" in told
    assert "seen faintly at a second look at the prior's pixels" in str(
        world.read_cad_sr(1).to_json()
    )
    assert [pydicom.dcmread(path).SOPInstanceUID for path in world.rechecked_paths] == [prior]
    # It has no finding of the prior, and so a lesion of its own.
    assert len(world.list_lesions()) == 2
    (once,) = [history for history in world.list_histories() if len(history.sightings) == 1]
    assert [sighting.change for sighting in once.sightings] == ["increased in number"]


def test_what_the_priors_pixels_do_not_show_is_new_and_was_looked_for(world: PatientWorld) -> None:
    world.hold_prior((LAST_YEAR, OLD))
    world.score = shows()
    world.read_view(NOW, OLD + OTHER)

    assert world.list_changes() == ["new", "unchanged"]
    word = "NEW since 2025-01-05 (prior re-read, not in its pixels either)"
    assert any(word in line for line in lines(world))


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
    world: PatientWorld, error: Exception
) -> None:
    def failing(_: Points) -> Scores:
        raise error

    world.hold_prior((LAST_YEAR, OLD))
    world.score = failing
    world.read_view(NOW, OLD + OTHER)

    assert world.get_outcome()[1] is Outcome.FINDINGS
    assert world.list_changes() == ["new", "unchanged"]
    assert len(world.rechecked_paths) == 1
    assert any("(prior re-read, pixels not looked at)" in line for line in lines(world))


@pytest.mark.parametrize("error", [ZeroDivisionError(), ModelError("x")], ids=["bug", "model"])
def test_a_look_that_breaks_costs_the_look_and_not_the_comparison(
    world: PatientWorld, error: Exception
) -> None:
    def broken(_: Points) -> Scores:
        raise error

    world.hold_prior((LAST_YEAR, OLD))
    world.score = broken
    world.read_view(NOW, OLD + OTHER)

    assert world.list_changes() == ["new", "unchanged"]
    assert any("(prior re-read, pixels not looked at)" in line for line in lines(world))
    assert "the look broke" in str(world.read_cad_sr(1).to_json())


@pytest.mark.parametrize(
    ("place", "name"),
    [(RevisionReader, "read_priors"), (revision_reader, "read_reported_priors")],
)
def test_what_breaks_over_a_prior_before_the_look_costs_no_reading(
    world: PatientWorld, monkeypatch: pytest.MonkeyPatch, place: object, name: str
) -> None:
    def broken(*_: object) -> None:
        raise LookupError

    monkeypatch.setattr(place, name, broken)
    world.hold_prior((LAST_YEAR, OLD))
    world.read_view(NOW, OLD)

    assert world.get_outcome()[1] is Outcome.FINDINGS


def test_a_remembered_look_holds_for_the_finding_that_it_was_at_and_for_no_other(
    world: PatientWorld,
) -> None:
    world.hold_prior((LAST_YEAR, OLD))
    current = world.deliver_view(NOW, OLD + OTHER)
    world.score = shows(*OTHER)
    claimed = world.claim()
    looks = world.steps.recheck_priors(claimed.study_uid, claimed.number)
    # Another worker takes over, whose model finds something else where names go by place.
    shutil.rmtree(world.tools.work_dir)
    elsewhere = group(20.0, 5.0, seed=2)
    header = Mammogram.from_dataset(replace_uid(current))
    world.answers[current] = detection(NOW, header, OLD + elsewhere)

    world.steps.record(claimed.study_uid, claimed.number, looks)

    assert world.list_changes() == ["new", "unchanged"]
    assert "what was looked at is another finding" in str(world.read_cad_sr(1).to_json())


def test_what_was_seen_is_remembered_as_a_step_and_not_looked_for_again(
    world: PatientWorld,
) -> None:
    world.hold_prior((LAST_YEAR, OLD))
    world.deliver_view(NOW, OLD + OTHER)
    world.score = shows(*OTHER)
    claimed = world.claim()
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
        run_reading(world.steps, crashing, claimed.study_uid, claimed.number)
    world.score = shows()
    run_reading(world.steps, durable, claimed.study_uid, claimed.number)

    assert world.list_changes() == ["more", "unchanged"]
    assert len(world.rechecked_paths) == 1
    assert len(remembered["recheck priors"]) < 2000


def test_a_study_without_priors_is_not_looked_at_again(world: PatientWorld) -> None:
    world.read_view(NOW, OLD)

    assert world.rechecked_paths == []
