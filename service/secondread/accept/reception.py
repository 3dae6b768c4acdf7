"""Who is let in at the receiver's door: by title, address and free places; others are counted."""

from collections.abc import Callable
from dataclasses import dataclass

from secondread import log
from secondread.accept.admission import ASSOCIATION_REJECTIONS, Admission, AssociationRejection
from secondread.accept.ledger import RefusalKind
from secondread.accept.places import Places
from secondread.accept.refusal_counts import Caller, RefusalLog, make_printable
from secondread.accept.served_association import ServedAssociation
from secondread.clock import Clock
from secondread.reasons import Reason

_log = log.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reception:
    """Lets callers in before their requests are read; implements the server's `Door`."""

    admission: Admission
    places: Places
    refusals: RefusalLog
    clock: Clock
    on_closed: Callable[[ServedAssociation], None]
    """Called once for each association that has ended."""

    def admit(self, caller: Caller) -> AssociationRejection | None:
        """Let a caller in, or return how its request is rejected."""
        reason = self.admission.find_refusal_reason(caller)
        if reason is Reason.CALLING_AE_UNKNOWN and self.may_only_report(caller):
            reason = None
        if reason is None:
            if self.places.take(caller):
                return None
            reason = Reason.TOO_MANY_ASSOCIATIONS
        self.count_refusal(caller, reason)
        return ASSOCIATION_REJECTIONS[reason]

    def may_only_report(self, caller: Caller) -> bool:
        """Whether a caller is let in for reports on storage commitments, and nothing else."""
        return (
            self.admission.find_refusal_reason(caller) is Reason.CALLING_AE_UNKNOWN
            and caller.calling_ae_title in self.admission.destinations
        )

    def count_refusal(self, caller: Caller, reason: Reason, error: str | None = None) -> None:
        """Count that a caller was refused an association, and log it unless its like just was."""
        count = self.refusals.add_refusal(RefusalKind.ASSOCIATION, reason, caller, self.clock())
        if count:
            _log.warning(
                "association_refused",
                reason=reason,
                calling_ae_title=make_printable(caller.calling_ae_title, 16),
                called_ae_title=make_printable(caller.called_ae_title, 16),
                address=caller.address,
                count=count,
                error=error,
            )

    def note_no_request(self, address: str, error: str) -> None:
        """Note that what came from an address was no request for an association."""
        self.note_broken_request(Caller("", "", address), error)

    def note_failed_handshake(self, address: str, error: str) -> None:
        """Note that a TLS handshake failed with an address."""
        caller, kind = Caller("", "", address), RefusalKind.ASSOCIATION
        count = self.refusals.add_refusal(kind, Reason.TLS_FAILED, caller, self.clock())
        if count:
            _log.warning("tls_handshake_failed", error=error, address=address, count=count)

    def note_broken_request(self, caller: Caller, error: str) -> None:
        """Note that a caller did not make a whole request that is within the limits."""
        self.count_refusal(caller, Reason.REQUEST_INVALID, error)

    def note_end(self, association: ServedAssociation) -> None:
        """Note that an association has ended, however it did."""
        self.on_closed(association)

    def leave(self, caller: Caller) -> None:
        """Free the place of a caller who was let in."""
        self.places.give_back(caller)
