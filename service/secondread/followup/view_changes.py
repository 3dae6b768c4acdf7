"""What became of each cluster of a view, once its image is laid on the prior's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import pdist

from secondread.findings.changes import ChangeKind, FindingChange, MeasuredDifference
from secondread.findings.finding import Finding, ImageReading
from secondread.followup.calcifications import Calcifications, collect_calcifications, find_clusters
from secondread.followup.limits import UnitLimits
from secondread.followup.matching import (
    MappedCluster,
    Match,
    find_at_place,
    find_sparse,
    find_unmatched,
    match_clusters,
    search_radius_mm,
)
from secondread.followup.pairing import Pairing, pair_calcifications
from secondread.followup.registration.frame import PointsMm, ViewFrame, find_frame
from secondread.followup.registration.register import Registration, register
from secondread.geometry import Outline, PointPx, clamp_to_image

PLACE_LOST = "the tissue around its place was not found again"
"""Why a place of one image says nothing of the same place in the other."""
_LEAST_PAIRS = 3
"""Of fewer calcifications, a median diameter says nothing."""


@dataclass(frozen=True, slots=True)
class RegisteredPair:
    """A current image, the prior's image of the view, and where the one lies on the other."""

    image: ImageReading
    other: ImageReading
    registration: Registration
    limits: UnitLimits

    def find_changes(self) -> tuple[FindingChange, ...]:
        """Return one answer for each current cluster, and for each prior one that is missing."""
        now = collect_calcifications(self.image, self.registration.current)
        then = collect_calcifications(self.other, self.registration.prior)
        old = find_clusters(self.other)
        groups: list[MappedCluster] = []
        unseen: list[MappedCluster] = []
        for number in find_clusters(self.image):
            group = self._group(number, now)
            seen = self.registration.prior_shows(group.calcifications.at)
            (groups if seen else unseen).append(group)
        matches = match_clusters(groups, then, old, self.registration.prior.area_mm2)
        return (
            *(self._of(one, then) for one in matches),
            *(self._unseen(group) for group in unseen),
            *self._missing(find_unmatched(old, matches), now, then),
        )

    def _group(self, number: int, now: Calcifications) -> MappedCluster:
        spots = now.select_findings([number])
        radius = search_radius_mm(self.registration.estimate_error(spots.at))
        return MappedCluster(number, spots, self.registration.map_mm(spots.at), radius)

    def _of(self, one: Match, then: Calcifications) -> FindingChange:
        finding = self.image.findings[one.cluster.finding]
        error = round(self.registration.estimate_error(one.cluster.calcifications.at), 2)
        place = _inside(self.registration.map_to_prior(finding.outline), self.registration.prior)
        about = self.image.refer_to(finding)
        if not one.prior:
            return FindingChange(ChangeKind.NEW, about, (), place=place, error_mm=error)
        pairing = pair_calcifications(
            one.cluster.calcifications,
            one.cluster.mapped,
            then.select_findings(one.prior),
            one.cluster.radius_mm,
        )
        measures = measure_cluster(pairing, self.limits)
        return FindingChange(
            # A part says nothing of the whole: what it lacks may be in the other part.
            ChangeKind.UNCHANGED if one.is_part else measures.verdict,
            about,
            tuple(self.other.refer_to(self.other.findings[number]) for number in one.prior),
            measures.number,
            measures.extent_mm,
            measures.diameter_mm,
            self._pairs_px(pairing),
            place,
            error,
        )

    def _unseen(self, group: MappedCluster) -> FindingChange:
        finding = self.image.findings[group.finding]
        return FindingChange(ChangeKind.NOT_IN_FIELD, self.image.refer_to(finding), ())

    def _missing(
        self, old: Sequence[int], now: Calcifications, then: Calcifications
    ) -> list[FindingChange]:
        """Return what the prior showed and no current cluster is."""
        found = []
        for number in old:
            finding = self.other.findings[number]
            # What was not shown then is not missed now.
            if not finding.shown:
                continue
            spots = then.select_findings([number])
            at = self.registration.unmap_mm(spots.at)
            radius = search_radius_mm(self.registration.estimate_error(at))
            area = self.registration.current.area_mm2
            seen = self.registration.current_shows(spots.at)
            if seen and find_sparse(at, radius, now, find_clusters(self.image), area):
                continue
            found.append(self._absent(finding, at, now) if seen else self._outside(finding))
        return found

    def _outside(self, finding: Finding) -> FindingChange:
        return FindingChange(ChangeKind.NOT_IN_FIELD, None, (self.other.refer_to(finding),))

    def _absent(self, finding: Finding, at: PointsMm, now: Calcifications) -> FindingChange:
        """Return what is said of a prior cluster at whose place the current image shows none."""
        about = (self.other.refer_to(finding),)
        if not self.registration.has_tissue_near(at):
            return FindingChange(ChangeKind.NOT_COMPARABLE, None, about, why_not=PLACE_LOST)
        left = find_at_place(at, now, find_clusters(self.image))
        return FindingChange(
            ChangeKind.GONE,
            None,
            about,
            # All that reach the low threshold, in either exam: by that none is left.
            self.limits.compare_numbers(len(left), len(at)),
            place=_inside(
                self.registration.map_to_current(finding.outline), self.registration.current
            ),
            error_mm=round(self.registration.estimate_error(at), 2),
        )

    def _pairs_px(self, pairing: Pairing) -> tuple[tuple[PointPx, PointPx], ...]:
        here = self.registration.current.to_px(pairing.current.at[pairing.pairs[:, 0]])
        there = self.registration.prior.to_px(pairing.prior.at[pairing.pairs[:, 1]])
        return tuple(zip(here, there, strict=True))


