"""Hybrid test images: real mammograms with simulated clusters put in, fixed by a seed.

Each real view is read as it is, where every mark counts as false, and in several versions with
clusters. The real views themselves are not annotated, so that a mark on a real calcification
counts as false as well: rates of false marks are upper bounds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import FileDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from secondread.assemble.intent import Intent
from secondread.assemble.mammogram import Mammogram
from secondread.codes import Distribution, MarkClass, Morphology
from secondread.detect import breast
from secondread.detect.decode import StoredValues, decode_pixels
from secondread.detect.pixels import GreyScale
from secondread.errors import InputError
from secondread.geometry import PointPx, SpacingMm
from secondread.offline.input_files import gather_files
from secondread.report.sr.uids import derive_uid
from secondread_lab.judge.image_sources import TestImage, TestSet
from secondread_lab.simulate.annotation import (
    AnnotatedSolid,
    SharedColumns,
    VisibleSolid,
    make_truth_rows,
)
from secondread_lab.simulate.insertion import (
    GroupSpec,
    Mask,
    NoiseScale,
    draw_group,
    insert_patches,
    measure_noise_scale,
)
from secondread_lab.simulate.seeds import seed_stream
from secondread_lab.simulate.truth import NOTHING, TruthRow

SEED = 20261122

VERSIONS = 6
"""Versions of each view that have clusters."""

GROUPS = 3
"""Clusters in each of them."""

SEEN, UNSEEN = "seen-as-background", "unseen"
"""Subsets: views that training may use as backgrounds, and all others."""

FAMILY = "real"

_APART_MM = 25.0
"""Least distance of two clusters' middles, so that each is found or missed independently."""
_EDGE_MM = 9.0
"""Least distance of a cluster's middle from skin and image border."""
_TRIES = 400

_KINDS: tuple[tuple[Morphology, tuple[float, float]], ...] = (
    (Morphology.ROUND, (0.18, 0.45)),
    (Morphology.PUNCTATE, (0.13, 0.30)),
    (Morphology.AMORPHOUS, (0.25, 0.70)),
    (Morphology.COARSE_HETEROGENEOUS, (0.30, 0.80)),
    (Morphology.FINE_PLEOMORPHIC, (0.15, 0.45)),
    (Morphology.FINE_LINEAR, (0.20, 0.60)),
    (Morphology.FINE_LINEAR_BRANCHING, (0.20, 0.60)),
)
"""Types in turn, each with the range of its members' diameters in mm."""
_CNR = (3.5, 10.0)
"""Range of a cluster's median contrast to noise, log-uniform."""


@dataclass(frozen=True, slots=True)
class HybridSource:
    """One real view, unchanged and in versions with clusters."""

    path: Path
    name: str
    """Relative to the folder of real exams, without the suffix."""
    subset: str

    @property
    def keys(self) -> tuple[str, ...]:
        """The view's name with ``as-is`` or the number of the version."""
        return (f"{self.name}/as-is", *(f"{self.name}/{n}" for n in range(1, VERSIONS + 1)))

    def make_images(self) -> Iterator[TestImage]:
        """Yield the view unchanged, then with clusters."""
        real = _RealView.from_file(self.path, self.name)
        uid = str(real.ds.SOPInstanceUID)
        nothing = TruthRow(uid, NOTHING, vendor_family=FAMILY)
        yield TestImage(self.keys[0], self.path, (nothing,), self.subset)
        for version, key in enumerate(self.keys[1:], start=1):
            ds, rows = real.make_version(version)
            yield TestImage(key, ds, rows, self.subset)


def make_hybrid_set(real: Path, backgrounds: tuple[str, ...]) -> TestSet:
    """Return the hybrid images made from a folder of real exams.

    Parameters
    ----------
    real
        Folder; files other than lossless For Presentation mammograms are ignored.
    backgrounds
        Names, relative to the folder, of files and folders that the model saw in training.

    Raises
    ------
    SettingsError
        The folder does not exist.
    InputError
        It holds no mammogram that can be used.
    """
    inputs = gather_files([real])
    paths = inputs.paths
    usable = sorted(paths[uid] for uid, m in inputs.mammograms.items() if _is_usable(m))
    if not usable:
        raise InputError(f"{real}: no lossless For Presentation mammogram with a pixel spacing")
    root = real.resolve()
    background_paths = tuple((root / name).resolve() for name in backgrounds)
    cases = tuple(
        HybridSource(
            path,
            path.relative_to(root).with_suffix("").as_posix(),
            SEEN
            if any(
                path == background or background in path.parents for background in background_paths
            )
            else UNSEEN,
        )
        for path in usable
    )
    return TestSet("hybrid", cases, frozenset(), digest=f"{SEED}-{VERSIONS}-{GROUPS}")


def _is_usable(mammogram: Mammogram) -> bool:
    return (
        mammogram.intent is Intent.PRESENTATION
        and not mammogram.is_lossy
        and mammogram.frames == 1
        and mammogram.spacing is not None
    )


