"""C-MOVE and C-GET as SCU: an archive is asked to send a study (PS3.4 C.4.2, C.4.3)."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_role, evt
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext, build_context

from secondread.accept.intake import StoreStatus
from secondread.accept.sop_classes import SOP_CLASSES, InstanceUse, list_transfer_syntaxes
from secondread.accept.store_requests import RetrievalReceiver, StoreHandler
from secondread.send.association import Call, check_support, open_association
from secondread.send.call_error import CallError
from secondread.send.find import make_identifier, make_unknown_uid
from secondread.send.outbox import AnswerKind, Cancelled, PeerCheck
from secondread.settings import PriorSourceSettings, RetrieveMethod

RETRIEVE_MODELS = {
    RetrieveMethod.MOVE: UID("1.2.840.10008.5.1.4.1.2.2.2"),
    RetrieveMethod.GET: UID("1.2.840.10008.5.1.4.1.2.2.3"),
}
"""Study Root Query/Retrieve Information Models."""

_PENDING = frozenset({0xFF00, 0xFF01})
_SOME_FAILED = 0xB000
"""Sub-operations complete, one or more failures or warnings (PS3.4 tables C.4-2 and C.4-3)."""

_DESTINATION_UNKNOWN = 0xA801
"""Move destination unknown (PS3.4 C.4.2.1.5)."""

_BUSY = frozenset({0xA701, 0xA702, 0xFE00})
"""Out of resources, and terminated: worth another try soon. Other failures are refusals."""


@dataclass(frozen=True, slots=True)
class RetrieveAnswer:
    """How an archive answered one request."""

    status: int
    failed_suboperations: int
    """Sub-operations that failed, as it counts them."""

    @property
    def is_sent(self) -> bool:
        """Whether it reports that it has sent everything."""
        return self.status == 0x0000 or (
            self.status == _SOME_FAILED and self.failed_suboperations == 0
        )

    @property
    def is_refusal(self) -> bool:
        """Whether asking again soon is of no use."""
        return self.status not in _BUSY and not self.is_sent and self.status != _SOME_FAILED


@dataclass(frozen=True, slots=True)
class WantedStudy:
    """What is asked for."""

    study_uid: str
    series: tuple[str, ...] = ()
    """Series Instance UIDs; empty: the whole study."""


def retrieve_from_archive(
    source: PriorSourceSettings,
    ae_title: str,
    wanted: WantedStudy,
    own: RetrievalReceiver,
    cancelled: Cancelled,
) -> RetrieveAnswer:
    """Have an archive send a study to this node, by the method of its settings.

    The attempt takes no longer than the source's `attempt_seconds`, however the archive behaves;
    then the association is broken off. What has come by then is kept.

    Parameters
    ----------
    source
        The archive.
    ae_title
        This node's: it calls with it, and is the destination of a C-MOVE.
    wanted
        What is asked for.
    own
        Takes what comes over this node's association.
    cancelled
        Asked now and then; the attempt is then broken off.

    Raises
    ------
    CallError
        The archive was not reached, or did not come to an end.
    """
    attempt = _Attempt(time.monotonic() + source.attempt_seconds)
    model = RETRIEVE_MODELS[source.retrieve]
    if source.retrieve is RetrieveMethod.MOVE:
        with open_association(
            source, ae_title, [_make_context(model)], cancelled=cancelled
        ) as call:
            return _ask_each(
                call,
                wanted,
                attempt,
                lambda keys: call.association.send_c_move(keys, ae_title, model),
            )
    with own.receive_from(source.ae_title, source.host) as on_store:
        attempt.on_store = on_store
        with open_association(
            source,
            ae_title,
            _make_get_contexts(),
            [(evt.EVT_C_STORE, attempt.store)],
            _make_roles(),
            cancelled,
        ) as call:
            attempt.call = call
            if not call.serves(model):
                raise CallError(AnswerKind.CONTEXT_REFUSED, "the peer does not accept C-GET")
            return _ask_each(
                call, wanted, attempt, lambda keys: call.association.send_c_get(keys, model)
            )


def check_retrieve_support(source: PriorSourceSettings, ae_title: str) -> PeerCheck:
    """Ask an archive whether it accepts the retrieval that its settings want, without one."""
    context = _make_context(RETRIEVE_MODELS[source.retrieve])
    other = next(method.value for method in RetrieveMethod if method is not source.retrieve)
    remedy = f'allow it there, or try retrieve = "{other}"'
    return check_support(source, ae_title, context, f"C-{source.retrieve.value.upper()}", remedy)


def check_move_destination(source: PriorSourceSettings, ae_title: str) -> PeerCheck:
    """Ask an archive whether it knows this node as a destination, by a C-MOVE of nothing.

    What is asked for is a study that nobody has. An archive that does not know the destination says
    so; whatever else it answers, it had got beyond that.
    """
    nothing = make_identifier("STUDY", StudyInstanceUID=make_unknown_uid())
    attempt = _Attempt(time.monotonic() + source.timeout_seconds)
    model = RETRIEVE_MODELS[RetrieveMethod.MOVE]
    try:
        with open_association(source, ae_title, [_make_context(model)]) as call:
            answer = _ask(
                call,
                nothing,
                attempt,
                lambda keys: call.association.send_c_move(keys, ae_title, model),
            )
    except CallError as error:
        return PeerCheck(ok=False, kind=error.kind, detail=error.detail)
    if answer.status == _DESTINATION_UNKNOWN:
        words = f"does not know {ae_title}: enter it there with host and port of this node"
        return PeerCheck(ok=False, kind=AnswerKind.STATUS, detail=words)
    # Some answer a failure where they do not have the study, as Orthanc does: 0xC000.
    knows = f"may know {ae_title}" if answer.is_refusal else f"knows {ae_title}"
    words = f"{knows} as destination (answered 0x{answer.status:04X} for a study that nobody has)"
    return PeerCheck(ok=True, kind=None, detail=f"{words}; only a real one shows host and port")


class _Attempt:
    """The bound in time of one attempt, and what answers its C-STORE requests."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self.call: Call | None = None
        self.on_store: StoreHandler | None = None
        self.is_broken_off = False

    @property
    def seconds_left(self) -> float:
        return max(self._deadline - time.monotonic(), 0.05)

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self._deadline

    def store(self, event: Event) -> int:
        """Answer a C-STORE request; break the association off when the attempt is over."""
        if self.on_store is None:
            return StoreStatus.CANNOT_UNDERSTAND
        status = self.on_store(event)
        if self.is_over and self.call is not None:
            self.is_broken_off = True
            self.call.break_off()
        return status


