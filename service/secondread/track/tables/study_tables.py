"""Tables of what came in: patients, studies, series, instances, treatments."""

from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from secondread.accept.dispositions import Disposition
from secondread.reasons import Outcome, Reason
from secondread.track.states import Cause, StudyState
from secondread.track.tables.base import (
    AeText,
    Base,
    Digest,
    Dismissible,
    EnumText,
    Uid,
    index_some,
)
from secondread.track.values import RejectionState


class InstallationRow(Base):
    """The one row that identifies this installation; UIDs of results derive from it."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    uid: Mapped[str] = mapped_column(String(32))


class PatientRow(Base):
    """A patient: ID together with its issuer. Who it is stands here and in the next table alone."""

    __tablename__ = "patients"
    __table_args__ = (
        UniqueConstraint("patient_id", "issuer"),
        Index("ix_patients_id_in_any_case", text("lower(patient_id)")),
        index_some("ix_patients_merged_into", "merged_into", where="merged_into IS NOT NULL"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[str] = mapped_column(Text)
    issuer: Mapped[str] = mapped_column(Text)
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("patients.id"))
    """Whose other ID this is: never itself merged; None for a patient."""


class PatientIdentityRow(Base):
    """A person whom images under an ID state: one row for each name and birth date."""

    __tablename__ = "patient_identities"
    __table_args__ = (UniqueConstraint("patient", "name", "born"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    patient: Mapped[int] = mapped_column(ForeignKey("patients.id"))
    """The ID itself, whatever it was merged into."""
    name: Mapped[str] = mapped_column(Text)
    """As stated, decoded; empty for a placeholder."""
    born: Mapped[str] = mapped_column(String(24))
    """First and last day on which she may have been born, with a slash between; after a tilde
    where they follow from an age; empty where nothing is known."""
    confirmed_at: Mapped[datetime | None]
    """When a person confirmed that this is the patient."""
    confirmed_by: Mapped[str | None] = mapped_column(String(80))


class PatientMergeRow(Base):
    """The audit trail of merged patients."""

    __tablename__ = "patient_merges"
    __table_args__ = (Index(None, "merged"), Index(None, "into"))

    id: Mapped[int] = mapped_column(primary_key=True)
    merged: Mapped[int] = mapped_column(ForeignKey("patients.id"))
    into: Mapped[int] = mapped_column(ForeignKey("patients.id"))
    studies: Mapped[int]
    """How many studies changed hands."""
    treatments: Mapped[int]
    """How many treatments changed hands."""
    merged_at: Mapped[datetime]
    merged_by: Mapped[str] = mapped_column(String(80))


class TreatmentRow(Base):
    """A treatment of one breast, as far as it is known."""

    __tablename__ = "treatments"
    __table_args__ = (Index(None, "patient"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    patient: Mapped[int] = mapped_column(ForeignKey("patients.id"))
    side: Mapped[str] = mapped_column(String(1))
    """R or L."""
    procedure: Mapped[str] = mapped_column(String(40))
    started_on: Mapped[date | None]
    ended_on: Mapped[date | None]
    site: Mapped[str] = mapped_column(Text)
    """Clock face or quadrant as recorded; empty where unknown."""
    source: Mapped[str] = mapped_column(String(40))
    """Where this is known from, for example ``csv`` or ``header``."""
    recorded_at: Mapped[datetime]


class TreatmentChangeRow(Base):
    """The audit trail of treatments: what was written down or struck out, when, and by whom."""

    __tablename__ = "treatment_changes"
    __table_args__ = (Index(None, "patient"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    patient: Mapped[int] = mapped_column(ForeignKey("patients.id"))
    """At the time of the change."""
    added: Mapped[bool]
    """Whether it was added; otherwise it was removed."""
    side: Mapped[str] = mapped_column(String(1))
    procedure: Mapped[str] = mapped_column(String(40))
    started_on: Mapped[date | None]
    ended_on: Mapped[date | None]
    site: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(80))


HAS_FAILED = "dismissed_at IS NULL AND (outcome = 'failed' OR state = 'stuck')"
"""The condition of studies that were not read for a fault, and that nobody has done with."""


class StudyRow(Dismissible, Base):
    """A study, where it stands, and when it is due."""

    __tablename__ = "studies"
    __table_args__ = (
        # Of the many that were read long ago, none has a due time.
        index_some("ix_studies_quiet_due_at", "quiet_due_at", where="quiet_due_at IS NOT NULL"),
        index_some("ix_studies_settle_due_at", "settle_due_at", where="settle_due_at IS NOT NULL"),
        index_some("ix_studies_priors_due_at", "priors_due_at", where="priors_due_at IS NOT NULL"),
        Index(None, "patient", "study_date"),
        # For lists in this order, of all and of some.
        Index(None, "last_arrived_at", "study_uid"),
        Index(None, "state", "last_arrived_at", "study_uid"),
        Index(None, "outcome", "last_arrived_at", "study_uid"),
        Index(None, "first_arrived_at"),
        Index(None, "study_date", "study_uid"),
        # For what a person typed, in any case.
        Index("ix_studies_accession", text("lower(accession_number)")),
        index_some("ix_studies_failed", "last_arrived_at", "study_uid", where=HAS_FAILED),
    )

    study_uid: Mapped[str] = mapped_column(Uid, primary_key=True)
    patient: Mapped[int | None] = mapped_column(ForeignKey("patients.id"))
    """None where the images carry no Patient ID: such a study has no priors."""
    study_date: Mapped[date | None]
    accession_number: Mapped[str | None] = mapped_column(String(64))
    device: Mapped[str | None] = mapped_column(String(200))
    """Maker, model and station of the unit that made its first image."""
    peer: Mapped[str] = mapped_column(AeText)
    """Calling AE title that sent its first image, or before there is any its first instance; its
    intake rule applies."""
    state: Mapped[StudyState] = mapped_column(EnumText(StudyState))
    hold_reason: Mapped[Reason | None] = mapped_column(EnumText(Reason))
    """Why the intake rule holds it back."""
    exempt: Mapped[bool] = mapped_column(default=False)
    """Whether a person asked for it, so that the intake rule no longer applies."""
    first_arrived_at: Mapped[datetime]
    last_arrived_at: Mapped[datetime]
    quiet_due_at: Mapped[datetime | None]
    """When it is read whatever has come; None while nothing is to be read."""
    settle_due_at: Mapped[datetime | None]
    """When it is read if no association is open for it; None unless the view set is in."""
    priors_due_at: Mapped[datetime | None]
    """Until when its reading waits for priors; None before the first question for them."""
    next_cause: Mapped[Cause | None] = mapped_column(EnumText(Cause))
    """Cause of the revision that the due times will make."""
    requested_by: Mapped[str | None] = mapped_column(String(80))
    """Who asked for the next revision."""
    revision: Mapped[int] = mapped_column(default=0)
    """Number of the latest revision; 0 before the first."""
    outcome: Mapped[Outcome | None] = mapped_column(EnumText(Outcome))
    """Of the latest finished revision."""
    shown_findings: Mapped[int] = mapped_column(default=0)
    """Of the latest finished revision; what several images show counts once."""
    reported_at: Mapped[datetime | None]
    """When results were last recorded."""


class SeriesRow(Base):
    """A series of a study."""

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("study_uid", "series_uid"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_uid: Mapped[str] = mapped_column(Uid, ForeignKey("studies.study_uid"))
    series_uid: Mapped[str] = mapped_column(Uid)
    modality: Mapped[str] = mapped_column(String(64))


class InstanceRow(Base):
    """One version of one instance: the same UID may come with other bytes."""

    __tablename__ = "instances"
    __table_args__ = (
        UniqueConstraint("sop_instance_uid", "sha256"),
        Index(None, "study_uid", "current"),
        Index(None, "identity"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sop_instance_uid: Mapped[str] = mapped_column(Uid)
    sha256: Mapped[str] = mapped_column(Digest)
    """Of the encoded data set, without the file meta information."""
    sop_class_uid: Mapped[str] = mapped_column(Uid)
    study_uid: Mapped[str] = mapped_column(Uid, ForeignKey("studies.study_uid"))
    series: Mapped[int] = mapped_column(ForeignKey("series.id"))
    transfer_syntax: Mapped[str] = mapped_column(Uid)
    path: Mapped[str] = mapped_column(Text)
    """Relative to the archive's folder."""
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    peer: Mapped[str] = mapped_column(AeText)
    """Calling AE title of who sent this version first."""
    address: Mapped[str] = mapped_column(String(64))
    """IP address of who sent this version first."""
    association: Mapped[str] = mapped_column(String(64))
    arrived_at: Mapped[datetime]
    disposition: Mapped[Disposition] = mapped_column(EnumText(Disposition))
    scope_reason: Mapped[Reason | None] = mapped_column(EnumText(Reason))
    """Why an image is outside the detector's scope; None for one inside it."""
    identity: Mapped[int | None] = mapped_column(ForeignKey("patient_identities.id"))
    """Whom its header states; None where it has no Patient ID."""
    laterality: Mapped[str | None] = mapped_column(String(1))
    view: Mapped[str | None] = mapped_column(String(16))
    """Member name of `codes.View`."""
    intent: Mapped[str | None] = mapped_column(String(16))
    current: Mapped[bool] = mapped_column(default=True)
    """False once another version of the same instance counts in its place, and for one that
    never counted."""
    conflict: Mapped[bool] = mapped_column(default=False)
    """Whether the same UID came with other bytes, or from an archive that was not asked for it."""
    withheld: Mapped[Reason | None] = mapped_column(EnumText(Reason))
    """Why this version does not count, whatever comes; None for one that does or did."""
    set_aside: Mapped[bool] = mapped_column(default=False)
    """Whether it is an image of another patient than its study's (`track.study_patient`)."""
    rejected_at: Mapped[datetime | None]
    """When a rejection note withdrew it."""
    late: Mapped[bool] = mapped_column(default=False)
    """Whether it came after the late window and made no revision by itself."""


