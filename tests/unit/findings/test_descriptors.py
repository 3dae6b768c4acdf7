"""The type of a group from its members' types."""

import pytest

from secondread.codes import MarkClass, Morphology
from secondread.detect.marks import Mark
from secondread.findings.descriptors import classify_type
from secondread.geometry import PointPx

ROUND, LINEAR, DYSTROPHIC = Morphology.ROUND, Morphology.FINE_LINEAR, Morphology.DYSTROPHIC


def mark(shares: tuple[float, float, float], score: float = 0.9, diameter_mm: float = 0.7) -> Mark:
    kinds = (ROUND, LINEAR, DYSTROPHIC)
    return Mark(
        center=PointPx(10.0, 10.0),
        score=score,
        mark_class=MarkClass.CALCIFICATION,
        diameter_mm=diameter_mm,
        contrast=8.0,
        morphology=tuple(zip(kinds, shares, strict=True)),
    )


def test_all_types_come_with_their_shares_the_likeliest_first() -> None:
    types = classify_type([mark((0.2, 0.7, 0.1))] * 3)
    assert [kind for kind, _ in types] == [LINEAR, ROUND, DYSTROPHIC]
    assert [share for _, share in types] == pytest.approx([0.7, 0.2, 0.1])


def test_a_model_that_tells_no_types_gives_none() -> None:
    assert classify_type([Mark(PointPx(1, 1), 0.9, MarkClass.CALCIFICATION, 0.3, 8.0)]) == ()


def test_small_round_ones_are_punctate() -> None:
    small = [mark((0.8, 0.1, 0.1), diameter_mm=0.4)] * 3
    assert classify_type(small)[0][0] is Morphology.PUNCTATE


def test_a_sure_member_counts_more_than_a_doubtful_one() -> None:
    members = [mark((0.9, 0.05, 0.05), score=0.95), mark((0.05, 0.9, 0.05), score=0.2)]
    assert classify_type(members)[0][0] is ROUND


def test_one_member_that_clearly_is_not_of_a_type_does_not_rule_it_out_alone() -> None:
    members = [mark((0.9, 0.1, 0.0))] * 6 + [mark((0.0, 0.5, 0.5))]
    assert classify_type(members)[0][0] is ROUND
