"""The tables of the tracker, by concern; importing this makes `Base.metadata` complete."""

from secondread.track.tables.base import Base, as_columns, from_row
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
    "OpenAssociationRow",
    "OutboxObjectRow",
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
    "as_columns",
    "from_row",
]
