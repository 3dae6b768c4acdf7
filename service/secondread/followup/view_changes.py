"""What became of each cluster of a view, once its image is registered to the prior's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

import numpy as np
from scipy.spatial.distance import pdist

from secondread.findings.changes import ChangeKind, FindingChange, FindingRef, MeasuredDifference
from secondread.findings.finding import Finding, ImageReading
from secondread.followup.calcification_pairs import Pairing, find_unpaired, pair_calcifications
from secondread.followup.calcifications import (
    LOW_CERTAINTY,
    Calcifications,
    collect_calcifications,
    find_clusters,
    join_calcifications,
)
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
PARTLY_SHOWN = "a part of it lies where only one of the images shows the breast"
"""Why the number and size of a cluster say nothing of its change."""
GONE_CERTAINTY = 80.0
"""Certainty of a prior's finding from which on it is missed.

On 40 simulated pairs (seed 2) all seven clusters that were gone had 97 or more in the prior; on 70
others 12 of 13 had, and of three marks on nothing that the priors showed, two had 32 and 41.
"""
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
    marks: Calcifications
    """All of the current image, however unlikely. Where the other exam has a sure calcification,
    one of them is no chance: there is about one in 1000 mm2."""
    prior_marks: Calcifications

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
            collect_calcifications(image, registration.current, 0.0),
            collect_calcifications(prior_image, registration.prior, 0.0),
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

    def find_changes(self, limits: UnitLimits) -> "ViewChanges":
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
        unmatched = find_unmatched(prior_clusters, matches)
        missing = self._find_missing(unmatched, limits)
        numbered = [change for match in matches for change in self._describe_match(match, limits)]
        numbered += [
            (cluster.finding, FindingChange(ChangeKind.NOT_IN_FIELD, self._refer(cluster), ()))
            for cluster in outside
        ]
        return ViewChanges(
            (*(change for _, change in sorted(numbered, key=itemgetter(0))), *missing.values()),
            frozenset(map(self._refer_to_prior, set(prior_clusters) - set(missing))),
        )

    def _map_cluster(self, number: int) -> MappedCluster:
        calcifications = self.calcifications.select_findings([number])
        error_mm = self.registration.estimate_error(calcifications.centers)
        mapped = self.registration.map_mm(calcifications.centers)
        return MappedCluster(number, calcifications, mapped, error_mm)

    def _refer(self, cluster: MappedCluster) -> FindingRef:
        return self.image.refer_to(self.image.findings[cluster.finding])

    def _describe_match(self, match: Match, limits: UnitLimits) -> list[tuple[int, FindingChange]]:
        """Return the change of each part of a whole, with the index of its finding."""
        if not match.prior:
            changes = [FindingChange(ChangeKind.NEW, self._refer(part), ()) for part in match.parts]
        else:
            changes = self._measure_match(match, limits)
        described = []
        for part, change in zip(match.parts, changes, strict=True):
            place, error_mm = self.locate_in_prior(self.image.findings[part.finding])
            described.append((part.finding, replace(change, place=place, error_mm=error_mm)))
        return described

    def _measure_match(self, match: Match, limits: UnitLimits) -> list[FindingChange]:
        """Return the change of a whole that both exams show, for each of its parts."""
        pairing, mapped = self._pair_whole(match)
        measures = measure_cluster(pairing, limits)
        why_not = ""
        if measure_cluster(self._select_shown(pairing), limits).change is not measures.change:
            why_not = PARTLY_SHOWN
        reach = max(part.partner_mm for part in match.parts)
        unpaired = find_unpaired(pairing, mapped, reach) & pairing.current.sure
        shown = [part for part in match.parts if self.image.findings[part.finding].shown]
        return [
            FindingChange(
                ChangeKind.NOT_COMPARABLE if why_not else measures.change,
                self._refer(part),
                tuple(self._refer_to_prior(number) for number in match.prior),
                measures.number,
                measures.extent_mm,
                measures.diameter_mm,
                self._pair_points(pairing, part),
                why_not=why_not,
                counted_with=tuple(self._refer(other) for other in shown if other is not part),
                unpaired=self.registration.current.to_px(
                    pairing.current.centers[unpaired & pairing.current.is_of([part.finding])]
                ),
            )
            for part in match.parts
        ]

    def _pair_whole(self, match: Match) -> tuple[Pairing, PointsMm]:
        """Return the calcifications of a whole in pairs, and the current ones in the prior's frame.

        Those at its place count too that are single or faint: where a cluster falls apart, some
        are left over, and have not vanished.
        """
        of_parts = join_calcifications([part.calcifications for part in match.parts])
        of_prior = self.prior_calcifications.select_findings(match.prior)
        loose = _select_faint(self.marks, self.image, [part.finding for part in match.parts])
        prior_loose = _select_faint(self.prior_marks, self.prior_image, match.prior)
        at_parts = self.registration.map_mm(of_parts.centers)
        current = join_calcifications(
            [of_parts, find_at_place(self.registration.unmap_mm(of_prior.centers), loose)]
        )
        prior = join_calcifications([of_prior, find_at_place(at_parts, prior_loose)])
        mapped = self.registration.map_mm(current.centers)
        reach = max(part.radius_mm for part in match.parts)
        return pair_calcifications(current, mapped, prior, reach), mapped

    def _select_shown(self, pairing: Pairing) -> Pairing:
        """Return those of a whole whose place both images show."""
        current = self.registration.select_shown_by_prior(pairing.current.centers)
        prior = self.registration.select_shown_by_current(pairing.prior.centers)
        return pairing.select(current, prior)

    def _refer_to_prior(self, number: int) -> FindingRef:
        return self.prior_image.refer_to(self.prior_image.findings[number])

    def _find_missing(
        self, unmatched: Sequence[int], limits: UnitLimits
    ) -> dict[int, FindingChange]:
        """Return what became of the clusters that the prior showed and no current cluster is.

        By the index of the prior's finding. Only of what was shown then, and is likely enough to
        have been there: false marks come and go.
        """
        loose = self.calcifications.exclude_findings(find_clusters(self.image))
        marks = self.marks.exclude_findings(find_clusters(self.image))
        area_mm2 = self.registration.current.area_mm2
        missing: dict[int, FindingChange] = {}
        for number in unmatched:
            finding = self.prior_image.findings[number]
            if not finding.shown or finding.certainty < GONE_CERTAINTY:
                continue
            then = self.prior_calcifications.select_findings([number]).centers
            if not self.registration.current_shows(then):
                prior = (self._refer_to_prior(number),)
                missing[number] = FindingChange(ChangeKind.NOT_IN_FIELD, None, prior)
                continue
            at = self.registration.unmap_mm(then)
            radius = search_radius_mm(self.registration.estimate_error(at))
            # However unlikely each: of more marks than chance puts there something is left.
            if not find_sparse(at, radius, marks, area_mm2):
                missing[number] = self._describe_gone(number, at, loose, limits)
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

    def _pair_points(
        self, pairing: Pairing, part: MappedCluster
    ) -> tuple[tuple[PointPx, PointPx], ...]:
        of_part = pairing.current.is_of([part.finding])[pairing.pairs[:, 0]]
        current = pairing.current.centers[pairing.pairs[of_part, 0]]
        prior = pairing.prior.centers[pairing.pairs[of_part, 1]]
        here, there = self.registration.current.to_px(current), self.registration.prior.to_px(prior)
        return tuple(zip(here, there, strict=True))


@dataclass(frozen=True, slots=True)
class ViewChanges:
    """What became of the clusters of one image, by one image of the prior."""

    changes: tuple[FindingChange, ...]
    """Of the current clusters in their order, then of the prior's that are missing."""
    not_missed: frozenset[FindingRef]
    """The prior's clusters that are not missing, or would not be missed."""


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


def _select_faint(
    marks: Calcifications, image: ImageReading, findings: Sequence[int]
) -> Calcifications:
    """Return the marks of no cluster, and those of some clusters that are below the threshold."""
    others = [number for number in find_clusters(image) if number not in findings]
    own = marks.is_of(findings) & (marks.certainty >= LOW_CERTAINTY)
    return marks.select(~marks.is_of(others) & ~own)


def _clamp(outline: Outline, frame: ViewFrame) -> Outline:
    return tuple(clamp_to_image(point, frame.rows, frame.columns) for point in outline)
