"""The score of an exam: how likely it holds a cluster that a reader would describe."""

import math
from collections.abc import Callable, Iterable

from secondread.codes import MarkClass
from secondread.findings.finding import StudyReading

CalibrateExam = Callable[[float], float | None]
"""Turns the probability, 0-1, that any cluster of an exam is one into the exam's score, 0-100;
None where the model has no table for it."""


def combine_certainties(certainties: Iterable[float]) -> float:
    """Return how likely any of an exam's clusters is one, 0-1, if they were independent.

    That the views of a lesion are not independent is left to the table of the exam's score.

    Parameters
    ----------
    certainties
        Of all candidates of all views, marked or not, 0-100. Those that are left unmarked as
        typically benign do not count: nobody would describe them as anything else.

    Examples
    --------
    >>> combine_certainties([60.0, 50.0])
    0.8
    """
    none = math.prod(1.0 - certainty / 100.0 for certainty in certainties)
    return 1.0 - none


def list_certainties(reading: StudyReading) -> list[float]:
    """Return the certainties, 0-100, that the score of an exam is made from."""
    return [
        finding.certainty
        for image in reading.images
        for finding in image.findings
        if finding.mark_class is MarkClass.CLUSTER and not finding.is_set_aside
    ]


def leave_unscored(_any_cluster: float) -> float | None:
    """Score no exam: what a model without a table does."""
    return None
