"""Looking for studies by what a person knows: a number, a patient, days, a device, findings.

What is looked for by a number or a patient is found by an index. All else is looked for among the
studies of some days, so that a search never goes through all that a node has seen in years.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, or_, select
from sqlalchemy.orm import Session

from secondread.errors import InputError
from secondread.findings.changes import ChangeKind
from secondread.reasons import Outcome
from secondread.track.database import TrackerPart
from secondread.track.states import RevisionState
from secondread.track.study_queries import select_summaries, summarize
from secondread.track.summaries import StudySummary
from secondread.track.tables import FindingRow, PatientRow, RevisionRow, StudyRow

MOST_DAYS = 31
"""How many days are looked through where no number and no patient is given."""

MOST_FOUND = 200


@dataclass(frozen=True, slots=True)
class StudySearch:
    """What is looked for; all that is given has to hold."""

    number: str = ""
    """A Study Instance UID, an accession number, or a patient's ID, with ``^^^`` and its issuer
    where that matters; numbers and IDs in any case."""
    first_day: date | None = None
    last_day: date | None = None
    """Of the study."""
    device: str = ""
    """A part of the unit's maker, model or station, or of the AE title that sent it; any case."""
    outcome: Outcome | None = None
    change: ChangeKind | None = None
    """Of a finding that is shown."""
    morphology: str = ""
    """The likeliest type of a finding that is shown, as ``fine_pleomorphic``."""


class StudySearches(TrackerPart):
    """Searches for studies; none of them changes anything."""

    def find(self, search: StudySearch, today: date) -> list[StudySummary]:
        """Return what is found, the latest exam first; at most `MOST_FOUND`.

        Raises
        ------
        InputError
            Nothing is given to look for, or too many days.
        """
        conditions = _list_conditions(search)
        with self._database.begin_read() as session:
            if search.number:
                conditions.append(StudyRow.study_uid.in_(_find_numbered(session, search.number)))
                conditions.extend(_limit_days(search.first_day, search.last_day))
            else:
                conditions.extend(_limit_days(*choose_days(search, today)))
            statement: Select[Any] = (
                select_summaries()
                .where(*conditions)
                .order_by(StudyRow.study_date.desc(), StudyRow.study_uid.desc())
                .limit(MOST_FOUND)
            )
            return [summarize(row) for row in session.execute(statement)]


def choose_days(search: StudySearch, today: date) -> tuple[date, date]:
    """Return the days that are looked through: without any given, the latest ones.

    Raises
    ------
    InputError
        Nothing is given to look for, or too many days.
    """
    if search == StudySearch():
        raise InputError("there is nothing to look for")
    window = timedelta(days=MOST_DAYS - 1)
    if search.first_day is None:
        last = today if search.last_day is None else search.last_day
        return last - window, last
    last = search.first_day + window if search.last_day is None else search.last_day
    if last < search.first_day:
        raise InputError("the last day is before the first")
    if last - search.first_day > window:
        raise InputError(f"without a number or a patient, at most {MOST_DAYS} days are searched")
    return search.first_day, last


def _find_numbered(session: Session, text: str) -> list[str]:
    """Return the UIDs of the studies that a number names, in whichever way."""
    patient_id, _, issuer = (part.strip() for part in text.partition("^^^"))
    patients = select(func.coalesce(PatientRow.merged_into, PatientRow.id)).where(
        func.lower(PatientRow.patient_id) == func.lower(patient_id)
    )
    if issuer:
        patients = patients.where(func.lower(PatientRow.issuer) == func.lower(issuer))
    ways: tuple[ColumnElement[bool], ...] = (
        StudyRow.study_uid == text,
        func.lower(StudyRow.accession_number) == func.lower(text),
        StudyRow.patient.in_(session.scalars(patients).all()),
    )
    # Each by itself, so that each goes by its index.
    return [
        uid
        for way in ways
        for uid in session.scalars(
            select(StudyRow.study_uid)
            .where(way)
            .order_by(StudyRow.study_date.desc())
            .limit(MOST_FOUND)
        )
    ]


def _limit_days(first: date | None, last: date | None) -> list[ColumnElement[bool]]:
    limits = []
    if first is not None:
        limits.append(StudyRow.study_date >= first)
    if last is not None:
        limits.append(StudyRow.study_date <= last)
    return limits


def _list_conditions(search: StudySearch) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if search.device:
        part = search.device.lower()
        named = (func.lower(column).contains(part, autoescape=True) for column in _DEVICE)
        conditions.append(or_(*named))
    if search.outcome is not None:
        conditions.append(StudyRow.outcome == search.outcome)
    if search.change is not None or search.morphology:
        conditions.append(_shows_finding(search))
    return conditions


_DEVICE = (StudyRow.device, StudyRow.peer)


def _shows_finding(search: StudySearch) -> ColumnElement[bool]:
    """Return the condition that a study's latest finished revision shows such a finding."""
    latest = (
        select(func.max(RevisionRow.number))
        .where(
            RevisionRow.study_uid == StudyRow.study_uid, RevisionRow.state == RevisionState.FINISHED
        )
        .correlate(StudyRow)
        .scalar_subquery()
    )
    wanted = [FindingRow.shown, FindingRow.revision == RevisionRow.id]
    if search.change is not None:
        wanted.append(FindingRow.document["change"].as_string() == search.change.value)
    if search.morphology:
        likeliest = FindingRow.document["morphology", 0, 0]
        wanted.append(likeliest.as_string() == search.morphology)
    return exists().where(
        RevisionRow.study_uid == StudyRow.study_uid, RevisionRow.number == latest, *wanted
    )
