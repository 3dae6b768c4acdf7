"""The tables of the tracker, by concern; importing this makes `Base.metadata` complete."""

from secondread.track.tables.access_tables import LoginLinkRow, WebSessionRow, WebTokenRow
from secondread.track.tables.audit_tables import AuditMessageRow
from secondread.track.tables.base import Base, as_columns, draw_claim, from_row
from secondread.track.tables.delivery_tables import (
    CommitmentItemRow,
    CommitmentRow,
    DeliveryRow,
    DestinationChangeRow,
    DestinationRow,
    FetchRequestRow,
    OutboxObjectRow,
)
from secondread.track.tables.operation_tables import (
    AlarmRow,
    AssociationStudyRow,
    OpenAssociationRow,
    ProcessRow,
    RefusalRow,
)
from secondread.track.tables.result_tables import (
    AssessmentRow,
    FindingRow,
    ImageResultRow,
    LesionRow,
    PriorFindingRow,
    RevisionRow,
    StoredAnswerRow,
)
from secondread.track.tables.study_tables import (
    InstallationRow,
    InstanceRow,
    OtherObjectRow,
    PatientIdentityRow,
    PatientMergeRow,
    PatientRow,
    RejectionRow,
    SeriesRow,
    StudyRow,
    TreatmentChangeRow,
    TreatmentRow,
)

__all__ = [
    "AlarmRow",
    "AssessmentRow",
    "AssociationStudyRow",
    "AuditMessageRow",
    "Base",
    "CommitmentItemRow",
    "CommitmentRow",
    "DeliveryRow",
    "DestinationChangeRow",
    "DestinationRow",
    "FetchRequestRow",
    "FindingRow",
    "ImageResultRow",
    "InstallationRow",
    "InstanceRow",
    "LesionRow",
    "LoginLinkRow",
    "OpenAssociationRow",
    "OtherObjectRow",
    "OutboxObjectRow",
    "PatientIdentityRow",
    "PatientMergeRow",
    "PatientRow",
    "PriorFindingRow",
    "ProcessRow",
    "RefusalRow",
    "RejectionRow",
    "RevisionRow",
    "SeriesRow",
    "StoredAnswerRow",
    "StudyRow",
    "TreatmentChangeRow",
    "TreatmentRow",
    "WebSessionRow",
    "WebTokenRow",
    "as_columns",
    "draw_claim",
    "from_row",
]
