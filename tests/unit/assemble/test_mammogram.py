from datetime import UTC, date, datetime

import pytest
from pydicom.sequence import Sequence
from pydicom.uid import JPEGExtended12Bit

from secondread.assemble.mammogram import Intent, Mammogram
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
    ("keyword", "value"),
    [
        ("ImagerPixelSpacing", [0.0, 0.07]),
        ("ImagerPixelSpacing", [0.07]),
        ("StudyDate", "2026"),
    ],
)
def test_a_senseless_value_is_named_with_tag_keyword_and_value(keyword: str, value: object) -> None:
    ds = header()
    ds.add_new(keyword, "LO" if keyword == "StudyDate" else "DS", value)

    with pytest.raises(HeaderError) as error:
        Mammogram.from_dataset(ds)

    assert keyword in str(error.value)
    assert "(00" in str(error.value)


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
    assert mammogram(**attributes).is_synthesized


def test_a_lossy_transfer_syntax_counts_even_if_the_header_denies_it() -> None:
    ds = header(LossyImageCompression="00")
    ds.file_meta.TransferSyntaxUID = JPEGExtended12Bit

    assert Mammogram.from_dataset(ds).is_lossy


def test_monochrome1_and_an_inverse_lut_shape_mean_inverted() -> None:
    assert mammogram(PhotometricInterpretation="MONOCHROME1").is_inverted
    assert mammogram(PresentationLUTShape="INVERSE").is_inverted
    assert not mammogram().is_inverted


@pytest.mark.parametrize("keyword", ["ViewCodeSequence", "SourceImageSequence", "ImageType"])
def test_a_value_of_the_wrong_kind_is_a_header_error_and_no_crash(keyword: str) -> None:
    ds = header()
    ds.pop(keyword, None)
    ds.add_new(keyword, "US", 7)

    with pytest.raises(HeaderError, match="not readable"):
        Mammogram.from_dataset(ds)
