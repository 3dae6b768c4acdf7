"""The order of a reading's steps, and nothing else.

A workflow is plain code over two things it is given: `run`, which makes a step durable, and the
steps themselves. It ends when the results are in the outbox; bringing them to the PACS is the
business of `send`, with a clock of its own.

A reading that was begun before an upgrade goes on by the steps that it was begun with. So whoever
changes the order of the steps after a release, or what they return, leaves the old function as it
is, gives the new one the next version, as ``read.v2``, and enters both in `READINGS`; the old one
goes when no worker can have begun one any more.
"""

from collections.abc import Callable, Mapping

from secondread.engine import RunStep
from secondread.workflow.steps import RECORD_FAILURE, ReadingSteps

READ = "read.v1"
"""Name and version of the steps by which readings are begun now."""

FAIL = "fail.v1"
"""What runs in the place of a reading that broke: it reports the failure to every destination."""


Order = Callable[[ReadingSteps, RunStep, str, int], None]
"""Runs the steps of one version in their order; gets the study's UID and the revision's number."""


def run_reading(steps: ReadingSteps, run: RunStep, study_uid: str, revision: int) -> None:
    """Read a study and its priors: each image is a step, so a crash costs one image at most."""
    for instance_uid in run("plan", steps.plan, study_uid, revision):
        run(f"detect {instance_uid}", steps.detect, study_uid, revision, instance_uid)
    for instance_uid in run("plan priors", steps.plan_priors, study_uid, revision):
        run(f"detect prior {instance_uid}", steps.detect_prior, study_uid, revision, instance_uid)
    rechecked = run("recheck priors", steps.recheck_priors, study_uid, revision)
    run("record", steps.record, study_uid, revision, rechecked)
    run("tidy", steps.tidy, study_uid, revision)


def run_failure(steps: ReadingSteps, run: RunStep, study_uid: str, revision: int) -> None:
    """Write the failed result of a reading that could not be finished."""
    run(RECORD_FAILURE, steps.record_failure, study_uid, revision)
    run("tidy", steps.tidy, study_uid, revision)


READINGS: Mapping[str, Order] = {READ: run_reading}
"""Every version of a reading that a worker can begin or go on with, by name."""
