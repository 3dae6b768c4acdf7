"""What the node reads in headers: what each attribute decides, and where else that is found.

The readers of `assemble` and `detect` ask the sources of a row in its order, and the conformance
statement prints the rows, so that neither can lag behind the other. For all of them holds: what
the reading does not need never costs the reading; an attribute that is empty, of another value
representation or senseless is as one that is absent, and the next source counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pydicom.dataset import Dataset

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AttributeRow:
    """One thing that headers say."""

    decides: str
    """What the node takes from it."""
    sources: tuple[str, ...]
    """Keywords, after those of the sequences they are in, in the order in which they are asked."""
    senseless: str
    """What counts as no value, and what holds where no source has one."""

    def find(self, ds: Dataset, read: Callable[[Dataset, str], T | None]) -> T | None:
        """Return what the first source with a sensible value says; None where none has one.

        Parameters
        ----------
        ds
            The header.
        read
            Returns the value of one source, or None where that is absent or senseless.
        """
        values = (read(ds, source) for source in self.sources)
        return next((value for value in values if value is not None), None)

    def find_all(self, ds: Dataset, read: Callable[[Dataset, str], T | None]) -> dict[str, T]:
        """Return what each source with a sensible value says, by source, in the order asked."""
        found = ((source, read(ds, source)) for source in self.sources)
        return {source: value for source, value in found if value is not None}


PATIENT = AttributeRow(
    "whose image it is, together with its issuer",
    ("PatientID", "IssuerOfPatientID"),
    "empty: the one that the study's other images agree on, which is told; else the study is "
    "compared with nothing. With ANONYMOUS and the like, name and birth date have to agree",
)
PERSON_NAME = AttributeRow(
    "whether an exam under the same ID is the same woman's",
    ("PatientName", "PatientBirthName", "OtherPatientNames"),
    "empty, ANONYMOUS, XXXX and the like, or bytes that are no text: unknown, which contradicts "
    "nothing; so do names in different scripts. All that are there are her names",
)
BIRTH_DATE = AttributeRow(
    "the same",
    ("PatientBirthDate", "PatientAge"),
    "no day, month or year from 1905 to ten years before the study: unknown. A part of a date is "
    "compared as far as it goes; an age, below 89, with two years' grace, and only contradicts",
)
STUDY_DAY = AttributeRow(
    "the day of the exam, by which priors are chosen and ordered",
    ("StudyDate",),
    "no day of the years 1900 to 2099 (zeros, words, slashes, year 1): the one that the study's "
    "other images agree on, which is told; else unknown",
)
ACQUISITION = AttributeRow(
    "which images, For Processing and For Presentation, are of one exposure; order of reading",
    ("AcquisitionDateTime", "AcquisitionDate", "ContentDate", "StudyDate"),
    "no such day, or no time of day beside it (Acquisition, Content, Study Time): unknown",
)
TIME_ZONE = AttributeRow(
    "the time zone of times",
    ("TimezoneOffsetFromUTC",),
    "not a sign and four digits below 24 hours: UTC",
)
LATERALITY = AttributeRow(
    "which breast it is",
    (
        "ImageLaterality",
        "Laterality",
        "SharedFunctionalGroupsSequence/FrameAnatomySequence/FrameLaterality",
        "PerFrameFunctionalGroupsSequence/FrameAnatomySequence/FrameLaterality",
        "FrameAnatomySequence/FrameLaterality",
        "ViewPosition",
    ),
    "no L, R, B or their words, in View Position no side letter: unknown, then as below. Where two "
    "sources contradict each other the image is refused; both breasts are outside the scope",
)
REGION_SIDE = AttributeRow(
    "which breast it is, where none of the attributes above says it",
    (
        "AnatomicRegionSequence",
        "AnatomicRegionSequence/AnatomicRegionModifierSequence",
        "ImageType",
    ),
    "no code of a side, no LEFT or RIGHT: unknown, the image is refused",
)
VIEW = AttributeRow(
    "which view it is",
    ("ViewCodeSequence", "ViewPosition"),
    "no known code, meaning or spelling: unknown, the image is refused. So it is where two sources "
    "contradict each other; of CC and an exaggerated CC the latter counts",
)
VIEW_MODIFIERS = AttributeRow(
    "magnification, spot compression, tangential and rolled views, displaced implants",
    (
        "ViewCodeSequence/ViewModifierCodeSequence",
        "ViewModifierCodeSequence",
        "ViewPosition",
        "ImageType",
        "PaddleDescription",
        "SeriesDescription",
        "AcquisitionDeviceProcessingDescription",
    ),
    "no known code, meaning or word: no modifier; what the sources say is added up",
)
MAGNIFICATION = AttributeRow(
    "how much larger than the breast the image is; above 1.2 it is a magnification view",
    ("EstimatedRadiographicMagnificationFactor", "DistanceSourceToDetector"),
    "not positive; of the distances, Source to Detector not above Source to Patient: unknown",
)
IMAGE_KIND = AttributeRow(
    "whether it is a plain mammogram",
    ("ImageType", "SeriesDescription", "AcquisitionDeviceProcessingDescription",
     "DerivationDescription", "PaddleDescription"),
    "no term or name of the table below: a plain mammogram",
)  # fmt: skip
SPACING = AttributeRow(
    "all lengths and areas",
    (
        "ImagerPixelSpacing",
        "PixelSpacing",
        "SharedFunctionalGroupsSequence/PixelMeasuresSequence/PixelSpacing",
        "NominalScannedPixelSpacing",
        "DetectorElementSpacing",
    ),
    "not two positive numbers: the image is refused. All but the first raise a doubt; the last is "
    "multiplied by Detector Binning",
)
FRAMES = AttributeRow("a single image or several", ("NumberOfFrames",), "not above 0: one frame")
BITS_ALLOCATED = AttributeRow(
    "how wide a stored pixel is",
    ("BitsAllocated",),
    "not 8 or 16, or less than Bits Stored: by the size of the pixel data, where that tells",
)
BITS_STORED = AttributeRow(
    "which bits of a stored pixel are its value; the rest, overlays among them, is masked",
    ("BitsStored", "HighBit"),
    "below 1 or above Bits Allocated: one more than High Bit, else Bits Allocated. A High Bit that "
    "does not fit is one less than Bits Stored",
)
SIGN = AttributeRow(
    "whether stored values are signed", ("PixelRepresentation",), "neither 0 nor 1: unsigned"
)
SAMPLES = AttributeRow(
    "colour, which is outside the scope",
    ("SamplesPerPixel",),
    "absent or 0: one, that is grey; Photometric Interpretation may be one of colour all the same",
)
POLARITY = AttributeRow(
    "whether low values are shown white",
    ("PhotometricInterpretation", "PresentationLUTShape"),
    "not MONOCHROME1 or MONOCHROME2: by the shape, INVERSE or IDENTITY; without either the image "
    "is refused. Any other shape is as none",
)
INTENSITY = AttributeRow(
    "how For Processing values stand for exposure",
    ("PixelIntensityRelationship", "PixelIntensityRelationshipSign"),
    "not LOG: linear; not 1 or -1: by the polarity",
)
MODALITY_LUT = AttributeRow(
    "stored values to those of the modality",
    (
        "ModalityLUTSequence",
        "RescaleSlope",
        "SharedFunctionalGroupsSequence/PixelValueTransformationSequence/RescaleSlope",
    ),
    "slope or intercept alone, slope 0, or none that leaves the values apart: stored values as "
    "they are. A table that cannot be applied refuses the image",
)
VOI = AttributeRow(
    "grey levels of the pages; not used by the detector",
    ("VOILUTSequence", "WindowCenter"),
    "width below what the function allows, centre without width, a function twice or unknown, a "
    "table that cannot be applied: the range of the tissue's values, which is remarked",
)
PADDING = AttributeRow(
    "values that stand for no measurement",
    ("PixelPaddingValue",),
    "no whole number of the stored bits: no padding; of the other sign, it is taken as the same "
    "bits. A Pixel Padding Range Limit that leaves less than half of the values is as absent",
)
LOSS = AttributeRow(
    "whether pixels have lost information, which refuses the image",
    (
        "LossyImageCompression",
        "LossyImageCompressionRatio",
        "LossyImageCompressionMethod",
        "DerivationCodeSequence",
        "DerivationDescription",
    ),
    "neither 00 nor 01, no ratio above 1, no method, no word of it: by the compressed pixel data, "
    "whatever their transfer syntax would allow",
)
ORIENTATION = AttributeRow(
    "which way up the image is", ("PatientOrientation",), "not two directions: the usual hanging"
)
IMPLANT = AttributeRow("an implant", ("BreastImplantPresent",), "not YES: none")
PARTIAL_VIEW = AttributeRow("a partial view", ("PartialView",), "not YES: the whole breast")

ATTRIBUTE_ROWS = (
    PATIENT, PERSON_NAME, BIRTH_DATE, STUDY_DAY, ACQUISITION, TIME_ZONE, LATERALITY, REGION_SIDE,
    VIEW, VIEW_MODIFIERS, MAGNIFICATION, IMAGE_KIND, SPACING, FRAMES, BITS_ALLOCATED, BITS_STORED,
    SIGN, SAMPLES, POLARITY, INTENSITY, MODALITY_LUT, VOI, PADDING, LOSS, ORIENTATION, IMPLANT,
    PARTIAL_VIEW,
)  # fmt: skip
"""All of them, in the order in which the conformance statement prints them."""
