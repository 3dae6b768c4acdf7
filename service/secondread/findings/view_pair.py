"""A cluster that was recognised in two images of a breast."""

from dataclasses import dataclass

from secondread.findings.changes import FindingRef
from secondread.findings.position import BreastHalf, Quadrant


@dataclass(frozen=True, slots=True)
class BreastPlace:
    """A part of the breast, from both views together."""

    quadrant: Quadrant | None = None
    """None where a line between quadrants is nearer than the error of the place."""
    half: BreastHalf | None = None
    """The half of a line that the place is clear of; None where it is clear of neither."""
    clock_hour: int | None = None
    """1 to 12, seen from in front; None for a central place, and where the error is too large."""


@dataclass(frozen=True, slots=True)
class ViewPair:
    """One cluster in both views."""

    cc: FindingRef
    mlo: FindingRef
    confidence: float
    """Probability 0-1 that both are one cluster, by depth, number and size."""
    depths_mm: tuple[float, float]
    """Behind the nipple, in the cranio-caudal and in the oblique view."""
    place: BreastPlace


@dataclass(frozen=True, slots=True)
class RepeatPair:
    """One cluster in two images of the same view: a retake, or tiles of a large breast."""

    first: FindingRef
    second: FindingRef
    error_mm: float
    """Standard error of its place in the second image, once the images lie on each other."""