_Send = Callable[[Dataset], Iterator[tuple[Dataset, Dataset | None]]]


def _ask_each(call: Call, wanted: WantedStudy, attempt: _Attempt, send: _Send) -> RetrieveAnswer:
    """Ask series by series, because some archives take no list; the worst answer counts."""
    answers: list[RetrieveAnswer] = []
    for identifier in _make_identifiers(wanted):
        answers.append(_ask(call, identifier, attempt, send))
        if answers[-1].is_refusal:
            break
    worst = max(answers, key=lambda answer: (answer.is_refusal, not answer.is_sent))
    return RetrieveAnswer(worst.status, sum(answer.failed_suboperations for answer in answers))


def _ask(call: Call, identifier: Dataset, attempt: _Attempt, send: _Send) -> RetrieveAnswer:
    status: int | None = None
    failed = 0
    try:
        call.association.dimse_timeout = attempt.seconds_left
        # To its end, whatever comes: pynetdicom's reactor stands still until then.
        for answer, _ in send(identifier):
            status = int(answer.Status) if "Status" in answer else None
            failed = int(answer.get("NumberOfFailedSuboperations", 0) or 0)
            call.association.dimse_timeout = attempt.seconds_left
            if status in _PENDING and attempt.is_over and not attempt.is_broken_off:
                attempt.is_broken_off = True
                call.association.abort()
    except (RuntimeError, ValueError) as error:  # the association ended since the last answer
        raise call.explain_loss() from error
    if call.is_stopped:
        raise call.explain_loss()
    if attempt.is_broken_off or (status in {None, *_PENDING} and attempt.is_over):
        raise CallError(AnswerKind.NO_ANSWER, "the retrieval did not come to an end in time")
    if status is None or status in _PENDING:
        raise call.explain_loss()
    return RetrieveAnswer(status, failed)


def _make_identifiers(wanted: WantedStudy) -> list[Dataset]:
    if not wanted.series:
        return [make_identifier("STUDY", StudyInstanceUID=wanted.study_uid)]
    return [
        make_identifier("SERIES", StudyInstanceUID=wanted.study_uid, SeriesInstanceUID=series_uid)
        for series_uid in wanted.series
    ]


def _make_context(model: UID) -> PresentationContext:
    return build_context(model, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])


def _make_get_contexts() -> Sequence[PresentationContext]:
    """Return what is proposed for a C-GET: mammograms and CAD reports, in each syntax by itself.

    An archive that holds them compressed would otherwise choose one syntax for all of a class.
    """
    wanted = [
        build_context(row.uid, syntax.uid)
        for row in _WANTED
        for syntax in list_transfer_syntaxes(row.syntax_list)
    ]
    return [_make_context(RETRIEVE_MODELS[RetrieveMethod.GET]), *wanted]


def _make_roles() -> list[SCP_SCU_RoleSelectionNegotiation]:
    return [build_role(row.uid, scp_role=True) for row in _WANTED]


_WANTED = tuple(row for row in SOP_CLASSES if row.use in {InstanceUse.READ, InstanceUse.CAD_SR})
