"""C-FIND as SCU for the mammography studies that an archive lists (PS3.4 C, Study Root).

Archives cut long answers, and most say nothing about it. So each day is asked for by itself, and in
halves of its time as long as an answer is long: what the whole had left out, the parts have.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

from pydicom.dataset import Dataset

from secondread.assemble.patient_key import PatientKey
from secondread.send.association import Call, open_association
from secondread.send.call_error import CallError
from secondread.send.find import FIND_CONTEXT, collect_matches, make_identifier
from secondread.send.outbox import AnswerKind, Callee, Cancelled
from secondread.uids import is_uid

_MOST_STUDIES = 10_000
"""More matches than this for one day are no answer to the question."""

_LONG_ANSWER = 50
"""From so many matches on, an answer may have been cut: no archive is known to cut shorter ones."""

_SHORTEST_SPAN_MINUTES = 15
_MINUTES_A_DAY = 24 * 60

_MOST_SERIES = 100
_MOST_ASKED_FOR_SERIES = 100
"""Studies whose modality is asked for one by one, where the list does not name it."""

_ANSWER_TIMEOUTS = 10
"""How long one answer may take altogether, as a multiple of the archive's timeout."""

_MAMMOGRAPHY = "MG"


@dataclass(frozen=True, slots=True)
class ListedStudy:
    """A study that an archive lists."""

    study_uid: str
    study_date: date
    study_time: time | None
    patient: PatientKey | None
    """Whose it is, where that was asked for and answered; never written down."""


@dataclass(slots=True)
class StudyList:
    """The mammography studies of some days, as an archive lists them; each is in it once."""

    studies: dict[str, ListedStudy] = field(default_factory=dict)
    """By Study Instance UID."""
    unclear: dict[str, ListedStudy] = field(default_factory=dict)
    """Those whose modalities the archive does not name."""
    unreadable: int = 0
    """Matches without a valid Study Instance UID."""

    def add(self, study: ListedStudy, modalities: Collection[str]) -> None:
        """Add a match; what is known not to be mammography is left out."""
        if _MAMMOGRAPHY in modalities:
            self.studies[study.study_uid] = study
            self.unclear.pop(study.study_uid, None)
        elif not modalities and study.study_uid not in self.studies:
            self.unclear[study.study_uid] = study


def list_mammography(
    callee: Callee,
    calling_ae_title: str,
    days: Sequence[date],
    cancelled: Cancelled,
    *,
    with_patients: bool = False,
) -> StudyList:
    """Ask an archive for its mammography studies of some days.

    Parameters
    ----------
    callee, calling_ae_title
        Who is asked, and by whom.
    days
        Study Dates.
    cancelled
        Asked between two questions, and while the archive is waited for.
    with_patients
        Whether it is asked for Patient IDs as well.

    Raises
    ------
    CallError
        The archive was not reached, or did not answer as it should; or the call was cancelled.
    """
    found = StudyList()
    with open_association(callee, calling_ae_title, [FIND_CONTEXT], cancelled=cancelled) as call:
        asking = _Asking(call, _ANSWER_TIMEOUTS * callee.timeout_seconds, found, with_patients)
        for day in days:
            asking.ask_for_span(day, 0, _MINUTES_A_DAY)
    return found


def choose_mammography(
    callee: Callee, calling_ae_title: str, studies: Iterable[str], cancelled: Cancelled
) -> frozenset[str]:
    """Return which of some studies have a series of mammograms; a hundred are asked about at most.

    Raises
    ------
    CallError
        As `list_mammography`.
    """
    seconds = _ANSWER_TIMEOUTS * callee.timeout_seconds
    chosen: set[str] = set()
    with open_association(callee, calling_ae_title, [FIND_CONTEXT], cancelled=cancelled) as call:
        for uid in sorted(studies)[:_MOST_ASKED_FOR_SERIES]:
            identifier = make_identifier("SERIES", StudyInstanceUID=uid, Modality="")
            identifier.SeriesInstanceUID = ""
            series = collect_matches(call, identifier, _MOST_SERIES, seconds)
            if any(_get_text(match, "Modality") == _MAMMOGRAPHY for match in series):
                chosen.add(uid)
    return frozenset(chosen)


