"""Known treatments of a breast, and the place of a finding relative to them: shared values."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from secondread.codes import BreastProcedure, Laterality
from secondread.findings.position import Quadrant


class Procedure(StrEnum):
    """A kind of treatment; the words of the record's file and of SQL."""

    LUMPECTOMY = "lumpectomy"
    QUADRANTECTOMY = "quadrantectomy"
    MASTECTOMY = "mastectomy"
    SURGERY = "surgery"
    """An operation whose kind is not known."""
    RADIOTHERAPY = "radiotherapy"

    @property
    def code(self) -> BreastProcedure | None:
        """Its concept of CID 6058; None where that has none."""
        return BreastProcedure.__members__.get(self.name)

    @property
    def is_surgery(self) -> bool:
        """Whether it is an operation."""
        return self is not Procedure.RADIOTHERAPY


class TreatmentSource(StrEnum):
    """How a treatment is known."""

    RECORD = "record"
    """A person recorded it for this node."""
    HEADER = "header"
    """The study's own header states it."""


@dataclass(frozen=True, slots=True)
class SurgicalSite:
    """The part of the breast that was operated on."""

    words: str
    """As recorded, ASCII."""
    quadrants: frozenset[Quadrant]
    """Those that it touches: two where it is on the line between them."""
    from_nipple_mm: float | None = None
    """Distance from the nipple, as recorded: in a breast that no paddle compresses."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """One procedure."""

    procedure: Procedure
    laterality: Laterality | None
    """None where the source does not name the breast."""
    started_on: date | None = None
    """Day of the operation, or of the first fraction."""
    ended_on: date | None = None
    """Day of the last fraction."""
    site: SurgicalSite | None = None
    source: TreatmentSource = TreatmentSource.RECORD
    header_source: str = ""
    """The attribute or code of a header that it is from; empty for a record."""

    def was_done_by(self, day: date | None) -> bool:
        """Return whether it had begun by a day; True where one of the days is not known."""
        return day is None or self.started_on is None or self.started_on <= day


class BreastStatus(StrEnum):
    """Whether a breast was treated."""

    TREATED = "treated"
    UNTREATED = "untreated"
    """The patient has a record, and it names no treatment of this breast."""
    UNKNOWN = "unknown"


class Zone(StrEnum):
    """Place of a finding relative to the treated site."""

    BED = "bed"
    NEAR = "near-bed"
    """Outside the bed, and at most 30 mm from its centre."""
    BED_QUADRANT = "bed-quadrant"
    """In the quadrant of the bed, at an unknown distance from it."""
    ELSEWHERE = "treated-breast"
    TREATED_PLACE_UNKNOWN = "treated-breast-place-unknown"
    """In the treated breast; its place relative to the bed is not known."""
    NEAR_CLIPS = "near-clips"
    """At most 30 mm from a clip that does not tell where a bed is: the breast is not known to have
    been operated on, so that the clip may mark a biopsy, or the clips seen fix no bed."""
    OTHER_BREAST = "other-breast"

    @property
    def words(self) -> str:
        """The zone for people, ASCII."""
        return _WORDS[self]


_WORDS = {
    Zone.BED: "in the surgical bed",
    Zone.NEAR: "near the surgical bed",
    Zone.BED_QUADRANT: "in the quadrant of the surgical bed",
    Zone.ELSEWHERE: "elsewhere in the treated breast",
    Zone.TREATED_PLACE_UNKNOWN: "in the treated breast, place to the bed unknown",
    Zone.NEAR_CLIPS: "near clips that are not known to mark a surgical bed",
    Zone.OTHER_BREAST: "in the other breast",
}


_PROJECTED = {
    Zone.BED: "over the surgical bed in one view",
    Zone.NEAR: "near the surgical bed in one view",
}
"""For a single view: its projection may bring together what is apart, never the reverse."""


class ZoneBasis(StrEnum):
    """The evidence for a zone."""

    SIDE = "side"
    """The treated breast, and no more."""
    QUADRANT = "quadrant"
    """The quadrant of the recorded site."""
    CLIPS = "clips"
    SCAR_MARKER = "scar-marker"


@dataclass(frozen=True, slots=True)
class ZonePlacement:
    """The place of a finding relative to the treated site, and how it is known."""

    zone: Zone
    basis: ZoneBasis
    bed_mm: float | None = None
    """Distance from the bed's centre in this view; None where nothing in the view shows it."""
    error_mm: float | None = None
    """Standard error of that distance."""
    clip_mm: float | None = None
    """For `Zone.NEAR_CLIPS`, the distance from the nearest clip; of several views the largest."""
    clips: int = 0
    """For `Zone.NEAR_CLIPS`, how many clips the view shows."""
    views: int = 1
    """How many views the zone is from: a single view projects one thing over another."""

    @property
    def words(self) -> str:
        """The zone and its grounds for people, ASCII.

        >>> ZonePlacement(Zone.NEAR, ZoneBasis.CLIPS, 24.6, 4.0).words
        'near the surgical bed in one view, 25 +/- 4 mm (inferred from clips)'
        >>> ZonePlacement(Zone.NEAR_CLIPS, ZoneBasis.CLIPS, clip_mm=6.6, clips=1).words
        'near a clip, 7 mm'
        """
        if self.clip_mm is not None:
            return f"near {'a clip' if self.clips == 1 else 'clips'}, {self.clip_mm:.0f} mm"
        if self.basis is ZoneBasis.SIDE:
            return self.zone.words
        if self.basis is ZoneBasis.QUADRANT:
            return f"{self.zone.words} (by quadrant)"
        place = ""
        if self.bed_mm is not None and self.error_mm is not None:
            place = f", {self.bed_mm:.0f} +/- {self.error_mm:.0f} mm"
        evidence = "clips" if self.basis is ZoneBasis.CLIPS else "a scar marker"
        zone = _PROJECTED.get(self.zone) if self.views == 1 else None
        return f"{zone or self.zone.words}{place} (inferred from {evidence})"
