"""Pixel Data (7FE0,0010) of one image to an array of stored values, within bounds.

The size is checked before a byte is decoded, in the header and in the codestream. Every transfer
syntax has a list of decoders, the fastest measured first; the next is tried where one is not
installed or does not know the codestream.
"""

import struct
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder

from secondread.assemble.mammogram import read_transfer_syntax
from secondread.detect.codestream import read_frame_size
from secondread.errors import PixelError

MAXIMUM_PIXELS = 64_000_000
"""Twice the largest mammogram made today (24 x 30 cm at 50 um is 29 million)."""

StoredValues = npt.NDArray[np.uint8 | np.uint16 | np.int8 | np.int16]
_Decoded = npt.NDArray[Any]


class _Layout(NamedTuple):
    """The attributes of the Image Pixel module (PS3.3 C.7.6.3) that describe a pixel's bits."""

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool


def decode_pixels(ds: Dataset) -> StoredValues:
    """Return the stored values of a single-frame greyscale image.

    Overlay or other bits outside Bits Stored are masked away, and signed values have their sign.
    Polarity, padding and rescaling are left as they are.

    Parameters
    ----------
    ds
        The whole data set with its file meta information.

    Returns
    -------
    StoredValues
        Shape (rows, columns); 8 or 16 bits wide, signed as Pixel Representation says.

    Raises
    ------
    PixelError
        The image is in colour, has several frames or an unusual number of bits, is larger than
        `MAXIMUM_PIXELS`, or its pixel data are missing, too short, of another size than the
        header says, or cannot be decoded. The message names which.
    """
    layout = _read_layout(ds)
    syntax = uid.UID(read_transfer_syntax(ds))
    if "PixelData" not in ds:
        raise PixelError("the data set has no Pixel Data (7FE0,0010)")
    if not syntax.is_transfer_syntax:
        raise PixelError(f"unknown transfer syntax {syntax!s}")
    if not syntax.is_compressed:
        cells = _read_cells(ds, layout, syntax)
        shift = layout.high_bit + 1 - layout.bits_stored
    else:
        cells = _decode_frame(ds, layout, syntax)
        # Run-length coding keeps the cells as they were in memory; the others code the values.
        shift = layout.high_bit + 1 - layout.bits_stored if syntax == uid.RLELossless else 0
    if cells.shape != (layout.rows, layout.columns):
        raise PixelError(
            f"the decoder gave {cells.shape}, the header says {(layout.rows, layout.columns)}"
        )
    return _to_stored_values(cells, layout, shift)


def _read_layout(ds: Dataset) -> _Layout:
    layout = _Layout(
        rows=_read_number(ds, "Rows"),
        columns=_read_number(ds, "Columns"),
        bits_allocated=_read_number(ds, "BitsAllocated"),
        bits_stored=_read_number(ds, "BitsStored"),
        high_bit=_read_number(ds, "HighBit"),
        signed=_read_number(ds, "PixelRepresentation", 0) == 1,
    )
    samples, frames = _read_number(ds, "SamplesPerPixel", 1), _read_number(ds, "NumberOfFrames", 1)
    photometric = str(ds.get("PhotometricInterpretation", ""))
    for is_refused, fault in (
        (samples != 1, f"colour: Samples per Pixel is {samples}"),
        (
            photometric not in {"MONOCHROME1", "MONOCHROME2"},
            f"Photometric Interpretation is {photometric!r}, not MONOCHROME1 or MONOCHROME2",
        ),
        (frames != 1, f"multi-frame: Number of Frames is {frames}"),
        (layout.bits_allocated not in {8, 16}, f"Bits Allocated is {layout.bits_allocated}"),
        (
            not 1 <= layout.bits_stored <= layout.high_bit + 1 <= layout.bits_allocated,
            f"Bits Stored {layout.bits_stored} and High Bit {layout.high_bit} do not fit",
        ),
        (layout.rows < 1 or layout.columns < 1, f"{layout.rows} rows, {layout.columns} columns"),
        (
            layout.rows * layout.columns > MAXIMUM_PIXELS,
            f"{layout.rows} x {layout.columns} is more than {MAXIMUM_PIXELS} pixels",
        ),
    ):
        if is_refused:
            raise PixelError(fault)
    return layout


def _read_number(ds: Dataset, keyword: str, default: int | None = None) -> int:
    value = ds.get(keyword, None)
    if value is None or value == "":
        if default is None:
            raise PixelError(f"{keyword} is absent")
        return default
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise PixelError(f"{keyword} is {value!r}, a whole number is expected") from error


def _read_cells(ds: Dataset, layout: _Layout, syntax: uid.UID) -> _Decoded:
    content: bytes = ds.PixelData
    needed = layout.rows * layout.columns * layout.bits_allocated // 8
    if len(content) < needed:
        raise PixelError(f"Pixel Data has {len(content)} bytes, the header asks for {needed}")
    order = ">" if syntax == uid.ExplicitVRBigEndian else "<"
    words = np.frombuffer(content, np.dtype(f"{order}u{layout.bits_allocated // 8}"), count=-1)
    if order == ">" and layout.bits_allocated == 8 and ds["PixelData"].VR == "OW":
        # PS3.5 annex A.3: 8-bit cells in OW are swapped in pairs when written big endian.
        words = words.reshape(-1, 2)[:, ::-1].reshape(-1)
    return words[: layout.rows * layout.columns].reshape(layout.rows, layout.columns)


