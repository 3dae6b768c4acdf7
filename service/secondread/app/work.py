"""A worker: claims studies that are due, reads them through the engine, delivers results."""

import os
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from secondread import __version__, log
from secondread.app.fetching import run_fetcher
from secondread.app.heartbeat import Heartbeat
from secondread.app.node import (
    Node,
    check_gate_names,
    make_node_identity,
    open_node,
    open_reader,
    read_station_name,
)
from secondread.app.probes import serve_probes
from secondread.app.signals import make_stop_event, stop_with_parent
from secondread.assemble.intake_rule import find_hold_reason
from secondread.clock import Clock, utc_now
from secondread.detect.child import DetectorChild
from secondread.engine import Engine, WorkflowProgress
from secondread.errors import TransientError
from secondread.reasons import Reason
from secondread.send.commitment_request import generate_transaction_uid, request_commitment
from secondread.send.delivery import DeliveryWiring, DeliveryWorker
from secondread.send.find import find_instances
from secondread.send.proof import ProofWiring, ProofWorker
from secondread.send.scu import store_objects
from secondread.send.workers import DestinationWorkers
from secondread.settings import PeerSettings, Settings
from secondread.track.prior_choice import FetchRules
from secondread.track.studies import Digests
from secondread.track.values import ClaimedRevision, DueStudy
from secondread.workflow.order import (
    FAIL,
    READ,
    READ_V1,
    READ_V2,
    read_v1,
    read_v2,
    run_failure,
    run_reading,
)
from secondread.workflow.steps import ReadingSteps
from secondread.workflow.tools import ReadingTools

_log = log.get_logger(__name__)

PROCESS_KIND = "work"
"""Kind of this process in its heartbeat."""

SWEEP_SECONDS = 5.0
"""How often readings are looked for that were claimed and never started, or broke."""

ORPHANED_RESULTS_ALARM = "destination-not-configured"
"""Alarm: results wait for a destination that was taken out of the settings."""

LOOK_AHEAD = 20
"""Due studies looked at beyond those that can be claimed now."""

CLAIMS_PER_WORKER = 2
"""Readings claimed ahead for each living worker. Few, so that fresh work overtakes a backlog."""


class Readings(Protocol):
    """The engine, as far as a coordinator needs it."""

    def submit(self, workflow: str, study_uid: str, revision: int) -> None:
        """Start a workflow; harmless if it is under way or done already."""

    def check_progress(self, workflow: str, study_uid: str, revision: int) -> WorkflowProgress:
        """Tell how far a workflow has come."""

    def take_over(self, executor_ids: Sequence[str]) -> int:
        """Recover the workflows of executors that are dead; return how many there were."""


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
    """

    def __init__(
        self, node: Node, engine: Readings, worker: str, model_digest: str, clock: Clock
    ) -> None:
        self._node = node
        self._tracker = node.tracker
        self._rules = FetchRules.from_settings(node.settings)
        self._fetches = node.tracker.open_fetch_requests(self._rules)
        self._engine = engine
        self._worker = worker
        self._model_digest = model_digest
        self._clock = clock
        self._sweep_at = clock()

    def step(self) -> None:
        """Claim what is due; every few seconds also look after what was left lying."""
        now = self._clock()
        self._claim_due(now)
        if now >= self._sweep_at:
            self._sweep_at = now + timedelta(seconds=SWEEP_SECONDS)
            self._take_over(now)
            self._watch_orphans(now)
            self._fetches.check_arrivals(now)
            for claimed in self._tracker.studies.list_unfinished(now, SWEEP_SECONDS):
                self._look_after(claimed)

    def _claim_due(self, now: datetime) -> None:
        # Most of the time nothing is due, and the room need not be counted.
        if not self._tracker.studies.list_due(now, limit=1):
            return
        room = max(self._room(now), 0)
        # Held and waiting ones take no room: those behind them are looked at as well.
        for study in self._tracker.studies.list_due(now, limit=room + LOOK_AHEAD):
            peer = self._node.settings.find_peer(study.peer) or PeerSettings(
                ae_title=study.peer or "?"
            )
            reason = self._held(study, peer, now)
            if reason is not None:
                self._tracker.studies.hold_study(study.study_uid, reason, now, self._rules)
                _log.info("study_held", study_uid=study.study_uid, reason=reason.value)
            elif not self._waits_for_priors(study, now) and room > 0:
                room -= 1
                self._claim(study, now)

    def _waits_for_priors(self, study: DueStudy, now: datetime) -> bool:
        """Have archives asked for a study's priors; say whether it waits for them."""
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
        )
        if claimed is not None:  # else another worker was faster
            self._engine.submit(READ, claimed.study_uid, claimed.number)
            _log.info(
                "study_claimed",
                study_uid=claimed.study_uid,
                revision=claimed.number,
                cause=claimed.cause.value,
            )

    def _room(self, now: datetime) -> int:
        horizon = now - timedelta(seconds=self._node.settings.work.takeover_seconds)
        living = sum(
            process.kind == PROCESS_KIND and process.beat_at > horizon
            for process in self._tracker.node_queries.list_processes()
        )
        under_way = len(self._tracker.studies.list_unfinished(now, grace_seconds=0))
        return CLAIMS_PER_WORKER * max(living, 1) - under_way

    def _held(self, study: DueStudy, peer: PeerSettings, now: datetime) -> Reason | None:
        if study.exempt:
            return None
        today = now.astimezone(self._node.settings.zone).date()
        return find_hold_reason(peer, study.study_date, today, treated=study.treated)

    def _take_over(self, now: datetime) -> None:
        """Recover what workers that are gone for good had begun.

        Their rows are removed last: should this worker die in between, the next one finds them
        still there, and recovering the same workflow twice does no harm.
        """
        horizon = self._node.settings.work.takeover_seconds
        dead = [
            name
            for name in self._tracker.processes.list_silent(now, horizon, PROCESS_KIND)
            if name != self._worker
        ]
        if dead:
            count = self._engine.take_over(dead)
            for name in dead:
                self._tracker.processes.remove_process(name)
            _log.warning("workers_taken_over", workers=dead, workflows=count)

    def _watch_orphans(self, now: datetime) -> None:
        """Raise an alarm for results that wait for a destination the settings do not have."""
        configured = {one.name for one in self._node.settings.destinations}
        for known in self._tracker.node_queries.list_destinations():
            waits = known.name not in configured and known.oldest_waiting_at is not None
            if waits:
                words = f"results wait for {known.name}, which is no longer in the settings"
                self._tracker.alarms.raise_alarm(ORPHANED_RESULTS_ALARM, known.name, words, now)
            else:
                self._tracker.alarms.clear_alarm(ORPHANED_RESULTS_ALARM, known.name, now)

    def _look_after(self, claimed: ClaimedRevision) -> None:
        """Start what was claimed and never started; give a broken reading its failed result."""
        uid, number = claimed.study_uid, claimed.number
        match self._engine.check_progress(READ, uid, number):
            case WorkflowProgress.UNKNOWN:
                self._engine.submit(READ, uid, number)
                _log.warning("reading_started_late", study_uid=uid, revision=number)
            case WorkflowProgress.BROKEN:
                self._fail(uid, number)
            case WorkflowProgress.UNDER_WAY | WorkflowProgress.DONE:
                pass

    def _fail(self, uid: str, number: int) -> None:
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


