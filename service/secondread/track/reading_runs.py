"""The runs of a reading: which of them may write, and what its worker died of.

A reading is begun anew whenever its worker was lost. Each run has a number, its fencing token: it
is drawn in a transaction when the run begins, and every transaction that a run writes in checks
that no later one has begun. A worker that was stopped, taken over and woken can therefore change
nothing any more, whatever it still believes.

The same rows count what a reading did to its workers. Only deaths in one and the same step count,
one after another: a reading that has come further since is not to blame for what happened before.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select, update

from secondread.errors import LeaseLostError
from secondread.track.database import TrackerPart
from secondread.track.operations import clear_alarm_in, raise_alarm_in
from secondread.track.states import RevisionState
from secondread.track.study_rows import find_revision, is_under_way
from secondread.track.tables import RevisionRow

READING_HELD_UP = "reading-held-up"
"""Alarm: a reading waits for a disk or a database."""

HELD_UP_ALARM = timedelta(seconds=120)
"""How long a reading may be held up before an alarm says so."""


class ReadingRun(NamedTuple):
    """A run that has begun."""

    number: int
    """Its fencing token."""
    step: str | None
    """The step in which the workers of earlier runs died; None if the last of them did not."""
    faults: int
    """How often in a row one died in that step by a fault of its own."""
    deaths: int
    """How often in a row one died in that step, in whatever way."""


NOT_RUN = ReadingRun(0, None, 0, 0)
"""What holds before the first run."""


class ReadingRuns(TrackerPart):
    """The runs of readings that are under way."""

    def begin_run(self, study_uid: str, number: int, worker: str) -> ReadingRun:
        """Begin the next run of a reading; from now on no earlier one can write.

        Raises
        ------
        InputError
            There is no such revision.
        """
        with self._database.begin_write() as session:
            revision = find_revision(session, study_uid, number, lock=True)
            revision.run += 1
            revision.worker = worker
            if revision.in_step:
                revision.deaths += 1
                revision.in_step = False
            step = revision.step if revision.deaths else None
            return ReadingRun(revision.run, step, revision.faults, revision.deaths)

    def begin_step(self, study_uid: str, number: int, run: int, step: str, now: datetime) -> None:
        """Record which step is under way; the same one again after a pause changes nothing.

        Raises
        ------
        LeaseLostError
            Another run has begun.
        """
        with self._database.begin_write() as session:
            revision = find_revision(session, study_uid, number, lock=True)
            check_run(revision, run)
            revision.in_step = True
            if revision.step == step:
                return
            revision.step, revision.faults, revision.deaths = step, 0, 0
            if revision.held_up_at is not None:
                revision.held_up_at = None
                clear_alarm_in(session, READING_HELD_UP, study_uid, now)

    def end_step(self, study_uid: str, number: int, run: int) -> None:
        """Record that a step has ended, well or not: whoever dies now does not die of it."""
        with self._database.begin_write() as session:
            revision = find_revision(session, study_uid, number, lock=True)
            if revision.run == run:
                revision.in_step = False

    def release_steps(self, worker: str) -> None:
        """Record that a worker leaves the steps that it is in of its own accord."""
        with self._database.begin_write() as session:
            session.execute(
                update(RevisionRow)
                .where(*_is_run_by(worker), RevisionRow.in_step)
                .values(in_step=False)
            )

    def record_fault(self, worker: str) -> None:
        """Record that a worker died by a fault of its own in the step that it was in."""
        with self._database.begin_write() as session:
            session.execute(
                update(RevisionRow)
                .where(*_is_run_by(worker), RevisionRow.in_step)
                .values(faults=RevisionRow.faults + 1)
            )

    def end_runs(self, worker: str) -> int:
        """Take the right to write from whatever a worker runs, which is lost; return how many."""
        with self._database.begin_write() as session:
            ended = session.execute(
                update(RevisionRow).where(*_is_run_by(worker)).values(run=RevisionRow.run + 1)
            )
            return int(getattr(ended, "rowcount", 0))

    def hold_up(
        self, study_uid: str, number: int, why: str, since: datetime, now: datetime
    ) -> None:
        """Record that something outside holds a reading up; raise an alarm when it lasts.

        Parameters
        ----------
        study_uid, number
            The revision.
        why
            What it waits for, for people; no patient data.
        since, now
            When that was first seen, and the present instant.
        """
        with self._database.begin_write() as session:
            revision = find_revision(session, study_uid, number, lock=True)
            if revision.state is not RevisionState.STARTED:
                return
            revision.held_up_at = revision.held_up_at or since
            if now - revision.held_up_at >= HELD_UP_ALARM:
                words = f"the reading waits since {revision.held_up_at:%Y-%m-%d %H:%M} UTC: {why}"
                raise_alarm_in(session, READING_HELD_UP, study_uid, words, now)

    def count_held_up(self) -> int:
        """Return how many readings are held up."""
        with self._database.begin_read() as session:
            statement = select(func.count()).where(
                is_under_way(), RevisionRow.held_up_at.is_not(None)
            )
            return session.scalar(statement) or 0


def check_run(revision: RevisionRow, run: int) -> None:
    """Check that a run may write; the revision's row is locked by the same transaction.

    Raises
    ------
    LeaseLostError
        Another run has begun, or its worker was taken over.
    """
    if revision.run != run:
        raise LeaseLostError(
            f"revision {revision.number} of {revision.study_uid}: run {run} was taken over"
        )


def _is_run_by(worker: str) -> tuple[ColumnElement[bool], ...]:
    return (RevisionRow.worker == worker, is_under_way())
