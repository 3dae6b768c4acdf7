"""Data sets that devices, routers and strangers write: what is parsed, and what is refused."""

import io
import struct
from dataclasses import dataclass

import pydicom
import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from secondread.data_set_parser import (
    HEADER_LIMITS,
    DataSetEncoding,
    ParserLimits,
    parse_data_set,
)
from secondread.errors import DataSetError

EXPLICIT, IMPLICIT = DataSetEncoding(is_implicit=False), DataSetEncoding(is_implicit=True)
BIG_ENDIAN = DataSetEncoding(is_implicit=False, is_little_endian=False)
LONG_VRS = {"OB", "OW", "SQ", "UN", "UT"}
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xE000, 0xE00D, 0xE0DD


@dataclass(frozen=True)
class Bytes:
    content: bytes

    def read_at(self, position: int, length: int) -> bytes:
        assert position + length <= len(self.content)
        return self.content[position : position + length]


def parse(
    content: bytes, encoding: DataSetEncoding = EXPLICIT, limits: ParserLimits = HEADER_LIMITS
) -> Dataset:
    return parse_data_set(Bytes(content), 0, len(content), encoding, limits).data_set


def element(tag: int, vr: str, value: bytes, length: int | None = None) -> bytes:
    claimed = len(value) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode("latin-1")
    if vr in LONG_VRS:
        return head + struct.pack("<HI", 0, claimed) + value
    return head + struct.pack("<H", claimed) + value


def implicit(tag: int, value: bytes) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value


def delimiter(number: int, length: int = 0) -> bytes:
    return struct.pack("<HHI", 0xFFFE, number, length)


NAME = element(0x00100010, "PN", b"Doe^Jane")
ROWS = element(0x00280010, "US", b"\x10\x00")

INNER_SEQUENCE = element(0x00540222, "SQ", delimiter(ITEM))


def build_header() -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.PatientName, ds.PatientID = "M\u00fcller^Anna", "1"
    ds.Rows, ds.PixelRepresentation, ds.SmallestImagePixelValue = 16, 1, -3
    view = Dataset()
    view.CodeValue = "399162004"
    view.ViewModifierCodeSequence = Sequence([Dataset()])
    ds.ViewCodeSequence = Sequence([view])
    ds.VOILUTSequence = Sequence([Dataset()])
    ds.VOILUTSequence[0].add_new(0x00283002, "SS", [4, -3, 16])
    return ds


