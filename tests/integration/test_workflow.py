"""The steps of a reading over a real archive and a real database, with a detector that is told
what to answer."""

import hashlib
import io
from collections import abc
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from secondread.accept.classify import Disposition
from secondread.accept.ledger import PeerAssociation, StoredInstance
from secondread.app.node import Node, open_node
from secondread.app.reader import make_node_identity
from secondread.assemble.due import DueRules
from secondread.assemble.mammogram import PatientKey
from secondread.codes import View
from secondread.detect.child import DetectorLimitError
from secondread.detect.marks import Detection
from secondread.engine import Result
from secondread.findings.finding import ModelIdentity
from secondread.findings.operating_point import OperatingPoint
from secondread.followup.constellation import Scores
from secondread.geometry import PointPx
from secondread.reading import Reader
from secondread.reasons import Outcome, Reason
from secondread.settings import ObjectKind, Settings, load_settings
from secondread.track.prior_choice import FETCH_NOTHING
from secondread.track.states import StudyState
from secondread.track.studies import Digests
from secondread.track.values import ClaimedRevision, RecordedObject, TreatmentRecord
from secondread.workflow.order import run_failure, run_reading
from secondread.workflow.revision_reader import ReadingTools
from secondread.workflow.steps import ReadingSteps
from tests.worlds.builders import coded, detection, header, mark, view_sequence

Points = abc.Sequence[PointPx]
START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
CLUSTER = [mark(300, 400), mark(320, 400), mark(310, 430)]


def run_at_once(name: str, step: Callable[..., Result], *arguments: object) -> Result:
    return step(*arguments)


class CrashError(Exception):
    pass


