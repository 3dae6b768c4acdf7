"""A worker: claims studies that are due, reads them through the engine, delivers results."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from secondread import __version__, log
from secondread.app.audit_trail import AuditTrail
from secondread.app.capacity import count_detectors, find_control_group
from secondread.app.certificate_watch import list_called, watch_certificates
from secondread.app.coordinator import PROCESS_KIND, Coordinator, find_reason_to_hold
from secondread.app.fault_record import FaultRecord
from secondread.app.fetching import run_fetcher
from secondread.app.heartbeat import Heartbeat
from secondread.app.node import Node, check_engine_database, open_node
from secondread.app.probes import serve_probes
from secondread.app.reader import (
    check_gate_names,
    make_node_identity,
    open_reader,
    read_station_name,
)
from secondread.app.signals import make_stop_event
from secondread.app.vital import THREAD_LOST_EXIT, VitalThreads
from secondread.clock import Clock, utc_now
from secondread.detect.child_loop import limit_memory
from secondread.detect.pool import DetectorPool
from secondread.engine import Engine, ReportHoldUp, Workflow
from secondread.errors import TransientError, describe_without_quoting, is_outage
from secondread.guard import report_failure
from secondread.reading import Reader
from secondread.send.arrival_check import ArrivalWiring, ArrivalWorker
from secondread.send.commitment_request import generate_transaction_uid, request_commitment
from secondread.send.delivery import DeliveryWiring, DeliveryWorker
from secondread.send.find import find_instances
from secondread.send.proof import ProofWiring, ProofWorker
from secondread.send.scu import store_objects
from secondread.send.study_list import choose_mammography, list_mammography
from secondread.send.workers import STOP_SECONDS, DestinationWorker, DestinationWorkers
from secondread.settings import PeerSettings, Settings
from secondread.track.tracker import Tracker
from secondread.track.values import DueStudy
from secondread.workflow.fenced_run import FencedRuns
from secondread.workflow.order import FAIL, READINGS
from secondread.workflow.read_ahead import ReadAhead, ReadAheadThreads
from secondread.workflow.revision_reader import ReadingTools

_log = log.get_logger(__name__)


GRACE_SECONDS = 8.0
"""How long the steps and transfers that are under way may take to end when asked to stop."""

END_SECONDS = 15.0
"""After this long the process ends, whatever is still under way: all of it can be gone on with."""


def run_worker(settings: Settings, name: str, parent: int | None, probe_port: int | None) -> None:
    """Run one worker until asked to stop."""
    stop = make_stop_event(parent)
    node = open_node(settings)
    check_engine_database(settings)
    reader = open_reader(settings.detect, settings.findings)
    limit_memory(settings.work.memory_bytes)
    record = FaultRecord(settings.work_dir, name, settings.work.step_seconds)
    if record.has_fault:
        _log.error("worker_ended_by_fault")
        node.tracker.runs.record_fault(name)
    detectors = count_detectors(settings, find_control_group())
    with record, DetectorPool(settings.detect, detectors) as pool:
        tools = _make_tools(node, reader, pool)
        runs = FencedRuns(tools, name, record.watch_step)
        engine = _make_engine(settings, name, runs, HoldUpReport(node.tracker, utc_now))
        marks = node.tracker.commit_marks
        coordinator = Coordinator(
            node, engine, name, reader.model.digest, utc_now, read_mark=marks.read
        )
        lanes = [
            _make_deliverers(node, name),
            _make_provers(node, name),
            _make_arrival_checks(node, name),
        ]
        engine.start()
        for lane in lanes:
            lane.start()
        # A reading that this worker does not finish is its own after a restart, and otherwise
        # another's: by the row that stays behind, the others know of it.
        heartbeat = Heartbeat(node, name, PROCESS_KIND, is_missed=True)
        trail = AuditTrail(node, name)
        with heartbeat, run_fetcher(node, name, trail.record) as fetchers:
            lanes.append(fetchers)
            vital = VitalThreads(
                {
                    "heartbeat": lambda: heartbeat.is_alive,
                    "engine": lambda: engine.is_alive,
                    "destinations": lambda: all(lane.is_alive for lane in lanes),
                }
            )
            with (
                trail,
                _read_ahead(tools, pool, engine, settings),
                serve_probes(node, probe_port, vital.check),
                watch_certificates(node, list_called(settings)),
            ):
                _log.info(
                    "worker_started", version=__version__, pid=os.getpid(), detectors=pool.size
                )
                ending = _Ending(stop)
                pause = settings.work.poll_seconds
                status = _run_until_stopped(coordinator.step, pause, stop, vital)
                ending.begin(status)
            _stop_all(engine, lanes, node, name)
        _log.info("worker_stopped", status=status)
        # The thread of a reading that is still under way would keep the process alive without its
        # engine; the worker that continues the reading repeats the step.
        os._exit(status)


def _read_ahead(
    tools: ReadingTools, pool: DetectorPool, engine: Engine, settings: Settings
) -> AbstractContextManager[None]:
    # Several workers would read the same images, one ahead and one for a reading that has begun.
    if not settings.work.read_ahead or settings.work.processes > 1:
        return nullcontext()

    def may_be_read(study: DueStudy) -> bool:
        return find_reason_to_hold(settings, study, utc_now()) is None

    def is_free() -> bool:
        # A single child is free between two images of a reading, too, and would keep it waiting.
        return pool.is_free and (pool.size > 1 or engine.is_idle)

    ahead = ReadAhead(tools, may_be_read, tools.tracker.commit_marks.read)
    pause = settings.work.poll_seconds
    return ReadAheadThreads(ahead, is_free, pause, pool.size)


def _make_tools(node: Node, reader: Reader, pool: DetectorPool) -> ReadingTools:
    settings = node.settings
    institution = settings.node.institution
    return ReadingTools(
        tracker=node.tracker,
        archive=node.archive,
        detector=pool,
        images_at_once=pool.size,
        reader=reader,
        node=make_node_identity(node.installation_id, read_station_name(), institution),
        settings_digest=settings.reading_digest,
        installation_id=node.installation_id,
        profiles=settings.profiles,
        destinations={
            destination.name: destination.profile.key for destination in settings.destinations
        },
        overrides=check_gate_names(settings.detect.override_gates),
        attempts=settings.detect.attempts,
        work_dir=settings.work_dir,
        clock=utc_now,
        zone=settings.zone,
    )


def _make_engine(
    settings: Settings, name: str, runs: FencedRuns, report_hold_up: ReportHoldUp
) -> Engine:
    workflows: dict[str, Workflow] = {
        name: partial(runs.read, order=order) for name, order in READINGS.items()
    }
    workflows[FAIL] = runs.fail
    return Engine(settings.engine_url, name, workflows, report_hold_up=report_hold_up)


@dataclass(frozen=True, slots=True)
class HoldUpReport:
    """Records in the tracker that something outside holds a reading up; a `ReportHoldUp`."""

    tracker: Tracker
    clock: Clock

    def __call__(self, study_uid: str, revision: int, why: str, waited_seconds: float) -> None:
        """Record it, with an alarm when it lasts."""
        now = self.clock()
        since = now - timedelta(seconds=waited_seconds)
        self.tracker.runs.hold_up(study_uid, revision, why, since, now)


def _stop_all(engine: Engine, lanes: list[DestinationWorkers], node: Node, name: str) -> None:
    for lane in lanes:
        lane.ask_to_stop()
    engine.stop(GRACE_SECONDS)
    deadline = time.monotonic() + STOP_SECONDS
    have_stopped = [lane.stop(max(deadline - time.monotonic(), 0.0)) for lane in lanes]
    if not all(have_stopped):
        _log.warning("transfers_cut_off")
    # A step that is cut off now died of nothing that it did, and others take up what is left.
    with suppress(TransientError):
        node.tracker.runs.release_steps(name)
        node.tracker.leases.end_all(name)


class _Ending:
    """Ends the process when it does not end by itself: a library may wait in it for a minute.

    Parameters
    ----------
    stop
        Set when the process is asked to stop.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._status = 0
        threading.Thread(target=self._end, name="end", daemon=True).start()

    def begin(self, status: int) -> None:
        """Have the process end with that status, whether it was asked to or not."""
        self._status = status
        self._stop.set()

    def _end(self) -> None:
        self._stop.wait()
        time.sleep(END_SECONDS)
        _log.warning("worker_cut_off", after_seconds=END_SECONDS)
        os._exit(self._status)


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
    return _make_lane(node, "deliver", workers)


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
    return _make_lane(node, "prove", workers)


