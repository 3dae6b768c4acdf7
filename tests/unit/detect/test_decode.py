"""Decoding: bit-exact over decoders and transfer syntaxes, and nothing beyond its bounds."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from secondread.assemble.pixel_layout import read_pixel_layout
from secondread.detect import decode as module
from secondread.detect.codestream import read_frame_size
from secondread.detect.decode import decode_pixels
from secondread.errors import PixelError
from tests.unit.detect.pictures import breast_image, dataset, file

NOISE = np.random.default_rng(5)


def picture(bits: int) -> npt.NDArray[np.uint16]:
    """Structure and noise that use every bit, of odd width."""
    ramp = np.add.outer(np.arange(120), np.arange(97)) * (2**bits // 400)
    noise = NOISE.integers(0, 2 ** (bits - 2), ramp.shape)
    return np.asarray((ramp + noise) % 2**bits, np.uint16)


def make_compressed(
    stored: npt.NDArray[np.integer], syntax: UID, frame: bytes, bits: int
) -> Dataset:
    ds = dataset(stored, BitsStored=bits, HighBit=bits - 1)
    ds.file_meta.TransferSyntaxUID = syntax
    ds.PixelData = encapsulate([frame])
    return ds


def jpeg_2000(stored: npt.NDArray[np.integer]) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(stored, level=0, reversible=True, codecformat="j2k"))


ENCODERS: dict[UID, Callable[[npt.NDArray[np.integer]], bytes | bytearray]] = {
    JPEGLossless: imagecodecs.ljpeg_encode,
    JPEGLosslessSV1: imagecodecs.ljpeg_encode,
    JPEGLSLossless: imagecodecs.jpegls_encode,
    JPEG2000Lossless: jpeg_2000,
}
SYNTAXES = [*ENCODERS, RLELossless]


def encode(stored: npt.NDArray[np.uint16], syntax: UID, bits: int) -> Dataset:
    if syntax == RLELossless:
        cells = stored.astype(np.uint8) if bits == 8 else stored
        ds = dataset(cells, BitsStored=bits, HighBit=bits - 1)
        ds.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
        return ds
    return make_compressed(stored, syntax, bytes(ENCODERS[syntax](stored)), bits)


@pytest.mark.parametrize("bits", [8, 12, 14, 16])
@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: UID(uid).keyword)
def test_every_decoder_of_a_transfer_syntax_gives_the_same_bits(syntax: UID, bits: int) -> None:
    stored = picture(bits)
    ds = encode(stored, syntax, bits)

    assert np.array_equal(decode_pixels(ds), stored)
    frame, layout = get_frame(ds.PixelData, 0, number_of_frames=1), read_pixel_layout(ds)
    for name, decoder in module._DECODERS[syntax].items():
        cells = module._to_stored_values(decoder(frame, ds, layout), layout, 0)
        assert np.array_equal(cells, stored), name


@pytest.mark.peer("dcmcjpeg", "dcmcjpls", "dcmcrle")
@pytest.mark.parametrize(
    ("program", "syntax"),
    [
        (["dcmcjpeg", "+e1"], JPEGLosslessSV1),
        (["dcmcjpeg", "+el", "+sv", "6"], JPEGLossless),
        (["dcmcjpls"], JPEGLSLossless),
        (["dcmcrle"], RLELossless),
    ],
    ids=lambda value: value.keyword if isinstance(value, UID) else value[0],
)
def test_what_dcmtk_encodes_is_decoded_to_the_same_bits(
    tmp_path: Path, program: list[str], syntax: UID
) -> None:
    stored = breast_image(300, 200)
    plain = file(tmp_path / "plain.dcm", dataset(stored, ReferringPhysicianName=""))
    target = tmp_path / "compressed.dcm"
    subprocess.run([*program, str(plain), str(target)], check=True, timeout=20)
    ds = pydicom.dcmread(target)

    assert ds.file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(decode_pixels(ds), stored)


def test_the_next_decoder_is_tried_where_one_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(*_: object) -> npt.NDArray[np.uint16]:
        raise ImportError("no wheel for this machine")

    stored = picture(12)
    ds = encode(stored, JPEG2000Lossless, 12)
    monkeypatch.setitem(module._DECODERS, JPEG2000Lossless, {"missing": missing})

    assert np.array_equal(decode_pixels(ds), stored)  # by what pydicom finds by itself


def test_signed_values_keep_their_sign_in_fewer_bits_than_the_cell() -> None:
    values = np.array([[-2048, -1, 0], [1, 5, 2047]], np.int16)
    ds = dataset(values)
    ds.PixelData = (values & 0x0FFF).astype("<u2").tobytes()  # upper bits not extended

    decoded = decode_pixels(ds)

    assert decoded.dtype == np.int16
    assert np.array_equal(decoded, values)


def test_overlay_bits_above_the_stored_ones_are_masked() -> None:
    stored = picture(12)
    ds = dataset(stored | 0x9000)

    assert np.array_equal(decode_pixels(ds), stored)


def test_an_overlay_that_is_counted_into_the_value_is_masked() -> None:
    stored = picture(12)
    ds = dataset(stored | 0x9000, BitsStored=16, HighBit=15)
    for group, position in ((0x6000, 15), (0x6002, 12), (0x6004, 14), (0x6006, 13)):
        ds.add_new((group, 0x0100), "US", 16)
        ds.add_new((group, 0x0102), "US", position)

    assert np.array_equal(decode_pixels(ds), stored)


def test_an_overlay_with_data_of_its_own_leaves_the_pixels_alone() -> None:
    stored = picture(16)
    ds = dataset(stored, BitsStored=16, HighBit=15)
    ds.add_new((0x6000, 0x0100), "US", 16)
    ds.add_new((0x6000, 0x0102), "US", 15)
    ds.add_new((0x6000, 0x3000), "OW", b"\0\1")

    assert np.array_equal(decode_pixels(ds), stored)


@pytest.mark.parametrize(
    "attributes",
    [
        {"NumberOfFrames": "0"},
        {"SamplesPerPixel": 0},
        {"BitsStored": 0},
        {"BitsStored": 17, "HighBit": 11},
        {"BitsStored": 12, "HighBit": 3},
        {"BitsAllocated": 0},
        {"PixelRepresentation": 7},
        {"PhotometricInterpretation": "", "PresentationLUTShape": "IDENTITY"},
    ],
    ids=str,
)
@pytest.mark.parametrize("syntax", [None, JPEG2000Lossless, RLELossless])
def test_attributes_that_cannot_be_are_derived_from_the_rest(
    attributes: dict[str, int], syntax: UID | None
) -> None:
    stored = picture(12)
    ds = dataset(stored) if syntax is None else encode(stored, syntax, 12)
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)

    assert np.array_equal(decode_pixels(ds), stored)


@pytest.mark.parametrize("allocated", [8, 12, 17])
def test_bits_allocated_that_the_pixel_data_contradict_are_those_of_the_pixel_data(
    allocated: int,
) -> None:
    stored = picture(12)

    assert np.array_equal(decode_pixels(dataset(stored, BitsAllocated=allocated)), stored)


def test_a_byte_too_many_behind_the_pixels_is_not_read() -> None:
    stored = picture(12)
    ds = dataset(stored)
    ds.PixelData += b"\0"

    assert np.array_equal(decode_pixels(ds), stored)


def test_values_in_the_upper_bits_are_moved_down() -> None:
    stored = picture(12)
    ds = dataset((stored << 4) | 0x7, HighBit=15)

    assert np.array_equal(decode_pixels(ds), stored)


def test_big_endian_words_are_read() -> None:
    stored = picture(12)
    ds = dataset(stored)
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    ds.PixelData = stored.astype(">u2").tobytes()

    assert np.array_equal(decode_pixels(ds), stored)


def test_an_odd_number_of_eight_bit_pixels_is_read_without_its_padding_byte() -> None:
    stored = NOISE.integers(0, 256, (31, 33)).astype(np.uint8)
    ds = dataset(stored)
    ds.PixelData = stored.tobytes() + b"\0"

    assert np.array_equal(decode_pixels(ds), stored)


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "colour"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "PALETTE COLOR"),
        ({"NumberOfFrames": 2}, "multi-frame"),
        ({"BitsAllocated": 32, "PixelData": bytes(4 * 120 * 97)}, "Bits Allocated is 32"),
        ({"Rows": 0}, "0 rows"),
        ({"Rows": 60000, "Columns": 60000}, "more than"),
        ({"Rows": 121}, "the header asks for"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_plain_greyscale_image_is_refused_by_name(
    attributes: dict[str, object], said: str
) -> None:
    ds = dataset(picture(12), **attributes)

    with pytest.raises(PixelError, match=said):
        decode_pixels(ds)


def test_a_data_set_without_pixel_data_is_refused() -> None:
    ds = dataset(picture(12))
    del ds.PixelData

    with pytest.raises(PixelError, match="no Pixel Data"):
        decode_pixels(ds)


@pytest.mark.parametrize("syntax", [JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless])
def test_a_codestream_larger_than_the_header_says_is_never_given_to_a_decoder(
    syntax: UID, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reached(*_: object) -> npt.NDArray[np.uint16]:
        raise AssertionError("the bomb went off")

    ds = encode(picture(12), syntax, 12)
    ds.Rows = 60
    monkeypatch.setitem(module._DECODERS, syntax, {"reached": reached})

    with pytest.raises(PixelError, match="codestream holds 120 x 97"):
        decode_pixels(ds)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: UID(uid).keyword)
@pytest.mark.parametrize("keep", [2, 3, 30, 400])
def test_a_truncated_frame_is_a_pixel_error_and_nothing_worse(syntax: UID, keep: int) -> None:
    ds = encode(picture(12), syntax, 12)
    frame = get_frame(ds.PixelData, 0, number_of_frames=1)
    ds.PixelData = encapsulate([frame[:keep] + b"\0" * (keep % 2)])

    try:
        values = decode_pixels(ds)
    except PixelError:
        return
    assert values.shape == (120, 97)  # some decoders fill up what is missing


def test_a_frame_of_garbage_is_named_by_its_first_bytes() -> None:
    with pytest.raises(PixelError, match="PK"):
        read_frame_size(b"PK\x03\x04 not an image")
