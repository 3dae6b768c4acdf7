"""Words, tones, times and advice of the pages: pure, most of it used as template filters.

A tone is a colour with a meaning (``good``, ``info``, ``warn``, ``bad``, ``idle``); it always
comes with words, so that nothing is shown by colour alone.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum

from pydantic import TypeAdapter, ValidationError

from secondread.accept.dispositions import Disposition
from secondread.accept.ledger import Refusal
from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.send.fetch_queue import FetchKind
from secondread.send.outbox import describe_status
from secondread.settings import AeTitle, DestinationMode, Proof, Settings
from secondread.track.states import Cause, DeliveryState, FetchState, RevisionState, StudyState
from secondread.track.summaries import StudySummary
from secondread.track.values import Severity

_PAIRS: tuple[tuple[StrEnum, str, str], ...] = (
    (StudyState.WITHOUT_IMAGES, "no images to read", "idle"),
    (StudyState.ASSEMBLING, "to be read", "info"),
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
    (Disposition.NOT_ANALYSED, "not analysed, removed in time", "idle"),
    (Disposition.OTHER_CAD_SR, "CAD report of another maker", "idle"),
    (Disposition.REJECTION_NOTE, "rejection note", "idle"),
    (DeliveryState.PENDING, "waits", "warn"),
    (DeliveryState.SENDING, "on its way", "info"),
    (DeliveryState.STORED, "stored, proof outstanding", "info"),
    (DeliveryState.DELIVERED, "delivered", "good"),
    (DeliveryState.DUPLICATE, "duplicate, unproven", "warn"),
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


DONE: Mapping[str, str] = {
    "read-again": "The study is due for a new reading.",
    "resent": "The results are on their way again.",
    "resent-in-part": "The results are on their way again, but for those that are being sent or "
    "asked for at this moment.",
    "live": "Results are sent from now on; what was read in shadow stays here.",
    "shadow": "Results are made and kept here; nothing new is sent.",
    "paused": "Results wait until the destination is live again.",
    "dismissed": "Dismissed; who did so and why is kept.",
    "treatment-added": "The treatment is written down; recent exams that it concerns are read "
    "again.",
    "treatment-known": "This treatment was known already.",
    "treatment-ended": "The last day is written down; recent exams that it concerns are read "
    "again.",
    "treatment-removed": "The treatment is struck out; recent exams that it concerned are read "
    "again.",
    "judged": "The verdict is written down.",
    "assessed": "The assessment is written down.",
    "confirmed": "All names and birth dates known so far are this patient's; recent exams that it "
    "concerns are read again.",
    "merged": "The two IDs are one patient from now on.",
}
"""What was done, by the word that stands in the address of the page that says so."""


def get_word(value: StrEnum) -> str:
    """Return what a person calls a state, an outcome or a mode."""
    return _WORDS[type(value), value][0]


def get_tone(value: StrEnum) -> str:
    """Return its tone."""
    return _WORDS[type(value), value][1]


_WHY_AGAIN: Mapping[Cause, str] = {
    Cause.LATE_INSTANCE: "an image came",
    Cause.CORRECTED_INSTANCE: "an image was corrected",
    Cause.REJECTION: "an image was withdrawn",
    Cause.LATE_PRIOR: "a prior came",
    Cause.PRIOR_CHANGED: "a prior was changed",
    Cause.TREATMENT_CHANGED: "a treatment was changed",
    Cause.REQUESTED: "a person asked",
}


def describe_wait(study: StudySummary, now: datetime) -> str:
    """Return what a study waits for, in words that are true of it.

    One that has come and is not due waits for further images; one that is to be read again, for
    whatever cause, says so; one that is due waits for a worker.
    """
    if study.state is not StudyState.ASSEMBLING:
        return get_word(study.state)
    is_due = study.due_at is not None and study.due_at <= now
    why = _WHY_AGAIN.get(study.next_cause) if study.next_cause is not None else None
    if why is not None:
        return f"to be read again: {why}" if study.revision else f"to be read: {why}"
    return "waits for a worker" if is_due else "waits for images"


def format_instant(at: datetime | None) -> str:
    """Return an instant to the second, in UTC.

    >>> from datetime import UTC
    >>> format_instant(datetime(2026, 3, 1, 9, 5, 7, tzinfo=UTC))
    '2026-03-01 09:05:07'
    """
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def format_duration(seconds: float) -> str:
    """Return a length of time in its two largest units.

    >>> [format_duration(s) for s in (0.4, 59, 61, 3600, 90061)]
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


