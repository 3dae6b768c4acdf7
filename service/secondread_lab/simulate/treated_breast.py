"""A treated breast: the bed of the lumpectomy, its clips, its scar, and the treatment record."""

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from secondread.codes import Laterality, View
from secondread_lab.simulate.curves import TaperedCurve, draw_wandering_line, sample_curves
from secondread_lab.simulate.fields import Map, Spectrum, draw_power_law_map, resize_map
from secondread_lab.simulate.phantom import SimulatedBreast
from secondread_lab.simulate.projection import compute_beam_axes
from secondread_lab.simulate.seeds import seed_stream
from secondread_lab.simulate.shapes import draw_clip
from secondread_lab.simulate.solids import Solid
from secondread_lab.simulate.strokes import Canvas, integrate_strokes
from secondread_lab.simulate.tissue import Aftermath

BED_MM = 14.0
"""Radius of a lumpectomy bed around its centre."""

NEAR_MM = 30.0
"""What is farther from the bed's centre is elsewhere in the breast."""

TREATMENT_COLUMNS = (
    "patient_id",
    "issuer",
    "side",
    "procedure",
    "started_on",
    "ended_on",
    "site",
)
"""Header of the treatment record; side is R or L, site a clock face, dates are ISO 8601."""


@dataclass(frozen=True, slots=True)
class TreatmentSpec:
    """Breast-conserving surgery and radiotherapy of one breast."""

    laterality: Laterality
    operated_on: date
    place: tuple[float, float, float] = (0.45, 0.40, 0.25)
    """Of the bed, see `SimulatedBreast.find_point`."""
    clips: int = 5
    radiotherapy: bool = True

    def years_since(self, day: date) -> float:
        """Return the years from the operation to a day; negative before it."""
        return (day - self.operated_on).days / 365.25

    def is_operated(self, laterality: Laterality, day: date) -> bool:
        """Whether a breast had been operated on by a day."""
        return self.laterality is laterality and self.operated_on <= day

    def locate_bed(self, breast: SimulatedBreast) -> npt.NDArray[np.float64]:
        """Return the bed's centre in breast coordinates."""
        return breast.find_point(self.place)

    @property
    def clock_face(self) -> str:
        """Position of the bed as a surgeon writes it: hours seen from in front."""
        _, lateral, superior = self.place
        # Seen from in front, the left breast's lateral side is at 3 o'clock, the right's at 9.
        sign = 1.0 if self.laterality is Laterality.LEFT else -1.0
        hours = round(math.degrees(math.atan2(sign * lateral, superior)) / 30.0) % 12
        return f"{hours or 12} o'clock"


def name_zone(
    point: npt.NDArray[np.float64], breast: SimulatedBreast, treatment: TreatmentSpec | None
) -> str:
    """Return the zone of a point relative to the treated site; empty without a treatment."""
    if treatment is None:
        return ""
    if breast.laterality is not treatment.laterality:
        return "other-breast"
    distance = float(np.linalg.norm(point - treatment.locate_bed(breast)))
    if distance <= BED_MM:
        return "bed"
    return "near-bed" if distance <= NEAR_MM else "treated-breast"


def draw_bed_clips(
    breast: SimulatedBreast, treatment: TreatmentSpec, seed: int
) -> tuple[Solid, ...]:
    """Return the clips that mark the bed's walls."""
    rng = seed_stream(seed, "clips", breast.laterality.letter)
    centre = treatment.locate_bed(breast)
    walls = rng.normal(size=(treatment.clips, 3))
    walls *= (0.75 * BED_MM) / np.linalg.norm(walls, axis=1, keepdims=True)
    return tuple(draw_clip(rng, centre + wall) for wall in walls)


def draw_aftermath(
    breast: SimulatedBreast,
    view: View,
    treatment: TreatmentSpec,
    day: date,
    canvas: Canvas,
    seed: int,
) -> Aftermath:
    """Draw the changes by a day: a scar that shrinks, its spicules, skin and strands."""
    years = treatment.years_since(day)
    axes = compute_beam_axes(breast, view)
    centre = axes @ treatment.locate_bed(breast)
    rng = seed_stream(seed, "scar", breast.laterality.letter)
    # A scar contracts over the first years and then stays as it is.
    radius = 5.0 + 5.0 * math.exp(-max(years, 0.0) / 2.0)
    core = _draw_core(centre, radius, canvas, seed_stream(seed, "scar core", view.name))
    spicules: list[TaperedCurve] = []
    for _ in range(26):
        heading = rng.normal(size=3)
        length = float(rng.uniform(10, 30))
        start = treatment.locate_bed(breast) + 2.0 * heading / np.linalg.norm(heading)
        points = draw_wandering_line(rng, start, heading, length, bend=0.02)
        width = float(rng.uniform(0.4, 0.9))
        spicules.append(TaperedCurve(points, width, 0.15, density=float(rng.uniform(1.5, 3.0))))
    added = core + integrate_strokes(sample_curves(spicules).project(axes), canvas)
    place = (float(centre[0]), float(centre[1]))
    # It draws in the tissue around it as it shrinks.
    pull = 0.45 * (1.0 - 0.6 * math.exp(-max(years, 0.0) / 2.0))
    if not treatment.radiotherapy:
        return Aftermath(added, centre=place, pull=pull)
    # Skin and strands swell in the first year and then recede, but never completely.
    swollen = 0.4 + 0.6 * math.exp(-max(years - 0.5, 0.0) / 1.5)
    return Aftermath(added, 1.6 * swollen, 1.0 + 0.4 * swollen, place, pull)


def _draw_core(
    centre: npt.NDArray[np.float64], radius: float, canvas: Canvas, rng: np.random.Generator
) -> Map:
    pitch = 0.4
    shape, depth, across = canvas.make_coarse_raster(pitch)
    reach = np.hypot(depth - np.float32(centre[0]), across - np.float32(centre[1]))
    # The rim is ragged: the scar reaches farther in some directions than in others.
    ragged = reach * (1.0 + 0.22 * draw_power_law_map(rng, shape, pitch, Spectrum(3.0, 12.0, 0.5)))
    body = np.exp(-((ragged / np.float32(radius)) ** 2)) * np.float32(1.3 * radius)
    return resize_map(cv2.GaussianBlur(body, (0, 0), 0.8), canvas.shape)


def make_treatment_rows(
    patient_id: str, issuer: str, treatments: Iterable[TreatmentSpec]
) -> list[tuple[str, ...]]:
    """Return the treatment record, one row for each procedure, in the order of the columns."""
    rows: list[tuple[str, ...]] = []
    for treatment in treatments:
        identity = (patient_id, issuer, treatment.laterality.letter)
        day = treatment.operated_on
        rows.append(
            (*identity, "lumpectomy", day.isoformat(), day.isoformat(), treatment.clock_face)
        )
        if treatment.radiotherapy:
            begin, end = (day + timedelta(days=n) for n in (42, 70))
            rows.append((*identity, "radiotherapy", begin.isoformat(), end.isoformat(), ""))
    return rows


def write_treatments(path: Path, rows: Iterable[tuple[str, ...]]) -> None:
    """Write the treatment record as CSV."""
    with path.open("w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(TREATMENT_COLUMNS)
        writer.writerows(rows)
