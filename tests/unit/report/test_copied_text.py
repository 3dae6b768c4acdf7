"""Names and other text leave with the bytes and the character set that they came with."""

from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from secondread.dicom_files import read_header
from secondread.element_values import TextElement
from secondread.reasons import Outcome
from secondread.report.compose import compose_results
from secondread.report.encoding import encode_file
from secondread.report.result import ResultObject
from secondread.settings import ObjectKind, ProfileSettings
from tests.unit.report.readings import (
    index_by_uid,
    make_authorship,
    make_cluster,
    make_grey_display,
    make_header,
    make_image_reading,
    make_study_reading,
)

TEXTS = {
    "PatientName": "PN",
    "PatientID": "LO",
    "IssuerOfPatientID": "LO",
    "StudyDescription": "LO",
    "StudyID": "SH",
    "AccessionNumber": "SH",
    "ReferringPhysicianName": "PN",
    "InstitutionName": "LO",
    "EthnicGroup": "SH",
}

YAMADA = "Yamada^Tarou=山田^太郎=やまだ^たろう"


def encode_iso_2022(text: str) -> bytes:
    """Japanese as PS3.5 H.3.1 has it: escapes within each group, with what is not needed too."""
    return text.encode("iso2022_jp").replace(b"\x1b(B", b"\x1b(J")


CASES = {
    "Latin-1": ("ISO_IR 100", "Müller^Änne".encode("latin-1")),
    "UTF-8": ("ISO_IR 192", "Müller^Änne=山田".encode()),
    "UTF-8 that is said to be Latin-1": ("ISO_IR 100", "Müller^Änne".encode()),
    "Latin-1 that is said to be UTF-8": ("ISO_IR 192", "Müller^Änne".encode("latin-1")),
    "Shift-JIS that is said to be Latin-1": ("ISO_IR 100", "山田^太郎".encode("shift_jis")),
    "Shift-JIS that is said to be UTF-8": ("ISO_IR 192", "山田^太郎".encode("shift_jis")),
    "Latin-1 without a character set": ("", "Müller^Änne".encode("latin-1")),
    "UTF-8 without a character set": ("", "Müller^Änne".encode()),
    "Cyrillic without a character set": ("", "Иванова^Анна".encode("iso8859_5")),
    "a character set that there is none of": ("LATIN 1", "Müller^Änne".encode("latin-1")),
    "a character set that is spelt wrongly": ("ISO-IR-100", "Müller^Änne".encode("latin-1")),
    "ISO 2022": ("\\ISO 2022 IR 87", encode_iso_2022(YAMADA)),
    "an escape that says nothing": ("ISO_IR 100", b"M\x1b(B\xfcller^\x1b-AAnne"),
    "GB 18030": ("GB18030", "王^小东".encode("gb18030")),
    "katakana": ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ".encode("shift_jis")),
    "several values": ("ISO_IR 100", b"A\xfc^B\\C\xe4^D "),
    "spaces": ("ISO_IR 6", b" Alpha ^ Anna  "),
}


class BytesName(pydicom.valuerep.PersonName):
    def encode(self, encodings: object = None) -> bytes:
        return self.original_string or b""


def element(keyword: str, vr: str, data: bytes) -> DataElement:
    value: object = data
    if vr == "PN":
        value = BytesName("x")
        value.original_string = data
    return DataElement(Tag(keyword), vr, value, already_converted=True)


def read_source(
    folder: Path, character_set: str, data: bytes, syntax: str = ExplicitVRLittleEndian
) -> Dataset:
    """The header of a file all of whose text has the same bytes."""
    ds = make_header("LCC")
    path = folder / "image.dcm"
    if character_set:
        ds.SpecificCharacterSet = character_set.split("\\")
    for keyword, vr in TEXTS.items():
        ds[keyword] = element(keyword, vr, data)
    item = Dataset()
    item[Tag("PatientID")] = element("PatientID", "LO", data)
    ds.OtherPatientIDsSequence = Sequence([item])
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    dcmwrite(path, ds, enforce_file_format=True)
    return read_header(path)


