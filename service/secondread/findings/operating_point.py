"""The one rule that decides which findings are shown, and its settings at an operating point.

Three values decide and are never mixed: certainty (is it what we call it), class, and suspicion
(how such calcifications turned out in published series). Change, scar and treatment are context
beside them and decide nothing.
"""

from dataclasses import dataclass

from secondread.codes import MarkClass


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Settings of the shown rule, with the number that TID 4000 calls CAD Operating Point."""

    number: int
    name: str
    minimum_certainty: float
    """Clusters below this certainty (0-100) are not shown."""
    minimum_suspicion: float = 0.0
    """Clusters whose suspicion is known and below this (0-100) are not shown."""

    def shows(self, mark_class: MarkClass, certainty: float, suspicion: float | None) -> bool:
        """Return whether a finding is shown.

        Only calcification clusters are: metal, vessels, skin and typically benign patterns are
        landmarks, and a single calcification is not a finding of its own.
        """
        return (
            mark_class is MarkClass.CLUSTER
            and certainty >= self.minimum_certainty
            and (suspicion is None or suspicion >= self.minimum_suspicion)
        )
