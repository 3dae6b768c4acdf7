"""`[calibration]` of a manifest: from the scores of a model to certainties.

A table, fitted by isotonic regression, holds as far up as there were wrong marks to fit it to.
Above its last point a tail goes on: the log odds of certainty rise with those of the score. So the
surest marks can be told apart, and an operating point can be set among them.
"""

from bisect import bisect_right
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from secondread.codes import MarkClass
from secondread.detect.toml_table import Percent, TomlTable
from secondread.log_odds import from_log_odds, to_log_odds

Points = Annotated[
    tuple[tuple[Annotated[float, Field(ge=0, le=1)], Percent], ...], Field(min_length=2)
]
"""(score, certainty) pairs, scores rising, certainty never falling; linear in between."""


class Tail(TomlTable):
    """What certainty does above the last point of its table.

    The log odds of certainty are those of the last point, plus `slope` times what the log odds of
    the score have risen since.
    """

    slope: float = Field(gt=0, le=10)
    limit: float = Field(gt=50, lt=100)
    """Certainty never exceeds this: beyond it nobody has counted."""


class Calibration(TomlTable):
    """`[calibration]`: from the model's score to certainty."""

    calibrated: bool
    """Whether the table was fitted to data with known truth."""
    on: str
    """The data; or why it was not fitted."""
    points: Points
    """For every class without a table of its own."""
    tail: Tail | None = None
    """Above the last of `points`; without it, certainty is constant there."""
    by_class: dict[MarkClass, Points] = Field(default_factory=dict)
    """Tables of single classes."""
    tail_by_class: dict[MarkClass, Tail] = Field(default_factory=dict)
    """The same for those tables."""
    exam: Points | None = None
    """From the probability, 0-1, that any cluster of an exam is one, as if its clusters were
    independent, to the probability that the exam holds one; None where that was not fitted."""
    exam_tail: Tail | None = None
    benign: Points | None = None
    """From the share, 0-1, of the typically benign types of a cluster to the probability that its
    type is one; None where that was not fitted, and nothing is left unmarked."""

    @model_validator(mode="after")
    def _rises(self) -> Self:
        for table in (self.points, *self.by_class.values(), self.exam or (), self.benign or ()):
            for (s0, c0), (s1, c1) in pairwise(table):
                if s1 <= s0 or c1 < c0:
                    raise ValueError("scores rise from point to point, and certainty never falls")
        return self

    @model_validator(mode="after")
    def _tails_go_on_from_a_table(self) -> Self:
        if set(self.tail_by_class) - set(self.by_class):
            raise ValueError("tail_by_class: a tail belongs to a table of by_class")
        if self.exam_tail is not None and self.exam is None:
            raise ValueError("exam_tail: a tail belongs to a table")
        return self

    def calibrate(self, mark_class: MarkClass, score: float) -> float:
        """Return the certainty, 0-100, of a score.

        Constant below the first point of the table, and above the last where it has no tail.
        """
        if mark_class in self.by_class:
            table, tail = self.by_class[mark_class], self.tail_by_class.get(mark_class)
        else:
            table, tail = self.points, self.tail
        return find_certainty(table, tail, score)

    def calibrate_exam(self, any_cluster: float) -> float | None:
        """Return the score of an exam, 0-100; None without a table."""
        return None if self.exam is None else find_certainty(self.exam, self.exam_tail, any_cluster)

    def calibrate_benign(self, share: float) -> float | None:
        """Return how likely a cluster is typically benign, 0-100; None without a table."""
        return None if self.benign is None else find_certainty(self.benign, None, share)


def find_certainty(points: Points, tail: Tail | None, score: float) -> float:
    """Return the certainty, 0-100, of a score by a table and its tail.

    >>> table = ((0.0, 0.0), (0.5, 60.0), (0.9, 90.0))
    >>> find_certainty(table, None, 0.7), find_certainty(table, None, 0.99)
    (75.0, 90.0)
    >>> round(find_certainty(table, Tail(slope=1.0, limit=99.99), 0.99), 2)
    99.0
    """
    scores = [known for known, _ in points]
    after = bisect_right(scores, score)
    if after == 0:
        return points[0][1]
    last, highest = points[-1]
    if after == len(points):
        if tail is None or score <= last:
            return highest
        risen = tail.slope * (to_log_odds(score) - to_log_odds(last))
        return max(
            highest, min(100 * from_log_odds(to_log_odds(highest / 100) + risen), tail.limit)
        )
    (s0, c0), (s1, c1) = points[after - 1], points[after]
    return c0 + (c1 - c0) * (score - s0) / (s1 - s0)