def run_worker(settings: Settings, name: str, parent: int | None, probe_port: int | None) -> None:
    """Run one worker until asked to stop."""
    stop = make_stop_event()
    if parent is not None:
        stop_with_parent(parent)
    node = open_node(settings)
    reader = open_reader(settings.detect, settings.findings)
    with DetectorChild(settings.detect) as child:
        tools = ReadingTools(
            tracker=node.tracker,
            archive=node.archive,
            detect=child.detect,
            show=child.write_display,
            scores_at=child.score_places,
            reader=reader,
            node=make_node_identity(
                node.installation_id, read_station_name(), settings.node.institution
            ),
            settings_digest=settings.reading_digest,
            installation_id=node.installation_id,
            profiles=settings.profiles,
            destinations={one.name: one.profile.key for one in settings.destinations},
            overrides=check_gate_names(settings.detect.override_gates),
            attempts=settings.detect.attempts,
            work_dir=settings.node.data_dir / "work" / name,
            clock=utc_now,
            zone=settings.zone,
        )
        engine = _engine(settings, name, ReadingSteps(tools))
        coordinator = Coordinator(node, engine, name, reader.model.digest, utc_now)
        deliverers, provers = _make_deliverers(node, name), _make_provers(node, name)
        engine.start()
        deliverers.start()
        provers.start()
        beat = settings.work.heartbeat_seconds
        # A reading that this worker does not finish is its own after a restart, and otherwise
        # another's: the row that stays behind is how the others learn of it.
        heart = Heartbeat(node.tracker, name, PROCESS_KIND, beat, is_missed=True)
        with heart, serve_probes(node, probe_port), run_fetcher(node, name):
            _log.info("worker_started", version=__version__, pid=os.getpid())
            _loop(coordinator.step, settings.work.poll_seconds, stop)
            deliverers.stop()
            provers.stop()
            engine.stop(grace_seconds=15)
        _log.info("worker_stopped")
        # The thread of a reading that is still under way would hold the process, and go on
        # without its engine; the step is repeated by whoever goes on with the reading.
        os._exit(0)


def _engine(settings: Settings, name: str, steps: ReadingSteps) -> Engine:
    return Engine(
        settings.engine_url,
        name,
        {
            READ: lambda run, uid, revision: run_reading(steps, run, uid, revision),
            READ_V2: lambda run, uid, revision: read_v2(steps, run, uid, revision),
            READ_V1: lambda run, uid, revision: read_v1(steps, run, uid, revision),
            FAIL: lambda run, uid, revision: run_failure(steps, run, uid, revision),
        },
    )


def _make_deliverers(node: Node, name: str) -> DestinationWorkers:
    wiring = DeliveryWiring(
        queue=node.tracker.deliveries,
        alarms=node.tracker.alarms,
        store=store_objects,
        clock=utc_now,
        worker=name,
        calling_ae_title=node.settings.node.ae_title,
    )
    workers = [DeliveryWorker(destination, wiring) for destination in node.settings.destinations]
    return DestinationWorkers("deliver", workers, node.settings.work.poll_seconds)


def _make_provers(node: Node, name: str) -> DestinationWorkers:
    wiring = ProofWiring(
        queue=node.tracker.proofs,
        ledger=node.tracker.proofs,
        alarms=node.tracker.alarms,
        request_commitment=request_commitment,
        find_instances=find_instances,
        clock=utc_now,
        make_transaction_uid=generate_transaction_uid,
        worker=name,
        calling_ae_title=node.settings.node.ae_title,
    )
    workers = [ProofWorker(destination, wiring) for destination in node.settings.destinations]
    return DestinationWorkers("prove", workers, node.settings.work.poll_seconds)


def _loop(step: Callable[[], None], pause_seconds: float, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            step()
        except TransientError as error:
            # The database is away or busy; everything that matters lies in it, so wait for it.
            _log.warning("tracker_unavailable", why=str(error))
            stop.wait(2.0)
        stop.wait(pause_seconds)
