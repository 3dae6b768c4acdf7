"""The validation exams: simulated, of families that a model may know, for what is fitted last.

Neither training nor the frozen tests use them. Calibration, operating points and the limits of
words are set on them.
"""

from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path

from secondread.app.reader import open_reader
from secondread.detect.manifest import load_manifest
from secondread.settings import DetectSettings
from secondread_lab.judge.evaluation_run import EvaluationRun, read_images
from secondread_lab.judge.frozen import digest_spec
from secondread_lab.judge.image_sources import ExamSource, TestSet
from secondread_lab.judge.population import PlannedExam, plan_exam
from secondread_lab.judge.records import ViewRecord
from secondread_lab.simulate.vendors import VENDORS

SEED = 20261201
"""Of the sampler for the first block of exams; the frozen test exams have another."""

BLOCK = 34
"""Exams of one seed."""


def plan_validation_exams(count: int) -> Iterator[PlannedExam]:
    """Yield those of the first exams, by number, whose vendor family is not held out."""
    for number in range(count):
        exam = plan_exam(SEED + number // BLOCK, number % BLOCK)
        if not VENDORS[exam.spec.vendor].held_out:
            yield PlannedExam(number, exam.spec, exam.morphology)


def read_validation_exams(
    manifest: Path, count: int, out: Path, processes: int
) -> tuple[ViewRecord, ...]:
    """Read the exams with a model, or go on where an earlier run stopped; return all records.

    Parameters
    ----------
    manifest
        Of the model.
    count
        Numbers to draw exams from.
    out
        Folder of the records.
    processes
        Images read at the same time.
    """
    exams = tuple(plan_validation_exams(count))
    digest = sha256(" ".join(digest_spec(exam.spec) for exam in exams).encode()).hexdigest()
    test_set = TestSet("validation", tuple(map(ExamSource, exams)), frozenset(), digest)
    opener = partial(open_reader, DetectSettings(manifest=manifest))
    run = EvaluationRun(load_manifest(manifest), manifest, opener, out, processes)
    return read_images(test_set, run, lambda key, done: print(done, key, flush=True))
