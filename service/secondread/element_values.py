"""Values of elements, decoded at once and by what they plainly are; pydicom converts them.

pydicom decodes a value when it is first used, and may then raise anything. Here a value that its VR
does not allow is left out, alone, and what writers confuse is settled first:

- Text whose VR is that of another text is read as the dictionary's. What is neither text, number
  nor items where the dictionary has these is left out.
- Text that its declared character set cannot hold is taken as UTF-8 or Latin-1 instead.
- A decimal comma is a point.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from pydicom.charset import default_encoding, python_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.valuerep import CUSTOMIZABLE_CHARSET_VR

_SPECIFIC_CHARACTER_SET: Final = BaseTag(0x00080005)
_PIXEL_REPRESENTATION: Final = BaseTag(0x00280103)
_TEXT_VRS: Final = frozenset(str(vr) for vr in CUSTOMIZABLE_CHARSET_VR)
_STRING_VRS: Final = _TEXT_VRS | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
_NUMBER_VRS: Final = frozenset({"FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})
_ASCII: Final = "ascii"
_LATIN_1: Final = "latin_1"


class TextElement(DataElement):
    """An element of text, with the bytes that it was decoded from.

    Where bytes and character set disagree, the text is a guess, and the bytes are what it said.
    """

    def __init__(self, decoded: DataElement, stored: bytes) -> None:
        super().__init__(decoded.tag, decoded.VR, decoded.value, already_converted=True)
        self._stored = stored
        self._decoded = decoded.value

    @property
    def stored(self) -> bytes | None:
        """The bytes; None where another value was given to the element since."""
        return self._stored if self.value is self._decoded else None


def decode_values(data_set: Dataset) -> None:
    """Convert every value of a data set in place, and drop those that their VR does not allow.

    Parameters
    ----------
    data_set
        With raw elements, and sequences whose items have such too.
    """
    _decode_values(data_set, (_ASCII,), is_signed=False)


def find_vr(tag: int) -> str:
    """Return the VR of the dictionary (PS3.6), as ``US or SS`` where that is open; else ``UN``."""
    try:
        return str(dictionary_VR(tag))
    except KeyError:
        return "UN"


def resolve_vr(vr: str, *, is_signed: bool) -> str:
    """Return one VR for those that the dictionary leaves open."""
    if vr == "US or SS":
        return "SS" if is_signed else "US"
    return "OW" if " or " in vr else vr


def _decode_values(data_set: Dataset, encodings: Sequence[str], *, is_signed: bool) -> None:
    encodings = _read_encodings(data_set) or tuple(encodings)
    if _PIXEL_REPRESENTATION in data_set:
        is_signed = b"\x01" in _get_bytes(data_set, _PIXEL_REPRESENTATION)
    data_set.set_original_encoding(None, None, _name_for_pydicom(encodings))
    for element in list(_list_elements(data_set)):
        vr = _settle_vr(element.tag, element.VR or "UN")
        if vr is None:
            del data_set[element.tag]
            continue
        if isinstance(element, DataElement):
            # Decoded already: items, and what a reader gives for an element without a value.
            for item in element.value if element.VR == "SQ" else ():
                _decode_values(item, encodings, is_signed=is_signed)
            continue
        try:
            settled = element._replace(VR=vr)
            data_set[element.tag] = _decode_element(settled, encodings, data_set, is_signed)
        except Exception:  # noqa: BLE001  (pydicom raises anything over a value that is not allowed)
            del data_set[element.tag]


def _settle_vr(tag: BaseTag, stated: str) -> str | None:
    """Return the VR by which a value is decoded, None where it is left out.

    Text of one kind is text of the dictionary's: who states the wrong one has written the same
    bytes. Numbers are read as they are stated. Text, numbers and items have nothing in common.
    """
    usual = find_vr(tag)
    if "UN" in {stated, usual} or stated == usual:
        return stated
    if "SQ" in {stated, usual}:
        return None
    if usual in _STRING_VRS:
        if stated in _STRING_VRS:
            return usual
        return stated if usual in {"DS", "IS"} and stated in _NUMBER_VRS else None
    return stated


def _list_elements(data_set: Dataset) -> Iterator[DataElement | RawDataElement]:
    for tag in data_set.keys():  # noqa: SIM118  (iterating the data set itself converts values)
        yield data_set.get_item(tag)


def _read_encodings(data_set: Dataset) -> tuple[str, ...]:
    """Return Python's names of Specific Character Set (0008,0005); empty where there is none."""
    if _SPECIFIC_CHARACTER_SET not in data_set:
        return ()
    terms = _get_bytes(data_set, _SPECIFIC_CHARACTER_SET).decode("latin-1").split("\\")
    names = (_ENCODINGS.get(_normalize_term(term)) for term in terms)
    return tuple(name for name in names if name) or (_LATIN_1,)


def _get_bytes(data_set: Dataset, tag: BaseTag) -> bytes:
    """Return a value that is not decoded yet; no bytes where items are in its place."""
    value: object = data_set.get_item(tag).value
    return value if isinstance(value, bytes) else b""


def _normalize_term(term: str) -> str:
    """Return a defined term of PS3.3 C.12.1.1.2 without the marks that writers confuse in it."""
    return re.sub(r"[-_ \0]+", " ", term).strip().upper()


_ENCODINGS: Final = {
    **{_normalize_term(term): name for term, name in python_encoding.items()},
    **dict.fromkeys(("", "ISO IR 6", "ISO 2022 IR 6"), _ASCII),
}
"""Python's names of encodings. pydicom takes the default repertoire for Latin-1, as which every
text can be decoded, and UTF-8 that was not declared is then never found out."""


def _decode_element(
    raw: RawDataElement, encodings: Sequence[str], data_set: Dataset, is_signed: bool
) -> DataElement:
    raw = raw._replace(VR=resolve_vr(raw.VR or "UN", is_signed=is_signed))
    if raw.VR in _TEXT_VRS and raw.value:
        encodings = _choose_encodings(raw.value, encodings)
    if raw.VR == "DS" and raw.value:
        # Units set up in a language with decimal commas write them here too.
        raw = raw._replace(value=raw.value.replace(b",", b"."))
    element = convert_raw_data_element(raw, encoding=list(encodings), ds=data_set)
    if element.VR == "PN":
        str(element.value)  # pydicom decodes names when they are used
    if raw.VR in _TEXT_VRS:
        return TextElement(element, raw.value or b"")
    if element.VR in {"IS", "DS"} and not _is_numeric(element.value):
        raise ValueError("a word in the place of a number")
    return element


def _is_numeric(value: object) -> bool:
    """Whether pydicom could convert a number, or all of several; an absent one counts too."""
    if isinstance(value, MultiValue):
        return all(_is_numeric(number) for number in value)
    return value in {None, ""} or not isinstance(value, str)


def _choose_encodings(value: bytes, encodings: Sequence[str]) -> Sequence[str]:
    """Return the declared encodings, or others that can decode the value."""
    if b"\x1b" in value:
        # Of several character sets (ISO 2022): pydicom takes them apart.
        return _name_for_pydicom(encodings)
    for name in (encodings[0], "utf_8"):
        try:
            value.decode(name)
        except (LookupError, UnicodeError):
            continue
        return (name,)
    return (_LATIN_1,)


def _name_for_pydicom(encodings: Sequence[str]) -> list[str]:
    return [default_encoding if name == _ASCII else name for name in encodings]
