"""Agreement of descriptors, of views, of ranks; reliability of certainties."""

import numpy as np
import pytest

from secondread_lab.judge.agreement import (
    LesionInView,
    TrueLesion,
    compute_auc,
    count_two_views,
    tabulate_confusion,
)
from secondread_lab.judge.bootstrap import draw_resamples
from secondread_lab.judge.calibration import measure_reliability


def test_kappa_of_a_hand_made_table() -> None:
    # Of 10: 4 round as round, 1 round as amorphous, 2 amorphous as round, 3 as amorphous.
    pairs = (
        [("round", ["round"])] * 4
        + [("round", ["amorphous", "round"])]
        + [("amorphous", ["round", "amorphous"])] * 2
        + [("amorphous", ["amorphous"])] * 3
    )
    found = tabulate_confusion(pairs)

    assert found.labels == ("amorphous", "round")
    assert found.table == ((3, 2), (1, 4))
    assert found.first == pytest.approx(0.7)
    assert found.either == pytest.approx(1.0)
    assert found.kappa == pytest.approx((0.7 - 0.5) / 0.5)


def test_a_model_that_does_not_describe_has_an_empty_table() -> None:
    found = tabulate_confusion([("round", []), ("", ["round"])])
    assert found.count == 0
    assert found.kappa is None
    assert found.first is None


def test_a_single_label_has_no_kappa() -> None:
    assert tabulate_confusion([("round", ["round"])] * 3).kappa is None


def test_a_lesion_counts_once_however_many_images_show_it() -> None:
    def seen(name: str, view: str, *, found: bool) -> LesionInView:
        return LesionInView(TrueLesion("s", "L", name), view, found)

    counts = count_two_views(
        [
            seen("a", "CC", found=True),
            seen("a", "MLO", found=True),
            seen("b", "CC", found=False),
            seen("b", "CC", found=True),
            seen("b", "MLO", found=False),
            seen("c", "CC", found=False),
            seen("c", "MLO", found=False),
            seen("only-one-view", "CC", found=True),
        ]
    )
    assert (counts.both, counts.one, counts.none) == (1, 1, 1)


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    drawn = draw_resamples(5, resamples=20)
    values = compute_auc(
        np.array([90.0, 50.0]),
        np.array([0, 1]),
        np.array([60.0, 50.0, -1.0]),
        np.array([2, 3, 4]),
        drawn,
    )
    # 90 beats all three; 50 beats one and equals one.
    assert values[0] == pytest.approx((3 + 1.5) / 6)


def test_without_negatives_there_is_no_area() -> None:
    empty = np.array([]), np.array([], np.int64)
    assert np.isnan(
        compute_auc(np.array([1.0]), np.array([0]), *empty, draw_resamples(1, resamples=5))
    ).all()


def test_the_error_of_hand_made_certainties() -> None:
    certainty = np.array([0.95, 0.95, 0.15, 0.15])
    right = np.array([True, False, False, False])
    found = measure_reliability(certainty, right)

    assert [(b.low, b.count) for b in found.bins] == [(0.1, 2), (0.9, 2)]
    assert found.ece == pytest.approx(0.5 * 0.45 + 0.5 * 0.15)


def test_certainties_that_are_right_have_no_error() -> None:
    certainty = np.repeat([0.25, 0.75], 40)
    right = np.concatenate([np.arange(40) < 10, np.arange(40) < 30])
    assert measure_reliability(certainty, right).ece == pytest.approx(0.0)


def test_certainty_one_belongs_to_the_last_bin_and_nothing_has_no_error() -> None:
    assert measure_reliability(np.array([1.0]), np.array([True])).bins[0].high == 1.0
    assert measure_reliability(np.array([]), np.array([], np.bool_)).ece is None
