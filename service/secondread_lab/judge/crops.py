"""Pieces of the images, kept for the contact sheets while the images themselves are deleted."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from pathlib import Path

import numpy as np
from PIL import Image

from secondread.detect.pixels import Display
from secondread.geometry import SpacingMm
from secondread_lab.judge.annotations import TrueCluster
from secondread_lab.judge.outcomes import ViewOutcome
from secondread_lab.judge.records import Box, Crop, ViewRecord

SIDE = 280
"""Rows and columns of a crop, in pixels of the stored image."""

CROPS_PER_KIND = 40
"""Crops of each kind that are kept."""

KINDS = ("hit", "miss", "false")


def cut_crops(view: ViewOutcome, display: Display, folder: Path) -> ViewRecord:
    """Write crops of one image and return its record with them.

    There is one of every visible target cluster, found or missed, and one of the most certain
    false cluster where false clusters are counted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stem = hashlib.sha256(view.record.key.encode()).hexdigest()[:16]
    crops = []
    for number, planned in enumerate(_plan_crops(view), start=1):
        piece, origin = _cut_piece(display, planned.middle)
        crop = replace(planned.crop, file=f"{planned.crop.kind}-{stem}-{number}.png", origin=origin)
        Image.fromarray(piece).save(folder / crop.file)
        crops.append(crop)
    return replace(view.record, crops=tuple(crops))


@dataclass(frozen=True, slots=True)
class _PlannedCrop:
    """A crop before it is cut, and its middle in the stored image."""

    crop: Crop
    middle: tuple[float, float]


def _plan_crops(view: ViewOutcome) -> Iterator[_PlannedCrop]:
    record = view.record
    chance = int(hashlib.sha256(record.key.encode()).hexdigest()[:8], 16) / 2**32
    for outcome in view.clusters:
        if not (outcome.truth.visible and outcome.truth.target):
            continue
        row = outcome.truth.row
        truth = _to_pixels(outcome.truth.box, record.image.spacing_mm)
        middle = _find_middle(outcome.truth, record.image.spacing_mm)
        description = (
            f"{row.morphology.replace('_', ' ') or 'cluster'} CNR {_format_number(row.cnr)}"
        )
        if outcome.best is None:
            # The misses of the strongest contrast are the most instructive.
            caption = f"{description}  {_shorten_key(record.key)}"
            crop = Crop("", "miss", caption, row.cnr or 0.0, (0, 0), None, truth)
            yield _PlannedCrop(crop, middle)
        else:
            mark = record.clusters[outcome.best]
            caption = f"{mark.certainty:.0f} %  {description}  {_shorten_key(record.key)}"
            yield _PlannedCrop(Crop("", "hit", caption, chance, (0, 0), mark.box, truth), middle)
    if view.cluster_free and record.clusters:
        number, cluster = max(enumerate(record.clusters), key=lambda pair: pair[1].certainty)
        landed_on = view.marks[number].value
        on = "" if landed_on == "false" else f" on {landed_on}"
        caption = f"{cluster.certainty:.0f} %{on}  {_shorten_key(record.key)}"
        crop = Crop("", "false", caption, cluster.certainty, (0, 0), cluster.box, None)
        yield _PlannedCrop(crop, cluster.center)


def _find_middle(cluster: TrueCluster, spacing: SpacingMm) -> tuple[float, float]:
    """Return the middle of a cluster in pixels, or that of its most central member.

    A cluster may be wider than a crop; with a member in its middle, the crop shows at least one.
    """
    x0, y0, x1, y1 = cluster.box
    middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    if len(cluster.members) and max(x1 - x0, y1 - y0) > SIDE * spacing.mean:
        middle = cluster.members[np.linalg.norm(cluster.members - middle, axis=1).argmin()]
    return float(middle[0]) / spacing.between_columns, float(middle[1]) / spacing.between_rows


def _shorten_key(key: str) -> str:
    """Return a key short enough for a caption: of a UID, its end."""
    return key if len(key) <= 26 else f"...{key[-10:]}"


def _format_number(value: float | None) -> str:
    return "?" if value is None else f"{value:.1f}"


def _to_pixels(box: Box, spacing: SpacingMm) -> Box:
    across, down = spacing.between_columns, spacing.between_rows
    return box[0] / across, box[1] / down, box[2] / across, box[3] / down


def _cut_piece(display: Display, middle: tuple[float, float]) -> tuple[Display, tuple[int, int]]:
    """Return the piece about a point, and its first column and row."""
    rows, columns = display.shape
    side = min(SIDE, rows, columns)
    column = int(np.clip(middle[0] - side / 2, 0, columns - side))
    row = int(np.clip(middle[1] - side / 2, 0, rows - side))
    return display[row : row + side, column : column + side], (column, row)


@dataclass(slots=True)
class CropAlbum:
    """The crops that are kept: those of the highest rank of each kind."""

    folder: Path
    limit: int = CROPS_PER_KIND
    crops: dict[str, list[tuple[float, str]]] = field(default_factory=dict)

    def add_crops(self, crops: Iterable[Crop]) -> None:
        """Add crops, and delete the files of those that they displace."""
        for crop in crops:
            heap = self.crops.setdefault(crop.kind, [])
            heappush(heap, (crop.rank, crop.file))
            if len(heap) > self.limit:
                _, file = heappop(heap)
                (self.folder / file).unlink(missing_ok=True)
