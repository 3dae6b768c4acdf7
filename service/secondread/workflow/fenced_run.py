"""A reading's run: what it may do while it is the latest, and when it has cost too many workers.

The engine runs a workflow anew after each loss of a worker. Before anything else, a run draws its
number from the tracker; each of its steps begins with a look whether it is still the latest, and
what it records is checked again in the transaction that records it.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass

from secondread.clock import Clock
from secondread.engine import Result, RunStep
from secondread.errors import InputError, TransientError
from secondread.log import get_logger
from secondread.track.reading_runs import ReadingRun, ReadingRuns
from secondread.workflow.order import Order, run_failure, run_reading
from secondread.workflow.revision_reader import ReadingTools
from secondread.workflow.steps import ReadingSteps, is_deadly

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FencedRuns:
    """Runs readings of one worker.

    Parameters
    ----------
    tools
        What their steps work with.
    worker
        Name of the worker.
    watch_step
        Gives a context that ends the process when a step hangs in it.
    """

    tools: ReadingTools
    worker: str
    watch_step: Callable[[], AbstractContextManager[None]] = nullcontext

    def read(
        self, run_step: RunStep, study_uid: str, revision: int, order: Order = run_reading
    ) -> None:
        """Read a study by the steps of one version; a `Workflow`.

        Raises
        ------
        InputError
            It has cost too many workers in one and the same step.
        """
        steps, run = self._begin(study_uid, revision)
        if is_deadly(run):
            counts = {"faults": run.faults, "deaths": run.deaths}
            _log.error("reading_given_up", study_uid=study_uid, revision=revision, **counts)
            raise InputError(f"the worker died {run.deaths} times in one step of the reading")
        with closing(steps):
            order(steps, self._fence(run_step, study_uid, revision, run), study_uid, revision)

    def fail(self, run_step: RunStep, study_uid: str, revision: int) -> None:
        """Report a reading that broke; a `Workflow`."""
        steps, run = self._begin(study_uid, revision)
        run_failure(steps, self._fence(run_step, study_uid, revision, run), study_uid, revision)

    def _begin(self, study_uid: str, revision: int) -> tuple[ReadingSteps, ReadingRun]:
        run = self.tools.tracker.runs.begin_run(study_uid, revision, self.worker)
        return ReadingSteps(self.tools, run), run

    def _fence(
        self, run_step: RunStep, study_uid: str, revision: int, run: ReadingRun
    ) -> "FencedRunStep":
        runs, clock = self.tools.tracker.runs, self.tools.clock
        key = (study_uid, revision, run.number)
        return FencedRunStep(run_step, runs, key, clock, self.watch_step)


@dataclass(frozen=True, slots=True)
class FencedRunStep:
    """Runs steps as long as no later run of the same reading has begun; a `RunStep`."""

    run_step: RunStep
    runs: ReadingRuns
    run: tuple[str, int, int]
    """Study, revision, and number of the run."""
    clock: Clock
    watch_step: Callable[[], AbstractContextManager[None]]

    def __call__(self, name: str, step: Callable[..., Result], *arguments: object) -> Result:
        """Run a step, unless it was finished in an earlier run."""

        def fenced(*given: object) -> Result:
            self.runs.begin_step(*self.run, name, self.clock())
            try:
                with self.watch_step():
                    return step(*given)
            finally:
                self._end_step()

        return self.run_step(name, fenced, *arguments)

    def _end_step(self) -> None:
        # Where that cannot be recorded, a death from now on counts once too often.
        try:
            self.runs.end_step(*self.run)
        except TransientError as error:
            _log.warning("step_end_not_recorded", why=str(error))
