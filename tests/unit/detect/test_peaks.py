"""Candidates: local maxima once each, measured, metal as whole objects."""

from dataclasses import replace

import numpy as np
import pytest

from secondread.codes import MarkClass
from secondread.detect.breast import Brightness, Mask
from secondread.detect.candidate import Candidate, cut_patches
from secondread.detect.manifest import DetectionLimits
from secondread.detect.peaks import OpenCandidates, find_candidates
from secondread.detect.strips import ScoreMaps

LIMITS = DetectionLimits(maximum_candidates=50, minimum_score=0.3, maximum_marks_per_cm2=10)
CALCIFICATION = (MarkClass.CALCIFICATION,)
BOTH = (MarkClass.CALCIFICATION, MarkClass.METAL)
EVERYWHERE = np.ones((100, 120), np.uint8)


def dots(*dots: tuple[int, int, float], sigma: float = 1.5) -> np.ndarray:
    row, column = np.mgrid[0:100, 0:120]
    image = np.zeros((100, 120), np.float32)
    for r, c, height in dots:
        image += height * np.exp(-((row - r) ** 2 + (column - c) ** 2) / (2 * sigma**2))
    return image.astype(np.float32)


def maps(*scores: np.ndarray, diameter: float | None = 4.0) -> ScoreMaps:
    sizes = None if diameter is None else np.full(scores[0].shape, diameter, np.float32)
    return ScoreMaps(np.stack(scores), sizes, 1)


def settle_candidates(
    maps: ScoreMaps,
    heads: tuple[MarkClass, ...],
    image: Brightness,
    interior: Mask,
    spacing_mm: float,
    limits: DetectionLimits,
) -> list[Candidate]:
    return find_candidates(maps, heads, image, interior, spacing_mm, limits).settle()


def test_each_maximum_is_found_once_and_the_highest_comes_first() -> None:
    scores = dots((20, 30, 0.6), (70, 90, 0.9), (50, 10, 0.2))

    candidates = settle_candidates(
        maps(scores), CALCIFICATION, scores * 20, EVERYWHERE, 0.07, LIMITS
    )

    assert [(candidate.row, candidate.column) for candidate in candidates] == [(70, 90), (20, 30)]
    assert candidates[0].score == pytest.approx(0.9)
    assert candidates[0].contrast == pytest.approx(18, abs=0.1)
    assert candidates[0].diameter_px == 4.0


def test_a_double_within_the_radius_of_a_higher_one_is_dropped() -> None:
    scores = np.zeros((100, 120), np.float32)
    scores[50, 50], scores[50, 54], scores[50, 60] = 0.9, 0.8, 0.7

    candidates = settle_candidates(maps(scores), CALCIFICATION, scores, EVERYWHERE, 0.07, LIMITS)
    wide = settle_candidates(
        maps(scores, diameter=21.0), CALCIFICATION, scores, EVERYWHERE, 0.07, LIMITS
    )

    assert [candidate.column for candidate in candidates] == [50, 60]
    assert [candidate.column for candidate in wide] == [50]


def test_nothing_is_found_outside_the_interior() -> None:
    scores = dots((20, 30, 0.6), (70, 90, 0.9))
    interior = EVERYWHERE.copy()
    interior[60:] = 0

    candidates = settle_candidates(maps(scores), CALCIFICATION, scores, interior, 0.07, LIMITS)

    assert [candidate.row for candidate in candidates] == [20]


def test_no_more_than_the_largest_number_are_kept_the_highest_ones() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.3, 1, (100, 120)).astype(np.float32)
    few = LIMITS.model_copy(update={"maximum_candidates": 7})

    candidates = settle_candidates(maps(scores), CALCIFICATION, scores, EVERYWHERE, 0.07, few)

    assert len(candidates) == 7
    assert candidates[0].score == scores.max()


def test_a_line_is_longer_than_a_disc() -> None:
    disc = dots((30, 30, 1.0))
    row, column = np.mgrid[0:100, 0:120]
    line = np.exp(-(((row - 70) / 1.2) ** 2 + ((column - 80) / 5) ** 2) / 2).astype(np.float32)
    image = disc + line

    first, second = sorted(
        settle_candidates(maps(image), CALCIFICATION, image * 10, EVERYWHERE, 0.07, LIMITS),
        key=lambda candidate: candidate.row,
    )

    assert first.elongation == pytest.approx(1, abs=0.1)
    assert second.elongation > 2


def test_without_a_diameter_from_the_graph_the_shape_gives_one() -> None:
    row, column = np.mgrid[0:100, 0:120]
    disc = (np.hypot(row - 40, column - 60) <= 2).astype(np.float32) + dots((40, 60, 0.01))

    (candidates,) = settle_candidates(
        maps(disc, diameter=None), CALCIFICATION, disc * 10, EVERYWHERE, 0.07, LIMITS
    )

    assert candidates.diameter_px == pytest.approx(4.07, rel=0.1)


