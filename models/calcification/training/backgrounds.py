"""Tissue without any solid, as line integrals: drawn once, imaged many times.

The tissue of a view takes a second or two to draw and a few milliseconds to expose. So views are
drawn once and stored, and each training region exposes a piece of one anew, as another unit would.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from secondread.codes import Laterality, View
from secondread.files import write_whole
from secondread_lab.simulate.fields import Map
from secondread_lab.simulate.phantom import Density, draw_breast
from secondread_lab.simulate.projection import Frame, draw_positioning, find_chest_wall_side
from secondread_lab.simulate.seeds import seed_stream
from secondread_lab.simulate.tissue import draw_tissue
from secondread_lab.simulate.treated_breast import TreatmentSpec, draw_aftermath
from secondread_lab.simulate.vendors import VENDORS

FIRST_SEED = 5_000_000
"""First anatomy seed for training; test exams have `population.RESERVED_SEEDS`."""

_UNIT = 8192
"""Steps per unit of the line integral in the files: a hundredth of the noise."""
_DENSITIES: tuple[Density, ...] = ("a", "b", "c", "d")
_SHARES = (0.12, 0.40, 0.38, 0.10)
"""Of the four compositions (BI-RADS atlas, 5th edition: about 10, 40, 40 and 10 %)."""
_DAY = date(2026, 1, 1)


@dataclass(frozen=True, slots=True)
class Background:
    """The tissue of one view."""

    lines: Map
    """Line integral of the attenuation; 0 outside the breast."""
    pitch_mm: float
    level: float
    """The line integral at which the automatic exposure control aims."""
    fat: float
    dense: float
    """The line integrals of fat and of the densest tissue, as processing finds them."""


def write_backgrounds(folder: Path, numbers: Iterator[int]) -> Iterator[Path]:
    """Draw the backgrounds of these numbers that do not exist yet, and yield the files of all."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        path = folder / f"{number:05d}.npz"
        if not path.exists():
            lines, levels = _draw_view(number)
            with write_whole(path, durable=True) as part:
                np.savez(part, lines=lines, levels=levels)
        yield path


def read_background(path: Path) -> Background:
    """Read one background."""
    with np.load(path) as data:
        lines = data["lines"].astype(np.float32) / np.float32(_UNIT)
        pitch_mm, level, fat, dense = (float(value) for value in data["levels"])
    return Background(lines, pitch_mm, level, fat, dense)


def _draw_view(number: int) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.float64]]:
    """Return the file's arrays, lines and levels, of a view of a breast, treated or not."""
    seed = FIRST_SEED + number // 2
    rng = seed_stream(seed, "background", str(number % 2))
    laterality = Laterality.LEFT if rng.random() < 0.5 else Laterality.RIGHT
    view = View.CC if number % 2 == 0 else View.MLO
    density = _DENSITIES[int(seed_stream(seed, "density").choice(4, p=_SHARES))]
    size = float(seed_stream(seed, "size").uniform(0.75, 1.25))
    breast = draw_breast(seed, laterality, density=density, size=size)
    tissue = draw_tissue(breast, view)
    after = None
    if rng.random() < 0.5:
        depth, (lateral, superior) = float(rng.uniform(0.25, 0.7)), rng.uniform(-0.4, 0.4, 2)
        treatment = TreatmentSpec(
            laterality,
            _DAY - timedelta(days=int(rng.integers(120, 4000))),
            place=(depth, float(lateral), float(superior)),
            radiotherapy=bool(rng.random() < 0.8),
        )
        after = draw_aftermath(breast, view, treatment, _DAY, tissue.canvas, seed)
    detector = VENDORS["alpha"].detector
    frame = Frame(
        detector.rows, detector.columns, detector.spacing, find_chest_wall_side(laterality)
    )
    lie = draw_positioning(breast, view, frame, seed)
    lines = tissue.compute_attenuation(lie.thickness_mm, after)
    # Behind the chest wall there is no image.
    columns = round((lie.wall_mm - tissue.canvas.front_mm) / tissue.canvas.pitch_mm)
    lines = lines[:, : max(columns, 1)]
    rows = np.flatnonzero(lines.any(axis=1))
    lines = lines[rows[0] : rows[-1] + 1]
    sample = lines[::8, ::8]
    inside = sample[sample > 0.5 * np.percentile(sample, 99)]
    fat, dense = (float(value) for value in np.percentile(inside, (8.0, 97.0)))
    levels = (tissue.canvas.pitch_mm, float(np.median(inside)), fat, dense)
    stored = np.rint(np.clip(lines, 0, 65535 / _UNIT) * _UNIT).astype(np.uint16)
    return stored, np.asarray(levels)
