"""The groups of a measurement report: for each finding (TID 1410), for each image (TID 1501)."""

from collections.abc import Iterable, Iterator

import numpy as np
from highdicom import sr

from secondread.codes import Code, Laterality, RenderingIntent
from secondread.findings.finding import Finding, ImageReading, ModelIdentity, StudyReading
from secondread.reasons import Reason
from secondread.report import concepts
from secondread.report.sr import own_codes
from secondread.report.sr.detections import list_model_parameters
from secondread.report.sr.finding_lines import describe_finding
from secondread.report.sr.own_codes import get_own_code
from secondread.report.sr.single_image_finding import FINDING_TYPES
from secondread.report.sr.uids import ResultUids
from secondread.report.sr.wording import to_ascii

ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
BREAST = Code("76752008", "SCT", "Breast")
_SIDES = {
    Laterality.LEFT: Code("7771000", "SCT", "Left"),
    Laterality.RIGHT: Code("24028007", "SCT", "Right"),
}
CHANGE = Code("111023", "DCM", "Differential Diagnosis/Impression")
LONG_AXIS = Code("103339001", "SCT", "Long Axis")
COMMENT = Code("121106", "DCM", "Comment")


def to_coded_concept(code: Code) -> sr.CodedConcept:
    """Return a code as highdicom takes it."""
    return sr.CodedConcept(code.value, code.scheme, code.meaning)


def build_comment(words: str) -> sr.TextContentItem:
    """Return a text item that is contained in what it is added to."""
    return sr.TextContentItem(
        to_coded_concept(COMMENT), to_ascii(words), sr.RelationshipTypeValues.CONTAINS
    )


class MeasurementGroupWriter:
    """Writes the groups of one reading.

    Parameters
    ----------
    reading
        What was read.
    uids
        Where tracking UIDs come from.
    with_intent
        Whether each finding says if it is to be drawn: where there are some that are not.
    """

    def __init__(self, reading: StudyReading, uids: ResultUids, *, with_intent: bool) -> None:
        self._reading = reading
        self._uids = uids
        self._with_intent = with_intent

    def write_finding(
        self, image: ImageReading, finding: Finding
    ) -> sr.PlanarROIMeasurementsAndQualitativeEvaluations:
        """Return the group of one finding, its outline by value on its image."""
        mammogram = image.mammogram
        region = sr.ImageRegion(
            graphic_type=sr.GraphicTypeValues.POLYLINE,
            graphic_data=np.array([(point.col, point.row) for point in finding.outline]),
            source_image=sr.SourceImageForRegion(
                mammogram.sop_class_uid, mammogram.sop_instance_uid
            ),
        )
        group = sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=self._tracking(
                f"{mammogram.sop_instance_uid} {finding.id}", finding.lesion_uid or finding.id
            ),
            referenced_region=region,
            finding_type=to_coded_concept(FINDING_TYPES[finding.mark_class].code),
            algorithm_id=_algorithm(self._reading.model),
            finding_sites=_sites(mammogram.laterality),
            measurements=list(_measurements(image, finding)),
            qualitative_evaluations=_evaluations(self._said(finding)) or None,
        )
        group[0].ContentSequence.append(
            build_comment(describe_finding(self._reading, image, finding))
        )
        return group

    def write_image(
        self, image: ImageReading, words: str
    ) -> sr.MeasurementsAndQualitativeEvaluations:
        """Return the group that says what became of an image."""
        codes = ((own_codes.STATUS, get_own_code(image.status)), *_reasons(image.reasons))
        mammogram = image.mammogram
        return self._about(
            mammogram.sop_class_uid,
            mammogram.sop_instance_uid,
            mammogram.laterality,
            codes,
            words,
        )

    def write_left_out(
        self, sop_class_uid: str, uid: str, reason: Reason, words: str
    ) -> sr.MeasurementsAndQualitativeEvaluations:
        """Return the group that says why an instance was left out."""
        codes = ((own_codes.STATUS, own_codes.OUTSIDE_SCOPE), *_reasons((reason,)))
        return self._about(sop_class_uid, uid, None, codes, words)

    def _about(
        self,
        sop_class_uid: str,
        uid: str,
        side: Laterality | None,
        codes: Iterable[tuple[Code, Code]],
        words: str,
    ) -> sr.MeasurementsAndQualitativeEvaluations:
        group = sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=self._tracking(uid, "image"),
            algorithm_id=_algorithm(self._reading.model),
            finding_sites=_sites(side),
            qualitative_evaluations=_evaluations(codes),
            source_images=[sr.SourceImageForMeasurementGroup(sop_class_uid, uid)],
        )
        group[0].ContentSequence.append(build_comment(words))
        return group

    def _tracking(self, about: str, name: str) -> sr.TrackingIdentifier:
        # The name may be that of a lesion in several views; the UID is of this group alone.
        return sr.TrackingIdentifier(
            uid=self._uids.derive_instance_uid("group", about), identifier=name
        )

    def _said(self, finding: Finding) -> Iterator[tuple[Code, Code]]:
        if self._with_intent:
            intent = RenderingIntent.REQUIRED if finding.shown else RenderingIntent.NOT
            yield concepts.RENDERING_INTENT, intent.code
        if finding.morphology:
            yield concepts.CALCIFICATION_TYPE, finding.morphology[0][0].code
        if finding.distribution:
            yield concepts.CALCIFICATION_DISTRIBUTION, finding.distribution[0][0].code
        if finding.change is not None:
            yield CHANGE, finding.change.code
        if finding.placement is not None:
            yield own_codes.ZONE, get_own_code(finding.placement.zone)


def _reasons(reasons: Iterable[Reason]) -> Iterator[tuple[Code, Code]]:
    return ((own_codes.REASON, get_own_code(reason)) for reason in reasons)


def _evaluations(codes: Iterable[tuple[Code, Code]]) -> list[sr.QualitativeEvaluation]:
    return [
        sr.QualitativeEvaluation(to_coded_concept(name), to_coded_concept(value))
        for name, value in codes
    ]


def _algorithm(model: ModelIdentity) -> sr.AlgorithmIdentification:
    return sr.AlgorithmIdentification(
        name=to_ascii(model.name, 64),
        version=to_ascii(model.version, 64),
        parameters=list(list_model_parameters(model)),
        family=to_coded_concept(ARTIFICIAL_INTELLIGENCE),
    )


def _sites(side: Laterality | None) -> list[sr.FindingSite]:
    laterality = _SIDES.get(side) if side is not None else None
    return [
        sr.FindingSite(
            to_coded_concept(BREAST), to_coded_concept(laterality) if laterality else None
        )
    ]


def _measurements(image: ImageReading, finding: Finding) -> Iterator[sr.Measurement]:
    values: list[tuple[Code, float, Code]] = [
        (concepts.CERTAINTY, round(finding.certainty, 1), concepts.PERCENT)
    ]
    if finding.suspicion is not None:
        values.append((own_codes.SUSPICION, round(finding.suspicion, 1), concepts.NO_UNITS))
    if finding.members:
        number = len(finding.members)
        values.append((concepts.NUMBER_OF_CALCIFICATIONS, number, concepts.NO_UNITS))
    if image.mammogram.spacing is not None and finding.long_axis_mm > 0:
        values.append((LONG_AXIS, round(finding.long_axis_mm, 2), concepts.MILLIMETER))
    for name, value, unit in values:
        yield sr.Measurement(to_coded_concept(name), value, to_coded_concept(unit))
