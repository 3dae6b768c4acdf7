"""Values are decoded at once, whatever form a reader left them in."""

from io import BytesIO

import pytest
from pydicom.dataset import Dataset
from pynetdicom.dsutils import decode, encode

from secondread.element_values import decode_values


@pytest.mark.parametrize("is_implicit", [True, False])
def test_what_a_reader_has_decoded_is_left_as_it_is(is_implicit: bool) -> None:
    item = Dataset()
    item.InstanceNumber, item.PatientName = None, "DOE^JANE"
    written = Dataset()
    written.SpecificCharacterSet = "ISO_IR 100"
    written.PatientName = "M\u00fcller^J"
    written.PatientID = ""
    written.NumberOfFrames = written.Rows = written.PatientWeight = written.SelectorATValue = None
    written.ReferencedStudySequence = [item]
    written.ReferencedPatientSequence = []
    encoded = encode(written, is_implicit, is_little_endian=True)
    assert encoded is not None
    read = decode(BytesIO(encoded), is_implicit, is_little_endian=True)

    decode_values(read)

    assert read.PatientName == "M\u00fcller^J"
    assert read.ReferencedStudySequence[0].PatientName == "DOE^JANE"
    assert [e.tag for e in read] == [e.tag for e in written]
    assert all(not read[keyword].value for keyword in ("NumberOfFrames", "Rows", "PatientWeight"))


def test_a_data_set_may_be_decoded_twice() -> None:
    data_set = Dataset()
    data_set.PatientName, data_set.NumberOfFrames = "DOE^JANE", 3
    data_set.ImageType = ["ORIGINAL", "PRIMARY"]

    decode_values(data_set)
    decode_values(data_set)

    assert (data_set.PatientName, data_set.NumberOfFrames) == ("DOE^JANE", 3)
    assert data_set.ImageType == ["ORIGINAL", "PRIMARY"]
