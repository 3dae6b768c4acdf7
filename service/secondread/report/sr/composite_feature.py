"""One lesion in several images as a content item: Composite Feature (TID 4004, 4005)."""

from collections.abc import Mapping, Sequence

from secondread.codes import (
    ClockFace,
    CompositeType,
    FeatureScope,
    FindingType,
    QuadrantLocation,
    TemporalDifference,
)
from secondread.findings.changes import FindingRef
from secondread.findings.finding import ModelIdentity
from secondread.findings.position import Quadrant
from secondread.findings.view_pair import RepeatPair, ViewPair
from secondread.report import concepts
from secondread.report.sr import tree
from secondread.report.sr.algorithms import AlgorithmPart, identify_algorithm
from secondread.report.sr.impression_words import explain_change
from secondread.report.sr.operating_points import Rendering
from secondread.report.sr.report_contents import ReportedLesionView
from secondread.report.sr.single_image_finding import Tracking, WrittenFinding
from secondread.report.sr.tree import Relation, TreeItem

_QUADRANTS = {
    Quadrant.UPPER_INNER: QuadrantLocation.UPPER_INNER,
    Quadrant.UPPER_OUTER: QuadrantLocation.UPPER_OUTER,
    Quadrant.LOWER_INNER: QuadrantLocation.LOWER_INNER,
    Quadrant.LOWER_OUTER: QuadrantLocation.LOWER_OUTER,
}
_HOURS = tuple(ClockFace)[:12]


def write_over_time(
    model: ModelIdentity,
    view: ReportedLesionView,
    written: Mapping[FindingRef, WrittenFinding],
    rendering: Rendering,
    tracking: Tracking,
) -> TreeItem:
    """Return a cluster of one view with what it was in the priors.

    Parameters
    ----------
    model
        Which compared the exams.
    view
        The cluster's findings; at least one of a prior.
    written
        Their content items, which become children of this one, current ones first.
    rendering, tracking
        Its rendering intent, and its name over reports.
    """
    item = _start_feature(CompositeType.TEMPORAL, rendering, tracking)
    parameters = [explain_change(match.comparison, match.change) for match in view.matches]
    algorithm = identify_algorithm(model, AlgorithmPart.COMPARISON, parameters)
    item.add_all(Relation.HAS_PROPERTIES, algorithm)
    if len(view.current) == 1:
        now = written[view.current[0].ref]
        for prior in view.prior:
            item.add_all(Relation.HAS_PROPERTIES, _write_difference(now, written[prior.ref]))
    findings = (written[finding.ref].item for finding in (*view.current, *view.prior))
    item.add_all(Relation.INFERRED_FROM, findings)
    return item


def write_over_views(
    model: ModelIdentity,
    features: Sequence[TreeItem],
    pair: ViewPair | RepeatPair,
    rendering: Rendering,
    tracking: Tracking,
) -> TreeItem:
    """Return a cluster that was recognised in both views, or in two images of one view.

    Parameters
    ----------
    model
        Which correlated the views.
    features
        Its Single Image Findings, or Composite Features over time, one for each view or more.
    pair
        What joins two of its images.
    rendering, tracking
        Its rendering intent, and its name over reports.
    """
    item = _start_feature(CompositeType.SPATIAL, rendering, tracking)
    location: Sequence[TreeItem] = ()
    if isinstance(pair, ViewPair):
        depths = " and ".join(f"{depth:g}" for depth in pair.depths_mm)
        parameter = f"confidence={pair.confidence:g}; {depths} mm behind the nipple"
        location = _write_location(pair)
    else:
        parameter = f"two images of one view, laid on each other to {pair.error_mm:g} mm"
    algorithm = identify_algorithm(model, AlgorithmPart.CORRELATION, [parameter])
    item.add_all(Relation.HAS_PROPERTIES, (*algorithm, *location))
    item.add_all(Relation.INFERRED_FROM, features)
    return item


def _start_feature(kind: CompositeType, rendering: Rendering, tracking: Tracking) -> TreeItem:
    item = tree.code(concepts.COMPOSITE_FEATURE, FindingType.CLUSTER.code)
    # An operating point is written beside single image findings only (TID 4006 row 3).
    intent = tree.code(concepts.RENDERING_INTENT, rendering.intent.code)
    item.add(Relation.HAS_CONCEPT_MOD, intent)
    item.add_all(Relation.HAS_OBS_CONTEXT, tracking.items)
    scope = tree.code(concepts.SCOPE_OF_FEATURE, FeatureScope.MULTIPLE_IMAGES.code)
    item.add_all(Relation.HAS_PROPERTIES, (tree.code(concepts.COMPOSITE_TYPE, kind.code), scope))
    return item


def _write_difference(now: WrittenFinding, then: WrittenFinding) -> list[TreeItem]:
    """Return the difference in number, with both counts: A of A - B first (TID 4005 row 11)."""
    if now.count is None or then.count is None:
        return []
    values = [
        float(count.content.MeasuredValueSequence[0].NumericValue)
        for count in (now.count, then.count)
    ]
    item = tree.number(TemporalDifference.NUMBER.code, values[0] - values[1], concepts.NO_UNITS)
    item.refer_to(Relation.INFERRED_FROM, now.count)
    item.refer_to(Relation.INFERRED_FROM, then.count)
    return [item]


def _write_location(pair: ViewPair) -> list[TreeItem]:
    place, items = pair.place, []
    if place.quadrant in _QUADRANTS:
        items.append(tree.code(concepts.QUADRANT, _QUADRANTS[place.quadrant].code))
    if place.clock_hour is not None:
        items.append(tree.code(concepts.CLOCK_FACE, _HOURS[place.clock_hour - 1].code))
    elif place.quadrant is Quadrant.CENTRAL:
        items.append(tree.code(concepts.CLOCK_FACE, ClockFace.CENTRAL.code))
    return items
