"""A stored result in Implicit VR: another form, the same bytes of every value."""

import io
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian

from secondread.errors import DataSetError
from secondread.report.encoding import encode_file
from secondread.send.transcoding import write_implicit_vr
from secondread.settings import ObjectKind, ProfileSettings
from tests.unit.report.readings import make_header, make_situations
from tests.worlds.report_documents import written

ALL_KINDS = ProfileSettings(objects=tuple(ObjectKind))


def convert(stored: Path) -> Dataset:
    """Return the converted file as pydicom reads it, its values not decoded yet."""
    buffer = io.BytesIO()
    write_implicit_vr(stored, buffer)
    return pydicom.dcmread(io.BytesIO(buffer.getvalue()))


def list_values(ds: Dataset, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield where each value is, and its bytes; of a sequence, how many items it has."""
    for tag in ds.keys():  # noqa: SIM118  (iterating the data set itself decodes it)
        value = ds.get_item(tag).value
        if ds[tag].VR == "SQ":
            yield f"{path}{tag}", len(ds[tag].value)
            for index, item in enumerate(ds[tag].value):
                yield from list_values(item, f"{path}{tag}[{index}]")
        else:
            yield f"{path}{tag}", value or b""


def assert_equal_values(stored: Path) -> Dataset:
    converted = convert(stored)
    assert converted.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    assert converted.original_encoding == (True, True)
    assert list(list_values(converted)) == list(list_values(pydicom.dcmread(stored)))
    again = pydicom.dcmread(stored)
    if "PixelData" in again:
        again["PixelData"].VR = "OW"  # of any depth, in this encoding (PS3.5 A.1)
    assert converted == again
    meta = {e.tag: e.value for e in converted.file_meta if e.keyword != "TransferSyntaxUID"}
    # The group's length is that of a shorter UID.
    assert {tag: meta[tag] for tag in meta if tag != 0x00020000} == {
        e.tag: e.value
        for e in again.file_meta
        if e.keyword not in {"TransferSyntaxUID", "FileMetaInformationGroupLength"}
    }
    return converted


@pytest.mark.parametrize("situation", ["findings", "every image failed"])
def test_all_kinds_of_results_keep_their_values(situation: str, tmp_path: Path) -> None:
    reading, sources = make_situations()[situation]
    for _, path in written(tmp_path, reading, sources, ALL_KINDS):
        assert_equal_values(path)


def store(ds: Dataset, folder: Path) -> Path:
    path = folder / "stored.dcm"
    path.write_bytes(encode_file(ds))
    return path


def test_sequences_of_undefined_length_keep_their_items(tmp_path: Path) -> None:
    inner, outer, ds = Dataset(), Dataset(), make_header("LCC")
    inner.CodeValue, outer.ViewModifierCodeSequence = "1", Sequence([inner, Dataset()])
    ds.ViewCodeSequence = Sequence([outer, Dataset()])
    outer["ViewModifierCodeSequence"].is_undefined_length = True
    ds["ViewCodeSequence"].is_undefined_length = True
    for item in (inner, outer):
        item.is_undefined_length_sequence_item = True
    path = store(ds, tmp_path)
    assert b"\xfe\xff\xdd\xe0" in path.read_bytes()
    converted = assert_equal_values(path)
    assert converted.ViewCodeSequence[0].ViewModifierCodeSequence[0].CodeValue == "1"


def test_a_name_in_another_character_set_than_it_says_keeps_its_bytes(tmp_path: Path) -> None:
    ds = make_header("LCC", SpecificCharacterSet="ISO_IR 192", PatientName="AAAAAA")
    path = store(ds, tmp_path)
    path.write_bytes(path.read_bytes().replace(b"AAAAAA", b"M\xfcller"))
    assert b"M\xfcller" in bytes(convert(path).get_item("PatientName").value)


def test_a_long_value_keeps_its_length(tmp_path: Path) -> None:
    ds = make_header("LCC", PixelData=bytes(range(256)) * 1000, BitsAllocated=8)
    assert assert_equal_values(store(ds, tmp_path)).PixelData == bytes(range(256)) * 1000


@pytest.mark.parametrize("cut", [1, 5, 9, 300])
def test_a_file_that_ends_early_is_not_converted(cut: int, tmp_path: Path) -> None:
    path = store(make_header("LCC"), tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DataSetError):
        convert(path)


def test_a_file_in_another_syntax_is_not_converted(tmp_path: Path) -> None:
    ds = make_header("LCC")
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    with pytest.raises(DataSetError, match="not transcoded"):
        convert(store(ds, tmp_path))
