"""Which priors a revision is made with: chosen at its claim, and written down with it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from secondread.assemble.due import DueRules
from secondread.assemble.viewset import ViewKey
from secondread.followup.priors import DEFAULT_PRIOR_RULE, EarlierStudy, PriorRule, choose_priors
from secondread.log import get_logger
from secondread.reasons import Reason
from secondread.send.fetch_queue import FetchKind
from secondread.settings import Settings
from secondread.track import alarms
from secondread.track.assembly import find_earlier_views, find_scope_views
from secondread.track.rejections import find_expired_views
from secondread.track.revisions import (
    as_input,
    collect_inputs,
    find_latest_finished,
    find_revision,
    select_instances,
)
from secondread.track.states import Cause, FetchState, StudyEvent, StudyState, step_study
from secondread.track.tables import FetchRequestRow, InstanceRow, StudyRow
from secondread.track.values import PriorInputs, RevisionPriors

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FetchRules:
    """Which priors count, who is asked for them, and for how long."""

    choice: PriorRule = DEFAULT_PRIOR_RULE
    sources: tuple[str, ...] = ()
    """Names of the archives that are asked; none: nothing is fetched."""
    wait: timedelta = timedelta(minutes=10)
    """How long a complete study waits for its priors."""
    give_up: timedelta = timedelta(hours=24)
    """How long it is tried to get a prior."""
    due: DueRules = field(default_factory=DueRules)
    """When a prior that comes after the reading makes a revision."""

    @classmethod
    def from_settings(cls, settings: Settings) -> "FetchRules":
        """Read `[priors]` and `[assemble]`."""
        priors = settings.priors
        return cls(
            choice=PriorRule(timedelta(days=priors.minimum_age_days), priors.count),
            sources=tuple(source.name for source in priors.active_sources),
            wait=timedelta(seconds=priors.wait_seconds),
            give_up=timedelta(hours=priors.give_up_hours),
            due=DueRules.from_settings(settings.assemble),
        )


FETCH_NOTHING = FetchRules()
"""The rules of a node that fetches nothing."""


def find_held_studies(session: Session, study: StudyRow) -> list[EarlierStudy]:
    """Return the same patient's earlier studies that the node holds images of.

    Those with images of two patients are left out: nobody knows whose they are.
    """
    return [
        EarlierStudy(earlier.study_uid, earlier.study_date, views)
        for earlier, views in find_earlier_views(session, study)
        if views and not alarms.is_raised(session, alarms.PATIENT_MISMATCH, earlier.study_uid)
    ]


def choose_revision_priors(session: Session, study: StudyRow, rules: FetchRules) -> dict[str, Any]:
    """Return the priors of a revision that is claimed now, for `Revision.priors`."""
    views = find_scope_views(session, study.study_uid)
    chosen = choose_priors(study.study_date, views, find_held_studies(session, study), rules.choice)
    requests = list(
        session.scalars(
            select(FetchRequestRow)
            .where(FetchRequestRow.study_uid == study.study_uid)
            .order_by(FetchRequestRow.prior_study_date.desc(), FetchRequestRow.id)
        )
    )
    studies = [
        _entry(one.study_uid, one.study_date, None, collect_inputs(session, one.study_uid))
        for one in chosen
    ]
    # Without their images, what was reported of them is left: it counts where no other prior does.
    expired = _expired(session, study, views, rules, rules.choice.count - len(chosen))
    studies += [_entry(one.study_uid, one.study_date, Reason.PRIOR_EXPIRED, []) for one in expired]
    held = {one.study_uid for one in (*chosen, *expired)}
    missing = [
        row
        for row in requests
        if row.errand is FetchKind.RETRIEVE
        and row.state is not FetchState.DONE
        and row.prior_study_uid not in held
    ]
    studies += [
        _missing([row for row in missing if row.prior_study_uid == uid])
        for uid in dict.fromkeys(row.prior_study_uid for row in missing)
    ]
    reason = None if studies else _why_none(study, requests, rules)
    return {"studies": studies, "reason": None if reason is None else reason.value}


def _expired(
    session: Session,
    study: StudyRow,
    views: Collection[ViewKey],
    rules: FetchRules,
    count: int,
) -> tuple[EarlierStudy, ...]:
    """Return priors whose images all expired, and that this node reported on; at most so many."""
    if count <= 0:
        return ()
    gone = [earlier for earlier, usable in find_earlier_views(session, study) if not usable]
    known = find_expired_views(session, [earlier.study_uid for earlier in gone])
    candidates = [
        EarlierStudy(earlier.study_uid, earlier.study_date, known[earlier.study_uid])
        for earlier in gone
        if earlier.study_uid in known
        and find_latest_finished(session, earlier.study_uid) is not None
    ]
    rule = PriorRule(rules.choice.minimum_age, count)
    return choose_priors(study.study_date, views, candidates, rule)


def read_revision_priors(session: Session, study_uid: str, number: int) -> RevisionPriors:
    """Return the priors that a revision was claimed with."""
    document = find_revision(session, study_uid, number).priors
    if document is None:
        return RevisionPriors((), Reason.PRIORS_OFF)
    return RevisionPriors(
        studies=tuple(_inputs(session, entry) for entry in document["studies"]),
        reason=None if document["reason"] is None else Reason(document["reason"]),
    )


def revise_if_priors_gained(
    session: Session, study: StudyRow, rules: FetchRules, now: datetime
) -> bool:
    """Make a study due again if its priors have images that its reading did not have.

    The study's row is locked. A study that is not read yet will have them; one whose reading is
    older than the late window is left as it is.
    """
    if study.state not in {StudyState.REPORTED, StudyState.READING} or study.quiet_due_at:
        return False
    if study.state is StudyState.REPORTED and not rules.due.is_recent(study.reported_at, now):
        return False
    known = _images(find_revision(session, study.study_uid, study.revision).priors)
    if _images(choose_revision_priors(session, study, rules)) <= known:
        return False
    study.state = step_study(study.state, StudyEvent.REQUESTED)
    study.quiet_due_at = rules.due.find_revision_time(now)
    study.next_cause = study.next_cause or Cause.LATE_PRIOR
    log.info("prior_came_late", study_uid=study.study_uid, revision=study.revision)
    return True


def revise_later_studies(
    session: Session, prior: StudyRow, rules: FetchRules, now: datetime
) -> None:
    """Do the same for the patient's later studies, where a prior came without being asked for."""
    for study in _later_read(session, prior):
        revise_if_priors_gained(session, study, rules, now)


