"""A worker: claims studies that are due, reads them through the engine, delivers results."""

import os
import threading
from collections.abc import Callable

from secondread import __version__, log
from secondread.app.coordinator import PROCESS_KIND, Coordinator
from secondread.app.fetching import run_fetcher
from secondread.app.heartbeat import Heartbeat
from secondread.app.node import Node, open_node
from secondread.app.reader import (
    check_gate_names,
    make_node_identity,
    open_reader,
    read_station_name,
)
from secondread.app.signals import make_stop_event
from secondread.app.web_server import serve_probes
from secondread.clock import utc_now
from secondread.detect.child import DetectorChild
from secondread.engine import Engine
from secondread.errors import TransientError
from secondread.send.commitment_request import generate_transaction_uid, request_commitment
from secondread.send.delivery import DeliveryWiring, DeliveryWorker
from secondread.send.find import find_instances
from secondread.send.proof import ProofWiring, ProofWorker
from secondread.send.scu import store_objects
from secondread.send.workers import DestinationWorkers
from secondread.settings import Settings
from secondread.workflow.order import FAIL, READ, run_failure, run_reading
from secondread.workflow.revision_reader import ReadingTools
from secondread.workflow.steps import ReadingSteps

_log = log.get_logger(__name__)


def run_worker(settings: Settings, name: str, parent: int | None, probe_port: int | None) -> None:
    """Run one worker until asked to stop."""
    stop = make_stop_event(parent)
    node = open_node(settings)
    reader = open_reader(settings.detect, settings.findings)
    with DetectorChild(settings.detect) as child:
        tools = ReadingTools(
            tracker=node.tracker,
            archive=node.archive,
            detector=child,
            reader=reader,
            node=make_node_identity(
                node.installation_id, read_station_name(), settings.node.institution
            ),
            settings_digest=settings.reading_digest,
            installation_id=node.installation_id,
            profiles=settings.profiles,
            destinations={
                destination.name: destination.profile.key for destination in settings.destinations
            },
            overrides=check_gate_names(settings.detect.override_gates),
            attempts=settings.detect.attempts,
            work_dir=settings.node.data_dir / "work" / name,
            clock=utc_now,
            zone=settings.zone,
        )
        engine = _make_engine(settings, name, ReadingSteps(tools))
        coordinator = Coordinator(node, engine, name, reader.model.digest, utc_now)
        deliverers, provers = _make_deliverers(node, name), _make_provers(node, name)
        engine.start()
        deliverers.start()
        provers.start()
        # A reading that this worker does not finish is its own after a restart, and otherwise
        # another's: by the row that stays behind, the others know of it.
        with (
            Heartbeat(node, name, PROCESS_KIND, is_missed=True),
            serve_probes(node, probe_port),
            run_fetcher(node, name),
        ):
            _log.info("worker_started", version=__version__, pid=os.getpid())
            _run_until_stopped(coordinator.step, settings.work.poll_seconds, stop)
            deliverers.stop()
            provers.stop()
            engine.stop(grace_seconds=15)
        _log.info("worker_stopped")
        # The thread of a reading that is still under way would keep the process alive without its
        # engine; the worker that continues the reading repeats the step.
        os._exit(0)


def _make_engine(settings: Settings, name: str, steps: ReadingSteps) -> Engine:
    return Engine(
        settings.engine_url,
        name,
        {
            READ: lambda run, uid, revision: run_reading(steps, run, uid, revision),
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


def _run_until_stopped(
    step: Callable[[], None], pause_seconds: float, stop: threading.Event
) -> None:
    while not stop.is_set():
        try:
            step()
        except TransientError as error:
            # The database is away or busy; nothing can be done without it, so wait.
            _log.warning("tracker_unavailable", why=str(error))
            stop.wait(2.0)
        stop.wait(pause_seconds)
