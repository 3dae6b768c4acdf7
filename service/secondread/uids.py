"""What counts as a UID: as other systems write them, and as PS3.5 9.1 wants our own."""

import re
from typing import Final

MOST_UID_CHARACTERS: Final = 64

_COMPONENTS = re.compile(r"[0-9]+(\.[0-9]+)*")
_COMPONENTS_WITHOUT_LEADING_ZEROS = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")


def is_uid(text: str) -> bool:
    """Whether a text can be used as a UID: components of digits, 64 characters at most.

    Devices begin components with 0, against PS3.5 9.1. Such a UID names its instance as well as
    any other, and is passed on as it came. An empty component names nothing.

    >>> is_uid("1.2.003.4"), is_uid("1..2"), is_uid("1.2.")
    (True, False, False)
    """
    return len(text) <= MOST_UID_CHARACTERS and _COMPONENTS.fullmatch(text) is not None


def quote_uid(text: str) -> str:
    """Return what may be written of what a peer calls a UID: the UID, or that it is none.

    What a broken or hostile peer puts in the place of a UID may be a patient's name.

    >>> quote_uid("1.2.3"), quote_uid("DOE^JANE"), quote_uid("")
    ('1.2.3', '(no UID)', '')
    """
    return text if is_uid(text) or not text else "(no UID)"


def is_standard_uid(text: str) -> bool:
    """Whether a text is a UID as PS3.5 9.1 has it: what this node writes of its own.

    >>> is_standard_uid("1.2.3.4"), is_standard_uid("1.2.003.4")
    (True, False)
    """
    return is_uid(text) and _COMPONENTS_WITHOUT_LEADING_ZEROS.fullmatch(text) is not None
