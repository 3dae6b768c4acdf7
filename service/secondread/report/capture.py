"""Secondary captures of a reading: a page for each view with shown findings, and notices.

For workstations that draw no CAD marks, and for what a CAD SR cannot say. No patient identity is
in the pixels, so that Burned In Annotation is NO (PS3.3 C.7.6.1), and no Pixel Spacing is
given, since the pictures of a page differ in scale and carry their own bars.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy

from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from secondread.findings.finding import ImageReading, StudyReading
from secondread.reasons import ImageStatus, Outcome
from secondread.report import concepts, tree
from secondread.report.glance import legend, treatment_lines
from secondread.report.header import Authorship, file_meta, local_time, result_header
from secondread.report.image_library import source_of
from secondread.report.page import NoticeRow, PageText, notice_page, view_page
from secondread.report.panels import DisplayArray
from secondread.report.result import ResultObject
from secondread.report.wording import (
    DISCLAIMER,
    LIMITS,
    ascii_text,
    capitalized,
    certainty_line,
    count,
    image_names,
    image_outcome,
    left_out_lines,
    operating_point,
    prior_lines,
    sentences,
    spaced,
    study_doubts,
)
from secondread.settings import ObjectKind

Display = Callable[[str], DisplayArray]
"""Gives the full-resolution display array of an image by SOP Instance UID."""

_HEADLINES = {
    Outcome.FINDINGS: "SECOND READ: FINDINGS SHOWN",
    Outcome.NO_FINDINGS: "SECOND READ: NO FINDINGS SHOWN",
    Outcome.PARTIAL: "SECOND READ INCOMPLETE",
    Outcome.FAILED: "SECOND READ NOT PERFORMED",
    Outcome.NOT_ELIGIBLE: "SECOND READ NOT PERFORMED",
}


def captures(
    reading: StudyReading,
    sources: Mapping[str, Dataset],
    display: Display,
    authorship: Authorship,
) -> tuple[ResultObject, ...]:
    """Return one capture for each image that has shown findings, in reading order.

    Parameters
    ----------
    reading
        What was read.
    sources
        Headers of the images by SOP Instance UID.
    display
        Their pixels; asked for only where there is something to draw.
    authorship
        Who writes, when, for which destination.

    Raises
    ------
    ReportError
        An image with findings has no header.
    """
    names = image_names(reading)
    drawn = [image for image in reading.images if image.status.has_findings and image.shown]
    results = []
    for index, image in enumerate(drawn):
        uid = image.mammogram.sop_instance_uid
        source = source_of(image.mammogram, sources)
        text = PageText(
            title=ascii_text(names[uid]),
            subtitle=f"{count(len(image.shown), 'finding')} shown",
            notes=_view_notes(reading, image),
            footer=_footer(reading, authorship, source),
            context={one.id: legend(reading, image, one) for one in image.shown},
        )
        ds = _secondary_capture(source, authorship, uid, index + 1)
        _add_source(ds, image, source)
        _add_pixels(ds, view_page(image, display(uid), text))
        results.append(ResultObject(ObjectKind.CAPTURE, index, uid, ds))
    return tuple(results)


def notice(
    reading: StudyReading,
    sources: Mapping[str, Dataset],
    authorship: Authorship,
    index: int = 0,
) -> ResultObject:
    """Return a capture that says in words what became of the study, image by image.

    Parameters
    ----------
    reading
        What was read and what not.
    sources
        Headers of the study, by SOP Instance UID; there is at least one.
    authorship
        Who writes, when, for which destination.
    index
        Its position among the captures of this reading.
    """
    source = sources[min(sources)]
    text = PageText(
        title=_headline(reading),
        subtitle=capitalized(ascii_text(sentences(reading.reasons[:1]))),
        notes=(*_doubts(reading), LIMITS),
        footer=_footer(reading, authorship, source),
    )
    ds = _secondary_capture(source, authorship, "study", index + 1)
    ds.ImageComments = ascii_text(f"{DISCLAIMER}. {text.title}: {text.subtitle}")
    _add_laterality(ds, reading.images)
    _add_pixels(ds, notice_page(text, _notice_rows(reading)))
    return ResultObject(ObjectKind.CAPTURE, index, None, ds)


def _headline(reading: StudyReading) -> str:
    doubtful = reading.outcome is Outcome.NO_FINDINGS and reading.doubtful
    return _HEADLINES[reading.outcome] + (", WITH DOUBTS" if doubtful else "")


def _notice_rows(reading: StudyReading) -> list[NoticeRow]:
    names = image_names(reading)
    rows = [
        NoticeRow(
            ascii_text(names[image.mammogram.sop_instance_uid]),
            ascii_text(image_outcome(image)),
            emphasized=image.status is not ImageStatus.READ,
        )
        for image in reading.images
    ]
    rows += [
        NoticeRow(spaced(view), "expected, and not received", emphasized=True)
        for view in reading.missing_views
    ]
    rows += [
        NoticeRow(ascii_text(labels), f"left out: {reason}", emphasized=not reading.images)
        for labels, reason in left_out_lines(reading)
    ]
    return sorted(rows, key=lambda row: not row.emphasized)


def _doubts(reading: StudyReading) -> tuple[str, ...]:
    facts = (*study_doubts(reading), *prior_lines(reading), *treatment_lines(reading))
    return (". ".join(facts),) if facts else ()


def _view_notes(reading: StudyReading, image: ImageReading) -> tuple[str, ...]:
    magnified = image.mammogram.magnification
    lengths = "Lengths at the detector plane"
    if magnified is not None and magnified > 1:
        lengths += f", magnified {magnified:.2f} times"
    if image.mammogram.spacing is None:
        lengths = "The image has no pixel spacing, lengths are not known"
    elif not image.mammogram.spacing_at_detector:
        lengths = "Lengths by a pixel spacing that is not given at the detector plane"
    doubts = (f"Read with doubts: {sentences(image.reasons)}",) if image.reasons else ()
    missing = ", ".join(map(spaced, reading.missing_views))
    return tuple(
        ascii_text(note)
        for note in (
            *doubts,
            *((f"Expected views missing: {missing}",) if missing else ()),
            *_doubts(reading),
            f"{certainty_line(reading.model)}. {lengths}. Details with their own contrast",
        )
    )


def _footer(reading: StudyReading, authorship: Authorship, source: Dataset) -> tuple[str, str]:
    node, model, occasion = authorship.node, reading.model, authorship.occasion
    at = local_time(occasion.at, source)
    place = f"revision {reading.revision}"
    if occasion.predecessor is not None:
        earlier = occasion.predecessor_at
        place += (
            f", replaces the report of {local_time(earlier, source):%Y-%m-%d %H:%M}"
            if earlier is not None
            else ", replaces an earlier report"
        )
    zone = f"{at:%z}"
    made = f"processed {at:%Y-%m-%d %H:%M} UTC{zone[:3]}:{zone[3:5]}"
    return (
        ascii_text(f"{made}   |   {place}"),
        ascii_text(
            f"{node.model_name} {node.version}   |   {model.name} {model.version}, "
            f"{operating_point(model)}, manifest {model.digest[:12]}"
        ),
    )


def _secondary_capture(source: Dataset, authorship: Authorship, about: str, number: int) -> Dataset:
    """Return everything but the pixels (PS3.3 A.8.1)."""
    ds = result_header(source, authorship, ObjectKind.CAPTURE)
    ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.SOPInstanceUID = authorship.uids.instance(ObjectKind.CAPTURE.value, about)
    ds.file_meta = file_meta(ds.SOPClassUID, ds.SOPInstanceUID)
    ds.Modality = authorship.profile.capture_modality
    ds.SeriesDescription = "Second read: captures (not for diagnosis)"
    ds.InstanceNumber = number
    ds.ConversionType = "WSD"
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.PatientOrientation = None
    node = authorship.node
    ds.SecondaryCaptureDeviceManufacturer = ascii_text(node.manufacturer, 64)
    ds.SecondaryCaptureDeviceManufacturerModelName = ascii_text(node.model_name, 64)
    ds.SecondaryCaptureDeviceSoftwareVersions = ascii_text(node.version, 64)
    ds.DateOfSecondaryCapture = ds.ContentDate
    ds.TimeOfSecondaryCapture = ds.ContentTime
    ds.ImageComments = f"{DISCLAIMER}. {LIMITS}"
    ds.BurnedInAnnotation = "NO"
    ds.RecognizableVisualFeatures = "NO"
    return ds


def _add_source(ds: Dataset, image: ImageReading, source: Dataset) -> None:
    """Say which image a capture shows; its pictures keep the orientation, not the scale."""
    mammogram = image.mammogram
    if mammogram.orientation is not None:
        ds.PatientOrientation = list(mammogram.orientation)
    _add_laterality(ds, [image])
    if mammogram.view is not None:
        ds.ViewCodeSequence = [tree.code_item(mammogram.view.code)]
    ds.DerivationDescription = (
        "Page with the downsampled view, enlarged parts of it, and the outlines and numbers of "
        "computer-detected calcifications"
    )
    reference = tree.reference_item(mammogram.sop_class_uid, mammogram.sop_instance_uid)
    reference.PurposeOfReferenceCodeSequence = [tree.code_item(concepts.SOURCE_IMAGE)]
    reference.SpatialLocationsPreserved = "NO"
    ds.SourceImageSequence = [reference]
    ds.LossyImageCompression = "01" if mammogram.lossy else "00"
    for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if mammogram.lossy and source.get(keyword):
            ds[keyword] = deepcopy(source[keyword])


def _add_laterality(ds: Dataset, images: Iterable[ImageReading]) -> None:
    sides = {i.mammogram.laterality.letter for i in images if i.mammogram.laterality}
    if sides:
        ds.ImageLaterality = sides.pop() if len(sides) == 1 else "B"
    else:
        # Type 2C: required where Image Laterality is absent, and unknown.
        ds.Laterality = None


def _add_pixels(ds: Dataset, page: Image.Image) -> None:
    ds.SamplesPerPixel = 3
    ds.PhotometricInterpretation = "RGB"
    ds.PlanarConfiguration = 0
    ds.Rows, ds.Columns = page.height, page.width
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit = 7
    ds.PixelRepresentation = 0
    ds.PixelData = page.tobytes()