def _make_arrival_checks(node: Node, name: str) -> DestinationWorkers:
    settings = node.settings
    wiring = ArrivalWiring(
        queue=node.tracker.missing,
        list_mammography=list_mammography,
        choose_mammography=choose_mammography,
        settings=settings.arrivals,
        peers=list_intake_rules(settings),
        zone=settings.zone,
        clock=utc_now,
        worker=name,
        calling_ae_title=settings.node.ae_title,
    )
    workers = [ArrivalWorker(source, wiring) for source in settings.compared_sources]
    return _make_lane(node, "arrivals", workers)


def _make_lane(node: Node, task: str, workers: Sequence[DestinationWorker]) -> DestinationWorkers:
    seconds = node.settings.work.poll_seconds
    return DestinationWorkers(task, workers, seconds, node.tracker.commit_marks.read)


def list_intake_rules(settings: Settings) -> tuple[PeerSettings, ...]:
    """Return the rules of all that may send studies."""
    strangers = (PeerSettings(ae_title="?"),) if settings.receive.unknown_peers == "accept" else ()
    return (*settings.peers, *strangers)


def _run_until_stopped(
    step: Callable[[], None], pause_seconds: float, stop: threading.Event, vital: VitalThreads
) -> int:
    """Run the steps of the coordinator; return the exit status of the process."""
    while not stop.is_set():
        try:
            vital.end_if_lost()
            step()
        except SystemExit:
            return THREAD_LOST_EXIT
        except Exception as error:  # noqa: BLE001  (the edge of the process)
            if not is_outage(error):
                # Nobody else would do this thread's work: the process ends, what it runs is left
                # to be gone on with, and it is started anew.
                report_failure(error)
                return 1
            # The database is away or busy; nothing can be done without it, so wait.
            _log.warning("tracker_unavailable", why=describe_without_quoting(error))
            stop.wait(2.0)
        stop.wait(pause_seconds)
    return 0
