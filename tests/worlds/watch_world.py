"""A node as the operations pages see it: values in memory, and a real outbox folder."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import cast

import httpx
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from starlette.applications import Starlette

from secondread.accept.archive import Archive
from secondread.accept.ledger import Refusal, RefusalKind
from secondread.errors import TransientError
from secondread.followup.timeline import LesionHistory
from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.settings import (
    DestinationMode,
    DestinationSettings,
    ObjectKind,
    PeerSettings,
    Proof,
    Role,
    Settings,
)
from secondread.track.access import KnownCaller
from secondread.track.cad_reports import ReportFile
from secondread.track.dismissals import RefusalLine
from secondread.track.states import Cause, DeliveryState, RevisionState, StudyState
from secondread.track.study_log import LogEntry
from secondread.track.study_search import StudySearch, choose_days
from secondread.track.summaries import (
    AlarmSummary,
    ArrivalCheckSummary,
    DeliverySummary,
    DestinationSummary,
    ImageSummary,
    MissingStudySummary,
    NodeCounts,
    OutboxObjectSummary,
    ProcessSummary,
    RevisionSummary,
    StudyDetail,
    StudyFilter,
    StudyPlace,
    StudySummary,
)
from secondread.track.today import DaySummary
from secondread.track.tracker import Tracker
from secondread.track.values import RecordedFinding, Severity
from secondread.track.verdicts import Agreement, Assessment, RecordedVerdict

TOKEN = "the-token-of-the-tests"  # in a `FakeTracker` it is in force
NOW = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
STUDY = "1.2.826.0.1.3680043.8.498.70151234567890123456"
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
CAD_SR = "1.2.840.10008.5.1.4.1.1.88.50"


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def study(number: int = 0, **values: object) -> StudySummary:
    uid = STUDY if number == 0 else f"{STUDY[:-4]}{number:04d}"
    usual = StudySummary(
        study_uid=uid,
        study_date=date(2026, 3, 2),
        peer="MAMMO_1",
        state=StudyState.REPORTED,
        hold_reason=None,
        revision=1,
        outcome=Outcome.FINDINGS,
        shown_findings=1,
        images=4,
        first_arrived_at=ago(400),
        last_arrived_at=ago(300),
        due_at=None,
        reported_at=ago(258),
        waiting_deliveries=0,
    )
    return replace(usual, **values)  # type: ignore[arg-type]


def image(label: str, number: int, **values: object) -> ImageSummary:
    usual = ImageSummary(
        sop_instance_uid=f"{STUDY}.1.{number}",
        label=label,
        arrived_at=ago(400 - 20 * number),
        path="instances/00/00/" + "0" * 64 + ".dcm",
        scope_reason=None,
        current=True,
        conflict=False,
        withheld=None,
        set_aside=False,
        rejected=False,
        late=False,
        status=ImageStatus.READ,
        reasons=(),
        gates={"breast_cm2": 142.31, "tissue_fraction": 0.4213, "saturated_fraction": 0.0004},
        seconds=6.4,
        detail="",
    )
    return replace(usual, **values)  # type: ignore[arg-type]


def finding(
    finding_id: str, number: int, *, shown: bool = True, **values: object
) -> RecordedFinding:
    document = {
        "calcifications": 9,
        "long_axis_mm": 11.4,
        "morphology": [["fine_pleomorphic", 0.71], ["amorphous", 0.2]],
        "distribution": [["grouped", 0.83]],
        "type_words": "fine pleomorphic",
        "distribution_words": "grouped",
        "change": "new",
        "zone": "near",
        **values,
    }
    certainty = 91.0 if shown else 22.0
    uid = f"{STUDY}.1.{number}"
    priority = 31.0 if shown else 7.5
    return RecordedFinding(finding_id, uid, "cluster", certainty, 34.0, priority, shown, document)


def revision(number: int = 1, **values: object) -> RevisionSummary:
    usual = RevisionSummary(
        number=number,
        cause=Cause.FIRST,
        predecessor=number - 1 or None,
        state=RevisionState.FINISHED,
        outcome=Outcome.FINDINGS,
        reasons=(),
        inputs=4,
        settings_digest="5e" * 32,
        model_digest="a1" * 32,
        worker="worker-0",
        requested_by=None,
        started_at=ago(300),
        finished_at=ago(258),
        error=None,
    )
    return replace(usual, **values)  # type: ignore[arg-type]


def delivery(destination: str = "pacs", **values: object) -> DeliverySummary:
    usual = DeliverySummary(
        destination=destination,
        state=DeliveryState.DELIVERED,
        attempts=1,
        due_at=ago(258),
        last_status=0,
        last_error=None,
        delivered_at=ago(256),
        proof=Proof.STORE_STATUS,
    )
    return replace(usual, **values)  # type: ignore[arg-type]


def refusal(**values: object) -> Refusal:
    usual = Refusal(
        kind=RefusalKind.ASSOCIATION,
        reason=Reason.CALLING_AE_UNKNOWN,
        calling_ae_title="MAMMO_3",
        called_ae_title="SECONDREAD",
        address="10.20.4.33",
        sop_class_uid="",
        transfer_syntax="",
        count=12,
        first_at=ago(90_000),
        last_at=ago(130),
    )
    return replace(usual, **values)  # type: ignore[arg-type]


def destination(
    name: str = "pacs", mode: DestinationMode = DestinationMode.LIVE, **values: object
) -> DestinationSummary:
    usual = DestinationSummary(
        name=name,
        mode=mode,
        changed_at=ago(860_000),
        changed_by="admin",
        counts=dict.fromkeys(DeliveryState, 0),
        oldest_waiting_at=None,
        last_delivered_at=ago(256),
    )
    return replace(usual, **values)  # type: ignore[arg-type]


def process(name: str, kind: str, silent_seconds: float = 2.0) -> ProcessSummary:
    return ProcessSummary(name, kind, "node-a", 4711, "0.1.0", ago(90_000), ago(silent_seconds))


def running() -> list[ProcessSummary]:
    return [
        process("receive-0", "receive"),
        process("web", "web"),
        process("worker-0", "work"),
    ]


def alarm(**values: object) -> AlarmSummary:
    words = "results for pacs wait since 2026-03-02 09:58 UTC"
    usual = AlarmSummary("delivery-overdue", "pacs", words, Severity.WARNING, ago(1000))
    return replace(usual, **values)  # type: ignore[arg-type]


_ALL = StudyFilter()


class FakeVerdicts:
    """Nobody has judged anything."""

    def list_for_study(self, study_uid: str, revision: int) -> dict[str, RecordedVerdict]:
        return {}

    def list_assessments(self, study_uid: str) -> dict[str, Assessment]:
        return {}

    def count_agreement(self, since: datetime) -> list[Agreement]:
        return []

    def list_recorded(self, since: datetime) -> list[RecordedVerdict]:
        return []


@dataclass
class FakeDismissals:
    """Nobody is done with anything."""

    refused: list[Refusal]

    def list_refusals(self) -> list[RefusalLine]:
        return [RefusalLine(n, one, None, None, None) for n, one in enumerate(self.refused, 1)]

    def describe_refusal(self, number: int) -> str:
        return self.refused[number - 1].reason.sentence

    def count_failed(self) -> int:
        return 0


@dataclass
class FakeTracker:
    """Answers the pages' questions from lists; `node_queries` and `study_queries` are itself."""

    studies: list[StudySummary] = field(default_factory=list)
    details: dict[str, StudyDetail] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)
    where: list[DestinationSummary] = field(default_factory=lambda: [destination()])
    who: list[ProcessSummary] = field(default_factory=running)
    raised: list[AlarmSummary] = field(default_factory=list)
    patients: dict[str, list[str]] = field(default_factory=dict)
    """Study UIDs by patient ID."""
    histories: dict[str, list[LesionHistory]] = field(default_factory=dict)
    """Lesions by study UID."""
    reports: dict[str, list[ReportFile]] = field(default_factory=dict)
    """CAD reports of priors by study UID."""
    never_came: list[MissingStudySummary] = field(default_factory=list)
    compared: list[ArrivalCheckSummary] = field(default_factory=list)
    day: DaySummary = field(
        default_factory=lambda: DaySummary(7, 6, 2, 1, 95.0, 410.0, ago(75), "")
    )
    happened: list[LogEntry] = field(default_factory=list)
    away: bool = False

    @property
    def node_queries(self) -> "FakeTracker":
        return self

    @property
    def study_queries(self) -> "FakeTracker":
        return self

    @property
    def lesions(self) -> "FakeTracker":
        return self

    @property
    def searches(self) -> "FakeTracker":
        return self

    def find(self, search: StudySearch, today: date) -> list[StudySummary]:
        self.ping()
        choose_days(search, today)
        mine = self.patients.get(search.number, [])
        return [one for one in self.studies if not search.number or one.study_uid in mine]

    @property
    def verdicts(self) -> "FakeVerdicts":
        return FakeVerdicts()

    @property
    def today(self) -> "FakeTracker":
        return self

    def summarize(self, since: datetime, now: datetime) -> DaySummary:
        return self.day

    @property
    def study_log(self) -> "FakeTracker":
        return self

    def list_entries(self, study_uid: str, *, with_looks: bool = False) -> list[LogEntry]:
        return self.happened

    @property
    def dismissals(self) -> "FakeDismissals":
        self.ping()
        return FakeDismissals(self.refused)

    @property
    def cad_reports(self) -> "FakeTracker":
        return self

    @property
    def missing(self) -> "FakeTracker":
        return self

    def list_missing(self) -> list[MissingStudySummary]:
        return self.never_came

    def list_checks(self) -> list[ArrivalCheckSummary]:
        return self.compared

    def list_for_priors(self, study_uid: str) -> list[ReportFile]:
        return self.reports.get(study_uid, [])

    def get_installation_id(self) -> str:
        return "installation"

    def list_for_study(self, study_uid: str) -> list[LesionHistory]:
        return self.histories.get(study_uid, [])

    @property
    def access(self) -> "FakeTracker":
        return self

    def find_token(self, token: str) -> KnownCaller | None:
        self.ping()
        return KnownCaller("ada", Role.ADMIN, 1) if token == TOKEN else None

    def as_tracker(self) -> Tracker:
        """Return it as the tracker that it stands for."""
        return cast("Tracker", self)

    def ping(self) -> None:
        if self.away:
            raise TransientError("the database does not answer: OperationalError")

    def list_studies(
        self,
        limit: int = 50,
        matching: StudyFilter = _ALL,
        *,
        below: StudyPlace | None = None,
        above: StudyPlace | None = None,
    ) -> list[StudySummary]:
        found = self._matching(matching)
        places = [StudyPlace(one.last_arrived_at, one.study_uid) for one in found]
        if above is not None:
            end = places.index(above)
            return found[max(0, end - limit) : end]
        start = 0 if below is None else places.index(below) + 1
        return found[start : start + limit]

    def count_studies(self, matching: StudyFilter = _ALL) -> int:
        return len(self._matching(matching))

    def _matching(self, only: StudyFilter) -> list[StudySummary]:
        self.ping()
        mine = None if only.patient is None else self.patients.get(only.patient.patient_id, [])
        return [
            one
            for one in self.studies
            if only.state in {None, one.state}
            and only.outcome in {None, one.outcome}
            and (mine is None or one.study_uid in mine)
        ]

    def find_detail(self, study_uid: str) -> StudyDetail | None:
        self.ping()
        return self.details.get(study_uid)

    def list_destinations(self) -> list[DestinationSummary]:
        self.ping()
        return self.where

    def list_refusals(self, limit: int = 200) -> list[Refusal]:
        self.ping()
        return self.refused[:limit]

    def list_processes(self) -> list[ProcessSummary]:
        self.ping()
        return self.who

    def list_alarms(self) -> list[AlarmSummary]:
        self.ping()
        return self.raised

    def count_all(self, now: datetime) -> NodeCounts:
        self.ping()
        states = [one.state for one in self.studies]
        outcomes = [one.outcome for one in self.studies]
        return NodeCounts(
            studies={state: states.count(state) for state in StudyState},
            outcomes={outcome: outcomes.count(outcome) for outcome in Outcome},
            deliveries={
                (one.name, state): number
                for one in self.where
                for state, number in one.counts.items()
            },
            alarms=len(self.raised),
            due_studies=0,
            oldest_due_at=None,
        )


