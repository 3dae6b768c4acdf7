"""What an image is for: to be shown, or to be processed first."""

from enum import StrEnum


class Intent(StrEnum):
    """Presentation Intent Type (0008,0068)."""

    PRESENTATION = "FOR PRESENTATION"
    PROCESSING = "FOR PROCESSING"
