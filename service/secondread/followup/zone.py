"""Where each finding lies relative to the treated site; no number of it changes by that."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from secondread.codes import Laterality, MarkClass
from secondread.findings.changes import FindingRef
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.findings.position import BreastHalf, Position, Quadrant
from secondread.findings.treatment import (
    BreastStatus,
    Procedure,
    Treatment,
    TreatmentSource,
    Zone,
    ZoneBasis,
    ZonePlacement,
)
from secondread.findings.view_pair import ViewPair
from secondread.followup.bed import Bed, find_beds, to_place_mm
from secondread.followup.lesion_identity import SAME_LESION
from secondread.followup.treatment_status import find_breast_status, select_breast

NEAR_MM = 30.0
"""Farther than this from the bed's centre is elsewhere in the breast."""
KNOWN_MM = 6.0
"""A bed whose place is known less well than this cannot be said to hold a finding."""

_HALVES = {
    BreastHalf.UPPER: frozenset({Quadrant.UPPER_OUTER, Quadrant.UPPER_INNER}),
    BreastHalf.LOWER: frozenset({Quadrant.LOWER_OUTER, Quadrant.LOWER_INNER}),
    BreastHalf.OUTER: frozenset({Quadrant.UPPER_OUTER, Quadrant.LOWER_OUTER}),
    BreastHalf.INNER: frozenset({Quadrant.UPPER_INNER, Quadrant.LOWER_INNER}),
}


def add_zones(reading: StudyReading, pairs: Sequence[ViewPair]) -> StudyReading:
    """Return a reading whose findings know their zone.

    Parameters
    ----------
    reading
        The study, its findings with their positions. Its treatments are those of record and
        header; what clips show of a breast that neither says to be treated is added, as inferred.
    pairs
        Its clusters that were recognised in both views.
    """
    beds = {image.mammogram.sop_instance_uid: find_beds(image) for image in reading.images}
    known = (*reading.treatments, *_inferred(reading, beds))
    images = tuple(
        _placed(image, known, beds[image.mammogram.sop_instance_uid]) for image in reading.images
    )
    return _agreed(replace(reading, images=images, treatments=known), pairs)


def _inferred(reading: StudyReading, beds: Mapping[str, Sequence[Bed]]) -> list[Treatment]:
    treatments = reading.treatments
    found: dict[Laterality, Treatment] = {}
    for image in reading.images:
        header = image.mammogram
        side = header.laterality
        if side not in {Laterality.LEFT, Laterality.RIGHT} or side in found:
            continue
        has_clips = any(bed.basis is ZoneBasis.CLIPS for bed in beds[header.sop_instance_uid])
        if (
            has_clips
            and find_breast_status(treatments, side, header.study_date) is not BreastStatus.TREATED
        ):
            said = f"surgical clips in {header.label}"
            found[side] = Treatment(
                Procedure.SURGERY, side, source=TreatmentSource.INFERRED, header_source=said
            )
    return list(found.values())


def _placed(
    image: ImageReading, treatments: Sequence[Treatment], beds: Sequence[Bed]
) -> ImageReading:
    side, day = image.mammogram.laterality, image.mammogram.study_date
    if side not in {Laterality.LEFT, Laterality.RIGHT}:
        return image
    own = select_breast(treatments, side, day)
    if own:
        breast = _Breast(own, beds)
        findings = tuple(
            replace(finding, placement=breast.placing(image, finding))
            if _has_zone(finding)
            else finding
            for finding in image.findings
        )
    elif any(one.laterality is not None and one.was_done_by(day) for one in treatments):
        other = ZonePlacement(Zone.OTHER_BREAST, ZoneBasis.SIDE)
        findings = tuple(
            replace(finding, placement=other) if _has_zone(finding) else finding
            for finding in image.findings
        )
    else:
        return image
    return replace(image, findings=findings)


def _has_zone(finding: Finding) -> bool:
    return finding.mark_class is not MarkClass.METAL


@dataclass(frozen=True, slots=True)
class _Breast:
    """A treated breast in one view."""

    treatments: Sequence[Treatment]
    beds: Sequence[Bed]

    def placing(self, image: ImageReading, finding: Finding) -> ZonePlacement:
        spacing = image.mammogram.spacing
        if self.beds and spacing is not None:
            # Where there are clips, they tell more than a marker on the skin.
            sure = [bed for bed in self.beds if bed.basis is ZoneBasis.CLIPS] or self.beds
            at = to_place_mm(finding.center, spacing)
            return place_by_bed(min(sure, key=lambda bed: bed.distance_mm(at)), finding, image)
        return place_by_quadrant(self.treatments, finding.position)


