"""What the rescoring graph says of given places of an image, whether or not there is a candidate.

For a second look: the dense graph may see nothing where another exam shows a calcification.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from secondread.codes import MarkClass
from secondread.detect.breast import Brightness, Mask
from secondread.detect.candidate import cut_patches
from secondread.detect.grid import InputGrid
from secondread.detect.session import GraphSession
from secondread.geometry import PointPx

PlaceShares = tuple[float | None, ...]
"""For each place the share of the calcification, 0-1; None outside the breast."""

_AT_ONCE = 512  # patches cut at a time: many places must not take much memory


@dataclass(frozen=True, slots=True)
class Place:
    """One place, in (fractional) array indices of the detector's input."""

    row: float
    column: float


def score_places(
    session: GraphSession, z: Brightness, interior: Mask, grid: InputGrid, points: Sequence[PointPx]
) -> PlaceShares | None:
    """Return how sure the rescoring graph is that each place is a calcification.

    Parameters
    ----------
    session
        The rescoring graph.
    z
        The detector's normalised input.
    interior
        Where the breast is without its skin, same shape.
    grid
        Where the input lies in the stored image.
    points
        In the stored image.

    Returns
    -------
    tuple of float or None
        One for each place; None where the graph knows no calcifications.
    """
    size, heads = session.graph.patch_px, session.graph.heads
    if size is None or MarkClass.CALCIFICATION not in heads:
        return None
    places = [Place(*grid.to_input(point)) for point in points]
    inside = [number for number, place in enumerate(places) if _is_in(interior, place)]
    found: list[float | None] = [None] * len(places)
    for first in range(0, len(inside), _AT_ONCE):
        chosen = inside[first : first + _AT_ONCE]
        scores = session.run_patches(cut_patches(z, [places[number] for number in chosen], size))
        column = scores[:, heads.index(MarkClass.CALCIFICATION)]
        for number, share in zip(chosen, column.tolist(), strict=True):
            found[number] = share
    return tuple(found)


def _is_in(interior: Mask, place: Place) -> bool:
    if not (isfinite(place.row) and isfinite(place.column)):
        return False
    row, column = round(place.row), round(place.column)
    rows, columns = interior.shape
    return 0 <= row < rows and 0 <= column < columns and bool(interior[row, column])
