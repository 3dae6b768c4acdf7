"""What became of each cluster of a view, once its image is registered to the prior's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import pdist

from secondread.findings.changes import ChangeKind, FindingChange, FindingRef, MeasuredDifference
from secondread.findings.finding import Finding, ImageReading
from secondread.followup.calcification_pairs import Pairing, pair_calcifications
from secondread.followup.calcifications import Calcifications, collect_calcifications, find_clusters
from secondread.followup.cluster_matching import (
    MappedCluster,
    Match,
    find_at_place,
    find_sparse,
    find_unmatched,
    match_clusters,
    search_radius_mm,
)
from secondread.followup.limits import UnitLimits
from secondread.followup.registration.frame import PointsMm, ViewFrame
from secondread.followup.registration.register import Registration
from secondread.geometry import Outline, PointPx, clamp_to_image

PLACE_LOST = "the tissue around its place was not found again"
"""Why a place of one image proves nothing about the same place in the other."""
_LEAST_PAIRS = 3
"""Of fewer calcifications, a median diameter means nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class RegisteredPair:
    """A current image, the prior's image of the view, and the registration of both."""

    image: ImageReading
    prior_image: ImageReading
    registration: Registration
    calcifications: Calcifications
    """Those of the current image."""
    prior_calcifications: Calcifications

    @classmethod
    def from_images(
        cls, image: ImageReading, prior_image: ImageReading, registration: Registration
    ) -> "RegisteredPair":
        """Collect the calcifications of both images."""
        return cls(
            image,
            prior_image,
            registration,
            collect_calcifications(image, registration.current),
            collect_calcifications(prior_image, registration.prior),
        )

    def select_calcifications(self, finding: Finding) -> Calcifications:
        """Return the calcifications of a finding of the current image."""
        return self.calcifications.select_findings([self.image.findings.index(finding)])

    def locate_in_prior(self, finding: Finding) -> tuple[Outline, float]:
        """Return where a current cluster is in the prior's image.

        Returns
        -------
        Outline
            Clamped to the prior's image.
        float
            Standard error of the place in mm, in each direction.
        """
        outline = self.registration.map_to_prior(finding.outline)
        error_mm = self.registration.estimate_error(self.select_calcifications(finding).centers)
        return _clamp(outline, self.registration.prior), round(error_mm, 2)

    def find_changes(self, limits: UnitLimits) -> tuple[FindingChange, ...]:
        """Return one answer for each current cluster, and for each prior one that is missing."""
        prior_clusters = find_clusters(self.prior_image)
        in_field: list[MappedCluster] = []
        outside: list[MappedCluster] = []
        for number in find_clusters(self.image):
            cluster = self._map_cluster(number)
            shown = self.registration.prior_shows(cluster.calcifications.centers)
            (in_field if shown else outside).append(cluster)
        matches = match_clusters(
            in_field,
            self.prior_calcifications,
            prior_clusters,
            self.registration.prior.area_mm2,
        )
        return (
            *(self._describe_match(match, limits) for match in matches),
            *(
                FindingChange(ChangeKind.NOT_IN_FIELD, self._refer(cluster), ())
                for cluster in outside
            ),
            *self._find_missing(find_unmatched(prior_clusters, matches), limits),
        )

    def _map_cluster(self, number: int) -> MappedCluster:
        calcifications = self.calcifications.select_findings([number])
        radius = search_radius_mm(self.registration.estimate_error(calcifications.centers))
        mapped = self.registration.map_mm(calcifications.centers)
        return MappedCluster(number, calcifications, mapped, radius)

    def _refer(self, cluster: MappedCluster) -> FindingRef:
        return self.image.refer_to(self.image.findings[cluster.finding])

    def _describe_match(self, match: Match, limits: UnitLimits) -> FindingChange:
        cluster = match.cluster
        place, error_mm = self.locate_in_prior(self.image.findings[cluster.finding])
        if not match.prior:
            return FindingChange(
                ChangeKind.NEW, self._refer(cluster), (), place=place, error_mm=error_mm
            )
        pairing = pair_calcifications(
            cluster.calcifications,
            cluster.mapped,
            self.prior_calcifications.select_findings(match.prior),
            cluster.radius_mm,
        )
        measures = measure_cluster(pairing, limits)
        return FindingChange(
            # A part cannot show whether the whole changed: what it lacks may be in the other part.
            ChangeKind.UNCHANGED if match.is_part else measures.change,
            self._refer(cluster),
            tuple(self._refer_to_prior(number) for number in match.prior),
            measures.number,
            measures.extent_mm,
            measures.diameter_mm,
            self._pair_points(pairing),
            place,
            error_mm,
        )

    def _refer_to_prior(self, number: int) -> FindingRef:
        return self.prior_image.refer_to(self.prior_image.findings[number])

    def _find_missing(self, unmatched: Sequence[int], limits: UnitLimits) -> list[FindingChange]:
        """Return the clusters that the prior showed and no current cluster is."""
        loose = self.calcifications.exclude_findings(find_clusters(self.image))
        area_mm2 = self.registration.current.area_mm2
        missing = []
        for number in unmatched:
            # What was not shown then is not missed now.
            if not self.prior_image.findings[number].shown:
                continue
            then = self.prior_calcifications.select_findings([number]).centers
            if not self.registration.current_shows(then):
                prior = (self._refer_to_prior(number),)
                missing.append(FindingChange(ChangeKind.NOT_IN_FIELD, None, prior))
                continue
            at = self.registration.unmap_mm(then)
            radius = search_radius_mm(self.registration.estimate_error(at))
            if not find_sparse(at, radius, loose, area_mm2):
                missing.append(self._describe_gone(number, at, loose, limits))
        return missing

    def _describe_gone(
        self, number: int, at: PointsMm, loose: Calcifications, limits: UnitLimits
    ) -> FindingChange:
        """Return what became of a prior cluster whose place shows no cluster now."""
        prior = (self._refer_to_prior(number),)
        if not self.registration.has_tissue_near(at):
            return FindingChange(ChangeKind.NOT_COMPARABLE, None, prior, why_not=PLACE_LOST)
        outline = self.registration.map_to_current(self.prior_image.findings[number].outline)
        return FindingChange(
            ChangeKind.GONE,
            None,
            prior,
            # All that reach the low threshold count, in either exam: so that none is overlooked.
            limits.compare_numbers(len(find_at_place(at, loose)), len(at)),
            place=_clamp(outline, self.registration.current),
            error_mm=round(self.registration.estimate_error(at), 2),
        )

    def _pair_points(self, pairing: Pairing) -> tuple[tuple[PointPx, PointPx], ...]:
        current = pairing.current.centers[pairing.pairs[:, 0]]
        prior = pairing.prior.centers[pairing.pairs[:, 1]]
        here, there = self.registration.current.to_px(current), self.registration.prior.to_px(prior)
        return tuple(zip(here, there, strict=True))


