"""What a destination gets for a reading, and its bytes.

=================  ===================  ===================  =================  ==================
outcome            CAD SR               TID 1500             presentation       captures
=================  ===================  ===================  =================  ==================
findings           yes                  yes                  one a marked view  overview, views
no findings        if `send_empty`      if `send_empty`      none               (1)
... with doubts    yes                  yes                  none               a notice
partial            yes                  yes                  one a marked view  as found, a notice
failed             if `send_failed`     if `send_failed`     none               (2)
not eligible       (3)                  (4)                  none               (4)
=================  ===================  ===================  =================  ==================

(1) a notice, if `send_empty`, where no CAD SR says it; (2) a notice, if `send_failed`;
(3) if `not_eligible_as_failed_sr`; (4) if `send_not_eligible`, as a notice among the captures.

"With doubts": an image was flagged. Some workstations show of a CAD SR without marks nothing but
that it is there, so that only the notice keeps it from looking like any other negative.

Everything further depends on which kinds of object the profile names.
"""

import io
from collections.abc import Mapping
from dataclasses import replace

import pydicom
from PIL import Image
from pydicom.dataset import Dataset

from secondread.assemble.mammogram import Mammogram
from secondread.errors import HeaderError, ReportError
from secondread.findings.finding import ImageReading, LeftOutInstance, StudyReading
from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.report.check.cad_sr_check import check_against_reading, check_cad_sr
from secondread.report.pages.captures import (
    LoadDisplay,
    make_notice,
    make_overview,
    make_view_captures,
)
from secondread.report.pages.presentation_states import build_presentation_states
from secondread.report.result import NodeIdentity, Occasion, ResultObject
from secondread.report.sr import tree
from secondread.report.sr.cad_sr import build_cad_sr
from secondread.report.sr.header import Authorship
from secondread.report.sr.tid1500 import build_measurement_report, can_report
from secondread.report.sr.uids import ResultUids
from secondread.settings import ObjectKind, ProfileSettings

# Instances that are not of the examination as it stands, so that nothing has to be said of them.
_NOT_EXAMINED = {Reason.REJECTED, Reason.SUPERSEDED, Reason.PAIRED_PROCESSING}


def compose_results(
    reading: StudyReading,
    sources: Mapping[str, Dataset],
    display: LoadDisplay,
    node: NodeIdentity,
    uids: ResultUids,
    occasion: Occasion,
    profile: ProfileSettings,
) -> tuple[ResultObject, ...]:
    """Return the objects that a destination with this profile gets for this reading.

    Parameters
    ----------
    reading
        What was read, and what became of it.
    sources
        Headers of all current images and of the priors that were read, without pixel data, by
        SOP Instance UID.
    display
        Gives the full-resolution display array of an image by SOP Instance UID: uint8,
        calcifications white, 0 black. Asked where captures of findings are drawn: for images with
        shown findings and, for the overview, for all that were read, and for the priors' images
        of the same views.
    node, uids, occasion
        Who writes, under which UIDs, when and in whose place.
    profile
        What the destination gets.

    Returns
    -------
    tuple of ResultObject
        The CAD SR first, captures last; empty where the profile wants nothing of such a reading.

    Raises
    ------
    ReportError
        An object could not be built, or the CAD SR failed its own check; the message has every
        fault with its position.
    """
    if profile.manufacturer:
        node = replace(node, manufacturer=profile.manufacturer)
    authorship = Authorship(node, uids, occasion, profile)
    results: list[ResultObject] = []
    document = _documented(reading, sources, profile)
    if document is not None:
        result = build_cad_sr(document, sources, node, uids, occasion, profile)
        faults = [
            *check_cad_sr(result.dataset),
            *check_against_reading(result.dataset, document, sources, profile),
        ]
        if faults:
            raise ReportError("the CAD SR is not valid: " + "; ".join(map(str, faults)))
        results.append(result)
    if _is_measured(reading, sources, profile):
        results.append(build_measurement_report(reading, sources, authorship))
    if ObjectKind.PRESENTATION in profile.objects:
        results += build_presentation_states(reading, sources, authorship)
    if ObjectKind.CAPTURE in profile.objects:
        results += _captures(reading, sources, display, authorship)
    if profile.snomed_codes == "SRT":
        for result in results:
            tree.convert_to_srt(result.dataset)
    return tuple(results)


