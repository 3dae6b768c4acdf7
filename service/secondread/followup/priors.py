"""The choice of priors: which earlier studies of a patient a study could be compared with."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

MINIMUM_AGE = timedelta(days=182)
"""A study less than half a year earlier is a work-up of the same visit, not a prior."""


@dataclass(frozen=True, slots=True)
class EarlierStudy:
    """A study of the same patient that the node holds."""

    study_uid: str
    study_date: date | None
    views: frozenset[tuple[str, str]]
    """Side letter and view name of each of its in-scope images."""


def choose_priors(
    study_date: date | None,
    views: Collection[tuple[str, str]],
    candidates: Sequence[EarlierStudy],
) -> tuple[EarlierStudy, ...]:
    """Return the priors that fit, at most two: the nearest in time and the oldest.

    A prior fits when it is half a year older or more and shares a view with the study. Studies
    without a date cannot be placed in time and never fit.
    """
    if study_date is None:
        return ()
    fitting = sorted(
        (
            (candidate.study_date, candidate.study_uid, candidate)
            for candidate in candidates
            if candidate.study_date is not None
            and study_date - candidate.study_date >= MINIMUM_AGE
            and candidate.views & set(views)
        ),
        key=lambda entry: entry[:2],
        reverse=True,
    )
    chosen = [entry[2] for entry in fitting]
    return tuple(chosen) if len(chosen) <= 2 else (chosen[0], chosen[-1])
