"""The fine structure of one view: lumps of gland, and faint streaks along the ducts and septa."""

from dataclasses import dataclass

import cv2
import numpy as np

from secondread.codes import View
from secondread_lab.simulate.fields import Map, Spectrum, draw_power_law_map
from secondread_lab.simulate.phantom import SimulatedBreast
from secondread_lab.simulate.seeds import seed_stream
from secondread_lab.simulate.strokes import Canvas, TissueStrokes, number_samples


@dataclass(frozen=True, slots=True)
class _StreakLayer:
    """One layer of streaks."""

    name: str
    spectrum: Spectrum
    stretch: float
    """How much longer than wide the streaks are."""
    slant_deg: float
    """Direction against the line from the nipple to the chest wall."""
    height_mm: float
    """Standard deviation of the line integral, in mm of gland."""


_LAYERS = (
    _StreakLayer("streaks along", Spectrum(2.7, 4.0, 0.20), 2.4, 12.0, 0.20),
    _StreakLayer("streaks up", Spectrum(2.7, 3.0, 0.20), 2.2, 52.0, 0.18),
    _StreakLayer("streaks down", Spectrum(2.7, 3.0, 0.20), 2.2, -38.0, 0.18),
)


_FIBRILS_PER_MM2 = 0.34
_STRANDS = 0.03
"""Share of the fibrils that are strands."""
_STEP_MM = 0.2
"""Distance between the samples of a fibril."""


class Texture:
    """Fine structure of one view, each layer from its own stream.

    The layers are drawn in coordinates that fan out from a point before the nipple, since ducts
    and septa run from the nipple to the chest wall more than across.
    """

    _APEX_MM = 70.0
    """Distance of the fan's point before the nipple."""

    def __init__(self, breast: SimulatedBreast, view: View, canvas: Canvas) -> None:
        self._names = (breast.laterality.letter, view.name, "texture")
        self._seed = breast.seed
        self._canvas = canvas
        _, depth, across = canvas.make_coarse_raster(2.0)
        ahead = depth + np.float32(self._APEX_MM)
        # The rays waver, as strands do that have grown.
        rng = seed_stream(self._seed, *self._names, "waver")
        sway = 3.0 * draw_power_law_map(
            rng, (depth.shape[0], depth.shape[1]), 2.0, Spectrum(6.0, 70.0)
        )
        self._radius = np.sqrt(ahead**2 + across**2)
        around = np.arctan2(across, ahead) * np.float32(self._APEX_MM + 0.6 * breast.depth_mm)
        self._angle = np.asarray(around + sway, dtype=np.float32)

    def _draw_field(
        self,
        name: str,
        pitch_mm: float,
        spectrum: Spectrum,
        stretch: float = 1.0,
        slant_deg: float = 0.0,
    ) -> Map:
        """Return a field on the canvas, stretched along a direction against the fan's rays."""
        slant = np.deg2rad(slant_deg)
        c, s = np.float32(np.cos(slant)), np.float32(np.sin(slant))
        columns = (c * self._radius + s * self._angle) / np.float32(pitch_mm * stretch)
        rows = (c * self._angle - s * self._radius) / np.float32(pitch_mm)
        columns, rows = columns - columns.min() + 4, rows - rows.min() + 4
        shape = (int(rows.max()) + 5, int(columns.max()) + 5)
        field = draw_power_law_map(
            seed_stream(self._seed, *self._names, name), shape, pitch_mm, spectrum
        )
        size = self._canvas.shape[::-1]
        columns, rows = (
            cv2.resize(m, size, interpolation=cv2.INTER_LINEAR) for m in (columns, rows)
        )
        fine = cv2.remap(field, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        return np.asarray(fine, dtype=np.float32)

    def draw_lumps(self) -> Map:
        """Return how much the share of gland varies below the size of a voxel, for a share of 1."""
        fine = self._draw_field("lumps", 0.15, Spectrum(2.8, 7.0, 0.18), 1.3)
        return np.asarray(0.065 * fine, dtype=np.float32)

    def draw_streaks(self, share: Map) -> Map:
        """Return faint streaks, stronger where there is gland, in mm of gland."""
        total = np.zeros(self._canvas.shape, np.float32)
        for layer in _LAYERS:
            field = self._draw_field(
                layer.name, 0.15, layer.spectrum, layer.stretch, layer.slant_deg
            )
            # Bright wisps on a quieter ground: a log-normal distribution is skewed that way.
            total += np.exp(0.6 * field) * np.float32(layer.height_mm / 0.6)
        gain = self._draw_field("streaks gain", 0.8, Spectrum(3.0, 18.0, 1.5), 1.5)
        total *= np.exp(0.4 * gain)
        return np.asarray(total * (1.3 - 0.6 * np.sqrt(share)), dtype=np.float32)

    def draw_fibrils(self) -> TissueStrokes:
        """Return thin bent fibres that run roughly to the nipple, in view coordinates."""
        rng = seed_stream(self._seed, *self._names, "fibrils")
        canvas = self._canvas
        height, width = (n * canvas.pitch_mm for n in canvas.shape)
        count = int(height * width * _FIBRILS_PER_MM2)
        start = rng.uniform(
            (canvas.front_mm, canvas.top_mm - height),
            (canvas.front_mm + width, canvas.top_mm),
            (count, 2),
        )
        heading = np.arctan2(start[:, 1], start[:, 0] + self._APEX_MM)
        heading += rng.standard_t(3, count) * 0.35
        length = np.clip(rng.lognormal(2.1, 0.6, count), 3.0, 45.0)
        # Some are strands that a reader follows over centimetres: longer, and far stronger.
        strand = rng.random(count) < _STRANDS
        length = np.where(strand, np.clip(2.0 * length, 10.0, 45.0), length)
        bend = rng.normal(0, 0.018, count)
        thick = np.clip(rng.lognormal(-1.5, 0.35, count), 0.12, 0.35)
        strength = 2.6 * np.minimum(rng.lognormal(0.0, 0.6, count), 2.5)
        strength = strength * np.where(strand, 3.0, 1.0)
        counts = (length / _STEP_MM).astype(np.int64) + 1
        owner, number = number_samples(counts)
        share = (number + 0.5) / counts[owner]
        way = share * length[owner]
        aside = 0.5 * bend[owner] * way**2
        cos, sin = np.cos(heading)[owner], np.sin(heading)[owner]
        points = np.stack(
            [
                start[owner, 0] + way * cos - aside * sin,
                start[owner, 1] + way * sin + aside * cos,
            ],
            axis=-1,
        )
        volume = np.sin(np.pi * share) * (strength * thick**2 * length / counts)[owner]
        return TissueStrokes(*(np.asarray(a, np.float32) for a in (points, volume, thick[owner])))
