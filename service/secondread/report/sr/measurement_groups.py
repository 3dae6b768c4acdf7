"""The groups of a measurement report: for each finding (TID 1410), for each image (TID 1501)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from highdicom import sr

from secondread.assemble.mammogram import Mammogram
from secondread.codes import Code, Laterality, RenderingIntent
from secondread.findings.certainty import round_certainty
from secondread.findings.finding import Finding, ImageReading, ModelIdentity, StudyReading
from secondread.findings.label_words import is_certain
from secondread.reasons import Reason
from secondread.report import concepts
from secondread.report.sr import own_codes
from secondread.report.sr.algorithms import list_model_parameters
from secondread.report.sr.impression_words import describe_finding
from secondread.report.sr.own_codes import get_own_code
from secondread.report.sr.report_contents import FINDING_TYPES
from secondread.report.sr.uids import ResultUids
from secondread.report.sr.wording import to_ascii

_SIDES = {Laterality.LEFT: concepts.LEFT, Laterality.RIGHT: concepts.RIGHT}


def as_concept(code: Code) -> sr.CodedConcept:
    """Return a code as highdicom accepts it."""
    return sr.CodedConcept(code.value, code.scheme, code.meaning)


def build_comment(words: str) -> sr.TextContentItem:
    """Return a text item that is contained in what it is added to."""
    return sr.TextContentItem(
        as_concept(concepts.COMMENT), to_ascii(words), sr.RelationshipTypeValues.CONTAINS
    )


@dataclass(frozen=True, slots=True)
class MeasurementGroupWriter:
    """Writes the groups of one reading."""

    reading: StudyReading
    uids: ResultUids
    """Which tracking UIDs are derived from."""
    with_intent: bool
    """Whether each finding has a rendering intent: where there are some that are not drawn."""

    def write_finding(
        self, image: ImageReading, finding: Finding
    ) -> sr.PlanarROIMeasurementsAndQualitativeEvaluations:
        """Return the group of one finding, its outline by value on its image."""
        mammogram = image.mammogram
        uid = mammogram.sop_instance_uid
        region = sr.ImageRegion(
            graphic_type=sr.GraphicTypeValues.POLYLINE,
            graphic_data=np.array([(point.col, point.row) for point in finding.outline]),
            source_image=sr.SourceImageForRegion(mammogram.sop_class_uid, uid),
        )
        group = sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=self._track(f"{uid} {finding.id}", finding.id),
            referenced_region=region,
            finding_type=as_concept(FINDING_TYPES[finding.mark_class].code),
            algorithm_id=_identify_algorithm(self.reading.model),
            finding_sites=[_build_site(mammogram.laterality)],
            measurements=list(_list_measurements(image, finding)),
            qualitative_evaluations=_build_evaluations(self._list_evaluations(finding)) or None,
        )
        comment = build_comment(describe_finding(self.reading, image, finding))
        group[0].ContentSequence.append(comment)
        if finding.lesion_uid is not None:
            group[0].ContentSequence.append(_build_lesion(finding.lesion_uid))
        return group

    def write_image(
        self,
        mammogram: Mammogram,
        laterality: Laterality | None,
        status: Code,
        reasons: Iterable[Reason],
        words: str,
    ) -> sr.MeasurementsAndQualitativeEvaluations:
        """Return the group that reports what became of an image, or why it was left out."""
        uid = mammogram.sop_instance_uid
        codes = [(own_codes.STATUS, status)]
        codes += [(own_codes.REASON, get_own_code(reason)) for reason in reasons]
        group = sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=self._track(uid, "image"),
            algorithm_id=_identify_algorithm(self.reading.model),
            finding_sites=[_build_site(laterality)],
            qualitative_evaluations=_build_evaluations(codes),
            source_images=[sr.SourceImageForMeasurementGroup(mammogram.sop_class_uid, uid)],
        )
        group[0].ContentSequence.append(build_comment(words))
        return group

    def _track(self, about: str, name: str) -> sr.TrackingIdentifier:
        # Viewers merge groups of one UID and draw the first: each view of a lesion has its own.
        uid = self.uids.derive_instance_uid("group", about)
        return sr.TrackingIdentifier(uid=uid, identifier=name)

    def _list_evaluations(self, finding: Finding) -> Iterator[tuple[Code, Code]]:
        if self.with_intent:
            intent = RenderingIntent.REQUIRED if finding.shown else RenderingIntent.NOT
            yield concepts.RENDERING_INTENT, intent.code
        # One code at most: two would report that both are present. The comment names the other.
        if is_certain(finding.morphology):
            yield concepts.CALCIFICATION_TYPE, finding.morphology[0][0].code
        if is_certain(finding.distribution):
            yield concepts.CALCIFICATION_DISTRIBUTION, finding.distribution[0][0].code
        if finding.change is not None:
            yield concepts.IMPRESSION, finding.change.code
        if finding.placement is not None:
            yield own_codes.ZONE, get_own_code(finding.placement.zone)


def _build_lesion(uid: str) -> sr.UIDRefContentItem:
    context = sr.RelationshipTypeValues.HAS_OBS_CONTEXT
    return sr.UIDRefContentItem(as_concept(own_codes.LESION), uid, context)


def _build_evaluations(codes: Iterable[tuple[Code, Code]]) -> list[sr.QualitativeEvaluation]:
    return [sr.QualitativeEvaluation(as_concept(name), as_concept(value)) for name, value in codes]


def _identify_algorithm(model: ModelIdentity) -> sr.AlgorithmIdentification:
    return sr.AlgorithmIdentification(
        name=to_ascii(model.name, 64),
        version=to_ascii(model.version, 64),
        parameters=list(list_model_parameters(model)),
        family=as_concept(concepts.ARTIFICIAL_INTELLIGENCE),
    )


def _build_site(laterality: Laterality | None) -> sr.FindingSite:
    side = as_concept(_SIDES[laterality]) if laterality in _SIDES else None
    return sr.FindingSite(as_concept(concepts.BREAST), side)


def _list_measurements(image: ImageReading, finding: Finding) -> Iterator[sr.Measurement]:
    yield _measure(concepts.CERTAINTY, round_certainty(finding.certainty), concepts.PERCENT)
    if finding.certainty_log_odds is not None:
        log_odds = finding.certainty_log_odds
        yield _measure(own_codes.CERTAINTY_LOG_ODDS, log_odds, concepts.NO_UNITS)
    if finding.suspicion is not None:
        yield _measure(own_codes.SUSPICION, round(finding.suspicion, 1), concepts.NO_UNITS)
    if finding.priority is not None:
        yield _measure(own_codes.PRIORITY, finding.priority, concepts.NO_UNITS)
    if finding.members:
        number = len(finding.members)
        yield _measure(concepts.NUMBER_OF_CALCIFICATIONS, number, concepts.NO_UNITS)
    if image.mammogram.spacing is not None and finding.long_axis_mm > 0:
        yield _measure(concepts.LONG_AXIS, round(finding.long_axis_mm, 2), concepts.MILLIMETER)


def _measure(name: Code, value: float, unit: Code) -> sr.Measurement:
    return sr.Measurement(as_concept(name), value, as_concept(unit))
