"""What scoring asks of a model."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """An operating point of the model."""

    number: int
    name: str
    default: bool


@dataclass(frozen=True, slots=True)
class Model:
    """What scoring asks of the model."""

    points: tuple[Point, ...]
    certainty: Callable[[float], float]
    """Of a single mark's score, 0-100."""

    @property
    def default(self) -> Point:
        """The default operating point."""
        return next(point for point in self.points if point.default)
