"""What a model marks in training regions, beside what was put there."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.calcification.training.regions import HEADS, OBJECT_COLUMNS
from models.calcification.training.store import TISSUE, read_shard
from secondread.codes import MarkClass
from secondread.detect.detector import Detector
from secondread.detect.manifest import Manifest
from secondread.detect.marks import Mark
from secondread.detect.prepare import InputGrid
from secondread.files import write_whole
from secondread.findings.clusters import join_pieces, positions_mm
from secondread.findings.group_features import FloatArray
from secondread.geometry import SpacingMm
from secondread_lab.judge.rules import REACH_BEYOND_MM, REACH_MM

_COLUMN = {name: number for number, name in enumerate(OBJECT_COLUMNS)}


@dataclass(frozen=True, slots=True)
class AnnotatedRegion:
    """One region."""

    shard: str
    """Name of its shard."""
    marks: tuple[Mark, ...]
    """Calcifications, the pieces of large ones joined."""
    at_mm: FloatArray
    """(marks, 2): across and down."""
    objects: npt.NDArray[np.float32]
    """Rows of `regions.OBJECT_COLUMNS`."""
    spacing: SpacingMm
    tissue_cm2: float

    def column(self, name: str) -> npt.NDArray[np.float32]:
        """Return a column of the objects."""
        return self.objects[:, _COLUMN[name]]

    def touches(self) -> npt.NDArray[np.bool_]:
        """Return which mark lies on which object, (marks, objects), by the judge's rule."""
        side = self.spacing.mean
        across, down = (self.column(name) + 0.5 for name in ("column", "row"))
        away = np.hypot(
            self.at_mm[:, :1] - across[None] * side, self.at_mm[:, 1:] - down[None] * side
        )
        reach = np.maximum(REACH_MM, self.column("diameter_px") / 2 * side + REACH_BEYOND_MM)
        return np.asarray(away <= reach[None], np.bool_)

    def clusters(self) -> Iterator[npt.NDArray[np.int64]]:
        """Yield the indices of each cluster's objects."""
        inside = self.column("head") == HEADS.index(MarkClass.CALCIFICATION)
        groups = self.column("group")
        for number in np.unique(groups[inside & (groups >= 0)]).tolist():
            yield np.flatnonzero(inside & (groups == number))


def annotate_regions(folder: Path, detector: Detector, work: Path) -> Iterator[AnnotatedRegion]:
    """Yield the regions of a shard; its marks are kept in the work folder, by model and shard."""
    shard = read_shard(folder)
    kept = work / f"marks-{_digest(detector.manifest)}" / f"{folder.name}.json"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        found = []
        for number in range(len(shard.images)):
            image = np.asarray(shard.images[number], np.float32)
            tissue = ((shard.labels[number] & TISSUE) > 0).astype(np.uint8)
            side = float(shard.spacing_mm[number])
            grid = InputGrid(0, 0, 1.0, 1.0, SpacingMm(side, side))
            found.append([mark.as_json() for mark in detector.find_marks(image, tissue, grid)])
        with write_whole(kept, durable=True) as part:
            part.write_text(json.dumps(found), "ascii")
    for number, values in enumerate(json.loads(kept.read_text("ascii"))):
        side = float(shard.spacing_mm[number])
        spacing = SpacingMm(side, side)
        marks = [Mark.from_json(one) for one in values]
        ones = join_pieces([m for m in marks if m.mark_class is MarkClass.CALCIFICATION], spacing)
        tissue_px = int(((shard.labels[number] & TISSUE) > 0).sum())
        objects = shard.objects[shard.objects[:, 0] == number, 1:]
        yield AnnotatedRegion(
            folder.name,
            ones,
            positions_mm(ones, spacing),
            objects,
            spacing,
            tissue_px * side**2 / 100,
        )


def _digest(manifest: Manifest) -> str:
    """Return what tells apart models that mark differently; their calibrations may differ."""
    parts = [graph.sha256 for graph in manifest.graphs]
    parts += [manifest.limits.model_dump_json(), manifest.input.model_dump_json()]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:12]
