"""The Storage and Verification SCP, and SCU of Storage Commitment reports: `Receiver`."""

import secrets
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final, cast

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext

from secondread import log
from secondread.accept.admission import ASSOCIATION_REJECTIONS, Admission
from secondread.accept.application_entity import (
    SPARE_CONNECTIONS,
    build_application_entity,
    configure_process,
    select_report_contexts,
)
from secondread.accept.archive import Archive
from secondread.accept.commitment import (
    CommitmentLedger,
    EventReportStatus,
    answer_commitment_report,
)
from secondread.accept.contexts import find_use
from secondread.accept.housekeeping import Housekeeping
from secondread.accept.intake import Intake, StoreStatus
from secondread.accept.ledger import Ledger, PeerAssociation, RefusalKind
from secondread.accept.refusals import Caller, RefusalLog, make_printable
from secondread.accept.server import ConnectionLimits, ReceiveServer, create_server_tls_context
from secondread.accept.sessions import Session, Sessions
from secondread.accept.store_requests import read_store_request
from secondread.accept.upper_layer import BoundedDimse, PeerSocket
from secondread.clock import Clock, utc_now
from secondread.errors import TransientError
from secondread.reasons import Reason
from secondread.settings import Settings

_log = log.get_logger(__name__)

_TRANSFER_SYNTAXES_NOT_SUPPORTED: Final = 4
"""Result of a presentation context (PS3.8 table 9-18)."""


