"""Values that data sets of strangers hold where something else belongs."""

import struct
from collections.abc import Callable
from random import Random
from typing import Final

from pydicom.datadict import tag_for_keyword

TEXTS: Final = (
    b"", b" ", b"\0", b"\0\0", b"\\", b"\\\\\\", b"NaN", b"nan ", b"inf", b"-Infinity", b"1e308",
    b"-1e308", b"1e400", b"1e-320", b"0", b"-0", b"-1", b"0.0\\0.0", b"1" * 60, b"9" * 5000,
    b"123456789012345678901234567890", b"unknown", b"0x10", b"1_0", b"+1", b"1\\2\\3\\4\\5",
    b"1\\" * 3000, b"a\\b", b"\xff\xfe\xfa\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\x1b$B0!\x1b(B",
    b"\x1b[2J\x1b]0;title\x07", b"../../../etc/passwd", b"<script>alert(1)</script>", b"{{7*7}}",
    b"%s%s%n", b"[bold]", b"\r\n\r\n", b"00000000", b"00010101", b"19000229", b"99991231",
    b"2026/01/05", b"20260105\\20250105", b"2026-01-05T10", b"999999", b"240000", b"-9999",
    b"+1400", b"1..2", b"1.2.", b".1", b"1.02.3", b"1.2.840.10008.5.1.4.1.1.88.50", b"1" * 70,
    b"x" * 70_000, b"CONTAINER", b"IMAGE", b"SCOORD", b"NUM", b"CODE", b"POINT", b"POLYLINE",
    b"CIRCLE", b"ELLIPSE", b"B", b"L", b"R", b"MLO", b"MONOCHROME1", b"RGB", b"YBR_FULL",
    b"SIGMOID", b"FOR PROCESSING",
)  # fmt: skip
_FLOATS: Final = (
    float("nan"), float("inf"), float("-inf"), 1.7e308, -1.7e308, 5e-324, 0.0, -0.0, -1.0, 0.5,
    1e30, 2.0**31, 2.0**63,
)  # fmt: skip
_SINGLES: Final = (
    float("nan"), float("inf"), float("-inf"), 3.4e38, -3.4e38, 1e-45, 0.0, -1.0, 0.5, 1e30,
    2.0**31,
)  # fmt: skip
_INTEGERS: Final = (0, 1, 2, 3, 7, 8, 15, 16, 17, 255, 256, 32767, 32768, 65535, 2**31, 2**32 - 1)
VRS: Final = (
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"OB",
    b"OD", b"OF", b"OL", b"OV", b"OW", b"PN", b"SH", b"SL", b"SQ", b"SS", b"ST", b"SV", b"TM",
    b"UC", b"UI", b"UL", b"UN", b"UR", b"US", b"UT", b"UV", b"\0\0", b"ZZ", b"??", b"  ", b"ox",
    b"\xff\xff",
)  # fmt: skip
"""Those of PS3.5 6.2, and what is none."""

