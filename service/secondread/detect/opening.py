"""A file from outside to a data set and its header: the one place where parsers' errors end."""

import io
import struct
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from secondread.assemble.mammogram import Mammogram
from secondread.errors import InputError

# What pydicom raises over a broken data set, beside its own error.
_PARSE_ERRORS = (
    InvalidDicomError, EOFError, ValueError, TypeError, LookupError, AttributeError,
    BytesLengthException, NotImplementedError, OSError, RecursionError, ArithmeticError,
    struct.error,
)  # fmt: skip
_PIXEL_KEYWORDS = (
    "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "SamplesPerPixel", "NumberOfFrames", "PhotometricInterpretation", "PixelData",
    "PixelPaddingValue", "PixelPaddingRangeLimit", "PixelIntensityRelationship",
    "PixelIntensityRelationshipSign", "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence",
    "WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence",
)  # fmt: skip


def read_dataset(path: Path) -> Dataset:
    """Read a file, and of its elements, which are parsed when first asked for, all that matter.

    Raises
    ------
    InputError
        It is no DICOM file that can be read. Nothing of its content is quoted.
    OSError
        It cannot be opened or read.
    """
    content = path.read_bytes()  # apart, because pydicom too raises OSError, over broken content
    try:
        ds = pydicom.dcmread(io.BytesIO(content))
        for keyword in ("SOPInstanceUID", *_PIXEL_KEYWORDS):
            ds.get(keyword)
        ds.file_meta.get("TransferSyntaxUID")
    except _PARSE_ERRORS as error:
        raise InputError(f"not a DICOM file that can be read: {_brief(error)}") from error
    return ds


def read_header(ds: Dataset) -> Mammogram:
    """Return the typed header.

    Raises
    ------
    InputError
        It cannot be read.
    """
    try:
        return Mammogram.from_dataset(ds)
    except _PARSE_ERRORS as error:
        raise InputError(f"the header cannot be read: {_brief(error)}") from error


def _brief(error: Exception) -> str:
    # A parser's message may quote raw bytes, and with them anything that the header holds.
    return type(error).__name__
