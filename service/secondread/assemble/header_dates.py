"""Days and instants of a header (PS3.5 6.2: DA, TM, DT), and what is none."""

import re
from datetime import UTC, date, datetime, timedelta, timezone

from pydicom.dataset import Dataset

from secondread.assemble import header_attributes
from secondread.assemble.header_values import read_text

_FIRST_YEAR, _LAST_YEAR = 1900, 2099
"""Before are no radiographs of breasts, and what lies beyond stands for "unknown" (9999)."""
_DAY = re.compile(r"(\d{4})([-./]?)(\d\d)\2(\d\d)", re.ASCII)
"""With a separator as ACR-NEMA wrote it (a dot), or as ISO 8601 and databases do."""
_TIME = re.compile(r"(\d\d):?(\d\d)?:?(\d\d)?(?:[.,]\d*)?", re.ASCII)
_ZONE = re.compile(r"([+-])(\d\d)(\d\d)", re.ASCII)
_TIMES = {
    "AcquisitionDate": "AcquisitionTime",
    "ContentDate": "ContentTime",
    "StudyDate": "StudyTime",
}


def read_study_day(ds: Dataset) -> date | None:
    """Return the day of the exam."""
    return header_attributes.STUDY_DAY.find(ds, _read_day)


def read_study_instant(ds: Dataset) -> datetime | None:
    """Return Study Date and Time, UTC; midnight where the time is unknown."""
    day = _read_day(ds, "StudyDate")
    time = parse_time(read_text(ds, "StudyTime")) or timedelta()
    return None if day is None else _combine(ds, day, time)


def read_acquisition_instant(ds: Dataset) -> datetime | None:
    """Return when the image was taken, UTC; None where day or time are unknown."""
    return header_attributes.ACQUISITION.find(ds, _read_instant)


def read_zone(ds: Dataset) -> timezone | None:
    """Return the time zone of a header's times; None where it names none."""
    return header_attributes.TIME_ZONE.find(ds, _read_offset)


def parse_day(text: str) -> date | None:
    """Return the day that a text begins with; None where it is none.

    Days that stand for "unknown" are none either: zeros, year 1, year 9999.
    """
    match = _DAY.match(text)
    if match is None or not _FIRST_YEAR <= int(match[1]) <= _LAST_YEAR:
        return None
    try:
        return date(int(match[1]), int(match[3]), int(match[4]))
    except ValueError:
        return None


def parse_time(text: str) -> timedelta | None:
    """Return the time of day that a text is, as the time since midnight; None where it is none."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    if hours > 23 or minutes > 59 or seconds > 60:  # 60 is a leap second
        return None
    return timedelta(hours=hours, minutes=minutes, seconds=min(seconds, 59))


def _read_day(ds: Dataset, keyword: str) -> date | None:
    return parse_day(read_text(ds, keyword))


def _read_instant(ds: Dataset, keyword: str) -> datetime | None:
    day = _read_day(ds, keyword)
    text = read_text(ds, _TIMES.get(keyword, keyword))
    zone = None
    if keyword not in _TIMES:  # a DT has its time behind its day, and may have a zone of its own
        zone = _parse_offset(text[-5:])
        text = text[8:] if zone is None else text[8:-5]
    time = parse_time(text)
    # Midnight to the second is what removed times look like, not when images are taken.
    return _combine(ds, day, time, zone) if day and time else None


def _combine(ds: Dataset, day: date, time: timedelta, zone: timezone | None = None) -> datetime:
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone or read_zone(ds) or UTC)
    return (midnight + time).astimezone(UTC)


def _read_offset(ds: Dataset, keyword: str) -> timezone | None:
    return _parse_offset(read_text(ds, keyword))


def _parse_offset(text: str) -> timezone | None:
    match = _ZONE.fullmatch(text)
    if match is None:
        return None
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    if offset >= timedelta(hours=24):
        return None
    return timezone(-offset if match[1] == "-" else offset)
