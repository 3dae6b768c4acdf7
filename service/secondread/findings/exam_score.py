"""The score of an exam: how likely it holds a cluster that a reader would describe."""

import math
from collections.abc import Callable

from secondread.codes import MarkClass
from secondread.findings.finding import StudyReading

CalibrateExam = Callable[[float], float | None]
"""Turns the probability, 0-1, that any cluster of an exam is one into the exam's score, 0-100;
None where the model has no table for it."""


def combine_certainties(reading: StudyReading) -> float:
    """Return how likely any of an exam's clusters is one, 0-1, if they were independent.

    All candidates of all views count, marked or not. That the views of a lesion are not independent
    is left to the table of the exam's score.
    """
    clusters = (
        finding.certainty / 100.0
        for image in reading.images
        for finding in image.findings
        if finding.mark_class is MarkClass.CLUSTER
    )
    return 1.0 - math.prod(1.0 - certainty for certainty in clusters)


def leave_unscored(_any_cluster: float) -> float | None:
    """Score no exam: what a model without a table does."""
    return None
