"""The order of a reading's steps, and nothing else.

A workflow is plain code over two things it is given: `run`, which makes a step durable, and the
steps themselves. It ends when the results are in the outbox; bringing them to the PACS is the
business of `send`, with a clock of its own.
"""

from secondread.engine import RunStep
from secondread.workflow.steps import ReadingSteps

READ = "read.v3"
"""Name and version of a reading's steps; a change of the steps makes a new version."""

READ_V2 = "read.v2"
"""The steps before priors were looked at again; kept until no worker has one begun."""

READ_V1 = "read.v1"
"""The steps before priors were read in steps of their own; kept until no worker has one begun."""

FAIL = "fail.v1"
"""What runs in the place of a reading that broke: it says so to everybody."""


def run_reading(steps: ReadingSteps, run: RunStep, study_uid: str, revision: int) -> None:
    """Read a study and its priors: each image is a step, so a crash costs one image at most."""
    for instance_uid in run("plan", steps.plan, study_uid, revision):
        run(f"detect {instance_uid}", steps.detect, study_uid, revision, instance_uid)
    for instance_uid in run("plan priors", steps.plan_priors, study_uid, revision):
        run(f"detect prior {instance_uid}", steps.detect_prior, study_uid, revision, instance_uid)
    looks = run("look again", steps.recheck_priors, study_uid, revision)
    run("record", steps.record, study_uid, revision, looks)
    run("tidy", steps.tidy, study_uid, revision)


def read_v2(steps: ReadingSteps, run: RunStep, study_uid: str, revision: int) -> None:
    """Read a study as it was begun before an upgrade: no prior is looked at again."""
    for instance_uid in run("plan", steps.plan, study_uid, revision):
        run(f"detect {instance_uid}", steps.detect, study_uid, revision, instance_uid)
    for instance_uid in run("plan priors", steps.plan_priors, study_uid, revision):
        run(f"detect prior {instance_uid}", steps.detect_prior, study_uid, revision, instance_uid)
    run("record", steps.record, study_uid, revision)
    run("tidy", steps.tidy, study_uid, revision)


def read_v1(steps: ReadingSteps, run: RunStep, study_uid: str, revision: int) -> None:
    """Read a study as it was begun before an upgrade: its priors are read within "record"."""
    for instance_uid in run("plan", steps.plan, study_uid, revision):
        run(f"detect {instance_uid}", steps.detect, study_uid, revision, instance_uid)
    run("record", steps.record, study_uid, revision)
    run("tidy", steps.tidy, study_uid, revision)


def run_failure(steps: ReadingSteps, run: RunStep, study_uid: str, revision: int) -> None:
    """Write the failed result of a reading that could not be finished."""
    run("record failure", steps.record_failure, study_uid, revision)
    run("tidy", steps.tidy, study_uid, revision)