def _is_measured(
    reading: StudyReading, sources: Mapping[str, Dataset], profile: ProfileSettings
) -> bool:
    """Whether a TID 1500 report goes out."""
    wanted = {
        Outcome.FINDINGS: True,
        Outcome.PARTIAL: True,
        Outcome.NO_FINDINGS: profile.send_empty or reading.doubtful,
        Outcome.FAILED: profile.send_failed,
        Outcome.NOT_ELIGIBLE: profile.send_not_eligible,
    }[reading.outcome]
    return wanted and ObjectKind.TID1500 in profile.objects and can_report(reading, sources)


def _captures(
    reading: StudyReading,
    sources: Mapping[str, Dataset],
    display: LoadDisplay,
    authorship: Authorship,
) -> list[ResultObject]:
    profile = authorship.profile
    results: list[ResultObject] = []
    if profile.overview and any(image.shown_findings for image in reading.images):
        results.append(make_overview(reading, sources, display, authorship))
    results += make_view_captures(reading, sources, display, authorship, len(results))
    if _needs_notice(reading, profile):
        results.append(make_notice(reading, sources, authorship, len(results)))
    return results


def _documented(
    reading: StudyReading, sources: Mapping[str, Dataset], profile: ProfileSettings
) -> StudyReading | None:
    """Return the reading whose CAD SR goes out, or None if none does."""
    wanted = (
        ObjectKind.CAD_SR in profile.objects
        and {
            Outcome.FINDINGS: True,
            Outcome.PARTIAL: True,
            Outcome.NO_FINDINGS: profile.send_empty or reading.doubtful,
            Outcome.FAILED: profile.send_failed,
            Outcome.NOT_ELIGIBLE: profile.not_eligible_as_failed_sr,
        }[reading.outcome]
    )
    if not wanted:
        return None
    document = reading if reading.images else _as_refused(reading, sources)
    # A library needs an image; where there is none, the notice alone has to say it.
    return document if document.images else None


def _as_refused(reading: StudyReading, sources: Mapping[str, Dataset]) -> StudyReading:
    """Return the reading with what it left out listed as refused, for "CAD failed"."""
    refused: list[ImageReading] = []
    remaining: list[LeftOutInstance] = []
    for instance in reading.left_out:
        mammogram = _listed(instance, sources)
        if mammogram is None:
            remaining.append(instance)
        else:
            reasons = (instance.reason,)
            refused.append(ImageReading(mammogram, ImageStatus.REFUSED, reasons, {}, 0.0))
    return replace(reading, images=tuple(refused), left_out=tuple(remaining))


def _listed(instance: LeftOutInstance, sources: Mapping[str, Dataset]) -> Mammogram | None:
    if instance.reason in _NOT_EXAMINED or instance.sop_instance_uid not in sources:
        return None
    try:
        mammogram = Mammogram.from_dataset(sources[instance.sop_instance_uid])
    except HeaderError:
        return None
    return mammogram if mammogram.rows and mammogram.columns else None


def _needs_notice(reading: StudyReading, profile: ProfileSettings) -> bool:
    unsaid = profile.send_empty and ObjectKind.CAD_SR not in profile.objects
    return {
        Outcome.FINDINGS: False,
        Outcome.PARTIAL: True,
        Outcome.NO_FINDINGS: unsaid or reading.doubtful,
        Outcome.FAILED: profile.send_failed,
        Outcome.NOT_ELIGIBLE: profile.send_not_eligible,
    }[reading.outcome]


def encode_file(dataset: Dataset) -> bytes:
    """Return a result as a DICOM file (PS3.10); the same data set gives the same bytes."""
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def encode_capture_png(dataset: Dataset) -> bytes:
    """Return the picture of a capture as a PNG file."""
    size = (dataset.Columns, dataset.Rows)
    buffer = io.BytesIO()
    Image.frombytes("RGB", size, dataset.PixelData).save(buffer, format="PNG")
    return buffer.getvalue()
