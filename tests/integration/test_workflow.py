"""The steps of a reading over a real archive and a real database, with a detector that is told
what to answer."""

import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from secondread.assemble.due import DueRules
from secondread.assemble.patient_key import PatientKey
from secondread.codes import View
from secondread.detect.child import DetectorLimitError
from secondread.detect.marks import Detection
from secondread.engine import Result
from secondread.errors import TransientError
from secondread.findings.finding import StudyReading
from secondread.followup.constellation import Scores
from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.report.compose import compose_results
from secondread.report.result import ResultObject
from secondread.settings import ObjectKind
from secondread.track.prior_choice import FETCH_NOTHING
from secondread.track.states import StudyState
from secondread.track.values import TreatmentRecord
from secondread.workflow.order import run_failure, run_reading
from secondread.workflow.steps import ReadingSteps
from tests.worlds.builders import detection, header, view_sequence
from tests.worlds.node_world import CLUSTER, PATIENT, CrashError, NodeWorld, Points, run_step


@pytest.fixture
def world(tmp_path: Path) -> NodeWorld:
    return NodeWorld(tmp_path)


def test_an_exam_with_a_cluster_becomes_a_report_and_captures_up_for_delivery(
    world: NodeWorld,
) -> None:
    uids = world.deliver_exam()
    world.answers[uids[2]] = detection(uids[2], *CLUSTER)

    world.read_due()

    kinds = [entry.kind for entry in world.list_objects(1)]
    assert kinds == [ObjectKind.CAD_SR, ObjectKind.CAPTURE, ObjectKind.CAPTURE]
    assert [entry.source_uid for entry in world.list_objects(1)] == [None, None, uids[2]]
    assert world.get_outcome()[:2] == (StudyState.REPORTED, Outcome.FINDINGS)
    assert world.node.tracker.deliveries.claim_batch("pacs", "w0", world.now, 60) is not None
    assert not list((world.tools.work_dir).iterdir())


def test_a_repeat_after_a_crash_gives_the_same_bytes_and_reads_no_image_twice(
    world: NodeWorld,
) -> None:
    uids = world.deliver_exam()
    world.answers[uids[2]] = detection(uids[2], *CLUSTER)
    claimed = world.claim()

    def crash_before_recording(
        name: str, step: Callable[..., Result], *arguments: object
    ) -> Result:
        if name == "record":
            raise CrashError
        return step(*arguments)

    with pytest.raises(CrashError):
        run_reading(world.steps, crash_before_recording, claimed.study_uid, claimed.number)
    world.now += timedelta(hours=1)
    world.steps.record(claimed.study_uid, claimed.number, [])
    first = world.list_objects(1)
    world.now += timedelta(hours=1)
    world.steps.record(claimed.study_uid, claimed.number, [])

    assert world.list_objects(1) == first
    assert len(world.detected_paths) == 4


def test_a_lost_work_folder_costs_time_and_nothing_else(world: NodeWorld) -> None:
    import shutil

    uids = world.deliver_exam()
    world.answers[uids[2]] = detection(uids[2], *CLUSTER)
    claimed = world.claim()
    for uid in world.steps.plan(claimed.study_uid, claimed.number):
        world.steps.detect(claimed.study_uid, claimed.number, uid)
    shutil.rmtree(world.tools.work_dir)

    assert world.steps.record(claimed.study_uid, claimed.number, []) == "findings"


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"{"])
def test_what_a_power_cut_leaves_between_steps_costs_time_and_nothing_else(
    world: NodeWorld, content: bytes
) -> None:
    uids = world.deliver_exam()
    world.answers[uids[2]] = detection(uids[2], *CLUSTER)
    claimed = world.claim()
    for uid in world.steps.plan(claimed.study_uid, claimed.number):
        world.steps.detect(claimed.study_uid, claimed.number, uid)
    left = [path for path in world.tools.work_dir.rglob("*") if path.is_file()]
    assert {path.suffix for path in left} == {".json", ".npy"}
    for path in left:
        path.write_bytes(content)

    assert world.steps.record(claimed.study_uid, claimed.number, []) == "findings"
    assert len(world.detected_paths) == 8


