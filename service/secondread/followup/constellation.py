"""Whether the calcifications of a cluster were there in another image, which did not show them.

The detector scores the places where they would be in that image. Their constellation, as they
are among each other, is scored in the same way at other places of the same breast: only against
these do the scores at its own place mean anything.

Of a cluster that the other image shows some calcifications may have no partner there. Each of
them is seen if the detector is sure of it once it knows where to look; the rest is a constellation
as any other. What that image's marks show already is no sign of them, however near it lies.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from secondread.findings.changes import Recheck
from secondread.followup.calcifications import Calcifications
from secondread.followup.registration.frame import PointsMm, ViewFrame
from secondread.followup.view_changes import PLACE_LOST, RegisteredPair
from secondread.geometry import PointPx

Scores = Sequence[float | None]
"""For each place how sure the detector is of a calcification, 0-1; None outside the breast."""

METHOD = "constellation.v3"
"""Names what follows; a change of it that changes answers changes the name."""

MOST_MEMBERS = 10
"""The surest calcifications of a cluster decide whether it was there."""
PLACES, LEAST_PLACES = 40, 30
"""Other places that are looked at, and how many of them there must be."""
MOST_AS_HIGH = 1
"""Of them, how many may look as much like the cluster as its own place does.

Measured with the rescoring graph of 2.2.0 in 8-bit arithmetic, on clusters of simulated pairs that
no finding of the prior was, placed 0 / 0.7 mm off: 34 / 30 of 39 that had grown were seen so,
7 / 8 of 13 false marks, and 3 / 0 of 55 that were new; with none allowed 25 / 24, 7 / 7, and 2 / 0.
"""
LEAST_INSIDE = 0.8
"""Share of the calcifications that must be in tissue, at every place."""
MOST_ERROR_MM = 1.5
"""Where a place is known less well, the prior is not looked at."""
SEEN_SCORE = 0.75
"""Score from which on one calcification is seen where it is looked for.

On 70 simulated pairs, of calcifications without a partner in the cluster's prior: 30 of 33 with a
contrast above 7 that the detector had missed there were seen so, and 5 of 64 that were new.
"""
REACH_MM = 1.0
"""How far a constellation is shifted as a whole to where it looks best, its own place and every
other alike: a place is known no better, and the graph answers within half a millimeter only."""

_NEAR_MM, _FAR_MM = 5.0, 18.0  # the ring of the other places: beside the cluster, in like tissue
_STEP_MM = 0.5
_ON_MARK_MM = 0.8  # the graph answers for a calcification as far from it as this
_APART_MM = REACH_MM + 0.5  # the graph answers within half a millimeter
_INSIDE_MM = 1.0
_MOST_TRIED = 300
# Steps of Roberts' R2 sequence: any beginning of it fills the square evenly.
_R2 = (0.7548776662466927, 0.5698402909980532)

_TOO_NEAR = "too near to what the prior's findings show there"
_TOO_LITTLE = "there is too little tissue around its place to compare with"


@dataclass(frozen=True, slots=True, eq=False)
class ConstellationQuery:
    """The places of a prior image to look at for a cluster that is new by the findings."""

    own: npt.NDArray[np.float64]
    """(steps, calcifications, 2): columns and rows of its own place."""
    others: npt.NDArray[np.float64]
    """(places, steps, calcifications, 2): the same elsewhere."""
    on_marks: npt.NDArray[np.bool_]
    """(steps, calcifications): which of its own places are on marks of the prior."""

    @property
    def points(self) -> tuple[PointPx, ...]:
        """Every place to look at, in the order that `judge_scores` takes the scores in."""
        flat = np.concatenate([self.own.reshape(-1, 2), self.others.reshape(-1, 2)])
        return tuple(PointPx(col, row) for col, row in flat.tolist())


def build_query(pair: RegisteredPair, calcifications: Calcifications) -> ConstellationQuery | str:
    """Return where to look in a prior's image for current calcifications, or why that is no use."""
    registration, there = pair.registration, pair.registration.prior
    if (
        not len(calcifications)
        or not registration.has_tissue_near(calcifications.centers)
        or registration.estimate_error(calcifications.centers) > MOST_ERROR_MM
    ):
        return PLACE_LOST
    surest = np.argsort(-calcifications.certainty, kind="stable")[:MOST_MEMBERS]
    at = registration.map_mm(calcifications.centers[surest])
    # What the prior surely shows looks like calcifications, whatever is asked about.
    known = pair.prior_calcifications.select(pair.prior_calcifications.sure).centers
    shifts = _find_shifts(at, there, known)
    if not _is_inside(at, there) or len(shifts) < LEAST_PLACES:
        return _TOO_LITTLE
    own = at[None] + _list_steps_mm()[:, None]
    from_marks = cdist(own.reshape(-1, 2), pair.prior_calcifications.centers)
    return ConstellationQuery(
        there.to_columns_rows(own),
        there.to_columns_rows(own[None] + shifts[:, None, None]),
        (from_marks.min(axis=1, initial=np.inf) < _ON_MARK_MM).reshape(own.shape[:-1]),
    )


