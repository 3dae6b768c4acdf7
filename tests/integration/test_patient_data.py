"""No log line, metric, alarm, URL, file name or exception carries what a patient's header says.

A node with a real receiver and a real database goes through success and every failure, with
patients of whom every text is a marker. All loggers are open to the lowest level, those of
libraries too.
"""

import io
import logging
import socket
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.events import Event

from secondread import guard
from secondread.accept.dispositions import Disposition
from secondread.detect.child import DetectorLimitError
from secondread.log import configure_logging
from secondread.reasons import Reason
from secondread.send.delivery import DeliveryWiring, DeliveryWorker
from secondread.send.outbox import never_cancelled
from secondread.send.scu import store_objects
from secondread.settings import DestinationMode, DestinationSettings
from secondread.track.states import StudyState
from secondread.watch.application import make_app
from secondread.workflow import steps
from secondread.workflow.order import run_failure, run_reading
from tests.integration.test_accept_hostile import pdu, store_request
from tests.integration.test_cad_reports import acme
from tests.integration.test_priors import CURRENT, PRIOR, Node, exam_of
from tests.peers.prior_peer import PriorPeer, serving
from tests.peers.raw_requests import context, item, read_pdu, request, user_information
from tests.unit.accept.fakes import encoded, eventually
from tests.worlds.builders import detection
from tests.worlds.marked_patients import MARKER, find_markers, list_marked_names, mark_patient
from tests.worlds.node_world import CLUSTER, run_step
from tests.worlds.watch_world import Browser, let_in

NAME = "MQZ^NAME^19471103"
IDENTITY = item(0x58, b"\x01\x00\x00\x08mqz user\x00\x00")
RELEASED, ABORTED, OVER = 6, 7, 0
RELEASE = b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00"


def exam(study: str = CURRENT, year: int = 2026, **others: object) -> list[Dataset]:
    """Four views of a marked patient."""
    dates = dict.fromkeys(("StudyDate", "AcquisitionDate"), f"{year}0105")
    return [mark_patient(ds, **others) for ds in exam_of(study, **dates)]


class WatchedNode:
    """The node, and all that it writes where no patient's data may be."""

    def __init__(self, folder: Path, peer: PriorPeer, stack: ExitStack) -> None:
        self.folder, self.written = folder, io.StringIO()
        configure_logging("test", "debug", self.written)
        for name in [n for n in logging.root.manager.loggerDict if "secondread" not in n]:
            logger = logging.getLogger(name)
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.DEBUG)
        self.node = Node(folder, peer, stack).ask()

    @property
    def port(self) -> int:
        assert self.node.peer.destination is not None
        return self.node.peer.destination[1]

    def send(self, *images: Dataset, calling: str = "ARCHIVE", **said: object) -> None:
        """Send images in one association; `said` stands in the place of what is right."""
        sop_class = str(said.get("sop_class", images[0].SOPClassUID))
        wanted = request(context(1, sop_class), user_information(IDENTITY), calling=calling)
        messages = []
        for ds in images:
            uid = str(said.get("uid", ds.SOPInstanceUID))
            data = said.get("data") or encoded(ds, implicit=True)
            assert isinstance(data, bytes)
            command = said.get("command") or store_request(ds, sop_instance_uid=uid)
            assert isinstance(command, bytes)
            messages += [
                pdu(1, command, command=True, last=True),
                *(
                    pdu(1, data[at : at + 16_000], command=False, last=at + 16_000 >= len(data))
                    for at in range(0, len(data), 16_000)
                ),
            ]
        with (
            suppress(OSError),  # what is refused is cut off
            socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection,
        ):
            connection.sendall(wanted)
            read_pdu(connection)
            for message in messages:
                connection.sendall(message)
            connection.sendall(RELEASE)
            while read_pdu(connection)[0] not in {RELEASED, ABORTED, OVER}:
                pass

    def claim(self) -> tuple[str, int]:
        """Let the study become due, and return what is to be read."""

        def is_claimed() -> bool:
            self.node.wait(300)
            self.node.fetch()
            return bool(self.node.engine.submitted)

        assert eventually(is_claimed)  # the receiver records the ends of associations in its time
        _, study_uid, revision = self.node.engine.submitted[-1]
        return study_uid, revision

    def read(self) -> None:
        """Let the study become due, and read it."""
        run_reading(self.node.steps, run_step, *self.claim())

    def browse(self) -> str:
        """Open every page; return what they answered."""
        tracker = self.node.node.tracker
        app = make_app(tracker, self.node.node.archive, self.node.settings, lambda: self.node.now)
        browser = Browser(app, let_in(tracker))
        paths = ["/", "/refusals", "/destinations", "/node", "/metrics", "/readyz", "/search"]
        paths += ["/missing", "/settings", "/patients/1"]
        paths += [f"/studies/{one.study_uid}" for one in tracker.study_queries.list_studies()]
        answers = [browser.get(path) for path in paths]
        found = browser.post("/search", {"text": "MQZ-ID-1"}, {"origin": "http://127.0.0.1"})
        assert found.status_code == 200
        assert not MARKER.search(str(found.url) + str(found.headers))
        return "\n".join(answer.text for answer in [*answers, found])

    def check(self) -> str:
        """Look for markers in everything; return what was logged."""
        logged = self.written.getvalue()
        assert find_markers(logged) == []
        assert find_markers(generate_latest().decode()) == []
        queries = self.node.node.tracker.node_queries
        assert find_markers("\n".join(map(repr, queries.list_alarms()))) == []
        assert find_markers("\n".join(map(repr, queries.list_refusals()))) == []
        assert list(list_marked_names(self.folder, Path(tempfile.gettempdir()))) == []
        return logged