CHARACTER_SETS: Final = (
    b"ISO_IR 192", b"ISO_IR 100", b"\\ISO 2022 IR 87", b"ISO 2022 IR 149", b"GB18030",
    b"ISO_IR 999", b"ISO 2022 IR 6\\ISO 2022 IR 87\\ISO 2022 IR 159", b"utf_16", b"UTF8",
    b"latin_1", b"rot13", b"\\\\\\", b"ISO_IR 192\\ISO_IR 100", b"idna", b"punycode",
    b"unicode_escape", b"hex", b"zlib",
)  # fmt: skip
_FAVOURITES: Final = (
    "SpecificCharacterSet", "ImageType", "SOPClassUID", "SOPInstanceUID", "StudyDate", "StudyTime",
    "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime", "TimezoneOffsetFromUTC",
    "Modality", "PresentationIntentType", "Manufacturer", "ManufacturerModelName",
    "SeriesDescription", "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate",
    "PatientSex", "StudyInstanceUID", "SeriesInstanceUID", "ViewPosition", "ImageLaterality",
    "Laterality", "PatientOrientation", "ViewCodeSequence", "ViewModifierCodeSequence", "Rows",
    "Columns", "NumberOfFrames", "SamplesPerPixel", "PlanarConfiguration", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "PhotometricInterpretation", "PixelSpacing",
    "ImagerPixelSpacing", "EstimatedRadiographicMagnificationFactor", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "SmallestImagePixelValue", "WindowCenter", "WindowWidth",
    "VOILUTFunction", "VOILUTSequence", "ModalityLUTSequence", "LUTDescriptor", "LUTData",
    "RescaleSlope", "RescaleIntercept", "RescaleType", "PresentationLUTShape",
    "BurnedInAnnotation", "LossyImageCompression", "LossyImageCompressionRatio",
    "LossyImageCompressionMethod", "BreastImplantPresent", "PartialView",
    "PixelIntensityRelationship", "PixelIntensityRelationshipSign", "SourceImageSequence",
    "AnatomicRegionSequence", "OverlayRows", "OverlayColumns", "OverlayData", "OverlayOrigin",
    "OverlayBitsAllocated", "ReasonForTheRequestedProcedure", "RequestAttributesSequence",
    "AcquisitionDeviceProcessingCode", "ValueType", "ConceptNameCodeSequence", "ContentSequence",
    "ConceptCodeSequence", "CodeValue", "CodingSchemeDesignator", "CodeMeaning",
    "RelationshipType", "MeasuredValueSequence", "NumericValue", "MeasurementUnitsCodeSequence",
    "GraphicData", "GraphicType", "TextValue", "ReferencedSOPSequence", "ReferencedSOPClassUID",
    "ReferencedSOPInstanceUID", "ReferencedFrameNumber", "ReferencedContentItemIdentifier",
    "ContentTemplateSequence", "CurrentRequestedProcedureEvidenceSequence",
    "PertinentOtherEvidenceSequence", "PredecessorDocumentsSequence", "ReferencedSeriesSequence",
    "AuthorObserverSequence", "SoftwareVersions", "ContinuityOfContent",
    "VerifyingObserverSequence", "SeriesNumber", "InstanceNumber", "PixelData", "FloatPixelData",
    "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence", "VolumetricProperties",
    "PaddleDescription", "AccessionNumber",
)  # fmt: skip
TAGS: Final = tuple(
    (number >> 16, number & 0xFFFF)
    for number in (tag_for_keyword(keyword) for keyword in _FAVOURITES)
    if number is not None
)
"""Attributes that something in the node reads."""
ODD_TAGS: Final = (
    (0x0000, 0x0000), (0x0002, 0x0010), (0x0008, 0x0000), (0x0009, 0x0010), (0x0009, 0x1001),
    (0x0018, 0x0000), (0x0028, 0x0000), (0x0040, 0x0000), (0x6000, 0x0010), (0x6000, 0x3000),
    (0x6002, 0x3000), (0x7FE0, 0x0000), (0x7FE0, 0x0010), (0x7FE1, 0x0010), (0xFFFC, 0xFFFC),
    (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD), (0xFFFF, 0xFFFF),
)  # fmt: skip
"""Group lengths, private, overlay and trailing elements, delimiters where none belong."""


def _draw_text(random: Random) -> bytes:
    return random.choice(TEXTS)


def _draw_several(random: Random) -> bytes:
    return b"\\".join(random.choice(TEXTS)[:64] for _ in range(random.randint(2, 4)))


def _draw_bytes(random: Random) -> bytes:
    return bytes(random.randint(0, 255) for _ in range(random.randint(0, 40)))


def _draw_doubles(random: Random) -> bytes:
    return b"".join(struct.pack("<d", random.choice(_FLOATS)) for _ in range(random.randint(1, 4)))


def _draw_singles(random: Random) -> bytes:
    many = random.choice((1, 2, 4, 6, 41))
    return b"".join(struct.pack("<f", random.choice(_SINGLES)) for _ in range(many))


def _draw_shorts(random: Random) -> bytes:
    many = random.choice((1, 1, 2, 3, 7))
    return b"".join(struct.pack("<H", random.choice(_INTEGERS) % 65536) for _ in range(many))


def _draw_longs(random: Random) -> bytes:
    many = random.choice((1, 1, 2, 3, 40))
    return b"".join(struct.pack("<I", random.choice(_INTEGERS)) for _ in range(many))


_DRAWS: Final[tuple[Callable[[Random], bytes], ...]] = (
    _draw_text, _draw_text, _draw_text, _draw_several, _draw_bytes, _draw_doubles, _draw_singles,
    _draw_shorts, _draw_longs,
)  # fmt: skip


def draw_value(random: Random) -> bytes:
    """Return the bytes of some value; of even length mostly, as PS3.5 7.1.1 wants it."""
    value = random.choice(_DRAWS)(random)
    return value + b" " if len(value) % 2 and random.random() < 0.9 else value
