"""Where a point of the current image is in the prior image of the same view.

Landmarks first (`landmark_fit`: skin and nipple, a similarity), then the pictures themselves
(`alignment`: an affine map and the shifts of blocks of tissue; `bend`: a smooth bend through
these). A pair that shows too little of the same tissue is compared by its landmarks alone, with
the error that this has.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from secondread.detect.breast import FRAME_MM
from secondread.followup.registration.alignment import (
    BLOCK_MM,
    Affine,
    ContrastPicture,
    align,
    apply_affine,
    match_blocks,
    render_contrast,
)
from secondread.followup.registration.bend import (
    find_consistent,
    fit_bend,
    interpolate_bend,
    make_nodes,
)
from secondread.followup.registration.frame import PointsMm, ViewFrame
from secondread.followup.registration.landmark_fit import fit_landmarks, measure_skin_distance
from secondread.geometry import PointPx

UNALIGNED_MM = 8.5
"""Standard error where only landmarks could be used: what regional registration reached on real
pairs (8.5 mm on average; Hadjiiski et al., ADA420484)."""
LEAST_ERROR_MM = 1.0
"""Calcifications move among each other by about this much from one compression to the next."""
WORST_ERROR_MM = 12.0
"""With a larger error, a place in one image is no longer a place in the other."""

_SEARCH_MM = (9.0, 5.0)  # of the two passes
_LEAST_CORRELATION = 0.15
_LEAST_BLOCKS = 8
# Share of the blocks of tissue that were found again, and move as their neighbours do. Measured:
# 0.1 to 0.47 between breasts of different women or of one woman's two sides, 0.7 to 1 between
# images of one breast.
_NO_SUPPORT, _FULL_SUPPORT = 0.50, 0.75
# A place is known less well the farther the nearest block that was found again is.
_NEAR_MM, _ERROR_PER_MM = 15.0, 0.25
_UNMAP_ROUNDS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Registration:
    """The map from one image to another of the same view, and how far it can be trusted."""

    current: ViewFrame
    prior: ViewFrame
    affine: Affine
    bend: npt.NDArray[np.float32]
    """(rows, columns, 2): what the affine map is off by, in mm of the prior's frame, at the
    nodes of `bend` over the current image."""
    error_mm: float
    """Standard error of a mapped point near the anchors, in mm, in each direction."""
    anchors: PointsMm
    """Centres of the blocks of tissue that were found again, in the current frame."""
    support: float
    """Share of the blocks that were found again."""

    @property
    def is_aligned(self) -> bool:
        """Whether tissue was found again, and not only landmarks."""
        return len(self.anchors) > 0

    @property
    def is_usable(self) -> bool:
        """Whether places can be compared at all."""
        return self.error_mm <= WORST_ERROR_MM

    def map_mm(self, points: PointsMm) -> PointsMm:
        """Return points of the current view's frame, (..., 2), in the prior's."""
        off = interpolate_bend(self.bend, points)
        return np.asarray(apply_affine(points, self.affine) + off, np.float64)

    def unmap_mm(self, points: PointsMm) -> PointsMm:
        """Return points of the prior view's frame in the current's."""
        back = np.linalg.inv(self.affine[:, :2])
        at = (points - self.affine[:, 2]) @ back.T
        # The bend has no inverse in closed form. It is small and smooth, so that correcting a
        # guess by what it misses the target by contracts fast.
        for _ in range(_UNMAP_ROUNDS):
            at = at - (self.map_mm(at) - points) @ back.T
        return np.asarray(at, np.float64)

    def map_to_prior(self, points: Sequence[PointPx]) -> tuple[PointPx, ...]:
        """Return points of the current stored image in the prior stored image."""
        return self.prior.to_px(self.map_mm(self.current.to_mm(points)))

    def map_to_current(self, points: Sequence[PointPx]) -> tuple[PointPx, ...]:
        """Return points of the prior stored image in the current stored image."""
        return self.current.to_px(self.unmap_mm(self.prior.to_mm(points)))

    def estimate_error(self, points: PointsMm) -> float:
        """Return the standard error in mm, in each direction, around points of the current frame.

        It grows with the distance from tissue that was found again.
        """
        if not self.is_aligned:
            return self.error_mm
        far = max(self._from_anchors_mm(points) - _NEAR_MM, 0.0)
        return float(np.hypot(self.error_mm, min(_ERROR_PER_MM * far, UNALIGNED_MM)))

    def has_tissue_near(self, points: PointsMm) -> bool:
        """Whether the tissue around these points of the current frame was found in the prior.

        Where it was not, the mapped place may be another one, and what it shows proves little.
        """
        return self.is_aligned and self._from_anchors_mm(points) <= BLOCK_MM

    def _from_anchors_mm(self, points: PointsMm) -> float:
        distance, _ = cKDTree(self.anchors).query(points.mean(axis=0))
        return float(distance)

    def prior_shows(self, points: PointsMm) -> bool:
        """Whether the prior image shows the place of these points of the current frame."""
        return _shows(self.prior, self.map_mm(points), self.estimate_error(points))

    def current_shows(self, points: PointsMm) -> bool:
        """Whether the current image shows the place of these points of the prior's frame."""
        at = self.unmap_mm(points)
        return _shows(self.current, at, self.estimate_error(at))

    def select_shown_by_prior(self, points: PointsMm) -> npt.NDArray[np.bool_]:
        """Return of which points of the current frame the prior image shows the place."""
        return _find_shown(self.prior, self.map_mm(points), self.estimate_error(points))

    def select_shown_by_current(self, points: PointsMm) -> npt.NDArray[np.bool_]:
        """Return of which points of the prior's frame the current image shows the place."""
        at = self.unmap_mm(points)
        return _find_shown(self.current, at, self.estimate_error(at))


