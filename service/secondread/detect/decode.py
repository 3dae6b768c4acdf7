"""Pixel Data (7FE0,0010) of one image to an array of stored values, within bounds.

The size is checked before a byte is decoded, in the header and in the codestream. Every transfer
syntax has a list of decoders, the fastest measured first; the next is tried where one is not
installed or does not know the codestream.
"""

import struct
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder

from secondread.accept.sop_classes import TRANSFER_SYNTAXES, PixelCoding
from secondread.assemble.header_values import read_bytes, read_transfer_syntax
from secondread.assemble.pixel_layout import PixelLayout, read_pixel_layout
from secondread.detect.codestream import is_compressed_with_loss, read_frame_size
from secondread.errors import PixelError

MAXIMUM_PIXELS = 64_000_000
"""Twice the largest mammogram made today (24 x 30 cm at 50 um is 29 million)."""

StoredValues = npt.NDArray[np.uint8 | np.uint16 | np.int8 | np.int16]
_Decoded = npt.NDArray[Any]


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
    layout = read_pixel_layout(ds)
    _check_layout(layout)
    syntax = uid.UID(read_transfer_syntax(ds))
    content = read_bytes(ds, "PixelData")
    if content is None:
        raise PixelError("the data set has no Pixel Data (7FE0,0010)")
    if not syntax.is_transfer_syntax:
        raise PixelError(f"unknown transfer syntax {syntax!s}")
    if not syntax.is_compressed:
        cells = _read_cells(content, layout, syntax, is_word=ds["PixelData"].VR == "OW")
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


def have_pixels_lost_information(ds: Dataset) -> bool:
    """Return whether the pixel data are compressed with loss, by what they say themselves.

    Where they do not say it, or cannot be taken apart, their transfer syntax decides.
    """
    syntax = uid.UID(read_transfer_syntax(ds))
    if syntax not in _CODESTREAMS or "PixelData" not in ds:
        return False
    try:
        answer = is_compressed_with_loss(_get_frame(ds))
    except PixelError:
        answer = None
    return _MAY_HAVE_LOST[syntax] if answer is None else answer


_MAY_HAVE_LOST = {row.uid: row.coding is not PixelCoding.READ for row in TRANSFER_SYNTAXES}
_CODESTREAMS = {
    row.uid for row in TRANSFER_SYNTAXES if row.uid.is_encapsulated and row.uid != uid.RLELossless
}


def _check_layout(layout: PixelLayout) -> None:
    for is_refused, fault in (
        (layout.samples != 1, f"colour: Samples per Pixel is {layout.samples}"),
        (
            layout.photometric not in {"MONOCHROME1", "MONOCHROME2"},
            # Not quoted: nothing ensures that it holds no more than a defined term.
            f"Photometric Interpretation is {_name_photometric(layout.photometric)}, "
            "not MONOCHROME1 or MONOCHROME2",
        ),
        (layout.frames != 1, f"multi-frame: Number of Frames is {layout.frames}"),
        (layout.bits_allocated not in {8, 16}, f"Bits Allocated is {layout.bits_allocated}"),
        (layout.rows < 1 or layout.columns < 1, f"{layout.rows} rows, {layout.columns} columns"),
        (
            layout.rows * layout.columns > MAXIMUM_PIXELS,
            f"{layout.rows} x {layout.columns} is more than {MAXIMUM_PIXELS} pixels",
        ),
    ):
        if is_refused:
            raise PixelError(fault)


def _name_photometric(text: str) -> str:
    return text if text in {"RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422"} else "another"


def _read_cells(content: bytes, layout: PixelLayout, syntax: uid.UID, *, is_word: bool) -> _Decoded:
    needed = layout.rows * layout.columns * layout.bits_allocated // 8
    if len(content) < needed:
        raise PixelError(f"Pixel Data has {len(content)} bytes, the header asks for {needed}")
    order = ">" if syntax == uid.ExplicitVRBigEndian else "<"
    # To the last whole cell: a byte too many is padding, or what a writer left behind.
    cell = np.dtype(f"{order}u{layout.bits_allocated // 8}")
    words = np.frombuffer(content, cell, count=len(content) // cell.itemsize)
    if order == ">" and layout.bits_allocated == 8 and is_word:
        # PS3.5 annex A.3: 8-bit cells in OW are swapped in pairs when written big endian.
        words = words[: words.size // 2 * 2].reshape(-1, 2)[:, ::-1].reshape(-1)
    return words[: layout.rows * layout.columns].reshape(layout.rows, layout.columns)


def _decode_frame(ds: Dataset, layout: PixelLayout, syntax: uid.UID) -> _Decoded:
    frame = _get_frame(ds)
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


def _get_frame(ds: Dataset) -> bytes:
    try:
        return get_frame(read_bytes(ds, "PixelData") or b"", 0, number_of_frames=1)
    except (ValueError, LookupError, StopIteration, RuntimeError, struct.error) as error:
        raise PixelError(f"Pixel Data holds no frame: {error}") from error


def _check_declared_size(frame: bytes, layout: PixelLayout) -> None:
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


def _to_stored_values(cells: _Decoded, layout: PixelLayout, shift: int) -> StoredValues:
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


_Decoder = Callable[[bytes, Dataset, PixelLayout], _Decoded]


def _use_imagecodecs(function: str) -> _Decoder:
    def decode(frame: bytes, _: Dataset, __: PixelLayout) -> _Decoded:
        import imagecodecs

        decoded: _Decoded = getattr(imagecodecs, function)(frame)
        return decoded

    return decode


def _decode_with_openjpeg(frame: bytes, _: Dataset, __: PixelLayout) -> _Decoded:
    from openjpeg.utils import decode as decode_jpeg_2000

    return decode_jpeg_2000(frame)


def _decode_with_rle(frame: bytes, _: Dataset, layout: PixelLayout) -> _Decoded:
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


def _decode_with_pydicom(_: bytes, ds: Dataset, layout: PixelLayout) -> _Decoded:
    # Not from the data set: of that, pydicom would take senseless values as they are.
    options: dict[str, Any] = {
        "rows": layout.rows,
        "columns": layout.columns,
        "number_of_frames": 1,
        "samples_per_pixel": 1,
        "bits_allocated": layout.bits_allocated,
        "bits_stored": layout.bits_stored,
        "photometric_interpretation": layout.photometric,
        "pixel_representation": int(layout.signed),
        "pixel_keyword": "PixelData",
    }
    decoder = get_decoder(uid.UID(read_transfer_syntax(ds)))
    cells, _properties = decoder.as_array(ds.PixelData, index=0, raw=True, **options)
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