class FakeArchive(Archive):
    """A folder of files of any name, and as much room as a test says."""

    def __init__(self, root: Path, free: int = 50 * 10**9) -> None:
        super().__init__(root)
        self.free = free

    def resolve_path(self, relative_path: str) -> Path:
        return self.root / relative_path

    def measure_free_bytes(self) -> int:
        return self.free


def settings() -> Settings:
    return Settings(
        peers=(PeerSettings(ae_title="MAMMO_1", addresses=("10.20.4.31",)),),
        destinations=(
            DestinationSettings(name="pacs", ae_title="PACS", host="pacs.example", port=11112),
            DestinationSettings(name="viewer", ae_title="VIEWER", host="10.1.2.3", port=104),
        ),
    )


def capture_file(path: Path) -> Path:
    """A small secondary capture: red left, green right."""
    ds = _result(CAPTURE, f"{STUDY}.9.2")
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[:, :15, 0] = 255
    picture[:, 15:, 1] = 255
    ds.Rows, ds.Columns, ds.SamplesPerPixel = 20, 30, 3
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PhotometricInterpretation, ds.PlanarConfiguration = "RGB", 0
    ds.PixelData = picture.tobytes()
    ds.save_as(path, enforce_file_format=True)
    return path


def _coded(value: str, scheme: str, meaning: str) -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return [item]


