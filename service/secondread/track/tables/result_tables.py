"""Tables of what was read: revisions, images, findings, lesions."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.track.states import Cause, RevisionState
from secondread.track.tables.base import Base, Digest, Document, EnumText, Uid, index_some
from secondread.track.values import Verdict


class RevisionRow(Base):
    """One reading of one study: what it was made from, and what it ended in."""

    __tablename__ = "revisions"
    __table_args__ = (
        UniqueConstraint("study_uid", "number"),
        Index(None, "started_at"),
        Index(None, "finished_at"),
        index_some("ix_revisions_under_way", "started_at", where="state = 'started'"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_uid: Mapped[str] = mapped_column(Uid, ForeignKey("studies.study_uid"))
    number: Mapped[int]
    """From 1."""
    cause: Mapped[Cause] = mapped_column(EnumText(Cause))
    inputs: Mapped[list[list[str]]] = mapped_column(Document)
    """SOP Instance UID and SHA-256 of each current, not rejected instance when it was claimed."""
    set_aside: Mapped[list[list[str]]] = mapped_column(Document, default=list)
    """The same of each image of another patient, which it was not made from."""
    priors: Mapped[dict[str, Any] | None]
    """The priors chosen at the claim and their images, or why there are none; see
    `track.prior_choice`. None where none were chosen."""
    doubtful: Mapped[list[list[str]]] = mapped_column(Document, default=list)
    """Study Instance UID and date of what would be a prior if it were sure whose it is."""
    basis_digest: Mapped[str | None] = mapped_column(Digest)
    """What its result depends on, by `track.reading_basis`; None where that was not known."""
    settings_digest: Mapped[str] = mapped_column(Digest)
    model_digest: Mapped[str] = mapped_column(Digest)
    state: Mapped[RevisionState] = mapped_column(EnumText(RevisionState))
    outcome: Mapped[Outcome | None] = mapped_column(EnumText(Outcome))
    reasons: Mapped[tuple[Reason, ...]] = mapped_column(default=())
    predecessor: Mapped[int | None]
    """Number of the latest finished revision before it."""
    requested_by: Mapped[str | None] = mapped_column(String(80))
    worker: Mapped[str] = mapped_column(String(80))
    """Who claimed it, and from its first run on who runs it."""
    run: Mapped[int] = mapped_column(default=0)
    """The run that may write, counted from 1, and one more where its worker was taken over."""
    step: Mapped[str | None] = mapped_column(String(100))
    """The step that was begun last."""
    in_step: Mapped[bool] = mapped_column(default=False)
    """Whether that step is under way: a run that begins finds out that its worker died in it."""
    faults: Mapped[int] = mapped_column(default=0)
    """How often in a row the worker died in that step by a fault of its own."""
    deaths: Mapped[int] = mapped_column(default=0)
    """How often in a row it died in that step, in whatever way."""
    held_up_at: Mapped[datetime | None]
    """Since when something outside of the reading holds it up: a disk, the database."""
    content_at: Mapped[datetime]
    """Start of content creation as written into the results, fixed once at the claim."""
    due_at: Mapped[datetime | None]
    """When its study was due, settled or quiet for long enough; it may have waited since."""
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    """Why its workflow gave up; no patient data."""
    exam_score: Mapped[float | None]
    """How likely the exam holds a cluster that a reader would describe, 0-100."""
    exam_log_odds: Mapped[float | None]
    """The same as natural log odds."""
    priority: Mapped[float | None]
    """Of the finding to look at first, 0-100; None where nothing is shown."""


class ImageResultRow(Base):
    """What became of one image in one revision."""

    __tablename__ = "image_results"
    __table_args__ = (UniqueConstraint("revision", "sop_instance_uid"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(ForeignKey("revisions.id"))
    sop_instance_uid: Mapped[str] = mapped_column(Uid)
    label: Mapped[str] = mapped_column(String(32))
    """Side and view, as ``LCC``."""
    status: Mapped[ImageStatus | None] = mapped_column(EnumText(ImageStatus))
    """None for an image outside the detector's scope."""
    reasons: Mapped[tuple[Reason, ...]] = mapped_column(default=())
    gates: Mapped[dict[str, Any]] = mapped_column(default=dict)
    seconds: Mapped[float] = mapped_column(default=0.0)
    detail: Mapped[str] = mapped_column(Text, default="")
    answer_path: Mapped[str | None] = mapped_column("answer", Text)
    """The detector's answer, relative to the archive's folder; None where it has not answered."""


