"""What results repeat of an image's header, byte for byte.

Names come in every character set, and often in another one than their header declares. Whoever
files a result beside its images compares the bytes, so they leave as they came, with the Specific
Character Set that they came with; what this node writes itself is ASCII, which every one of them
holds.
"""

from collections.abc import Iterable
from copy import deepcopy

from pydicom.charset import convert_encodings
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.valuerep import PersonName

from secondread.element_values import TextElement

_SAMPLE = "Calcifications: 7 (rev 1)\\~"


class _StoredName(PersonName):
    """A name that is written as the bytes that it was read from."""

    def encode(self, encodings: Iterable[str] | None = None) -> bytes:
        """Return the bytes, whatever the encodings."""
        return self.original_string or b""


def copy_as_it_came(element: DataElement) -> DataElement:
    """Return a copy of an element that is written with the bytes that it was read from.

    Of one that did not come from a file, it is a copy and no more.
    """
    if element.VR == "SQ":
        return DataElement(element.tag, "SQ", Sequence(map(_copy_item, element.value)))
    stored = element.stored if isinstance(element, TextElement) else None
    if stored is None:
        return deepcopy(element)
    if element.VR == "PN":
        # Several names are one run of bytes as well.
        name = _StoredName(str(element.value))
        name.original_string = stored
        return DataElement(element.tag, "PN", name, already_converted=True)
    return DataElement(element.tag, element.VR, stored, already_converted=True)


def _copy_item(item: Dataset) -> Dataset:
    copied = Dataset()
    for element in item:
        copied[element.tag] = copy_as_it_came(element)
    drop_character_set_without_ascii(copied)
    return copied


def drop_character_set_without_ascii(ds: Dataset) -> None:
    """Remove a Specific Character Set in which what this node writes would not be ASCII.

    None of the standard's is such a one, but pydicom takes the name of any encoding of Python.
    """
    terms = ds.get("SpecificCharacterSet", None) or ""
    try:
        # Names that nobody knows are the default repertoire to pydicom.
        encodings = convert_encodings([terms] if isinstance(terms, str) else list(terms))
        holds_ascii = all(
            _SAMPLE.encode(name, "replace") == _SAMPLE.encode("ascii") for name in encodings
        )
    except (LookupError, UnicodeError):
        holds_ascii = False
    if not holds_ascii:
        del ds.SpecificCharacterSet