def _shows(frame: ViewFrame, points: PointsMm, error_mm: float) -> bool:
    # Half of the points must be shown.
    return bool(_find_shown(frame, points, error_mm).mean() >= 0.5)


def _find_shown(frame: ViewFrame, points: PointsMm, error_mm: float) -> npt.NDArray[np.bool_]:
    # Near the border of what an image shows, a place may have been just outside, and the detector
    # looks for no marks: a point must be inside by as much, within reason.
    least = FRAME_MM + min(error_mm, 3.0) / 2
    return np.asarray(frame.depth_inside(points) > least)


def register(current: ViewFrame, prior: ViewFrame) -> Registration:
    """Find the map from the current image to the prior image of the same view."""
    now, then = render_contrast(current), render_contrast(prior)
    starts = fit_landmarks(current, prior)
    affine, correlation = max(
        (align(now, then, start) for start in starts), key=lambda aligned: aligned[1]
    )
    by_landmarks = _register_landmarks(current, prior, starts[0])
    if correlation < _LEAST_CORRELATION:
        return by_landmarks
    registration = replace(by_landmarks, affine=affine)
    for search_mm in _SEARCH_MM:
        refined = _refine(registration, now, then, search_mm)
        if refined is None:
            return by_landmarks
        registration = refined
    return registration if registration.support > _NO_SUPPORT else by_landmarks


def _register_landmarks(current: ViewFrame, prior: ViewFrame, affine: Affine) -> Registration:
    """Return the map that landmarks alone give; its error grows with what they leave apart."""
    apart = measure_skin_distance(current, prior, affine)
    error = float(np.hypot(UNALIGNED_MM, WORST_ERROR_MM if apart is None else apart))
    bend = np.zeros(make_nodes(current).shape, np.float32)
    return Registration(current, prior, affine, bend, error, np.empty((0, 2)), 0.0)


def _refine(
    rough: Registration, now: ContrastPicture, then: ContrastPicture, search_mm: float
) -> Registration | None:
    """Return the map with the bend that blocks of tissue ask for; None where too few match."""
    blocks = match_blocks(now, then, rough.map_mm, search_mm)
    if len(blocks.centers) < _LEAST_BLOCKS:
        return None
    # What is to be fitted is all that the affine map misses: the bend so far, and the shift of
    # the block. The shift was measured in the prior as the current image would show it, so it is
    # one of the current frame, and the affine map turns it into the prior's.
    total = (
        rough.map_mm(blocks.centers)
        - apply_affine(blocks.centers, rough.affine)
        + blocks.shifts @ rough.affine[:, :2].T
    )
    agrees = find_consistent(blocks.centers, total)
    if np.count_nonzero(agrees) < _LEAST_BLOCKS:
        return None
    anchors = blocks.centers[agrees]
    bend, residual_mm = fit_bend(anchors, total[agrees], make_nodes(rough.current))
    support = np.count_nonzero(agrees) / blocks.tried
    # Between no and full support the error goes from that of landmarks to what the fit leaves.
    doubt = np.clip((_FULL_SUPPORT - support) / (_FULL_SUPPORT - _NO_SUPPORT), 0, 1)
    error = np.hypot(LEAST_ERROR_MM, residual_mm) + doubt * (UNALIGNED_MM - LEAST_ERROR_MM)
    return replace(rough, bend=bend, error_mm=float(error), anchors=anchors, support=float(support))
