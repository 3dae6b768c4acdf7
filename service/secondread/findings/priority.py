"""Priority: the order in which findings, lesions and exams are met, everywhere the same.

Certainty says whether a finding is what it is called; suspicion says how calcifications so
described turned out, if they are calcifications. Neither alone says what to look at first: a fold
of skin may look like casting calcifications, and a cluster that is surely there may be dull. Their
product, the expected suspicion, does. It orders and never hides.
"""

RankKey = tuple[bool, float, float]
"""Sorts ascending into the order of priority."""


def compute_priority(certainty: float, suspicion: float | None) -> float | None:
    """Return certainty as a probability times suspicion, 0-100; None where suspicion is unknown.

    >>> compute_priority(99.0, 31.6), compute_priority(28.0, 59.0), compute_priority(99.0, None)
    (31.3, 16.5, None)
    """
    return None if suspicion is None else round(certainty * suspicion / 100.0, 1)


def rank_priority(priority: float | None, certainty: float, *, shown: bool) -> RankKey:
    """Return the sort key of a finding: shown ones first, then by priority, then by certainty.

    What has no priority comes after what has: it is not a cluster, or the model knows no types.
    """
    return not shown, 1.0 if priority is None else -priority, -certainty
