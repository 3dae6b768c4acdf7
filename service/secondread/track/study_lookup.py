"""How a person names a study, whose it is, and what it was compared with."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import exists, func, select

from secondread.assemble.patient_key import PatientKey
from secondread.errors import InputError
from secondread.reasons import Reason
from secondread.track.database import TrackerPart
from secondread.track.study_rows import find_latest_finished
from secondread.track.tables import PatientRow, StudyRow, from_row

GAP = ".."
"""Stands for the middle of a UID that was left out: no UID has two dots in a row."""

_MOST_NAMED = 5
_MOST_ASKED = 500
"""IDs in one query."""
_GAPS = re.compile(r"…|\.{2,}")
_PART = re.compile(r"[0-9.]*")


def shorten_uid(uid: str, head: int, tail: int) -> str:
    """Return a UID without its middle, as `StudyLookup.find_uid` takes it.

    >>> shorten_uid("1.2.826.0.1.3680043.8.498.12345678901234567890", 4, 8)
    '1.2...34567890'
    """
    return uid if len(uid) <= head + tail + len(GAP) else f"{uid[:head]}{GAP}{uid[-tail:]}"


@dataclass(frozen=True, slots=True)
class ComparedPrior:
    """A prior of a study's latest finished revision."""

    study_uid: str
    """Empty for one that an archive was to send and never did."""
    study_date: date | None
    reason: Reason | None
    """Why it was not compared; None for one that was."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the latest finished revision of a study was compared with."""

    priors: tuple[ComparedPrior, ...]
    reason: Reason | None
    """Why there is no prior; None where there is one, or where nothing was read yet."""


class StudyLookup(TrackerPart):
    """Questions about single studies; none of them changes anything."""

    def find_uid(self, text: str) -> str:
        """Return the UID of the one study that a text names.

        Parameters
        ----------
        text
            A Study Instance UID, its beginning, its end, or both with `GAP` between them.

        Raises
        ------
        InputError
            No study is named by it, or several are.
        """
        parts = _GAPS.split(text.strip())
        if len(parts) > 2 or not any(parts) or not all(map(_PART.fullmatch, parts)):
            raise InputError(f"{text!r} is no UID, nor the beginning or the end of one")
        begin, end = (parts[0], parts[1]) if len(parts) == 2 else (text.strip(), text.strip())
        uid, is_like = StudyRow.study_uid, StudyRow.study_uid.like
        # A text without a gap may be the beginning or the end.
        both = is_like(f"{begin}%") & is_like(f"%{end}")
        matches = both if len(parts) == 2 else is_like(f"{begin}%") | is_like(f"%{end}")
        with self._database.begin_read() as session:
            if session.get(StudyRow, text.strip()) is not None:
                return text.strip()
            found = session.scalars(select(uid).where(matches).order_by(uid).limit(100)).all()
        if len(found) == 1:
            return found[0]
        if not found:
            raise InputError(f"there is no study {text}")
        more = "" if len(found) <= _MOST_NAMED else ", and others"
        raise InputError(f"several studies are {text}: {', '.join(found[:_MOST_NAMED])}{more}")

    def find_patients(self, study_uids: Iterable[str]) -> dict[str, PatientKey]:
        """Return the patients of studies by their UIDs, without those that have none."""
        statement = (
            select(StudyRow.study_uid, PatientRow)
            .join(PatientRow, StudyRow.patient == PatientRow.id)
            .where(StudyRow.study_uid.in_(list(study_uids)))
        )
        with self._database.begin_read() as session:
            return {uid: from_row(PatientKey, row) for uid, row in session.execute(statement)}

    def find_issuers(self, patients: Iterable[PatientKey]) -> dict[PatientKey, tuple[str, ...]]:
        """Return the patients that have no study, each with the issuers whose studies have the ID.

        An empty issuer stands for studies that name none.
        """
        wanted, issuers = set(patients), dict[str, set[str]]()
        ids = sorted({patient.patient_id for patient in wanted})
        with self._database.begin_read() as session:
            for begin in range(0, len(ids), _MOST_ASKED):
                for patient_id, issuer in session.execute(
                    select(PatientRow.patient_id, PatientRow.issuer).where(
                        PatientRow.patient_id.in_(ids[begin : begin + _MOST_ASKED]),
                        # The studies of a merged ID are those of the one that it was merged into.
                        exists().where(
                            StudyRow.patient == func.coalesce(PatientRow.merged_into, PatientRow.id)
                        ),
                    )
                ):
                    issuers.setdefault(patient_id, set()).add(issuer)
        return {
            patient: tuple(sorted(issuers.get(patient.patient_id, ())))
            for patient in wanted
            if patient.issuer not in issuers.get(patient.patient_id, ())
        }

    def find_comparison(self, study_uid: str) -> Comparison:
        """Return what the latest finished revision of a study was compared with."""
        with self._database.begin_read() as session:
            finished = find_latest_finished(session, study_uid)
            document = None if finished is None else finished.priors
        if document is None:
            return Comparison((), None)
        entries = [
            ComparedPrior(
                entry["study_uid"], _read_date(entry["study_date"]), _read_reason(entry["reason"])
            )
            for entry in document["studies"]
        ]
        return Comparison(tuple(entries), _read_reason(document["reason"]))


def _read_date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _read_reason(text: str | None) -> Reason | None:
    return Reason(text) if text else None