def format_bytes(number: int) -> str:
    """Return bytes in a unit that suits.

    >>> [format_bytes(n) for n in (999, 25_400, 2_500_000, 3_200_000_000)]
    ['999 B', '25.4 kB', '2.5 MB', '3.2 GB']
    """
    for unit, length in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= length:
            return f"{number / length:.1f} {unit}"
    return f"{number} B"


def shorten_uid(uid: str, head: int = 6, tail: int = 12) -> str:
    """Return a UID with its middle left out.

    >>> shorten_uid("1.2.826.0.1.3680043.8.498.12345678901234567890")
    '1.2.82…901234567890'
    """
    return uid if len(uid) <= head + tail + 1 else f"{uid[:head]}…{uid[-tail:]}"


def spell_out(name: str) -> str:
    """Return a coded name as words.

    >>> spell_out("fine_linear_branching")
    'fine linear branching'
    """
    return name.replace("_", " ").replace("-", " ")


def name_uid(uid: str) -> str:
    """Return the name of a registered UID, or the UID where it has none.

    >>> name_uid("1.2.840.10008.5.1.4.1.1.1.2"), name_uid("<b>")
    ('Digital Mammography X-Ray Image Storage - For Presentation', '<b>')
    """
    # Loaded where a UID is named: a command that asks the tracker would wait for it.
    from pydicom.config import IGNORE
    from pydicom.uid import UID

    return UID(uid, validation_mode=IGNORE).name


def describe_birth(born: str) -> str:
    """Return a recorded birth date, or the days between which it must be.

    >>> describe_birth("1960-01-01/1960-01-01"), describe_birth("~1959-03-02/1960-03-01")
    ('born 1960-01-01', 'born 1959-03-02 to 1960-03-01, by age')
    """
    first, _, last = born.removeprefix("~").partition("/")
    span = first if first == last else f"{first} to {last}"
    return f"born {span}" + (", by age" if born.startswith("~") else "")


FILTERS: Mapping[str, Callable[..., str]] = {
    "word": get_word,
    "tone": get_tone,
    "wait": describe_wait,
    "instant": format_instant,
    "duration": format_duration,
    "size": format_bytes,
    "birth_date": describe_birth,
    "short_uid": shorten_uid,
    "plain_words": spell_out,
    "uid_name": name_uid,
    "status_words": describe_status,
}
"""By the names that the templates use."""

_AE_TITLE: TypeAdapter[str] = TypeAdapter(AeTitle)


def propose_settings(refusal: Refusal, settings: Settings) -> str | None:
    """Return TOML for the settings file that lets the refused caller in.

    None where no setting would, or where what the caller gave is not a valid AE title.
    """
    title = refusal.calling_ae_title
    if not _is_ae_title(title):
        return None
    if refusal.reason is Reason.CALLING_AE_UNKNOWN:
        lines = ["[[peers]]", f"ae_title = {_quote(title)}"]
        if refusal.address:
            lines.append(f"addresses = [{_quote(refusal.address)}]")
        return "\n".join(lines)
    peer = settings.find_peer(title)
    if refusal.reason is Reason.ADDRESS_UNEXPECTED and peer is not None and refusal.address:
        addresses = [*peer.addresses, refusal.address]
        listed = ", ".join(_quote(address) for address in addresses)
        return f"# under [[peers]] with ae_title = {_quote(title)}\naddresses = [{listed}]"
    return None


def find_advice(refusal: Refusal, settings: Settings) -> str | None:
    """Return what a person can do about a refusal; None where nothing is to be done."""
    own = settings.node.ae_title
    return {
        Reason.CALLED_AE_UNKNOWN: f"Let the peer call this node {own}.",
        Reason.TRANSFER_SYNTAX_REFUSED: "Let the peer also offer Explicit VR Little Endian.",
        Reason.SOP_CLASS_REFUSED: "Let the peer's routing rule send mammography only.",
        Reason.TOO_MANY_ASSOCIATIONS: "Raise receive.maximum_associations, maximum_per_peer or "
        "maximum_per_address, or let the peer use fewer at a time.",
        Reason.REQUEST_INVALID: "Find out what calls from there: it speaks no DICOM, or TLS.",
        Reason.TLS_FAILED: "The receiver's log says what to change: look for tls_handshake_failed.",
        Reason.STORAGE_FULL: "Make room on the archive's disk; the peer keeps its copy meanwhile.",
    }.get(refusal.reason)


def _is_ae_title(text: str) -> bool:
    try:
        _AE_TITLE.validate_python(text)
    except ValidationError:
        return False
    return True


def _quote(text: str) -> str:
    # A JSON string of printable ASCII is a TOML basic string.
    return json.dumps(text)
