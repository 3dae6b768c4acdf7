"""A technologist's markers in the image: a ball on the nipple, a wire on the scar, a label."""

from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from secondread_lab.simulate.phantom import SimulatedBreast
from secondread_lab.simulate.seeds import seed_stream
from secondread_lab.simulate.shapes import make_lead_ball, make_wire
from secondread_lab.simulate.solids import Solid
from secondread_lab.simulate.treated_breast import TreatmentSpec

Marker = Literal["nipple", "scar"]
"""A lead ball on the nipple; a thin wire stuck on the skin along the scar."""

_SCAR_WIRE_MM = 24.0
_LETTER_MM = 4.0
_SMALL_LETTER_MM = 2.2
_STROKE_MM = 0.35


def make_nipple_ball(breast: SimulatedBreast) -> Solid:
    """Return the ball that marks the nipple: it is on its tip."""
    return make_lead_ball(np.array([-breast.nipple_mm + 1.5, 0.0, 0.0]))


def draw_scar_wire(breast: SimulatedBreast, treatment: TreatmentSpec, seed: int) -> Solid:
    """Return the wire along the scar of an operation, on the skin above the bed."""
    rng = seed_stream(seed, "scar wire", breast.laterality.letter)
    centre = treatment.locate_bed(breast)
    share = float(np.clip(centre[0] / breast.depth_mm, 0.05, 1.0))
    radius = 0.75 * breast.half_width_mm * np.sqrt(share * (2.0 - share))
    outward = centre[1:] / max(float(np.linalg.norm(centre[1:])), 1.0)
    along = np.linspace(-0.5, 0.5, 200)
    bow = float(rng.uniform(1.0, 3.0))
    points = np.stack(
        [
            _SCAR_WIRE_MM * along,
            -outward[1] * bow * np.cos(np.pi * along),
            outward[0] * bow * np.cos(np.pi * along),
        ],
        axis=-1,
    )
    return make_wire(points, 0.2, np.array([centre[0], *(outward * radius)]))


def draw_label_mask(
    shape: tuple[int, int], text: str, pitch_mm: float, chest_wall: str, lines: tuple[str, ...] = ()
) -> npt.NDArray[np.bool_]:
    """Return where letters are burned in: in the upper part, away from the chest wall.

    Parameters
    ----------
    text
        Side and view.
    lines
        Lines below it in smaller letters: the technique, in capitals.
    """
    mask = np.zeros(shape, np.uint8)
    below = _write_line(mask, text, 0.07 * shape[0], _LETTER_MM / pitch_mm, chest_wall)
    for line in lines:
        below = _write_line(
            mask, line, below + 1.0 / pitch_mm, _SMALL_LETTER_MM / pitch_mm, chest_wall
        )
    return mask > 0


def _write_line(
    mask: npt.NDArray[np.uint8], text: str, top: float, height_px: float, chest_wall: str
) -> float:
    """Write a line of text and return the row below it."""
    scale = height_px / 22.0
    thickness = max(round(height_px * _STROKE_MM / _LETTER_MM), 1)
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    middle = 0.78 if chest_wall == "left" else 0.22
    origin = (round(middle * mask.shape[1] - width / 2), round(top + height))
    cv2.putText(mask, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, 1, thickness, cv2.LINE_8)
    return float(origin[1])