class Receiver:
    """Receives instances from peers, and takes responsibility for them.

    Parameters
    ----------
    settings
        ``[node]``, ``[receive]`` and ``[[peers]]`` are used.
    archive
        Where files go; its spool must exist.
    ledger
        Where they are written down.
    commitments
        Where storage commitment reports are written down.
    clock
        The present instant.
    new_id
        Returns an id for an association, unique among all receivers and restarts.
    housekeeping_seconds
        How often the ledger is told of refusals.

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
        new_id: Callable[[], str] = lambda: secrets.token_hex(8),
        housekeeping_seconds: float = 5.0,
    ) -> None:
        receive = settings.receive
        self._settings = settings
        self._archive = archive
        self._ledger = ledger
        self._commitments = commitments
        self._clock = clock
        self._new_id = new_id
        self._housekeeping_seconds = housekeeping_seconds
        self._admission = Admission.from_settings(settings)
        self._tls = None if receive.tls is None else create_server_tls_context(receive.tls)
        self._sessions = Sessions(receive.maximum_associations)
        self._refusals = RefusalLog()
        self._intake = Intake(archive, ledger, self._refusals, clock, receive.minimum_free_bytes)
        self._housekeeping = Housekeeping(
            archive, ledger, self._refusals, clock, receive.network_seconds
        )
        self._server: ReceiveServer | None = None
        self._process = ExitStack()

    def start(self) -> int:
        """Begin to listen, in threads; return the TCP port.

        Raises
        ------
        OSError
            The port cannot be listened on.
        TransientError
            The ledger cannot be reached.
        """
        receive = self._settings.receive
        self._ledger.record_receiver_start(self._clock())
        self._process.enter_context(configure_process(self._archive.spool))
        self._server = ReceiveServer(
            build_application_entity(self._settings),
            (receive.host, receive.port),
            [
                (evt.EVT_REQUESTED, self._on_requested),
                (evt.EVT_ACCEPTED, self._on_accepted),
                (evt.EVT_C_ECHO, self._on_echo),
                (evt.EVT_C_STORE, self._on_store),
                (evt.EVT_N_EVENT_REPORT, self._on_event_report),
                (evt.EVT_DIMSE_SENT, self._on_answered),
            ],
            ConnectionLimits(
                opening_seconds=receive.acse_seconds,
                connections=receive.maximum_associations + SPARE_CONNECTIONS,
                has_room=self._intake.has_room,
            ),
            self._on_closed,
            self._tls,
        )
        threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="receive", daemon=True
        ).start()
        self._housekeeping.start(self._housekeeping_seconds)
        _log.info("receiver_started", host=receive.host, port=self._server.port)
        return self._server.port

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
        self._abort_when_idle(time.monotonic() + grace_seconds)
        for association, _ in self._sessions.open():
            _socket(association).break_connection()
        self._wait_for_ends(time.monotonic() + 2.0)
        self._housekeeping.stop()
        self._process.close()
        _log.info("receiver_stopped", still_open=len(self._sessions.open()))

    def list_open_associations(self) -> tuple[PeerAssociation, ...]:
        """Those open at this moment, C-ECHO ones too."""
        return tuple(session.peer for _, session in self._sessions.open())

    def _abort_when_idle(self, deadline: float) -> None:
        aborted: set[Association] = set()
        while (open_now := self._sessions.open()) and time.monotonic() < deadline:
            for association, session in open_now:
                if association not in aborted and not _is_busy(association, session):
                    aborted.add(association)
                    # It waits for the association's threads, which may wait for the peer.
                    threading.Thread(target=association.abort, daemon=True).start()
            time.sleep(0.01)

    def _wait_for_ends(self, deadline: float) -> None:
        while self._sessions.open() and time.monotonic() < deadline:
            time.sleep(0.01)

    def _on_requested(self, event: evt.Event) -> None:
        """Let a caller in, or reject its association."""
        association = event.assoc
        request = cast(A_ASSOCIATE, association.requestor.primitive)
        caller = Caller(
            request.calling_ae_title, request.called_ae_title, association.requestor.address
        )
        reason = self._admission.find_refusal_reason(caller)
        if (
            reason is Reason.CALLING_AE_UNKNOWN
            and caller.calling_ae_title in self._admission.destinations
            and _proposes_reports(request)
        ):
            association.acceptor.supported_contexts = select_report_contexts(
                association.acceptor.supported_contexts
            )
            reason = None
        if reason is None:
            peer = PeerAssociation(
                self._new_id(), caller.calling_ae_title, caller.address, self._clock()
            )
            if self._sessions.enter(association, Session(peer, caller)):
                return
            reason = Reason.TOO_MANY_ASSOCIATIONS
        self._refusals.add_refusal(RefusalKind.ASSOCIATION, reason, caller, self._clock())
        _log.warning(
            "association_refused",
            reason=reason,
            calling_ae_title=make_printable(caller.calling_ae_title, 16),
            called_ae_title=make_printable(caller.called_ae_title, 16),
            address=caller.address,
        )
        association.acse.send_reject(*ASSOCIATION_REJECTIONS[reason])
        association.kill()

    def _on_accepted(self, event: evt.Event) -> None:
        """Give the peer its time, count what it asked for in vain, and tell the ledger."""
        association = event.assoc
        session = self._sessions.of(association)
        if session is None:
            return
        _socket(association).set_patience(self._settings.receive.network_seconds)
        rejected = association.rejected_contexts
        for context in rejected:
            self._count_rejected(context.result, str(context.abstract_syntax), association, session)
        _log.info(
            "association_opened",
            association_id=session.peer.association_id,
            calling_ae_title=session.caller.calling_ae_title,
            address=session.caller.address,
            refused_contexts=sorted(
                {make_printable(str(cx.abstract_syntax), 64) for cx in rejected}
            ),
        )
        if any(_has_instances(cx) for cx in association.accepted_contexts):
            self._announce(session)

    def _count_rejected(
        self, result: int | None, sop_class_uid: str, association: Association, session: Session
    ) -> None:
        syntax_only = result == _TRANSFER_SYNTAXES_NOT_SUPPORTED
        request = cast(A_ASSOCIATE, association.requestor.primitive)
        proposed = [
            str(syntax)
            for context in request.presentation_context_definition_list
            if context.abstract_syntax == sop_class_uid
            for syntax in context.transfer_syntax
        ]
        self._refusals.add_refusal(
            RefusalKind.CONTEXT,
            Reason.TRANSFER_SYNTAX_REFUSED if syntax_only else Reason.SOP_CLASS_REFUSED,
            session.caller,
            self._clock(),
            sop_class_uid=sop_class_uid,
            transfer_syntax=proposed[0] if syntax_only else "",
        )

    def _announce(self, session: Session) -> bool:
        """Tell the ledger of an association that may deliver; False if it cannot be told now."""
        if not session.is_announced:
            try:
                self._ledger.record_association_start(session.peer)
            except TransientError as error:
                _log.warning("ledger_not_reached", error=str(error))
                return False
            session.is_announced = True
        return True

    def _on_echo(self, event: evt.Event) -> int:
        return StoreStatus.SUCCESS

    def _on_store(self, event: evt.Event) -> int:
        """Answer one C-STORE request whose data set is in the spool."""
        session = self._sessions.of(event.assoc)
        if session is None:
            return StoreStatus.CANNOT_UNDERSTAND
        asked = self._has_asked(event.request)
        delivery = read_store_request(event, session.peer, session.caller, on_request=asked)
        if delivery is None:
            return StoreStatus.CANNOT_UNDERSTAND
        session.is_answering = True
        if not self._announce(session):
            delivery.spool_path.unlink(missing_ok=True)
            return StoreStatus.OUT_OF_RESOURCES
        return self._intake.store(delivery)

    def _has_asked(self, request: object) -> bool:
        """Whether the peer carries out a C-MOVE of this node (PS3.7 9.1.1.1.6)."""
        title = getattr(request, "MoveOriginatorApplicationEntityTitle", None)
        return title is not None and str(title).strip() == self._settings.node.ae_title

    def _on_event_report(self, event: evt.Event) -> tuple[int, None]:
        """Take what a peer reports on a storage commitment that this node asked for."""
        session = self._sessions.of(event.assoc)
        if session is None:
            return EventReportStatus.PROCESSING_FAILURE, None
        session.is_answering = True
        title = session.caller.calling_ae_title
        return answer_commitment_report(event, self._commitments, title, self._clock())

    def _on_answered(self, event: evt.Event) -> None:
        session = self._sessions.of(event.assoc)
        if session is not None:
            session.is_answering = False

    def _on_closed(self, association: Association) -> None:
        """Note the end of an association, whose threads have ended."""
        session = self._sessions.leave(association)
        is_broken = cast(BoundedDimse, association.dimse).discard_unfinished()
        if session is None:
            return
        now = self._clock()
        if is_broken:
            self._refusals.add_refusal(
                RefusalKind.ASSOCIATION, Reason.ASSOCIATION_BROKEN, session.caller, now
            )
        _log.info(
            "association_closed",
            association_id=session.peer.association_id,
            calling_ae_title=session.caller.calling_ae_title,
            released=association.is_released,
            broken=is_broken,
        )
        if session.is_announced:
            self._housekeeping.queue_association_end(session.peer.association_id, now)


def _has_instances(context: PresentationContext) -> bool:
    use = find_use(str(context.abstract_syntax))
    return use is not None and use.has_instances


def _proposes_reports(request: A_ASSOCIATE) -> bool:
    return bool(select_report_contexts(request.presentation_context_definition_list))


def _is_busy(association: Association, session: Session) -> bool:
    """Whether a request is arriving, waiting to be served, or being answered."""
    dimse = association.dimse
    return session.is_answering or dimse.message is not None or not dimse.msg_queue.empty()


def _socket(association: Association) -> PeerSocket:
    return cast(PeerSocket, association.dul.socket)
