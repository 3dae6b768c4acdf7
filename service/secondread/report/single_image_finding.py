"""Findings as content items: Single Image Finding (TID 4006) and what it holds."""

from secondread.codes import FindingType, MarkClass, RenderingIntent
from secondread.errors import ReportError
from secondread.findings.finding import Calcification, Finding, ImageReading, ModelIdentity
from secondread.geometry import PointPx
from secondread.report import concepts, tree
from secondread.report.detections import algorithm, model_parameters
from secondread.report.tree import Item, Relation
from secondread.report.uids import ResultUids

FINDING_TYPES = {
    MarkClass.CLUSTER: FindingType.CLUSTER,
    MarkClass.CALCIFICATION: FindingType.CALCIFICATION,
}
"""The classes that a CAD SR holds, with their value in CID 6014.

The others are what the second read sets aside: calcified vessels and skin, and benign
calcifications, would be false marks as findings, and for metal the detector does not tell a clip
from a marker, as Non-lesion (CID 6040) would have to.
"""


def encoded_findings(image: ImageReading, include_all: bool) -> list[Finding]:
    """Return the findings of an image that a CAD SR holds.

    Parameters
    ----------
    image
        One image; only what it answered counts, so an image that failed has none.
    include_all
        Whether findings that are not shown are included.
    """
    if not image.status.has_findings:
        return []
    return [
        finding
        for finding in image.findings
        if finding.mark_class in FINDING_TYPES and (finding.shown or include_all)
    ]


def rendering_intent(finding: Finding) -> RenderingIntent:
    """Return how a workstation is to treat a finding (CID 6034)."""
    return RenderingIntent.REQUIRED if finding.shown else RenderingIntent.NOT


class FindingWriter:
    """Writes the findings of one image.

    Parameters
    ----------
    image
        The image that they are in.
    entry
        Its Image Library entry.
    model
        The detector that found them.
    uids
        Where tracking UIDs come from.
    """

    def __init__(
        self, image: ImageReading, entry: Item, model: ModelIdentity, uids: ResultUids
    ) -> None:
        self._image = image
        self._entry = entry
        self._model = model
        self._uids = uids

    def item(self, finding: Finding) -> Item:
        """Return the Single Image Finding of a cluster or of one calcification.

        Raises
        ------
        ReportError
            A point is outside the image, the outline is open, or a certainty is not 0-100.
        """
        finding_type = FINDING_TYPES[finding.mark_class]
        intent = rendering_intent(finding)
        item = self._finding(finding_type, intent)
        tracking_uid = self._uids.tracking(finding.id)
        item.add(Relation.HAS_OBS_CONTEXT, tree.text(concepts.TRACKING_IDENTIFIER, finding.id))
        item.add(Relation.HAS_OBS_CONTEXT, tree.uid(concepts.TRACKING_UID, tracking_uid))
        parameters = model_parameters(self._model)
        self._properties(item, algorithm(self._model, finding_type, parameters))
        self._properties(item, (_certainty(finding.certainty, finding.id),))
        item.add(Relation.HAS_PROPERTIES, self._center(finding.center, finding.id))
        item.add(Relation.HAS_PROPERTIES, self._outline(finding))
        self._properties(item, _description(finding))
        for member in finding.members:
            item.add(Relation.INFERRED_FROM, self._member(member, finding, intent))
        return item

    def _member(self, member: Calcification, finding: Finding, intent: RenderingIntent) -> Item:
        # TID 4006 row 25: what a cluster is inferred from. No less presentable than the cluster
        # would do as well (PS3.4 O.2); no more is the rule.
        item = self._finding(FindingType.CALCIFICATION, intent)
        self._properties(item, algorithm(self._model, FindingType.CALCIFICATION))
        self._properties(item, (_certainty(member.certainty, finding.id),))
        item.add(Relation.HAS_PROPERTIES, self._center(member.center, finding.id))
        if member.diameter_mm > 0 and self._image.mammogram.spacing is not None:
            diameter = tree.number(
                concepts.DIAMETER, round(member.diameter_mm, 3), concepts.MILLIMETER
            )
            item.add(Relation.HAS_PROPERTIES, diameter)
        return item

    def _finding(self, finding_type: FindingType, intent: RenderingIntent) -> Item:
        item = tree.code(concepts.SINGLE_IMAGE_FINDING, finding_type.code)
        item.add(Relation.HAS_CONCEPT_MOD, tree.code(concepts.RENDERING_INTENT, intent.code))
        return item

    @staticmethod
    def _properties(item: Item, properties: tuple[Item, ...]) -> None:
        for child in properties:
            item.add(Relation.HAS_PROPERTIES, child)

    def _center(self, point: PointPx, name: str) -> Item:
        self._check_inside((point,), name)
        item = tree.scoord(concepts.CENTER, "POINT", (point,))
        item.refer(Relation.SELECTED_FROM, self._entry)
        return item

    def _outline(self, finding: Finding) -> Item:
        outline = finding.outline
        if len(outline) < 4 or outline[0] != outline[-1]:
            raise ReportError(f"{finding.id}: the outline is not closed")
        self._check_inside(outline, finding.id)
        item = tree.scoord(concepts.OUTLINE, "POLYLINE", outline)
        item.refer(Relation.SELECTED_FROM, self._entry)
        return item

    def _check_inside(self, points: tuple[PointPx, ...], name: str) -> None:
        rows, columns = self._image.mammogram.rows, self._image.mammogram.columns
        for point in points:
            if not (0 <= point.col <= columns and 0 <= point.row <= rows):
                raise ReportError(
                    f"{name}: {point} is outside the image of {columns} columns, {rows} rows"
                )


def _certainty(value: float, name: str) -> Item:
    if not 0 <= value <= 100:
        raise ReportError(f"{name}: certainty {value!r} is not between 0 and 100")
    return tree.number(concepts.CERTAINTY, round(value, 1), concepts.PERCENT)


def _description(finding: Finding) -> tuple[Item, ...]:
    """Return what TID 4010 has of a cluster; nothing of it was asked of one calcification."""
    if finding.mark_class is not MarkClass.CLUSTER:
        return tuple(
            tree.code(concepts.CALCIFICATION_TYPE, label.code)
            for label, _ in finding.morphology[:1]
        )
    described = [
        tree.code(concept, labels[0][0].code)
        for concept, labels in (
            (concepts.CALCIFICATION_TYPE, finding.morphology),
            (concepts.CALCIFICATION_DISTRIBUTION, finding.distribution),
        )
        if labels
    ]
    if finding.members:
        described.append(
            tree.number(concepts.NUMBER_OF_CALCIFICATIONS, len(finding.members), concepts.NO_UNITS)
        )
    return tuple(described)
