"""The choice of priors: which earlier studies of a patient a study could be compared with."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

MINIMUM_AGE = timedelta(days=182)
"""A study less than half a year earlier is a work-up of the same visit, not a prior."""


@dataclass(frozen=True, slots=True)
class PriorRule:
    """Which earlier studies are priors, and how many of them count."""

    minimum_age: timedelta = MINIMUM_AGE
    count: int = 2


DEFAULT_PRIOR_RULE = PriorRule()
"""The rule of a node whose settings leave it out."""


@dataclass(frozen=True, slots=True)
class EarlierStudy:
    """A study of the same patient that the node holds, or that an archive offers."""

    study_uid: str
    study_date: date | None
    views: frozenset[tuple[str, str]] | None
    """Side letter and view name of each of its in-scope images; None where an archive does not
    list them."""


def choose_priors(
    study_date: date | None,
    views: Collection[tuple[str, str]],
    candidates: Sequence[EarlierStudy],
    rule: PriorRule = DEFAULT_PRIOR_RULE,
) -> tuple[EarlierStudy, ...]:
    """Return the priors that fit, latest first: the nearest in time, and the oldest.

    A prior fits when it is old enough and shares a view with the study, as far as its views are
    known. Studies without a date cannot be placed in time and never fit.

    Parameters
    ----------
    study_date, views
        Of the study to compare.
    candidates
        Earlier studies of the same patient, in any order.
    rule
        How much earlier a prior is at least, and how many are chosen: of more, the last of the
        nearest ones gives way to the oldest.
    """
    fitting = sorted(
        (
            candidate
            for candidate in candidates
            if is_old_enough(study_date, candidate.study_date, rule)
            and (candidate.views is None or candidate.views & set(views))
        ),
        key=lambda prior: (prior.study_date or date.min, prior.study_uid),
        reverse=True,
    )
    if len(fitting) <= rule.count or rule.count < 2:
        return tuple(fitting[: rule.count])
    return (*fitting[: rule.count - 1], fitting[-1])


def is_old_enough(study_date: date | None, prior_date: date | None, rule: PriorRule) -> bool:
    """Whether a study of `prior_date` is early enough to be a prior."""
    return (
        study_date is not None
        and prior_date is not None
        and study_date - prior_date >= rule.minimum_age
    )
