"""Words for the number of a cluster's calcifications: how many, and how many of them are faint.

A cluster is counted with members that may be noise: beside three sure ones the detector lists more
that are less likely than not to be calcifications. They stay in the number, since what is compared
over time counts them too, but no number is given without them being named.
"""

from secondread.findings.finding import Finding

FAINT_BELOW = 50.0
"""Certainty (0-100) below which a member is called faint: it is less likely than not a
calcification. The same at every operating point, so that a site's calibration, which is about
clusters, changes no number."""


def count_faint(finding: Finding) -> int:
    """Return how many of a cluster's calcifications are faint."""
    return sum(member.certainty < FAINT_BELOW for member in finding.members)


def describe_number(finding: Finding) -> str:
    """Return the number of a cluster's calcifications for people; empty for other findings."""
    return describe_count(len(finding.members), count_faint(finding)) if finding.members else ""


def describe_count(number: int, faint: int) -> str:
    """Return a number of calcifications, and how many of them are faint.

    >>> describe_count(7, 0), describe_count(14, 3)
    ('7 calcifications', '14 calcifications (3 faint)')
    """
    words = "1 calcification" if number == 1 else f"{number} calcifications"
    return f"{words} ({faint} faint)" if faint else words
