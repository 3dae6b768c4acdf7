"""The type of a group of calcifications, from the types of its members.

A radiologist names the group, not each grain. A model that was fitted to groups names it from the
members' shares and from how the members differ (`measures`), with a probability. Without one the
members' shares are averaged as logarithms, so that a type which some member clearly is not loses,
and a sure member counts more than a doubtful one.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from secondread.codes import Morphology
from secondread.detect.groups import TypeTable
from secondread.detect.marks import Mark
from secondread.findings.group_features import mean_log_shares

PUNCTATE_MM = 0.5
"""Round calcifications smaller than this are called punctate (BI-RADS atlas, 5th edition)."""
LABELS = 2
"""Readers agree little on types: the two likeliest are given, and how likely they are."""


def classify_type(
    members: Sequence[Mark],
    features: Mapping[str, float] | None = None,
    table: TypeTable | None = None,
) -> tuple[tuple[Morphology, float], ...]:
    """Return the two likeliest types of a group with their confidence 0-1.

    Empty where the model tells no types.

    Parameters
    ----------
    features, table
        What `measures.measured` says of the group, and what the model makes of it; the mean of
        the members serves without.
    """
    told = [mark for mark in members if mark.morphology]
    if not told:
        return ()
    if features is not None and table is not None:
        kinds, likely = table.labels, table.predict(features)
    else:
        kinds, likely = tuple(kind for kind, _ in told[0].morphology), _averaged(told)
    best = np.argsort(-likely, kind="stable")[:LABELS]
    return tuple(
        (_by_size(kinds[index], told), round(float(likely[index]), 2)) for index in best.tolist()
    )


def _averaged(told: Sequence[Mark]) -> npt.NDArray[np.float64]:
    return np.asarray(softmax(mean_log_shares(told)), np.float64)


def _by_size(kind: Morphology, members: Sequence[Mark]) -> Morphology:
    if kind is not Morphology.ROUND:
        return kind
    small = float(np.median([mark.diameter_mm for mark in members])) < PUNCTATE_MM
    return Morphology.PUNCTATE if small else Morphology.ROUND
