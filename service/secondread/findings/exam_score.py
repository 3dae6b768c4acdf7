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

    All candidates count, marked or not; a lesion that several views show counts once, by the view
    that is surest of it.
    """
    surest: dict[tuple[object, str], float] = {}
    for image in reading.images:
        for finding in image.findings:
            if finding.mark_class is MarkClass.CLUSTER:
                lesion = (image.mammogram.laterality or image.label, finding.number)
                surest[lesion] = max(surest.get(lesion, 0.0), finding.certainty / 100.0)
    return 1.0 - math.prod(1.0 - certainty for certainty in surest.values())


def leave_unscored(_any_cluster: float) -> float | None:
    """Score no exam: what a model without a table does."""
    return None
