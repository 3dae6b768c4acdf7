"""Headers of several makers: a plain view is the same view, and what is none is left out.

`service/docs/makers/` has the evidence for each line.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, BreastTomosynthesisImageStorage, generate_uid

from secondread.assemble.intent import Intent
from secondread.assemble.mammogram import Mammogram
from secondread.assemble.scope import find_exclusion_reason, select_images
from secondread.codes import Laterality, View, ViewModifier
from secondread.detect.gates import check_header, combine_measurements
from secondread.geometry import SpacingMm
from secondread.reasons import Reason
from tests.worlds.builders import coded, header
from tests.worlds.maker_headers import HEADERS, MakerHeader, dress

VIEWS = [
    (side, view)
    for side in (Laterality.RIGHT, Laterality.LEFT)
    for view in (View.CC, View.MLO, View.ML, View.XCCL)
]
PRESENTED = [style for style in HEADERS if not style.is_raw]

each_header = pytest.mark.parametrize("style", HEADERS, ids=lambda style: style.product)


def find_header(product: str) -> MakerHeader:
    return next(style for style in HEADERS if style.product == product)


@each_header
@pytest.mark.parametrize(("side", "view"), VIEWS, ids=lambda value: value.name)
def test_a_plain_view_is_the_same_with_a_makers_header(
    style: MakerHeader, side: Laterality, view: View
) -> None:
    m = Mammogram.from_dataset(dress(header(), style, side, view))

    assert (m.laterality, m.view, m.view_modifiers) == (side, view, frozenset())
    assert (m.spacing, m.is_spacing_at_detector) == (
        SpacingMm(style.spacing_mm, style.spacing_mm),
        True,
    )
    assert m.intent is (Intent.PROCESSING if style.is_raw else Intent.PRESENTATION)
    assert (m.has_implant, m.is_partial_view, m.is_lossy) == (False, False, False)
    assert find_exclusion_reason(m) is None


@each_header
def test_no_gate_doubts_a_plain_view_for_a_makers_header(style: MakerHeader) -> None:
    m = Mammogram.from_dataset(dress(header(), style, Laterality.LEFT, View.CC))

    assert combine_measurements(check_header(m)).reasons == ()


@pytest.mark.parametrize("style", PRESENTED, ids=lambda style: style.product)
def test_dark_and_bright_of_an_image_to_be_shown_are_what_the_photometric_interpretation_says(
    style: MakerHeader,
) -> None:
    m = Mammogram.from_dataset(dress(header(), style, Laterality.LEFT, View.CC))

    assert m.is_inverted is (style.photometric == "MONOCHROME1")


@pytest.mark.parametrize(
    ("shown", "raw"),
    [
        ("ge-senographe-essential", "ge-senographe-essential-raw"),
        ("hologic-dimensions", "hologic-dimensions-raw"),
    ],
)
@pytest.mark.parametrize("names_its_source", [True, False])
def test_of_a_raw_image_and_the_one_made_from_it_the_latter_is_read(
    shown: str, raw: str, *, names_its_source: bool
) -> None:
    presented = dress(header(), find_header(shown), Laterality.RIGHT, View.MLO)
    processing = dress(header(), find_header(raw), Laterality.RIGHT, View.MLO)
    processing.SOPInstanceUID = generate_uid()
    if names_its_source:
        source = Dataset()
        source.ReferencedSOPClassUID = processing.SOPClassUID
        source.ReferencedSOPInstanceUID = processing.SOPInstanceUID
        presented.SourceImageSequence = Sequence([source])

    selection = select_images(Mammogram.from_dataset(ds) for ds in (processing, presented))

    assert [m.sop_instance_uid for m in selection.to_read] == [presented.SOPInstanceUID]
    assert [reason for _, reason in selection.left_out] == [Reason.PAIRED_PROCESSING]


@dataclass(frozen=True, slots=True)
class OddImage:
    """An image of a maker that is no plain mammogram."""

    product: str
    what: str
    reason: Reason
    image_type: tuple[str, ...] = ()
    attributes: Mapping[str, object] = field(default_factory=dict)


TOMO = {"SOPClassUID": BreastTomosynthesisImageStorage}
PROJECTION = {"SOPClassUID": UID("1.2.840.10008.5.1.4.1.1.13.1.4")}
CAPTURE = {"SOPClassUID": UID("1.2.840.10008.5.1.4.1.1.7")}
SPOT = {"ViewModifierCodeSequence": Sequence([coded("R-102D7", "SRT", "Spot Compression")])}
SPLIT_SLICE = {
    "VolumetricProperties": "VOLUME",
    "VolumeBasedCalculationTechnique": "NONE",
    "ConcatenationUID": "1.2.3.4.5",
    "TomoClass": "TOMOSYNTHESIS",
    "NumberOfTomosynthesisSourceImages": 15,
}
GE, HOLOGIC = "ge-senographe-essential", "hologic-dimensions"
SIEMENS, FUJIFILM = "siemens-revelation", "fujifilm-innovality"

ODD_IMAGES = [
    OddImage(
        GE,
        "low energy image of contrast mammography",
        Reason.CONTRAST_ENHANCED,
        ("ORIGINAL", "PRIMARY", "", "LOW_ENERGY"),
    ),
    OddImage(
        GE,
        "recombined image of contrast mammography",
        Reason.CONTRAST_ENHANCED,
        ("DERIVED", "PRIMARY", "", "RECOMBINED"),
        {"AcquisitionDeviceProcessingCode": "GEMS_CESM_1"},
    ),
    OddImage(
        GE,
        "volume of tomosynthesis",
        Reason.TOMOSYNTHESIS,
        ("ORIGINAL", "PRIMARY", "VOLUME", "NONE"),
        TOMO,
    ),
    OddImage(
        GE,
        "synthesised view as a tomosynthesis object",
        Reason.SYNTHESIZED_2D,
        ("DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"),
        TOMO,
    ),
    OddImage(
        GE,
        "synthesised view",
        Reason.SYNTHESIZED_2D,
        ("DERIVED", "PRIMARY", "TOMO", "GENERATED_2D"),
    ),
    OddImage(
        GE,
        "magnified view",
        Reason.MAGNIFICATION,
        attributes={"EstimatedRadiographicMagnificationFactor": 1.5},
    ),
    OddImage(
        HOLOGIC,
        "C-View",
        Reason.SYNTHESIZED_2D,
        attributes={"SeriesDescription": "L CC C-View"},
    ),
    OddImage(
        HOLOGIC,
        "Intelligent 2D",
        Reason.SYNTHESIZED_2D,
        ("DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"),
    ),
    OddImage(
        HOLOGIC,
        "Intelligent 2D as a tomosynthesis object",
        Reason.SYNTHESIZED_2D,
        ("DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"),
        TOMO,
    ),
    OddImage(
        HOLOGIC,
        "slabs as a tomosynthesis object",
        Reason.TOMOSYNTHESIS,
        ("DERIVED", "PRIMARY", "TOMOSYNTHESIS", "MEAN"),
        TOMO,
    ),
    OddImage(HOLOGIC, "projections of their own class", Reason.TOMOSYNTHESIS, (), PROJECTION),
    OddImage(
        HOLOGIC,
        "stereotactic image",
        Reason.STEREOTACTIC,
        ("ORIGINAL", "PRIMARY", "STEREO_SCOUT"),
    ),
    OddImage(
        HOLOGIC,
        "image after contrast, by the term of PS3.3",
        Reason.CONTRAST_ENHANCED,
        ("DERIVED", "PRIMARY", "POST_CONTRAST", "SUBTRACTION"),
    ),
    OddImage(
        HOLOGIC,
        "image before contrast, by the term of PS3.3",
        Reason.CONTRAST_ENHANCED,
        ("ORIGINAL", "PRIMARY", "PRE_CONTRAST"),
    ),
    OddImage(
        HOLOGIC,
        "spot view by View Position",
        Reason.SPOT_COMPRESSION,
        attributes={"ViewPosition": "CCSPOT"},
    ),
    OddImage(
        HOLOGIC,
        "slices as a tomosynthesis object",
        Reason.TOMOSYNTHESIS,
        ("DERIVED", "PRIMARY", "TOMOSYNTHESIS", "NONE"),
        TOMO,
    ),
    OddImage(HOLOGIC, "slices as a secondary capture", Reason.NOT_MAMMOGRAPHY, attributes=CAPTURE),
    OddImage(
        HOLOGIC,
        "projections as a secondary capture with Laterality alone",
        Reason.NOT_MAMMOGRAPHY,
        ("ORIGINAL", "PRIMARY"),
        {**CAPTURE, "ImageLaterality": "", "Laterality": "L"},
    ),
    OddImage(HOLOGIC, "spot compression", Reason.SPOT_COMPRESSION, attributes=SPOT),
    OddImage(
        SIEMENS,
        "tomosynthesis projection as a mammogram",
        Reason.TOMOSYNTHESIS,
        ("DERIVED", "PRIMARY", "TOMO_PROJ", "RIGHT"),
    ),
    OddImage(
        SIEMENS,
        "synthesised view",
        Reason.SYNTHESIZED_2D,
        ("DERIVED", "PRIMARY", "TOMO_2D", "LEFT"),
    ),
    OddImage(
        SIEMENS,
        "Insight 2D",
        Reason.SYNTHESIZED_2D,
        attributes={"SeriesDescription": "L CC Insight 2D"},
    ),
    OddImage(
        FUJIFILM,
        "S-View",
        Reason.SYNTHESIZED_2D,
        ("DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D", "", "", "", "", "100000"),
    ),
    OddImage(
        FUJIFILM,
        "S-View of Image Type DERIVED alone",
        Reason.SYNTHESIZED_2D,
        ("DERIVED", "PRIMARY", "", "", "", "", "", "", "150000"),
    ),
    OddImage(
        FUJIFILM,
        "S-View by its description",
        Reason.SYNTHESIZED_2D,
        attributes={"SeriesDescription": "R MLO S-View"},
    ),
    OddImage(
        FUJIFILM,
        "slice as a mammogram",
        Reason.TOMOSYNTHESIS,
        ("DERIVED", "PRIMARY"),
        SPLIT_SLICE,
    ),
    OddImage(
        FUJIFILM,
        "slice as a mammogram, by Image Type",
        Reason.TOMOSYNTHESIS,
        ("DERIVED", "PRIMARY", "TOMOSYNTHESIS", "NONE", "", "", "", "", "150000"),
    ),
    OddImage(
        FUJIFILM,
        "subtracted image of contrast mammography",
        Reason.CONTRAST_ENHANCED,
        ("DERIVED", "PRIMARY", "POST_CONTRAST", "SUBTRACTION", "", "", "", "", "50000"),
    ),
]


@pytest.mark.parametrize("odd", ODD_IMAGES, ids=lambda odd: f"{odd.product}: {odd.what}")
def test_what_is_no_plain_mammogram_is_left_out_in_each_makers_words(odd: OddImage) -> None:
    ds = dress(header(), find_header(odd.product), Laterality.LEFT, View.CC)
    if odd.image_type:
        ds.ImageType = list(odd.image_type)
    for keyword, value in odd.attributes.items():
        setattr(ds, keyword, value)

    assert find_exclusion_reason(Mammogram.from_dataset(ds)) is odd.reason


@pytest.mark.parametrize(
    ("position", "view", "modifiers"),
    [
        ("RCC", View.CC, frozenset()),
        ("RMLO", View.MLO, frozenset()),
        ("CCID", View.CC, frozenset({ViewModifier.IMPLANT_DISPLACED})),
        ("XCCL", View.XCCL, frozenset()),
        ("XCCM", View.XCCM, frozenset()),
        ("LMO", View.LMO, frozenset()),
        ("CCD", View.CC, frozenset()),
        ("MLOD", View.MLO, frozenset()),
    ],
)
def test_a_view_position_of_a_public_data_set_gives_the_view(
    position: str, view: View, modifiers: frozenset[ViewModifier]
) -> None:
    ds = dress(header(), find_header("philips-microdose"), Laterality.RIGHT, View.CC)
    ds.ViewPosition = position

    m = Mammogram.from_dataset(ds)

    assert (m.laterality, m.view, m.view_modifiers) == (Laterality.RIGHT, view, modifiers)


def test_a_flat_field_has_no_view_and_is_refused() -> None:
    ds = dress(header(), find_header("philips-microdose"), Laterality.RIGHT, View.CC)
    ds.ViewPosition = "FLATFIELD"

    result = combine_measurements(check_header(Mammogram.from_dataset(ds)))

    assert result.is_refused
    assert Reason.VIEW_MISSING in result.reasons


@pytest.mark.parametrize("code", ["GEMS_FFDM_PV", "GEMS_FFDM_TC_1"])
def test_the_processing_of_a_plain_image_does_not_cost_its_reading(code: str) -> None:
    ds = dress(header(), find_header(GE), Laterality.RIGHT, View.CC)
    ds.AcquisitionDeviceProcessingCode = code

    assert find_exclusion_reason(Mammogram.from_dataset(ds)) is None


def test_film_that_was_digitised_finer_than_detectors_is_read_and_doubted() -> None:
    m = Mammogram.from_dataset(header(ImagerPixelSpacing=[0.0435, 0.0435], DetectorType="FILM"))

    result = combine_measurements(check_header(m))

    assert find_exclusion_reason(m) is None
    assert (result.is_refused, result.reasons) == (False, (Reason.SPACING_FINE,))