def compose(source: Dataset, **profile: object) -> tuple[ResultObject, ...]:
    image = make_image_reading(source, make_cluster())
    reading = make_study_reading(Outcome.FINDINGS, image)
    settings = ProfileSettings.model_validate({"objects": ["cad-sr"], **profile})
    authorship = make_authorship(settings)
    return compose_results(reading, index_by_uid(source), make_grey_display, authorship)


def read_back(result: ResultObject) -> Dataset:
    """The elements of a written result, undecoded."""
    return pydicom.dcmread(BytesIO(encode_file(result.dataset)))


def get_bytes(ds: Dataset, keyword: str) -> bytes:
    value = ds.get_item(Tag(keyword)).value
    assert isinstance(value, bytes)
    return value


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("name", CASES)
def test_text_leaves_byte_for_byte_with_its_character_set(name: str, tmp_path: Path) -> None:
    character_set, data = CASES[name]
    padded = data + b" " * (len(data) % 2)
    (report,) = compose(read_source(tmp_path, character_set, data))

    written = read_back(report)
    for keyword in TEXTS:
        assert get_bytes(written, keyword) == padded, keyword
    assert encode_file(report.dataset).count(padded) >= len(TEXTS) + 1  # in a sequence too
    declared = written.get("SpecificCharacterSet", "")
    declared = declared if isinstance(declared, str) else "\\".join(declared)
    assert declared == character_set


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_every_kind_of_result_has_the_bytes(tmp_path: Path) -> None:
    character_set, data = CASES["Latin-1 that is said to be UTF-8"]
    objects = compose(read_source(tmp_path, character_set, data), objects=tuple(ObjectKind))

    assert {result.kind for result in objects} == set(ObjectKind)
    for result in objects:
        written = read_back(result)
        for keyword in TEXTS:
            assert get_bytes(written, keyword).rstrip() == data, (result.kind, keyword)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_text_of_an_implicit_file_leaves_with_its_bytes_too(tmp_path: Path) -> None:
    character_set, data = CASES["Shift-JIS that is said to be Latin-1"]
    objects = compose(read_source(tmp_path, character_set, data, ImplicitVRLittleEndian))
    for result in objects:
        assert get_bytes(read_back(result), "PatientName").rstrip() == data


@pytest.mark.parametrize("name", ["Latin-1", "UTF-8 that is said to be Latin-1", "GB 18030"])
def test_a_destination_that_wants_utf_8_gets_the_name_in_it(name: str, tmp_path: Path) -> None:
    character_set, data = CASES[name]
    source = read_source(tmp_path, character_set, data)
    for result in compose(source, character_set="ISO_IR 192"):
        written = read_back(result)
        assert written.SpecificCharacterSet == "ISO_IR 192"
        assert get_bytes(written, "PatientName").decode().strip() == str(source.PatientName)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_what_this_node_writes_itself_is_ascii(tmp_path: Path) -> None:
    source = read_source(tmp_path, "ISO_IR 192", "Müller".encode())
    for result in compose(source, objects=tuple(ObjectKind)):
        for own in result.dataset.iterall():
            if own.keyword not in TEXTS and own.VR in {"LO", "SH", "ST", "LT", "UT", "UC", "PN"}:
                assert str(own.value).isascii(), own.keyword


def test_a_text_that_was_changed_has_no_bytes_of_before(tmp_path: Path) -> None:
    header = read_source(tmp_path, "ISO_IR 100", b"Alpha^Anna")
    text = header["PatientID"]
    assert isinstance(text, TextElement)
    assert text.stored == b"Alpha^Anna"
    header.PatientID = "P2"
    assert text.stored is None


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("name", ["zlib", "hex", "rot13", "idna", "punycode", "utf_16"])
def test_a_character_set_that_is_an_encoding_of_another_kind_is_left_out(
    name: str, tmp_path: Path
) -> None:
    source = read_source(tmp_path, "ISO_IR 100", b"Doe^Jane")
    source.SpecificCharacterSet = name
    (report,) = compose(source)
    written = read_back(report)
    assert "SpecificCharacterSet" not in written
    assert get_bytes(written, "PatientID") == b"Doe^Jane"
    assert get_bytes(written, "Modality") == b"SR"
