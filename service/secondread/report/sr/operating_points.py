"""CAD Operating Points (TID 4023), and the Rendering Intent that a finding has by them.

The marks that the point in force shows are Presentation Required. A more sensitive point shows
further ones: those are Presentation Optional, with the rank of the first point that shows them as
their CAD Operating Point (PS3.17 E.4). The point in force has rank 0, which is never written
beside a mark; what no point shows is Not for Presentation.
"""

from dataclasses import dataclass

from secondread.codes import MarkClass, OperatingPointAxis, RenderingIntent
from secondread.findings.finding import Finding, ModelIdentity, StatedOperatingPoint
from secondread.report import concepts
from secondread.report.sr import tree
from secondread.report.sr.tree import Relation, TreeItem
from secondread.report.sr.wording import to_ascii


@dataclass(frozen=True, slots=True)
class Rendering:
    """How a workstation is to treat a mark."""

    intent: RenderingIntent
    rank: int = 0
    """CAD Operating Point of an optional mark, from 1; 0 for others."""


PRESENTATION_REQUIRED = Rendering(RenderingIntent.REQUIRED)
NOT_FOR_PRESENTATION = Rendering(RenderingIntent.NOT)


def rank_points(model: ModelIdentity, *, include_all: bool) -> tuple[StatedOperatingPoint, ...]:
    """Return the point in force and, where a report holds their marks, the more sensitive ones.

    Parameters
    ----------
    model
        The detector.
    include_all
        Whether the report holds findings that the point in force does not srendering.

    Returns
    -------
    tuple of StatedPoint
        By rank: the one in force first; empty where nothing is stated of it.
    """
    in_force = next((p for p in model.points if p.number == model.operating_point), None)
    if in_force is None:
        return ()
    further = sorted(
        (p for p in model.points if p.minimum_certainty < in_force.minimum_certainty),
        key=lambda point: -point.minimum_certainty,
    )
    return (in_force, *further) if include_all else (in_force,)


def choose_rendering(finding: Finding, points: tuple[StatedOperatingPoint, ...]) -> Rendering:
    """Return how a workstation is to treat a finding.

    Parameters
    ----------
    finding
        The finding; the point in force decided whether it is shown.
    points
        By rank, as `rank_points` returns them.
    """
    if finding.shown:
        return PRESENTATION_REQUIRED
    # What is typically benign is marked at no operating point.
    if finding.mark_class is MarkClass.CLUSTER and not finding.is_set_aside:
        for rank, point in enumerate(points[1:], start=1):
            if finding.certainty >= point.minimum_certainty:
                return Rendering(RenderingIntent.OPTIONAL, rank)
    return NOT_FOR_PRESENTATION


def write_intent(rendering: Rendering, points: tuple[StatedOperatingPoint, ...]) -> TreeItem:
    """Return the Rendering Intent of an item, with its operating point (TID 4006 rows 2, 3)."""
    item = tree.code(concepts.RENDERING_INTENT, rendering.intent.code)
    if rendering.rank:
        unit = concepts.range_unit(1, len(points) - 1)
        number = tree.number(concepts.CAD_OPERATING_POINT, rendering.rank, unit)
        item.add(Relation.HAS_PROPERTIES, number)
    return item


def write_operating_points(points: tuple[StatedOperatingPoint, ...]) -> tuple[TreeItem, ...]:
    """Return the rows of TID 4023 with what is stated of each point; none for no points."""
    if not points:
        return ()
    maximum = len(points) - 1
    unit = concepts.range_unit(0, maximum)
    table = tree.container(concepts.OPERATING_POINT_TABLE)
    axes = OperatingPointAxis.FALSE_MARKERS_PER_IMAGE.code, OperatingPointAxis.CERTAINTY.code
    table.add(Relation.CONTAINS, tree.code(concepts.X_CONCEPT, axes[0]))
    table.add(Relation.CONTAINS, tree.code(concepts.Y_CONCEPT, axes[1]))
    for rank, point in enumerate(points):
        row = table.add(Relation.CONTAINS, tree.number(concepts.CAD_OPERATING_POINT, rank, unit))
        description = to_ascii(
            f"{point.name} (operating point {point.number} of the model): clusters of certainty "
            f"{point.minimum_certainty:g} and more; false marks stated on {point.stated_on}"
        )
        properties = (
            tree.text(concepts.OPERATING_POINT_DESCRIPTION, description),
            tree.number(axes[0], point.false_marks_per_image, concepts.NO_UNITS),
            tree.number(axes[1], point.minimum_certainty, concepts.PERCENT),
        )
        row.add_all(Relation.HAS_PROPERTIES, properties)
    return (
        tree.number(concepts.MAXIMUM_OPERATING_POINT, maximum, concepts.ARBITRARY),
        tree.number(concepts.RECOMMENDED_OPERATING_POINT, 0, unit),
        table,
    )
