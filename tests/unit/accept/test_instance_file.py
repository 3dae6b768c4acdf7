import hashlib
import struct
import time
import zlib
from pathlib import Path

import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from secondread.accept.instance_file import ReceivedFile, read_received_file
from secondread.data_set_parser import HEADER_LIMITS
from secondread.errors import InputError
from tests.unit.accept.fakes import encoded, instance, part10, spooled

EXPLICIT = uid.ExplicitVRLittleEndian
MAMMOGRAM = uid.DigitalMammographyXRayImageStorageForPresentation
ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
UNDEFINED = 0xFFFFFFFF


def element(group: int, number: int, vr: str, value: bytes, length: int | None = None) -> bytes:
    claimed = len(value) if length is None else length
    head = struct.pack("<HH", group, number) + vr.encode()
    if vr in {"OB", "OW", "SQ", "UN", "UT"}:
        return head + struct.pack("<HI", 0, claimed) + value
    return head + struct.pack("<H", claimed) + value


def read(
    folder: Path, data_set: bytes, syntax: str = EXPLICIT, sop_class: str = MAMMOGRAM
) -> ReceivedFile:
    return read_received_file(spooled(folder, data_set), syntax, sop_class)


def test_digest_is_that_of_the_data_set_whatever_the_file_meta_says(tmp_path: Path) -> None:
    data_set = encoded(instance())
    received = read(tmp_path, data_set)
    assert received.sha256 == hashlib.sha256(data_set).hexdigest()
    assert received.size == len(part10(data_set))


@pytest.mark.parametrize("syntax", [EXPLICIT, uid.ImplicitVRLittleEndian])
def test_header_has_the_attributes_and_not_the_pixels(tmp_path: Path, syntax: str) -> None:
    data_set = encoded(instance(), implicit=syntax != EXPLICIT)
    header = read(tmp_path, data_set, syntax).header
    assert (header.Rows, header.Columns, header.PatientID) == (64, 48, "P1")
    assert "PixelData" not in header
    assert header.file_meta.TransferSyntaxUID == syntax


def deflated(data_set: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data_set) + deflater.flush()


def test_a_deflated_data_set_is_read_and_its_digest_is_of_the_deflated_bytes(
    tmp_path: Path,
) -> None:
    data_set = deflated(encoded(instance()))
    received = read(tmp_path, data_set, uid.DeflatedExplicitVRLittleEndian)
    assert received.header.Rows == 64
    assert received.sha256 == hashlib.sha256(data_set).hexdigest()


def test_encapsulated_pixels_are_left_alone(tmp_path: Path) -> None:
    ds = instance()
    del ds.PixelData
    fragments = ITEM + struct.pack("<HHI", 0xFFFE, 0xE000, 4) + b"abcd"
    pixels = element(0x7FE0, 0x10, "OB", fragments, UNDEFINED)
    assert read(tmp_path, encoded(ds) + pixels, uid.JPEG2000Lossless).header.Rows == 64


@pytest.mark.parametrize(
    "tail",
    [
        element(0x7FE0, 0x10, "OW", b"ab", 4),
        element(0x7FE0, 0x10, "OW", b"")[:9],
        element(0x0040, 0x0275, "SQ", ITEM + b"\x08\x00", UNDEFINED),
        element(0x0040, 0x0275, "SQ", b"", 500),
        element(0x0040, 0x0280, "ST", b"cut", 500),
        element(0x0040, 0x0280, "ST", b"cut", 500)[:6],
        element(0x0042, 0x0011, "OB", b"cut", 10 * HEADER_LIMITS.element_bytes),
        element(0x0043, 0x1001, "OB", b"cut", UNDEFINED),
    ],
    ids=[
        "pixels",
        "pixel-header",
        "item",
        "sequence",
        "text",
        "element-header",
        "large-value",
        "undefined-length",
    ],
)
def test_a_data_set_that_ends_early_is_refused(tmp_path: Path, tail: bytes) -> None:
    ds = instance()
    del ds.PixelData
    with pytest.raises(InputError):
        read(tmp_path, encoded(ds) + tail)


def test_a_value_that_its_vr_does_not_allow_is_left_out_and_the_rest_is_read(
    tmp_path: Path,
) -> None:
    ds = instance()
    del ds.Rows, ds.Columns, ds.PixelData
    wrong = element(0x0028, 0x0010, "US", b"abc") + element(0x0028, 0x0011, "FD", b"abc")
    later = element(0x0028, 0x0301, "CS", b"NO")
    header = read(tmp_path, encoded(ds) + wrong + later).header
    assert "Rows" not in header
    assert "Columns" not in header
    assert header.BurnedInAnnotation == "NO"


def test_private_and_large_elements_are_left_out(tmp_path: Path) -> None:
    ds = instance()
    ds.private_block(0x0021, "VENDOR", create=True).add_new(1, "LO", "secret")
    ds.RedPaletteColorLookupTableData = bytes(HEADER_LIMITS.element_bytes + 2)
    header = read(tmp_path, encoded(ds)).header
    assert not [tag for tag in header.keys() if tag.is_private]  # noqa: SIM118
    assert "RedPaletteColorLookupTableData" not in header
    assert header.Rows == 64


def nested(depth: int) -> bytes:
    value = b""
    for _ in range(depth):
        item = struct.pack("<HHI", 0xFFFE, 0xE000, len(value)) + value
        value = element(0x0040, 0xA730, "SQ", item)
    return value