@pytest.mark.parametrize("content", [b"", b"\0" * 5000])
def test_a_broken_picture_beside_a_whole_answer_is_made_again(
    world: NodeWorld, content: bytes
) -> None:
    uids = world.deliver_exam()
    world.answers[uids[2]] = detection(uids[2], *CLUSTER)
    claimed = world.claim()
    for uid in world.steps.plan(claimed.study_uid, claimed.number):
        world.steps.detect(claimed.study_uid, claimed.number, uid)
    for path in world.tools.work_dir.rglob("*.npy"):
        path.write_bytes(content)

    assert world.steps.record(claimed.study_uid, claimed.number, []) == "findings"


class TwoAtOnce:
    """A detector that answers only when it has two images at once."""

    def __init__(self, world: NodeWorld) -> None:
        self._world, self._both = world, threading.Barrier(2)

    def detect(self, path: Path, display_to: Path, overrides: frozenset[str]) -> Detection:
        self._both.wait(10)
        return self._world.detect(path, display_to, overrides)

    def write_display(self, path: Path, display_to: Path) -> None:
        self._world.write_display(path, display_to)

    def score_places(self, path: Path, points: Points) -> Scores | None:
        return self._world.score_places(path, points)


def test_images_of_an_exam_are_read_side_by_side_to_the_same_results(world: NodeWorld) -> None:
    uids = world.deliver_exam()
    world.answers[uids[2]] = detection(uids[2], *CLUSTER)
    claimed = world.claim()
    run_reading(world.steps, run_step, claimed.study_uid, claimed.number)
    in_turn = world.list_objects(1)
    world.detected_paths.clear()

    steps = ReadingSteps(replace(world.tools, detector=TwoAtOnce(world), images_at_once=2))
    with closing(steps):
        run_reading(steps, run_step, claimed.study_uid, claimed.number)

    assert world.list_objects(1) == in_turn
    assert len(set(world.detected_paths)) == 4


def test_an_image_read_side_by_side_that_kills_the_detector_fails_alone(world: NodeWorld) -> None:
    uids = world.deliver_exam()
    world.answers[uids[1]] = DetectorLimitError(Reason.MEMORY_LIMIT, "an allocation failed")
    world.steps = ReadingSteps(replace(world.tools, images_at_once=2))

    world.read_due()

    detail = world.node.tracker.study_queries.find_detail("1.2.3")
    assert detail is not None
    statuses = {image.sop_instance_uid: image.status for image in detail.images}
    assert statuses.pop(uids[1]) is ImageStatus.FAILED
    assert set(statuses.values()) == {ImageStatus.READ}
    assert world.get_outcome()[1] is Outcome.PARTIAL
    world.steps.close()


def test_an_outage_over_an_image_read_side_by_side_is_its_own_steps(world: NodeWorld) -> None:
    uids = world.deliver_exam()
    world.answers[uids[3]] = TransientError("the archive is away")
    claimed = world.claim()
    steps = ReadingSteps(replace(world.tools, images_at_once=2))
    key = claimed.study_uid, claimed.number

    for uid in uids[:3]:
        steps.detect(*key, uid)
    with pytest.raises(TransientError):
        steps.detect(*key, uids[3])
    del world.answers[uids[3]]
    assert steps.detect(*key, uids[3]) == "read"
    assert steps.record(*key, []) == "no-findings"
    steps.close()


def test_a_late_image_makes_a_revision_that_names_its_predecessor(world: NodeWorld) -> None:
    world.deliver_exam()
    world.read_due()
    world.deliver(header(AcquisitionTime="111111"))

    claimed = world.read_due()

    assert (claimed.number, claimed.cause.value) == (2, "late-instance")
    first, second = world.read_cad_sr(1), world.read_cad_sr(2)
    assert first.SOPInstanceUID != second.SOPInstanceUID
    predecessor = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert predecessor.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert (second.ContentDate, second.ContentTime) == ("20260105", "141000")  # Athens, UTC+2


