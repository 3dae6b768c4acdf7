"""Presentation states: the shown findings over the original image at full resolution.

One for each image with shown findings, since a presentation state is for images of one size. It
shows the image as it is, whole and with its own grey scale; nothing is flipped or windowed.
"""

import math
from collections.abc import Mapping

import numpy as np
from highdicom import PresentationLUTTransformation, pr
from highdicom.color import CIELabColor
from pydicom.dataset import Dataset

from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.geometry import SpacingMm, bounding_box
from secondread.report.pages.exam_hanging import order_views
from secondread.report.pages.grey_scale import add_grey_scale
from secondread.report.result import Authorship, ResultObject
from secondread.report.sr.header import build_header
from secondread.report.sr.highdicom_adapter import build_stand_in, replace_header
from secondread.report.sr.image_library import find_source
from secondread.report.sr.uids import ResultUids
from secondread.report.sr.wording import DISCLAIMER, PURPOSE, pluralize, to_ascii
from secondread.settings import ObjectKind

LABEL = "SECONDREAD"
"""Content Label (0070,0080): a Code String of at most 16 characters."""
MARKS = pr.GraphicLayer(
    layer_name="MARKS",
    order=1,
    description="Outlines and numbers of computer-detected calcifications",
    display_color=CIELabColor(80.0, -25.0, -30.0),
)
NOTE = pr.GraphicLayer(layer_name="NOTE", order=2, description="What the marks are not")

# Size of a number's box: legible when a view of some 180 mm fills a screen.
_NUMBER_MM = 5.0
_USUAL_SPACING = SpacingMm(0.1, 0.1)


def build_presentation_states(
    reading: StudyReading, sources: Mapping[str, Dataset], authorship: Authorship
) -> tuple[ResultObject, ...]:
    """Return one presentation state for each image with shown findings, by priority.

    Parameters
    ----------
    reading
        What was read.
    sources
        Headers of the images by SOP Instance UID.
    authorship
        Who writes, when, for which destination.

    Raises
    ------
    ReportError
        An image with findings has no header.
    """
    results = []
    for index, image in enumerate(order_views(reading)):
        uid = image.sop_instance_uid
        source = find_source(image.mammogram, sources)
        ds = _build_presentation_state(image, source, authorship)
        ds.InstanceNumber = index + 1
        results.append(ResultObject(ObjectKind.PRESENTATION, index, uid, ds))
    return tuple(results)


def _build_presentation_state(
    image: ImageReading, source: Dataset, authorship: Authorship
) -> Dataset:
    mammogram = image.mammogram
    uid = mammogram.sop_instance_uid
    header = build_header(source, authorship, ObjectKind.PRESENTATION, uid)
    stand_in = build_stand_in(mammogram, source)
    description = f"{image.name}: {pluralize(len(image.shown_findings), 'finding')} shown"
    made = pr.GrayscaleSoftcopyPresentationState(
        referenced_images=[stand_in],
        series_instance_uid=header.SeriesInstanceUID,
        series_number=header.SeriesNumber,
        sop_instance_uid=header.SOPInstanceUID,
        instance_number=1,
        manufacturer=header.Manufacturer,
        manufacturer_model_name=header.ManufacturerModelName,
        software_versions=header.SoftwareVersions,
        device_serial_number=authorship.node.device_uid,
        content_label=LABEL,
        content_description=to_ascii(description, 64),
        content_creator_name="Secondread^",
        graphic_layers=[MARKS, NOTE],
        graphic_annotations=[_draw_marks(image, stand_in, authorship.uids), _write_note(stand_in)],
        presentation_lut_transformation=PresentationLUTTransformation(
            presentation_lut_shape="INVERSE" if mammogram.is_inverted else "IDENTITY"
        ),
    )
    ds = replace_header(made, header)
    ds.PresentationCreationDate, ds.PresentationCreationTime = ds.ContentDate, ds.ContentTime
    # Not of this IOD, whose date of content is that of the presentation state.
    del ds.ContentDate, ds.ContentTime
    ds.Laterality = mammogram.laterality.letter if mammogram.laterality else None
    add_grey_scale(ds, source, mammogram.bits_stored)
    _add_pixel_spacing(ds, image)
    return ds


def _draw_marks(image: ImageReading, stand_in: Dataset, uids: ResultUids) -> pr.GraphicAnnotation:
    return pr.GraphicAnnotation(
        referenced_images=[stand_in],
        graphic_layer=MARKS,
        graphic_objects=[
            pr.GraphicObject(
                graphic_type=pr.GraphicTypeValues.POLYLINE,
                graphic_data=np.array([(p.col, p.row) for p in finding.outline]),
                units=pr.AnnotationUnitsValues.PIXEL,
                tracking_id=finding.id,
                tracking_uid=uids.derive_tracking_uid(finding.id),
            )
            for finding in image.shown_findings
        ],
        text_objects=[_place_number(image, finding) for finding in image.shown_findings],
    )


def _place_number(image: ImageReading, finding: Finding) -> pr.TextObject:
    """Return a finding's number: above its outline, or below where there is no room."""
    mammogram = image.mammogram
    spacing = mammogram.spacing or _USUAL_SPACING
    width, height = _NUMBER_MM / spacing.between_columns, _NUMBER_MM / spacing.between_rows
    first, last = bounding_box(finding.outline)
    left = min(max((first.col + last.col - width) / 2, 0.0), max(mammogram.columns - width, 0.0))
    above = first.row - 1.5 * height
    top = above if above >= 0 else min(last.row + 0.5 * height, max(mammogram.rows - height, 0.0))
    middle = left + width / 2, top + height / 2
    anchor = min(finding.outline, key=lambda p: math.dist((p.col, p.row), middle))
    right, bottom = min(left + width, mammogram.columns), min(top + height, mammogram.rows)
    return pr.TextObject(
        text_value=finding.number,
        units=pr.AnnotationUnitsValues.PIXEL,
        bounding_box=(left, top, right, bottom),
        anchor_point=(anchor.col, anchor.row),
    )


def _write_note(stand_in: Dataset) -> pr.GraphicAnnotation:
    text = pr.TextObject(
        text_value=f"{DISCLAIMER} - {PURPOSE}",
        units=pr.AnnotationUnitsValues.DISPLAY,
        bounding_box=(0.02, 0.95, 0.98, 0.99),
        text_justification=pr.TextJustificationValues.LEFT,
    )
    return pr.GraphicAnnotation(
        referenced_images=[stand_in], graphic_layer=NOTE, text_objects=[text]
    )


def _add_pixel_spacing(ds: Dataset, image: ImageReading) -> None:
    """Give the pixels their shape: by their spacing at the detector, where it is known."""
    (area,) = ds.DisplayedAreaSelectionSequence
    spacing = image.mammogram.spacing
    if spacing is not None:
        del area.PresentationPixelAspectRatio
        area.PresentationPixelSpacing = [spacing.between_rows, spacing.between_columns]