@dataclass(frozen=True, slots=True)
class _RealView:
    """A decoded real view."""

    path: Path
    ds: FileDataset
    name: str
    stored: StoredValues
    grey: GreyScale
    bright: npt.NDArray[np.float32]
    tissue: Mask
    tone: NoiseScale
    spacing: SpacingMm

    @classmethod
    def from_file(cls, path: Path, name: str) -> "_RealView":
        ds = pydicom.dcmread(path)
        mammogram = Mammogram.from_dataset(ds)
        stored = decode_pixels(ds)
        grey = GreyScale.from_dataset(ds, mammogram)
        bright = grey.to_brightness(stored)
        spacing = mammogram.spacing
        region = breast.find_breast(bright, spacing) if spacing else None
        if spacing is None or region is None:
            raise InputError(f"{path}: no breast was found to put clusters into")
        shape = (bright.shape[1], bright.shape[0])
        tissue = cv2.resize(region.interior, shape, interpolation=cv2.INTER_NEAREST) > 0
        inside = np.asarray(tissue, np.bool_)
        tone = measure_noise_scale(bright, inside, float(grey.bright.max()))
        return cls(path, ds, name, stored, grey, bright, inside, tone, spacing)

    def make_version(self, number: int) -> tuple[FileDataset, tuple[TruthRow, ...]]:
        """Return the view with clusters, and their truth rows."""
        uid = derive_uid("secondread-hybrid", str(self.ds.SOPInstanceUID), str(number))
        bright = self.bright
        visible: list[VisibleSolid] = []
        for group, place in enumerate(self._draw_places(number), start=1):
            bright, added = self._insert_group(bright, number, group, place)
            visible += added
        rows = make_truth_rows(uid, visible, SharedColumns(FAMILY, "", self.spacing))
        return self._make_dataset(bright, uid, number), tuple(rows)

    def _insert_group(
        self, bright: npt.NDArray[np.float32], number: int, group: int, place: PointPx
    ) -> tuple[npt.NDArray[np.float32], list[VisibleSolid]]:
        rng = seed_stream(SEED, "hybrid group", self.name, number, group)
        kind, diameters = _KINDS[(GROUPS * number + group) % len(_KINDS)]
        spec = GroupSpec(
            kind,
            Distribution.GROUPED,
            count=round(_draw_log_uniform(rng, 5, 16)),
            diameter_mm=diameters,
            extent_mm=_draw_log_uniform(rng, 5.0, 18.0),
        )
        members = draw_group(spec, place, self.spacing.mean, rng)
        patches = [member.patch for member in members]
        cnr = _draw_log_uniform(rng, *_CNR)
        inserted = insert_patches(
            bright, self.tissue, self.spacing.mean, patches, noise_scale=self.tone, cnr=cnr
        )
        # Each view has clusters of its own; no lesion is in two views.
        lesion = f"{self.name}-{group}"
        visible = [
            (
                AnnotatedSolid(
                    member.solid,
                    MarkClass.CLUSTER,
                    n,
                    lesion,
                    kind.name.lower(),
                    spec.distribution.name.lower(),
                ),
                footprint,
            )
            for n, (member, footprint) in enumerate(
                zip(members, inserted.footprints, strict=True), 1
            )
            if footprint is not None
        ]
        return inserted.bright, visible

    def _draw_places(self, number: int) -> list[PointPx]:
        """Draw middles of clusters, well inside the breast and apart from each other."""
        rng = seed_stream(SEED, "hybrid places", self.name, number)
        pitch = self.spacing.mean
        step = 8  # a coarse grid of places is enough
        small = np.pad(self.tissue[::step, ::step].astype(np.uint8), 1)
        depth = cv2.distanceTransform(small, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
        rows, columns = np.nonzero(depth * step * pitch > _EDGE_MM)
        places: list[PointPx] = []
        for _ in range(_TRIES if len(rows) else 0):
            pick = int(rng.integers(len(rows)))
            place = PointPx(float(columns[pick] * step), float(rows[pick] * step))
            if all(self.spacing.distance_mm(place, other) >= _APART_MM for other in places):
                places.append(place)
            if len(places) == GROUPS:
                break
        return places

    def _make_dataset(self, bright: npt.NDArray[np.float32], uid: str, number: int) -> FileDataset:
        ds = pydicom.dcmread(self.path, stop_before_pixels=True)
        ds.SOPInstanceUID = uid
        ds.file_meta.MediaStorageSOPInstanceUID = UID(uid)
        # Each version is an exam of its own, of the same woman.
        study = str(self.ds.StudyInstanceUID)
        ds.StudyInstanceUID = derive_uid("secondread-hybrid", study, str(number))
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        values = self._find_stored_values(bright).tobytes()
        ds.PixelData = values + b"\0" * (len(values) % 2)
        ds["PixelData"].VR = "OW"
        return ds

    def _find_stored_values(self, bright: npt.NDArray[np.float32]) -> StoredValues:
        """Return the stored values of the nearest brightness; other pixels stay as they were."""
        touched = bright != self.bright
        order = np.argsort(self.grey.bright, kind="stable")
        levels = self.grey.bright[order]
        wanted = bright[touched]
        after = np.clip(np.searchsorted(levels, wanted), 1, len(levels) - 1)
        nearer = wanted - levels[after - 1] < levels[after] - wanted
        stored = self.stored.copy()
        stored[touched] = order[after - nearer] + self.grey.lowest
        return stored


def _draw_log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