def test_an_image_that_kills_the_detector_is_given_up_after_three_attempts(
    world: NodeWorld,
) -> None:
    uids = world.deliver_exam()
    world.answers[uids[0]] = DetectorLimitError(Reason.MEMORY_LIMIT, "3 GB")

    world.read_due()

    assert len(world.detected_paths) == 3 + 3
    detail = world.node.tracker.study_queries.find_detail("1.2.3")
    assert detail is not None
    (image,) = [i for i in detail.images if i.sop_instance_uid == uids[0]]
    assert image.reasons == (Reason.MEMORY_LIMIT,)
    assert world.get_outcome() == (
        StudyState.REPORTED,
        Outcome.PARTIAL,
        (
            *(Reason.SOME_IMAGES_REFUSED, Reason.TREATMENT_UNKNOWN),
            *(Reason.NO_COMPARISON, Reason.PRIORS_OFF),
        ),
    )


def test_an_image_with_a_senseless_header_makes_the_study_partial_and_is_named(
    world: NodeWorld,
) -> None:
    world.deliver_exam()
    broken = world.deliver(header(SeriesInstanceUID=None))

    world.read_due()

    detail = world.node.tracker.study_queries.find_detail("1.2.3")
    assert detail is not None
    assert detail.summary.outcome is Outcome.PARTIAL
    (image,) = [i for i in detail.images if i.sop_instance_uid == broken]
    assert image.reasons == (Reason.HEADER_INVALID,)


def test_a_study_of_which_no_header_makes_sense_still_gets_its_failed_notice(
    world: NodeWorld,
) -> None:
    world.deliver(header(SeriesInstanceUID=None))

    world.read_due()

    assert world.get_outcome()[:2] == (StudyState.REPORTED, Outcome.FAILED)
    assert ObjectKind.CAPTURE in [entry.kind for entry in world.list_objects(1)]


def test_a_study_whose_every_image_is_withdrawn_says_so_in_the_next_revision(
    world: NodeWorld,
) -> None:
    uid = world.deliver(header())
    world.answers[uid] = detection(uid, *CLUSTER)
    world.read_due()
    world.reject(uid)

    world.read_due()

    assert world.get_outcome()[:2] == (StudyState.REPORTED, Outcome.NOT_ELIGIBLE)
    (notice,) = world.list_objects(2)
    ds = pydicom.dcmread(world.node.archive.resolve_path(notice.path))
    assert (ds.PatientID, ds.StudyInstanceUID) == ("P1", "1.2.3")


@pytest.mark.parametrize(
    "other",
    [
        {"PatientID": "P2"},
        {"IssuerOfPatientID": "ELSEWHERE"},
        {"PatientName": "Beta^Berta"},
        {"PatientBirthDate": "19710203"},
    ],
)
def test_an_image_of_another_patient_is_set_aside_and_the_study_read_without(
    world: NodeWorld, other: dict[str, object]
) -> None:
    person = {"PatientBirthDate": "19500301", "PatientName": "Alpha^Anna"}
    if "PatientName" in other:
        person["PatientBirthDate"] = ""
    views = ((side, view) for side in "RL" for view in (View.CC, View.MLO))
    uids = [
        world.deliver(
            header(**{"ImageLaterality": side, "ViewCodeSequence": view_sequence(view), **person})
        )
        for side, view in views
    ]
    world.answers[uids[0]] = detection(uids[0], *CLUSTER)
    stray = world.deliver(header(**{"ImageLaterality": "R", **person, **other}))

    world.read_due()

    state, outcome, reasons = world.get_outcome()
    assert (state, outcome) == (StudyState.REPORTED, Outcome.FINDINGS)
    assert Reason.PATIENT_MISMATCH in reasons
    assert len(world.detected_paths) == 4
    # Two people under one ID are a question about the ID as well.
    alarms = {alarm.kind: alarm for alarm in world.node.tracker.node_queries.list_alarms()}
    assert alarms.keys() - {"identity-in-doubt"} == {"patient-mismatch"}
    assert alarms["patient-mismatch"].detail.startswith("1 image of another patient set aside")
    report = world.read_cad_sr(1)
    assert report.PatientID == "P1"
    assert "1 image of another patient set aside" in said_overall(report)
    assert stray not in report.to_json()
    detail = world.node.tracker.study_queries.find_detail("1.2.3")
    assert detail is not None
    (image,) = [i for i in detail.images if i.sop_instance_uid == stray]
    assert (image.status, image.reasons) == (None, (Reason.OTHER_PATIENT,))