@pytest.fixture
def peer() -> Iterator[PriorPeer]:
    with serving(PriorPeer(exam(PRIOR, 2025))) as peer:
        yield peer


@pytest.fixture
def node(tmp_path: Path, peer: PriorPeer) -> Iterator[WatchedNode]:
    with ExitStack() as stack:
        yield WatchedNode(tmp_path, peer, stack)


def test_a_reading_with_a_prior_names_nobody(node: WatchedNode) -> None:
    images = exam()
    images[0].Rows, images[0].Columns, images[0].PixelData = 1000, 800, bytes(1_600_000)
    uid = str(images[0].SOPInstanceUID)
    node.node.answers[uid] = detection(uid, *CLUSTER)
    node.send(*images)
    node.read()
    assert node.node.state() is StudyState.REPORTED
    pages = node.browse()
    # Pages say which unit made the images, and name no patient.
    shown = ("mqz-issuer", "mqzstation")
    assert "mqz" not in reduce(lambda text, word: text.replace(word, ""), shown, pages.lower())
    assert "instance_stored" in node.check()


def test_images_that_conflict_and_those_of_another_patient_name_nobody(node: WatchedNode) -> None:
    images = exam()
    node.send(*images)
    images[0].PixelData = b"\1" * 128
    node.send(images[0])
    node.send(*exam(PatientID="MQZ-ID-2", PatientName="Mqzstranger^Eve")[:2])
    node.read()
    node.browse()
    assert "images_set_aside" in node.check()


BROKEN: dict[str, dict[str, object]] = {
    "no-data-set": {"data": b"MQZ^NAME 19471103"},
    "half": {"data": encoded(exam()[0], implicit=True)[:700]},
    "name-for-uid": {"uid": NAME},
    "name-for-class": {"sop_class": NAME},
    "name-in-command": {"command": b"\x00\x00\x02\x00\x11\x00\x00\x00" + NAME.encode()},
    "command-of-text": {"command": b"mqz 19471103 " * 30},
}


@pytest.mark.parametrize("said", BROKEN.values(), ids=BROKEN)
def test_what_is_broken_names_nobody(node: WatchedNode, said: dict[str, Any]) -> None:
    node.send(exam()[0], **said)
    node.browse()
    assert "association" in node.check()


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_a_name_in_the_place_of_a_uid_is_not_repeated(node: WatchedNode, keyword: str) -> None:
    image = exam()[0]
    uid = str(image.SOPInstanceUID)
    data = encoded(image, implicit=True)
    old = str(image[keyword].value).encode()
    new = NAME.encode()[: len(old)].ljust(len(old), b"9")
    node.send(image, uid=uid, data=data.replace(old, new))
    assert "instance_not_readable" in node.check()


