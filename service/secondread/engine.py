"""The durable engine: the only module that knows DBOS.

A reading is a workflow whose finished steps are never repeated: after a crash it goes on at the
step where it stopped. The engine's own tables live beside the tracker and hold step results, so
steps return paths and small values, never pixels.

What is outside of a reading never breaks it: where a step meets a full disk or a database that is
away, it is tried again, and after a few seconds the workflow is put back and makes room for others,
to be gone on with later, as often as it takes. Only what a step itself did wrong is recorded as its
failure.

Observed with version 3.4, beyond what the library documents: a worker that restarts under its own
executor id recovers its workflows by itself; those of an executor that never comes back stay
pending until somebody recovers them, for which the library's open core has only a private call
(`Engine.take_over`; a contract test guards it). A workflow whose own record cannot be written (its
disk is full) also stays pending, under an executor that lives: `Engine.go_on` looks for those. A
workflow that is left by a `BaseException` stays pending likewise.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Any, NoReturn, Protocol, TypeVar

from dbos import DBOS, DBOSConfig, SetWorkflowID
from dbos import _dbos as engine_library
from dbos import error as engine_error

from secondread.errors import (
    LeaseLostError,
    SecondreadError,
    TransientError,
    describe_without_quoting,
    is_outage,
    list_places,
)
from secondread.log import get_logger
from secondread.track.commit_marks import CommitMarks, PatientEvent
from secondread.track.database import IDLE_SECONDS, POSTGRESQL_NETWORK, is_driver_error

_log = get_logger(__name__)

Result = TypeVar("Result")

APPLICATION_VERSION = "secondread-1"
"""Fixed, because the library would otherwise derive it from the source and strand pending work
at every upgrade. Workflow names carry the version of their steps instead (``read.v1``)."""

QUEUE = "readings"

_JOBS_THREAD = "background_jobs_thread"
_LIBRARY_THREADS = ("queue_thread", _JOBS_THREAD)
"""The functions of the library's threads that poll its tables all the time."""

STEP_PAUSES_SECONDS = (1.0, 2.0, 4.0)
"""Pauses after which a step that met an outage is tried again, before its workflow is put back."""

SHORTEST_WAIT_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 30.0
"""How long a workflow that was put back waits, at first and at most."""


class StepFailedError(SecondreadError):
    """A step broke by itself; says what broke and where, and quotes nothing."""


class _RunEnded(BaseException):
    """Leaves a workflow where it is, pending, to be gone on with later."""


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


class ReportHoldUp(Protocol):
    """Is told that a workflow was put back, each time."""

    def __call__(self, study_uid: str, revision: int, why: str, waited_seconds: float) -> None:
        """Record it; `waited_seconds` is how long the workflow has come no further."""
        ...


_ANSWER_SECONDS = 60.0
"""How long the engine's database may take to answer a statement."""


