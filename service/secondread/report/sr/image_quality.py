"""Reasons of the node that are an Image Quality finding of TID 4006 and 4014.

Few are: CID 6041 names what technologists see, and most gates are about the header or about what
the detector knows. What has no value there is said in words.
"""

from secondread.codes import FindingType, QualityFinding, RenderingIntent
from secondread.findings.finding import ImageReading, ModelIdentity
from secondread.reasons import Reason
from secondread.report import concepts
from secondread.report.sr import tree
from secondread.report.sr.detections import identify_quality_gates, list_gate_parameters
from secondread.report.sr.tree import Relation, TreeItem

QUALITY_FINDINGS = {
    Reason.SATURATED: QualityFinding.OVER_EXPOSED,
    Reason.SATURATED_AREA: QualityFinding.OVER_EXPOSED,
    Reason.BREAST_CUT_OFF: QualityFinding.POSITIONING,
    Reason.POLARITY: QualityFinding.PROCESSING,
}
"""The reasons that CID 6041 has a value for."""


def list_quality_findings(image: ImageReading) -> tuple[QualityFinding, ...]:
    """Return what CID 6041 has of an image's reasons."""
    found = (QUALITY_FINDINGS.get(reason) for reason in image.reasons)
    return tuple(dict.fromkeys(one for one in found if one is not None))


def write_quality_finding(image: ImageReading, entry: TreeItem, model: ModelIdentity) -> TreeItem:
    """Return the Single Image Finding on the quality of an image that has such a reason.

    It is Not for Presentation: there is no place in the image to present.
    """
    item = tree.code(concepts.SINGLE_IMAGE_FINDING, FindingType.IMAGE_QUALITY.code)
    intent = tree.code(concepts.RENDERING_INTENT, RenderingIntent.NOT.code)
    item.add(Relation.HAS_CONCEPT_MOD, intent)
    for child in identify_quality_gates(model, list_gate_parameters(image)):
        item.add(Relation.HAS_PROPERTIES, child)
    item.refer_to(Relation.INFERRED_FROM, entry)
    for finding in list_quality_findings(image):
        item.add(Relation.HAS_PROPERTIES, tree.code(concepts.QUALITY_FINDING, finding.code))
    return item
