"""The tables of the tracker, by concern; importing this makes `Base.metadata` complete."""

from secondread.track.tables.base import Base
from secondread.track.tables.deliveries import (
    Commitment,
    CommitmentItem,
    Delivery,
    Destination,
    DestinationChange,
    OutboxObjectRow,
)
from secondread.track.tables.operations import (
    Alarm,
    AssociationStudy,
    OpenAssociation,
    Process,
    Refusal,
)
from secondread.track.tables.priors import PriorRequest
from secondread.track.tables.results import (
    Assessment,
    FindingRow,
    ImageResult,
    KnownAnswer,
    Lesion,
    PriorFindingRow,
    Revision,
)
from secondread.track.tables.studies import (
    Installation,
    Instance,
    Patient,
    PatientMerge,
    Rejection,
    Series,
    Study,
    Treatment,
    TreatmentChange,
)

__all__ = [
    "Alarm",
    "Assessment",
    "AssociationStudy",
    "Base",
    "Commitment",
    "CommitmentItem",
    "Delivery",
    "Destination",
    "DestinationChange",
    "FindingRow",
    "ImageResult",
    "Installation",
    "Instance",
    "KnownAnswer",
    "Lesion",
    "OpenAssociation",
    "OutboxObjectRow",
    "Patient",
    "PatientMerge",
    "PriorFindingRow",
    "PriorRequest",
    "Process",
    "Refusal",
    "Rejection",
    "Revision",
    "Series",
    "Study",
    "Treatment",
    "TreatmentChange",
]
