"""Type and distribution of a group of calcifications, each with its confidence.

A radiologist describes the group, not each grain. A model that was fitted to groups gives both with
a probability, from the members' shares, their differences and their layout (`group_features`).

Without such a model, the type is the average of the members' shares as logarithms, so that a type
which some member clearly does not have loses, and a sure member counts more than a doubtful one.
The distribution then follows a rule on extent and principal axes, and its confidence is the
rule's own: full where the measure is far from the rule's border, shared evenly on the border.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import pdist
from scipy.special import softmax

from secondread.codes import Distribution, Morphology
from secondread.detect.groups import DistributionTable, TypeTable
from secondread.detect.marks import Mark
from secondread.findings.group_features import average_log_shares

PUNCTATE_MM = 0.5
"""Round calcifications smaller than this are called punctate (BI-RADS atlas, 5th edition)."""

REGIONAL_MM = 20.0
"""BI-RADS calls calcifications regional that fill more than 2 cm of tissue."""

DIFFUSE_MM = 60.0
"""Beyond this extent the group no longer fits a quadrant and is called diffuse."""

_LINEAR_RATIO = 4.0

_Label = TypeVar("_Label", Morphology, Distribution)


def classify_type(
    members: Sequence[Mark],
    features: Mapping[str, float] | None = None,
    table: TypeTable | None = None,
) -> tuple[tuple[Morphology, float], ...]:
    """Return the types of a group with their confidence 0-1, the likeliest first.

    Empty where the model gives no types.

    Parameters
    ----------
    members
        Its calcifications.
    features, table
        What `group_features.measure_group` gives for the group, and the model's table for it; the
        average of the members serves without.
    """
    typed = [mark for mark in members if mark.morphology]
    if not typed:
        return ()
    if features is not None and table is not None:
        ranked = _rank_labels(table.labels, table.predict(features))
    else:
        kinds = tuple(kind for kind, _ in typed[0].morphology)
        ranked = _rank_labels(kinds, softmax(average_log_shares(typed)))
    is_small = float(np.median([mark.diameter_mm for mark in typed])) < PUNCTATE_MM
    return tuple(
        (Morphology.PUNCTATE if kind is Morphology.ROUND and is_small else kind, confidence)
        for kind, confidence in ranked
    )


def classify_distribution(
    at_mm: npt.NDArray[np.float64],
    features: Mapping[str, float] | None = None,
    table: DistributionTable | None = None,
) -> tuple[tuple[Distribution, float], ...]:
    """Return the distributions of a group with their confidence 0-1, the likeliest first.

    Parameters
    ----------
    at_mm
        The places of its members, (members, 2).
    features, table
        What `group_features.measure_group` gives for the group, and the model's table for it; the
        rule serves without.
    """
    extent = float(pdist(at_mm).max())
    if extent > DIFFUSE_MM:
        return _share_out(Distribution.DIFFUSE, Distribution.REGIONAL, extent / DIFFUSE_MM)
    if features is not None and table is not None:
        return _rank_labels(table.labels, table.predict(features))
    # Segmental needs the nipple's direction: the rule never gives it.
    if extent > REGIONAL_MM:
        return _share_out(Distribution.REGIONAL, Distribution.GROUPED, extent / REGIONAL_MM)
    ratio = _measure_axis_ratio(at_mm)
    if len(at_mm) >= 5 and ratio > _LINEAR_RATIO:
        return _share_out(Distribution.LINEAR, Distribution.GROUPED, ratio / _LINEAR_RATIO)
    other = Distribution.LINEAR if ratio > _LINEAR_RATIO / 2 else Distribution.REGIONAL
    return _share_out(Distribution.GROUPED, other, min(REGIONAL_MM / max(extent, 0.1), 2.0))


def _rank_labels(
    labels: Sequence[_Label], shares: npt.NDArray[np.float64]
) -> tuple[tuple[_Label, float], ...]:
    order = np.argsort(-shares, kind="stable")
    return tuple((labels[index], float(shares[index])) for index in order.tolist())


def _measure_axis_ratio(at_mm: npt.NDArray[np.float64]) -> float:
    """Return the ratio of standard deviations along the principal axes; 1 for a round group."""
    low, high = np.linalg.eigvalsh(np.cov(at_mm.T))
    return float(np.sqrt(high / max(low, 0.01)))  # 0.1 mm: finer than a position is known


def _share_out(
    first: Distribution, second: Distribution, over: float
) -> tuple[tuple[Distribution, float], ...]:
    # `over` is 1 on the rule's border and grows away from it; twice the border counts as clear.
    confidence = round(min(0.5 + 0.45 * (over - 1.0), 0.95), 2)
    return (first, confidence), (second, round(1 - confidence, 2))
