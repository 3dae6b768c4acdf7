"""Regions on disk: shards that are written once and mapped into memory for training."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.calcification.training import backgrounds
from models.calcification.training.regions import OBJECT, Objects, Region, make_region
from secondread_lab.simulate.seeds import seed_stream

SHARD = 64
"""Regions in one shard."""
TISSUE = 1 << 7
"""Bit of the stored labels for breast."""
_HELD = 24
"""Backgrounds of a shard: enough to mix, few enough for the memory."""


STORED_OBJECT = np.dtype([("region", np.float32), *OBJECT.descr])
"""A solid, with the number of its region in the shard."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Some regions, mapped from disk."""

    images: npt.NDArray[np.float16]
    """(regions, SIDE, SIDE)."""
    labels: npt.NDArray[np.uint8]
    """(regions, SIDE, SIDE), with `TISSUE`."""
    objects: Objects
    """Of `STORED_OBJECT`."""
    spacing_mm: npt.NDArray[np.float64]
    """(regions,)."""

    def find_objects(self, region: int) -> Objects:
        """Return the solids of a region."""
        objects: Objects = self.objects[self.objects["region"] == region]
        return objects

    def find_tissue(self, region: int) -> npt.NDArray[np.bool_]:
        """Return where a region shows the breast."""
        return np.asarray((self.labels[region] & TISSUE) > 0, np.bool_)


def write_shard(folder: Path, regions: Sequence[Region]) -> None:
    """Write a shard as a whole: its folder appears when all files are written."""
    part = folder.with_name(folder.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    np.save(part / "images.npy", np.stack([region.image for region in regions]))
    labels = np.stack([region.labels | region.tissue * np.uint8(TISSUE) for region in regions])
    np.save(part / "labels.npy", labels)
    objects = np.zeros(sum(len(region.objects) for region in regions), STORED_OBJECT)
    counts = [len(region.objects) for region in regions]
    objects["region"] = np.repeat(np.arange(len(regions)), counts)
    for name in OBJECT.names or ():
        objects[name] = np.concatenate([region.objects[name] for region in regions])
    # A plain table, as shards have held from the first on.
    np.save(part / "objects.npy", objects.view(np.float32).reshape(len(objects), -1))
    np.save(part / "spacing.npy", np.array([region.spacing_mm for region in regions]))
    part.rename(folder)


def read_shard(folder: Path) -> Shard:
    """Map a shard into memory."""
    return Shard(
        np.load(folder / "images.npy", mmap_mode="r"),
        np.load(folder / "labels.npy", mmap_mode="r"),
        np.load(folder / "objects.npy").view(STORED_OBJECT)[:, 0],
        np.load(folder / "spacing.npy"),
    )


def sample_regions(folders: Sequence[Path], count: int, seed: int) -> npt.NDArray[np.float16]:
    """Return regions drawn at random from shards, (count, 1, SIDE, SIDE)."""
    rng = np.random.default_rng(seed)
    chosen = [folders[number] for number in rng.integers(len(folders), size=count)]
    images = [read_shard(folder).images for folder in chosen]
    return np.stack([some[rng.integers(len(some))][None] for some in images])


def list_shards(folder: Path) -> list[Path]:
    """Return the finished shards of a folder, in order."""
    return sorted(
        path for path in folder.glob("*") if path.is_dir() and not path.name.endswith(".part")
    )


def generate_shards(
    tissue: Sequence[Path], folder: Path, seed: int, numbers: Iterator[int]
) -> Iterator[Path]:
    """Make the shards of these numbers that do not exist yet, and yield the folders of all.

    Parameters
    ----------
    tissue
        Files of backgrounds to draw from.
    seed
        Of the round; seed and number decide a shard.
    """
    for number in numbers:
        target = folder / f"{seed:03d}-{number:05d}"
        if not target.exists():
            rng = seed_stream(seed, "regions", str(number))
            chosen = rng.choice(len(tissue), min(_HELD, len(tissue)), replace=False)
            held_backgrounds = [backgrounds.read_background(tissue[int(index)]) for index in chosen]
            regions: list[Region] = []
            while len(regions) < SHARD:
                region = make_region(
                    held_backgrounds[int(rng.integers(len(held_backgrounds)))], rng
                )
                if region is not None:
                    regions.append(region)
            write_shard(target, regions)
        yield target
