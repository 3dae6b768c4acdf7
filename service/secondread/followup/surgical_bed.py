"""The surgical bed as an image shows it: by its clips, or by a marker on the scar.

Clips are left in the walls of a lumpectomy's cavity; their middle is the bed's, as that view
projects it. A wire that a technologist has put on the scar is on the skin, and nobody knows how
far the bed has moved away under it, so that its place is known far less well.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from secondread.codes import MarkClass
from secondread.findings.finding import Finding, ImageReading
from secondread.findings.treatment import ZoneBasis
from secondread.geometry import PointPx, SpacingMm

LEAST_CLIPS = 3
"""Fewer may mark biopsies."""
LINK_MM = 25.0
"""Clips of one bed are at most this far from their nearest neighbour."""
LARGEST_BED_MM = 40.0
"""Clips that reach farther from their middle mark no single bed."""
CLIP_MM = (1.0, 8.0)
"""Length of a clip: what is shorter is noise or calcium, what is longer a wire or a device."""
LEAST_CERTAINTY = 50.0
LEAST_WIRE_MM = 20.0
WIRE_ASPECT = 4.0
"""A wire is at least so many times longer than wide."""

BED_MM = 14.0
"""Radius of a usual bed, about that of a cavity of 11 ml."""
_WALL_MM = 3.0
"""The bed reaches this far beyond its clips."""
_COMPRESSION_MM = 3.0
"""By this much the middle of the clips misses that of the bed, however many there are."""
_WIRE_ERROR_MM = 15.0
_NIPPLE_MM = 10.0
"""Metal nearer to the nipple than this may be its marker."""

PlaceMm = npt.NDArray[np.float64]
"""(2,): column and row of the stored image in mm."""


@dataclass(frozen=True, slots=True, eq=False)
class Bed:
    """A bed in one view."""

    center: PlaceMm
    radius_mm: float
    error_mm: float
    """Standard error of its centre, in each direction."""
    basis: ZoneBasis

    def distance_mm(self, point: PlaceMm) -> float:
        """Return how far a point of the view is from its centre."""
        return float(np.hypot(*(point - self.center)))


def to_place_mm(point: PointPx, spacing: SpacingMm) -> PlaceMm:
    """Return a point of the stored image in mm."""
    return np.array([point.col * spacing.between_columns, point.row * spacing.between_rows])


def find_beds(image: ImageReading) -> tuple[Bed, ...]:
    """Return the beds that clips or scar markers show; clips first."""
    spacing = image.mammogram.spacing
    if spacing is None:
        return ()
    by_clips = (_locate_by_clips(group) for group in _group_places(find_clips(image)))
    wires = (finding for finding in _list_metal(image) if _is_wire(finding, spacing))
    return (
        *(bed for bed in by_clips if bed is not None),
        *(
            Bed(to_place_mm(wire.center, spacing), BED_MM, _WIRE_ERROR_MM, ZoneBasis.SCAR_MARKER)
            for wire in wires
        ),
    )


def find_clips(image: ImageReading) -> list[PlaceMm]:
    """Return where clips are, of a bed or of a biopsy; none where no spacing is known."""
    spacing = image.mammogram.spacing
    if spacing is None:
        return []
    return [
        place
        for finding in _list_metal(image)
        if CLIP_MM[0] <= finding.long_axis_mm <= CLIP_MM[1]
        and not _is_at_nipple(place := to_place_mm(finding.center, spacing), image, spacing)
    ]


def _list_metal(image: ImageReading) -> list[Finding]:
    return [
        finding
        for finding in image.findings
        if finding.mark_class is MarkClass.METAL and finding.certainty >= LEAST_CERTAINTY
    ]


def _is_at_nipple(place: PlaceMm, image: ImageReading, spacing: SpacingMm) -> bool:
    anatomy = image.breast.anatomy if image.breast is not None else None
    if anatomy is None or anatomy.nipple is None:
        return False
    nipple = to_place_mm(anatomy.nipple.point, spacing)
    return float(np.hypot(*(place - nipple))) <= _NIPPLE_MM


def _group_places(places: Sequence[PlaceMm]) -> list[PlaceMm]:
    """Return groups whose members are linked by short distances, each (n, 2)."""
    groups: list[list[PlaceMm]] = []
    for place in places:
        near = [g for g in groups if any(np.hypot(*(place - other)) <= LINK_MM for other in g)]
        groups = [g for g in groups if not any(g is other for other in near)]
        groups.append([place, *(member for g in near for member in g)])
    return [np.array(g) for g in groups]


def _locate_by_clips(group: PlaceMm) -> Bed | None:
    if len(group) < LEAST_CLIPS:
        return None
    center = group.mean(axis=0)
    reach = float(np.hypot(*(group - center).T).max())
    if reach > LARGEST_BED_MM:
        return None
    # The standard error of the mean of so many clips.
    spread = float(np.sqrt(group.var(axis=0, ddof=1).mean() / len(group)))
    error = math.hypot(spread, _COMPRESSION_MM)
    return Bed(center, max(BED_MM, reach + _WALL_MM), error, ZoneBasis.CLIPS)


def _is_wire(finding: Finding, spacing: SpacingMm) -> bool:
    if finding.long_axis_mm < LEAST_WIRE_MM:
        return False
    outline = np.array([to_place_mm(point, spacing) for point in finding.outline], np.float32)
    _, sides, _ = cv2.minAreaRect(outline)
    short, long = sorted(sides)
    return bool(long >= WIRE_ASPECT * max(short, 0.1))