def test_a_reading_that_broke_gets_a_failed_report(world: NodeWorld) -> None:
    world.deliver_exam()
    claimed = world.claim()

    run_failure(world.steps, run_step, claimed.study_uid, claimed.number)

    assert world.get_outcome()[:2] == (StudyState.REPORTED, Outcome.FAILED)
    assert world.read_cad_sr(1).ContentSequence


def break_results(monkeypatch: pytest.MonkeyPatch, keyword: str) -> None:
    """Have no result made of headers that have an attribute."""

    def compose_or_break(
        reading: StudyReading, sources: Mapping[str, Dataset], *rest: Any
    ) -> tuple[ResultObject, ...]:
        if any(keyword in ds for ds in sources.values()):
            raise OverflowError
        return compose_results(reading, sources, *rest)

    monkeypatch.setattr("secondread.workflow.record.compose_results", compose_or_break)


@pytest.mark.parametrize("keyword", ["ImageLaterality", "PatientName"])
def test_an_attribute_that_breaks_results_is_left_out_of_the_failed_one(
    world: NodeWorld, monkeypatch: pytest.MonkeyPatch, keyword: str
) -> None:
    world.deliver_exam()
    claimed = world.claim()
    break_results(monkeypatch, keyword)

    with pytest.raises(OverflowError):
        run_reading(world.steps, run_step, claimed.study_uid, claimed.number)
    run_failure(world.steps, run_step, claimed.study_uid, claimed.number)

    assert world.get_outcome()[:2] == (StudyState.REPORTED, Outcome.FAILED)
    report = world.read_cad_sr(1)
    assert (report.PatientID, report.StudyInstanceUID) == (PATIENT.patient_id, claimed.study_uid)
    assert (str(report.PatientName) == "") is (keyword == "PatientName")


