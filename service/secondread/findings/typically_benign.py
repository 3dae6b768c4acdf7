"""When a cluster is left unmarked because it is typically benign, however certain it is.

Calcified vessels, skin and sutures, rims and coarse calcifications of an old scar are described by
readers and left alone. They are named in a line and not marked, under two conditions that both err
towards marking: the probability that the type is a typically benign one is near certainty, as it
was counted on clusters of known type, and no suspicious type has a share worth naming. Place,
change and count decide nothing: a suspicious cluster may lie beside a vessel, and in a scar.
"""

from collections.abc import Callable, Sequence

from secondread.codes import Morphology
from secondread.findings.suspicion import TYPICALLY_BENIGN

Shares = Sequence[tuple[Morphology, float]]
"""Types with their confidence 0-1, all that the model distinguishes."""

CalibrateBenign = Callable[[float], float | None]
"""Turns the share, 0-1, of the typically benign types of a cluster into the probability, 0-100,
that its type is one; None where the model has no table for it."""

LEAST_BENIGN = 95.0
"""Probability of a typically benign type, 0-100, from which on a cluster may be left unmarked."""

LEAST_SUSPICIOUS = 0.10
"""A suspicious type of this share or more has the cluster marked."""

SUSPICIOUS = frozenset(
    {
        Morphology.AMORPHOUS,
        Morphology.COARSE_HETEROGENEOUS,
        Morphology.FINE_PLEOMORPHIC,
        Morphology.FINE_LINEAR,
        Morphology.FINE_LINEAR_BRANCHING,
    }
)
"""Types of suspicious morphology (BI-RADS atlas, 5th edition)."""


def sum_benign(types: Shares) -> float | None:
    """Return the share of the typically benign types, 0-1; None where no type is known.

    >>> sum_benign(((Morphology.SUTURE, 0.75), (Morphology.EGGSHELL, 0.125)))
    0.875
    """
    return sum(share for kind, share in types if kind in TYPICALLY_BENIGN) if types else None


def is_typically_benign(types: Shares, calibrate: CalibrateBenign) -> bool:
    """Return whether a cluster of these types is named and not marked.

    Parameters
    ----------
    types
        All types with their shares.
    calibrate
        The model's table; without one, nothing is left unmarked.
    """
    share = sum_benign(types)
    probability = None if share is None else calibrate(share)
    if probability is None or probability < LEAST_BENIGN:
        return False
    return all(value < LEAST_SUSPICIOUS for kind, value in types if kind in SUSPICIOUS)


def mark_all(_share: float) -> float | None:
    """Leave nothing unmarked: what a model without a table does."""
    return None
