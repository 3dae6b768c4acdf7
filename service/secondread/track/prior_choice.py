"""Which priors a revision is made with: chosen at its claim, and recorded with it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from secondread.assemble.due import DueRules
from secondread.assemble.viewset import ViewKey
from secondread.followup.priors import DEFAULT_PRIOR_RULE, EarlierStudy, PriorRule, choose_priors
from secondread.reasons import Reason
from secondread.send.fetch_queue import FetchKind
from secondread.settings import Settings
from secondread.track.rejections import find_expired_views
from secondread.track.states import FetchState
from secondread.track.study_rows import (
    collect_inputs,
    find_doubtful_views,
    find_earlier_views,
    find_latest_finished,
    find_revision,
    find_scope_views,
    load_inputs,
)
from secondread.track.tables import FetchRequestRow, StudyRow
from secondread.track.values import PriorInputs, RevisionPriors


@dataclass(frozen=True, slots=True)
class FetchRules:
    """Which priors count, who is asked for them, and for how long."""

    choice: PriorRule = DEFAULT_PRIOR_RULE
    sources: tuple[str, ...] = ()
    """Names of the archives that are asked; without any, nothing is fetched."""
    wait: timedelta = timedelta(minutes=10)
    """How long a complete study waits for its priors."""
    give_up: timedelta = timedelta(hours=24)
    """For how long an archive is asked for a prior."""
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
    """Return the same patient's earlier studies that the node holds images of."""
    return [
        EarlierStudy(earlier.study_uid, earlier.study_date, views)
        for earlier, views in find_earlier_views(session, study)
        if views
    ]


def choose_revision_priors(session: Session, study: StudyRow, rules: FetchRules) -> dict[str, Any]:
    """Return the priors of a revision that is claimed now, for `RevisionRow.priors`."""
    views = find_scope_views(session, study.study_uid)
    chosen = choose_priors(study.study_date, views, find_held_studies(session, study), rules.choice)
    requests = session.scalars(
        select(FetchRequestRow)
        .where(FetchRequestRow.study_uid == study.study_uid)
        .order_by(FetchRequestRow.prior_study_date.desc(), FetchRequestRow.id)
    ).all()
    entries = [
        _make_entry(
            prior.study_uid, prior.study_date, None, collect_inputs(session, prior.study_uid)
        )
        for prior in chosen
    ]
    # Without their images, what was reported of them is left: it counts where no other prior does.
    expired = _choose_expired(session, study, views, rules, rules.choice.count - len(chosen))
    entries += [
        _make_entry(prior.study_uid, prior.study_date, Reason.PRIOR_EXPIRED) for prior in expired
    ]
    held = {prior.study_uid for prior in (*chosen, *expired)}
    missing: dict[str, list[FetchRequestRow]] = {}
    for row in requests:
        is_missing = row.kind is FetchKind.RETRIEVE and row.state is not FetchState.DONE
        is_doubtful = row.reason is Reason.IDENTITY_IN_DOUBT
        if is_missing and not is_doubtful and row.prior_study_uid not in held:
            missing.setdefault(row.prior_study_uid, []).append(row)
    entries += [_make_missing_entry(rows) for rows in missing.values()]
    reason = None if entries else _explain_none(study, requests, rules)
    return {"studies": entries, "reason": None if reason is None else reason.value}