class Desk:
    """A node in a folder, its clock, and a detector that answers as told."""

    def __init__(self, folder: Path) -> None:
        settings_file = folder / "secondread.toml"
        settings_file.write_text(
            "[[destinations]]\n"
            'name = "pacs"\nae_title = "PACS"\nhost = "127.0.0.1"\nport = 104\n'
            'initial_mode = "live"\n'
        )
        self.settings: Settings = load_settings(settings_file, {})
        self.node: Node = open_node(self.settings)
        self.now = START
        self.answers: dict[str, Detection | Exception] = {}
        self.asked: list[Path] = []
        self.shown: list[Path] = []
        self.looked: list[Path] = []
        self.scores: Callable[[Points], Scores | None] = lambda _: None
        self.tools = ReadingTools(
            tracker=self.node.tracker,
            archive=self.node.archive,
            detector=self,
            settings_digest=self.settings.reading_digest,
            reader=Reader(
                ModelIdentity("Test", "1", "0" * 64, 1, calibrated=False),
                lambda _, score: 100 * score,
                OperatingPoint(1, "test", 50.0),
            ),
            node=make_node_identity(self.node.installation_id, "test", ""),
            installation_id=self.node.installation_id,
            profiles=self.settings.profiles,
            destinations={d.name: d.profile.key for d in self.settings.destinations},
            overrides=frozenset(),
            attempts=3,
            work_dir=folder / "work",
            clock=lambda: self.now,
            zone=ZoneInfo("Europe/Athens"),
        )
        self.steps = ReadingSteps(self.tools)

    def detect(self, path: Path, display_to: Path, overrides: frozenset[str]) -> Detection:
        self.asked.append(path)
        uid = str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)
        answer = self.answers.get(uid, detection(uid))
        if isinstance(answer, Exception):
            raise answer
        np.save(display_to, np.full((1000, 800), 40, np.uint8))
        return answer

    def write_display(self, path: Path, display_to: Path) -> None:
        self.shown.append(path)
        uid = str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)
        answer = self.answers.get(uid)
        if isinstance(answer, Exception):
            raise answer
        np.save(display_to, np.full((1000, 800), 40, np.uint8))

    def score_places(self, path: Path, points: Points) -> Scores | None:
        self.looked.append(path)
        return self.scores(points)

    def deliver(self, ds: Dataset, disposition: Disposition = Disposition.MAMMOGRAM) -> str:
        """Put an instance in as the receiver would."""
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        buffer = io.BytesIO()
        ds.save_as(buffer, enforce_file_format=True)
        data = buffer.getvalue()
        file = self.node.archive.write_bytes(data, "instances")
        association = PeerAssociation("a1", "MG1", "127.0.0.1", self.now)
        instance = StoredInstance(
            sop_instance_uid=str(ds.SOPInstanceUID),
            sop_class_uid=str(ds.SOPClassUID),
            transfer_syntax=str(ds.file_meta.TransferSyntaxUID),
            study_uid=str(ds.StudyInstanceUID),
            series_uid=str(ds.SeriesInstanceUID),
            sha256=hashlib.sha256(data).hexdigest(),
            size=file.size,
            relative_path=file.relative_path,
            received_at=self.now,
            disposition=disposition,
            association=association,
        )
        ledger = self.node.tracker.open_ledger("receive", self.settings.assemble)
        ledger.record_association_start(association)
        ledger.record_instance(instance, ds)
        ledger.record_association_end("a1", self.now)
        return str(ds.SOPInstanceUID)

    def reject(self, sop_instance_uid: str) -> None:
        """Withdraw an instance by a rejection note, as a quality check would."""
        note = header(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.59", Modality="KO")
        note.ConceptNameCodeSequence = Sequence(
            [coded("113001", "DCM", "Rejected for Quality Reasons")]
        )
        reference, series, study = Dataset(), Dataset(), Dataset()
        reference.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2"
        reference.ReferencedSOPInstanceUID = sop_instance_uid
        series.SeriesInstanceUID, study.StudyInstanceUID = "1.2.3.4", "1.2.3"
        series.ReferencedSOPSequence = Sequence([reference])
        study.ReferencedSeriesSequence = Sequence([series])
        note.CurrentRequestedProcedureEvidenceSequence = Sequence([study])
        self.deliver(note, Disposition.REJECTION_NOTE)

    def exam(self) -> list[str]:
        return [
            self.deliver(header(ImageLaterality=side, ViewCodeSequence=view_sequence(view)))
            for side in "RL"
            for view in (View.CC, View.MLO)
        ]

    def claim(self) -> ClaimedRevision:
        self.now += timedelta(seconds=300)
        (due,) = self.node.tracker.studies.list_due(self.now, 10)
        claimed = self.node.tracker.studies.claim_study(
            due.study_uid, "w0", Digests("s", "m"), self.now
        )
        assert claimed is not None
        return claimed

    def read(self) -> ClaimedRevision:
        claimed = self.claim()
        run_reading(self.steps, run_at_once, claimed.study_uid, claimed.number)
        return claimed

    def outbox(self, revision: int) -> tuple[RecordedObject, ...]:
        return self.node.tracker.results.list_outbox("1.2.3", revision)

    def sr(self, revision: int) -> Dataset:
        (entry,) = [e for e in self.outbox(revision) if e.kind is ObjectKind.CAD_SR]
        return pydicom.dcmread(self.node.archive.resolve_path(entry.path))

    def outcome(self) -> tuple[StudyState, Outcome | None, tuple[Reason, ...]]:
        detail = self.node.tracker.study_queries.find_detail("1.2.3")
        assert detail is not None
        return detail.summary.state, detail.summary.outcome, detail.revisions[0].reasons


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_an_exam_with_a_cluster_becomes_a_report_and_captures_up_for_delivery(desk: Desk) -> None:
    uids = desk.exam()
    desk.answers[uids[2]] = detection(uids[2], *CLUSTER)

    desk.read()

    kinds = [entry.kind for entry in desk.outbox(1)]
    assert kinds == [ObjectKind.CAD_SR, ObjectKind.CAPTURE, ObjectKind.CAPTURE]
    assert [entry.source_uid for entry in desk.outbox(1)] == [None, None, uids[2]]
    assert desk.outcome()[:2] == (StudyState.REPORTED, Outcome.FINDINGS)
    assert desk.node.tracker.deliveries.claim_batch("pacs", "w0", desk.now, 60) is not None
    assert not list((desk.tools.work_dir).iterdir())


def test_a_repeat_after_a_crash_gives_the_same_bytes_and_reads_no_image_twice(desk: Desk) -> None:
    uids = desk.exam()
    desk.answers[uids[2]] = detection(uids[2], *CLUSTER)
    claimed = desk.claim()

    def crash_before_recording(
        name: str, step: Callable[..., Result], *arguments: object
    ) -> Result:
        if name == "record":
            raise CrashError
        return step(*arguments)

    with pytest.raises(CrashError):
        run_reading(desk.steps, crash_before_recording, claimed.study_uid, claimed.number)
    desk.now += timedelta(hours=1)
    desk.steps.record(claimed.study_uid, claimed.number, [])
    first = desk.outbox(1)
    desk.now += timedelta(hours=1)
    desk.steps.record(claimed.study_uid, claimed.number, [])

    assert desk.outbox(1) == first
    assert len(desk.asked) == 4


def test_a_lost_work_folder_costs_time_and_nothing_else(desk: Desk) -> None:
    import shutil

    uids = desk.exam()
    desk.answers[uids[2]] = detection(uids[2], *CLUSTER)
    claimed = desk.claim()
    for uid in desk.steps.plan(claimed.study_uid, claimed.number):
        desk.steps.detect(claimed.study_uid, claimed.number, uid)
    shutil.rmtree(desk.tools.work_dir)

    assert desk.steps.record(claimed.study_uid, claimed.number, []) == "findings"


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"{"])
def test_what_a_power_cut_leaves_between_steps_costs_time_and_nothing_else(
    desk: Desk, content: bytes
) -> None:
    uids = desk.exam()
    desk.answers[uids[2]] = detection(uids[2], *CLUSTER)
    claimed = desk.claim()
    for uid in desk.steps.plan(claimed.study_uid, claimed.number):
        desk.steps.detect(claimed.study_uid, claimed.number, uid)
    left = [path for path in desk.tools.work_dir.rglob("*") if path.is_file()]
    assert {path.suffix for path in left} == {".json", ".npy"}
    for path in left:
        path.write_bytes(content)

    assert desk.steps.record(claimed.study_uid, claimed.number, []) == "findings"
    assert len(desk.asked) == 8