def place_by_bed(bed: Bed, finding: Finding, image: ImageReading) -> ZonePlacement:
    """Return the zone of a finding in a view that shows the bed."""
    spacing = image.mammogram.spacing
    if spacing is None:
        return _UNKNOWN
    away = bed.distance_mm(to_place_mm(finding.center, spacing))
    zone = choose_zone(away, bed.radius_mm, bed.error_mm)
    return ZonePlacement(zone, bed.basis, round(away, 1), round(bed.error_mm, 1))


def choose_zone(distance_mm: float, radius_mm: float, error_mm: float) -> Zone:
    """Return the zone at a distance from a bed's centre.

    A bed whose place is not known well holds nothing for certain, and what is a little more than
    near to it may be near.

    >>> places = ((9, 3.5), (9, 15), (50, 3.5))
    >>> [str(choose_zone(distance, 14.0, error)) for distance, error in places]
    ['bed', 'near-bed', 'treated-breast']
    """
    is_known = error_mm <= KNOWN_MM
    if distance_mm <= radius_mm and is_known:
        return Zone.BED
    if distance_mm <= max(NEAR_MM, radius_mm):
        return Zone.NEAR
    if is_known or distance_mm > NEAR_MM + 2 * error_mm:
        return Zone.ELSEWHERE
    return Zone.TREATED_PLACE_UNKNOWN


_UNKNOWN = ZonePlacement(Zone.TREATED_PLACE_UNKNOWN, ZoneBasis.SIDE)


def place_by_quadrant(treatments: Iterable[Treatment], position: Position | None) -> ZonePlacement:
    """Return the zone of a finding by the quadrants of the recorded sites, and no more than that.

    Where sources give several sites, any of them may be the bed's; where an operation has no
    site, nothing is said to be elsewhere.
    """
    sites = [one.site for one in treatments if one.procedure.is_surgery]
    known = [site.quadrants for site in sites if site is not None and site.quadrants]
    if position is None or not known or Quadrant.CENTRAL in frozenset().union(*known):
        return _UNKNOWN
    bed = frozenset().union(*known)
    if position.quadrant is not None and position.quadrant is not Quadrant.CENTRAL:
        if position.quadrant in bed:
            return ZonePlacement(Zone.BED_QUADRANT, ZoneBasis.QUADRANT)
        return (
            ZonePlacement(Zone.ELSEWHERE, ZoneBasis.QUADRANT)
            if len(known) == len(sites)
            else _UNKNOWN
        )
    half = _HALVES.get(position.half) if position.half is not None else None
    if position.quadrant is None and half and not half & bed and len(known) == len(sites):
        return ZonePlacement(Zone.ELSEWHERE, ZoneBasis.QUADRANT)
    return _UNKNOWN


def _agreed(reading: StudyReading, pairs: Sequence[ViewPair]) -> StudyReading:
    """Return a reading in which what both views place says the farther zone of the two.

    A projection can bring things nearer to each other, never farther apart.
    """
    found = {
        image.refer_to(finding): finding.placement
        for image in reading.images
        for finding in image.findings
        if finding.placement is not None and finding.placement.basis is ZoneBasis.CLIPS
    }
    agreed: dict[FindingRef, ZonePlacement] = {}
    for pair in pairs:
        cc, mlo = found.get(pair.cc), found.get(pair.mlo)
        if pair.confidence < SAME_LESION or cc is None or mlo is None:
            continue
        farther = max(cc, mlo, key=lambda placing: _FARTHER.index(placing.zone))
        agreed[pair.cc] = replace(cc, zone=farther.zone, views=2)
        agreed[pair.mlo] = replace(mlo, zone=farther.zone, views=2)
    images = tuple(
        replace(
            image,
            findings=tuple(
                replace(finding, placement=agreed.get(image.refer_to(finding), finding.placement))
                for finding in image.findings
            ),
        )
        for image in reading.images
    )
    return replace(reading, images=images)


_FARTHER = (Zone.BED, Zone.NEAR, Zone.ELSEWHERE)
