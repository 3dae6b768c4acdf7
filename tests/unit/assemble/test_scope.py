import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from secondread.assemble.scope import find_exclusion_reason, select_images
from secondread.codes import View
from secondread.reasons import Reason
from tests.worlds.builders import mammogram, view_sequence

PROCESSING = "1.2.840.10008.5.1.4.1.1.1.2.1"


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.13.1.3"}, Reason.TOMOSYNTHESIS),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, Reason.NOT_MAMMOGRAPHY),
        ({"ImageType": ["DERIVED", "PRIMARY", "GENERATED_2D"]}, Reason.SYNTHESIZED_2D),
        ({"EstimatedRadiographicMagnificationFactor": "1.8"}, Reason.MAGNIFICATION),
        (
            {"ViewCodeSequence": view_sequence(View.CC, ("399055006", "SCT"))},
            Reason.SPOT_COMPRESSION,
        ),
        ({"ViewCodeSequence": view_sequence(View.CC, ("399110001", "SCT"))}, Reason.TANGENTIAL),
        ({"ViewCodeSequence": view_sequence(View.SPECIMEN)}, Reason.SPECIMEN),
        (
            {"ViewCodeSequence": view_sequence(View.CC, ("399163009", "SCT"))},
            Reason.MAGNIFICATION,
        ),
        ({"NumberOfFrames": 2}, Reason.NOT_MAMMOGRAPHY),
        ({"Modality": "RG"}, Reason.NOT_MAMMOGRAPHY),
        ({}, None),
        ({"Modality": ""}, None),
        ({"EstimatedRadiographicMagnificationFactor": "1.2"}, None),
    ],
)
def test_what_the_detector_was_not_made_for_is_named(
    attributes: dict[str, object], reason: Reason | None
) -> None:
    assert find_exclusion_reason(mammogram(**attributes)) is reason


def source(uid: str) -> Sequence:
    item = Dataset()
    item.ReferencedSOPInstanceUID = uid
    return Sequence([item])


def test_a_pair_of_one_exposure_is_read_once_and_from_the_presentation_image() -> None:
    raw = mammogram(SOPClassUID=PROCESSING, AcquisitionTime="090000")
    shown = mammogram(SourceImageSequence=source(raw.sop_instance_uid))

    selection = select_images([raw, shown])

    assert selection.to_read == (shown,)
    assert selection.left_out == ((raw, Reason.PAIRED_PROCESSING),)


def test_a_pair_without_a_named_source_is_matched_by_side_view_and_acquisition_time() -> None:
    raw, shown = mammogram(SOPClassUID=PROCESSING), mammogram()

    assert select_images([raw, shown]).to_read == (shown,)


def test_a_processing_image_of_another_exposure_is_read_too() -> None:
    raw = mammogram(SOPClassUID=PROCESSING, AcquisitionTime="093000")

    assert len(select_images([raw, mammogram()]).to_read) == 2


def test_images_are_read_right_before_left_and_cc_before_mlo() -> None:
    images = [
        mammogram(ImageLaterality=side, ViewCodeSequence=view_sequence(view))
        for side in "LR"
        for view in (View.MLO, View.CC)
    ]

    assert [m.label for m in select_images(images).to_read] == ["RCC", "RMLO", "LCC", "LMLO"]