@dataclass(frozen=True, slots=True)
class ClusterMeasures:
    """Number, extent and diameter of one cluster in both exams."""

    number: MeasuredDifference
    extent_mm: MeasuredDifference | None
    diameter_mm: MeasuredDifference | None

    @property
    def change(self) -> ChangeKind:
        """By the number if that is beyond its limits, else by the sizes."""
        if self.number.direction:
            return ChangeKind.MORE if self.number.direction > 0 else ChangeKind.FEWER
        sizes = [d.direction for d in (self.extent_mm, self.diameter_mm) if d is not None]
        if 1 in sizes:
            return ChangeKind.LARGER
        return ChangeKind.SMALLER if -1 in sizes else ChangeKind.UNCHANGED


def measure_cluster(pairing: Pairing, limits: UnitLimits) -> ClusterMeasures:
    """Measure one cluster in both exams, each calcification counted by one rule."""
    here, there = pairing.counted_current, pairing.counted_prior
    now, then = _extent_mm(pairing.current.centers[here]), _extent_mm(pairing.prior.centers[there])
    pairs = pairing.pairs
    diameters = [
        float(np.median(exam.diameter_mm[pairs[:, side]])) if len(pairs) >= _LEAST_PAIRS else 0.0
        for side, exam in enumerate((pairing.current, pairing.prior))
    ]
    return ClusterMeasures(
        limits.compare_numbers(int(here.sum()), int(there.sum())),
        limits.compare_extents(now, then) if now > 0 and then > 0 else None,
        limits.compare_diameters(*diameters) if min(diameters) > 0 else None,
    )


def _extent_mm(points: PointsMm) -> float:
    return float(pdist(points).max()) if len(points) > 1 else 0.0


def _clamp(outline: Outline, frame: ViewFrame) -> Outline:
    return tuple(clamp_to_image(point, frame.rows, frame.columns) for point in outline)
