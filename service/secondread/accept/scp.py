"""The Storage and Verification SCP, and SCU of Storage Commitment reports: `Receiver`."""

import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final, cast

from pynetdicom import evt
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext

from secondread import log
from secondread.accept.admission import ASSOCIATION_REJECTIONS, Admission
from secondread.accept.application_entity import (
    WAITING_CONNECTIONS,
    build_application_entity,
    configure_process,
    select_report_contexts,
)
from secondread.accept.archive import Archive
from secondread.accept.association_request import Offer
from secondread.accept.associations import OpenAssociation, OpenAssociations
from secondread.accept.commitment import (
    CommitmentLedger,
    EventReportStatus,
    answer_commitment_report,
)
from secondread.accept.descriptors import provide_descriptors
from secondread.accept.housekeeping import Housekeeping
from secondread.accept.intake import Intake, ReceivedInstance, StoreStatus
from secondread.accept.ledger import Ledger, PeerAssociation, RefusalKind
from secondread.accept.move_sources import MoveSources
from secondread.accept.places import PlaceLimits, Places, Turns
from secondread.accept.reception import Reception
from secondread.accept.refusal_counts import Caller, RefusalLog
from secondread.accept.served_association import ServedAssociation, ServiceWiring
from secondread.accept.server import ReceiveServer, ServerWiring
from secondread.accept.sop_classes import find_use
from secondread.accept.spool_file import SpoolFile
from secondread.accept.store_requests import read_store_request
from secondread.accept.unmet_contexts import Negotiation, find_unmet_contexts
from secondread.clock import Clock, utc_now
from secondread.errors import TransientError, explain_port
from secondread.metrics import CONTEXTS_REJECTED
from secondread.reasons import Reason
from secondread.settings import Settings
from secondread.tls import open_server_context
from secondread.uids import quote_uid

_log = log.get_logger(__name__)

_STORED_AT_A_TIME: Final = 4
"""Requests of one peer: with more, two cores and a disk store no faster."""
_TRANSFER_SYNTAXES_NOT_SUPPORTED: Final = 4
"""Result of a presentation context (PS3.8 table 9-18)."""
_MOST_LOGGED: Final = 8
"""Classes in one record."""


