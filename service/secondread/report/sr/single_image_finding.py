"""Findings as content items: Single Image Finding (TID 4006) and what it holds."""

from dataclasses import dataclass

from secondread.codes import Code, FindingType, MarkClass
from secondread.errors import ReportError
from secondread.findings.finding import (
    Calcification,
    Finding,
    ImageReading,
    ModelIdentity,
    StatedOperatingPoint,
)
from secondread.geometry import PointPx
from secondread.report import concepts
from secondread.report.sr import tree
from secondread.report.sr.detections import identify_detection, list_model_parameters
from secondread.report.sr.operating_points import Rendering, write_intent
from secondread.report.sr.tree import Relation, TreeItem

FINDING_TYPES = {
    MarkClass.CLUSTER: FindingType.CLUSTER,
    MarkClass.CALCIFICATION: FindingType.CALCIFICATION,
}
"""The classes that a CAD SR holds, with their value in CID 6014.

The others are what the second read sets aside: calcified vessels and skin, and benign
calcifications, would be false marks as findings, and for metal the detector does not tell a clip
from a marker, as Non-lesion (CID 6040) would have to.
"""


def select_findings(image: ImageReading, include_all: bool) -> list[Finding]:
    """Return the findings of an image that a CAD SR holds.

    Parameters
    ----------
    image
        One image; only what it answered counts, so an image that failed has none.
    include_all
        Whether findings that are not shown are included.
    """
    if not image.status.was_read:
        return []
    return [
        finding
        for finding in image.findings
        if finding.mark_class in FINDING_TYPES and (finding.shown or include_all)
    ]


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

    image: ImageReading
    entry: TreeItem
    """The image's entry in the Image Library."""
    model: ModelIdentity
    points: tuple[StatedOperatingPoint, ...]
    """Operating points by rank."""
    individual: bool
    """Whether the calcifications of a cluster are written too."""

    def write(self, finding: Finding, how: Rendering, tracking: Tracking) -> WrittenFinding:
        """Return the Single Image Finding of a cluster or of one calcification.

        Raises
        ------
        ReportError
            A point is outside the image, the outline is open, or a certainty is not 0-100.
        """
        finding_type = FINDING_TYPES[finding.mark_class]
        item = self._finding(finding_type, how)
        for child in tracking.items:
            item.add(Relation.HAS_OBS_CONTEXT, child)
        parameters = list_model_parameters(self.model)
        count = _count(finding)
        for child in (
            *identify_detection(self.model, finding_type, parameters),
            _certainty(finding.certainty, finding.id),
            self._center(finding.center, finding.id),
            self._outline(finding),
            *_described(finding),
            *([count] if count is not None else []),
            *self._long_axis(finding),
        ):
            item.add(Relation.HAS_PROPERTIES, child)
        for member in finding.members if self.individual else ():
            item.add(Relation.INFERRED_FROM, self._member(member, finding, how))
        return WrittenFinding(item, count)

    def _member(self, member: Calcification, finding: Finding, how: Rendering) -> TreeItem:
        # TID 4006 row 25: what a cluster is inferred from. No less presentable than the cluster
        # would do as well (PS3.4 O.2); no more is the rule.
        item = self._finding(FindingType.CALCIFICATION, how)
        for child in (
            *identify_detection(self.model, FindingType.CALCIFICATION),
            _certainty(member.certainty, finding.id),
            self._center(member.center, finding.id),
            *self._length(concepts.DIAMETER, member.diameter_mm),
        ):
            item.add(Relation.HAS_PROPERTIES, child)
        return item

    def _finding(self, finding_type: FindingType, how: Rendering) -> TreeItem:
        item = tree.code(concepts.SINGLE_IMAGE_FINDING, finding_type.code)
        item.add(Relation.HAS_CONCEPT_MOD, write_intent(how, self.points))
        return item

    def _long_axis(self, finding: Finding) -> tuple[TreeItem, ...]:
        return self._length(concepts.LONG_AXIS, finding.long_axis_mm)

    def _length(self, concept: Code, millimeters: float) -> tuple[TreeItem, ...]:
        """Return a length (TID 1400); none where the image has no pixel spacing to measure by."""
        if millimeters <= 0 or self.image.mammogram.spacing is None:
            return ()
        return (tree.number(concept, round(millimeters, 3), concepts.MILLIMETER),)

    def _center(self, point: PointPx, name: str) -> TreeItem:
        self._check_inside((point,), name)
        item = tree.scoord(concepts.CENTER, "POINT", (point,))
        item.refer_to(Relation.SELECTED_FROM, self.entry)
        return item

    def _outline(self, finding: Finding) -> TreeItem:
        outline = finding.outline
        if len(outline) < 4 or outline[0] != outline[-1]:
            raise ReportError(f"{finding.id}: the outline is not closed")
        self._check_inside(outline, finding.id)
        item = tree.scoord(concepts.OUTLINE, "POLYLINE", outline)
        item.refer_to(Relation.SELECTED_FROM, self.entry)
        return item

    def _check_inside(self, points: tuple[PointPx, ...], name: str) -> None:
        rows, columns = self.image.mammogram.rows, self.image.mammogram.columns
        for point in points:
            if not (0 <= point.col <= columns and 0 <= point.row <= rows):
                raise ReportError(
                    f"{name}: {point} is outside the image of {columns} columns, {rows} rows"
                )


def _certainty(value: float, name: str) -> TreeItem:
    if not 0 <= value <= 100:
        raise ReportError(f"{name}: certainty {value!r} is not between 0 and 100")
    return tree.number(concepts.CERTAINTY, round(value, 1), concepts.PERCENT)


def _described(finding: Finding) -> tuple[TreeItem, ...]:
    """Return type and distribution, where the model tells them (TID 4009 row 1, 4010 rows 1, 2)."""
    types = [
        tree.code(concepts.CALCIFICATION_TYPE, label.code) for label, _ in finding.morphology[:1]
    ]
    if finding.mark_class is not MarkClass.CLUSTER:
        return tuple(types)
    return (
        *types,
        *(
            tree.code(concepts.CALCIFICATION_DISTRIBUTION, label.code)
            for label, _ in finding.distribution[:1]
        ),
    )


def _count(finding: Finding) -> TreeItem | None:
    if finding.mark_class is not MarkClass.CLUSTER or not finding.members:
        return None
    return tree.number(concepts.NUMBER_OF_CALCIFICATIONS, len(finding.members), concepts.NO_UNITS)
