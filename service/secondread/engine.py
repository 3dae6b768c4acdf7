"""The durable engine: the only module that knows DBOS.

A reading is a workflow whose finished steps are never repeated: after a crash it goes on at the
step where it stopped. The engine's own tables live beside the tracker and hold step results, so
steps return paths and small values, never pixels.

Observed with version 3.4, beyond what the library documents: a worker that
restarts under its own executor id recovers its workflows by itself; those of an executor that
never comes back stay pending until somebody recovers them, for which the library's open core has
only a private call (`Engine.take_over`; a contract test guards it).
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Protocol, TypeVar

from dbos import DBOS, DBOSConfig, SetWorkflowID
from dbos import error as engine_error

from secondread.errors import TransientError

Result = TypeVar("Result")

APPLICATION_VERSION = "secondread-1"
"""Fixed, because the library would otherwise derive it from the source and strand pending work
at every upgrade. Workflow names carry the version of their steps instead (``read.v1``)."""

QUEUE = "readings"

RECOVERY_ATTEMPTS = 3
"""How often a reading may crash its whole worker before it is given up. Deaths of the detector's
child are counted separately and do not affect the worker."""


class RunStep(Protocol):
    """Runs one step of a workflow: once it has finished, its result is remembered."""

    def __call__(self, name: str, step: Callable[..., Result], *arguments: object) -> Result:
        """Run `step`, or return what it returned before the crash."""
        ...


Workflow = Callable[[RunStep, str, int], None]
"""A workflow: gets how to run steps, the study's UID, and the number of the revision."""


class WorkflowProgress(StrEnum):
    """How far a workflow has come."""

    UNKNOWN = "unknown"
    UNDER_WAY = "under-way"
    DONE = "done"
    BROKEN = "broken"


class Engine:
    """Starts workflows and carries them to their end.

    Parameters
    ----------
    url
        SQLAlchemy URL of the engine's tables.
    executor_id
        Name of this process, unique among those alive and the same after a restart.
    workflows
        Workflows by versioned name. Old definitions stay until they are drained.
    concurrency
        Readings that this process runs at the same time.
    poll_seconds
        How often it looks for queued workflows.
    """

    def __init__(
        self,
        url: str,
        executor_id: str,
        workflows: dict[str, Workflow],
        concurrency: int = 1,
        poll_seconds: float = 0.1,
    ) -> None:
        config: DBOSConfig = {
            "name": "secondread",
            "system_database_url": url,
            "executor_id": executor_id,
            "application_version": APPLICATION_VERSION,
            "log_level": "WARNING",
            "enable_otlp": False,
        }
        DBOS(config=config)
        # The library installs a console handler of its own; ours writes the one format.
        logging.getLogger("dbos").handlers.clear()
        logging.getLogger("dbos").propagate = True
        self._concurrency, self._poll_seconds = concurrency, poll_seconds
        self._entries = {name: _register(name, body) for name, body in workflows.items()}

    def start(self) -> None:
        """Recover what this executor had started, and begin to work."""
        DBOS.launch()
        DBOS.register_queue(
            QUEUE,
            worker_concurrency=self._concurrency,
            polling_interval_sec=self._poll_seconds,
            on_conflict="always_update",
        )

    def stop(self, grace_seconds: float) -> None:
        """Let running workflows end within the time given; the rest is recovered later."""
        DBOS.destroy(workflow_completion_timeout_sec=max(round(grace_seconds), 0))

    def submit(self, workflow: str, study_uid: str, revision: int) -> None:
        """Start a workflow; harmless if it is under way or done already, in whatever version."""
        # Started under another version's name, before an upgrade: it finishes with its own steps.
        with (
            suppress(engine_error.DBOSConflictingWorkflowError),
            SetWorkflowID(derive_workflow_id(workflow, study_uid, revision)),
        ):
            DBOS.enqueue_workflow(QUEUE, self._entries[workflow], study_uid, revision)

    def check_progress(self, workflow: str, study_uid: str, revision: int) -> WorkflowProgress:
        """Return how far a workflow has come."""
        status = DBOS.get_workflow_status(derive_workflow_id(workflow, study_uid, revision))
        if status is None:
            return WorkflowProgress.UNKNOWN
        if status.status in {"PENDING", "ENQUEUED", "DELAYED"}:
            return WorkflowProgress.UNDER_WAY
        return WorkflowProgress.DONE if status.status == "SUCCESS" else WorkflowProgress.BROKEN

    def take_over(self, executor_ids: Sequence[str]) -> int:
        """Recover the workflows of executors that are dead; return how many there were."""
        dead = sorted(executor_ids)
        return len(DBOS._recover_pending_workflows(dead)) if dead else 0


def derive_workflow_id(workflow: str, study_uid: str, revision: int) -> str:
    """Return the derived id that makes starting a workflow twice harmless.

    >>> derive_workflow_id("read.v1", "1.2.3", 1)
    'read:1.2.3:1'
    """
    kind, _, _ = workflow.partition(".")
    return f"{kind}:{study_uid}:{revision}"


def _register(name: str, body: Workflow) -> Callable[[str, int], None]:
    # The id is derived from study and revision without the version: an upgrade in the middle of a
    # study must not start the same reading a second time under the new name.
    @DBOS.workflow(name=name, max_recovery_attempts=RECOVERY_ATTEMPTS)
    def entry(study_uid: str, revision: int) -> None:
        body(_run_step, study_uid, revision)

    return entry


def _run_step(name: str, step: Callable[..., Result], *arguments: object) -> Result:
    return DBOS.run_step(
        {
            "name": name,
            "retries_allowed": True,
            "interval_seconds": 1.0,
            "backoff_rate": 2.0,
            "max_attempts": 6,
            "should_retry": _is_transient,
        },
        step,
        *arguments,
    )


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, TransientError)