def _list_steps_mm() -> PointsMm:
    """Return the shifts, (n, 2), that a constellation is tried with at every place."""
    count = int(REACH_MM / _STEP_MM)
    grid = [(x, y) for x in range(-count, count + 1) for y in range(-count, count + 1)]
    return _STEP_MM * np.array([step for step in grid if np.hypot(*step) <= count], np.float64)


def _is_inside(at: PointsMm, frame: ViewFrame) -> bool:
    return bool(np.mean(frame.depth_inside(at) > _INSIDE_MM) >= LEAST_INSIDE)


def _find_shifts(at: PointsMm, frame: ViewFrame, known: PointsMm) -> PointsMm:
    """Return shifts, (n, 2), that leave calcifications in the breast, evenly over a ring.

    None of them lays one on a calcification that is `known` there.
    """
    shifts: list[npt.NDArray[np.float64]] = []
    for number in range(1, _MOST_TRIED + 1):
        turn, far = (number * step % 1.0 for step in _R2)
        reach = _NEAR_MM + (_FAR_MM - _NEAR_MM) * far
        shift = reach * np.array([np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)])
        apart = cdist(at + shift, known).min(initial=np.inf)
        if apart > _APART_MM and _is_inside(at + shift, frame):
            shifts.append(shift)
        if len(shifts) == PLACES:
            break
    return np.array(shifts, np.float64).reshape(-1, 2)


def judge_scores(query: ConstellationQuery, scores: Scores) -> Recheck:
    """Return what follows from the scores of a query's places.

    Parameters
    ----------
    query
        What the detector was asked.
    scores
        One for each of its `points`.
    """
    own, others = _split_weights(query, scores)
    in_tissue = _select_tissue(others)
    if len(in_tissue) < LEAST_PLACES or not len(_select_tissue(own[None])):
        return Recheck(seen=False, why_not=_TOO_LITTLE)
    as_high = int(np.count_nonzero(_find_highest(in_tissue) >= _find_highest(own[None])))
    return Recheck(seen=as_high <= MOST_AS_HIGH, other_places=len(in_tissue), as_similar=as_high)


@dataclass(frozen=True, slots=True, eq=False)
class MembersLook:
    """Which of a cluster's calcifications another image shows, that its marks do not show."""

    seen: npt.NDArray[np.bool_]
    """Those that are seen each by itself."""
    unseen: npt.NDArray[np.bool_]
    """Those that are not; the rest is too near to marks to tell."""
    recheck: Recheck
    """Of the unseen ones together."""


def judge_members(query: ConstellationQuery, scores: Scores) -> MembersLook:
    """Return what follows from the scores of a query about some of a cluster's calcifications.

    Parameters
    ----------
    query
        What the detector was asked.
    scores
        One for each of its `points`.
    """
    own, others = _split_weights(query, scores)
    own[query.on_marks] = np.nan
    likeness = np.nan_to_num(own).sum(axis=1)
    at_best = own[int(np.argmax(likeness))]
    seen = np.nan_to_num(at_best) >= _weigh(np.array(SEEN_SCORE))
    unseen = np.isfinite(at_best) & ~seen
    if not unseen.any():
        return MembersLook(seen, unseen, Recheck(seen=bool(seen.any()), why_not=_TOO_NEAR))
    rest = others[..., unseen]
    in_tissue = _select_tissue(rest)
    if len(in_tissue) < LEAST_PLACES:
        return MembersLook(seen, unseen, Recheck(seen=False, why_not=_TOO_LITTLE))
    here = float(at_best[unseen].mean())
    as_high = int(np.count_nonzero(_find_highest(in_tissue) >= here))
    recheck = Recheck(as_high <= MOST_AS_HIGH, len(in_tissue), as_high)
    return MembersLook(seen, unseen, recheck)


def _split_weights(
    query: ConstellationQuery, scores: Scores
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the weights of its own place and of the others, in the shapes of the query."""
    values = np.array([np.nan if score is None else score for score in scores], np.float64)
    own, others = np.split(values, [query.on_marks.size])
    return (
        _weigh(own.reshape(query.own.shape[:-1])),
        _weigh(others.reshape(query.others.shape[:-1])),
    )


def _weigh(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the log-odds of scores, bounded below.

    The soft bound, log(1 + exp(log-odds + 2)), makes all scores alike that are far below 0.1:
    how sure the detector is that a place shows nothing must not outweigh what it sees at others.
    """
    clipped = np.clip(scores, 1e-4, 1 - 1e-4)
    with np.errstate(invalid="ignore"):  # scores outside the breast are NaN, and stay so
        weights = np.logaddexp(0.0, np.log(clipped / (1 - clipped)) + 2.0)
    return np.asarray(weights, np.float64)


def _select_tissue(places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the places, (n, steps, calcifications), that are nearly all tissue at every step."""
    inside = np.isfinite(places).mean(axis=2).min(axis=1, initial=1.0)
    return np.asarray(places[inside >= LEAST_INSIDE], np.float64)


def _find_highest(places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return how much each place looks like the cluster, shifted to where that is most."""
    return np.asarray(np.nanmean(places, axis=2).max(axis=1), np.float64)