def content_item(kind: str, concept: str, relationship: str = "CONTAINS") -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = relationship, kind
    item.ConceptNameCodeSequence = _coded("1", "DCM", concept)
    return item


def report() -> Dataset:
    """A structured report with one content item of each kind."""
    ds = _result(CAD_SR, f"{STUDY}.9.1")
    ds.PatientName, ds.PatientID = "Secret^Name", "SECRETID"
    ds.ValueType = "CONTAINER"
    ds.ConceptNameCodeSequence = _coded("111036", "DCM", "Mammography CAD Report")
    text = content_item("TEXT", "Comment")
    text.TextValue = "<script>alert(1)</script>"
    code = content_item("CODE", "Rendering Intent")
    code.ConceptCodeSequence = _coded("111150", "DCM", "Presentation Required")
    number = content_item("NUM", "Certainty of Finding")
    measured = Dataset()
    measured.NumericValue = "91"
    measured.MeasurementUnitsCodeSequence = _coded("%", "UCUM", "percent")
    number.MeasuredValueSequence = [measured]
    person = content_item("PNAME", "Person Observer Name", "HAS OBS CONTEXT")
    person.PersonName = "Secret^Name"
    outline = content_item("SCOORD", "Outline", "HAS PROPERTIES")
    outline.GraphicType, outline.GraphicData = "POLYLINE", [1, 1, 5, 1, 5, 5, 1, 1]
    center = content_item("SCOORD", "Center", "HAS PROPERTIES")
    center.GraphicType, center.GraphicData = "POINT", [2.5, 3.5]
    picture = content_item("IMAGE", "", "SELECTED FROM")
    del picture.ConceptNameCodeSequence
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CAPTURE, f"{STUDY}.1.1"
    picture.ReferencedSOPSequence = [reference]
    link = Dataset()
    link.RelationshipType, link.ReferencedContentItemIdentifier = "SELECTED FROM", [1, 2, 1]
    center.ContentSequence = [picture]
    outline.ContentSequence = [link]
    day = content_item("DATE", "Study Date")
    day.Date = "20260302"
    code.ContentSequence = [center, outline]
    ds.ContentSequence = [text, code, number, person, day]
    return ds


