"""The marks of a model in training regions, with the solids that were put there."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.calcification.training.regions import HEADS, Objects
from models.calcification.training.store import read_shard
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


@dataclass(frozen=True, slots=True)
class AnnotatedRegion:
    """One region."""

    shard: str
    """Name of its shard."""
    marks: tuple[Mark, ...]
    """Of calcifications, with the pieces of large ones joined."""
    at_mm: FloatArray
    """(marks, 2): across and down."""
    objects: Objects
    spacing: SpacingMm
    tissue_cm2: float

    def touches(self) -> npt.NDArray[np.bool_]:
        """Return which mark is on which object, (marks, objects), by the rule of scoring."""
        side = self.spacing.mean
        across, down = (self.objects[name] + 0.5 for name in ("column", "row"))
        away = np.hypot(
            self.at_mm[:, :1] - across[None] * side, self.at_mm[:, 1:] - down[None] * side
        )
        reach = np.maximum(REACH_MM, self.objects["diameter_px"] / 2 * side + REACH_BEYOND_MM)
        return np.asarray(away <= reach[None], np.bool_)

    def clusters(self) -> Iterator[npt.NDArray[np.int64]]:
        """Yield the indices of each cluster's objects."""
        inside = self.objects["head"] == HEADS.index(MarkClass.CALCIFICATION)
        groups = self.objects["group"]
        for number in np.unique(groups[inside & (groups >= 0)]).tolist():
            yield np.flatnonzero(inside & (groups == number))


def annotate_regions(folder: Path, detector: Detector, work: Path) -> Iterator[AnnotatedRegion]:
    """Yield the regions of a shard; its marks are kept in the work folder, by model and shard."""
    shard = read_shard(folder)
    path = work / f"marks-{_digest_model(detector.manifest)}" / f"{folder.name}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        marks_by_region = []
        for number in range(len(shard.images)):
            image = np.asarray(shard.images[number], np.float32)
            tissue = shard.find_tissue(number).astype(np.uint8)
            side = float(shard.spacing_mm[number])
            grid = InputGrid(0, 0, 1.0, 1.0, SpacingMm(side, side))
            marks_by_region.append(
                [mark.as_json() for mark in detector.find_marks(image, tissue, grid)]
            )
        with write_whole(path, durable=True) as part:
            part.write_text(json.dumps(marks_by_region), "ascii")
    for number, values in enumerate(json.loads(path.read_text("ascii"))):
        side = float(shard.spacing_mm[number])
        spacing = SpacingMm(side, side)
        marks = [Mark.from_json(mark) for mark in values]
        calcifications = join_pieces(
            [m for m in marks if m.mark_class is MarkClass.CALCIFICATION], spacing
        )
        tissue_px = int(shard.find_tissue(number).sum())
        yield AnnotatedRegion(
            folder.name,
            calcifications,
            positions_mm(calcifications, spacing),
            shard.find_objects(number),
            spacing,
            tissue_px * side**2 / 100,
        )


def _digest_model(manifest: Manifest) -> str:
    """Return a digest of all that decides a model's marks, which its calibration does not."""
    parts = [graph.sha256 for graph in manifest.graphs]
    parts += [manifest.limits.model_dump_json(), manifest.input.model_dump_json()]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:12]