def test_a_metal_object_is_one_mark_and_swallows_the_marks_on_its_edge() -> None:
    metal = np.zeros((100, 120), np.float32)
    metal[40:50, 60:90] = 0.95
    metal[44, 70] = 0.99
    spots = dots((45, 57, 0.9), (45, 93, 0.9), (10, 10, 0.8))

    candidates = settle_candidates(maps(spots, metal), BOTH, metal * 30, EVERYWHERE, 0.07, LIMITS)

    assert [candidate.mark_class for candidate in candidates] == [
        MarkClass.METAL,
        MarkClass.CALCIFICATION,
    ]
    assert (candidates[0].row, candidates[0].column) == (44.5, 74.5)
    assert candidates[0].score == pytest.approx(0.99)
    assert candidates[0].elongation == pytest.approx(3, rel=0.05)
    assert candidates[0].diameter_px == pytest.approx(2 * np.sqrt(300 / np.pi))
    assert (candidates[1].row, candidates[1].column) == (10, 10)


def call_calcifications(candidates: OpenCandidates) -> OpenCandidates:
    spots = tuple(
        replace(candidate, mark_class=MarkClass.CALCIFICATION) for candidate in candidates.spots
    )
    return replace(candidates, spots=spots)


def test_an_object_that_is_overturned_leaves_its_spots() -> None:
    metal = dots((40, 60, 0.95), (43, 66, 0.9), sigma=2.5)
    spots = dots((40, 60, 0.4), (10, 10, 0.8))
    grains = 30 * dots((40, 60, 0.95), (43, 66, 0.9), sigma=1.0)

    candidates = find_candidates(maps(spots, metal), BOTH, grains, EVERYWHERE, 0.07, LIMITS)
    again = call_calcifications(candidates)

    assert [candidate.mark_class for candidate in candidates.objects] == [MarkClass.METAL]
    assert sorted(candidates.object_index) == [-1, 0, 0]
    assert [candidate.mark_class for candidate in candidates.settle()] == [
        MarkClass.METAL,
        MarkClass.CALCIFICATION,
    ]
    assert len(again.settle(overturned={0})) == 3
    assert MarkClass.METAL not in {
        candidate.mark_class for candidate in again.settle(overturned={0})
    }


def test_an_overturned_object_that_is_bright_all_over_is_one_calcification() -> None:
    ball = np.zeros((100, 120), np.float32)
    ball[40:56, 60:76] = 0.95
    spots = dots((42, 62, 0.9), (42, 73, 0.8), (53, 68, 0.7), (48, 84, 0.6), (10, 10, 0.5))

    candidates = find_candidates(maps(spots, ball), BOTH, ball * 30, EVERYWHERE, 0.07, LIMITS)
    settled = call_calcifications(candidates).settle(overturned={0})

    at = {(candidate.row, candidate.column) for candidate in settled}
    assert len(at) == 3
    assert {(48, 84), (10, 10)} < at  # beside it, and far from it


def test_nobody_asks_again_about_a_large_object() -> None:
    metal = np.zeros((100, 120), np.float32)
    metal[20:80, 20:100] = 0.95

    candidates = find_candidates(maps(metal, metal), BOTH, metal * 30, EVERYWHERE, 0.07, LIMITS)

    assert len(candidates.objects) == 1
    assert candidates.spots == ()


def test_a_mark_has_the_class_whose_head_is_highest_there() -> None:
    heads = (MarkClass.CALCIFICATION, MarkClass.VASCULAR)
    scores = maps(dots((20, 30, 0.6), (70, 90, 0.5)), dots((70, 90, 0.9)))

    candidates = settle_candidates(scores, heads, scores.scores[0], EVERYWHERE, 0.07, LIMITS)

    assert [candidate.mark_class for candidate in candidates] == [
        MarkClass.VASCULAR,
        MarkClass.CALCIFICATION,
    ]


def test_an_empty_map_has_no_candidates() -> None:
    empty = np.zeros((100, 120), np.float32)

    assert settle_candidates(maps(empty, empty), BOTH, empty, EVERYWHERE, 0.07, LIMITS) == []


def test_patches_are_centred_and_zero_beyond_the_image() -> None:
    image = np.arange(100 * 120, dtype=np.float32).reshape(100, 120)
    scores = np.zeros((100, 120), np.float32)
    scores[0, 119] = scores[50, 60] = 0.9
    candidates = settle_candidates(maps(scores), CALCIFICATION, image, EVERYWHERE, 0.07, LIMITS)

    cut = cut_patches(image, [candidate.center for candidate in candidates], 9)

    assert cut.shape == (2, 1, 9, 9)
    assert cut[:, 0, 4, 4].tolist() == [image[0, 119], image[50, 60]]
    assert (cut[0, 0, :4] == 0).all()
    assert (cut[0, 0, :, 5:] == 0).all()
