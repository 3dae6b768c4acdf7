"""The frame that images of a view are compared in: millimetres from chest wall and upper border.

Whatever the side, the mirroring and the pitch of an image, x counts from the chest wall's border
and y downwards from the border that is cranial (oblique views) or lateral (cranio-caudal views)
in the usual hanging.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from secondread.detect.anatomy import Anatomy, HangingFrame, OverviewPixels
from secondread.detect.landmarks import trace_skin
from secondread.findings.finding import ImageReading
from secondread.geometry import PointPx

PointsMm = npt.NDArray[np.float64]
"""(n, 2): x and y in a view's frame."""

NIPPLE_SEEN_MM = 6.0
"""A nipple with a larger standard error was not seen, but guessed from the breast's shape."""


@dataclass(frozen=True, slots=True)
class ViewFrame(HangingFrame):
    """One image's landmarks, and the conversion between its pixels and the frame."""

    anatomy: Anatomy

    @property
    def area_mm2(self) -> float:
        """Area of the breast in the image."""
        return float(cv2.contourArea(self.outline().astype(np.float32)))

    def to_px(self, points: PointsMm) -> tuple[PointPx, ...]:
        """Return points of the frame in pixels of the stored image."""
        at = self.to_columns_rows(points)
        return tuple(PointPx(float(col), float(row)) for col, row in at)

    def nipple(self) -> tuple[PointsMm, float] | None:
        """Return the nipple, (1, 2), and its standard error in mm."""
        nipple = self.anatomy.nipple
        return None if nipple is None else (self.to_mm([nipple.point]), nipple.error_mm)

    def pectoral(self) -> PointsMm | None:
        """Return the two ends of the pectoral muscle's front, (2, 2), the upper one first."""
        ends = self.anatomy.pectoral
        return None if ends is None else self.to_mm(ends)

    def outline(self) -> PointsMm:
        """Return the breast's outline, closed."""
        return self.to_mm(self.anatomy.outline)

    def skin(self) -> PointsMm:
        """Return the skin, every millimetre."""
        return trace_skin(self.outline(), self.width_mm, self.height_mm)

    def picture(self) -> OverviewPixels:
        """Return the overview in the frame's orientation."""
        return self.turn(self.anatomy.overview.unpack())

    def depth_inside(self, points: PointsMm) -> npt.NDArray[np.float64]:
        """Return how far inside the breast in the image points are, in mm; negative outside.

        Where the breast runs along the image's border, that counts as the breast's own.
        """
        outline = self.outline().astype(np.float32)
        return np.array(
            [cv2.pointPolygonTest(outline, (float(x), float(y)), True) for x, y in points]
        )


def find_frame(image: ImageReading) -> ViewFrame | None:
    """Return the frame of an image that was read; None where its landmarks are not known."""
    breast, mammogram = image.breast, image.mammogram
    if breast is None or breast.anatomy is None or mammogram.spacing is None:
        return None
    return ViewFrame(
        mammogram.rows,
        mammogram.columns,
        mammogram.spacing,
        mirrored=breast.chest_wall_side == "right",
        upside_down=mammogram.is_upside_down,
        anatomy=breast.anatomy,
    )
