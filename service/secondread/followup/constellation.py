"""Whether the calcifications of a cluster were there in another image, which did not show them.

Laid on it as they are among each other, their own place is held against other places of the same
breast, on each of which the same constellation is laid.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondread.findings.comparison import FindingRef, Look
from secondread.findings.finding import Finding, ImageReading
from secondread.followup.frame import PointsMm, ViewFrame, frame_of
from secondread.followup.registration import Registration, register
from secondread.followup.spots import Spots, spots_of
from secondread.followup.view_changes import PLACE_LOST, reference
from secondread.geometry import PointPx

Scores = Sequence[float | None]
"""For each place how sure the detector is of a calcification, 0-1; None outside the breast."""

METHOD = "constellation.v1"
"""Names what follows; a change of it that changes answers changes the name."""

MOST_MEMBERS = 10
"""The surest calcifications of a cluster decide whether it was there."""
PLACES, LEAST_PLACES = 40, 30
"""Other places that are looked at, and how many of them there must be. None may look as much like
the cluster as its own does. Measured on clusters of simulated pairs that no finding of the prior
was: 34 of 39 that had grown were seen so, 9 of 13 false marks, and 1 of 55 that were new."""
LEAST_INSIDE = 0.8
"""Share of the calcifications that must lie in tissue, wherever they are laid."""
MOST_ERROR_MM = 3.0
"""Where a place is known less well, the prior is not looked at."""
BY_CHANCE = 0.1
"""Share of the calcifications laid elsewhere that are taken for seen."""

_NEAR_MM, _FAR_MM = 5.0, 18.0
# The constellation is shifted as a whole to where it looks best, as a place is known no better.
_STEP_MM = 0.14
_STEPS_MM = _STEP_MM * np.array([(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)], np.float64)
_INSIDE_MM = 1.0
_MOST_TRIED = 300
_LEAST_SURE = 3
# Steps of Roberts' R2 sequence: any beginning of it fills the square evenly.
_R2 = (0.7548776662466927, 0.5698402909980532)

_TOO_LITTLE = "there is too little tissue around its place to compare with"


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A cluster that is new as far as findings tell, and the places of a prior image to look at."""

    current: FindingRef
    prior_image: str
    """SOP Instance UID."""
    sure: int
    """How many of its calcifications are counted; they come first."""
    own: npt.NDArray[np.float64]
    """(steps, calcifications, 2): columns and rows of its own place, the surest calcification
    first."""
    others: npt.NDArray[np.float64]
    """(places, steps, calcifications, 2): the surest calcifications elsewhere."""

    @property
    def points(self) -> tuple[PointPx, ...]:
        """Every place to look at, in the order that `judged` takes the scores in."""
        flat = np.concatenate([self.own.reshape(-1, 2), self.others.reshape(-1, 2)])
        return tuple(PointPx(col, row) for col, row in flat.tolist())


def question_about(image: ImageReading, finding: Finding, other: ImageReading) -> Question | str:
    """Return what to look at in a prior's image, or why that would say nothing."""
    here, there = frame_of(image), frame_of(other)
    if here is None or there is None:
        return PLACE_LOST
    registration = register(here, there)
    spots = spots_of(image, here).of([image.findings.index(finding)])
    if not len(spots) or not _is_known(registration, spots.at):
        return PLACE_LOST
    order = np.argsort(-spots.certainty, kind="stable")
    at = registration.map_mm(spots.at[order])
    shifts = _shifts(at[:MOST_MEMBERS], there)
    if not _is_inside(at, there) or len(shifts) < LEAST_PLACES:
        return _TOO_LITTLE
    own = at[None] + _STEPS_MM[:, None]
    return Question(
        reference(image, finding),
        other.mammogram.sop_instance_uid,
        _counted(spots),
        there.to_columns_rows(own),
        there.to_columns_rows(own[None, :, :MOST_MEMBERS] + shifts[:, None, None]),
    )


def _is_known(registration: Registration, at: PointsMm) -> bool:
    return (
        registration.is_usable
        and registration.finds_again(at)
        and registration.error_at(at) <= MOST_ERROR_MM
    )


def _counted(spots: Spots) -> int:
    """Return how many calcifications count: those rather there than not, of too few all."""
    sure = int(np.count_nonzero(spots.sure))
    return sure if sure >= _LEAST_SURE else len(spots)


def _is_inside(at: PointsMm, frame: ViewFrame) -> bool:
    return bool(np.mean(frame.depth_inside(at) > _INSIDE_MM) >= LEAST_INSIDE)


def _shifts(at: PointsMm, frame: ViewFrame) -> PointsMm:
    """Return shifts, (n, 2), that leave calcifications in the breast, evenly over a ring."""
    found: list[npt.NDArray[np.float64]] = []
    for number in range(1, _MOST_TRIED + 1):
        turn, far = (number * step % 1.0 for step in _R2)
        reach = _NEAR_MM + (_FAR_MM - _NEAR_MM) * far
        shift = reach * np.array([np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)])
        if _is_inside(at + shift, frame):
            found.append(shift)
        if len(found) == PLACES:
            break
    return np.array(found, np.float64).reshape(-1, 2)


def judged(question: Question, scores: Scores) -> Look:
    """Return what the scores of a question's places say.

    Parameters
    ----------
    question
        What was asked.
    scores
        One for each of its `points`.
    """
    values = np.array([np.nan if one is None else one for one in scores], np.float64)
    own = _evidence(values[: question.own[..., 0].size].reshape(question.own.shape[:-1]))
    others = _evidence(values[question.own[..., 0].size :].reshape(question.others.shape[:-1]))
    known = _known(others)
    surest = own[:, :MOST_MEMBERS]
    if len(known) < LEAST_PLACES or not len(_known(surest[None])):
        return Look(seen=False, why_not=_TOO_LITTLE)
    best, by_place = _best(surest[None])[0], _best(known)
    here = float(np.nanmean(surest[best]))
    elsewhere = np.array([np.nanmean(one[step]) for one, step in zip(known, by_place, strict=True)])
    as_high = int(np.count_nonzero(elsewhere >= here))
    if as_high:
        return Look(seen=False, places=len(known), as_high=as_high, now=question.sure)
    single = np.concatenate([one[step] for one, step in zip(known, by_place, strict=True)])
    bar = np.nanquantile(single, 1 - BY_CHANCE)
    seen = int(np.count_nonzero(own[best, : question.sure] > bar))
    return Look(
        seen=True,
        places=len(known),
        now=question.sure,
        then=_beyond_chance(seen, question.sure),
    )


def _evidence(shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the log-odds of shares, those of what is surely nothing all alike."""
    clipped = np.clip(shares, 1e-4, 1 - 1e-4)
    with np.errstate(invalid="ignore"):  # outside the breast they are not known, and stay so
        found = np.logaddexp(0.0, np.log(clipped / (1 - clipped)) + 2.0)
    return np.asarray(found, np.float64)


def _known(places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the places, (n, steps, calcifications), that are nearly all tissue."""
    inside = np.isfinite(places).mean(axis=2).min(axis=1, initial=1.0)
    return np.asarray(places[inside >= LEAST_INSIDE], np.float64)


def _best(places: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return of each place the step that looks most like the cluster."""
    return np.asarray(np.nanmean(places, axis=2).argmax(axis=1), np.int64)


def _beyond_chance(seen: int, of: int) -> int:
    """Return how many of those seen are no chance; at least one, as the whole is none."""
    return min(max(round((seen - BY_CHANCE * of) / (1 - BY_CHANCE)), 1), of)