def test_a_study_of_which_no_result_can_be_made_is_failed_with_an_alarm_and_not_stuck(
    world: NodeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.deliver_exam()
    claimed = world.claim()
    break_results(monkeypatch, "SOPInstanceUID")

    run_failure(world.steps, run_step, claimed.study_uid, claimed.number)

    assert world.get_outcome()[:2] == (StudyState.REPORTED, Outcome.FAILED)
    assert not world.list_objects(1)
    (alarm,) = world.node.tracker.node_queries.list_alarms()
    assert (alarm.kind, alarm.subject) == ("failed-result-not-made", claimed.study_uid)


@pytest.mark.parametrize("content", [None, b"", b"no DICOM at all", bytes(5000)])
def test_a_file_that_is_lost_or_broken_costs_its_image_alone(
    world: NodeWorld, content: bytes | None
) -> None:
    uids = world.deliver_exam()
    claimed = world.claim()
    (image,) = (
        i
        for i in world.node.tracker.studies.list_inputs(claimed.study_uid, claimed.number)
        if i.sop_instance_uid == uids[2]
    )
    path = world.node.archive.resolve_path(image.path)
    path.unlink() if content is None else path.write_bytes(content)

    run_reading(world.steps, run_step, claimed.study_uid, claimed.number)

    assert world.get_outcome()[:2] == (StudyState.REPORTED, Outcome.PARTIAL)
    assert len(world.detected_paths) == 3


def test_a_study_with_nothing_in_scope_gets_a_notice_and_no_report(world: NodeWorld) -> None:
    world.deliver(header(SOPClassUID="1.2.840.10008.5.1.4.1.1.13.1.3"))

    world.read_due()

    assert [entry.kind for entry in world.list_objects(1)] == [ObjectKind.CAPTURE]
    assert world.get_outcome()[1] is Outcome.NOT_ELIGIBLE


def test_two_installations_never_share_a_uid(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    desks = [NodeWorld(tmp_path / "one"), NodeWorld(tmp_path / "other")]
    ds = header()
    for world in desks:
        world.deliver(ds)
        world.read_due()

    uids = [{entry.sop_instance_uid for entry in world.list_objects(1)} for world in desks]
    assert uids[0].isdisjoint(uids[1])


def test_unused_profiles_change_nothing(world: NodeWorld) -> None:
    """A node without destinations still makes results, for its operations page."""
    world.steps = ReadingSteps(replace(world.tools, destinations={}))
    world.deliver_exam()
    world.read_due()

    assert world.list_objects(1)
    assert world.node.tracker.deliveries.claim_batch("pacs", "w0", world.now, 60) is None


def said_overall(sr: Dataset) -> str:
    """The text of the overall impression."""
    texts = [
        str(item.TextValue)
        for part in sr.ContentSequence
        for item in part.get("ContentSequence", ())
        if item.get("ValueType") == "TEXT"
    ]
    return next(text for text in texts if text.startswith("Second read"))


def test_a_record_stands_in_report_findings_and_reasons_and_a_new_one_revises(
    world: NodeWorld,
) -> None:
    uids = world.deliver_exam()
    world.answers[uids[2]] = detection(uids[2], *CLUSTER)
    world.read_due()
    first = said_overall(world.read_cad_sr(1))
    assert "Treatment unknown" in first
    assert "months after" not in first

    surgery = TreatmentRecord("L", "lumpectomy", date(2022, 1, 10), source="record")
    world.node.tracker.treatments.add_treatment(PATIENT, surgery, world.now, "someone")
    assert world.read_due().number == 2

    said = said_overall(world.read_cad_sr(2))
    assert "L CC 1: 3 calcifications" in said
    assert "in the treated breast, place to the bed unknown, 47 months after surgery" in said
    assert "L: lumpectomy 2022-01-10 (record)" in said
    assert "Treatment unknown" not in said
    detail = world.node.tracker.study_queries.find_detail("1.2.3")
    assert detail is not None
    assert detail.findings[0].document["zone"] == "treated-breast-place-unknown"
    assert detail.findings[0].document["line"].startswith("1: L, 3 calcifications")
    assert [str(revision.cause) for revision in detail.revisions] == ["treatment-changed", "first"]


def test_what_the_header_says_of_a_mastectomy_makes_two_views_the_whole_study(
    world: NodeWorld,
) -> None:
    for view in (View.CC, View.MLO):
        history = "s/p right mastectomy"
        ds = header(ViewCodeSequence=view_sequence(view), AdditionalPatientHistory=history)
        world.deliver(ds)
    world.read_due()
    said = said_overall(world.read_cad_sr(1))
    assert "R: mastectomy (header)" in said
    assert "Expected views missing" not in said


def test_a_prior_under_an_id_that_was_merged_is_no_foreign_one(world: NodeWorld) -> None:
    earlier = {"StudyInstanceUID": "1.2.2", "SeriesInstanceUID": "1.2.2.4"}
    day = {"StudyDate": "20240105", "AcquisitionDate": "20240105"}
    world.deliver(header(PatientID="P2", **earlier, **day))
    claimed = world.claim()
    run_reading(world.steps, run_step, claimed.study_uid, claimed.number)
    world.deliver(header())
    world.node.tracker.patients.merge_patients(
        PatientKey("P2", "HOSPITAL"), PATIENT, "someone", world.now, DueRules(), FETCH_NOTHING
    )
    world.read_due()
    reasons = world.get_outcome()[2]
    assert Reason.PRIOR_FOREIGN not in reasons
    assert "Prior of 2024-01-05" in said_overall(world.read_cad_sr(1))
    assert "names another patient" not in said_overall(world.read_cad_sr(1))
