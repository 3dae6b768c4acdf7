"""The detector's answer about one image: marks, gate values, the breast found.

These values cross the border between the detector's child process and the worker as JSON, so
everything here converts to and from plain values (`as_json`, `from_json`).
"""

from dataclasses import dataclass
from typing import Any

from secondread.codes import MarkClass, Morphology
from secondread.detect.anatomy import Anatomy
from secondread.geometry import PointPx
from secondread.reasons import ImageStatus, Reason

TypeShares = tuple[tuple[Morphology, float], ...]
"""Share, 0-1, of each type of calcification."""
PlaceShares = tuple[float | None, ...]
"""For each place of an image how surely it is a calcification, 0-1; None outside the breast."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One detector output, before grouping."""

    center: PointPx
    """In the stored image, SCOORD convention."""
    score: float
    """The model's number, 0-1, before calibration."""
    mark_class: MarkClass
    diameter_mm: float
    """Diameter of the disc that the response fits best, at the detector plane."""
    contrast: float
    """Peak over local background, in units of the local noise."""
    elongation: float = 1.0
    """Ratio of the principal axes of the response, 1 for a disc."""
    morphology: TypeShares = ()
    """Shares of the types that the model distinguishes; empty where it distinguishes none."""

    def as_json(self) -> list[Any]:
        """Return plain values that `from_json` turns back into an equal `Mark`."""
        return [
            self.center.col,
            self.center.row,
            self.score,
            self.mark_class.value,
            self.diameter_mm,
            self.contrast,
            self.elongation,
            [[kind.name, share] for kind, share in self.morphology],
        ]

    @classmethod
    def from_json(cls, values: list[Any]) -> "Mark":
        """Return the mark that `as_json` encoded."""
        col, row, score, mark_class, diameter, contrast, elongation, shares = values
        return cls(
            PointPx(col, row),
            score,
            MarkClass(mark_class),
            diameter,
            contrast,
            elongation,
            tuple((Morphology[name], share) for name, share in shares),
        )


@dataclass(frozen=True, slots=True)
class Breast:
    """The breast region of one image."""

    area_cm2: float
    tissue_fraction: float
    """Share of the image that is breast."""
    chest_wall_side: str
    """The image border that the breast touches: ``left`` or ``right``."""
    box: tuple[int, int, int, int]
    """First row, row after the last, first column, column after the last, of the stored image."""
    anatomy: Anatomy | None = None
    """Landmarks; None where they were not looked for, as in a refused image."""

    def as_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` turns back into an equal `Breast`."""
        return {
            "area_cm2": self.area_cm2,
            "tissue_fraction": self.tissue_fraction,
            "chest_wall_side": self.chest_wall_side,
            "box": list(self.box),
            "anatomy": self.anatomy and self.anatomy.as_json(),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Breast":
        """Return the breast that `as_json` encoded."""
        anatomy = values["anatomy"] and Anatomy.from_json(values["anatomy"])
        return cls(**{**values, "box": tuple(values["box"]), "anatomy": anatomy})


@dataclass(frozen=True, slots=True)
class Detection:
    """What the detector found in one image, and what the gates measured."""

    sop_instance_uid: str
    status: ImageStatus
    reasons: tuple[Reason, ...]
    marks: tuple[Mark, ...]
    gates: dict[str, float | str]
    """Name of each gate value and what was measured, for the report and `findings.json`."""
    breast: Breast | None
    seconds: float
    detail: str = ""
    """For people: what exactly was wrong, for example a decoder's message; no patient data."""

    @classmethod
    def from_failure(
        cls, sop_instance_uid: str, reason: Reason, detail: str = "", seconds: float = 0.0
    ) -> "Detection":
        """Return the answer about an image that could not be read at all."""
        return cls(sop_instance_uid, ImageStatus.FAILED, (reason,), (), {}, None, seconds, detail)

    def as_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` turns back into an equal `Detection`."""
        return {
            "sop_instance_uid": self.sop_instance_uid,
            "status": self.status.value,
            "reasons": [reason.value for reason in self.reasons],
            "marks": [mark.as_json() for mark in self.marks],
            "gates": dict(self.gates),
            "breast": self.breast and self.breast.as_json(),
            "seconds": self.seconds,
            "detail": self.detail,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Detection":
        """Return the detection that `as_json` encoded."""
        return cls(
            sop_instance_uid=values["sop_instance_uid"],
            status=ImageStatus(values["status"]),
            reasons=tuple(Reason(reason) for reason in values["reasons"]),
            marks=tuple(Mark.from_json(mark) for mark in values["marks"]),
            gates=dict(values["gates"]),
            breast=values["breast"] and Breast.from_json(values["breast"]),
            seconds=values["seconds"],
            detail=values["detail"],
        )
