"""Loss: what the pixel data, the header and the history say together."""

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    UID,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from secondread.detect.codestream import is_compressed_with_loss
from secondread.detect.decode import decode_pixels, have_pixels_lost_information
from secondread.detect.gates import check_header, combine_measurements
from secondread.detect.prepare import read_mammogram
from secondread.reasons import Reason
from tests.unit.detect.pictures import breast_image, dataset
from tests.worlds.builders import coded

PICTURE = breast_image(120, 96)


def jpeg_2000(*, reversible: bool, level: int = 0) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(PICTURE, level=level, reversible=reversible, codecformat="j2k")
    )


STREAMS = [
    (JPEG2000, jpeg_2000(reversible=True), False),
    (JPEG2000Lossless, jpeg_2000(reversible=True), False),
    (JPEG2000, jpeg_2000(reversible=False, level=40), True),
    # What the transfer syntax promises does not hold.
    (JPEG2000Lossless, jpeg_2000(reversible=False, level=40), True),
    (JPEGLSNearLossless, bytes(imagecodecs.jpegls_encode(PICTURE, level=0)), False),
    (JPEGLSNearLossless, bytes(imagecodecs.jpegls_encode(PICTURE, level=3)), True),
    (JPEGLSLossless, bytes(imagecodecs.jpegls_encode(PICTURE, level=3)), True),
    (JPEGLosslessSV1, bytes(imagecodecs.ljpeg_encode(PICTURE)), False),
    (
        JPEGLosslessSV1,
        bytes(imagecodecs.jpeg8_encode((PICTURE >> 4).astype(np.uint8), level=90)),
        True,
    ),
]


def compressed(syntax: UID, stream: bytes) -> Dataset:
    ds = dataset(PICTURE)
    ds.file_meta.TransferSyntaxUID = syntax
    ds.PixelData = encapsulate([stream])
    return ds


@pytest.mark.parametrize(("syntax", "stream", "is_lossy"), STREAMS)
def test_the_codestream_says_whether_it_lost_information(
    syntax: UID, stream: bytes, is_lossy: bool
) -> None:
    ds = compressed(syntax, stream)

    assert is_compressed_with_loss(stream) is is_lossy
    assert have_pixels_lost_information(ds) is is_lossy
    result = combine_measurements(check_header(read_mammogram(ds)))
    assert result.is_refused is is_lossy
    assert (Reason.LOSSY_COMPRESSION in result.reasons) is is_lossy


def test_a_reversible_image_of_a_lossy_transfer_syntax_is_decoded_to_the_bit() -> None:
    for syntax, stream in (
        (JPEG2000, jpeg_2000(reversible=True)),
        (JPEGLSNearLossless, bytes(imagecodecs.jpegls_encode(PICTURE, level=0))),
    ):
        assert np.array_equal(decode_pixels(compressed(syntax, stream)), PICTURE)


@pytest.mark.parametrize("keep", [2, 3, 4])
@pytest.mark.parametrize(
    ("syntax", "may_lose"),
    [(JPEG2000, True), (JPEGLSNearLossless, True), (JPEG2000Lossless, False)],
)
def test_a_codestream_that_does_not_say_it_is_judged_by_its_transfer_syntax(
    syntax: UID, may_lose: bool, keep: int
) -> None:
    assert have_pixels_lost_information(compressed(syntax, b"\xff\xd8\xff\xe0"[:keep])) is may_lose


def test_a_tile_may_lose_what_the_others_keep() -> None:
    stream = bytearray(jpeg_2000(reversible=True))
    start = stream.index(b"\xff\x52")
    style = bytearray(stream[start : start + 2 + int.from_bytes(stream[start + 2 : start + 4])])
    style[13] = 0
    tile = stream.index(b"\xff\x90")
    size = int.from_bytes(stream[tile + 6 : tile + 10]) + len(style)
    stream[tile + 6 : tile + 10] = size.to_bytes(4)
    stream[tile + 12 : tile + 12] = style

    assert is_compressed_with_loss(bytes(stream)) is True


@pytest.mark.parametrize(
    ("attributes", "is_lossy"),
    [
        ({}, False),
        ({"LossyImageCompression": "00"}, False),
        ({"LossyImageCompression": "01"}, True),
        ({"LossyImageCompression": "1"}, True),
        ({"LossyImageCompression": "YES"}, True),
        ({"LossyImageCompressionRatio": "12.5"}, True),
        ({"LossyImageCompressionRatio": ["1", "20"]}, True),
        ({"LossyImageCompressionRatio": "1"}, False),
        ({"LossyImageCompressionMethod": "ISO_10918_1"}, True),
        # Beside a plain denial, a method alone is that of a reversible compression.
        ({"LossyImageCompression": "00", "LossyImageCompressionMethod": "ISO_15444_1"}, False),
        ({"LossyImageCompression": "00", "LossyImageCompressionRatio": "8"}, True),
        ({"DerivationDescription": "Lossy compression 10:1"}, True),
        ({"DerivationDescription": "lossless compression"}, False),
        ({"DerivationDescription": "no lossy compression"}, False),
        ({"DerivationCodeSequence": [coded("113040", "DCM", "Lossy Compression")]}, True),
        ({"DerivationCodeSequence": [coded("113072", "DCM", "Multiplication")]}, False),
    ],
    ids=str,
)
def test_header_and_history_say_whether_there_was_loss(
    attributes: dict[str, object], is_lossy: bool
) -> None:
    ds = dataset(PICTURE, **attributes)

    assert ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert read_mammogram(ds).is_lossy is is_lossy


def test_a_syntax_that_always_loses_needs_no_word_of_the_header() -> None:
    ds = dataset(PICTURE)
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit

    assert read_mammogram(ds).is_lossy
