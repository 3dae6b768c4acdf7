import math
from copy import copy
from datetime import UTC, date, datetime

import pytest
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import JPEGExtended12Bit

from secondread.assemble.header_attributes import ATTRIBUTE_ROWS
from secondread.assemble.image_kinds import ImageKind
from secondread.assemble.intent import Intent
from secondread.assemble.mammogram import Mammogram
from secondread.codes import Laterality, View, ViewModifier
from secondread.errors import HeaderError
from secondread.geometry import SpacingMm
from tests.worlds.builders import coded, header, mammogram, view_sequence


def test_reads_side_view_and_spacing_of_a_plain_image() -> None:
    m = mammogram(ImagerPixelSpacing=[0.05, 0.07])

    assert (m.laterality, m.view, m.label) == (Laterality.LEFT, View.CC, "LCC")
    assert m.spacing == SpacingMm(between_rows=0.05, between_columns=0.07)
    assert m.is_spacing_at_detector
    assert m.study_date == date(2026, 1, 5)
    assert m.acquired_at == datetime(2026, 1, 5, 10, 17, 30, tzinfo=UTC)


def test_reads_a_view_written_in_the_retired_snomed_scheme() -> None:
    m = mammogram(ViewCodeSequence=Sequence([coded("R-10226", "SRT", "medio-lateral oblique")]))

    assert m.view is View.MLO


def test_falls_back_to_view_position_when_the_code_is_absent() -> None:
    assert mammogram(ViewCodeSequence=None, ViewPosition="MLO").view is View.MLO


def test_reads_view_modifiers() -> None:
    m = mammogram(ViewCodeSequence=view_sequence(View.CC, ("399163009", "SCT")))

    assert m.view_modifiers == {ViewModifier.MAGNIFICATION}


def test_pixel_spacing_serves_where_the_detector_spacing_is_absent_and_is_known_as_such() -> None:
    m = mammogram(ImagerPixelSpacing=None, PixelSpacing=[0.1, 0.1])

    assert m.spacing == SpacingMm(0.1, 0.1)
    assert not m.is_spacing_at_detector


def test_the_sop_class_decides_the_intent_even_against_the_attribute() -> None:
    m = mammogram(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.1.2.1", PresentationIntentType="FOR PRESENTATION"
    )

    assert m.intent is Intent.PROCESSING


@pytest.mark.parametrize(
    "spacings",
    [
        {"ImagerPixelSpacing": senseless, other: [0.09, 0.08]}
        for senseless in ([0, 0], [0.07], [0.07, -0.07], ["NaN", "NaN"], "none", [0.07] * 3, [])
        for other in ("PixelSpacing", "NominalScannedPixelSpacing", "DetectorElementSpacing")
    ],
    ids=str,
)
def test_a_spacing_that_is_none_gives_way_to_the_next_one(spacings: dict[str, object]) -> None:
    m = Mammogram.from_dataset(with_values(**spacings))

    assert m.spacing == SpacingMm(0.09, 0.08)
    assert not m.is_spacing_at_detector


def test_the_spacing_of_detector_elements_is_multiplied_by_their_binning() -> None:
    ds = with_values(
        ImagerPixelSpacing=None, DetectorElementSpacing=[0.05, 0.05], DetectorBinning=[2, 2]
    )

    assert Mammogram.from_dataset(ds).spacing == SpacingMm(0.1, 0.1)


def test_senseless_spacings_alone_are_no_spacing() -> None:
    ds = with_values(ImagerPixelSpacing=[0, 0], PixelSpacing="-1")

    assert Mammogram.from_dataset(ds).spacing is None


@pytest.mark.parametrize("value", ["0", "-1", "MAG", "", "NaN", "1e400"])
def test_a_magnification_factor_that_is_none_gives_way_to_the_distances(value: str) -> None:
    contact = with_values(EstimatedRadiographicMagnificationFactor=value)
    stand = with_values(
        EstimatedRadiographicMagnificationFactor=value,
        DistanceSourceToDetector="660",
        DistanceSourceToPatient="330",
    )

    assert Mammogram.from_dataset(contact).magnification is None
    assert Mammogram.from_dataset(stand).magnification == 2


@pytest.mark.parametrize("value", ["0", "", "-3", "word", "1.5"])
def test_a_number_of_frames_that_is_none_means_one(value: str) -> None:
    assert Mammogram.from_dataset(with_values(NumberOfFrames=value)).frames == 1