class Receiver:
    """Receives instances from peers, and takes responsibility for them.

    Parameters
    ----------
    settings
        ``[node]``, ``[receive]``, ``[[peers]]`` and ``[priors]`` are used.
    archive
        Where files go; its spool must exist.
    ledger
        Where they are recorded.
    commitments
        Where storage commitment reports are recorded.
    clock
        The present instant.
    housekeeping_seconds
        How often refusals are recorded.
    check_ledger
        Raises a TransientError as long as nothing may be recorded yet; asked until it does not.

    Raises
    ------
    SettingsError
        The allow-list or the TLS files are wrong.
    """

    def __init__(
        self,
        settings: Settings,
        archive: Archive,
        ledger: Ledger,
        commitments: CommitmentLedger,
        clock: Clock = utc_now,
        housekeeping_seconds: float = 5.0,
        check_ledger: Callable[[], None] = lambda: None,
    ) -> None:
        receive = settings.receive
        self._settings = settings
        self._commitments = commitments
        self._housekeeping_seconds = housekeeping_seconds
        self._sources = MoveSources.from_settings(settings)
        admission = Admission.from_settings(settings)
        self.tls = None if receive.tls is None else open_server_context(receive.tls)
        """What handshakes are done with; its `refresh` takes up changed files."""
        self._associations = OpenAssociations()
        self._intake = Intake(archive, ledger, RefusalLog(), clock, receive.minimum_free_bytes)
        limits = PlaceLimits.from_settings(settings)
        self._turns = Turns(limits.known, _STORED_AT_A_TIME)
        self._reception = Reception(
            admission, Places(limits), self._intake.refusals, clock, self._on_closed
        )
        self._housekeeping = Housekeeping(self._intake, receive.network_seconds)
        self._check_ledger = check_ledger
        self._is_announced = False
        self._announcing = threading.Lock()
        self._server: ReceiveServer | None = None
        self._thread: threading.Thread | None = None
        self._spool_prefix = ""
        self._process = ExitStack()

    def start(self) -> int:
        """Begin to listen, in threads; return the TCP port.

        Where the ledger is away, instances are answered A700 until it is back: a sender can do
        more with an answer than with a closed port.

        Raises
        ------
        SettingsError
            The port cannot be listened on, or there may be more associations than file
            descriptors.
        """
        receive = self._settings.receive
        provide_descriptors(receive.maximum_associations + WAITING_CONNECTIONS)
        try:
            self._announce()
        except TransientError as error:
            _log.warning("ledger_not_reached", error=str(error))
        self._process.enter_context(configure_process())
        try:
            self._server = ReceiveServer((receive.host, receive.port), self._wire(), self.tls)
        except OSError as error:
            where = f"receive.port {receive.port}", f"receive.host {receive.host}"
            raise explain_port(*where, error) from error
        # No other process of this machine listens there, so nobody is at work on these files.
        self._spool_prefix = f"receive-{socket.gethostname()}-{self._server.port}-"
        self._intake.archive.clear_spool(self._spool_prefix)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="receive", daemon=True
        )
        self._thread.start()
        self._housekeeping.start(self._housekeeping_seconds)
        _log.info("receiver_started", host=receive.host, port=self._server.port)
        return self._server.port

    @property
    def is_alive(self) -> bool:
        """Whether the threads that take associations, and what they leave, still run."""
        return self._thread is not None and self._thread.is_alive() and self._housekeeping.is_alive

    def stop(self, grace_seconds: float) -> None:
        """Stop listening, let requests under way finish, then end what is still open.

        Parameters
        ----------
        grace_seconds
            How long requests under way may take.
        """
        if self._server is None:
            return
        self._server.shutdown()
        self._server = None
        self._associations.end_all(grace_seconds)
        self._housekeeping.stop()
        self._process.close()
        _log.info("receiver_stopped", still_open=len(self._associations.list_open()))

    def list_open_associations(self) -> tuple[PeerAssociation, ...]:
        """Return those open at this moment, C-ECHO ones too."""
        return tuple(opened.peer for opened in self._associations.list_open())

    def _wire(self) -> ServerWiring:
        receive = self._settings.receive
        ae = build_application_entity(self._settings)
        handlers: list[tuple[evt.EventType, Callable[[evt.Event], Any]]] = [
            (evt.EVT_REQUESTED, self._on_requested),
            (evt.EVT_ACCEPTED, self._on_accepted),
            (evt.EVT_C_ECHO, self._on_echo),
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_N_EVENT_REPORT, self._on_event_report),
            (evt.EVT_DIMSE_SENT, self._on_answered),
        ]
        return ServerWiring(
            door=self._reception,
            service=ServiceWiring(ae, handlers, self._intake.has_room, self._open_spool_file),
            offer=Offer.from_contexts(ae.supported_contexts),
            opening_seconds=receive.acse_seconds,
            waiting=WAITING_CONNECTIONS,
        )

    def _open_spool_file(self) -> SpoolFile:
        return self._intake.archive.open_spool_file(self._spool_prefix)

    def _on_requested(self, event: evt.Event) -> None:
        """Take up an association of a caller who was let in."""
        association = cast(ServedAssociation, event.assoc)
        request = cast(A_ASSOCIATE, association.requestor.primitive)
        caller = Caller(
            request.calling_ae_title, request.called_ae_title, association.requestor.address
        )
        if self._reception.may_only_report(caller):
            association.acceptor.supported_contexts = select_report_contexts(
                association.acceptor.supported_contexts
            )
            if not select_report_contexts(request.presentation_context_definition_list):
                self._reception.count_refusal(caller, Reason.CALLING_AE_UNKNOWN)
                rejection = ASSOCIATION_REJECTIONS[Reason.CALLING_AE_UNKNOWN]
                association.acse.send_reject(*rejection)
                association.kill()
                return
        peer = PeerAssociation(
            secrets.token_hex(8), caller.calling_ae_title, caller.address, self._intake.clock()
        )
        self._associations.add(OpenAssociation(association, peer, caller))

    def _on_accepted(self, event: evt.Event) -> None:
        """Set the peer's time limit, keep what was negotiated, and record the start."""
        opened = self._associations.find(cast(ServedAssociation, event.assoc))
        if opened is None:
            return
        opened.socket.set_patience(self._settings.receive.network_seconds)
        request = cast(A_ASSOCIATE, opened.association.requestor.primitive)
        rejected = tuple(event.assoc.rejected_contexts)
        opened.contexts = Negotiation(
            request.presentation_context_definition_list,
            tuple(event.assoc.accepted_contexts),
            rejected,
        )
        CONTEXTS_REJECTED.inc(len(rejected))
        _log.info(
            "association_opened",
            association_id=opened.peer.association_id,
            calling_ae_title=opened.caller.calling_ae_title,
            address=opened.caller.address,
            rejected_contexts=len(rejected),
        )
        if any(_has_instances(context) for context in event.assoc.accepted_contexts):
            with self._turns.wait_for_one(opened.caller):
                self._record_start(opened)

    def _count_unmet_contexts(self, ended: OpenAssociation) -> None:
        """Count the classes that the peer would have sent, had they been accepted."""
        unmet = find_unmet_contexts(ended.contexts, ended.used)
        for context in unmet:
            is_syntax_refused = context.result == _TRANSFER_SYNTAXES_NOT_SUPPORTED
            proposed = [
                str(syntax)
                for proposal in ended.contexts.proposed
                if proposal.abstract_syntax == context.abstract_syntax
                for syntax in proposal.transfer_syntax
            ]
            self._intake.refusals.add_refusal(
                RefusalKind.CONTEXT,
                Reason.TRANSFER_SYNTAX_REFUSED if is_syntax_refused else Reason.SOP_CLASS_REFUSED,
                ended.caller,
                self._intake.clock(),
                sop_class_uid=_class_uid(context),
                transfer_syntax=proposed[0] if is_syntax_refused else "",
            )
        if unmet:
            _log.info(
                "contexts_refused",
                association_id=ended.peer.association_id,
                calling_ae_title=ended.caller.calling_ae_title,
                sop_classes=[quote_uid(_class_uid(context)) for context in unmet[:_MOST_LOGGED]],
            )

    def _announce(self) -> None:
        """Have the ledger close what an earlier life left open, before anything else is recorded.

        Raises
        ------
        TransientError
            The ledger is away, or another thread is finding that out.
        """
        if self._is_announced:
            return
        if not self._announcing.acquire(blocking=False):
            raise TransientError("the ledger has not been reached since the start")
        try:
            if not self._is_announced:
                self._check_ledger()
                self._intake.ledger.record_receiver_start(self._intake.clock())
                self._is_announced = True
        finally:
            self._announcing.release()

    def _record_start(self, opened: OpenAssociation) -> bool:
        """Record an association that may deliver; return False if the ledger is away."""
        if not opened.is_recorded:
            try:
                self._announce()
                self._intake.ledger.record_association_start(opened.peer)
            except TransientError as error:
                _log.warning("ledger_not_reached", error=str(error))
                return False
            opened.is_recorded = True
        return True

    def _on_echo(self, _: evt.Event) -> int:
        return StoreStatus.SUCCESS

    def _on_store(self, event: evt.Event) -> int:
        """Answer one C-STORE request whose data set is in the spool."""
        opened = self._associations.find(cast(ServedAssociation, event.assoc))
        if opened is None:
            return StoreStatus.CANNOT_UNDERSTAND
        opened.used.add(str(event.context.abstract_syntax))
        instance = read_store_request(
            event,
            opened.peer,
            opened.caller,
            opened.transfers,
            was_requested=self._has_requested(event.request, opened),
        )
        if instance is None:
            return StoreStatus.CANNOT_UNDERSTAND
        opened.is_answering = True
        with self._turns.wait_for_one(opened.caller):
            return self._store(opened, instance)

    def _store(self, opened: OpenAssociation, instance: ReceivedInstance) -> int:
        if not self._record_start(opened):
            instance.spool_path.unlink(missing_ok=True)
            instance.transfers.begin(was_requested=instance.was_requested)
            instance.transfers.add_failed(instance.sop_class_uid, "the database was away")
            return StoreStatus.OUT_OF_RESOURCES
        return self._intake.store(instance)

    def _has_requested(self, request: object, opened: OpenAssociation) -> bool:
        """Whether a request belongs to a C-MOVE of this node, as far as its sender is believed."""
        if not self._sources.claims_own_move(request):
            return False
        if self._sources.believes(opened.caller):
            return True
        if not opened.is_disbelieved:
            opened.is_disbelieved = True
            _log.warning(
                "move_originator_ignored",
                association_id=opened.peer.association_id,
                calling_ae_title=opened.caller.calling_ae_title,
                address=opened.caller.address,
            )
        return False

    def _on_event_report(self, event: evt.Event) -> tuple[int, None]:
        """Answer a report on a storage commitment that this node asked for."""
        opened = self._associations.find(cast(ServedAssociation, event.assoc))
        if opened is None:
            return EventReportStatus.PROCESSING_FAILURE, None
        opened.used.add(str(event.context.abstract_syntax))
        opened.is_answering = True
        title = opened.caller.calling_ae_title
        return answer_commitment_report(event, self._commitments, title, self._intake.clock())

    def _on_answered(self, event: evt.Event) -> None:
        opened = self._associations.find(cast(ServedAssociation, event.assoc))
        if opened is not None:
            opened.is_answering = False

    def _on_closed(self, association: ServedAssociation) -> None:
        """Record the end of an association, and leave nothing of it in the spool."""
        # First, so that an association that is no longer listed has left nothing behind.
        is_broken = association.dimse.discard_unfinished()
        ended = self._associations.remove(association)
        if ended is None:
            return
        now = self._intake.clock()
        self._count_unmet_contexts(ended)
        if is_broken:
            self._intake.refusals.add_refusal(
                RefusalKind.ASSOCIATION, Reason.ASSOCIATION_BROKEN, ended.caller, now
            )
            ended.transfers.begin(was_requested=False)
            ended.transfers.add_failed("", Reason.ASSOCIATION_BROKEN.value)
        _log.info(
            "association_closed",
            association_id=ended.peer.association_id,
            calling_ae_title=ended.caller.calling_ae_title,
            released=association.is_released,
            broken=is_broken,
        )
        transfers = ended.transfers.list_transfers(ended.peer)
        if ended.is_recorded or transfers:
            self._housekeeping.queue_association_end(ended.peer.association_id, now, transfers)


def _class_uid(context: PresentationContext) -> str:
    return str(context.abstract_syntax)


def _has_instances(context: PresentationContext) -> bool:
    use = find_use(_class_uid(context))
    return use is not None and use.has_instances
