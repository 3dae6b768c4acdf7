"""One study's reading as a pure function: headers and detections in, a `StudyReading` out.

The durable workflow and the offline command both read through here, so that a file given to the
command and the same file received from a PACS end in the same findings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from secondread.assemble.mammogram import Mammogram
from secondread.assemble.scope import ImageSelection
from secondread.assemble.viewset import ViewSlot
from secondread.detect.groups import GroupTables
from secondread.detect.marks import Detection
from secondread.findings.cad_report import CadReport
from secondread.findings.describe import Calibrate, describe_findings
from secondread.findings.exam_score import (
    CalibrateExam,
    combine_certainties,
    leave_unscored,
    list_certainties,
)
from secondread.findings.finding import (
    ImageReading,
    LeftOutInstance,
    ModelIdentity,
    PriorStudy,
    StudyReading,
)
from secondread.findings.image_names import ImageNames, name_images
from secondread.findings.operating_point import OperatingPoint
from secondread.findings.treatment import Treatment
from secondread.followup.constellation import Scores
from secondread.followup.lesion_numbers import number_lesions
from secondread.geometry import PointPx, SpacingMm
from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.report.readback.reported_reading import rebuild_reading


class FileDetector(Protocol):
    """The detector, which reads image files; `detect.child.DetectorChild` is one."""

    def detect(self, path: Path, display_to: Path, overrides: frozenset[str]) -> Detection:
        """Read an image file and write its display array, overriding the gates named."""

    def write_display(self, path: Path, display_to: Path) -> None:
        """Write the display array alone."""

    def score_places(self, path: Path, points: Sequence[PointPx]) -> Scores | None:
        """Return how sure the detector is of a calcification at each place of an image."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What turns marks into findings: the model's identity, calibration and operating point."""

    model: ModelIdentity
    calibrate: Calibrate
    point: OperatingPoint
    groups: GroupTables = field(default_factory=GroupTables)
    """What the model knows about groups of calcifications."""
    calibrate_exam: CalibrateExam = leave_unscored
    """The model's table for the score of an exam."""


@dataclass(frozen=True, slots=True)
class StudyContext:
    """What is known of a study besides its images."""

    revision: int
    cause: str
    missing_views: tuple[ViewSlot, ...] = ()
    priors: tuple[PriorStudy, ...] = ()
    no_prior_reason: Reason | None = None
    """Why there are none to compare with; None where there are, and where it is not known."""
    identity: tuple[Reason, ...] = ()
    """What is to be told of whose images they are."""
    treatments: tuple[Treatment, ...] = ()
    """Of the patient, from the record and from the study's own header."""
    invalid_instances: tuple[str, ...] = ()
    """SOP Instance UIDs of images whose header makes no sense, so that nothing else is known."""
    set_aside: tuple[LeftOutInstance, ...] = ()
    """Images of other patients that came with the study."""
    is_withdrawn: bool = False
    """Whether there were images, and a rejection note withdrew every one of them."""
    expired: frozenset[str] = frozenset()
    """SOP Instance UIDs of images whose retention at the sender has expired since they were read
    for an earlier revision: nothing that was found in them becomes wrong."""


def read_study(
    study_uid: str,
    selection: ImageSelection,
    detections: Mapping[str, Detection],
    reader: Reader,
    context: StudyContext,
) -> StudyReading:
    """Combine the detector's answers about a study's images into one reading.

    Parameters
    ----------
    study_uid
        Study Instance UID.
    selection
        What was chosen to be read and what was left out.
    detections
        One answer for each image of `selection.to_read`, by SOP Instance UID.
    reader
        Model, calibration and operating point.
    context
        Revision, missing views, priors, treatment.
    """
    names = name_images(selection.to_read)
    images = tuple(
        _read_image(m, names[m.sop_instance_uid], detections[m.sop_instance_uid], reader)
        for m in selection.to_read
    )
    images = tuple(
        replace(image, reasons=(*image.reasons, Reason.IMAGE_EXPIRED))
        if image.sop_instance_uid in context.expired
        else image
        for image in images
    )
    outcome, reasons = _find_outcome(images, len(context.invalid_instances))
    if context.is_withdrawn:
        reasons = (Reason.ALL_REJECTED,)
    reading = StudyReading(
        study_uid=study_uid,
        revision=context.revision,
        cause=context.cause,
        outcome=outcome,
        reasons=(*reasons, *_list_context_reasons(context)),
        images=images,
        left_out=(
            *(LeftOutInstance(u, "?", Reason.HEADER_INVALID) for u in context.invalid_instances),
            *(LeftOutInstance(m.sop_instance_uid, m.label, r) for m, r in selection.left_out),
            *context.set_aside,
        ),
        missing_views=tuple(side + view for side, view in context.missing_views),
        priors=context.priors,
        model=reader.model,
        treatments=context.treatments,
    )
    numbered = number_lesions(reading)
    if not any(image.status.was_read for image in images):
        return numbered
    return replace(
        numbered, exam_score=reader.calibrate_exam(combine_certainties(list_certainties(numbered)))
    )