@pytest.mark.parametrize(
    "hostile",
    [
        element(0x0040, 0x0275, "SQ", ITEM * 110_000),
        element(0x0040, 0x0275, "SQ", ITEM * 110_000, UNDEFINED),
        b"".join(
            element(group, number, "LO", b"ab")
            for group in (0x0041, 0x0043)
            for number in range(55_000)
        ),
        b"".join(
            element(0x6000 + 2 * number, 0x3000, "OB", bytes(HEADER_LIMITS.element_bytes))
            for number in range(20)
        ),
        nested(200),
        nested(3000),
    ],
    ids=["items", "undefined-items", "elements", "bytes", "deep", "very-deep"],
)
def test_a_header_beyond_any_honest_size_is_refused_soon(tmp_path: Path, hostile: bytes) -> None:
    ds = instance()
    del ds.PixelData
    started = time.process_time()
    with pytest.raises(InputError):
        read(tmp_path, encoded(ds) + hostile)
    assert time.process_time() - started < 10


def test_an_honest_tree_of_sequences_is_read_to_its_end(tmp_path: Path) -> None:
    ds = instance()
    del ds.PixelData
    header = read(tmp_path, encoded(ds) + nested(9)).header
    depth = 0
    while "ContentSequence" in header and header.ContentSequence:
        header, depth = header.ContentSequence[0], depth + 1
    assert depth == 9


def test_a_deflate_bomb_is_inflated_to_the_bound_only(tmp_path: Path) -> None:
    ds = instance()
    del ds.PixelData
    deflater = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    parts = [deflater.compress(encoded(ds) + element(0x0042, 0x11, "OB", b"", 2**31))]
    parts += [deflater.compress(bytes(1024**2)) for _ in range(200)]
    started = time.process_time()
    with pytest.raises(InputError):
        read(tmp_path, b"".join([*parts, deflater.flush()]), uid.DeflatedExplicitVRLittleEndian)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "data_set",
    [b"", b"\x00", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bytes(1000), b"\xff" * 1000],
    ids=["empty", "byte", "http", "zeros", "ones"],
)
@pytest.mark.parametrize("syntax", [EXPLICIT, uid.DeflatedExplicitVRLittleEndian])
def test_bytes_that_are_no_data_set_are_refused_or_read_as_an_empty_header(
    tmp_path: Path, data_set: bytes, syntax: str
) -> None:
    try:
        header = read(tmp_path, data_set, syntax).header
    except InputError:
        return
    assert "SOPInstanceUID" not in header


def test_an_error_never_quotes_a_value(tmp_path: Path) -> None:
    ds = Dataset()
    ds.PatientName = "Doe^Jane"
    with pytest.raises(InputError) as caught:
        read(tmp_path, encoded(ds) + b"Doe^Jane Doe^Jane")
    assert "Doe" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_without_file_meta_information_is_refused(tmp_path: Path) -> None:
    for content in (b"", bytes(200)):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(InputError, match="file meta"):
            read_received_file(tmp_path / "x", EXPLICIT, MAMMOGRAM)


CAPTURE, CAD_SR = uid.SecondaryCaptureImageStorage, uid.MammographyCADSRStorage
KEY_OBJECT = uid.KeyObjectSelectionDocumentStorage


def broken_behind_its_uids() -> bytes:
    ds = instance(sop_class=CAPTURE)
    del ds.Rows, ds.Columns, ds.BitsAllocated, ds.PixelData
    return encoded(ds) + element(0x0040, 0xA730, "SQ", b"no item")


@pytest.mark.parametrize("sop_class", [CAPTURE, uid.ComprehensiveSRStorage, CAD_SR])
def test_what_is_not_analysed_needs_no_more_than_its_uids(tmp_path: Path, sop_class: str) -> None:
    data_set = broken_behind_its_uids()
    received = read(tmp_path, data_set, sop_class=sop_class)
    assert not received.is_whole
    assert received.header.StudyInstanceUID == instance().StudyInstanceUID
    assert received.header.PatientID == "P1"
    assert received.sha256 == hashlib.sha256(data_set).hexdigest()


@pytest.mark.parametrize("sop_class", [MAMMOGRAM, KEY_OBJECT])
def test_images_and_rejection_notes_have_to_be_readable_to_their_end(
    tmp_path: Path, sop_class: str
) -> None:
    with pytest.raises(InputError):
        read(tmp_path, broken_behind_its_uids(), sop_class=sop_class)


def test_a_document_of_any_length_is_received_in_no_time(tmp_path: Path) -> None:
    """Its items are counted by nobody: they are not read."""
    items = element(0x0040, 0xA730, "SQ", ITEM * 500_000)
    ds = instance(sop_class=uid.ComprehensiveSRStorage)
    del ds.Rows, ds.Columns, ds.BitsAllocated, ds.PixelData
    began = time.process_time()
    read(tmp_path, encoded(ds) + items, sop_class=uid.ComprehensiveSRStorage)
    assert time.process_time() - began < 0.5


def test_a_cad_report_that_is_whole_is_read_to_its_end(tmp_path: Path) -> None:
    ds = instance(sop_class=CAD_SR)
    del ds.PixelData
    ds.ContentSequence = [Dataset()]
    received = read(tmp_path, encoded(ds), sop_class=CAD_SR)
    assert received.is_whole
    assert len(received.header.ContentSequence) == 1