@pytest.mark.parametrize("content", [b"", b"\0" * 5000])
def test_a_broken_picture_beside_a_whole_answer_is_made_again(desk: Desk, content: bytes) -> None:
    uids = desk.exam()
    desk.answers[uids[2]] = detection(uids[2], *CLUSTER)
    claimed = desk.claim()
    for uid in desk.steps.plan(claimed.study_uid, claimed.number):
        desk.steps.detect(claimed.study_uid, claimed.number, uid)
    for path in desk.tools.work_dir.rglob("*.npy"):
        path.write_bytes(content)

    assert desk.steps.record(claimed.study_uid, claimed.number, []) == "findings"


def test_a_late_image_makes_a_revision_that_names_its_predecessor(desk: Desk) -> None:
    desk.exam()
    desk.read()
    desk.deliver(header(AcquisitionTime="111111"))

    claimed = desk.read()

    assert (claimed.number, claimed.cause.value) == (2, "late-instance")
    first, second = desk.sr(1), desk.sr(2)
    assert first.SOPInstanceUID != second.SOPInstanceUID
    predecessor = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert predecessor.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert (second.ContentDate, second.ContentTime) == ("20260105", "141000")  # Athens, UTC+2


def test_an_image_that_kills_the_detector_is_given_up_after_three_attempts(desk: Desk) -> None:
    uids = desk.exam()
    desk.answers[uids[0]] = DetectorLimitError(Reason.MEMORY_LIMIT, "3 GB")

    desk.read()

    assert len(desk.asked) == 3 + 3
    detail = desk.node.tracker.study_queries.find_detail("1.2.3")
    assert detail is not None
    (image,) = [i for i in detail.images if i.sop_instance_uid == uids[0]]
    assert image.reasons == (Reason.MEMORY_LIMIT,)
    assert desk.outcome() == (
        StudyState.REPORTED,
        Outcome.PARTIAL,
        (
            *(Reason.SOME_IMAGES_REFUSED, Reason.TREATMENT_UNKNOWN),
            *(Reason.NO_COMPARISON, Reason.PRIORS_OFF),
        ),
    )


