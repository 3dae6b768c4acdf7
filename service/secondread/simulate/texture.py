"""The fine structure of one view: lumps of gland, and the strands between fat lobules."""

from dataclasses import dataclass

import cv2
import numpy as np

from secondread.codes import View
from secondread.simulate.anatomy import Breast
from secondread.simulate.curves import Canvas
from secondread.simulate.fields import Map, Spectrum, power_law_map, strands
from secondread.simulate.seeds import stream


@dataclass(frozen=True, slots=True)
class _Strands:
    """One layer of strands."""

    name: str
    cell_mm: float
    """Distance from one strand to the next."""
    width_mm: float
    height_mm: float
    """Line integral at the crest, in mm of gland."""
    stretch: float
    """How much longer than wide the meshes are."""
    slant_deg: float
    """Direction against the line from the nipple to the chest wall."""


_LAYERS = (
    _Strands("lobules", 14.0, 0.50, 3.0, 1.5, 0.0),
    _Strands("septa up", 6.5, 0.32, 2.3, 2.2, 26.0),
    _Strands("septa down", 6.5, 0.32, 2.3, 2.2, -30.0),
    _Strands("wisps along", 2.6, 0.17, 1.5, 2.2, 8.0),
    _Strands("wisps across", 3.4, 0.17, 1.1, 1.5, -50.0),
)


class Texture:
    """Fine structure of one view, each layer from its own stream.

    The layers are drawn in coordinates that fan out from a point before the nipple, since ducts
    and septa run from the nipple to the chest wall more than across.
    """

    _APEX_MM = 70.0
    """How far before the nipple the fan's point lies."""

    def __init__(self, breast: Breast, view: View, canvas: Canvas) -> None:
        self._names = (breast.laterality.letter, view.name, "texture")
        self._seed = breast.seed
        self._canvas = canvas
        _, depth, across = canvas.coarse(2.0)
        ahead = depth + np.float32(self._APEX_MM)
        self._radius = np.sqrt(ahead**2 + across**2)
        self._angle = np.arctan2(across, ahead) * np.float32(self._APEX_MM + 0.6 * breast.depth_mm)

    def _field(
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
        field = power_law_map(stream(self._seed, *self._names, name), shape, pitch_mm, spectrum)
        size = self._canvas.shape[::-1]
        columns, rows = (
            cv2.resize(m, size, interpolation=cv2.INTER_LINEAR) for m in (columns, rows)
        )
        fine = cv2.remap(field, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        return np.asarray(fine, dtype=np.float32)

    def lumps(self) -> Map:
        """Return how much the share of gland varies below the size of a voxel, for a share of 1."""
        fine = self._field("lumps", 0.15, Spectrum(2.7, 9.0, 0.15), 1.25)
        return np.asarray(0.085 * fine, dtype=np.float32)

    def fibres(self, share: Map) -> Map:
        """Return strands of several sizes, stronger where there is gland, in mm of gland."""
        total = np.zeros(self._canvas.shape, np.float32)
        for layer in _LAYERS:
            cell = layer.cell_mm
            level = self._field(
                layer.name,
                cell / 18.0,
                Spectrum(5.0, cell, cell / 8.0),
                layer.stretch,
                layer.slant_deg,
            )
            gain = self._field(layer.name + " gain", cell / 6.0, Spectrum(3.0, 2.5 * cell), 1.5)
            ridge = strands(level, layer.width_mm, self._canvas.pitch_mm)
            total += ridge * np.exp(0.65 * gain - 0.2) * np.float32(layer.height_mm)
        return np.asarray(total * (0.65 + 0.65 * np.sqrt(share)), dtype=np.float32)
