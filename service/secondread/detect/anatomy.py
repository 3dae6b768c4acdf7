"""Where nipple, skin and pectoral muscle are in one image, with a small picture of the breast.

A later comparison needs these of an image whose pixels may be gone by then. They are plain values
that cross process borders as JSON, like the marks.
"""

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from secondread.geometry import Outline, PointPx, SpacingMm

OverviewPixels = npt.NDArray[np.uint8]
"""Local contrast in 8 bits: `NEUTRAL` is the local mean, 0 is outside the breast."""

NEUTRAL = 128


@dataclass(frozen=True, slots=True)
class Overview:
    """A small picture over the whole stored image, packed; about 30 kB."""

    rows: int
    columns: int
    packed: str
    """Base64 of the deflated pixels, row by row."""

    @classmethod
    def from_picture(cls, picture: OverviewPixels) -> "Overview":
        """Pack a picture."""
        packed = base64.b64encode(zlib.compress(picture.tobytes(), 6)).decode("ascii")
        return cls(picture.shape[0], picture.shape[1], packed)

    def unpack(self) -> OverviewPixels:
        """Return the pixels.

        Raises
        ------
        ValueError
            The packed bytes are not a picture of this size.
        """
        size = self.rows * self.columns
        try:
            data = zlib.decompressobj().decompress(base64.b64decode(self.packed), size)
        except zlib.error as error:
            raise ValueError(f"an overview that cannot be unpacked: {error}") from error
        return np.frombuffer(data, np.uint8).reshape(self.rows, self.columns)


@dataclass(frozen=True, slots=True)
class Nipple:
    """Where the nipple is, and with which error."""

    point: PointPx
    error_mm: float
    """Standard deviation of each coordinate."""


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Landmarks of one image, in pixels of the stored image."""

    outline: Outline
    """The whole breast; runs along the image border where the breast does."""
    nipple: Nipple | None
    pectoral: tuple[PointPx, PointPx] | None
    """The front of the pectoral muscle as a straight line: its ends at the upper border of the
    image and at the chest wall's. None in other views than oblique ones and where not seen."""
    overview: Overview

    def as_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` turns back into an equal `Anatomy`."""
        nipple, pectoral = self.nipple, self.pectoral
        return {
            "outline": [[p.col, p.row] for p in self.outline],
            "nipple": nipple and [nipple.point.col, nipple.point.row, nipple.error_mm],
            "pectoral": pectoral and [[p.col, p.row] for p in pectoral],
            "overview": [self.overview.rows, self.overview.columns, self.overview.packed],
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Anatomy":
        """Return the anatomy that `as_json` encoded."""
        nipple, pectoral = values["nipple"], values["pectoral"]
        return cls(
            outline=tuple(PointPx(*p) for p in values["outline"]),
            nipple=nipple and Nipple(PointPx(nipple[0], nipple[1]), nipple[2]),
            pectoral=pectoral and (PointPx(*pectoral[0]), PointPx(*pectoral[1])),
            overview=Overview(*values["overview"]),
        )


@dataclass(frozen=True, slots=True)
class HangingFrame:
    """Conversion between an image's pixels and the frame of millimetres in which it usually hangs.

    Whatever the side, the mirroring and the pitch of an image, x counts from the chest wall's
    border and y downwards from the border that is cranial (oblique views) or lateral
    (cranio-caudal views).
    """

    rows: int
    columns: int
    spacing: SpacingMm
    mirrored: bool
    """Whether the chest wall is at the right border of the stored image."""
    upside_down: bool
    """Whether the image is stored the other way round than it hangs."""

    @property
    def width_mm(self) -> float:
        """Width of the stored image."""
        return self.columns * self.spacing.between_columns

    @property
    def height_mm(self) -> float:
        """Height of the stored image."""
        return self.rows * self.spacing.between_rows

    def to_mm(self, points: Sequence[PointPx]) -> npt.NDArray[np.float64]:
        """Return points of the stored image in the frame, (n, 2)."""
        at = np.array([(p.col, p.row) for p in points], np.float64).reshape(-1, 2)
        if self.mirrored:
            at[:, 0] = self.columns - at[:, 0]
        if self.upside_down:
            at[:, 1] = self.rows - at[:, 1]
        return at * (self.spacing.between_columns, self.spacing.between_rows)

    def to_columns_rows(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return points of the frame, (..., 2), as columns and rows of the stored image."""
        at = points / (self.spacing.between_columns, self.spacing.between_rows)
        if self.mirrored:
            at[..., 0] = self.columns - at[..., 0]
        if self.upside_down:
            at[..., 1] = self.rows - at[..., 1]
        return at

    def turn(self, picture: OverviewPixels) -> OverviewPixels:
        """Return a picture of the stored image as it hangs."""
        picture = picture[:, ::-1] if self.mirrored else picture
        return np.ascontiguousarray(picture[::-1] if self.upside_down else picture)