def test_an_image_with_a_senseless_header_makes_the_study_partial_and_is_named(desk: Desk) -> None:
    desk.exam()
    broken = desk.deliver(header(ImagerPixelSpacing=[0.0, 0.0]))

    desk.read()

    detail = desk.node.tracker.study_queries.find_detail("1.2.3")
    assert detail is not None
    assert detail.summary.outcome is Outcome.PARTIAL
    (image,) = [i for i in detail.images if i.sop_instance_uid == broken]
    assert image.reasons == (Reason.HEADER_INVALID,)


def test_a_study_of_which_no_header_makes_sense_still_gets_its_failed_notice(desk: Desk) -> None:
    desk.deliver(header(ImagerPixelSpacing=[0.0, 0.0]))

    desk.read()

    assert desk.outcome()[:2] == (StudyState.REPORTED, Outcome.FAILED)
    assert ObjectKind.CAPTURE in [entry.kind for entry in desk.outbox(1)]


def test_a_study_whose_every_image_is_withdrawn_says_so_in_the_next_revision(desk: Desk) -> None:
    uid = desk.deliver(header())
    desk.answers[uid] = detection(uid, *CLUSTER)
    desk.read()
    desk.reject(uid)

    desk.read()

    assert desk.outcome()[:2] == (StudyState.REPORTED, Outcome.NOT_ELIGIBLE)
    (notice,) = desk.outbox(2)
    ds = pydicom.dcmread(desk.node.archive.resolve_path(notice.path))
    assert (ds.PatientID, ds.StudyInstanceUID) == ("P1", "1.2.3")


@pytest.mark.parametrize(
    "other", [{"PatientID": "P2"}, {"IssuerOfPatientID": "ELSEWHERE"}, {"PatientID": None}]
)
def test_nothing_leaves_of_a_study_with_images_of_two_patients(
    desk: Desk, other: dict[str, object]
) -> None:
    uid = desk.deliver(header())
    desk.answers[uid] = detection(uid, *CLUSTER)
    desk.deliver(header(ImageLaterality="R", **other))

    desk.read()

    assert desk.outbox(1) == ()
    assert desk.outcome()[:2] == (StudyState.REPORTED, Outcome.FAILED)
    assert desk.asked == []
    assert [alarm.kind for alarm in desk.node.tracker.node_queries.list_alarms()] == [
        "patient-mismatch"
    ]


def test_a_reading_that_broke_gets_a_failed_report(desk: Desk) -> None:
    desk.exam()
    claimed = desk.claim()

    run_failure(desk.steps, run_at_once, claimed.study_uid, claimed.number)

    assert desk.outcome()[:2] == (StudyState.REPORTED, Outcome.FAILED)
    assert desk.sr(1).ContentSequence


def test_a_study_with_nothing_in_scope_gets_a_notice_and_no_report(desk: Desk) -> None:
    desk.deliver(header(SOPClassUID="1.2.840.10008.5.1.4.1.1.13.1.3"))

    desk.read()

    assert [entry.kind for entry in desk.outbox(1)] == [ObjectKind.CAPTURE]
    assert desk.outcome()[1] is Outcome.NOT_ELIGIBLE


