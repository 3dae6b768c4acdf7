"""The values that go into the tracker and come out of it; frozen, and free of SQL."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from secondread.accept.dispositions import RETENTION_EXPIRED
from secondread.assemble.device import Device
from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.settings import ObjectKind
from secondread.track.states import Cause


class Severity(StrEnum):
    """How urgent an alarm is."""

    WARNING = "warning"
    CRITICAL = "critical"


CATEGORIES = frozenset({"0", "1", "2", "3", "4", "4A", "4B", "4C", "5", "6"})
"""Assessment categories of BI-RADS; the radiologist's alone, never ours."""


class Verdict(StrEnum):
    """What a radiologist makes of a finding."""

    CONFIRMED = "confirmed"
    """It is there, and worth marking."""
    KNOWN = "known-benign"
    """It is there, benign and known: marking it was no use."""
    REJECTED = "rejected"
    """It is nothing: a false mark."""
    WITHDRAWN = "withdrawn"
    """No verdict; an earlier one was a mistake."""


class StudyChange(StrEnum):
    """What a peer needs a right for."""

    REPLACE = "replace"
    """An image, by another content under its SOP Instance UID."""
    REJECT = "reject"
    """Images, by a rejection note."""


class RejectionState(StrEnum):
    """What became of one instance's rejection by one sender."""

    WAITING = "waiting"
    """The instance is not here yet, so nobody knows whether the sender may reject it."""
    IN_FORCE = "in-force"
    NOT_PERMITTED = "not-permitted"
    """The sender may not reject it, and nothing was withdrawn."""
    LIFTED = "lifted"
    """Its retention had expired, and it was sent once more."""
    OVERRULED = "overruled"
    """Its retention had expired, and another note says that it is wrong."""


@dataclass(frozen=True, slots=True)
class DueStudy:
    """A study that waits for a worker, with what the intake rule asks about."""

    study_uid: str
    study_date: date | None
    peer: str
    exempt: bool
    """Whether a person asked for it: the intake rule does not apply."""
    priors_due_at: datetime | None
    """Until when it waits for priors; None while none were asked for."""
    treated: bool | None
    """Whether the patient is known to have been treated; None where nothing is known."""


@dataclass(frozen=True, slots=True)
class InputInstance:
    """One instance that a revision is made from."""

    sop_instance_uid: str
    sha256: str
    sop_class_uid: str
    transfer_syntax: str
    path: str
    """Relative to the archive's folder."""
    is_expired: bool
    """Whether a rejection note says that its retention has expired, and no more."""


@dataclass(frozen=True, slots=True)
class PriorInputs:
    """One prior of a revision, as it was when the revision was claimed."""

    study_uid: str
    study_date: date | None
    reason: Reason | None
    """Why there is nothing of it to compare with; None where there is."""
    instances: tuple[InputInstance, ...]
    """Its images; empty where there are none."""
    archive_reasons: tuple[tuple[str, Reason], ...] = ()
    """Where several archives were asked for it and none sent it: each by name, with its reason."""


@dataclass(frozen=True, slots=True)
class RevisionPriors:
    """The priors of a revision, latest first, those that could not be had last."""

    studies: tuple[PriorInputs, ...]
    reason: Reason | None
    """Why there are none; None where there are some."""


@dataclass(frozen=True, slots=True)
class ClaimedRevision:
    """A reading that a worker has taken on, or that another has to take up again.

    Study and number name it everywhere: the engine's workflow, the outbox, the results. So
    whoever takes it up again repeats the same reading.
    """

    study_uid: str
    number: int
    cause: Cause
    content_at: datetime
    predecessor: int | None
    """Number of the latest finished revision before it."""
    worker: str


@dataclass(frozen=True, slots=True)
class RejectionNote:
    """What a Key Object Selection with a rejecting title withdraws."""

    code: str
    """Code Value of its title."""
    sop_instance_uids: tuple[str, ...]

    @property
    def is_expiry(self) -> bool:
        """Whether it means only that the archive keeps them no longer."""
        return self.code == RETENTION_EXPIRED


@dataclass(frozen=True, slots=True)
class RecordedImage:
    """What became of one image, as recorded."""

    sop_instance_uid: str
    label: str
    status: ImageStatus | None
    """None for an image outside the detector's scope."""
    reasons: tuple[Reason, ...] = ()
    gates: Mapping[str, float | str] = field(default_factory=dict)
    seconds: float = 0.0
    detail: str = ""
    answer_path: str | None = None
    """Where the detector's answer is stored, relative to the archive's folder."""


@dataclass(frozen=True, slots=True)
class RecordedFinding:
    """One finding, as recorded: what is searched for as columns, the whole as a document."""

    finding_id: str
    sop_instance_uid: str
    kind: str
    certainty: float
    suspicion: float | None
    priority: float | None
    shown: bool
    document: Mapping[str, Any]
    """JSON values only."""
    tracking_uid: str | None = None
    """Tracking identifier of its lesion; None where it has none."""
    certainty_log_odds: float | None = None
    """Of the certainty before it was rounded."""


@dataclass(frozen=True, slots=True)
class RecordedPriorFinding:
    """One lesion in an image of a prior that was read again, as recorded."""

    study_uid: str
    """The prior's."""
    label: str
    """Side and view of its image, as ``LCC``."""
    missed: str | None
    """A word for why the study has no such finding; None for one that it has."""
    finding: RecordedFinding
    """Its `tracking_uid` is not None."""


@dataclass(frozen=True, slots=True)
class RecordedObject:
    """One result object, as recorded: its file in the outbox folder is complete."""

    profile: str
    """Key of the destination profile it was made for."""
    kind: ObjectKind
    index: int
    sop_class_uid: str
    series_uid: str
    sop_instance_uid: str
    source_uid: str | None
    path: str
    """Relative to the outbox folder."""
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """Where the detector's answer about a file is stored."""

    sha256: str
    """The file's."""
    maker: str
    """Digest of all that the answer depends on besides the file."""
    path: str
    """Relative to the archive's folder."""


@dataclass(frozen=True, slots=True)
class RecordedReading:
    """Everything that a reading leaves behind, recorded in one transaction."""

    study_uid: str
    revision: int
    outcome: Outcome
    reasons: tuple[Reason, ...]
    images: tuple[RecordedImage, ...]
    findings: tuple[RecordedFinding, ...]
    shown_lesions: int
    """How many lesions are shown; what several images show counts once."""
    objects: tuple[RecordedObject, ...]
    prior_findings: tuple[RecordedPriorFinding, ...] = ()
    """Of the priors' images that were read again, the earliest prior's first."""
    answers: tuple[StoredAnswer, ...] = ()
    """The detector's answers, those about priors' images among them."""
    exam_score: float | None = None
    """How likely the exam holds a cluster that a reader would describe, 0-100."""
    exam_log_odds: float | None = None
    """The same as natural log odds."""
    priority: float | None = None
    """Of the finding to look at first; None where nothing is shown."""
    device: Device | None = None
    """What made the images that were read; None where none was."""


@dataclass(frozen=True, slots=True)
class TreatmentRecord:
    """A treatment of one breast."""

    side: str
    """R or L."""
    procedure: str
    """For example ``lumpectomy``, ``mastectomy``, ``radiotherapy``."""
    started_on: date | None = None
    ended_on: date | None = None
    site: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process of the node, as it introduces itself with each heartbeat."""

    name: str
    kind: str
    host: str
    pid: int
    version: str
