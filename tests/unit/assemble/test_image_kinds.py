"""What is no plain mammogram, by every name that makers give it, and what is one all the same."""

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from secondread.assemble.image_kinds import ImageKind
from secondread.assemble.scope import find_exclusion_reason
from secondread.reasons import Reason
from tests.worlds.builders import mammogram

ITEM = Sequence([Dataset()])


def image_type(*words: str) -> dict[str, object]:
    return {"ImageType": ["DERIVED", "PRIMARY", *words]}


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        (image_type("TOMO", "LEFT"), ImageKind.TOMOSYNTHESIS),
        (image_type("TOMO_PROJ", "LEFT"), ImageKind.TOMOSYNTHESIS),
        (image_type("TOMOSYNTHESIS", "NONE"), ImageKind.TOMOSYNTHESIS),
        ({"VolumetricProperties": "VOLUME"}, ImageKind.TOMOSYNTHESIS),
        ({"TomoClass": "TOMOSYNTHESIS"}, ImageKind.TOMOSYNTHESIS),
        ({"NumberOfTomosynthesisSourceImages": 15}, ImageKind.TOMOSYNTHESIS),
        ({"XRay3DReconstructionSequence": ITEM}, ImageKind.TOMOSYNTHESIS),
        ({"SeriesDescription": "L CC Tomosynthesis Reconstruction"}, ImageKind.TOMOSYNTHESIS),
        ({"SeriesDescription": "RMLO DBT slices"}, ImageKind.TOMOSYNTHESIS),
        ({"SeriesDescription": "SmartSlices L CC"}, ImageKind.TOMOSYNTHESIS),
        (image_type("TOMO_2D", "RIGHT"), ImageKind.SYNTHESIZED),
        (image_type("TOMO", "GENERATED_2D"), ImageKind.SYNTHESIZED),
        (image_type("TOMOSYNTHESIS", "GENERATED_2D"), ImageKind.SYNTHESIZED),
        (image_type("SYNTHESIZED"), ImageKind.SYNTHESIZED),
        ({"SeriesDescription": "L CC C-View"}, ImageKind.SYNTHESIZED),
        ({"SeriesDescription": "R MLO S_VIEW"}, ImageKind.SYNTHESIZED),
        ({"SeriesDescription": "LCC Intelligent 2D"}, ImageKind.SYNTHESIZED),
        ({"SeriesDescription": "Insight2D R CC"}, ImageKind.SYNTHESIZED),
        ({"SeriesDescription": "V-Preview"}, ImageKind.SYNTHESIZED),
        ({"SeriesDescription": "SynView"}, ImageKind.SYNTHESIZED),
        ({"SeriesDescription": "Synthetic mammogram"}, ImageKind.SYNTHESIZED),
        ({"DerivationDescription": "synthesised from tomosynthesis"}, ImageKind.SYNTHESIZED),
        (
            {"VolumetricProperties": "VOLUME", "VolumeBasedCalculationTechnique": "MAX_IP"},
            ImageKind.SYNTHESIZED,
        ),
        (image_type("POST_CONTRAST", "", "LOW_ENERGY"), ImageKind.CONTRAST),
        (image_type("POST_CONTRAST", "SUBTRACTION"), ImageKind.CONTRAST),
        (image_type("", "", "HIGH_ENERGY"), ImageKind.CONTRAST),
        (image_type("RECOMBINED"), ImageKind.CONTRAST),
        (image_type("CEDM_SUBTRACTED"), ImageKind.CONTRAST),
        (image_type("LOW ENERGY"), ImageKind.CONTRAST),
        (image_type("CESM"), ImageKind.CONTRAST),
        ({"ContrastBolusAgent": "Iomeprol"}, ImageKind.CONTRAST),
        ({"ContrastBolusAgentSequence": ITEM}, ImageKind.CONTRAST),
        ({"ContrastBolusVolume": "90"}, ImageKind.CONTRAST),
        ({"SeriesDescription": "L CC CEDM"}, ImageKind.CONTRAST),
        ({"SeriesDescription": "SenoBright recombined"}, ImageKind.CONTRAST),
        ({"SeriesDescription": "contrast-enhanced L MLO"}, ImageKind.CONTRAST),
        ({"SeriesDescription": "L CC low energy"}, ImageKind.CONTRAST),
        (image_type("STEREO_SCOUT"), ImageKind.BIOPSY),
        (image_type("PREFIRE_MINUS"), ImageKind.BIOPSY),
        ({"SeriesDescription": "Stereotactic +15"}, ImageKind.BIOPSY),
        ({"SeriesDescription": "post-fire"}, ImageKind.BIOPSY),
        ({"PaddleDescription": "BIOPSY 5x5"}, ImageKind.BIOPSY),
        (image_type("SPECIMEN"), ImageKind.SPECIMEN),
        ({"SeriesDescription": "Specimen left"}, ImageKind.SPECIMEN),
        ({"SeriesDescription": "Biopsy specimen"}, ImageKind.SPECIMEN),
        ({"SeriesDescription": "Präparat"}, ImageKind.SPECIMEN),
        ({"SpecimenDescriptionSequence": ITEM}, ImageKind.SPECIMEN),
        ({"ConversionType": "DV"}, ImageKind.SCREEN_CAPTURE),
        (
            {
                "ConversionType": "WSD",
                "ImageType": ["DERIVED", "SECONDARY"],
                "ImagerPixelSpacing": None,
            },
            ImageKind.SCREEN_CAPTURE,
        ),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, ImageKind.SCREEN_CAPTURE),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, ImageKind.SCREEN_CAPTURE),
        ({"SeriesDescription": "Screen save"}, ImageKind.SCREEN_CAPTURE),
        (image_type("SCREENSHOT"), ImageKind.SCREEN_CAPTURE),
    ],
    ids=str,
)
def test_what_is_no_plain_mammogram_is_known(
    attributes: dict[str, object], kind: ImageKind
) -> None:
    assert mammogram(**attributes).kind is kind


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"ImageType": ["ORIGINAL", "PRIMARY", "POST_PROCESSED", "", "", "", "", "", "50000"]},
        {"ImageType": ["DERIVED", "SECONDARY"]},
        {"ConversionType": "DF"},
        {"ConversionType": "WSD"},  # of a Senographe Essential
        {"StudyDescription": "Tomosynthesis with C-View, CESM, stereotactic biopsy"},
        {"ProtocolName": "ROUTINE TOMO"},
        {"SeriesDescription": "Combo tomo L CC"},
        {"SeriesDescription": "2D and tomosynthesis, R MLO"},
        {"SeriesDescription": "CC view"},
        {"SeriesDescription": "L CC post biopsy clip"},
        {"SeriesDescription": "after stereotactic biopsy"},
        {"SeriesDescription": "without contrast enhanced images"},
        {"ContrastBolusAgent": "NONE", "ContrastBolusVolume": "0"},
        {"NumberOfTomosynthesisSourceImages": 0, "VolumetricProperties": ""},
        {"AcquisitionDeviceProcessingDescription": "high contrast, tissue equalized"},
    ],
    ids=str,
)
def test_a_plain_mammogram_is_taken_for_one(attributes: dict[str, object]) -> None:
    assert mammogram(**attributes).kind is ImageKind.PLAIN


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        (image_type("", "", "LOW_ENERGY"), Reason.CONTRAST_ENHANCED),
        (image_type("STEREO_PLUS"), Reason.STEREOTACTIC),
        (image_type("SPECIMEN"), Reason.SPECIMEN),
        (image_type("SCREENSHOT"), Reason.SCREEN_CAPTURE),
        (image_type("TOMO"), Reason.TOMOSYNTHESIS),
        (image_type("TOMO_2D"), Reason.SYNTHESIZED_2D),
        ({"PaddleDescription": "SPOT MAG"}, Reason.MAGNIFICATION),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.13.1.4"}, Reason.TOMOSYNTHESIS),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.13.1.5"}, Reason.TOMOSYNTHESIS),
    ],
    ids=str,
)
def test_each_is_left_out_with_a_reason_of_its_own(
    attributes: dict[str, object], reason: Reason
) -> None:
    assert find_exclusion_reason(mammogram(**attributes)) is reason