def read_from_report(
    report: CadReport, answers: Mapping[str, Detection], reader: Reader
) -> StudyReading:
    """Return the reading of a study of which no image is at hand any more.

    Parameters
    ----------
    report
        What this node reported of it.
    answers
        The detector's answers of that time, as far as they were stored, by SOP Instance UID.
        Without any, the reading has the marks that the report shows, and no landmarks.
    reader
        What the study was read with.

    Raises
    ------
    InputError
        Another maker wrote the report.
    """
    reported = rebuild_reading(report)
    mammograms = (image.mammogram for image in reported.images)
    answered = tuple(m for m in mammograms if m.sop_instance_uid in answers)
    if not answered:
        return reported
    context = StudyContext(revision=1, cause="reported")
    return read_study(report.study_uid, ImageSelection(answered, ()), answers, reader, context)


def _read_image(
    mammogram: Mammogram, names: ImageNames, detection: Detection, reader: Reader
) -> ImageReading:
    spacing = mammogram.spacing
    findings = (
        describe_findings(
            names.label,
            detection.marks,
            # A gate overridden by request may let an image without a pixel spacing through; its
            # millimetres are then pixels of 0.1 mm, and its gate values say so.
            spacing if spacing is not None else SpacingMm(0.1, 0.1),
            (mammogram.rows, mammogram.columns),
            reader.calibrate,
            reader.point,
            reader.groups,
        )
        if detection.status.was_read
        else ()
    )
    return ImageReading(
        mammogram=mammogram,
        label=names.label,
        name=names.name,
        status=detection.status,
        reasons=detection.reasons,
        gates=detection.gates,
        seconds=detection.seconds,
        findings=findings,
        detail=detection.detail,
        breast=detection.breast,
    )


def _find_outcome(
    images: Sequence[ImageReading], invalid: int
) -> tuple[Outcome, tuple[Reason, ...]]:
    wanted = len(images) + invalid
    if not wanted:
        return Outcome.NOT_ELIGIBLE, (Reason.NOTHING_IN_SCOPE,)
    read = [image for image in images if image.status.was_read]
    if not read:
        return Outcome.FAILED, (Reason.ALL_IMAGES_REFUSED,)
    doubtful = any(image.status is ImageStatus.FLAGGED for image in read)
    doubts = (Reason.SOME_IMAGES_DOUBTFUL,) if doubtful else ()
    if len(read) < wanted:
        return Outcome.PARTIAL, (Reason.SOME_IMAGES_REFUSED, *doubts)
    if any(image.shown_findings for image in read):
        return Outcome.FINDINGS, doubts
    return Outcome.NO_FINDINGS, doubts


def _list_context_reasons(context: StudyContext) -> list[Reason]:
    reasons = []
    if context.set_aside:
        reasons.append(Reason.PATIENT_MISMATCH)
    if context.missing_views:
        reasons.append(Reason.VIEWS_MISSING)
    if not context.treatments:
        reasons.append(Reason.TREATMENT_UNKNOWN)
    if not any(prior.compared for prior in context.priors):
        reasons.append(Reason.NO_COMPARISON)
        if context.no_prior_reason is not None:
            reasons.append(context.no_prior_reason)
    return [*reasons, *context.identity]
