"""What pages, commands and gauges show: frozen values, without a patient's identity."""

from dataclasses import dataclass, field
from datetime import date, datetime

from secondread.accept.dispositions import Disposition
from secondread.assemble.device import Device
from secondread.assemble.patient_key import PatientKey
from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.send.fetch_queue import FetchKind
from secondread.settings import DestinationMode, ObjectKind, Proof
from secondread.track.states import Cause, DeliveryState, FetchState, RevisionState, StudyState
from secondread.track.values import RecordedFinding, Severity, StudyChange


@dataclass(frozen=True, slots=True)
class StudySummary:
    """One line of the list of studies."""

    study_uid: str
    study_date: date | None
    peer: str
    state: StudyState
    hold_reason: Reason | None
    revision: int
    """Number of the latest revision; 0 before the first."""
    outcome: Outcome | None
    """Of the latest finished revision."""
    shown_findings: int
    """Of the latest finished revision."""
    images: int
    first_arrived_at: datetime
    last_arrived_at: datetime
    due_at: datetime | None
    reported_at: datetime | None
    waiting_deliveries: int
    doubtful_images: int = 0
    """Of the latest finished revision: read with doubts."""
    next_cause: Cause | None = None
    """Why it is to be read again; None before the first reading, and where it is not."""
    requested_by: str | None = None
    """Who asked for the next reading."""
    dismissed_at: datetime | None = None
    """When a person was done with a study whose reading failed."""
    dismissed_by: str | None = None
    dismiss_reason: str | None = None
    patient: int | None = None
    """Number of its patient, which says nothing of who it is."""
    device: str | None = None
    """Maker, model and station of the unit that made its first image."""


@dataclass(frozen=True, slots=True)
class DeviceSummary:
    """A device that made exams which were read."""

    number: int
    label: str
    """In metrics, alarms and logs: maker and number, as ``hologic-2``."""
    device: Device


@dataclass(frozen=True, slots=True)
class StudyPlace:
    """Where a study stands in the list of studies, whatever is added to it."""

    last_arrived_at: datetime
    study_uid: str


@dataclass(frozen=True, slots=True)
class StudyFilter:
    """Which studies are listed; None leaves a field open."""

    state: StudyState | None = None
    outcome: Outcome | None = None
    patient: PatientKey | None = None
    """Exact; an empty issuer matches any."""
    study_uid: str | None = None
    """Exact."""


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """One image of a study: what arrived, and what the latest finished revision made of it."""

    sop_instance_uid: str
    label: str
    arrived_at: datetime
    path: str
    """Relative to the archive's folder."""
    scope_reason: Reason | None
    current: bool
    conflict: bool
    withheld: Reason | None
    """Why this version of the image does not count; None for one that does or did."""
    set_aside: bool
    """Whether it is of another patient than the study."""
    rejected: bool
    late: bool
    status: ImageStatus | None
    reasons: tuple[Reason, ...]
    gates: dict[str, float | str]
    seconds: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class RefusedChange:
    """A change of an image that a peer tried without the right to."""

    change: StudyChange
    peer: str
    """Its calling AE title."""
    address: str
    sop_instance_uid: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OtherObjectSummary:
    """One object of a study that is no image of it and no result."""

    sop_instance_uid: str
    sop_class_uid: str
    disposition: Disposition
    peer: str
    """Calling AE title that sent it."""
    arrived_at: datetime
    """When it last came."""
    size_bytes: int
    is_altered: bool = False
    """Whether it has the UID of an object that this node wrote, and another content."""


@dataclass(frozen=True, slots=True)
class RevisionSummary:
    """One revision of a study."""

    number: int
    cause: Cause
    predecessor: int | None
    """The revision whose results it replaces; None for the first that has any."""
    state: RevisionState
    outcome: Outcome | None
    reasons: tuple[Reason, ...]
    inputs: int
    settings_digest: str
    model_digest: str
    worker: str
    requested_by: str | None
    started_at: datetime
    finished_at: datetime | None
    error: str | None
    due_at: datetime | None = None
    """When its study was due, settled or quiet for long enough."""


@dataclass(frozen=True, slots=True)
class DeliverySummary:
    """One object on its way to one destination."""

    destination: str
    state: DeliveryState
    attempts: int
    due_at: datetime
    last_status: int | None
    last_error: str | None
    delivered_at: datetime | None
    proof: Proof | None
    """What proved it; None before it is delivered."""
    stored_at: datetime | None = None
    """When the destination answered that it stored it, where another proof is asked for."""
    proof_asked: int = 0
    """How often that proof was asked for since then."""
    proof_refused: int = 0
    """How often the destination answered that it does not hold what it had stored."""


