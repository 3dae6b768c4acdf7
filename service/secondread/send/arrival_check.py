"""The daily comparison: what archives list of mammography, held against what has arrived.

A study that never came raises no error anywhere: its sender was switched off, or has forgotten it.
So once a day each archive's list is asked for; what the tracker does not know of it is an alarm.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Protocol

from secondread.assemble.intake_rule import find_hold_reason
from secondread.assemble.patient_key import PatientKey
from secondread.clock import Clock
from secondread.log import get_logger
from secondread.send.call_error import CallError
from secondread.send.outbox import AnswerKind, Callee, Cancelled
from secondread.send.pauses import compute_pause
from secondread.send.study_list import ListedStudy, StudyList
from secondread.settings import (
    ArrivalsSettings,
    PeerSettings,
    PriorSourceSettings,
    TreatmentScope,
)

log = get_logger(__name__)

LEASE_SECONDS = 6 * 3600.0
"""How long a comparison may take; a list of thousands from a slow archive takes its time."""

_IDLE_SECONDS = 20.0
"""How often it is looked whether a comparison is due."""

_LONGEST_PAUSE_SECONDS = 3600.0

MOST_DAYS = 60
"""How far back is asked at most, after an archive was away."""


@dataclass(frozen=True, slots=True)
class ArrivalCheck:
    """One comparison with one archive, claimed by one worker."""

    source: str
    claim: str
    attempt: int
    """Number of this attempt since the last comparison, from 1."""
    checked_at: datetime | None
    """When the last comparison was made; None before the first."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a comparison found."""

    days: tuple[date, ...]
    """The Study Dates that were asked for."""
    listed: int
    """How many studies there are."""
    missing: tuple[ListedStudy, ...]
    """Those that never arrived, and should have."""
    unreadable: int = 0
    """Matches that say nothing, and studies of an unknown modality that were not asked about."""


class ArrivalQueue(Protocol):
    """When which archive is asked, and what never arrived; `track.missing_studies` is one."""

    def claim_check(
        self, source: str, worker: str, now: datetime, first_due_at: datetime, lease_seconds: float
    ) -> ArrivalCheck | None:
        """Claim the comparison with an archive, if it is due; None if not, or another has it."""

    def find_arrived(self, study_uids: Collection[str]) -> frozenset[str]:
        """Return which studies have arrived, whatever became of them."""

    def find_treated(self, patients: Collection[PatientKey]) -> frozenset[PatientKey]:
        """Return which patients are known to have been treated."""

    def record_check(
        self, check: ArrivalCheck, listing: Listing, now: datetime, due_at: datetime
    ) -> int:
        """Record a comparison; return how many studies of the archive are missing now."""

    def record_failed(
        self, check: ArrivalCheck, why: str, now: datetime, ask_again_at: datetime
    ) -> None:
        """Record that a comparison could not be made, and when it is tried again."""

    def give_back(self, check: ArrivalCheck) -> None:
        """Leave a comparison for later as if it had not been claimed: the node stops."""

    def note_arrivals(self, source: str, now: datetime) -> None:
        """Forget the missing studies of an archive that have arrived since."""


@dataclass(frozen=True, slots=True)
class ArrivalWiring:
    """What the comparisons with all archives work with."""

    queue: ArrivalQueue
    list_mammography: Callable[..., StudyList]
    """`send.study_list.list_mammography`."""
    choose_mammography: Callable[[Callee, str, Collection[str], Cancelled], frozenset[str]]
    """`send.study_list.choose_mammography`."""
    settings: ArrivalsSettings
    peers: Sequence[PeerSettings]
    zone: tzinfo | None
    """The site's time zone, in which archives write times; None for the machine's."""
    clock: Clock
    worker: str
    """Name of the worker process, written into claims."""
    calling_ae_title: str
    """The AE title to call with."""


