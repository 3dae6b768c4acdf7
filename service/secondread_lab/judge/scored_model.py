"""The properties of a model that scoring needs."""

from collections.abc import Callable
from dataclasses import dataclass

from secondread.findings.exam_score import CalibrateExam, leave_unscored


@dataclass(frozen=True, slots=True)
class ModelPoint:
    """An operating point of the model."""

    number: int
    name: str
    default: bool


@dataclass(frozen=True, slots=True)
class ScoredModel:
    """The properties of the model that scoring needs."""

    points: tuple[ModelPoint, ...]
    certainty: Callable[[float], float]
    """Of a single mark's score, 0-100."""
    exam_score: CalibrateExam = leave_unscored
    """The model's table for the score of an exam."""

    @property
    def default(self) -> ModelPoint:
        """The default operating point."""
        return next(point for point in self.points if point.default)
