"""Where each finding is relative to the treated site; that changes no number of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from secondread.codes import Laterality, MarkClass
from secondread.findings.changes import FindingRef
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.findings.position import BreastHalf, Position, Quadrant
from secondread.findings.treatment import (
    Treatment,
    Zone,
    ZoneBasis,
    ZonePlacement,
)
from secondread.findings.view_pair import ViewPair
from secondread.followup.lesion_identity import SAME_LESION
from secondread.followup.surgical_bed import Bed, PlaceMm, find_beds, find_clips, to_place_mm
from secondread.followup.treatment_status import select_breast

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

    Where record or header have an operation on a breast, its clips show where the bed is. Where
    they have none, a clip may mark a biopsy: then what is near it is said to be near it, and no
    more.

    Parameters
    ----------
    reading
        The study, its findings with their positions, its treatments those of record and header.
    pairs
        Its clusters that were recognised in both views.
    """
    metal = {image.mammogram.sop_instance_uid: _Metal.find(image) for image in reading.images}
    from_clips = _measure_from_clips(reading, metal, pairs)

    def add_zone(image: ImageReading, finding: Finding) -> Finding:
        if finding.mark_class is MarkClass.METAL:
            return finding
        beds = metal[image.mammogram.sop_instance_uid].beds
        near_clips = from_clips.get(image.refer_to(finding))
        placement = _place_finding(image, finding, reading.treatments, beds)
        if placement is None or placement.zone in {Zone.TREATED_PLACE_UNKNOWN, Zone.OTHER_BREAST}:
            placement = near_clips or placement
        return replace(finding, placement=placement or finding.placement)

    return _reconcile_views(reading.map_findings(add_zone), pairs)


class _Metal(NamedTuple):
    """What the metal of one view shows."""

    beds: tuple[Bed, ...]
    clips: list[PlaceMm]

    @classmethod
    def find(cls, image: ImageReading) -> "_Metal":
        return cls(find_beds(image), find_clips(image))


def _measure_from_clips(
    reading: StudyReading, metal: Mapping[str, _Metal], pairs: Sequence[ViewPair]
) -> dict[FindingRef, ZonePlacement]:
    """Return the findings that are near clips, as far as their views show.

    A projection brings things nearer to each other, never farther apart: of two views that show
    the finding and clips, the one with the larger distance counts.
    """
    measured: dict[FindingRef, ZonePlacement] = {}
    for image in reading.images:
        spacing, clips = image.mammogram.spacing, metal[image.mammogram.sop_instance_uid].clips
        if spacing is None or not clips:
            continue
        for finding in image.findings:
            at = to_place_mm(finding.center, spacing)
            away = round(min(float(np.hypot(*(at - clip))) for clip in clips), 1)
            measured[image.refer_to(finding)] = ZonePlacement(
                Zone.NEAR_CLIPS, ZoneBasis.CLIPS, clip_mm=away, clips=len(clips)
            )
    for pair in pairs:
        cc, mlo = measured.get(pair.cc), measured.get(pair.mlo)
        if pair.confidence >= SAME_LESION and cc is not None and mlo is not None:
            farther = max(cc, mlo, key=lambda placement: placement.clip_mm or 0.0)
            measured[pair.cc] = measured[pair.mlo] = replace(farther, views=2)
    return {ref: place for ref, place in measured.items() if (place.clip_mm or 0.0) <= NEAR_MM}


def _place_finding(
    image: ImageReading, finding: Finding, treatments: Sequence[Treatment], beds: Sequence[Bed]
) -> ZonePlacement | None:
    """Return a finding's zone by its treatments; None where neither breast is known to have any."""
    side, day = image.mammogram.laterality, image.mammogram.study_date
    if side not in {Laterality.LEFT, Laterality.RIGHT}:
        return None
    own, spacing = select_breast(treatments, side, day), image.mammogram.spacing
    if not own:
        others = (treatment for treatment in treatments if treatment.laterality is not None)
        is_other = any(treatment.was_done_by(day) for treatment in others)
        return ZonePlacement(Zone.OTHER_BREAST, ZoneBasis.SIDE) if is_other else None
    has_bed = any(treatment.procedure.is_surgery for treatment in own)
    if not has_bed or not beds or spacing is None:
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
        if finding.placement is not None
        and finding.placement.basis is ZoneBasis.CLIPS
        and finding.placement.zone in _BY_DISTANCE
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