class OtherObjectRow(Base):
    """An object beside the images of a study that is stored for a time, and not analysed."""

    __tablename__ = "other_objects"
    __table_args__ = (
        UniqueConstraint("sop_instance_uid", "sha256"),
        Index(None, "study_uid"),
        Index(None, "arrived_at"),
        Index(None, "peer", "is_altered"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_uid: Mapped[str] = mapped_column(Uid, ForeignKey("studies.study_uid"))
    series_uid: Mapped[str] = mapped_column(Uid)
    sop_instance_uid: Mapped[str] = mapped_column(Uid)
    sop_class_uid: Mapped[str] = mapped_column(Uid)
    transfer_syntax: Mapped[str] = mapped_column(Uid)
    sha256: Mapped[str] = mapped_column(Digest)
    """Of the encoded data set, without the file meta information."""
    path: Mapped[str] = mapped_column(Text)
    """Relative to the archive's folder."""
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    peer: Mapped[str] = mapped_column(AeText)
    arrived_at: Mapped[datetime]
    """When it last came."""
    disposition: Mapped[Disposition] = mapped_column(EnumText(Disposition))
    is_altered: Mapped[bool]
    """Whether it has the UID of an object that this node wrote, and another content."""


class RejectionRow(Base):
    """An instance that a rejection note of one sender names; it may come before the instance."""

    __tablename__ = "rejections"
    __table_args__ = (
        UniqueConstraint("study_uid", "sop_instance_uid", "note_uid", "peer", "address"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_uid: Mapped[str] = mapped_column(Uid, ForeignKey("studies.study_uid"))
    sop_instance_uid: Mapped[str] = mapped_column(Uid)
    note_uid: Mapped[str] = mapped_column(Uid)
    code: Mapped[str] = mapped_column(String(16))
    """Code Value of the note's title (CID 7010), for example 113001."""
    peer: Mapped[str] = mapped_column(AeText)
    """Calling AE title of who sent the note."""
    address: Mapped[str] = mapped_column(String(64))
    """IP address of who sent the note."""
    state: Mapped[RejectionState] = mapped_column(EnumText(RejectionState))
    rejected_at: Mapped[datetime]
