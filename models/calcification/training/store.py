"""Regions on disk: shards that are written once and mapped into memory by the trainings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.calcification.training import backgrounds
from models.calcification.training.regions import SIDE, Region, make_region
from secondread_lab.simulate.seeds import seed_stream

SHARD = 64
"""Regions in one shard."""
TISSUE = 1 << 7
"""Bit of the stored labels that says: breast."""
_HELD = 24
"""Backgrounds that a shard draws from: enough to mix, few enough to hold."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Some regions, mapped from disk."""

    images: npt.NDArray[np.float16]
    """(regions, SIDE, SIDE)."""
    labels: npt.NDArray[np.uint8]
    """(regions, SIDE, SIDE), with `TISSUE`."""
    objects: npt.NDArray[np.float32]
    """Rows of `regions.OBJECT_COLUMNS`, with the region's number in front."""
    spacing_mm: npt.NDArray[np.float64]
    """(regions,)."""


def write_shard(folder: Path, made: Sequence[Region]) -> None:
    """Write a shard; it is there whole or not at all."""
    part = folder.with_name(folder.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    np.save(part / "images.npy", np.stack([one.image for one in made]))
    labels = np.stack([one.labels | one.tissue * np.uint8(TISSUE) for one in made])
    np.save(part / "labels.npy", labels)
    objects = [
        np.column_stack([np.full(len(one.objects), number, np.float32), one.objects])
        for number, one in enumerate(made)
    ]
    np.save(part / "objects.npy", np.concatenate(objects))
    np.save(part / "spacing.npy", np.array([one.spacing_mm for one in made]))
    part.rename(folder)


def read_shard(folder: Path) -> Shard:
    """Map a shard into memory."""
    return Shard(
        np.load(folder / "images.npy", mmap_mode="r"),
        np.load(folder / "labels.npy", mmap_mode="r"),
        np.load(folder / "objects.npy"),
        np.load(folder / "spacing.npy"),
    )


def sample_regions(folders: Sequence[Path], count: int, seed: int) -> npt.NDArray[np.float16]:
    """Return regions drawn by chance from shards, (count, 1, SIDE, SIDE)."""
    rng = np.random.default_rng(seed)
    of = [folders[number] for number in rng.integers(len(folders), size=count)]
    images = [read_shard(folder).images for folder in of]
    return np.stack([some[rng.integers(len(some))][None] for some in images])


def list_shards(folder: Path) -> list[Path]:
    """Return the finished shards of a folder, in order."""
    return sorted(
        path for path in folder.glob("*") if path.is_dir() and not path.name.endswith(".part")
    )


def generate(
    tissue: Sequence[Path], folder: Path, seed: int, numbers: Iterator[int]
) -> Iterator[Path]:
    """Make the shards of these numbers, those apart that are there already.

    Parameters
    ----------
    tissue
        Files of backgrounds to draw from.
    seed
        Of the round; a shard is decided by seed and number.
    """
    for number in numbers:
        target = folder / f"{seed:03d}-{number:05d}"
        if not target.exists():
            rng = seed_stream(seed, "regions", str(number))
            chosen = rng.choice(len(tissue), min(_HELD, len(tissue)), replace=False)
            held = [backgrounds.read_background(tissue[int(index)]) for index in chosen]
            made: list[Region] = []
            while len(made) < SHARD:
                region = make_region(held[int(rng.integers(len(held)))], rng)
                if region is not None:
                    made.append(region)
            write_shard(target, made)
        yield target


def megapixels(folder: Path) -> float:
    """Return how much there is in a folder of shards."""
    return len(list_shards(folder)) * SHARD * SIDE * SIDE / 1e6
