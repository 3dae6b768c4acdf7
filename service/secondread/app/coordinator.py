"""What a worker does with studies that are due: claims, starts and resumes their readings."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from secondread import log
from secondread.app.fault_record import FaultRecord
from secondread.app.node import Node
from secondread.app.retention import remove_left_folders, remove_old_objects
from secondread.app.score_watch import watch_scores
from secondread.app.silence import SilenceWatch
from secondread.assemble.intake_rule import find_hold_reason
from secondread.clock import Clock
from secondread.engine import Engine, WorkflowProgress
from secondread.reasons import Reason
from secondread.settings import PeerSettings, Settings
from secondread.track.commit_marks import ReadMark
from secondread.track.prior_choice import FetchRules
from secondread.track.studies import Digests
from secondread.track.values import ClaimedRevision, DueStudy
from secondread.workflow.inputs import find_paired_processing
from secondread.workflow.order import FAIL, READ

_log = log.get_logger(__name__)

PROCESS_KIND = "work"
"""Kind of a worker in its heartbeat."""

RETENTION_SECONDS = 600.0
"""How often to look for objects that are to be removed for their age, and at devices' scores."""

ORPHANS_SECONDS = 60.0
"""How often to look for results whose destination is no longer in the settings."""

SWEEP_SECONDS = 5.0
"""How often to look for readings that were claimed and never started, or broke."""

ORPHANED_RESULTS_ALARM = "destination-not-configured"
"""Alarm: results wait for a destination that was taken out of the settings."""

LOOK_AHEAD = 20
"""How many due studies are checked beyond those that can be claimed now."""

MISSED_BEATS = 3
"""How many heartbeats in a row a worker may miss, however short the takeover time is."""

CLAIMS_PER_WORKER = 2
"""Readings claimed ahead for each living worker. Few, so that fresh work overtakes a backlog."""


