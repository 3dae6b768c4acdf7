"""A loopback PACS that stores, commits and can be queried, well or badly, as a test chooses."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import N_ACTION
from pynetdicom.events import Event
from pynetdicom.sop_class import StorageCommitmentPushModelInstance

from secondread.send.outbox import PeerAddress

PUSH_MODEL = UID("1.2.840.10008.1.20.1")
STUDY_ROOT_FIND = UID("1.2.840.10008.5.1.4.1.2.2.1")
CAPTURE = UID("1.2.840.10008.5.1.4.1.1.7")


@dataclass
class CommitmentPeer:
    """What it does is set by its fields; what it was asked is in its lists."""

    port: int = 0
    node_port: int = 0
    """Where it reports to over an association of its own; 0: over that of the request."""
    silent: bool = False
    """It takes requests and never reports."""
    action_status: int = 0x0000
    find_status: int = 0x0000
    ignores_keys: bool = False
    """It answers each query with all that it has."""
    endless: bool = False
    """It answers each query without end."""
    loses: set[str] = field(default_factory=set)
    """SOP Instance UIDs that it says it stored, and does not hold."""
    held: dict[str, Dataset] = field(default_factory=dict)
    asked: list[Dataset] = field(default_factory=list)
    """Action Information of each request."""
    queried: list[Dataset] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """The node's answers to its reports."""
    reported: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    @property
    def address(self) -> PeerAddress:
        return PeerAddress("PACS", "127.0.0.1", self.port, timeout_seconds=10.0)

    def on_store(self, event: Event) -> int:
        ds = event.dataset
        if ds.SOPInstanceUID not in self.loses:
            self.held[str(ds.SOPInstanceUID)] = ds
        return 0x0000

    def on_action(self, event: Event) -> tuple[int, None]:
        instance = cast(N_ACTION, event.request).RequestedSOPInstanceUID
        assert (event.action_type, instance) == (1, StorageCommitmentPushModelInstance)
        self.asked.append(event.action_information)
        if self.action_status == 0x0000 and not self.silent:
            self._in_background(self._report_about, event.assoc, event.action_information)
        return self.action_status, None

    def on_find(self, event: Event) -> Iterator[tuple[int, Dataset | None]]:
        self.queried.append(event.identifier)
        wanted = str(event.identifier.get("SOPInstanceUID", ""))
        for uid in self.held if self.ignores_keys else self.held.keys() & {wanted}:
            yield 0xFF00, self._match(uid)
        while self.endless and event.assoc.is_established:
            yield 0xFF00, self._match("1.2.3")
        if self.find_status:
            yield self.find_status, None

    def report(self, information: Dataset, event_type: int = 1) -> int:
        """Report over an association of its own."""
        ae = AE("PACS")
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 20
        ae.add_requested_context(PUSH_MODEL, ExplicitVRLittleEndian)
        roles: list[Any] = [build_role(PUSH_MODEL, scp_role=True)]
        association = ae.associate(
            "127.0.0.1", self.node_port, ae_title="SECONDREAD", ext_neg=roles
        )
        try:
            return self._send(association, information, event_type)
        finally:
            association.release()

    def judgement(self, request: Dataset) -> tuple[Dataset, int]:
        """Return what it has to say about a request, and the event type."""
        information = Dataset()
        information.TransactionUID = request.TransactionUID
        information.ReferencedSOPSequence, failed = [], []
        for item in request.ReferencedSOPSequence:
            if item.ReferencedSOPInstanceUID in self.held:
                information.ReferencedSOPSequence.append(item)
            else:
                item.FailureReason = 0x0112
                failed.append(item)
        if failed:
            information.FailedSOPSequence = failed
        return information, 2 if failed else 1

    def _report_about(self, association: Association, request: Dataset) -> None:
        information, event_type = self.judgement(request)
        if self.node_port:
            self.answers.append(self.report(information, event_type))
        else:
            self.answers.append(self._send(association, information, event_type))
        self.reported.set()

    @staticmethod
    def _send(association: Association, information: Dataset, event_type: int) -> int:
        if not association.is_established:
            return -1
        try:
            status, _ = association.send_n_event_report(
                information, event_type, PUSH_MODEL, StorageCommitmentPushModelInstance
            )
        except RuntimeError:  # released meanwhile
            return -1
        return int(status.get("Status", -1))

    @staticmethod
    def _match(uid: str) -> Dataset:
        match = Dataset()
        match.QueryRetrieveLevel = "IMAGE"
        match.SOPInstanceUID = uid
        return match

    def _in_background(self, target: Any, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()


@contextmanager
def serving(peer: CommitmentPeer, *classes: UID) -> Iterator[CommitmentPeer]:
    """Let a peer answer on a free port; without classes, for all that it can do."""
    entity = AE("PACS")
    for sop_class in classes or (CAPTURE, PUSH_MODEL, STUDY_ROOT_FIND):
        entity.add_supported_context(sop_class, ExplicitVRLittleEndian)
    server = entity.start_server(
        ("127.0.0.1", peer.port),
        block=False,
        evt_handlers=[
            (evt.EVT_C_STORE, peer.on_store),
            (evt.EVT_N_ACTION, peer.on_action),
            (evt.EVT_C_FIND, peer.on_find),
        ],
    )
    assert server is not None
    assert server.socket is not None
    peer.port = server.socket.getsockname()[1]
    try:
        yield peer
    finally:
        server.shutdown()
        for thread in peer.threads:
            thread.join(5)
