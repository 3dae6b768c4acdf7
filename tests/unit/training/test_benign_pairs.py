"""Shares of typically benign types by tables that did not see the group."""

import numpy as np
import pytest

from models.calcification.training.group_tables import Examples, judge_benign, leave_out
from models.calcification.training.placed_solids import MORPHOLOGIES
from secondread.codes import Morphology

SUTURE, AMORPHOUS = (MORPHOLOGIES.index(k) for k in (Morphology.SUTURE, Morphology.AMORPHOUS))
FEATURES = ("share_suture", "share_amorphous")


def test_each_group_is_judged_by_the_others() -> None:
    rng = np.random.default_rng(1)
    examples = Examples.empty()
    for number in range(60):
        is_suture = number % 2 == 0
        high, low = float(rng.normal(-0.3, 0.1)), float(rng.normal(-4.0, 0.1))
        both = (high, low) if is_suture else (low, high)
        answer = SUTURE if is_suture else AMORPHOUS
        examples.add(dict(zip(FEATURES, both, strict=True)), answer, f"shard-{number // 6}")

    shares = leave_out(examples, FEATURES, MORPHOLOGIES, 10.0)
    pairs = judge_benign(examples, shares)

    assert shares.sum(axis=1) == pytest.approx(np.ones(60))
    assert [is_benign for _, is_benign in pairs] == [number % 2 == 0 for number in range(60)]
    assert all((share > 0.5) is is_benign for share, is_benign in pairs)