def _decode_frame(ds: Dataset, layout: _Layout, syntax: uid.UID) -> _Decoded:
    try:
        frame = get_frame(ds.PixelData, 0, number_of_frames=1)
    except (ValueError, LookupError, StopIteration, RuntimeError, struct.error) as error:
        raise PixelError(f"Pixel Data holds no frame: {error}") from error
    if syntax != uid.RLELossless:
        _check_declared_size(frame, layout)
    faults: list[str] = []
    decoders = {**_DECODERS.get(syntax, {}), "pydicom": _decode_with_pydicom}
    for name, decode in decoders.items():
        try:
            with warnings.catch_warnings():
                # Decoders warn of a header that contradicts the codestream; that is checked here.
                warnings.simplefilter("ignore")
                return decode(frame, ds, layout)
        except _DECODER_ERRORS as error:
            faults.append(f"{name}: {error}")
    raise PixelError(f"{syntax.name} could not be decoded; " + "; ".join(faults))


def _check_declared_size(frame: bytes, layout: _Layout) -> None:
    size = read_frame_size(frame)
    if (size.rows, size.columns, size.components) != (layout.rows, layout.columns, 1):
        raise PixelError(
            f"the codestream holds {size.rows} x {size.columns} pixels of {size.components} "
            f"component(s), the header says {layout.rows} x {layout.columns} of 1"
        )
    if size.precision > layout.bits_allocated:
        raise PixelError(
            f"the codestream has {size.precision} bits a pixel, Bits Allocated is "
            f"{layout.bits_allocated}"
        )


def _to_stored_values(cells: _Decoded, layout: _Layout, shift: int) -> StoredValues:
    unsigned = np.dtype(f"u{layout.bits_allocated // 8}")
    values = cells.astype(unsigned)  # two's complement where a decoder gave signed numbers
    if shift:
        values >>= shift
    values &= unsigned.type(2**layout.bits_stored - 1)
    if not layout.signed:
        return values
    sign = unsigned.type(2 ** (layout.bits_stored - 1))
    values ^= sign
    values -= sign  # wraps around, which extends the sign bit to the width of the cell
    return values.view(np.dtype(f"i{layout.bits_allocated // 8}"))


_Decoder = Callable[[bytes, Dataset, _Layout], _Decoded]


def _use_imagecodecs(function: str) -> _Decoder:
    def decode(frame: bytes, _: Dataset, __: _Layout) -> _Decoded:
        import imagecodecs

        decoded: _Decoded = getattr(imagecodecs, function)(frame)
        return decoded

    return decode


def _decode_with_openjpeg(frame: bytes, _: Dataset, __: _Layout) -> _Decoded:
    from openjpeg.utils import decode as decode_jpeg_2000

    return decode_jpeg_2000(frame)


def _decode_with_rle(frame: bytes, _: Dataset, layout: _Layout) -> _Decoded:
    from rle.utils import decode_pixel_data

    try:
        cells = decode_pixel_data(
            frame,
            version=2,
            rows=layout.rows,
            columns=layout.columns,
            bits_allocated=layout.bits_allocated,
            byteorder="<",
        )
    except BaseException as error:
        # A panic in this Rust library is not an Exception, and its type cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"the decoder panicked: {error}") from error
    words = np.frombuffer(cells, np.dtype(f"<u{layout.bits_allocated // 8}"))
    return words.reshape(layout.rows, layout.columns)


def _decode_with_pydicom(_: bytes, ds: Dataset, __: _Layout) -> _Decoded:
    decoder = get_decoder(ds.file_meta.TransferSyntaxUID)
    cells, _properties = decoder.as_array(ds, index=0, raw=True)
    return cells


# Several imports can be missing, and each library has its own error, all of them under these.
_DECODER_ERRORS = (
    ImportError, RuntimeError, ValueError, TypeError, OSError, LookupError, AttributeError,
)  # fmt: skip
_JPEG = {"turbo": _use_imagecodecs("jpeg8_decode")}
_JPEG_LOSSLESS = {**_JPEG, "ljpeg": _use_imagecodecs("ljpeg_decode")}
_JPEG_LS = {"charls": _use_imagecodecs("jpegls_decode")}
_JPEG_2000 = {
    "openjpeg": _decode_with_openjpeg,
    "imagecodecs_jpeg2k": _use_imagecodecs("jpeg2k_decode"),
}
_DECODERS: dict[str, dict[str, _Decoder]] = {
    uid.JPEGLossless: _JPEG_LOSSLESS,
    uid.JPEGLosslessSV1: _JPEG_LOSSLESS,
    uid.JPEGBaseline8Bit: _JPEG,
    uid.JPEGExtended12Bit: _JPEG,
    uid.JPEGLSLossless: _JPEG_LS,
    uid.JPEGLSNearLossless: _JPEG_LS,
    uid.JPEG2000Lossless: _JPEG_2000,
    uid.JPEG2000: _JPEG_2000,
    uid.RLELossless: {"rle": _decode_with_rle},
}
