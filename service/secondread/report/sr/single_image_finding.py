"""Findings as content items: Single Image Finding (TID 4006) and what it holds."""

from dataclasses import dataclass

from secondread.codes import Code, FindingType, MarkClass, RenderingIntent
from secondread.errors import ReportError
from secondread.findings.certainty import round_certainty
from secondread.findings.finding import Calcification, Finding, ImageReading
from secondread.findings.label_words import is_certain
from secondread.geometry import PointPx
from secondread.report import concepts
from secondread.report.sr import tree
from secondread.report.sr.algorithms import (
    AlgorithmPart,
    identify_algorithm,
    list_gate_parameters,
    list_model_parameters,
)
from secondread.report.sr.operating_points import Rendering, write_intent
from secondread.report.sr.report_contents import (
    FINDING_TYPES,
    ReportContents,
    list_quality_findings,
)
from secondread.report.sr.tree import Relation, TreeItem


@dataclass(frozen=True, slots=True)
class Tracking:
    """By what a finding is known over reports (TID 4108)."""

    identifier: str
    uid: str

    @property
    def items(self) -> tuple[TreeItem, TreeItem]:
        """The rows of TID 4108."""
        return (
            tree.text(concepts.TRACKING_IDENTIFIER, self.identifier),
            tree.uid(concepts.TRACKING_UID, self.uid),
        )


@dataclass(frozen=True, slots=True)
class WrittenFinding:
    """A finding as a content item, and the part of it that others refer to."""

    item: TreeItem
    count: TreeItem | None
    """Number of calcifications; None where it has none."""


@dataclass(frozen=True, slots=True)
class FindingWriter:
    """Writes the findings of one image."""

    contents: ReportContents
    image: ImageReading
    entry: TreeItem
    """The image's entry in the Image Library."""

    def write(self, finding: Finding, rendering: Rendering, tracking: Tracking) -> WrittenFinding:
        """Return the Single Image Finding of a cluster or of one calcification.

        Raises
        ------
        ReportError
            A point is outside the image, the outline is open, or a certainty is not 0-100.
        """
        model, finding_type = self.contents.reading.model, FINDING_TYPES[finding.mark_class]
        is_cluster = finding_type is FindingType.CLUSTER
        part = AlgorithmPart.CLUSTERS if is_cluster else AlgorithmPart.CALCIFICATIONS
        item = self._start_finding(finding_type, rendering)
        item.add_all(Relation.HAS_OBS_CONTEXT, tracking.items)
        count = None
        if is_cluster and finding.members:
            number = len(finding.members)
            count = tree.number(concepts.NUMBER_OF_CALCIFICATIONS, number, concepts.NO_UNITS)
        properties = (
            *identify_algorithm(model, part, list_model_parameters(model)),
            _write_certainty(finding.certainty, finding.id),
            self._write_center(finding.center, finding.id),
            self._write_outline(finding),
            *_write_description(finding),
            *([count] if count is not None else []),
            *self._write_length(concepts.LONG_AXIS, finding.long_axis_mm),
        )
        item.add_all(Relation.HAS_PROPERTIES, properties)
        for member in finding.members if self.contents.individual else ():
            item.add(Relation.INFERRED_FROM, self._write_member(member, finding, rendering))
        return WrittenFinding(item, count)

    def write_quality(self) -> TreeItem:
        """Return the Single Image Finding on the quality of the image, for its doubts.

        It is Not for Presentation: there is no place in the image to present.
        """
        item = self._start_finding(FindingType.IMAGE_QUALITY, Rendering(RenderingIntent.NOT))
        parameters = list_gate_parameters(self.image)
        gates = identify_algorithm(self.contents.reading.model, AlgorithmPart.GATES, parameters)
        item.add_all(Relation.HAS_PROPERTIES, gates)
        item.refer_to(Relation.INFERRED_FROM, self.entry)
        for quality in list_quality_findings(self.image):
            item.add(Relation.HAS_PROPERTIES, tree.code(concepts.QUALITY_FINDING, quality.code))
        return item

    def _write_member(
        self, member: Calcification, finding: Finding, rendering: Rendering
    ) -> TreeItem:
        # TID 4006 row 25: what a cluster is inferred from. PS3.4 O.2 allows that it is more
        # presentable than the cluster; it is as presentable.
        item = self._start_finding(FindingType.CALCIFICATION, rendering)
        properties = (
            *identify_algorithm(self.contents.reading.model, AlgorithmPart.CALCIFICATIONS),
            _write_certainty(member.certainty, finding.id),
            self._write_center(member.center, finding.id),
            *self._write_length(concepts.DIAMETER, member.diameter_mm),
        )
        item.add_all(Relation.HAS_PROPERTIES, properties)
        return item

    def _start_finding(self, finding_type: FindingType, rendering: Rendering) -> TreeItem:
        item = tree.code(concepts.SINGLE_IMAGE_FINDING, finding_type.code)
        item.add(Relation.HAS_CONCEPT_MOD, write_intent(rendering, self.contents.points))
        return item

    def _write_length(self, concept: Code, millimeters: float) -> tuple[TreeItem, ...]:
        """Return a length (TID 1400); none where the image has no pixel spacing to measure by."""
        if millimeters <= 0 or self.image.mammogram.spacing is None:
            return ()
        return (tree.number(concept, round(millimeters, 3), concepts.MILLIMETER),)

    def _write_center(self, point: PointPx, name: str) -> TreeItem:
        return self._write_points(concepts.CENTER, "POINT", (point,), name)

    def _write_outline(self, finding: Finding) -> TreeItem:
        outline = finding.outline
        if len(outline) < 4 or outline[0] != outline[-1]:
            raise ReportError(f"{finding.id}: the outline is not closed")
        return self._write_points(concepts.OUTLINE, "POLYLINE", outline, finding.id)

    def _write_points(
        self, concept: Code, graphic_type: str, points: tuple[PointPx, ...], name: str
    ) -> TreeItem:
        rows, columns = self.image.mammogram.rows, self.image.mammogram.columns
        for point in points:
            if not (0 <= point.col <= columns and 0 <= point.row <= rows):
                raise ReportError(
                    f"{name}: {point} is outside the image of {columns} columns, {rows} rows"
                )
        item = tree.scoord(concept, graphic_type, points)
        item.refer_to(Relation.SELECTED_FROM, self.entry)
        return item


def _write_certainty(value: float, name: str) -> TreeItem:
    if not 0 <= value <= 100:
        raise ReportError(f"{name}: certainty {value!r} is not between 0 and 100")
    return tree.number(concepts.CERTAINTY, round_certainty(value), concepts.PERCENT)


def _write_description(finding: Finding) -> list[TreeItem]:
    """Return type and distribution, where they are certain (TID 4009 row 1, 4010 rows 1, 2).

    One code at most: two would report that both are present. What cannot be told from the first
    is named in the impression's description.
    """
    items = []
    if is_certain(finding.morphology):
        items.append(tree.code(concepts.CALCIFICATION_TYPE, finding.morphology[0][0].code))
    if finding.mark_class is MarkClass.CLUSTER and is_certain(finding.distribution):
        label = finding.distribution[0][0]
        items.append(tree.code(concepts.CALCIFICATION_DISTRIBUTION, label.code))
    return items
