"""What a check finds wrong with a document."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReportFault:
    """Something wrong, and where."""

    position: str
    """Position of the content item, or ``header``."""
    message: str

    def __str__(self) -> str:
        return f"{self.position}: {self.message}"
