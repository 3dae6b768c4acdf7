"""An earlier report of this software as a reading, for a comparison where its images are gone.

Findings stay in the report's order, which is that of priority. What a CAD SR does not hold stays
unknown: suspicion and priority themselves, types that were uncertain or the second of two, gates,
the unit that took the images, what was found besides calcifications, and where nipple, skin and
muscle are.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from pydicom.uid import (
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalMammographyXRayImageStorageForProcessing,
)

from secondread.assemble.image_kinds import ImageKind
from secondread.assemble.intent import Intent
from secondread.assemble.mammogram import Mammogram
from secondread.codes import (
    Code,
    CodedEnum,
    Distribution,
    FindingType,
    MarkClass,
    Morphology,
    RenderingIntent,
)
from secondread.errors import InputError
from secondread.findings.cad_report import CadFinding, CadImage, CadReport, ReportOrigin
from secondread.findings.finding import (
    Calcification,
    Finding,
    ImageReading,
    ModelIdentity,
    StudyReading,
)
from secondread.findings.image_names import ImageNames, name_images
from secondread.reasons import ImageStatus, Outcome, Reason

_CLASSES = {
    FindingType.CLUSTER: MarkClass.CLUSTER,
    FindingType.CALCIFICATION: MarkClass.CALCIFICATION,
}
_INTENTS: dict[str, Intent] = {
    DigitalMammographyXRayImageStorageForPresentation: Intent.PRESENTATION,
    DigitalMammographyXRayImageStorageForProcessing: Intent.PROCESSING,
}


def rebuild_reading(report: CadReport) -> StudyReading:
    """Return the reading that a report of this software was made from, as far as it holds it.

    Parameters
    ----------
    report
        As `cad_reader.read_cad_report` gives it.

    Raises
    ------
    InputError
        The report is another maker's: what its marks mean is not known.
    """
    if report.origin is ReportOrigin.FOREIGN:
        raise InputError(f"{report.title} is not a reading of this software")
    mammograms = [
        _rebuild_mammogram(report, image)
        for image in report.images
        if image.study_uid == report.study_uid
    ]
    names = name_images(mammograms)
    images = tuple(_rebuild_image(report, m, names[m.sop_instance_uid]) for m in mammograms)
    return StudyReading(
        study_uid=report.study_uid,
        revision=1,
        cause="reported",
        outcome=_derive_outcome(images),
        reasons=(),
        images=images,
        left_out=(),
        missing_views=(),
        priors=(),
        model=_rebuild_model(report),
    )


def _derive_outcome(images: tuple[ImageReading, ...]) -> Outcome:
    if not any(image.status.was_read for image in images):
        return Outcome.FAILED
    if not all(image.status.was_read for image in images):
        return Outcome.PARTIAL
    has_findings = any(image.shown_findings for image in images)
    return Outcome.FINDINGS if has_findings else Outcome.NO_FINDINGS


def _rebuild_model(report: CadReport) -> ModelIdentity:
    """Return the model of the first run that names its manifest; every report of ours has one."""
    algorithms = (run.algorithm for run in report.algorithm_runs)
    first = next(a for a in algorithms if a.find_parameter("manifest_sha256"))
    return ModelIdentity(
        name=first.name.rsplit(": ", 1)[0],
        version=first.version,
        digest=report.model_digest,
        operating_point=int(first.find_parameter("operating_point") or 0),
        calibrated=report.calibrated or False,
    )


def _rebuild_image(report: CadReport, mammogram: Mammogram, names: ImageNames) -> ImageReading:
    uid = mammogram.sop_instance_uid
    was_read = uid in report.detected_images
    findings = map(_rebuild_finding, (f for f in report.findings if f.sop_instance_uid == uid))
    return ImageReading(
        mammogram=mammogram,
        label=names.label,
        name=names.name,
        status=ImageStatus.READ if was_read else ImageStatus.FAILED,
        reasons=() if was_read else (Reason.READING_FAILED,),
        gates={},
        seconds=0.0,
        findings=tuple(finding for finding in findings if finding is not None),
    )


def _rebuild_mammogram(report: CadReport, image: CadImage) -> Mammogram:
    return Mammogram(
        sop_instance_uid=image.sop_instance_uid,
        sop_class_uid=image.sop_class_uid,
        study_uid=image.study_uid,
        series_uid=image.series_uid,
        patient=report.patient,
        study_date=image.study_date or report.study_date,
        study_at=None,
        acquired_at=None,
        modality="MG",
        intent=_INTENTS.get(image.sop_class_uid),
        laterality=image.laterality,
        view=image.view,
        view_modifiers=image.modifiers,
        is_laterality_contradictory=False,
        is_view_contradictory=False,
        kind=ImageKind.PLAIN,
        rows=image.rows,
        columns=image.columns,
        frames=1,
        bits_stored=0,
        photometric_interpretation="",
        is_inverted=False,
        spacing=image.spacing,
        is_spacing_at_detector=image.spacing is not None,
        magnification=None,
        has_implant=False,
        is_partial_view=False,
        is_lossy=False,
        orientation=image.orientation,
        source_uids=(),
        manufacturer="",
        model="",
        transfer_syntax="",
    )


def _rebuild_finding(reported: CadFinding) -> Finding | None:
    kind = FindingType.from_code(reported.kind.value, reported.kind.scheme)
    mark_class = _CLASSES.get(kind) if kind is not None else None
    if mark_class is None or reported.copied:
        return None
    return Finding(
        id=reported.tracking_id,
        mark_class=mark_class,
        certainty=reported.certainty or 0.0,
        suspicion=None,
        center=reported.center,
        outline=reported.outline,
        members=tuple(
            Calcification(member.center, member.diameter_mm or 0.0, member.certainty or 0.0)
            for member in reported.members
        ),
        long_axis_mm=reported.long_axis_mm or 0.0,
        morphology=tuple((label, 1.0) for label in _decode(reported.morphology, Morphology)),
        distribution=tuple((label, 1.0) for label in _decode(reported.distribution, Distribution)),
        shown=reported.intent is RenderingIntent.REQUIRED,
        lesion_uid=reported.tracking_uid or None,
    )


EnumT = TypeVar("EnumT", bound=CodedEnum)


def _decode(codes: Iterable[Code], values: type[EnumT]) -> Iterator[EnumT]:
    """Yield the members of an enumeration that codes stand for; other codes are passed over."""
    members = (values.from_code(code.value, code.scheme) for code in codes)
    return (member for member in members if member is not None)
