"""The smooth part of a registration: a thin plate through the shifts of blocks of tissue."""

import numpy as np
import numpy.typing as npt
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree

from secondread.followup.registration.frame import PointsMm, ViewFrame

NODE_MM = 8.0
"""Distance between the nodes at which a bend is stored."""

_SMOOTHING = 300.0  # a single block's error of half a millimetre bends the plate by a tenth of it
_NEIGHBOURS = 7  # a block itself and six around it
_OUTLIER, _OUTLIER_MM = 3.5, 2.0


def make_nodes(frame: ViewFrame) -> PointsMm:
    """Return the nodes over an image, (rows, columns, 2), in its frame."""
    x = np.arange(0.0, frame.width_mm + NODE_MM, NODE_MM)
    y = np.arange(0.0, frame.height_mm + NODE_MM, NODE_MM)
    return np.stack(np.meshgrid(x, y), axis=-1)


def find_consistent(centers: PointsMm, shifts: PointsMm) -> npt.NDArray[np.bool_]:
    """Return which blocks are shifted as their neighbours are.

    A block that was matched to other tissue differs from the median of its neighbours by far more
    than blocks do from theirs in general. The limit has a floor in millimetres, because in a pair
    that fits well nearly all differences are about zero.
    """
    _, near = cKDTree(centers).query(centers, k=min(_NEIGHBOURS, len(centers)))
    middle = np.median(shifts[near], axis=1)
    off = np.hypot(*(shifts - middle).T)
    return np.asarray(off <= max(_OUTLIER * float(np.median(off)), _OUTLIER_MM))


def fit_bend(
    centers: PointsMm, shifts: PointsMm, nodes: PointsMm
) -> tuple[npt.NDArray[np.float32], float]:
    """Return the smooth bend that shifts ask for, at nodes, and what it leaves of them.

    Parameters
    ----------
    centers, shifts
        Places in mm, and how far each is shifted.
    nodes
        (rows, columns, 2).

    Returns
    -------
    ndarray
        The shift at each node, the same shape.
    float
        Root mean square, in each direction, of what remains of the shifts, in mm.
    """
    plate = RBFInterpolator(centers, shifts, kernel="thin_plate_spline", smoothing=_SMOOTHING)
    bend = plate(nodes.reshape(-1, 2)).reshape(nodes.shape).astype(np.float32)
    return bend, float(np.sqrt(np.mean((shifts - plate(centers)) ** 2)))


def interpolate_bend(bend: npt.NDArray[np.float32], points: PointsMm) -> PointsMm:
    """Return the shifts at points, (..., 2), linear between the nodes."""
    rows, columns = bend.shape[:2]
    at = points / NODE_MM
    # Points beyond the last nodes get their shift. A little less than the last index, so that a
    # node on the right and one below always exist.
    x, y = np.clip(at[..., 0], 0, columns - 1.001), np.clip(at[..., 1], 0, rows - 1.001)
    column, row = x.astype(np.int64), y.astype(np.int64)
    right, down = (x - column)[..., None], (y - row)[..., None]
    above = bend[row, column] * (1 - right) + bend[row, column + 1] * right
    below = bend[row + 1, column] * (1 - right) + bend[row + 1, column + 1] * right
    return np.asarray(above * (1 - down) + below * down, np.float64)