@dataclass(frozen=True, slots=True)
class _Asking:
    """The questions over one association, and what they find."""

    call: Call
    seconds: float
    found: StudyList
    with_patients: bool

    def ask_for_span(self, day: date, first: int, end: int) -> None:
        """Ask for a part of a day, from one minute to before another, and again for its halves."""
        is_short = end - first <= _SHORTEST_SPAN_MINUTES
        try:
            matches = self._ask(day, first, end)
        except CallError as error:
            # Out of resources, most often: the question is too long for the archive.
            if error.kind is not AnswerKind.STATUS or is_short:
                raise
            matches = None
        times = [] if matches is None else [self._take(match, day) for match in matches]
        if matches is not None and (is_short or len(matches) < _LONG_ANSWER):
            return
        if _is_beyond(times, first, end):
            return  # it does not look at times: its halves would be the same again
        middle = (first + end) // 2
        self.ask_for_span(day, first, middle)
        self.ask_for_span(day, middle, end)

    def _ask(self, day: date, first: int, end: int) -> list[Dataset]:
        identifier = make_identifier(
            "STUDY",
            StudyDate=f"{day:%Y%m%d}",
            StudyTime="" if end - first == _MINUTES_A_DAY else _format_span(first, end),
            ModalitiesInStudy=_MAMMOGRAPHY,
            StudyInstanceUID="",
        )
        if self.with_patients:
            identifier.PatientID = identifier.IssuerOfPatientID = ""
        return collect_matches(self.call, identifier, _MOST_STUDIES, self.seconds)

    def _take(self, match: Dataset, asked: date) -> time | None:
        """Take a match in; return its Study Time."""
        uid, at = _get_text(match, "StudyInstanceUID"), _parse_time(_get_text(match, "StudyTime"))
        text = _get_text(match, "StudyDate")
        day = _parse_day(text) if text else asked
        if not is_uid(uid) or day is None:
            self.found.unreadable += 1
        elif day == asked:  # some archives ignore keys, and return more than was asked for
            patient = _read_patient(match) if self.with_patients else None
            self.found.add(ListedStudy(uid, day, at, patient), _get_modalities(match))
        return at


def _is_beyond(times: Sequence[time | None], first: int, end: int) -> bool:
    """Whether matches lie outside the span that was asked for."""
    minutes = [at.hour * 60 + at.minute for at in times if at is not None]
    return any(not first <= minute < end for minute in minutes)


def _format_span(first: int, end: int) -> str:
    last = end - 1
    return f"{first // 60:02}{first % 60:02}00-{last // 60:02}{last % 60:02}59"


def _get_text(match: Dataset, keyword: str) -> str:
    return str(match.get(keyword, None) or "").strip()


def _get_modalities(match: Dataset) -> frozenset[str]:
    value = match.get("ModalitiesInStudy", None) or ""
    values = [value] if isinstance(value, str) else value
    return frozenset(str(modality).strip() for modality in values) - {""}


def _read_patient(match: Dataset) -> PatientKey | None:
    patient_id = _get_text(match, "PatientID")
    return PatientKey(patient_id, _get_text(match, "IssuerOfPatientID")) if patient_id else None


def _parse_day(text: str) -> date | None:
    try:
        return datetime.strptime(text.replace(".", "")[:8], "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def _parse_time(text: str) -> time | None:
    digits = text.replace(":", "").partition(".")[0]
    for form, length in (("%H%M%S", 6), ("%H%M", 4), ("%H", 2)):
        if len(digits) == length:
            try:
                return datetime.strptime(digits, form).replace(tzinfo=UTC).time()
            except ValueError:
                return None
    return None