def locate_in_prior(
    image: ImageReading, finding: Finding, other: ImageReading
) -> tuple[Outline, float | None]:
    """Return where a cluster lies in a prior's image, and its standard error in each direction.

    The outline is empty where that is outside the image, and the error None without any place.
    """
    here, there = find_frame(image), find_frame(other)
    if here is None or there is None:
        return (), None
    registration = register(here, there)
    at = collect_calcifications(image, here).select_findings([image.findings.index(finding)]).at
    place = _inside(registration.map_to_prior(finding.outline), there)
    return place, round(registration.estimate_error(at), 2)


@dataclass(frozen=True, slots=True)
class ClusterMeasures:
    """Number, extent and diameter of one cluster in both exams."""

    number: MeasuredDifference
    extent_mm: MeasuredDifference | None
    diameter_mm: MeasuredDifference | None

    @property
    def verdict(self) -> ChangeKind:
        """The word: of the number if that is beyond its limits, else of the sizes."""
        if self.number.direction:
            return ChangeKind.MORE if self.number.direction > 0 else ChangeKind.FEWER
        sizes = [d.direction for d in (self.extent_mm, self.diameter_mm) if d is not None]
        if 1 in sizes:
            return ChangeKind.LARGER
        return ChangeKind.SMALLER if -1 in sizes else ChangeKind.UNCHANGED


def measure_cluster(pairing: Pairing, limits: UnitLimits) -> ClusterMeasures:
    """Measure one cluster in both exams, each calcification counted by one rule."""
    here, there = pairing.counted_current, pairing.counted_prior
    now, then = _extent_mm(pairing.current.at[here]), _extent_mm(pairing.prior.at[there])
    both = pairing.pairs
    diameters = [
        float(np.median(spots.diameter_mm[both[:, side]])) if len(both) >= _LEAST_PAIRS else 0.0
        for side, spots in enumerate((pairing.current, pairing.prior))
    ]
    return ClusterMeasures(
        limits.compare_numbers(int(here.sum()), int(there.sum())),
        limits.compare_extents(now, then) if now > 0 and then > 0 else None,
        limits.compare_diameters(*diameters) if min(diameters) > 0 else None,
    )


def _extent_mm(at: PointsMm) -> float:
    return float(pdist(at).max()) if len(at) > 1 else 0.0


def _inside(outline: Outline, frame: ViewFrame) -> Outline:
    return tuple(clamp_to_image(point, frame.rows, frame.columns) for point in outline)
