"""One lesion in several images as a content item: Composite Feature (TID 4004, 4005)."""

from collections.abc import Sequence
from dataclasses import dataclass

from secondread.codes import (
    ClockFace,
    CompositeType,
    FeatureScope,
    FindingType,
    QuadrantLocation,
    TemporalDifference,
)
from secondread.findings.changes import FindingChange, FindingRef, StudyComparison
from secondread.findings.finding import ModelIdentity, StatedOperatingPoint
from secondread.findings.position import Quadrant
from secondread.findings.view_pair import ViewPair
from secondread.report import concepts
from secondread.report.sr import tree
from secondread.report.sr.detections import identify_algorithm
from secondread.report.sr.operating_points import Rendering, write_intent
from secondread.report.sr.reported_lesions import ReportedLesionView
from secondread.report.sr.single_image_finding import Tracking, WrittenFinding
from secondread.report.sr.tree import Relation, TreeItem

_QUADRANTS = {
    Quadrant.UPPER_INNER: QuadrantLocation.UPPER_INNER,
    Quadrant.UPPER_OUTER: QuadrantLocation.UPPER_OUTER,
    Quadrant.LOWER_INNER: QuadrantLocation.LOWER_INNER,
    Quadrant.LOWER_OUTER: QuadrantLocation.LOWER_OUTER,
}
_HOURS = tuple(ClockFace)[:12]


def identify_comparison(
    model: ModelIdentity, parameters: Sequence[str] = ()
) -> tuple[TreeItem, ...]:
    """Return what compares exams, as TID 4019 identifies it."""
    return identify_algorithm(model, "comparison with priors", parameters)


def identify_correlation(
    model: ModelIdentity, parameters: Sequence[str] = ()
) -> tuple[TreeItem, ...]:
    """Return what recognises a cluster in the other view, as TID 4019 identifies it."""
    return identify_algorithm(model, "correlation of views", parameters)


@dataclass(frozen=True, slots=True)
class CompositeWriter:
    """Writes composite features of calcification clusters."""

    model: ModelIdentity
    points: tuple[StatedOperatingPoint, ...]

    def write_over_time(
        self,
        part: ReportedLesionView,
        written: dict[FindingRef, WrittenFinding],
        how: Rendering,
        known: Tracking,
    ) -> TreeItem:
        """Return a cluster of one view with what it was in the priors.

        Parameters
        ----------
        part
            Its findings; at least one of a prior.
        written
            Their content items, which become children of this one, current ones first.
        how, known
            Its rendering intent, and its name over reports.
        """
        item = self._feature(CompositeType.TEMPORAL, how, known)
        parameters = [explain_change(one.comparison, one.change) for one in part.matches]
        self._properties(item, identify_comparison(self.model, parameters))
        if len(part.current) == 1:
            now = written[part.current[0].ref]
            counts = [written[seen.ref] for seen in part.prior]
            self._properties(item, [one for one in (_difference(now, c) for c in counts) if one])
        for seen in (*part.current, *part.prior):
            item.add(Relation.INFERRED_FROM, written[seen.ref].item)
        return item

    def write_over_views(
        self, children: Sequence[TreeItem], pair: ViewPair, how: Rendering, known: Tracking
    ) -> TreeItem:
        """Return a cluster that was recognised in both views.

        Parameters
        ----------
        children
            Its Single Image Findings, or Composite Features over time, one for each view or more.
        pair
            What the views together say of it.
        how, known
            Its rendering intent, and its name over reports.
        """
        item = self._feature(CompositeType.SPATIAL, how, known)
        behind = " and ".join(f"{depth:g}" for depth in pair.depths_mm)
        said = f"confidence={pair.confidence:g}; {behind} mm behind the nipple"
        self._properties(item, identify_correlation(self.model, [said]))
        self._properties(item, _place(pair))
        for child in children:
            item.add(Relation.INFERRED_FROM, child)
        return item

    def _feature(self, kind: CompositeType, how: Rendering, known: Tracking) -> TreeItem:
        item = tree.code(concepts.COMPOSITE_FEATURE, FindingType.CLUSTER.code)
        # An operating point goes beside single image findings only (TID 4006 row 3).
        plain = Rendering(how.intent)
        item.add(Relation.HAS_CONCEPT_MOD, write_intent(plain, self.points))
        for child in known.items:
            item.add(Relation.HAS_OBS_CONTEXT, child)
        scope = FeatureScope.MULTIPLE_IMAGES
        self._properties(
            item,
            (
                tree.code(concepts.COMPOSITE_TYPE, kind.code),
                tree.code(concepts.SCOPE_OF_FEATURE, scope.code),
            ),
        )
        return item

    @staticmethod
    def _properties(item: TreeItem, properties: Sequence[TreeItem]) -> None:
        for child in properties:
            item.add(Relation.HAS_PROPERTIES, child)


def _difference(now: WrittenFinding, then: WrittenFinding) -> TreeItem | None:
    """Return the difference in number, with both counts: A of A - B first (TID 4005 row 11)."""
    if now.count is None or then.count is None:
        return None
    values = [
        float(one.content.MeasuredValueSequence[0].NumericValue) for one in (now.count, then.count)
    ]
    item = tree.number(TemporalDifference.NUMBER.code, values[0] - values[1], concepts.NO_UNITS)
    item.refer_to(Relation.INFERRED_FROM, now.count)
    item.refer_to(Relation.INFERRED_FROM, then.count)
    return item


def explain_change(comparison: StudyComparison, change: FindingChange) -> str:
    """Say what the word for a change rests on: a parameter of the comparison."""
    day = comparison.prior_date.isoformat() if comparison.prior_date else "unknown date"
    parts = [f"against {day} ({comparison.basis}): {change.kind.words}"]
    if change.number is not None:
        number = change.number
        parts.append(
            f"by one rule {number.current:g} calcifications now and {number.prior:g} then, "
            f"unchanged from {number.lower:.1f} to {number.upper:.1f}"
        )
    if change.extent_mm is not None:
        extent = change.extent_mm
        parts.append(
            f"extent {extent.current:.1f} mm now and {extent.prior:.1f} mm then, "
            f"unchanged from {extent.lower:.1f} to {extent.upper:.1f} mm"
        )
    if change.error_mm is not None:
        parts.append(f"place known to {change.error_mm:g} mm")
    if change.recheck is not None:
        parts.append(change.recheck.explanation)
    return "; ".join(parts)


def _place(pair: ViewPair) -> list[TreeItem]:
    place, items = pair.place, []
    if place.quadrant in _QUADRANTS:
        items.append(tree.code(concepts.QUADRANT, _QUADRANTS[place.quadrant].code))
    if place.clock_hour is not None:
        items.append(tree.code(concepts.CLOCK_FACE, _HOURS[place.clock_hour - 1].code))
    elif place.quadrant is Quadrant.CENTRAL:
        items.append(tree.code(concepts.CLOCK_FACE, ClockFace.CENTRAL.code))
    return items