class StoredAnswerRow(Base):
    """The detector's answer about a file, whichever study or revision it was read for."""

    __tablename__ = "known_answers"
    __table_args__ = (UniqueConstraint("sha256", "maker"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(Digest)
    """The file's."""
    maker: Mapped[str] = mapped_column(Digest)
    """Digest of all that the answer depends on besides the file: program, model, settings."""
    path: Mapped[str] = mapped_column(Text)
    """Of the answer, relative to the archive's folder."""


class LesionRow(Base):
    """What findings of several views and years have in common: one tracking identifier."""

    __tablename__ = "lesions"
    __table_args__ = (Index(None, "patient"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    patient: Mapped[int | None] = mapped_column(ForeignKey("patients.id"))
    tracking_uid: Mapped[str] = mapped_column(Uid, unique=True)
    first_study_uid: Mapped[str] = mapped_column(Uid, ForeignKey("studies.study_uid"))


class FindingRow(Base):
    """One finding of one revision; the whole of it is in `document`."""

    __tablename__ = "findings"
    __table_args__ = (
        UniqueConstraint("revision", "finding_id"),
        Index(None, "lesion"),
        Index(None, "sop_instance_uid"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(ForeignKey("revisions.id"))
    finding_id: Mapped[str] = mapped_column(String(40))
    """Unique in the revision, as ``LCC-1``."""
    sop_instance_uid: Mapped[str] = mapped_column(Uid)
    kind: Mapped[str] = mapped_column(String(40))
    certainty: Mapped[float]
    """0-100."""
    certainty_log_odds: Mapped[float | None]
    """Natural log odds of the certainty before it was rounded."""
    suspicion: Mapped[float | None]
    """0-100."""
    priority: Mapped[float | None]
    """0-100; the one order of findings. Of a lesion the highest of its views."""
    shown: Mapped[bool]
    lesion: Mapped[int | None] = mapped_column(ForeignKey("lesions.id"))
    document: Mapped[dict[str, Any]]


class PriorFindingRow(Base):
    """A lesion in an image of a prior that a revision read again; the prior has its own results.

    Those of the study's lesions, and those that the study does not show any more.
    """

    __tablename__ = "prior_findings"
    __table_args__ = (
        UniqueConstraint("revision", "sop_instance_uid", "finding_id"),
        Index(None, "lesion"),
        Index(None, "sop_instance_uid"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(ForeignKey("revisions.id"))
    """Of the study that was compared with the prior."""
    study_uid: Mapped[str] = mapped_column(Uid)
    """The prior's."""
    sop_instance_uid: Mapped[str] = mapped_column(Uid)
    finding_id: Mapped[str] = mapped_column(String(40))
    """Unique among the prior's in this revision."""
    label: Mapped[str] = mapped_column(String(32))
    """Side and view of its image, as ``LCC``."""
    kind: Mapped[str] = mapped_column(String(40))
    certainty: Mapped[float]
    certainty_log_odds: Mapped[float | None]
    """0-100."""
    suspicion: Mapped[float | None]
    """0-100."""
    priority: Mapped[float | None]
    """0-100; the one order of findings. Of a lesion the highest of its views."""
    shown: Mapped[bool]
    lesion: Mapped[int] = mapped_column(ForeignKey("lesions.id"))
    missed: Mapped[str | None] = mapped_column(String(40))
    """Where the study has no such finding: whether it is gone, or out of the field of view."""
    document: Mapped[dict[str, Any]]


class VerdictRow(Base):
    """What a radiologist made of one finding of one revision; the last entry counts."""

    __tablename__ = "verdicts"
    __table_args__ = (Index(None, "study_uid", "revision"), Index(None, "recorded_at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    study_uid: Mapped[str] = mapped_column(Uid, ForeignKey("studies.study_uid"))
    revision: Mapped[int]
    """Number of the revision: in another one, the same identifier is another finding."""
    finding_id: Mapped[str] = mapped_column(String(40))
    verdict: Mapped[Verdict] = mapped_column(EnumText(Verdict))
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str] = mapped_column(String(80))


class AssessmentRow(Base):
    """The radiologist's assessment category of one breast in one exam; the last entry counts."""

    __tablename__ = "assessments"
    __table_args__ = (Index(None, "study_uid"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_uid: Mapped[str] = mapped_column(Uid, ForeignKey("studies.study_uid"))
    side: Mapped[str] = mapped_column(String(1))
    """R or L."""
    category: Mapped[str] = mapped_column(String(2))
    """BI-RADS: 0 to 6, 4A to 4C; empty where an entry was withdrawn."""
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str] = mapped_column(String(80))