@pytest.mark.parametrize(
    ("stored", "high", "bits"),
    [
        (12, 11, 12),
        (None, 11, 12),
        (0, 13, 14),
        (17, 11, 12),
        ("word", None, 16),
        (None, None, 16),
        (14, 11, 14),
        (12, 99, 12),
    ],
)
def test_bits_that_cannot_be_are_derived_from_the_others(
    stored: object, high: object, bits: int
) -> None:
    assert Mammogram.from_dataset(with_values(BitsStored=stored, HighBit=high)).bits_stored == bits


def with_values(**values: object) -> Dataset:
    """A header with these values under LO, whatever the dictionary says; None: absent."""
    ds = header()
    for keyword, value in values.items():
        ds.pop(keyword, None)
        if value is not None:
            ds.add(DataElement(keyword, "LO", value, validation_mode=IGNORE))
    return ds


def test_an_instance_without_a_study_is_no_instance() -> None:
    with pytest.raises(HeaderError, match="StudyInstanceUID"):
        mammogram(StudyInstanceUID=None)


def test_the_time_zone_of_the_header_is_honoured() -> None:
    m = mammogram(TimezoneOffsetFromUTC="+0200")

    assert m.study_at == datetime(2026, 1, 5, 8, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    "attributes",
    [
        {"ImageType": ["DERIVED", "PRIMARY", "TOMO", "GENERATED_2D"]},
        {"ImageType": ["DERIVED", "PRIMARY", "TOMO_2D"]},
        {"SeriesDescription": "L CC C-View"},
    ],
)
def test_synthesised_images_are_recognised(attributes: dict[str, object]) -> None:
    assert mammogram(**attributes).kind is ImageKind.SYNTHESIZED


def test_a_lossy_transfer_syntax_counts_even_if_the_header_denies_it() -> None:
    ds = header(LossyImageCompression="00")
    ds.file_meta.TransferSyntaxUID = JPEGExtended12Bit

    assert Mammogram.from_dataset(ds).is_lossy


def test_monochrome1_and_an_inverse_lut_shape_mean_inverted() -> None:
    assert mammogram(PhotometricInterpretation="MONOCHROME1").is_inverted
    assert mammogram(PresentationLUTShape="INVERSE").is_inverted
    assert not mammogram().is_inverted


KEYWORDS = sorted(
    {part for row in ATTRIBUTE_ROWS for source in row.sources for part in source.split("/")}
    | {"StudyTime", "AcquisitionTime", "SourceImageSequence", "DetectorBinning", "Modality"}
)


@pytest.mark.parametrize(
    ("vr", "values"),
    [
        ("US", (7, [7, 8, 9], -1)),
        ("FD", (math.nan, math.inf, [0.0, 0.0])),
        ("OB", (b"", b"\xff", b"\x00" * 6, b"1\\2")),
        ("LO", ("word", ["", ""], "9" * 400, "\\")),
        ("SQ", ([], [Dataset()], [coded("word", "", ""), Dataset()])),
    ],
)
def test_no_value_of_any_kind_keeps_a_header_from_being_read(
    vr: str, values: tuple[object, ...]
) -> None:
    ordinary = header()
    for keyword in KEYWORDS:
        for value in values:
            ds = copy(ordinary)
            ds.pop(keyword, None)
            ds.add(DataElement(keyword, vr, value, validation_mode=IGNORE))

            m = Mammogram.from_dataset(ds)

            assert m.rows == 1000
            assert m.spacing is None or m.spacing.between_rows > 0


def test_a_value_that_cannot_be_converted_is_read_as_the_text_that_it_is() -> None:
    ds = header()
    ds.pop("ImagerPixelSpacing")
    tag = Tag("ImagerPixelSpacing")
    ds[tag] = RawDataElement(tag, "DS", 12, b"0,07\\0,08 ", 0, False, True)

    assert Mammogram.from_dataset(ds).spacing == SpacingMm(0.07, 0.08)


@pytest.mark.parametrize("value", [["1.2.3", "1.2.4"], "1..2", "", "1." * 40])
@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"])
def test_what_names_no_instance_or_study_is_refused_by_its_keyword(
    keyword: str, value: object
) -> None:
    ds = header()
    ds[keyword] = DataElement(keyword, "UI", value, validation_mode=IGNORE)
    with pytest.raises(HeaderError) as raised:
        Mammogram.from_dataset(ds)
    assert raised.value.keyword == keyword
    assert "1.2.4" not in str(raised.value)
