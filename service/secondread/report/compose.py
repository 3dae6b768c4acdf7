"""The objects that a destination gets for a reading, made and checked; a capture as PNG."""

import io
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from PIL import Image
from pydicom.dataset import Dataset

from secondread.assemble.mammogram import Mammogram
from secondread.errors import ReportError
from secondread.findings.finding import ImageReading, LeftOutInstance, StudyReading
from secondread.findings.image_names import name_images
from secondread.reasons import ImageStatus, Reason
from secondread.report.check.cad_sr_check import check_own_cad_sr
from secondread.report.outcome_objects import ObjectRules, SendRule, find_rules
from secondread.report.pages.captures import make_overview, make_view_captures
from secondread.report.pages.display_array import LoadDisplay
from secondread.report.pages.notice import make_notice
from secondread.report.pages.presentation_states import build_presentation_states
from secondread.report.result import Authorship, ResultObject
from secondread.report.sr import tree
from secondread.report.sr.cad_sr import build_cad_sr
from secondread.report.sr.image_library import find_mammogram
from secondread.report.sr.tid1500 import build_measurement_report
from secondread.settings import ObjectKind

# Instances that are not of the examination as it stands, so that no report has to mention them.
_NOT_EXAMINED = {Reason.REJECTED, Reason.SUPERSEDED, Reason.PAIRED_PROCESSING}


def compose_results(
    reading: StudyReading,
    sources: Mapping[str, Dataset],
    display: LoadDisplay,
    authorship: Authorship,
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
    authorship
        Who writes, under which UIDs, when and in whose place; its profile is what the destination
        gets.

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
    profile = authorship.profile
    if profile.manufacturer:
        node = replace(authorship.node, manufacturer=profile.manufacturer)
        authorship = replace(authorship, node=node)
    rules = find_rules(reading.outcome, doubtful=reading.doubtful)
    # Most of the drawing is done by a library that leaves the interpreter to the documents.
    with ThreadPoolExecutor(1, thread_name_prefix="captures") as beside:
        drawing = beside.submit(_make_captures, reading, sources, display, authorship, rules.notice)
        results = [*_build_documents(reading, sources, authorship, rules), *drawing.result()]
    if profile.snomed_codes == "SRT":
        for result in results:
            tree.convert_to_srt(result.dataset)
    return tuple(results)


def _build_documents(
    reading: StudyReading,
    sources: Mapping[str, Dataset],
    authorship: Authorship,
    rules: ObjectRules,
) -> list[ResultObject]:
    """Return the objects without pixels, the CAD SR first."""
    profile = authorship.profile
    results: list[ResultObject] = []
    if ObjectKind.CAD_SR in profile.objects and rules.cad_sr.applies(profile):
        results += _build_checked_cad_sr(reading, sources, authorship)
    if ObjectKind.TID1500 in profile.objects and rules.tid1500.applies(profile):
        report = build_measurement_report(reading, sources, authorship)
        results += [report] if report is not None else []
    if ObjectKind.PRESENTATION in profile.objects:
        results += build_presentation_states(reading, sources, authorship)
    return results


def _make_captures(
    reading: StudyReading,
    sources: Mapping[str, Dataset],
    display: LoadDisplay,
    authorship: Authorship,
    notice_rule: SendRule,
) -> list[ResultObject]:
    captures: list[ResultObject] = []
    if ObjectKind.CAPTURE not in authorship.profile.objects:
        return captures
    if authorship.profile.overview and any(image.shown_findings for image in reading.images):
        captures += make_overview(reading, sources, display, authorship)
    captures += make_view_captures(reading, sources, display, authorship, len(captures))
    if notice_rule.applies(authorship.profile):
        captures.append(make_notice(reading, sources, authorship, len(captures)))
    return captures


def _build_checked_cad_sr(
    reading: StudyReading, sources: Mapping[str, Dataset], authorship: Authorship
) -> list[ResultObject]:
    document = reading if reading.images else _list_left_out_as_refused(reading, sources)
    if not document.images:
        # A library needs an image; without one, the notice alone has to report the outcome.
        return []
    result = build_cad_sr(document, sources, authorship)
    faults = check_own_cad_sr(result.dataset, document, sources, authorship.profile)
    if faults:
        raise ReportError("the CAD SR is not valid: " + "; ".join(map(str, faults)))
    return [result]


def _list_left_out_as_refused(
    reading: StudyReading, sources: Mapping[str, Dataset]
) -> StudyReading:
    """Return the reading with what it left out listed as refused, for "CAD failed"."""
    refused: list[tuple[Mammogram, Reason]] = []
    remaining: list[LeftOutInstance] = []
    for instance in reading.left_out:
        mammogram = find_mammogram(instance.sop_instance_uid, sources)
        is_image = mammogram is not None and mammogram.rows and mammogram.columns
        if mammogram is None or not is_image or instance.reason in _NOT_EXAMINED:
            remaining.append(instance)
        else:
            refused.append((mammogram, instance.reason))
    names = name_images(mammogram for mammogram, _ in refused)
    images = tuple(
        ImageReading(m, *names[m.sop_instance_uid], ImageStatus.REFUSED, (reason,), {}, 0.0)
        for m, reason in refused
    )
    return replace(reading, images=images, left_out=tuple(remaining))


def encode_capture_png(dataset: Dataset) -> bytes:
    """Return the picture of a capture as a PNG file."""
    size = (dataset.Columns, dataset.Rows)
    buffer = io.BytesIO()
    Image.frombytes("RGB", size, dataset.PixelData).save(buffer, format="PNG")
    return buffer.getvalue()