def _choose_expired(
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
    expired = find_expired_views(session, [earlier.study_uid for earlier in gone])
    candidates = [
        EarlierStudy(earlier.study_uid, earlier.study_date, expired[earlier.study_uid])
        for earlier in gone
        if earlier.study_uid in expired
        and find_latest_finished(session, earlier.study_uid) is not None
    ]
    rule = PriorRule(rules.choice.minimum_age, count)
    return choose_priors(study.study_date, views, candidates, rule)


def choose_doubtful(session: Session, study: StudyRow, rules: FetchRules) -> list[list[str]]:
    """Return what would be priors if it were sure whose they are, for `RevisionRow.doubtful`.

    It is no part of the priors: nothing of what may be another woman's is used.
    """
    held = [
        EarlierStudy(other.study_uid, other.study_date, usable)
        for other, usable in find_doubtful_views(session, study)
        if usable
    ]
    offered = session.scalars(
        select(FetchRequestRow).where(
            FetchRequestRow.study_uid == study.study_uid,
            FetchRequestRow.reason == Reason.IDENTITY_IN_DOUBT,
        )
    )
    candidates = {
        row.prior_study_uid: EarlierStudy(row.prior_study_uid, row.prior_study_date, None)
        for row in offered
    }
    candidates |= {other.study_uid: other for other in held}
    views = find_scope_views(session, study.study_uid)
    chosen = choose_priors(study.study_date, views, list(candidates.values()), rules.choice)
    return [[other.study_uid, _format_date(other.study_date)] for other in chosen]


def read_revision_priors(session: Session, study_uid: str, number: int) -> RevisionPriors:
    """Return the priors that a revision was claimed with."""
    revision = find_revision(session, study_uid, number)
    document = revision.priors
    if document is None:
        return RevisionPriors((), Reason.PRIORS_OFF)
    doubtful = [_read_doubtful(*entry) for entry in revision.doubtful]
    why_none = None if doubtful else document["reason"]
    return RevisionPriors(
        studies=(*(_read_entry(session, entry) for entry in document["studies"]), *doubtful),
        reason=None if why_none is None else Reason(why_none),
    )


def list_images(document: Mapping[str, Any] | None) -> set[tuple[str, ...]]:
    """Return UID and SHA-256 of the images in `RevisionRow.priors`."""
    entries = [] if document is None else document["studies"]
    return {tuple(image) for entry in entries for image in entry["inputs"]}


def _make_entry(
    study_uid: str,
    study_date: date | None,
    reason: Reason | None,
    inputs: Sequence[Sequence[str]] = (),
) -> dict[str, Any]:
    return {
        "study_uid": study_uid,
        "study_date": _format_date(study_date) or None,
        "reason": None if reason is None else reason.value,
        "inputs": [list(image) for image in inputs],
    }


def _make_missing_entry(rows: Sequence[FetchRequestRow]) -> dict[str, Any]:
    """Return the entry of a prior that no archive has sent; the last that was asked decides."""
    last = rows[-1]
    entry = _make_entry(last.prior_study_uid, last.prior_study_date, _explain_missing(last))
    if len(rows) > 1:
        entry["said"] = [[row.source, _explain_missing(row).value] for row in rows]
    return entry


def _read_entry(session: Session, entry: Mapping[str, Any]) -> PriorInputs:
    study_date, reason = entry["study_date"], entry["reason"]
    return PriorInputs(
        study_uid=entry["study_uid"],
        study_date=None if study_date is None else date.fromisoformat(study_date),
        reason=None if reason is None else Reason(reason),
        instances=tuple(load_inputs(session, entry["study_uid"], entry["inputs"])),
        archive_reasons=tuple((source, Reason(why)) for source, why in entry.get("said", ())),
    )


def _read_doubtful(study_uid: str, study_date: str) -> PriorInputs:
    day = date.fromisoformat(study_date) if study_date else None
    return PriorInputs(study_uid, day, Reason.IDENTITY_IN_DOUBT, ())


def _format_date(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _explain_missing(row: FetchRequestRow) -> Reason:
    return row.reason or Reason.PRIOR_TIMED_OUT


def _explain_none(
    study: StudyRow, requests: Sequence[FetchRequestRow], rules: FetchRules
) -> Reason:
    queries = [row for row in requests if row.kind is FetchKind.QUERY]
    if not queries:
        is_searchable = study.patient is not None and study.study_date is not None
        is_unsearchable = bool(rules.sources) and not is_searchable
        return Reason.PRIORS_NOT_SEARCHABLE if is_unsearchable else Reason.PRIORS_OFF
    for row in queries:
        if row.state is not FetchState.DONE:
            return _explain_missing(row)
    return Reason.PRIOR_NOT_FOUND
