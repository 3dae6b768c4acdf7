"""The bytes of a result are those that pydicom writes, whatever is in it."""

import io

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from secondread.report.encoding import encode_file
from tests.unit.report.readings import make_header
from tests.worlds.golden_set import golden_exams, objects

EXAMS = golden_exams()


def encode_by_pydicom(ds: Dataset) -> bytes:
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


@pytest.mark.parametrize("name", EXAMS)
def test_every_result_of_the_golden_set_has_pydicoms_bytes(name: str) -> None:
    results = [r.dataset for r in objects(EXAMS[name]) if "ContentSequence" in r.dataset]

    assert [encode_file(ds) for ds in results] == [encode_by_pydicom(ds) for ds in results]


@pytest.mark.parametrize("character_set", ["ISO_IR 100", "ISO_IR 192", "ISO_IR 13"])
def test_values_that_no_report_of_ours_has_are_left_to_pydicom(character_set: str) -> None:
    item = Dataset()
    item.TextValue = "a\\b~" if character_set == "ISO_IR 13" else "Größe"
    item.PersonName = "Müller^Jörg" if character_set != "ISO_IR 13" else "A^B"
    item.NumericValue = ["1.5", "-2"]
    item.GraphicData = [1.25, 2.5]
    item.ReferencedFrameNumber = 7
    item.Date, item.Time, item.DateTime, item.UID = "20260105", "", None, ""
    item.add_new(0x00091001, "OB", b"\1\2\3\4")
    item.add_new(0x00091002, "LO", ["two", "values"])
    item.add_new(0x00091003, "SH", "x" * 70_001)
    empty = Dataset()
    empty.ConceptNameCodeSequence = Sequence()
    ds = make_header("LCC", SpecificCharacterSet=character_set)
    ds.ContentSequence = Sequence([item, empty, Dataset()])

    with pytest.warns(UserWarning, match="exceeds the size of 64 kByte"):
        expected = encode_by_pydicom(ds)
    with pytest.warns(UserWarning, match="exceeds the size of 64 kByte"):
        assert encode_file(ds) == expected


def test_what_stands_behind_the_content_is_written_behind_it() -> None:
    ds = make_header("LCC")
    ds.ContentSequence = Sequence([Dataset()])
    ds.add_new(0x00990010, "LO", "private")

    assert encode_file(ds) == encode_by_pydicom(ds)
