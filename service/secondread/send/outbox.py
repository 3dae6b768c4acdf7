"""What is sent, to whom, and with which result: the values of this stage."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from secondread.settings import CallTlsSettings, DestinationSettings, PriorSourceSettings

Cancelled = Callable[[], bool]
"""Asked between two objects or requests, and by every call while it waits; True: leave the rest."""


def never_cancelled() -> bool:
    """Return False: nobody asks to stop."""
    return False


WARNING_STATUSES = frozenset({0xB000, 0xB006, 0xB007})
"""All three mean that the instance is stored (PS3.4 table B.2-1)."""

STOPPING = "the node was stopping"
"""Why a call was broken off that nobody is to blame for."""

DUPLICATE_STATUS = 0x0111
"""Duplicate SOP instance (PS3.7 C.5.7): the peer holds one under that UID, and it need not be the
one that was sent."""


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """A peer that is neither a destination nor a source of the settings."""

    ae_title: str
    host: str
    port: int
    timeout_seconds: float = 30.0
    tls: CallTlsSettings | None = None


Callee = DestinationSettings | PriorSourceSettings | PeerAddress
"""Who is called: its AE title, where it listens, how long to wait for it, and its certificates."""


@dataclass(frozen=True, slots=True)
class OutboxObject:
    """One result object as it is stored in the outbox."""

    sop_class_uid: str
    sop_instance_uid: str
    path: Path
    """A DICOM file (PS3.10). Its data set is sent byte for byte, where its syntax is accepted."""
    digest: str
    """SHA-256 of the whole file, hexadecimal, as recorded when it was written."""


@dataclass(frozen=True, slots=True)
class DeliveryBatch:
    """The objects of one study that wait for one destination, claimed by one worker."""

    study_uid: str
    destination: str
    objects: tuple[OutboxObject, ...]
    attempt: int
    """Number of this attempt, from 1."""
    claim: str
    """Names this claim: it shows whether an answer came only after the lease ran out."""


@dataclass(frozen=True, slots=True)
class AwaitedInstance:
    """One instance that its destination stored, and of which the proof is awaited."""

    sop_class_uid: str
    series_uid: str
    sop_instance_uid: str
    times_asked: int
    """How often the proof was asked for before."""


@dataclass(frozen=True, slots=True)
class ProofBatch:
    """The instances of one study whose proof is due at one destination, claimed by one worker."""

    study_uid: str
    destination: str
    instances: tuple[AwaitedInstance, ...]
    claim: str
    """Names this claim."""

    @property
    def attempt(self) -> int:
        """Number of this attempt to get the proof, from 1."""
        return 1 + max(instance.times_asked for instance in self.instances)


class AnswerKind(StrEnum):
    """The result of a call, as counted in the metrics."""

    STORED = "stored"
    STORED_WITH_WARNING = "stored-with-warning"
    DUPLICATE = "duplicate"
    """The peer holds an object under this UID; whether it is this one, a proof has to show."""
    STATUS = "failure-status"
    CONTEXT_REFUSED = "context-refused"
    REJECTED = "association-rejected"
    UNREACHABLE = "unreachable"
    TLS = "tls-failed"
    BROKEN = "association-broken"
    NO_ANSWER = "no-answer"
    UNREADABLE = "outbox-unreadable"
    STOPPED = "stopped"

    @property
    def is_stored(self) -> bool:
        """Whether the peer holds the object, by its own answer.

        It does with a warning status too (PS3.4 B.2.3), and says so of a duplicate: most often its
        answer was lost when it was first sent.
        """
        return self in {
            AnswerKind.STORED,
            AnswerKind.STORED_WITH_WARNING,
            AnswerKind.DUPLICATE,
        }

    @property
    def concerns_the_peer(self) -> bool:
        """Whether the fault is the peer's, so that any other object would have met it too."""
        return self in {
            AnswerKind.REJECTED,
            AnswerKind.UNREACHABLE,
            AnswerKind.TLS,
            AnswerKind.BROKEN,
            AnswerKind.NO_ANSWER,
        }


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """The result of sending one object."""

    sop_instance_uid: str
    kind: AnswerKind
    status: int | None
    """DIMSE status of the peer's answer; None where there was no answer."""
    detail: str
    """For people, in our own words: nothing that the peer wrote is in it."""

    @property
    def is_stored(self) -> bool:
        """Whether the peer answered that it holds the object."""
        return self.kind.is_stored


@dataclass(frozen=True, slots=True)
class PeerCheck:
    """How a peer answered a C-ECHO, or a question for a service."""

    ok: bool
    kind: AnswerKind | None
    """Why it failed; None when it did not."""
    detail: str
    """For people."""


def answer_all(
    objects: Sequence[OutboxObject], kind: AnswerKind, detail: str
) -> tuple[StoreAnswer, ...]:
    """Return the same answer without a status for each object."""
    return tuple(StoreAnswer(item.sop_instance_uid, kind, None, detail) for item in objects)


def describe_status(status: int) -> str:
    """Return words for a C-STORE status other than Success (PS3.4 B.2.3, PS3.7 C)."""
    if status >> 8 == 0xA7:
        return "out of resources"
    if status >> 8 == 0xA9:
        return "data set does not match SOP class"
    if status >> 12 == 0xC:
        return "cannot understand"
    return {
        0x0110: "processing failure",
        0x0111: "duplicate SOP instance",
        0x0117: "invalid SOP instance",
        0x0122: "SOP class not supported",
        0x0124: "not authorised",
        0xB000: "coercion of data elements",
        0xB006: "elements discarded",
        0xB007: "data set does not match SOP class",
    }.get(status, "a status of its own")
