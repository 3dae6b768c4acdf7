"""Words, tones and times of the pages: pure, and used as template filters.

A tone is a colour with a meaning (``good``, ``info``, ``warn``, ``bad``, ``idle``); it always
comes with words, so that nothing is said by colour alone.
"""

from datetime import datetime
from enum import StrEnum

from pydicom.config import IGNORE
from pydicom.uid import UID

from secondread.reasons import ImageStatus, Outcome
from secondread.send.fetch_queue import FetchKind
from secondread.settings import DestinationMode, Proof
from secondread.track.states import DeliveryState, FetchState, RevisionState, StudyState
from secondread.track.values import Severity

_PAIRS: tuple[tuple[StrEnum, str, str], ...] = (
    (StudyState.ASSEMBLING, "waits for images", "info"),
    (StudyState.AWAITING_PRIORS, "waits for priors", "info"),
    (StudyState.READING, "is being read", "info"),
    (StudyState.REPORTED, "reported", "idle"),
    (StudyState.HELD, "held back", "idle"),
    (StudyState.STUCK, "stuck", "bad"),
    (Outcome.FINDINGS, "findings", "info"),
    (Outcome.NO_FINDINGS, "no findings", "good"),
    (Outcome.PARTIAL, "partial", "warn"),
    (Outcome.FAILED, "failed", "bad"),
    (Outcome.NOT_ELIGIBLE, "not eligible", "idle"),
    (ImageStatus.READ, "read", "good"),
    (ImageStatus.FLAGGED, "read with doubt", "warn"),
    (ImageStatus.REFUSED, "not read", "warn"),
    (ImageStatus.FAILED, "failed", "bad"),
    (RevisionState.STARTED, "under way", "info"),
    (RevisionState.FINISHED, "finished", "good"),
    (RevisionState.GAVE_UP, "gave up", "bad"),
    (DeliveryState.PENDING, "waits", "warn"),
    (DeliveryState.SENDING, "on its way", "info"),
    (DeliveryState.STORED, "stored, proof outstanding", "info"),
    (DeliveryState.DELIVERED, "delivered", "good"),
    (DeliveryState.SHADOW, "shadow: kept, would be sent", "idle"),
    (FetchState.WANTED, "wanted", "info"),
    (FetchState.UNDER_WAY, "being asked", "info"),
    (FetchState.REFUSED, "refused, asked again later", "warn"),
    (FetchState.DONE, "done", "good"),
    (FetchState.UNUSABLE, "came, not usable", "warn"),
    (FetchState.GAVE_UP, "given up", "warn"),
    (FetchKind.QUERY, "query", "idle"),
    (FetchKind.RETRIEVE, "prior", "idle"),
    (Proof.COMMITMENT, "storage commitment", "good"),
    (Proof.QUERY, "found by query", "good"),
    (Proof.STORE_STATUS, "C-STORE status only", "idle"),
    (DestinationMode.LIVE, "live", "good"),
    (DestinationMode.SHADOW, "shadow", "idle"),
    (DestinationMode.PAUSED, "paused", "warn"),
    (Severity.WARNING, "warning", "warn"),
    (Severity.CRITICAL, "critical", "bad"),
)
# By type too: members of two enumerations with equal values are equal, and hash alike.
_WORDS = {(type(value), value): (words, tone) for value, words, tone in _PAIRS}


def word(value: StrEnum) -> str:
    """Return what a person calls a state, an outcome or a mode."""
    return _WORDS[type(value), value][0]


def tone(value: StrEnum) -> str:
    """Return its tone."""
    return _WORDS[type(value), value][1]


def when(at: datetime | None) -> str:
    """Return an instant to the second, in UTC.

    >>> from datetime import UTC
    >>> when(datetime(2026, 3, 1, 9, 5, 7, tzinfo=UTC))
    '2026-03-01 09:05:07'
    """
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def span(seconds: float) -> str:
    """Return a length of time in its two largest units.

    >>> [span(s) for s in (0.4, 59, 61, 3600, 90061)]
    ['0 s', '59 s', '1 min 1 s', '1 h', '1 d 1 h']
    """
    whole = round(max(seconds, 0.0))
    for unit, length, smaller, part in (
        ("d", 86400, "h", 3600),
        ("h", 3600, "min", 60),
        ("min", 60, "s", 1),
    ):
        if whole >= length:
            rest = whole % length // part
            return f"{whole // length} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def size(number: int) -> str:
    """Return bytes in a unit that suits.

    >>> [size(n) for n in (999, 25_400, 2_500_000, 3_200_000_000)]
    ['999 B', '25.4 kB', '2.5 MB', '3.2 GB']
    """
    for unit, length in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= length:
            return f"{number / length:.1f} {unit}"
    return f"{number} B"


def clipped(uid: str, head: int = 6, tail: int = 12) -> str:
    """Return a UID with its middle left out.

    >>> clipped("1.2.826.0.1.3680043.8.498.12345678901234567890")
    '1.2.82…901234567890'
    """
    return uid if len(uid) <= head + tail + 1 else f"{uid[:head]}…{uid[-tail:]}"


def spoken(name: str) -> str:
    """Return a coded name as words.

    >>> spoken("fine_linear_branching")
    'fine linear branching'
    """
    return name.replace("_", " ").replace("-", " ")


def uid_name(uid: str) -> str:
    """Return the name of a registered UID, or the UID where it has none.

    >>> uid_name("1.2.840.10008.5.1.4.1.1.1.2"), uid_name("<b>")
    ('Digital Mammography X-Ray Image Storage - For Presentation', '<b>')
    """
    return UID(uid, validation_mode=IGNORE).name
