"""What is named and not marked: only what is near certainly benign, whatever else it might be."""

from dataclasses import replace

import pytest

from secondread.codes import MarkClass, Morphology
from secondread.detect.marks import TypeShares
from secondread.findings.describe import describe_findings
from secondread.findings.finding import Finding
from secondread.findings.operating_point import OperatingPoint
from secondread.findings.typically_benign import SUSPICIOUS, is_typically_benign, mark_all
from secondread.geometry import SpacingMm
from tests.worlds.builders import mark

SUTURE = ((Morphology.SUTURE, 0.9), (Morphology.DYSTROPHIC, 0.08), (Morphology.ROUND, 0.02))


def _calibrate(share: float) -> float:
    return 100 * share


def _describe(types: TypeShares) -> Finding:
    marks = [replace(mark(100 + 20 * n, 100, 0.95), morphology=types) for n in range(4)]
    point = OperatingPoint(1, "test", 50.0, _calibrate)
    (finding,) = describe_findings(
        "LCC",
        marks,
        SpacingMm(0.1, 0.1),
        (1000, 800),
        lambda _, score: 100 * score,
        point,
    )
    return finding


def test_a_cluster_of_sutures_is_a_finding_that_is_not_shown() -> None:
    finding = _describe(SUTURE)

    assert finding.mark_class is MarkClass.CLUSTER
    assert finding.is_set_aside
    assert not finding.shown
    assert finding.benign_share == pytest.approx(0.98, abs=0.02)


def test_a_round_cluster_is_marked_though_it_is_dull() -> None:
    finding = _describe(((Morphology.ROUND, 0.9), (Morphology.SUTURE, 0.1)))

    assert finding.shown
    assert not finding.is_set_aside


@pytest.mark.parametrize("kind", sorted(SUSPICIOUS, key=str))
def test_one_suspicious_type_worth_naming_has_it_marked(kind: Morphology) -> None:
    # Shares need not add up to 1, and a table may say 96 of any share.
    types = ((Morphology.SUTURE, 0.85), (kind, 0.10))

    assert not is_typically_benign(types, lambda _: 96.0)
    assert is_typically_benign(((Morphology.SUTURE, 0.85), (kind, 0.09)), lambda _: 96.0)


def test_a_share_that_is_right_less_often_than_in_19_of_20_is_not_enough() -> None:
    assert not is_typically_benign(SUTURE, lambda _: 94.9)
    assert is_typically_benign(SUTURE, lambda _: 95.0)


def test_without_a_table_or_a_type_everything_is_marked() -> None:
    assert not is_typically_benign(SUTURE, mark_all)
    assert not is_typically_benign((), lambda _: 99.0)
