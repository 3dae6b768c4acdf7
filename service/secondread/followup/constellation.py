"""Whether the calcifications of a cluster were there in another image, which did not show them.

The detector scores the places where they would be in that image. Their constellation, as they
are among each other, is scored in the same way at other places of the same breast: only against
these do the scores at its own place mean anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondread.findings.changes import Recheck
from secondread.findings.finding import Finding
from secondread.followup.registration.frame import PointsMm, ViewFrame
from secondread.followup.view_changes import PLACE_LOST, RegisteredPair
from secondread.geometry import PointPx

Scores = Sequence[float | None]
"""For each place how sure the detector is of a calcification, 0-1; None outside the breast."""

METHOD = "constellation.v2"
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
REACH_MM = 1.0
"""How far a constellation is shifted as a whole to where it looks best, its own place and every
other alike: a place is known no better, and the graph answers within half a millimeter only."""

_NEAR_MM, _FAR_MM = 5.0, 18.0  # the ring of the other places: beside the cluster, in like tissue
_STEP_MM = 0.5
_INSIDE_MM = 1.0
_MOST_TRIED = 300
# Steps of Roberts' R2 sequence: any beginning of it fills the square evenly.
_R2 = (0.7548776662466927, 0.5698402909980532)

_TOO_LITTLE = "there is too little tissue around its place to compare with"


@dataclass(frozen=True, slots=True, eq=False)
class ConstellationQuery:
    """The places of a prior image to look at for a cluster that is new by the findings."""

    own: npt.NDArray[np.float64]
    """(steps, calcifications, 2): columns and rows of its own place."""
    others: npt.NDArray[np.float64]
    """(places, steps, calcifications, 2): the same elsewhere."""

    @property
    def points(self) -> tuple[PointPx, ...]:
        """Every place to look at, in the order that `judge_scores` takes the scores in."""
        flat = np.concatenate([self.own.reshape(-1, 2), self.others.reshape(-1, 2)])
        return tuple(PointPx(col, row) for col, row in flat.tolist())


def build_query(pair: RegisteredPair, finding: Finding) -> ConstellationQuery | str:
    """Return where to look in a prior's image for a current finding, or why that is no use."""
    registration, there = pair.registration, pair.registration.prior
    calcifications = pair.select_calcifications(finding)
    if (
        not len(calcifications)
        or not registration.has_tissue_near(calcifications.centers)
        or registration.estimate_error(calcifications.centers) > MOST_ERROR_MM
    ):
        return PLACE_LOST
    surest = np.argsort(-calcifications.certainty, kind="stable")[:MOST_MEMBERS]
    at = registration.map_mm(calcifications.centers[surest])
    shifts = _find_shifts(at, there)
    if not _is_inside(at, there) or len(shifts) < LEAST_PLACES:
        return _TOO_LITTLE
    own = at[None] + _list_steps_mm()[:, None]
    return ConstellationQuery(
        there.to_columns_rows(own), there.to_columns_rows(own[None] + shifts[:, None, None])
    )


def _list_steps_mm() -> PointsMm:
    """Return the shifts, (n, 2), that a constellation is tried with at every place."""
    count = int(REACH_MM / _STEP_MM)
    grid = [(x, y) for x in range(-count, count + 1) for y in range(-count, count + 1)]
    return _STEP_MM * np.array([step for step in grid if np.hypot(*step) <= count], np.float64)


def _is_inside(at: PointsMm, frame: ViewFrame) -> bool:
    return bool(np.mean(frame.depth_inside(at) > _INSIDE_MM) >= LEAST_INSIDE)


def _find_shifts(at: PointsMm, frame: ViewFrame) -> PointsMm:
    """Return shifts, (n, 2), that leave calcifications in the breast, evenly over a ring."""
    shifts: list[npt.NDArray[np.float64]] = []
    for number in range(1, _MOST_TRIED + 1):
        turn, far = (number * step % 1.0 for step in _R2)
        reach = _NEAR_MM + (_FAR_MM - _NEAR_MM) * far
        shift = reach * np.array([np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)])
        if _is_inside(at + shift, frame):
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
    values = np.array([np.nan if score is None else score for score in scores], np.float64)
    own = _weigh(values[: query.own[..., 0].size].reshape(query.own.shape[:-1]))
    others = _weigh(values[query.own[..., 0].size :].reshape(query.others.shape[:-1]))
    in_tissue = _select_tissue(others)
    if len(in_tissue) < LEAST_PLACES or not len(_select_tissue(own[None])):
        return Recheck(seen=False, why_not=_TOO_LITTLE)
    as_high = int(np.count_nonzero(_find_highest(in_tissue) >= _find_highest(own[None])))
    return Recheck(seen=as_high <= MOST_AS_HIGH, other_places=len(in_tissue), as_similar=as_high)


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
