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

from secondread.accept.contexts import SOP_CLASSES, InstanceUse, list_transfer_syntaxes
from secondread.accept.intake import StoreStatus
from secondread.accept.store_requests import RetrievalReceiver, StoreHandler
from secondread.send.association import Call, CallError, open_association
from secondread.send.outbox import AnswerKind, PeerCheck
from secondread.settings import PriorSourceSettings, RetrieveMethod

RETRIEVE_MODELS = {
    RetrieveMethod.MOVE: UID("1.2.840.10008.5.1.4.1.2.2.2"),
    RetrieveMethod.GET: UID("1.2.840.10008.5.1.4.1.2.2.3"),
}
"""Study Root Query/Retrieve Information Models."""

_PENDING = frozenset({0xFF00, 0xFF01})
_SOME_FAILED = 0xB000
"""Sub-operations complete, one or more failures or warnings (PS3.4 tables C.4-2 and C.4-3)."""

_BUSY = frozenset({0xA701, 0xA702, 0xFE00})
"""Out of resources, and terminated: worth another try soon. All other failures are a no."""


@dataclass(frozen=True, slots=True)
class RetrieveAnswer:
    """What an archive said about one request."""

    status: int
    failed_suboperations: int
    """Sub-operations that failed, as it counts them."""

    @property
    def is_sent(self) -> bool:
        """Whether it says that it has sent everything."""
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
    cancelled: Callable[[], bool],
) -> RetrieveAnswer:
    """Have an archive send a study to this node, as its settings say.

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
        Asked now and then; the attempt is broken off.

    Raises
    ------
    CallError
        The archive was not reached, or did not come to an end.
    """
    limit = _Limit(time.monotonic() + source.attempt_seconds, cancelled)
    model = RETRIEVE_MODELS[source.retrieve]
    if source.retrieve is RetrieveMethod.MOVE:
        with open_association(source, ae_title, [_context(model)]) as call:
            return _ask_each(call, wanted, limit, _mover(call, ae_title, model))
    with own.receive_from(source.ae_title, source.host) as on_store:
        limit.on_store = on_store
        with open_association(
            source, ae_title, _get_contexts(), [(evt.EVT_C_STORE, limit.store)], _roles()
        ) as call:
            limit.call = call
            if not call.serves(model):
                raise CallError(AnswerKind.CONTEXT_REFUSED, "the peer does not accept C-GET")
            return _ask_each(call, wanted, limit, _getter(call, model))


def check_retrieve_support(source: PriorSourceSettings, ae_title: str) -> PeerCheck:
    """Ask an archive whether it accepts the retrieval that its settings want, without one."""
    name = f"C-{source.retrieve.value.upper()}"
    try:
        with open_association(source, ae_title, [_context(RETRIEVE_MODELS[source.retrieve])]):
            return PeerCheck(ok=True, kind=None, detail=f"accepts {name}")
    except CallError as error:
        detail = error.detail
        if error.kind is AnswerKind.CONTEXT_REFUSED:
            other = next(one.value for one in RetrieveMethod if one is not source.retrieve)
            detail = f'does not accept {name}: allow it there, or try retrieve = "{other}"'
        return PeerCheck(ok=False, kind=error.kind, detail=detail)


class _Limit:
    """The bound in time of one attempt, and what answers its C-STORE requests."""

    def __init__(self, deadline: float, cancelled: Callable[[], bool]) -> None:
        self._deadline = deadline
        self._cancelled = cancelled
        self.call: Call | None = None
        self.on_store: StoreHandler | None = None
        self.was_cut = False

    @property
    def seconds_left(self) -> float:
        return max(self._deadline - time.monotonic(), 0.05)

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self._deadline or self._cancelled()

    def store(self, event: Event) -> int:
        """Answer a C-STORE request; a peer that never ends gets its association cut."""
        if self.on_store is None:
            return StoreStatus.CANNOT_UNDERSTAND
        status = self.on_store(event)
        if self.is_over and self.call is not None:
            self.was_cut = True
            self.call.break_off()
        return status


_Ask = Callable[[Dataset], Iterator[tuple[Dataset, Dataset | None]]]


def _mover(call: Call, ae_title: str, model: UID) -> _Ask:
    return lambda keys: call.association.send_c_move(keys, ae_title, model)


def _getter(call: Call, model: UID) -> _Ask:
    return lambda keys: call.association.send_c_get(keys, model)


def _ask_each(call: Call, wanted: WantedStudy, limit: _Limit, ask: _Ask) -> RetrieveAnswer:
    """Ask series by series, because some archives take no list; the worst answer counts."""
    answers: list[RetrieveAnswer] = []
    for keys in _keys(wanted):
        answers.append(_ask(call, keys, limit, ask))
        if answers[-1].is_refusal:
            break
    worst = max(answers, key=lambda one: (one.is_refusal, not one.is_sent))
    return RetrieveAnswer(worst.status, sum(one.failed_suboperations for one in answers))


def _ask(call: Call, keys: Dataset, limit: _Limit, ask: _Ask) -> RetrieveAnswer:
    status: int | None = None
    failed = 0
    try:
        call.association.dimse_timeout = limit.seconds_left
        # To its end, whatever comes: pynetdicom's reactor stands still until then.
        for answer, _ in ask(keys):
            status = int(answer.Status) if "Status" in answer else None
            failed = int(answer.get("NumberOfFailedSuboperations", 0) or 0)
            call.association.dimse_timeout = limit.seconds_left
            if status in _PENDING and limit.is_over and not limit.was_cut:
                limit.was_cut = True
                call.association.abort()
    except (RuntimeError, ValueError) as error:  # the association ended since the last answer
        raise call.explain_loss() from error
    if limit.was_cut or (status in {None, *_PENDING} and limit.is_over):
        raise CallError(AnswerKind.NO_ANSWER, "the retrieval did not come to an end in time")
    if status is None or status in _PENDING:
        raise call.explain_loss()
    return RetrieveAnswer(status, failed)


def _keys(wanted: WantedStudy) -> list[Dataset]:
    found: list[Dataset] = []
    for series_uid in wanted.series or ("",):
        keys = Dataset()
        keys.QueryRetrieveLevel = "SERIES" if series_uid else "STUDY"
        keys.StudyInstanceUID = wanted.study_uid
        if series_uid:
            keys.SeriesInstanceUID = series_uid
        found.append(keys)
    return found


def _context(model: UID) -> PresentationContext:
    return build_context(model, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])


def _get_contexts() -> Sequence[PresentationContext]:
    """Return what is proposed for a C-GET: mammograms and CAD reports, in each syntax by itself.

    An archive that holds them compressed would otherwise choose one syntax for all of a class.
    """
    wanted = [
        build_context(row.uid, syntax.uid)
        for row in _WANTED
        for syntax in list_transfer_syntaxes(row.syntax_list)
    ]
    return [_context(RETRIEVE_MODELS[RetrieveMethod.GET]), *wanted]


def _roles() -> list[SCP_SCU_RoleSelectionNegotiation]:
    return [build_role(row.uid, scp_role=True) for row in _WANTED]


_WANTED = tuple(row for row in SOP_CLASSES if row.use in {InstanceUse.READ, InstanceUse.CAD_SR})