@dataclass(slots=True)
class _Wait:
    """A workflow that was put back."""

    since: float
    until: float
    pause: float


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
        How often it looks whether another process may have queued a workflow.
    report_hold_up
        Is told of workflows that something outside holds up.
    """

    def __init__(
        self,
        url: str,
        executor_id: str,
        workflows: Mapping[str, Workflow],
        concurrency: int = 1,
        poll_seconds: float = 0.2,
        report_hold_up: ReportHoldUp | None = None,
    ) -> None:
        config: DBOSConfig = {
            "name": "secondread",
            "system_database_url": url,
            "executor_id": executor_id,
            "application_version": APPLICATION_VERSION,
            "log_level": "WARNING",
            # One that is stopped in the middle of a transaction must not hold up the others.
            "sys_db_idle_transaction_timeout_sec": float(IDLE_SECONDS),
            "enable_otlp": False,
            # Of events and streams, which are not used: by default a hundred times a second.
            "notification_coalesce_sec": 0.25,
        }
        if url.startswith("postgresql"):
            from secondread.track.bounded_connection import bound_all_answers

            bound_all_answers(_ANSWER_SECONDS)
            config["db_engine_kwargs"] = {"connect_args": dict(POSTGRESQL_NETWORK)}
        DBOS(config=config)
        # The library installs a console handler of its own; ours writes the one format.
        logging.getLogger("dbos").handlers.clear()
        logging.getLogger("dbos").propagate = True
        self._commit_marks = CommitMarks(url)
        self._nudge = threading.Event()
        self._executor_id = executor_id
        self._concurrency, self._poll_seconds = concurrency, poll_seconds
        self._report_hold_up = report_hold_up
        self._stopping = threading.Event()
        self._guard = threading.Lock()
        self._running: set[str] = set()
        self._idle: frozenset[str] = frozenset()
        self._mark_without_pending: object = None
        self._waits: dict[str, _Wait] = {}
        self._threads: list[threading.Thread] = []
        self._entries = {name: self._register(name, body) for name, body in workflows.items()}

    def start(self) -> None:
        """Recover what this executor had started, and begin to work."""
        before = set(threading.enumerate())
        with _waiting_patiently(self._make_patient):
            DBOS.launch()
        # Those that find work; its others have no share in a reading.
        self._threads = [
            thread
            for thread in threading.enumerate()
            if thread not in before and "queue_thread" in thread.name
        ]
        DBOS.register_queue(
            QUEUE,
            worker_concurrency=self._concurrency,
            polling_interval_sec=self._poll_seconds,
            on_conflict="always_update",
        )

    def _make_patient(self, event: threading.Event, thread: str) -> PatientEvent:
        # The queue's first thread starts the one that polls, and must not be late for that. The
        # other holds a lock while it waits, which the library lets it have for 5 s.
        at_once = thread == _JOBS_THREAD
        marks = self._commit_marks
        return PatientEvent(event, marks.read, self._nudge, stretches_at_once=at_once)

    @property
    def is_alive(self) -> bool:
        """Whether the threads that find work still run."""
        return all(thread.is_alive() for thread in self._threads)

    @property
    def is_idle(self) -> bool:
        """Whether this process runs no workflow at the moment."""
        with self._guard:
            return not self._running

    def stop(self, grace_seconds: float) -> None:
        """Let running steps end within the time given; workflows are gone on with later."""
        self._stopping.set()
        DBOS.destroy(workflow_completion_timeout_sec=max(round(grace_seconds), 0))
        self._commit_marks.close()

    def submit(self, workflow: str, study_uid: str, revision: int) -> None:
        """Start a workflow; harmless if it is under way or done already, in whatever version.

        Raises
        ------
        TransientError
            The engine's tables cannot be written to.
        """
        # Started under another version's name, before an upgrade: it finishes with its own steps.
        with (
            _translate_outages(),
            suppress(engine_error.DBOSConflictingWorkflowError),
            SetWorkflowID(derive_workflow_id(workflow, study_uid, revision)),
        ):
            DBOS.enqueue_workflow(QUEUE, self._entries[workflow], study_uid, revision)
        self._nudge.set()

    def check_progress(self, workflow: str, study_uid: str, revision: int) -> WorkflowProgress:
        """Return how far a workflow has come.

        Raises
        ------
        TransientError
            The engine's tables cannot be read.
        """
        with _translate_outages():
            status = DBOS.get_workflow_status(derive_workflow_id(workflow, study_uid, revision))
        if status is None:
            return WorkflowProgress.UNKNOWN
        if status.status in {"PENDING", "ENQUEUED", "DELAYED"}:
            return WorkflowProgress.UNDER_WAY
        return WorkflowProgress.DONE if status.status == "SUCCESS" else WorkflowProgress.BROKEN

    def take_over(self, executor_ids: Sequence[str]) -> int:
        """Recover the workflows of executors that are dead; return how many there were.

        Raises
        ------
        TransientError
            The engine's tables cannot be written to.
        """
        dead = sorted(executor_ids)
        with _translate_outages():
            return len(DBOS._recover_pending_workflows(dead)) if dead else 0

    def go_on(self) -> int:
        """Go on with workflows that this executor has and does not run; return how many.

        They were put back for an outage, or their record could not be written at their end, or the
        thread that was to run them was lost. One that is about to start or to end looks the same
        for a moment, so those count that were found twice.

        Raises
        ------
        TransientError
            The engine's tables cannot be read or written to.
        """
        mark = self._commit_marks.read()
        if mark == self._mark_without_pending:
            return 0
        with _translate_outages():
            pending = DBOS.list_workflows(
                status="PENDING",
                executor_id=self._executor_id,
                load_input=False,
                load_output=False,
            )
            now = time.monotonic()
            with self._guard:
                idle = frozenset(w.workflow_id for w in pending) - self._running
                waiting = {key for key, wait in self._waits.items() if wait.until > now}
            resumed = sorted((idle & self._idle) - waiting)
            for workflow_id in resumed:
                DBOS.resume_workflow(workflow_id, queue_name=QUEUE)
            self._idle = idle - set(resumed)
            self._mark_without_pending = None if pending else mark
        return len(resumed)

    def _register(self, name: str, body: Workflow) -> Callable[[str, int], None]:
        # The id is derived from study and revision without the version: an upgrade in the middle
        # of a study must not start the same reading a second time under the new name.
        #
        # The library's own count of recoveries is not used: it knows neither how far a workflow
        # has come nor what its worker died of.
        @DBOS.workflow(name=name, max_recovery_attempts=None)
        def entry(study_uid: str, revision: int) -> None:
            workflow_id = derive_workflow_id(name, study_uid, revision)
            with self._guard:
                self._running.add(workflow_id)
            run = _Run(self, workflow_id, study_uid, revision)
            try:
                body(run.run_step, study_uid, revision)
            except Exception as error:
                is_own = not (is_outage(error) or is_driver_error(error))
                if is_own and not isinstance(error, LeaseLostError):
                    raise
                run.put_back(error)
            finally:
                with self._guard:
                    self._running.discard(workflow_id)
                self._nudge.set()  # its place is another's now

        return entry

    def _put_back(self, run: "_Run", why: str) -> None:
        now = time.monotonic()
        with self._guard:
            wait = self._waits.setdefault(run.workflow_id, _Wait(now, now, SHORTEST_WAIT_SECONDS))
            wait.until = now + wait.pause
            pause, wait.pause = wait.pause, min(2 * wait.pause, LONGEST_WAIT_SECONDS)
            waited = now - wait.since
        _log.warning(
            "reading_put_back",
            study_uid=run.study_uid,
            revision=run.revision,
            why=why,
            go_on_in_seconds=pause,
            waited_seconds=round(waited),
        )
        if self._report_hold_up is not None:
            # What cannot be recorded while the database is away is in the log.
            with suppress(SecondreadError):
                self._report_hold_up(run.study_uid, run.revision, why, waited)

    def _note_progress(self, workflow_id: str) -> None:
        with self._guard:
            self._waits.pop(workflow_id, None)


class _Run:
    """One run of a workflow, in the thread that the library gives it."""

    def __init__(self, engine: Engine, workflow_id: str, study_uid: str, revision: int) -> None:
        self.workflow_id, self.study_uid, self.revision = workflow_id, study_uid, revision
        self._engine = engine

    def run_step(self, name: str, step: Callable[..., Result], *arguments: object) -> Result:
        """Run a step, or return what it returned before; a `RunStep`."""

        def attempt(*given: Any) -> Result:  # noqa: ANN401  (whatever the step takes)
            return self._try_step(step, *given)

        result = DBOS.run_step({"name": name, "retries_allowed": False}, attempt, *arguments)
        self._engine._note_progress(self.workflow_id)
        return result

    def _try_step(self, step: Callable[..., Result], *arguments: object) -> Result:
        for pause in (*STEP_PAUSES_SECONDS, None):
            if self._engine._stopping.is_set():
                raise _RunEnded
            try:
                return step(*arguments)
            except LeaseLostError as error:
                self.put_back(error)
            except Exception as error:  # noqa: BLE001  (recorded as such)
                if not is_outage(error):
                    self._log_failure(error)
                    # Recorded as the step's failure in the engine's tables, and logged by the
                    # library: so nothing of the error itself goes along.
                    raise StepFailedError(describe_without_quoting(error)) from None
                _log.warning("step_postponed", study_uid=self.study_uid, why=_tell(error))
                if pause is None:
                    self.put_back(error)
                else:
                    self._engine._stopping.wait(pause)
        raise _RunEnded

    def _log_failure(self, error: Exception) -> None:
        _log.error(
            "step_failed",
            study_uid=self.study_uid,
            revision=self.revision,
            error=type(error).__name__,
            places=list(reversed(list_places(error))),
        )

    def put_back(self, error: Exception) -> NoReturn:
        """End this run and leave the workflow pending."""
        if isinstance(error, LeaseLostError):
            _log.warning("reading_left", study_uid=self.study_uid, revision=self.revision)
        elif not self._engine._stopping.is_set():
            self._engine._put_back(self, _tell(error))
        raise _RunEnded from error


@contextmanager
def _waiting_patiently(
    make_patient: Callable[[threading.Event, str], PatientEvent],
) -> Iterator[None]:
    """Have the library's threads that look for work wait as long as there is none.

    By itself the library asks its tables at every poll, which costs a node that idles more than
    all else together, and has no call for it.
    """
    library: Any = engine_library
    looks = {name: getattr(library, name) for name in _LIBRARY_THREADS}

    def wrap(look: Callable[..., None]) -> Callable[..., None]:
        @wraps(look)  # its name becomes the thread's
        def look_patiently(stop_event: threading.Event, engine: object) -> None:
            look(make_patient(stop_event, look.__name__), engine)

        return look_patiently

    for name, look in looks.items():
        setattr(library, name, wrap(look))
    try:
        yield
    finally:
        for name, look in looks.items():
            setattr(library, name, look)


def _tell(error: Exception) -> str:
    if isinstance(error, TransientError):
        return str(error)
    if is_driver_error(error):
        return f"the engine's tables cannot be written: {type(error).__name__}"
    return getattr(error, "strerror", None) or describe_without_quoting(error)


@contextmanager
def _translate_outages() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not (is_driver_error(error) or isinstance(error, OSError)):
            raise
        raise TransientError(f"the engine's tables: {describe_without_quoting(error)}") from error


def derive_workflow_id(workflow: str, study_uid: str, revision: int) -> str:
    """Return the derived id that makes starting a workflow twice harmless.

    >>> derive_workflow_id("read.v1", "1.2.3", 1)
    'read:1.2.3:1'
    """
    kind, _, _ = workflow.partition(".")
    return f"{kind}:{study_uid}:{revision}"