def revise_compared_studies(
    session: Session,
    prior: StudyRow,
    lost: Collection[tuple[str, ...]],
    rules: DueRules,
    now: datetime,
) -> None:
    """Make the patient's later studies due again that were compared with images that are lost.

    Parameters
    ----------
    prior
        Whose images they were; its row is locked.
    lost
        SOP Instance UID and SHA-256 of each: withdrawn, or replaced by another content.
    rules
        How long to wait for what else comes, and how old a report may be to be revised.
    """
    for study in _later_read(session, prior):
        is_old = study.state is StudyState.REPORTED and not rules.is_recent(study.reported_at, now)
        compared = _images(find_revision(session, study.study_uid, study.revision).priors)
        if study.quiet_due_at or is_old or compared.isdisjoint(lost):
            continue
        study.state = step_study(study.state, StudyEvent.REQUESTED)
        study.quiet_due_at = rules.find_revision_time(now)
        study.next_cause = study.next_cause or Cause.PRIOR_CHANGED
        log.info("prior_changed", study_uid=study.study_uid, revision=study.revision)


def _later_read(session: Session, prior: StudyRow) -> list[StudyRow]:
    """Return the same patient's later studies that are read or being read, their rows locked."""
    if prior.patient is None or prior.study_date is None:
        return []
    later = (
        select(StudyRow)
        .where(
            StudyRow.patient == prior.patient,
            StudyRow.study_date > prior.study_date,
            StudyRow.state.in_((StudyState.REPORTED, StudyState.READING)),
        )
        .order_by(StudyRow.study_date, StudyRow.study_uid)
        .with_for_update()
    )
    return list(session.scalars(later))


def _entry(
    study_uid: str, day: date | None, reason: Reason | None, inputs: Sequence[Collection[str]]
) -> dict[str, Any]:
    return {
        "study_uid": study_uid,
        "study_date": None if day is None else day.isoformat(),
        "reason": None if reason is None else reason.value,
        "inputs": [list(one) for one in inputs],
    }


def _missing(rows: Sequence[FetchRequestRow]) -> dict[str, Any]:
    """Return the entry of a prior that no archive has sent; the last that was asked decides."""
    last = rows[-1]
    entry = _entry(last.prior_study_uid, last.prior_study_date, _why_missing(last), [])
    if len(rows) > 1:
        entry["said"] = [[row.source, _why_missing(row).value] for row in rows]
    return entry


def _inputs(session: Session, entry: Mapping[str, Any]) -> PriorInputs:
    chosen = {(uid, sha) for uid, sha in entry["inputs"]}
    rows = session.scalars(select_instances().where(InstanceRow.study_uid == entry["study_uid"]))
    day, reason = entry["study_date"], entry["reason"]
    return PriorInputs(
        study_uid=entry["study_uid"],
        study_date=None if day is None else date.fromisoformat(day),
        reason=None if reason is None else Reason(reason),
        instances=tuple(
            as_input(row) for row in rows if (row.sop_instance_uid, row.sha256) in chosen
        ),
        archive_reasons=tuple((source, Reason(why)) for source, why in entry.get("said", ())),
    )


def _images(document: Mapping[str, Any] | None) -> set[tuple[str, ...]]:
    entries = [] if document is None else document["studies"]
    return {tuple(one) for entry in entries for one in entry["inputs"]}


def _why_missing(row: FetchRequestRow) -> Reason:
    return row.reason or Reason.PRIOR_TIMED_OUT


def _why_none(study: StudyRow, requests: Sequence[FetchRequestRow], rules: FetchRules) -> Reason:
    queries = [row for row in requests if row.errand is FetchKind.QUERY]
    if not queries:
        is_asked = bool(rules.sources)
        is_known = study.patient is not None and study.study_date is not None
        return Reason.PRIORS_NOT_SEARCHABLE if is_asked and not is_known else Reason.PRIORS_OFF
    for row in queries:
        if row.state is not FetchState.DONE:
            return row.reason or Reason.PRIOR_TIMED_OUT
    return Reason.PRIOR_NOT_FOUND
