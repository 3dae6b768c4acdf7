"""Birth dates as sites really write them: whole, in part, as an age, or as a constant."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum, auto

_FIRST_BIRTH_YEAR = 1905
"""Earlier birth dates are an anonymiser's, as 19000101 is."""
_YOUNGEST_YEARS = 10
"""Nobody younger has mammograms: such a birth date is the study's, or another constant."""
_TOP_CODED_AGE = 89
"""From here on anonymisers write one age for all (45 CFR 164.514(b)(2)(i)(C))."""


@dataclass(frozen=True, slots=True)
class BirthRange:
    """The days on which a person may have been born; one day where the header has a whole date."""

    earliest: date
    latest: date
    is_stated: bool = True
    """Whether a birth date states it; otherwise it follows from the age at the study."""


class BirthMatch(Enum):
    """Whether two people may have been born on one day."""

    YES = auto()
    """Stated on both sides, and the same as far as both know."""
    UNKNOWN = auto()
    NO = auto()


def compare_births(a: BirthRange | None, b: BirthRange | None) -> BirthMatch:
    """Return whether what is known of two birth dates agrees, or contradicts."""
    if a is None or b is None:
        return BirthMatch.UNKNOWN
    if a.latest < b.earliest or b.latest < a.earliest:
        return BirthMatch.NO
    return BirthMatch.YES if a.is_stated and b.is_stated else BirthMatch.UNKNOWN


_YEAR_FIRST = re.compile(r"(\d{4})(?:([.\-/ ]?)(\d{2})(?:\2(\d{2}))?)?(?!\d\D|\d$)")
_YEAR_LAST = re.compile(r"(\d{1,2})([.\-/ ]?)(\d{1,2})\2(\d{4})$")


def parse_birth_date(text: str, study_date: date | None = None) -> BirthRange | None:
    """Return the days that a birth date means; None where it means nothing.

    Dots and dashes, days or months that are left out or zero, and the year at the end are
    understood. What lies too far back, or too near to the study, is no birth date of hers.

    >>> parse_birth_date("1950.03.01").earliest
    datetime.date(1950, 3, 1)
    >>> parse_birth_date("1950").latest
    datetime.date(1950, 12, 31)
    >>> parse_birth_date("00000000") is None
    True
    """
    text = text.strip()
    born = None
    if found := _YEAR_FIRST.match(text):
        born = _make_range(found[1], found[3] or "", found[4] or "")
    if born is None and (found := _YEAR_LAST.match(text)):
        born = _read_year_last(found[1], found[2], found[3], found[4])
    if (
        born is None
        or study_date is None
        or born.earliest.year <= study_date.year - _YOUNGEST_YEARS
    ):
        return born
    return None


def _read_year_last(first: str, separator: str, second: str, year: str) -> BirthRange | None:
    if separator == "." or int(first) > 12:
        return _make_range(year, second, first)
    if int(second) > 12:
        return _make_range(year, first, second)
    # It is not known whether the day or the month comes first.
    return _make_range(year, "", "")


def _make_range(year: str, month: str, day: str) -> BirthRange | None:
    number = int(year)
    if not _FIRST_BIRTH_YEAR <= number <= date.max.year - 1:
        return None
    first, last = (int(month), int(month)) if month.strip("0") else (1, 12)
    try:
        if month.strip("0") and day.strip("0"):
            whole = date(number, first, int(day))
            return BirthRange(whole, whole)
        after = date(number + last // 12, last % 12 + 1, 1)
        return BirthRange(date(number, first, 1), after - timedelta(days=1))
    except ValueError:
        return None


def count_back(age: str, study_date: date) -> BirthRange | None:
    """Return when somebody of an age was born, a year wider on both sides: ages are rounded."""
    found = re.fullmatch(r"0*(\d{1,3})Y?", age.strip().upper())
    years = int(found[1]) if found else 0
    if not _YOUNGEST_YEARS <= years < _TOP_CODED_AGE:
        return None
    earliest, latest = study_date.year - years - 2, study_date.year - years + 1
    return BirthRange(date(earliest, 1, 1), date(latest, 12, 31), is_stated=False)
