"""A result object before it becomes a file, and its authorship: who writes it, when, for whom."""

from dataclasses import dataclass
from datetime import datetime

from pydicom.dataset import Dataset

from secondread.report.sr.uids import ResultUids
from secondread.settings import ObjectKind, ProfileSettings


@dataclass(frozen=True, slots=True)
class ResultObject:
    """One object that leaves the node."""

    kind: ObjectKind
    index: int
    """Position among the objects of this kind of the same reading, from 0."""
    source_uid: str | None
    """The image it is drawn on; None when it is about the study."""
    dataset: Dataset
    """Complete, with file meta information, Explicit VR Little Endian."""

    @property
    def sop_instance_uid(self) -> str:
        """Its SOP Instance UID."""
        return str(self.dataset.SOPInstanceUID)


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """Who writes: goes into General Equipment, the author observer and the captures."""

    manufacturer: str
    model_name: str
    version: str
    device_uid: str
    """Derived from the installation id."""
    station_name: str
    institution: str


@dataclass(frozen=True, slots=True)
class Occasion:
    """When a result is written, and what it replaces."""

    written_at: datetime
    """Start of content creation, in the site's time zone; recorded once, so that a repeat gives
    the same bytes."""
    predecessor: tuple[str, str, str] | None
    """Study, series and instance UID of the CAD SR that this one replaces."""
    predecessor_at: datetime | None = None
    """When the last revision was written of which the destinations have something, aware; None
    where there is none, or where they differ."""
    predecessor_measurements: tuple[str, str, str] | None = None
    """Study, series and instance UID of the TID 1500 report that this one replaces."""


@dataclass(frozen=True, slots=True)
class Authorship:
    """Who writes results, under which UIDs, when, and for which kind of destination."""

    node: NodeIdentity
    uids: ResultUids
    occasion: Occasion
    profile: ProfileSettings