def test_strangers_and_classes_that_are_not_taken_name_nobody(node: WatchedNode) -> None:
    node.send(*exam(), calling="STRANGER")
    raw = exam()[0]
    raw.SOPClassUID = "1.2.840.10008.5.1.4.1.1.66"
    node.send(raw)
    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as connection:
        connection.sendall(b"GET /MQZ^NAME?born=19471103 HTTP/1.1\r\n\r\n")
        with suppress(OSError):
            connection.recv(100)
    node.browse()
    assert "association_refused" in node.check()


def test_a_prior_that_is_not_had_names_nobody(node: WatchedNode, peer: PriorPeer) -> None:
    def offer(keys: Dataset) -> list[Dataset]:
        match = mark_patient(Dataset())
        match.StudyInstanceUID, match.StudyDate = NAME, "19471103"
        match.ErrorComment = "mqz"
        return [match]

    peer.offered = offer
    node.send(*exam())
    node.node.wait(30)
    node.node.fetch()
    peer.offered, peer.find_status = None, 0xA700
    node.node.wait(600)
    node.node.fetch()
    peer.find_status, peer.sent_instead = None, exam("1.2.77", 2025, PatientID="MQZ-ID-9")
    node.node.wait(600)
    node.node.fetch()
    node.browse()
    assert "prior_attempted" in node.check()


def test_a_destination_that_answers_with_a_name_is_not_quoted(node: WatchedNode) -> None:
    node.send(*exam())
    node.read()

    def refuse(event: Event) -> Dataset:
        answer = Dataset()
        answer.Status, answer.ErrorComment = 0xC000, "mqz: Mqzname^Mqzgiven is unknown"
        answer.OffendingElement = [0x00100010]
        return answer

    pacs = AE("PACS")
    for entry in node.node.list_objects(1):
        pacs.add_supported_context(entry.sop_class_uid)
    server = pacs.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, refuse)]
    )
    assert server is not None
    assert server.socket is not None
    tracker, now = node.node.node.tracker, node.node.now
    tracker.destinations.set_mode("pacs", DestinationMode.LIVE, "test", now)
    destination = DestinationSettings(
        name="pacs", ae_title="PACS", host="127.0.0.1", port=server.socket.getsockname()[1]
    )
    wiring = DeliveryWiring(
        tracker.deliveries, tracker.alarms, store_objects, lambda: now, "w", "SECONDREAD"
    )
    DeliveryWorker(destination, wiring).step(never_cancelled)
    server.shutdown()
    node.browse()
    assert "delivery" in node.check()


def test_a_reading_that_breaks_in_our_own_code_names_nobody(
    node: WatchedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = exam()
    node.node.answers[str(images[0].SOPInstanceUID)] = DetectorLimitError(
        Reason.DETECTOR_DIED, "SIGSEGV"
    )
    node.send(*images)
    claimed = node.claim()

    def break_down(*_: object, **__: object) -> None:
        raise ValueError(f"{NAME} is not what it should be")

    monkeypatch.setattr(steps.ReadingSteps, "_finish", break_down)
    with pytest.raises(ValueError, match="MQZ") as caught:
        run_reading(node.node.steps, run_step, *claimed)
    guard.report_failure(caught.value)
    run_failure(node.node.steps, run_step, *claimed)
    node.browse()
    assert "failed_result_broke" in node.check()


def test_what_nobody_catches_and_what_libraries_say_names_nobody(
    node: WatchedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.excepthook", None)
    monkeypatch.setattr("sys.unraisablehook", None)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    guard.replace_tracebacks()
    try:
        for library in ("pydicom", "pynetdicom", "sqlalchemy.engine.Engine", "uvicorn.error"):
            logging.getLogger(library).error("mqz %s", NAME)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn_explicit(NAME, UserWarning, "a.py", 1, registry={})
        thread = threading.Thread(target=int, args=(NAME,))
        thread.start()
        thread.join()
    finally:
        logging.captureWarnings(capture=False)
    assert "thread_failed" in node.check()


def test_a_report_of_others_that_cannot_be_read_names_nobody(node: WatchedNode) -> None:
    node.send(*exam())
    report = mark_patient(acme())
    report.ContentSequence[0].ConceptNameCodeSequence[0].CodeValue = NAME
    report.ContentSequence[0].ValueType = "MQZ"
    node.node.deliver(report, Disposition.OTHER_CAD_SR)
    node.read()
    node.browse()
    node.check()