def test_two_installations_never_share_a_uid(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    desks = [Desk(tmp_path / "one"), Desk(tmp_path / "other")]
    ds = header()
    for desk in desks:
        desk.deliver(ds)
        desk.read()

    uids = [{entry.sop_instance_uid for entry in desk.outbox(1)} for desk in desks]
    assert uids[0].isdisjoint(uids[1])


def test_unused_profiles_change_nothing(desk: Desk) -> None:
    """A node without destinations still makes results, for its operations page."""
    desk.steps = ReadingSteps(replace(desk.tools, destinations={}))
    desk.exam()
    desk.read()

    assert desk.outbox(1)
    assert desk.node.tracker.deliveries.claim_batch("pacs", "w0", desk.now, 60) is None


PATIENT = PatientKey("P1", "HOSPITAL")


def said_overall(sr: Dataset) -> str:
    """The text of the overall impression."""
    texts = [
        str(item.TextValue)
        for part in sr.ContentSequence
        for item in part.get("ContentSequence", ())
        if item.get("ValueType") == "TEXT"
    ]
    return next(text for text in texts if text.startswith("Second read"))


def test_a_record_stands_in_report_findings_and_reasons_and_a_new_one_revises(desk: Desk) -> None:
    uids = desk.exam()
    desk.answers[uids[2]] = detection(uids[2], *CLUSTER)
    desk.read()
    first = said_overall(desk.sr(1))
    assert "Treatment unknown" in first
    assert "months after" not in first

    surgery = TreatmentRecord("L", "lumpectomy", date(2022, 1, 10), source="record")
    desk.node.tracker.treatments.add_treatment(PATIENT, surgery, desk.now, "someone")
    assert desk.read().number == 2

    said = said_overall(desk.sr(2))
    assert "L CC 1: 3 calcifications" in said
    assert "in the treated breast, place to the bed unknown, 47 months after surgery" in said
    assert "L: lumpectomy 2022-01-10 (record)" in said
    assert "Treatment unknown" not in said
    detail = desk.node.tracker.study_queries.find_detail("1.2.3")
    assert detail is not None
    assert detail.findings[0].document["zone"] == "treated-breast-place-unknown"
    assert detail.findings[0].document["line"].startswith("1: L, 3 calcifications")
    assert [str(one.cause) for one in detail.revisions] == ["treatment-changed", "first"]


def test_what_the_header_says_of_a_mastectomy_makes_two_views_the_whole_study(desk: Desk) -> None:
    for view in (View.CC, View.MLO):
        history = "s/p right mastectomy"
        ds = header(ViewCodeSequence=view_sequence(view), AdditionalPatientHistory=history)
        desk.deliver(ds)
    desk.read()
    said = said_overall(desk.sr(1))
    assert "R: mastectomy (header)" in said
    assert "Expected views missing" not in said


def test_a_prior_under_an_id_that_was_merged_is_no_foreign_one(desk: Desk) -> None:
    earlier = {"StudyInstanceUID": "1.2.2", "SeriesInstanceUID": "1.2.2.4"}
    day = {"StudyDate": "20240105", "AcquisitionDate": "20240105"}
    desk.deliver(header(PatientID="P2", **earlier, **day))
    claimed = desk.claim()
    run_reading(desk.steps, run_at_once, claimed.study_uid, claimed.number)
    desk.deliver(header())
    desk.node.tracker.patients.merge_patients(
        PatientKey("P2", "HOSPITAL"), PATIENT, "someone", desk.now, DueRules(), FETCH_NOTHING
    )
    desk.read()
    reasons = desk.outcome()[2]
    assert Reason.PRIOR_FOREIGN not in reasons
    assert "Prior of 2024-01-05" in said_overall(desk.sr(1))
    assert "names another patient" not in said_overall(desk.sr(1))