class Coordinator:
    """Moves due studies into the engine; every worker has one, and they share the work by SQL.

    Parameters
    ----------
    node, engine
        The node, and the engine that runs readings.
    worker
        Name of this worker.
    model_digest
        Digest of the model in force, recorded with each revision.
    clock
        The present instant.
    count_seconds
        A clock that only goes forward, for whether other workers live.
    read_mark
        Returns what differs from what it returned before, if the tracker may have changed. By
        default it always may have.
    """

    def __init__(
        self,
        node: Node,
        engine: Engine,
        worker: str,
        model_digest: str,
        clock: Clock,
        count_seconds: Callable[[], float] = time.monotonic,
        read_mark: ReadMark = object,
    ) -> None:
        self._node = node
        self._tracker = node.tracker
        self._rules = FetchRules.from_settings(node.settings)
        self._fetches = node.tracker.open_fetch_requests(self._rules)
        self._engine = engine
        self._worker = worker
        self._model_digest = model_digest
        self._clock = clock
        work = node.settings.work
        allowed = max(work.takeover_seconds, MISSED_BEATS * work.heartbeat_seconds)
        self._silence = SilenceWatch(allowed, count_seconds)
        self._count_seconds = count_seconds
        self._sweep_at = self._retention_at = self._look_ahead_at = count_seconds()
        self._orphans_at = self._sweep_at
        self._read_mark = read_mark
        self._idle_mark: object = None
        self._next_due_at: datetime | None = None

    def step(self) -> None:
        """Claim what is due; every few seconds also take care of what was left behind."""
        now = self._clock()
        self._claim_due(now)
        counted = self._count_seconds()
        if counted >= self._sweep_at:
            self._sweep_at = counted + SWEEP_SECONDS
            self._sweep()
        if counted >= self._retention_at:
            self._retention_at = counted + RETENTION_SECONDS
            remove_old_objects(self._node, now)
            unfinished = self._tracker.studies.list_unfinished(now, grace_seconds=0)
            remove_left_folders(self._node.settings.work_dir, unfinished, now)
            watch_scores(self._tracker, self._model_digest, now)

    def _sweep(self) -> None:
        self._take_over()
        if resumed := self._engine.go_on():
            _log.info("readings_gone_on_with", readings=resumed)
        self._tracker.counts.fold()
        if shortened := self._tracker.studies.shorten_waits(self._clock, self._rules):
            _log.warning("clock_set_back", studies=shortened)
        # Only now: what is above may take seconds, and what came meanwhile would seem to be of a
        # time to come.
        now = self._clock()
        if self._count_seconds() >= self._orphans_at:
            self._orphans_at = self._count_seconds() + ORPHANS_SECONDS
            self._watch_orphans(now)
        self._fetches.check_arrivals(now)
        for claimed in self._tracker.studies.list_unfinished(now, SWEEP_SECONDS):
            self._resume(claimed)

    def _claim_due(self, now: datetime) -> None:
        # Most of the time nothing is due, and there is no need to count free places.
        if not self._may_have_due(now):
            return
        places = max(self._count_free_places(now), 0)
        # Ordering a long backlog takes a while, and nothing of it can be claimed now.
        counted = self._count_seconds()
        if not places and counted < self._look_ahead_at:
            return
        self._look_ahead_at = counted + SWEEP_SECONDS
        # Studies that are held or wait take no place, so those behind them are checked as well.
        for study in self._tracker.studies.list_due(now, limit=places + LOOK_AHEAD):
            reason = find_reason_to_hold(self._node.settings, study, now)
            if reason is not None:
                self._tracker.studies.hold_study(study.study_uid, reason, now, self._rules)
                _log.info("study_held", study_uid=study.study_uid, reason=reason.value)
            elif not self._waits_for_priors(study, now) and places > 0:
                places -= 1
                self._claim(study, now)

    def _may_have_due(self, now: datetime) -> bool:
        """Ask for due studies, unless the last answer still holds."""
        mark = self._read_mark()
        is_early = self._next_due_at is None or now < self._next_due_at
        if mark == self._idle_mark and is_early:
            return False
        if self._tracker.studies.has_due(now):
            self._idle_mark = None
            return True
        self._next_due_at = self._tracker.studies.find_next_due(now)
        self._idle_mark = mark
        return False

    def _waits_for_priors(self, study: DueStudy, now: datetime) -> bool:
        """Have archives asked for a study's priors; return whether it waits for them."""
        until = study.priors_due_at
        if not self._rules.sources or (until is not None and until <= now):
            return False
        return self._fetches.await_priors(study.study_uid, now)

    def _claim(self, study: DueStudy, now: datetime) -> None:
        claimed = self._tracker.studies.claim_study(
            study.study_uid,
            self._worker,
            Digests(self._node.settings.reading_digest, self._model_digest),
            now,
            self._rules,
            find_paired_processing(self._tracker, self._node.archive, study.study_uid),
        )
        # Else another worker was faster, or the report stands.
        if claimed is not None:
            self._engine.submit(READ, claimed.study_uid, claimed.number)
            _log.info(
                "study_claimed",
                study_uid=claimed.study_uid,
                revision=claimed.number,
                cause=claimed.cause.value,
            )

    def _count_free_places(self, now: datetime) -> int:
        horizon = now - timedelta(seconds=self._node.settings.work.takeover_seconds)
        living = sum(
            process.kind == PROCESS_KIND and process.beat_at > horizon
            for process in self._tracker.node_queries.list_processes()
        )
        under_way = len(self._tracker.studies.list_unfinished(now, grace_seconds=0))
        # What waits for a disk takes no place: others may be readable. But while nothing is, not
        # all that comes is claimed.
        held_up = min(self._tracker.runs.count_held_up(), LOOK_AHEAD)
        return CLAIMS_PER_WORKER * max(living, 1) - (under_way - held_up)

    def _take_over(self) -> None:
        """Recover the readings, sends and queries of workers that are gone for good, or seem so.

        First they lose the right to write, so that one that only seemed dead can't, whatever it
        still does. Their rows are removed last: if this worker dies in between, the next one still
        finds them, and recovering the same workflow twice does no harm.
        """
        beats = {
            process.name: process.beat_at
            for process in self._tracker.node_queries.list_processes()
            if process.kind == PROCESS_KIND and process.name != self._worker
        }
        for name in self._silence.find_silent(beats):
            fault = FaultRecord(self._node.settings.work_dir, name)
            if fault.has_fault:
                self._tracker.runs.record_fault(name)
            self._tracker.runs.end_runs(name)
            leases = self._tracker.leases.end_all(name)
            count = self._engine.take_over([name])
            self._tracker.processes.remove_process(name)
            fault.clear()
            _log.warning("worker_taken_over", worker=name, workflows=count, leases=leases)

    def _watch_orphans(self, now: datetime) -> None:
        """Raise an alarm for results that wait for a destination the settings do not have."""
        configured = {destination.name for destination in self._node.settings.destinations}
        for destination in self._tracker.node_queries.list_destinations():
            name = destination.name
            if name not in configured and destination.oldest_waiting_at is not None:
                text = f"results wait for {name}, which is no longer in the settings"
                self._tracker.alarms.raise_alarm(ORPHANED_RESULTS_ALARM, name, text, now)
            else:
                self._tracker.alarms.clear_alarm(ORPHANED_RESULTS_ALARM, name, now)

    def _resume(self, claimed: ClaimedRevision) -> None:
        """Start a claimed reading that never started; give a broken one its failed result."""
        uid, number = claimed.study_uid, claimed.number
        match self._engine.check_progress(READ, uid, number):
            case WorkflowProgress.UNKNOWN:
                self._engine.submit(READ, uid, number)
                _log.warning("reading_started_late", study_uid=uid, revision=number)
            case WorkflowProgress.BROKEN:
                self._run_failure(uid, number)
            case WorkflowProgress.UNDER_WAY | WorkflowProgress.DONE:
                pass

    def _run_failure(self, uid: str, number: int) -> None:
        match self._engine.check_progress(FAIL, uid, number):
            case WorkflowProgress.UNKNOWN:
                _log.error("reading_broke", study_uid=uid, revision=number)
                self._engine.submit(FAIL, uid, number)
            case WorkflowProgress.BROKEN:
                # Not even the failed result could be made: a person has to look.
                why = "neither the reading nor its failed result could be made; see the log"
                self._tracker.studies.give_up(uid, number, why, self._clock())
                _log.error("study_stuck", study_uid=uid, revision=number)
            case WorkflowProgress.UNDER_WAY | WorkflowProgress.DONE:
                pass


def find_reason_to_hold(settings: Settings, study: DueStudy, now: datetime) -> Reason | None:
    """Return why the intake rules do not have a study read; None where they do."""
    if study.exempt:
        return None
    peer = settings.find_peer(study.peer) or PeerSettings(ae_title=study.peer or "?")
    today = now.astimezone(settings.zone).date()
    return find_hold_reason(peer, study.study_date, today, treated=study.treated)