class ArrivalWorker:
    """The comparisons with one archive."""

    def __init__(self, source: PriorSourceSettings, wiring: ArrivalWiring) -> None:
        self.name = source.name
        self._source = source
        self._wiring = wiring
        self._asks_for_patients = any(
            peer.treatment is not TreatmentScope.ALL for peer in wiring.peers
        )

    def step(self, cancelled: Cancelled) -> float | None:
        """Make the comparison, if it is due; return the seconds until the next look."""
        wiring = self._wiring
        now = wiring.clock()
        due_at = compute_next_check(wiring.settings, now, wiring.zone)
        check = wiring.queue.claim_check(self.name, wiring.worker, now, due_at, LEASE_SECONDS)
        if check is None:
            wiring.queue.note_arrivals(self.name, now)
            return _IDLE_SECONDS
        try:
            listing = self._list(check, now, cancelled)
        except CallError as error:
            if error.kind is AnswerKind.STOPPED:
                wiring.queue.give_back(check)
                return 0.0
            self._record_failure(check, error)
            return _IDLE_SECONDS
        missing = wiring.queue.record_check(check, listing, now, due_at)
        log.info(
            "arrivals_checked",
            source=self.name,
            days=len(listing.days),
            listed=listing.listed,
            missing=missing,
            unreadable=listing.unreadable,
        )
        return _IDLE_SECONDS

    def _record_failure(self, check: ArrivalCheck, error: CallError) -> None:
        now = self._wiring.clock()
        pause = compute_pause(check.attempt, _LONGEST_PAUSE_SECONDS, first=60.0)
        why = f"{error.kind.value}: {error.detail}"
        self._wiring.queue.record_failed(check, why, now, now + timedelta(seconds=pause))
        log.warning("arrivals_not_checked", source=self.name, answer=error.kind.value)

    def _list(self, check: ArrivalCheck, now: datetime, cancelled: Cancelled) -> Listing:
        wiring = self._wiring
        days = choose_days(wiring.settings, check.checked_at, now, wiring.zone)
        found = wiring.list_mammography(
            self._source,
            wiring.calling_ae_title,
            days,
            cancelled,
            with_patients=self._asks_for_patients,
        )
        listed = {**found.studies, **found.unclear}
        arrived = wiring.queue.find_arrived(listed.keys())
        unclear = found.unclear.keys() - arrived
        mammography: frozenset[str] = frozenset()
        if unclear:
            mammography = wiring.choose_mammography(
                self._source, wiring.calling_ae_title, unclear, cancelled
            )
        candidates = (found.studies.keys() - arrived) | mammography
        missing = self._choose_expected([listed[uid] for uid in sorted(candidates)], now)
        return Listing(tuple(days), len(listed), missing, found.unreadable)

    def _choose_expected(
        self, studies: Sequence[ListedStudy], now: datetime
    ) -> tuple[ListedStudy, ...]:
        """Return the studies that should be here: old enough, and such as a peer's rule reads."""
        wiring = self._wiring
        patients = {study.patient for study in studies if study.patient is not None}
        treated = wiring.queue.find_treated(patients) if patients else frozenset()
        latest = now - timedelta(hours=wiring.settings.grace_hours)
        return tuple(
            study
            for study in studies
            if find_end(study, wiring.zone) <= latest
            and is_expected(study, wiring.peers, treated=True if study.patient in treated else None)
        )


def is_expected(study: ListedStudy, peers: Sequence[PeerSettings], *, treated: bool | None) -> bool:
    """Whether the intake rule of any peer would have had a study read on its own day.

    Which peer should have sent it is not known, for it never came.
    """
    day = study.study_date
    return any(find_hold_reason(peer, day, day, treated=treated) is None for peer in peers)


def find_end(study: ListedStudy, zone: tzinfo | None) -> datetime:
    """Return when a study was made, at the latest: at its time, or else at the end of its day."""
    at = study.study_time or time(23, 59, 59)
    return _localize(datetime.combine(study.study_date, at), zone)


def choose_days(
    settings: ArrivalsSettings, checked_at: datetime | None, now: datetime, zone: tzinfo | None
) -> list[date]:
    """Return the Study Dates to ask for, the oldest first.

    Where the last comparison is longer ago than usual, so many days more are asked for.
    """
    last = (now - timedelta(hours=settings.grace_hours)).astimezone(zone).date()
    away = 0 if checked_at is None else max((now - checked_at).days, 0)
    count = min(settings.days + away, MOST_DAYS)
    return [last - timedelta(days=back) for back in reversed(range(count))]


def compute_next_check(settings: ArrivalsSettings, now: datetime, zone: tzinfo | None) -> datetime:
    """Return when the next comparison is due: after the interval, or at the hour of the day."""
    if settings.every_hours is not None:
        return now + timedelta(hours=settings.every_hours)
    local = now.astimezone(zone)
    due = _localize(datetime.combine(local.date(), time(settings.hour)), zone)
    if due <= now:
        due = _localize(
            datetime.combine(local.date() + timedelta(days=1), time(settings.hour)), zone
        )
    return due.astimezone(now.tzinfo)


def _localize(naive: datetime, zone: tzinfo | None) -> datetime:
    """Return a site's local time as an instant."""
    return naive.astimezone() if zone is None else naive.replace(tzinfo=zone)
