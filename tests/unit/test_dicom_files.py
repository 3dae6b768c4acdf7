"""Files of any origin: with and without meta information, deflated, cut off, and hostile."""

import struct
import time
import tracemalloc
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from secondread.dicom_files import read_document, read_header, read_image
from secondread.errors import DataSetError, PixelError
from tests.worlds.builders import header

PIXELS = np.arange(64 * 48, dtype="<u2").tobytes()


def build_image(**attributes: object) -> Dataset:
    ds = header(Rows=64, Columns=48, **attributes)
    ds.add_new(0x7FE00010, "OW", PIXELS)
    return ds


def encode(ds: Dataset, *, implicit: bool = False, little: bool = True) -> bytes:
    buffer = BytesIO()
    plain = Dataset(ds)
    pydicom.dcmwrite(buffer, plain, implicit_vr=implicit, little_endian=little)
    return buffer.getvalue()


def make_file(
    folder: Path,
    data_set: bytes,
    syntax: str | None,
    *,
    preamble: bool = True,
    group_length: int = 0,
) -> Path:
    """Write a file whose meta information is what is given, right or wrong."""
    value = (syntax or "").encode()
    value += b"\0" * (len(value) % 2)
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", len(value)) + value if syntax is not None else b""
    length = struct.pack("<HH2sHI", 2, 0, b"UL", 4, group_length or len(meta)) if meta else b""
    path = folder / "x.dcm"
    path.write_bytes((bytes(128) + b"DICM" if preamble else b"") + length + meta + data_set)
    return path


def deflate(data_set: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data_set) + deflater.flush()


@pytest.mark.parametrize("preamble", [True, False])
@pytest.mark.parametrize("group_length", [0, 7, 100_000], ids=["right", "short", "long"])
@pytest.mark.parametrize("implicit", [True, False])
def test_preamble_and_group_length_do_not_matter(
    tmp_path: Path, preamble: bool, group_length: int, implicit: bool
) -> None:
    syntax = uid.ImplicitVRLittleEndian if implicit else uid.ExplicitVRLittleEndian
    data_set = encode(build_image(), implicit=implicit)
    path = make_file(tmp_path, data_set, syntax, preamble=preamble, group_length=group_length)

    ds = read_image(path)

    assert (ds.PatientID, ds.PixelData, ds.file_meta.TransferSyntaxUID) == ("P1", PIXELS, syntax)


@pytest.mark.parametrize(
    "syntax", [None, "", "1.2.3", uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian]
)
@pytest.mark.parametrize("preamble", [True, False])
def test_what_the_file_holds_overrules_a_wrong_or_missing_transfer_syntax(
    tmp_path: Path, syntax: str | None, preamble: bool
) -> None:
    path = make_file(tmp_path, encode(build_image()), syntax, preamble=preamble)

    ds = read_image(path)

    assert (ds.Rows, ds.PixelData) == (64, PIXELS)
    assert ds.file_meta.TransferSyntaxUID == uid.ExplicitVRLittleEndian


def test_big_endian_is_recognized(tmp_path: Path) -> None:
    path = make_file(tmp_path, encode(build_image(), little=False), None)

    ds = read_header(path)

    assert (ds.Rows, ds.file_meta.TransferSyntaxUID) == (64, uid.ExplicitVRBigEndian)
    assert "PixelData" not in ds


@pytest.mark.parametrize("read", [read_header, read_document, read_image])
def test_a_deflated_data_set_is_read(tmp_path: Path, read: object) -> None:
    data_set = deflate(encode(build_image()))
    path = make_file(tmp_path, data_set, uid.DeflatedExplicitVRLittleEndian)

    ds = read(path)  # type: ignore[operator]

    assert ds.Rows == 64
    assert ds.get("PixelData") == (PIXELS if read is read_image else None)


def test_a_deflate_bomb_is_refused_in_little_memory(tmp_path: Path) -> None:
    deflater = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    parts = [deflater.compress(encode(build_image()))]
    parts += [deflater.compress(bytes(4 * 1024**2)) for _ in range(200)]
    path = make_file(
        tmp_path, b"".join([*parts, deflater.flush()]), uid.DeflatedExplicitVRLittleEndian
    )
    started = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(DataSetError, match="inflates to more"):
            read_image(path)
        assert tracemalloc.get_traced_memory()[1] < 64 * 1024**2
    finally:
        tracemalloc.stop()
    assert time.process_time() - started < 10


def test_encapsulated_pixels_are_returned_as_their_fragments(tmp_path: Path) -> None:
    ds = build_image()
    ds.PixelData = encapsulate([b"abcd"])
    ds["PixelData"].is_undefined_length = True
    ds["PixelData"].VR = "OB"
    path = make_file(tmp_path, encode(ds), uid.JPEG2000Lossless)

    read = read_image(path)

    assert read.PixelData == ds.PixelData
    assert read["PixelData"].is_undefined_length


def test_fragments_without_their_delimiter_are_complete_and_cut_off_ones_are_not(
    tmp_path: Path,
) -> None:
    ds = build_image()
    ds.PixelData = encapsulate([b"abcd"])
    ds["PixelData"].is_undefined_length = True
    ds["PixelData"].VR = "OB"
    encoded = encode(ds)

    assert read_image(make_file(tmp_path, encoded[:-8], uid.JPEG2000Lossless)).PixelData
    with pytest.raises(PixelError):
        read_image(make_file(tmp_path, encoded[:-9], uid.JPEG2000Lossless))


def test_native_syntax_with_encapsulated_pixels_is_refused_for_what_it_is(tmp_path: Path) -> None:
    ds = build_image()
    ds.PixelData = encapsulate([b"abcd"])
    ds["PixelData"].is_undefined_length = True
    ds["PixelData"].VR = "OB"

    with pytest.raises(PixelError, match="encapsulated"):
        read_image(make_file(tmp_path, encode(ds), uid.ExplicitVRLittleEndian))


def test_pixels_that_end_early_cost_the_pixels_and_not_the_header(tmp_path: Path) -> None:
    path = make_file(tmp_path, encode(build_image())[:-1], uid.ExplicitVRLittleEndian)

    assert read_header(path).Rows == 64
    with pytest.raises(PixelError, match="end early"):
        read_image(path)


def test_what_stands_behind_the_pixels_is_not_read(tmp_path: Path) -> None:
    garbage = b"\xfc\xff\xfc\xffOB\x00\x00\xff\xff\xff\xff" + b"\xff" * 100
    path = make_file(tmp_path, encode(build_image()) + garbage, uid.ExplicitVRLittleEndian)

    assert read_image(path).PixelData == PIXELS


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        bytes(200),
        b"DICM",
        bytes(128) + b"DICM",
        b"\x89PNG\r\n" + bytes(300),
        b"text " * 99,
    ],
)
def test_what_is_no_dicom_file_is_a_data_set_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)

    for read in (read_header, read_document, read_image):
        with pytest.raises(DataSetError):
            read(path)