def _result(sop_class: str, instance_uid: str) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.StudyInstanceUID = sop_class, instance_uid, STUDY
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds


def outbox(
    number: int, kind: ObjectKind, path: str, *ways: DeliverySummary, revision: int = 1
) -> OutboxObjectSummary:
    return OutboxObjectSummary(
        id=number,
        revision=revision,
        profile="0123456789ab",
        kind=kind,
        index=0 if kind is ObjectKind.CAD_SR else number - 2,
        sop_instance_uid=f"{STUDY}.9.{number}",
        source_uid=f"{STUDY}.1.1",
        path=path,
        sha256="c0" * 32,
        size_bytes=2_530_000 if kind is ObjectKind.CAPTURE else 31_400,
        written_at=ago(258),
        deliveries=ways or (delivery(),),
    )


def read_study(
    folder: Path, summary: StudySummary | None = None, *ways: DeliverySummary
) -> StudyDetail:
    """A study with findings, its two objects lying in `folder`."""
    capture_file(folder / "capture.dcm")
    report().save_as(folder / "report.dcm", enforce_file_format=True)
    return StudyDetail(
        summary=summary or study(),
        revisions=(revision(),),
        images=(image("RCC", 1), image("LCC", 2), image("RMLO", 3), image("LMLO", 4)),
        findings=(finding("LCC-1", 2), finding("LMLO-1", 4), finding("RCC-1", 1, shown=False)),
        outbox_objects=(
            outbox(1, ObjectKind.CAD_SR, "report.dcm", *ways),
            outbox(2, ObjectKind.CAPTURE, "capture.dcm", *ways),
        ),
    )


def several(count: int) -> Sequence[StudySummary]:
    return [study(number) for number in range(1, count + 1)]


@dataclass
class Browser:
    """Asks an application without a socket; follows no redirect, keeps cookies by hand."""

    application: Starlette
    token: str = TOKEN
    """Sent with every request; empty: the caller is nobody yet."""
    address: str = "127.0.0.1"
    """Where it calls from."""

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return asyncio.run(self._ask("GET", path, headers or {}, None))

    def post(
        self, path: str, data: dict[str, str], headers: dict[str, str] | None = None
    ) -> httpx.Response:
        return asyncio.run(self._ask("POST", path, headers or {}, data))

    async def _ask(
        self, method: str, path: str, headers: dict[str, str], data: dict[str, str] | None
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self.application, client=(self.address, 50_000))
        own = {"authorization": f"Bearer {self.token}"} if self.token else {}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1", timeout=30
        ) as client:
            return await client.request(method, path, headers=own | headers, data=data)


def let_in(tracker: Tracker, name: str = "test", role: Role = Role.ADMIN) -> str:
    """Make a token with which a `Browser` gets in at a real tracker."""
    return tracker.access.add_token(name, role, "test", NOW)
