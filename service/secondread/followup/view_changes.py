"""What became of each cluster of a view, once its image is laid on the prior's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import pdist

from secondread.findings.comparison import Difference, FindingChange, FindingRef, Verdict
from secondread.findings.finding import Finding, ImageReading
from secondread.followup.frame import PointsMm, ViewFrame, frame_of
from secondread.followup.limits import UnitLimits
from secondread.followup.matching import (
    Group,
    Match,
    lying_at,
    match,
    search_radius_mm,
    sparse,
    unmatched,
)
from secondread.followup.pairing import Pairing, pair
from secondread.followup.registration import Registration, register
from secondread.followup.spots import Spots, clusters_of, spots_of
from secondread.geometry import Outline, PointPx, clamp

PLACE_LOST = "the tissue around its place was not found again"
"""Why a place of one image says nothing of the same place in the other."""
_LEAST_PAIRS = 3
"""Of fewer calcifications, a median diameter says nothing."""


@dataclass(frozen=True, slots=True)
class LaidOn:
    """A current image, the prior's image of the view, and where the one lies on the other."""

    image: ImageReading
    other: ImageReading
    registration: Registration
    limits: UnitLimits

    def changes(self) -> tuple[FindingChange, ...]:
        """Return one answer for each current cluster, and for each prior one that is missing."""
        now = spots_of(self.image, self.registration.current)
        then = spots_of(self.other, self.registration.prior)
        old = clusters_of(self.other)
        groups: list[Group] = []
        unseen: list[Group] = []
        for number in clusters_of(self.image):
            group = self._group(number, now)
            seen = self.registration.sees_in_prior(group.spots.at)
            (groups if seen else unseen).append(group)
        matches = match(groups, then, old, self.registration.prior.area_mm2)
        return (
            *(self._of(one, then) for one in matches),
            *(self._unseen(group) for group in unseen),
            *self._missing(unmatched(old, matches), now, then),
        )

    def _group(self, number: int, now: Spots) -> Group:
        spots = now.of([number])
        radius = search_radius_mm(self.registration.error_at(spots.at))
        return Group(number, spots, self.registration.map_mm(spots.at), radius)

    def _of(self, one: Match, then: Spots) -> FindingChange:
        finding = self.image.findings[one.group.finding]
        error = round(self.registration.error_at(one.group.spots.at), 2)
        place = _inside(self.registration.to_prior(finding.outline), self.registration.prior)
        about = reference(self.image, finding)
        if not one.prior:
            return FindingChange(Verdict.NEW, about, (), place=place, error_mm=error)
        pairing = pair(one.group.spots, one.group.mapped, then.of(one.prior), one.group.radius_mm)
        measures = measured(pairing, self.limits)
        return FindingChange(
            # A part says nothing of the whole: what it lacks may be in the other part.
            Verdict.UNCHANGED if one.is_part else measures.verdict,
            about,
            tuple(reference(self.other, self.other.findings[number]) for number in one.prior),
            measures.number,
            measures.extent_mm,
            measures.diameter_mm,
            self._pairs_px(pairing),
            place,
            error,
        )

    def _unseen(self, group: Group) -> FindingChange:
        finding = self.image.findings[group.finding]
        return FindingChange(Verdict.NOT_IN_FIELD, reference(self.image, finding), ())

    def _missing(self, old: Sequence[int], now: Spots, then: Spots) -> list[FindingChange]:
        """Return what the prior showed and no current cluster is."""
        found = []
        for number in old:
            finding = self.other.findings[number]
            # What was not shown then is not missed now.
            if not finding.shown:
                continue
            spots = then.of([number])
            at = self.registration.unmap_mm(spots.at)
            radius = search_radius_mm(self.registration.error_at(at))
            area = self.registration.current.area_mm2
            seen = self.registration.sees_in_current(spots.at)
            if seen and sparse(at, radius, now, clusters_of(self.image), area):
                continue
            found.append(self._absent(finding, at, now) if seen else self._outside(finding))
        return found

    def _outside(self, finding: Finding) -> FindingChange:
        return FindingChange(Verdict.NOT_IN_FIELD, None, (reference(self.other, finding),))

    def _absent(self, finding: Finding, at: PointsMm, now: Spots) -> FindingChange:
        """Return what is said of a prior cluster at whose place the current image shows none."""
        about = (reference(self.other, finding),)
        if not self.registration.finds_again(at):
            return FindingChange(Verdict.NOT_COMPARABLE, None, about, why=PLACE_LOST)
        left = lying_at(at, now, clusters_of(self.image))
        return FindingChange(
            Verdict.GONE,
            None,
            about,
            # All that reach the low threshold, in either exam: by that none is left.
            self.limits.number(len(left), len(at)),
            place=_inside(self.registration.to_current(finding.outline), self.registration.current),
            error_mm=round(self.registration.error_at(at), 2),
        )

    def _pairs_px(self, pairing: Pairing) -> tuple[tuple[PointPx, PointPx], ...]:
        here = self.registration.current.to_px(pairing.current.at[pairing.pairs[:, 0]])
        there = self.registration.prior.to_px(pairing.prior.at[pairing.pairs[:, 1]])
        return tuple(zip(here, there, strict=True))


def place_in(
    image: ImageReading, finding: Finding, other: ImageReading
) -> tuple[Outline, float | None]:
    """Return where a cluster lies in a prior's image, and its standard error in each direction.

    The outline is empty where that is outside the image, and the error None without any place.
    """
    here, there = frame_of(image), frame_of(other)
    if here is None or there is None:
        return (), None
    registration = register(here, there)
    at = spots_of(image, here).of([image.findings.index(finding)]).at
    place = _inside(registration.to_prior(finding.outline), there)
    return place, round(registration.error_at(at), 2)


def reference(image: ImageReading, finding: Finding) -> FindingRef:
    """Return what names a finding in other studies."""
    header = image.mammogram
    return FindingRef(header.study_uid, header.sop_instance_uid, finding.id)


@dataclass(frozen=True, slots=True)
class Measures:
    """Number, extent and diameter of one cluster in both exams."""

    number: Difference
    extent_mm: Difference | None
    diameter_mm: Difference | None

    @property
    def verdict(self) -> Verdict:
        """The word: of the number if that is beyond its limits, else of the sizes."""
        if self.number.direction:
            return Verdict.MORE if self.number.direction > 0 else Verdict.FEWER
        sizes = [d.direction for d in (self.extent_mm, self.diameter_mm) if d is not None]
        if 1 in sizes:
            return Verdict.LARGER
        return Verdict.SMALLER if -1 in sizes else Verdict.UNCHANGED


def measured(pairing: Pairing, limits: UnitLimits) -> Measures:
    """Measure one cluster in both exams, each calcification counted by one rule."""
    here, there = pairing.counted_current, pairing.counted_prior
    now, then = _extent_mm(pairing.current.at[here]), _extent_mm(pairing.prior.at[there])
    both = pairing.pairs
    diameters = [
        float(np.median(spots.diameter_mm[both[:, side]])) if len(both) >= _LEAST_PAIRS else 0.0
        for side, spots in enumerate((pairing.current, pairing.prior))
    ]
    return Measures(
        limits.number(int(here.sum()), int(there.sum())),
        limits.extent_mm(now, then) if now > 0 and then > 0 else None,
        limits.diameter_mm(*diameters) if min(diameters) > 0 else None,
    )


def _extent_mm(at: PointsMm) -> float:
    return float(pdist(at).max()) if len(at) > 1 else 0.0


def _inside(outline: Outline, frame: ViewFrame) -> Outline:
    return tuple(clamp(point, frame.rows, frame.columns) for point in outline)
