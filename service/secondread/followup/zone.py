"""Where each finding is relative to the treated site; that changes no number of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

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
from secondread.followup.lesion_identity import SAME_LESION
from secondread.followup.surgical_bed import Bed, find_beds, to_place_mm
from secondread.followup.treatment_status import find_breast_status, select_breast

NEAR_MM = 30.0
"""Farther than this from the bed's centre is elsewhere in the breast."""
KNOWN_MM = 6.0
"""Where a bed's place is known less well than this, no finding is known to be in it."""

_HALVES = {
    BreastHalf.UPPER: frozenset({Quadrant.UPPER_OUTER, Quadrant.UPPER_INNER}),
    BreastHalf.LOWER: frozenset({Quadrant.LOWER_OUTER, Quadrant.LOWER_INNER}),
    BreastHalf.OUTER: frozenset({Quadrant.UPPER_OUTER, Quadrant.LOWER_OUTER}),
    BreastHalf.INNER: frozenset({Quadrant.UPPER_INNER, Quadrant.LOWER_INNER}),
}


def add_zones(reading: StudyReading, pairs: Sequence[ViewPair]) -> StudyReading:
    """Return a reading whose findings have their zone.

    Parameters
    ----------
    reading
        The study, its findings with their positions. Its treatments are those of record and
        header; where clips show that a breast was treated and neither says so, that is added.
    pairs
        Its clusters that were recognised in both views.
    """
    beds = {image.mammogram.sop_instance_uid: find_beds(image) for image in reading.images}
    treatments = (*reading.treatments, *_infer_treatments(reading, beds))

    def add_zone(image: ImageReading, finding: Finding) -> Finding:
        if finding.mark_class is MarkClass.METAL:
            return finding
        in_view = beds[image.mammogram.sop_instance_uid]
        placement = _place_finding(image, finding, treatments, in_view)
        return replace(finding, placement=placement or finding.placement)

    return _reconcile_views(replace(reading.map_findings(add_zone), treatments=treatments), pairs)


def _infer_treatments(reading: StudyReading, beds: Mapping[str, Sequence[Bed]]) -> list[Treatment]:
    """Return an operation for each breast that has clips and is not known to be treated."""
    inferred: dict[Laterality, Treatment] = {}
    for image in reading.images:
        header, side = image.mammogram, image.mammogram.laterality
        if side not in {Laterality.LEFT, Laterality.RIGHT} or side in inferred:
            continue
        has_clips = any(bed.basis is ZoneBasis.CLIPS for bed in beds[header.sop_instance_uid])
        status = find_breast_status(reading.treatments, side, header.study_date)
        if has_clips and status is not BreastStatus.TREATED:
            inferred[side] = Treatment(
                Procedure.SURGERY,
                side,
                source=TreatmentSource.INFERRED,
                header_source=f"surgical clips in {header.label}",
            )
    return list(inferred.values())


def _place_finding(
    image: ImageReading, finding: Finding, treatments: Sequence[Treatment], beds: Sequence[Bed]
) -> ZonePlacement | None:
    """Return a finding's zone; None where neither breast is known to be treated."""
    side, day = image.mammogram.laterality, image.mammogram.study_date
    if side not in {Laterality.LEFT, Laterality.RIGHT}:
        return None
    own, spacing = select_breast(treatments, side, day), image.mammogram.spacing
    if not own:
        others = (treatment for treatment in treatments if treatment.laterality is not None)
        is_other = any(treatment.was_done_by(day) for treatment in others)
        return ZonePlacement(Zone.OTHER_BREAST, ZoneBasis.SIDE) if is_other else None
    if not beds or spacing is None:
        return place_by_quadrant(own, finding.position)
    # Clips are a better clue than a marker on the skin.
    sure = [bed for bed in beds if bed.basis is ZoneBasis.CLIPS] or beds
    at = to_place_mm(finding.center, spacing)
    bed = min(sure, key=lambda bed: bed.distance_mm(at))
    away = bed.distance_mm(at)
    zone = choose_zone(away, bed.radius_mm, bed.error_mm)
    return ZonePlacement(zone, bed.basis, round(away, 1), round(bed.error_mm, 1))


def choose_zone(distance_mm: float, radius_mm: float, error_mm: float) -> Zone:
    """Return the zone at a distance from a bed's centre.

    Nothing is certain to be in a bed whose place is not known well, and what is a little farther
    than near to it may be near.

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
    site, no finding is known to be elsewhere.
    """
    sites = [treatment.site for treatment in treatments if treatment.procedure.is_surgery]
    quadrants = [site.quadrants for site in sites if site is not None and site.quadrants]
    bed = frozenset[Quadrant]().union(*quadrants)
    if position is None or not bed or Quadrant.CENTRAL in bed:
        return _UNKNOWN
    possible = frozenset[Quadrant]()
    if position.quadrant is None:
        possible = _HALVES.get(position.half, possible) if position.half else possible
    elif position.quadrant is not Quadrant.CENTRAL:
        if position.quadrant in bed:
            return ZonePlacement(Zone.BED_QUADRANT, ZoneBasis.QUADRANT)
        possible = frozenset({position.quadrant})
    if possible and not possible & bed and len(quadrants) == len(sites):
        return ZonePlacement(Zone.ELSEWHERE, ZoneBasis.QUADRANT)
    return _UNKNOWN


def _reconcile_views(reading: StudyReading, pairs: Sequence[ViewPair]) -> StudyReading:
    """Return a reading in which a finding that both views place has the farther zone of the two.

    A projection can bring things nearer to each other, never farther apart.
    """
    by_clips = {
        image.refer_to(finding): finding.placement
        for image in reading.images
        for finding in image.findings
        if finding.placement is not None and finding.placement.basis is ZoneBasis.CLIPS
    }
    reconciled: dict[FindingRef, ZonePlacement] = {}
    for pair in pairs:
        cc, mlo = by_clips.get(pair.cc), by_clips.get(pair.mlo)
        if pair.confidence >= SAME_LESION and cc is not None and mlo is not None:
            zone = max(cc.zone, mlo.zone, key=_BY_DISTANCE.index)
            reconciled[pair.cc] = replace(cc, zone=zone, views=2)
            reconciled[pair.mlo] = replace(mlo, zone=zone, views=2)
    return reading.map_findings(
        lambda image, finding: replace(
            finding, placement=reconciled.get(image.refer_to(finding), finding.placement)
        )
    )


_BY_DISTANCE = (Zone.BED, Zone.NEAR, Zone.ELSEWHERE)
