"""The position of a finding in the breast: depth, distances and the part of the breast."""

from dataclasses import dataclass
from enum import StrEnum


class BreastHalf(StrEnum):
    """A half of the breast. Each of the two views shows other halves."""

    OUTER = "outer"
    INNER = "inner"
    UPPER = "upper"
    LOWER = "lower"
    CENTRAL = "central"
    """Nearer to the line between them than the error of the nipple's place."""


class DepthThird(StrEnum):
    """Depth between nipple and chest wall, or pectoral muscle where that is seen."""

    ANTERIOR = "anterior"
    MIDDLE = "middle"
    POSTERIOR = "posterior"


class Quadrant(StrEnum):
    """Quadrants of the breast, and its middle."""

    UPPER_OUTER = "upper outer"
    UPPER_INNER = "upper inner"
    LOWER_OUTER = "lower outer"
    LOWER_INNER = "lower inner"
    CENTRAL = "central"


@dataclass(frozen=True, slots=True)
class Position:
    """Position of a finding; None stands for unknown."""

    from_skin_mm: float | None
    """Nearest distance from the skin that the image shows."""
    from_nipple_mm: float | None
    """Distance from the nipple in the image plane."""
    nipple_error_mm: float | None
    """Standard error of the nipple's place, in each direction."""
    depth_mm: float | None
    """Distance behind the nipple, along the line from it to the chest wall or the muscle."""
    third: DepthThird | None
    half: BreastHalf | None
    """By this view: outer or inner, or upper or lower; by both where the finding was recognised
    in both."""
    quadrant: Quadrant | None = None
    """From both views, where the finding was recognised in both and is clear of the lines."""
    clock_hour: int | None = None
    """1 to 12, seen from in front; from both views, None also for central findings."""

    @property
    def words(self) -> str:
        """The position for people, ASCII; empty where nothing is known.

        >>> Position(12.0, 41.3, 2.5, 38.0, DepthThird.MIDDLE, BreastHalf.OUTER).words
        'outer half, middle third, 41 mm from the nipple'
        """
        parts = []
        hour = f" ({self.clock_hour} o'clock)" if self.clock_hour else ""
        if self.quadrant is not None:
            parts.append(f"{self.quadrant}{hour}")
        elif self.half is not None:
            parts.append(
                self.half if self.half is BreastHalf.CENTRAL else f"{self.half} half{hour}"
            )
        if self.third is not None:
            parts.append(f"{self.third} third")
        if self.from_nipple_mm is not None:
            parts.append(f"{self.from_nipple_mm:.0f} mm from the nipple")
        return ", ".join(parts)
