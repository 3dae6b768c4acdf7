"""The training data's truth: what is labelled is where it is seen, and nothing else is."""

from pathlib import Path

import numpy as np
import pytest

from models.calcification.training import backgrounds
from models.calcification.training.backgrounds import Background
from models.calcification.training.region_solids import draw_solids
from models.calcification.training.regions import (
    HEADS,
    IGNORED,
    OBJECT,
    SIDE,
    SURE_CNR,
    Region,
    make_region,
)
from models.calcification.training.store import TISSUE, read_shard, sample_regions, write_shard
from models.calcification.training.tiles import TILE, Tiles
from secondread.codes import MarkClass
from secondread_lab.judge.population import RESERVED_SEEDS


@pytest.fixture(scope="module")
def background() -> Background:
    """Smooth tissue of 80 by 80 mm: only what is put in has detail."""
    rng = np.random.default_rng(5)
    lines = (3.0 + 0.02 * rng.standard_normal((800, 800))).astype(np.float32)
    return Background(lines, pitch_mm=0.1, level=3.0, fat=2.4, dense=3.6)


@pytest.fixture(scope="module")
def regions(background: Background) -> list[Region]:
    rng = np.random.default_rng(11)
    made = (make_region(background, rng) for _ in range(12))
    return [region for region in made if region is not None]


def test_every_region_has_the_size_that_the_network_sees(regions: list[Region]) -> None:
    assert len(regions) >= 6
    for region in regions:
        assert region.image.shape == region.labels.shape == region.tissue.shape == (SIDE, SIDE)
        assert region.objects.dtype == OBJECT


def test_a_sure_solid_is_labelled_with_its_class_where_it_is(regions: list[Region]) -> None:
    seen = 0
    for region in regions:
        for row, column, head, diameter, cnr, *_ in region.objects:
            if cnr < SURE_CNR:
                continue
            reach = int(diameter / 2) + 3
            window = region.labels[
                max(int(row) - reach, 0) : int(row) + reach + 1,
                max(int(column) - reach, 0) : int(column) + reach + 1,
            ]
            assert (window & (1 << int(head))).any()
            seen += 1
    assert seen > 50


def test_labels_stand_out_of_the_image(regions: list[Region]) -> None:
    calcification = 1 << HEADS.index(MarkClass.CALCIFICATION)
    labelled = np.concatenate(
        [r.image[(r.labels & calcification > 0) & (r.tissue > 0)] for r in regions]
    )
    empty = np.concatenate([r.image[(r.labels == 0) & (r.tissue > 0)][::50] for r in regions])
    assert np.median(labelled.astype(np.float32)) > np.percentile(empty.astype(np.float32), 95)


def test_a_faint_solid_is_neither_asked_for_nor_called_false(regions: list[Region]) -> None:
    assert any((region.labels & IGNORED).any() for region in regions)


def test_what_a_region_holds_is_decided_by_its_seed(background: Background) -> None:
    first, second = (make_region(background, np.random.default_rng(3)) for _ in range(2))
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_allclose(
        first.image.astype(np.float32), second.image.astype(np.float32), atol=0.05
    )


def test_groups_are_numbered_apart() -> None:
    for seed in range(30):
        placed = draw_solids(np.random.default_rng(seed), 15.0)
        classes: dict[int, set[MarkClass | None]] = {}
        for solid in placed:
            if solid.group >= 0:
                classes.setdefault(solid.group, set()).add(solid.mark_class)
        assert all(len(found) == 1 for found in classes.values())


def test_training_tissue_is_no_test_exams_tissue() -> None:
    assert RESERVED_SEEDS.start > backgrounds.FIRST_SEED + 100_000


def test_a_shard_comes_back_as_it_was_written(regions: list[Region], tmp_path: Path) -> None:
    write_shard(tmp_path / "001-00000", regions)
    shard = read_shard(tmp_path / "001-00000")
    assert len(shard.images) == len(regions)
    for number, region in enumerate(regions):
        np.testing.assert_array_equal(shard.images[number], region.image)
        np.testing.assert_array_equal(shard.labels[number] & ~np.uint8(TISSUE), region.labels)
        for name in OBJECT.names or ():
            np.testing.assert_array_equal(
                shard.find_objects(number)[name], region.objects[name], err_msg=name
            )


def test_regions_drawn_from_shards_are_of_them_and_the_same_for_a_seed(
    regions: list[Region], tmp_path: Path
) -> None:
    folders = [tmp_path / "001-00000", tmp_path / "001-00001"]
    write_shard(folders[0], regions[:2])
    write_shard(folders[1], regions[2:])

    some = sample_regions(folders, 20, seed=3)

    assert some.shape == (20, 1, SIDE, SIDE)
    seen = {next(n for n, one in enumerate(regions) if (one.image == own[0]).all()) for own in some}
    assert len(seen) > 3
    assert (sample_regions(folders, 20, seed=3) == some).all()


def test_tiles_are_cut_around_what_was_mistaken(regions: list[Region], tmp_path: Path) -> None:
    write_shard(tmp_path / "001-00000", regions)
    place = np.array([[0, 0, SIDE - 1, SIDE - 1]])
    batch = Tiles([tmp_path / "001-00000"], place).batch(np.random.default_rng(1), 6)
    assert batch.images.shape == (6, 1, TILE, TILE)
    assert batch.labels.shape == (6, TILE, TILE)
    assert np.isfinite(batch.images).all()
