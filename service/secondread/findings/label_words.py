"""Words for type and distribution: the likeliest label, both where two cannot be told apart.

A model that gives punctate 44 % and fine pleomorphic 43 % does not know which of the two it is, and
a line that names the first alone says more than is known. Neither does it know where no label
reaches a share that is right more often than not.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from secondread.codes import Distribution, Morphology

if TYPE_CHECKING:
    from secondread.findings.finding import Finding

Labels = Sequence[tuple[Morphology | Distribution, float]]
"""The likeliest labels with their confidence 0-1, the likeliest first."""

LEAST_TYPE, LEAST_DISTRIBUTION = 0.3, 0.6
"""Below this confidence of the likeliest label none is named: on validation exams such labels were
right less often than not."""

SURE_LEAD = 0.3
"""Two labels whose confidences differ by less cannot be told apart: on validation exams the first
was right in six of ten, the second in three; above it, the first in nine of ten."""


def describe_type(finding: "Finding") -> str:
    """Return the type of a finding's calcifications; empty where it is not described.

    As ``fine pleomorphic``, ``punctate 44 %, fine pleomorphic 43 %`` or ``type uncertain``.
    """
    return _describe(finding.morphology, "type uncertain")


def describe_distribution(finding: "Finding") -> str:
    """Return the distribution of a finding's calcifications; empty where it is not described."""
    return _describe(finding.distribution, "distribution uncertain")


def is_certain(labels: Labels) -> bool:
    """Whether the likeliest label reaches the confidence from which on it is named."""
    if not labels:
        return False
    label, confidence = labels[0]
    least = LEAST_TYPE if isinstance(label, Morphology) else LEAST_DISTRIBUTION
    return confidence >= least


def find_alternative(labels: Labels) -> tuple[Morphology | Distribution, float] | None:
    """Return the second label where it cannot be told from the first; None where it can."""
    if len(labels) < 2 or not is_certain(labels) or labels[0][1] - labels[1][1] >= SURE_LEAD:
        return None
    return labels[1]


def shorten_meaning(label: Morphology | Distribution) -> str:
    """Return the name of a label for people, without the words that say what it is a label of.

    >>> shorten_meaning(Distribution.GROUPED), shorten_meaning(Morphology.VASCULAR)
    ('grouped', 'vascular')
    """
    meaning = label.code.meaning.lower()
    return meaning.removesuffix(" distribution").removesuffix(" calcification")


def describe_shares(labels: Labels) -> str:
    """Return labels with their shares, as ``punctate 44 %, fine pleomorphic 43 %``."""
    return ", ".join(f"{shorten_meaning(label)} {100 * share:.0f} %" for label, share in labels)


def _describe(labels: Labels, uncertain: str) -> str:
    if not labels:
        return ""
    if not is_certain(labels):
        return uncertain
    alternative = find_alternative(labels)
    if alternative is None:
        return shorten_meaning(labels[0][0])
    return describe_shares(labels[:2])