@pytest.mark.parametrize("encoding", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
def test_every_encoding_gives_the_same_values(encoding: DataSetEncoding) -> None:
    ds = build_header()
    buffer = io.BytesIO()
    pydicom.dcmwrite(
        buffer,
        ds,
        implicit_vr=encoding.is_implicit,
        little_endian=encoding.is_little_endian,
    )

    parsed = parse(buffer.getvalue(), encoding)

    assert parsed == ds
    assert parsed.VOILUTSequence[0].LUTDescriptor == [4, -3, 16]


@pytest.mark.parametrize("vr", ["--", "ZZ", "\0\0", "  ", "lo"])
def test_an_element_without_a_vr_is_read_with_that_of_the_dictionary(vr: str) -> None:
    parsed = parse(element(0x00080080, vr, b"Hospital") + NAME)

    assert (parsed.InstitutionName, str(parsed.PatientName)) == ("Hospital", "Doe^Jane")


def test_a_long_element_without_a_vr_is_read_with_that_of_the_dictionary() -> None:
    table = struct.pack("<HH2sHI", 0x0028, 0x3006, b"??", 0, 4) + b"\x01\x00\x02\x00"

    assert bytes(parse(table + element(0x00290010, "LO", b"AB")).LUTData) == b"\x01\x00\x02\x00"


def test_an_item_in_implicit_vr_inside_an_explicit_data_set_is_read() -> None:
    inner = implicit(0x00080100, b"R-10242 ") + implicit(0x00080102, b"SRT ")
    view = element(0x00540220, "SQ", delimiter(ITEM, len(inner)) + inner)

    (item,) = parse(view + element(0x00540414, "CS", b"AB")).ViewCodeSequence

    assert (item.CodeValue, item.CodingSchemeDesignator) == ("R-10242", "SRT")


def test_a_sequence_that_became_unknown_on_its_way_is_read() -> None:
    inner = implicit(0x00080100, b"R-10242 ")
    item = delimiter(ITEM, UNDEFINED) + inner + delimiter(ITEM_END)
    unknown = element(0x00540220, "UN", item + delimiter(SEQUENCE_END), UNDEFINED)

    assert parse(unknown + element(0x00540414, "CS", b"AB")).ViewCodeSequence[0].CodeValue


def test_a_private_sequence_of_undefined_length_is_skipped_and_what_follows_is_read() -> None:
    item = delimiter(ITEM, UNDEFINED) + element(0x00091001, "LO", b"AB") + delimiter(ITEM_END)
    private = element(0x00091010, "SQ", item + delimiter(SEQUENCE_END), UNDEFINED)

    parsed = parse(private + NAME)

    assert [int(tag) for tag in parsed.keys()] == [0x00100010]  # noqa: SIM118


@pytest.mark.parametrize(
    "wrong",
    [
        element(0x00280010, "US", b"abc"),
        element(0x00280010, "UL", b"ab"),
        element(0x00280010, "FD", b"abc"),
        element(0x00280010, "IS", b"many"),
        element(0x00280010, "DS", b"1.2.3"),
    ],
)
def test_a_value_that_its_vr_does_not_allow_is_left_out_alone(wrong: bytes) -> None:
    parsed = parse(NAME + wrong)

    assert "Rows" not in parsed
    assert str(parsed.PatientName) == "Doe^Jane"


@pytest.mark.parametrize(
    ("stated", "keyword", "expected"),
    [
        (element(0x00100020, "UI", b"P-7 "), "PatientID", "P-7"),
        (element(0x00080060, "PN", b"MG"), "Modality", "MG"),
        (element(0x00280030, "LO", b"0.1\\0.2 "), "PixelSpacing", [0.1, 0.2]),
        (element(0x00281050, "FD", struct.pack("<d", 0.5)), "WindowCenter", 0.5),
        (element(0x00280010, "UL", struct.pack("<I", 7)), "Rows", 7),
    ],
)
def test_text_of_another_kind_has_the_vr_of_the_dictionary_and_numbers_are_read_as_stated(
    stated: bytes, keyword: str, expected: object
) -> None:
    data_set = parse(stated)
    assert data_set[keyword].value == expected
    if not isinstance(expected, float | int):
        assert dictionary_VR(keyword) == data_set[keyword].VR


@pytest.mark.parametrize(
    "wrong",
    [
        element(0x00100020, "FD", struct.pack("<d", 0.5)),
        element(0x00100020, "OB", b"P-7 "),
        element(0x00100020, "SQ", b""),
        element(0x00081115, "LO", b"no items"),
        element(0x00080005, "SQ", b""),
        element(0x00080005, "SQ", delimiter(ITEM)),
        element(0x00280103, "SQ", delimiter(ITEM)),
        element(0x00080005, "FD", struct.pack("<d", 0.5)),
    ],
)
def test_a_value_of_another_nature_is_left_out_alone(wrong: bytes) -> None:
    data_set = parse(wrong + NAME if wrong[:2] == b"\x08\x00" else NAME + wrong)
    assert list(data_set.keys()) == [0x00100010]
    assert data_set.PatientName == "Doe^Jane"


def test_a_decimal_comma_is_a_point() -> None:
    assert parse(element(0x00181164, "DS", b"0,07\\0.07")).ImagerPixelSpacing == [0.07, 0.07]


@pytest.mark.parametrize(
    ("charset", "encoded"),
    [
        ("ISO_IR 100", b"M\xfcller"),
        ("ISO-IR 100", b"M\xfcller"),
        ("iso ir 192", "M\u00fcller".encode()),
        ("ISO_IR 192", b"M\xfcller"),
        ("", "M\u00fcller".encode()),
        ("SOMETHING", b"M\xfcller"),
        ("ISO_IR 6", b"M\xfcller"),
    ],
)
def test_a_name_is_read_whatever_its_character_set_is_called(charset: str, encoded: bytes) -> None:
    terms = element(0x00080005, "CS", charset.encode().ljust(len(charset) + len(charset) % 2))
    name = element(0x00100010, "PN", encoded.ljust(8))

    assert parse(terms + name).PatientName == "M\u00fcller"


@pytest.mark.parametrize(
    "broken",
    [
        NAME[:-1],
        NAME + b"\x28\x00",
        NAME + element(0x00280010, "US", b"", 2),
        element(0x00540220, "SQ", delimiter(ITEM, 20)),
        element(0x00540220, "SQ", delimiter(ITEM, UNDEFINED)),
        element(0x00540220, "SQ", b"", UNDEFINED),
        element(0x00540220, "SQ", NAME),
        element(0x00540220, "SQ", NAME, UNDEFINED),
        delimiter(ITEM) + NAME,
        element(0x00282000, "OB", b"abcdefgh", UNDEFINED),
        element(0x00080080, "--", b"Hospital")[:-2] + NAME,
    ],
)
def test_what_cannot_be_located_is_refused_and_not_quoted(broken: bytes) -> None:
    with pytest.raises(DataSetError) as caught:
        parse(broken)
    assert "Doe" not in str(caught.value)


@pytest.mark.parametrize(
    ("limits", "content"),
    [
        (ParserLimits(100, 100, 3, 4), ROWS * 4),
        (ParserLimits(15, 100, 9, 4), NAME + element(0x00100020, "LO", b"12345678")),
        (
            ParserLimits(100, 100, 9, 1),
            element(
                0x00540220, "SQ", delimiter(ITEM, 20) + element(0x00540222, "SQ", delimiter(ITEM))
            ),
        ),
    ],
    ids=["elements", "bytes", "depth"],
)
def test_a_data_set_beyond_a_limit_is_refused(limits: ParserLimits, content: bytes) -> None:
    with pytest.raises(DataSetError):
        parse(content, limits=limits)


def test_a_value_beyond_its_limit_is_left_out() -> None:
    parsed = parse(NAME + element(0x00100020, "LO", b"12"), limits=ParserLimits(100, 4, 9, 4))

    assert (parsed.PatientID, "PatientName" in parsed) == ("12", False)