@dataclass(frozen=True, slots=True)
class OutboxObjectSummary:
    """One result object of a study."""

    id: int
    revision: int
    profile: str
    kind: ObjectKind
    index: int
    sop_instance_uid: str
    source_uid: str | None
    path: str
    sha256: str
    size_bytes: int
    written_at: datetime
    deliveries: tuple[DeliverySummary, ...]


@dataclass(frozen=True, slots=True)
class FetchRequestSummary:
    """One question to an archive about a study's priors, and what came of it."""

    source: str
    kind: FetchKind
    prior_study_uid: str
    """Empty for a query."""
    prior_study_date: date | None
    state: FetchState
    reason: Reason | None
    detail: str | None
    """For people; it may quote the archive."""
    attempts: int
    due_at: datetime
    images: int
    """How many images of it the node holds."""


@dataclass(frozen=True, slots=True)
class StudyDetail:
    """Everything about one study."""

    summary: StudySummary
    revisions: tuple[RevisionSummary, ...]
    """Latest first."""
    images: tuple[ImageSummary, ...]
    findings: tuple[RecordedFinding, ...]
    """Of the latest finished revision."""
    outbox_objects: tuple[OutboxObjectSummary, ...]
    other_objects: tuple[OtherObjectSummary, ...] = ()
    """What came beside its images."""
    fetch_requests: tuple[FetchRequestSummary, ...] = ()
    """What archives were asked for, queries first."""
    refused_changes: tuple[RefusedChange, ...] = ()
    """What peers tried without the right to, the latest first."""


@dataclass(frozen=True, slots=True)
class DestinationSummary:
    """One destination, and what waits for it."""

    name: str
    mode: DestinationMode
    changed_at: datetime
    changed_by: str
    counts: dict[DeliveryState, int]
    oldest_waiting_at: datetime | None
    last_delivered_at: datetime | None
    reasons: tuple[str, ...] = ()
    """Why what waits was not delivered yet, the commonest first."""
    next_attempt_at: datetime | None = None
    """When the next of it is due."""
    warned: int = 0
    """Objects that it stored with a warning."""
    oldest_unproven_at: datetime | None = None
    """Since when the oldest undelivered object that was stored once waits for its proof."""


@dataclass(frozen=True, slots=True)
class MissingStudySummary:
    """A mammography study that an archive lists and that never arrived."""

    study_uid: str
    source: str
    study_date: date
    first_listed_at: datetime
    last_listed_at: datetime
    ignored_at: datetime | None
    ignored_by: str | None
    ignore_reason: str | None


@dataclass(frozen=True, slots=True)
class ArrivalCheckSummary:
    """When an archive's list was last held against what has arrived, and what came of it."""

    source: str
    due_at: datetime
    checked_at: datetime | None
    listed: int | None
    unreadable: int | None
    last_error: str | None

    def describe(self) -> str:
        """Return the same in words."""
        if self.checked_at is None:
            words = "not compared yet"
        else:
            unread = f", {self.unreadable} not readable" if self.unreadable else ""
            words = f"compared {self.checked_at:%Y-%m-%d %H:%M} UTC, {self.listed} listed{unread}"
        fault = f"; not since then: {self.last_error}" if self.last_error else ""
        return f"{self.source}: {words}{fault}; next {self.due_at:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class ProcessSummary:
    """One process of the node."""

    name: str
    kind: str
    host: str
    pid: int
    version: str
    started_at: datetime
    beat_at: datetime


@dataclass(frozen=True, slots=True)
class AlarmSummary:
    """One alarm that is raised."""

    kind: str
    subject: str
    detail: str
    severity: Severity
    raised_at: datetime
    id: int = 0
    dismissed_at: datetime | None = None
    """When a person was done with it, though it is raised still."""
    dismissed_by: str | None = None
    dismiss_reason: str | None = None


@dataclass(frozen=True, slots=True)
class ExpectedFile:
    """One file that the archive holds according to the database."""

    id: int
    """Ask for the next page with the last one."""
    study_uid: str
    path: str
    """Relative to the archive's folder."""
    sha256: str
    """Of the encoded data set."""
    size_bytes: int


@dataclass(frozen=True, slots=True)
class NodeCounts:
    """The gauges."""

    studies: dict[StudyState, int]
    outcomes: dict[Outcome, int]
    """Studies by the outcome of their latest finished revision."""
    deliveries: dict[tuple[str, DeliveryState], int]
    """By destination and state."""
    alarms: int
    due_studies: int
    oldest_due_at: datetime | None
    """When the first of them became due, at the earliest; None where none is."""
    priors: dict[tuple[str, FetchState], int] = field(default_factory=dict)
    """Queries for priors and priors wanted, by archive and state."""
