"""What a request asks for, checked: nothing from a query string reaches the tracker as it came."""

import re
from enum import StrEnum
from typing import TypeVar

from starlette.exceptions import HTTPException

UID = re.compile(r"(?=.{1,64}\Z)[0-9]+(\.[0-9]+)*")
"""A DICOM UID as it may stand in a URL (PS3.5 9.1)."""

_MOST_PAGES = 100_000

EnumT = TypeVar("EnumT", bound=StrEnum)


def parse_filter(kind: type[EnumT], text: str | None) -> EnumT | None:
    """Return the member of that value; None where none is asked for.

    Raises
    ------
    HTTPException
        400: there is no such member.
    """
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        raise HTTPException(400, "There is no such filter.") from None


def parse_page_number(text: str | None) -> int:
    """Return the number of a page, from 1.

    Raises
    ------
    HTTPException
        400: it is no number, or out of bounds.
    """
    if not text:
        return 1
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= _MOST_PAGES):
        raise HTTPException(400, "There is no such page.")
    return int(text[:9])
