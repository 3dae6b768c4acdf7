"""The type of a group of calcifications, from the types of its members.

A radiologist names the group, not each grain: the members' shares are averaged as logarithms, so
that a type which some member clearly is not loses, and a sure member counts more than a doubtful
one.
"""

from collections.abc import Sequence

import numpy as np

from secondread.codes import Morphology
from secondread.detect.marks import Mark

PUNCTATE_MM = 0.5
"""Round calcifications smaller than this are called punctate (BI-RADS atlas, 5th edition)."""
LABELS = 2
"""Readers agree little on types: the two likeliest are given, and how likely they are."""
_LEAST = 0.01
"""Share that no type falls below: a single member never rules a type out."""


def type_of(members: Sequence[Mark]) -> tuple[tuple[Morphology, float], ...]:
    """Return the two likeliest types of a group with their confidence 0-1.

    Empty where the model tells no types.
    """
    told = [mark for mark in members if mark.morphology]
    if not told:
        return ()
    kinds = [kind for kind, _ in told[0].morphology]
    shares = np.array([[share for _, share in mark.morphology] for mark in told])
    weights = np.array([max(mark.score, 1e-3) for mark in told])
    logs = weights @ np.log(np.maximum(shares, _LEAST)) / weights.sum()
    likely = np.exp(logs - logs.max())
    likely /= likely.sum()
    best = np.argsort(-likely, kind="stable")[:LABELS]
    return tuple(
        (_by_size(kinds[index], told), round(float(likely[index]), 2)) for index in best.tolist()
    )


def _by_size(kind: Morphology, members: Sequence[Mark]) -> Morphology:
    if kind is not Morphology.ROUND:
        return kind
    small = float(np.median([mark.diameter_mm for mark in members])) < PUNCTATE_MM
    return Morphology.PUNCTATE if small else Morphology.ROUND
