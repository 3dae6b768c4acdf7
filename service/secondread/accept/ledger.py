"""What the receiver needs recorded before it answers: the `Ledger`, and the values it gets.

The tracker implements it in SQL. Every method may raise `TransientError` (the database is away,
or busy); the receiver then answers with a failure, so that the sender keeps its copy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from secondread.accept.dispositions import Disposition
from secondread.reasons import Reason

if TYPE_CHECKING:  # the values here are used where no header is read
    from pydicom.dataset import Dataset


@dataclass(frozen=True, slots=True)
class PeerAssociation:
    """An association that a peer opened and that may deliver instances."""

    association_id: str
    """Ours, unique among all receivers and restarts."""
    calling_ae_title: str
    address: str
    """IP address of the peer."""
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """An instance that is durable in the archive, about to be recorded."""

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax: str
    study_uid: str
    series_uid: str
    sha256: str
    """Of the encoded data set after the file meta information, lower-case hexadecimal: equal for
    equal content, whichever program wrote the file around it."""
    size: int
    """Bytes of the file."""
    relative_path: str
    """Path in the archive, with forward slashes; several instances may share it."""
    received_at: datetime
    disposition: Disposition
    association: PeerAssociation
    was_requested: bool = False
    """Whether it came because this node asked for it: over an association of its own (C-GET), or
    as a sub-operation of its own C-MOVE."""
    is_altered: bool = False
    """Whether it has the UID of an object that this node wrote, and another content."""


@dataclass(frozen=True, slots=True)
class OutboxFile:
    """Where an object that this node wrote is in the archive."""

    path: str
    """Relative, with forward slashes."""
    sha256: str
    """Of the whole file."""


class RecordOutcome(StrEnum):
    """What the ledger found when it recorded an instance."""

    NEW = "new"
    REPEATED = "repeated"
    """The same SOP Instance UID with the same digest was known: nothing changed."""
    CONFLICTING = "conflicting"
    """The SOP Instance UID was known with another digest: both are kept, and flagged."""
    NOT_PERMITTED = "change-not-permitted"
    """The same, from a peer that may not replace the instance: it is kept, and does not count."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """What one association brought of one study, either what was stored of it or what was not."""

    association: PeerAssociation
    study_uid: str
    """Empty where no data set could be read so far."""
    instances: Mapping[str, int]
    """How many, by SOP class."""
    action: str
    """C, R, U: whether copies were made, held already, or altered (PS3.15 A.5.3.7)."""
    reasons: tuple[str, ...] = ()
    """Why they were not stored; empty where they were."""
    was_requested: bool = False
    """Whether this node had asked for some of them."""


class RefusalKind(StrEnum):
    """What was refused."""

    ASSOCIATION = "association"
    CONTEXT = "context"
    INSTANCE = "instance"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a peer was refused, equal refusals counted together.

    Its texts come from the peer and are cut to printable ASCII of a bounded length; empty where
    they do not apply. A row with `OTHERS` in their place stands for those that were too many.
    """

    kind: RefusalKind
    reason: Reason
    calling_ae_title: str
    called_ae_title: str
    address: str
    sop_class_uid: str
    transfer_syntax: str
    count: int
    first_at: datetime
    last_at: datetime


class Ledger(Protocol):
    """Where the receiver records what it takes responsibility for."""

    def record_receiver_start(self, at: datetime) -> None:
        """Record a start: associations that this receiver had left open end at `at`."""

    def find_own(self, sop_instance_uid: str) -> OutboxFile | None:
        """Return the object that this node wrote under a UID; None where it wrote none."""

    def record_instance(self, instance: StoredInstance, header: "Dataset") -> RecordOutcome:
        """Record an instance, and commit; when this returns, Success is answered.

        Called for every delivery, repeated ones too: the association counts as open for the
        instance's study until `record_association_end`.

        Parameters
        ----------
        instance
            What is in the archive.
        header
            Its attributes before the pixel data, all of them decoded; private ones, those of
            more than 256 KiB and those that could not be decoded are left out.

        Raises
        ------
        InputError
            The instance has no place in any study; it is refused, and the sender keeps its copy.
        """

    def record_association_start(self, association: PeerAssociation) -> None:
        """Record that a peer may deliver instances from now on; repeating it changes nothing."""

    def record_association_end(
        self, association_id: str, at: datetime, transfers: Sequence[Transfer] = ()
    ) -> None:
        """Record that an association ended, in whatever way, and what it had brought."""

    def record_refusals(self, refusals: Sequence[Refusal]) -> None:
        """Add refusals to those recorded, in one transaction; counts of equal ones add up."""
