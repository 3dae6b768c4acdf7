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
    """Return the number of a cluster's calcifications for people.

    As ``7 calcifications``, ``14 calcifications (3 faint)``; empty for a finding without members.
    """
    number, faint = len(finding.members), count_faint(finding)
    if not number:
        return ""
    return f"{number} calcification{'' if number == 1 else 's'}" + (
        f" ({faint} faint)" * (faint > 0)
    )
