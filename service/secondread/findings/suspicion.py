"""Suspicion: an open index, 0-100, of how calcifications so described turned out in biopsy series.

It is not a probability of cancer in this woman: the series are of calcifications that were
biopsied, most of them before any treatment, and the descriptors here are a program's.

For each type of calcification there is a share that was malignant, and for each distribution a
factor on the odds. The index is the expected share over all types and all distributions that the
model distinguishes, by their confidence: not that of the likeliest, which is often little likelier
than the next. Certainty, change, scar and treatment play no part.

Every number is in `published_shares`, with its source; `service/docs/suspicion.md` prints them with
a worked example.
"""

from collections.abc import Sequence

from secondread.codes import Distribution, Morphology
from secondread.findings.published_shares import DISTRIBUTIONS, TYPES

TYPICALLY_BENIGN = frozenset(
    {
        Morphology.COARSE,
        Morphology.DYSTROPHIC,
        Morphology.EGGSHELL,
        Morphology.LARGE_ROD_LIKE,
        Morphology.LUCENT_CENTERED,
        Morphology.MILK_OF_CALCIUM,
        Morphology.SKIN,
        Morphology.SUTURE,
        Morphology.VASCULAR,
    }
)
"""Types that the BI-RADS atlas (5th edition) calls typically benign, however they are spread."""

MALIGNANT_SHARE = {kind: published.share for kind, published in TYPES.items()}
"""Share found malignant, by type."""

ODDS_FACTOR = {spread: published.factor for spread, published in DISTRIBUTIONS.items()}
"""Factor on the odds, by distribution."""


def compute_suspicion(
    morphology: Sequence[tuple[Morphology, float]],
    distribution: Sequence[tuple[Distribution, float]],
) -> float | None:
    """Return the index, 0-100, to one decimal; None where no type is known.

    Parameters
    ----------
    morphology, distribution
        All labels with their confidence; the confidences need not add up to 1.

    Examples
    --------
    >>> types = ((Morphology.PUNCTATE, 0.5), (Morphology.FINE_PLEOMORPHIC, 0.5))
    >>> compute_suspicion(types, ((Distribution.GROUPED, 1.0),))
    31.9
    """
    weight = sum(confidence for _, confidence in morphology)
    if weight <= 0:
        return None
    shares = (confidence * _expect_share(kind, distribution) for kind, confidence in morphology)
    return round(100.0 * sum(shares) / weight, 1)


def _expect_share(kind: Morphology, distribution: Sequence[tuple[Distribution, float]]) -> float:
    """Return the share found malignant of a type, over the distributions it may have."""
    share, weight = MALIGNANT_SHARE[kind], sum(confidence for _, confidence in distribution)
    if weight <= 0 or kind in TYPICALLY_BENIGN:
        return share
    # Shares become odds, on which factors act, and odds become shares again.
    odds = [(c, share / (1.0 - share) * ODDS_FACTOR[spread]) for spread, c in distribution]
    return sum(confidence * value / (1.0 + value) for confidence, value in odds) / weight
