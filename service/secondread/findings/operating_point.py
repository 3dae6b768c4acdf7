"""The one rule that decides which findings are shown, and its settings at an operating point.

Two values decide: certainty (is it what we call it) and class. Suspicion (how such calcifications
turned out in published series) and priority hide nothing: a sure amorphous cluster is of low
priority, and amorphous recurrences must not vanish. Change, scar and treatment are context beside
them and decide nothing either. What is left unmarked as typically benign (`typically_benign`) is
so at every operating point.
"""

from dataclasses import dataclass

from secondread.codes import MarkClass
from secondread.findings.typically_benign import (
    CalibrateBenign,
    Shares,
    is_typically_benign,
    mark_all,
)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Settings of the shown rule, with the number that TID 4000 calls CAD Operating Point."""

    number: int
    name: str
    minimum_certainty: float
    """Clusters below this certainty (0-100) are not shown."""
    calibrate_benign: CalibrateBenign = mark_all
    """The model's table for what is left unmarked as typically benign."""

    def sets_aside(self, types: Shares) -> bool:
        """Return whether a cluster of these types is named as typically benign and not shown."""
        return is_typically_benign(types, self.calibrate_benign)

    def shows(self, mark_class: MarkClass, certainty: float) -> bool:
        """Return whether a finding is shown.

        Only calcification clusters are: metal, vessels, skin and typically benign patterns are
        landmarks, and a single calcification is not a finding of its own.
        """
        return mark_class is MarkClass.CLUSTER and certainty >= self.minimum_certainty
