"""Who a header says that its image is of, as a `Person`; hostile values never raise."""

from collections.abc import Iterator
from datetime import date

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.valuerep import PersonName

from secondread.assemble.birth_date import count_back, parse_birth_date
from secondread.assemble.header_attributes import BIRTH_DATE, PERSON_NAME
from secondread.assemble.person import Person
from secondread.assemble.person_name import names_somebody

_LONGEST_NAME, _LONGEST_NAMES = 256, 600


def read_person(ds: Dataset, study_date: date | None) -> Person:
    """Return what a header says of the patient as a person; never raises.

    Parameters
    ----------
    ds
        A header.
    study_date
        Its study date, from which an age (0010,1010) is counted.
    """
    birth_date, age = BIRTH_DATE.sources
    born = parse_birth_date(_read_text(ds, birth_date), study_date)
    if born is None and study_date is not None:
        born = count_back(_read_text(ds, age), study_date)
    keywords = PERSON_NAME.sources
    names = dict.fromkeys(name for keyword in keywords for name in _read_names(ds, keyword))
    return Person("\n".join(names)[:_LONGEST_NAMES], born)


def decode_name(name: PersonName) -> str:
    """Return a name as text, by its bytes where they contradict its character set.

    Text that is UTF-8 by chance is rare; text that is said to be ISO 8859-1 and is not, common.
    """
    data: bytes | None = name.original_string
    if data and not data.isascii() and b"\x1b" not in data:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            pass
    return str(name)


def _read_text(ds: Dataset, keyword: str) -> str:
    # Hostile values make conversions raise; a person is then not known.
    try:
        value = ds.get(keyword, None)
        if isinstance(value, MultiValue):
            value = value[0] if value else None
        return "" if value is None else str(value)
    except Exception:  # noqa: BLE001  (any value that its VR does not allow)
        return ""


def _read_names(ds: Dataset, keyword: str) -> Iterator[str]:
    """Yield the names of an attribute that name somebody."""
    try:
        value = ds.get(keyword, None)
        values = value if isinstance(value, MultiValue) else [value]
        names = [
            decode_name(value) if isinstance(value, PersonName) else str(value or "")
            for value in values
        ]
    except Exception:  # noqa: BLE001  (any value that its VR does not allow)
        return
    for name in names:
        cleaned = " ".join(name.replace("\0", "").split())[:_LONGEST_NAME]
        if names_somebody(cleaned):
            yield cleaned
