"""Deliveries from a real outbox and tracker to loopback archives that come and go."""

import hashlib
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from secondread.clock import Clock
from secondread.demo.archive_peer import ArchivePeer
from secondread.send.delivery import DeliveryWiring, DeliveryWorker
from secondread.send.scu import store_objects
from secondread.send.workers import DestinationWorkers
from secondread.settings import DestinationMode, DestinationSettings, ObjectKind
from secondread.track.states import DeliveryState
from secondread.track.values import RecordedObject
from tests.peers.ports import free_port
from tests.worlds.track_world import STUDY, World, reading

CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def result_file(folder: Path, number: int, sop_class: str = CAPTURE) -> RecordedObject:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.StudyInstanceUID = sop_class, f"2.25.{number}", STUDY
    ds.TextValue = "r" * 10_000
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    path = folder / f"{number}.dcm"
    ds.save_as(path, enforce_file_format=True)
    data = path.read_bytes()
    return RecordedObject(
        profile="default",
        kind=ObjectKind.CAPTURE if sop_class == CAPTURE else ObjectKind.CAD_SR,
        index=number - 1,
        sop_class_uid=sop_class,
        series_uid="2.25.99",
        sop_instance_uid=str(ds.SOPInstanceUID),
        source_uid=None,
        path=path.name,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
    )


def destination(name: str, port: int) -> DestinationSettings:
    return DestinationSettings(
        name=name,
        ae_title=name.upper(),
        host="127.0.0.1",
        port=port,
        timeout_seconds=3,
        maximum_pause_seconds=0.2,
    )


def running_from(start: datetime) -> Clock:
    """A clock that shows the world's time and goes on from there."""
    began = time.monotonic()
    return lambda: start + timedelta(seconds=time.monotonic() - began)


def eventually(true: Callable[[], bool], seconds: float = 40) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return true()


@pytest.fixture
def outbox(world: World) -> Path:
    """The folder that the tracker takes the outbox's paths from."""
    folder = world.tracker.deliveries._outbox_dir
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_results_reach_a_live_destination_while_another_is_down_and_that_one_when_it_is_back(
    world: World, outbox: Path, tmp_path: Path
) -> None:
    down_port = free_port()
    world.destination("up", DestinationMode.LIVE)
    world.destination("down", DestinationMode.LIVE)
    world.destination("quiet", DestinationMode.SHADOW)
    world.send_study()
    world.later(150)
    claimed = world.claimed()
    world.record(reading(claimed, entries=(result_file(outbox, 1), result_file(outbox, 2))))
    clock = running_from(world.now)
    deliveries, queries = world.tracker.deliveries, world.tracker.node_queries

    def delivered(name: str) -> int:
        return queries.count_all(clock()).deliveries[name, DeliveryState.DELIVERED]

    with ArchivePeer(tmp_path / "up", "UP") as up, ArchivePeer(tmp_path / "q", "QUIET") as quiet:
        settings = [
            destination("up", up.port),
            destination("down", down_port),
            destination("quiet", quiet.port),
        ]
        wiring = DeliveryWiring(
            deliveries, world.tracker.alarms, store_objects, clock, "worker-0", "SECONDREAD"
        )
        workers = [DeliveryWorker(configured, wiring) for configured in settings]
        deliverers = DestinationWorkers("deliver", workers, poll_seconds=0.02)
        deliverers.start()
        assert eventually(lambda: delivered("up") == 2)
        assert eventually(lambda: _reason(world, "down").startswith("unreachable"))
        assert delivered("down") == 0
        with ArchivePeer(tmp_path / "down", "DOWN", down_port) as down:
            assert eventually(lambda: delivered("down") == 2)
            assert len(down.list_objects(STUDY)) == 2
        assert deliverers.stop()
        assert len(up.list_objects(STUDY)) == 2
        assert quiet.list_objects(STUDY) == ()
    assert queries.count_all(clock()).deliveries["quiet", DeliveryState.SHADOW] == 2


def _reason(world: World, name: str) -> str:
    found = {one.name: one.reasons for one in world.tracker.node_queries.list_destinations()}
    return "; ".join(found[name])
