"""Where studies, deliveries and commitments stand, and what moves them: tables, no I/O.

Theory of operation: an arriving instance moves its study's due times. A worker that finds a study
due claims it, which mints a revision unless the last one depended on the same; the reading ends
when its results are in the outbox. An instance that arrives meanwhile never cancels the reading:
it sets due times, and the results are then recorded as outdated, so that the study is assembled
again for the next revision.

A pair of state and event that is in no table is a bug of ours and raises `TransitionError`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from secondread.errors import TransitionError


class StudyState(StrEnum):
    """Where a study stands."""

    WITHOUT_IMAGES = "without-images"
    """Nothing came that could be read: captures, reports, notes. It waits for nothing."""
    ASSEMBLING = "assembling"
    """Instances arrive, or a person asked; read when a due time has come."""
    AWAITING_PRIORS = "awaiting-priors"
    """Complete; read when its priors are in, or when the wait for them is over."""
    READING = "reading"
    """A revision is claimed, and its workflow runs."""
    REPORTED = "reported"
    """The results of the current revision are in the outbox."""
    HELD = "held"
    """The intake rule keeps it as a prior or leaves it alone; a person may ask for it."""
    STUCK = "stuck"
    """The workflow gave up; an alarm is raised and a person looks."""


class StudyEvent(StrEnum):
    """What happens to a study."""

    INSTANCE_ARRIVED = "instance-arrived"
    INSTANCE_ARRIVED_TOO_LATE = "instance-arrived-too-late"
    """After the late window: it is kept, and an alarm is raised, but no revision is made."""
    INSTANCE_REJECTED = "instance-rejected"
    CLAIMED = "claimed"
    NOTHING_CHANGED = "nothing-changed"
    """It was due again, and nothing that its reading depends on has changed: its report stands."""
    RESULTS_RECORDED = "results-recorded"
    RESULTS_OUTDATED = "results-outdated"
    """Results are recorded, and something arrived while they were made."""
    HELD_BACK = "held-back"
    PRIORS_AWAITED = "priors-awaited"
    PRIORS_SETTLED = "priors-settled"
    """They are in, or nothing is to be waited for any more."""
    GAVE_UP = "gave-up"
    REQUESTED = "requested"


_S, _E = StudyState, StudyEvent

STUDY_TRANSITIONS: Mapping[tuple[StudyState, StudyEvent], StudyState] = {
    (_S.WITHOUT_IMAGES, _E.INSTANCE_ARRIVED): _S.ASSEMBLING,
    (_S.WITHOUT_IMAGES, _E.INSTANCE_REJECTED): _S.WITHOUT_IMAGES,
    (_S.WITHOUT_IMAGES, _E.HELD_BACK): _S.HELD,
    (_S.ASSEMBLING, _E.INSTANCE_ARRIVED): _S.ASSEMBLING,
    (_S.ASSEMBLING, _E.INSTANCE_REJECTED): _S.ASSEMBLING,
    (_S.ASSEMBLING, _E.REQUESTED): _S.ASSEMBLING,
    (_S.ASSEMBLING, _E.CLAIMED): _S.READING,
    (_S.ASSEMBLING, _E.NOTHING_CHANGED): _S.REPORTED,
    (_S.ASSEMBLING, _E.HELD_BACK): _S.HELD,
    (_S.ASSEMBLING, _E.PRIORS_AWAITED): _S.AWAITING_PRIORS,
    (_S.AWAITING_PRIORS, _E.PRIORS_SETTLED): _S.ASSEMBLING,
    (_S.AWAITING_PRIORS, _E.INSTANCE_ARRIVED): _S.ASSEMBLING,
    (_S.AWAITING_PRIORS, _E.INSTANCE_REJECTED): _S.ASSEMBLING,
    (_S.AWAITING_PRIORS, _E.REQUESTED): _S.ASSEMBLING,
    (_S.AWAITING_PRIORS, _E.CLAIMED): _S.READING,
    (_S.AWAITING_PRIORS, _E.NOTHING_CHANGED): _S.REPORTED,
    (_S.AWAITING_PRIORS, _E.HELD_BACK): _S.HELD,
    (_S.READING, _E.INSTANCE_ARRIVED): _S.READING,
    (_S.READING, _E.INSTANCE_REJECTED): _S.READING,
    (_S.READING, _E.REQUESTED): _S.READING,
    (_S.READING, _E.RESULTS_RECORDED): _S.REPORTED,
    (_S.READING, _E.RESULTS_OUTDATED): _S.ASSEMBLING,
    (_S.READING, _E.GAVE_UP): _S.STUCK,
    (_S.REPORTED, _E.INSTANCE_ARRIVED): _S.ASSEMBLING,
    (_S.REPORTED, _E.INSTANCE_ARRIVED_TOO_LATE): _S.REPORTED,
    (_S.REPORTED, _E.INSTANCE_REJECTED): _S.ASSEMBLING,
    (_S.REPORTED, _E.REQUESTED): _S.ASSEMBLING,
    (_S.HELD, _E.INSTANCE_ARRIVED): _S.HELD,
    (_S.HELD, _E.INSTANCE_REJECTED): _S.HELD,
    (_S.HELD, _E.HELD_BACK): _S.HELD,
    (_S.HELD, _E.REQUESTED): _S.ASSEMBLING,
    # What made the workflow give up may be what the new input replaces; the number of tries stays
    # bounded by the number of arrivals.
    (_S.STUCK, _E.INSTANCE_ARRIVED): _S.ASSEMBLING,
    (_S.STUCK, _E.INSTANCE_REJECTED): _S.ASSEMBLING,
    (_S.STUCK, _E.REQUESTED): _S.ASSEMBLING,
}


class DeliveryState(StrEnum):
    """Where one object stands on its way to one destination."""

    PENDING = "pending"
    """Waits until it is due and its destination is live."""
    SENDING = "sending"
    """A worker holds the lease and sends."""
    STORED = "stored"
    """The destination answered that it stored the object; its proof is outstanding."""
    DELIVERED = "delivered"
    """The proof that the destination's profile asks for is in."""
    DUPLICATE = "duplicate-unproven"
    """The destination answered that it has an object under that UID, and no proof is asked for
    that it is this one: never sent again, and never called delivered."""
    SHADOW = "shadow"
    """Made while the destination was in shadow: it leaves only if a person has it sent."""


class DeliveryEvent(StrEnum):
    """What happens to a delivery."""

    CLAIMED = "claimed"
    STORED = "stored"
    ASKED = "asked"
    """A worker asks the destination for the proof."""
    PROVEN = "proven"
    DUPLICATE = "duplicate"
    """Answered 0111H, and that answer is all there will be."""
    REFUSED = "refused"
    """The destination does not hold what it had stored, by its own answer."""
    FAILED = "failed"
    LEASE_EXPIRED = "lease-expired"
    REQUESTED = "requested"
    """A person asked for it to be sent again, or for the first time after a time in shadow."""


_D, _DE = DeliveryState, DeliveryEvent

DELIVERY_TRANSITIONS: Mapping[tuple[DeliveryState, DeliveryEvent], DeliveryState] = {
    (_D.PENDING, _DE.CLAIMED): _D.SENDING,
    (_D.SENDING, _DE.STORED): _D.STORED,
    (_D.SENDING, _DE.PROVEN): _D.DELIVERED,
    (_D.SENDING, _DE.FAILED): _D.PENDING,
    (_D.SENDING, _DE.LEASE_EXPIRED): _D.PENDING,
    (_D.STORED, _DE.STORED): _D.STORED,
    (_D.STORED, _DE.ASKED): _D.STORED,
    (_D.STORED, _DE.PROVEN): _D.DELIVERED,
    (_D.STORED, _DE.REFUSED): _D.PENDING,
    # A worker that lost its lease may still have been answered Success, and a proof asked for
    # before the object was sent anew may come late: the destination has it.
    (_D.PENDING, _DE.STORED): _D.STORED,
    (_D.PENDING, _DE.PROVEN): _D.DELIVERED,
    (_D.DELIVERED, _DE.STORED): _D.DELIVERED,
    (_D.DELIVERED, _DE.PROVEN): _D.DELIVERED,
    (_D.SENDING, _DE.DUPLICATE): _D.DUPLICATE,
    # Of a worker that lost its lease, or that had older settings of the proof.
    (_D.PENDING, _DE.DUPLICATE): _D.DUPLICATE,
    (_D.STORED, _DE.DUPLICATE): _D.DUPLICATE,
    (_D.DELIVERED, _DE.DUPLICATE): _D.DELIVERED,
    (_D.DUPLICATE, _DE.DUPLICATE): _D.DUPLICATE,
    (_D.DUPLICATE, _DE.STORED): _D.STORED,
    (_D.DUPLICATE, _DE.PROVEN): _D.DELIVERED,
    (_D.PENDING, _DE.REQUESTED): _D.PENDING,
    (_D.SENDING, _DE.REQUESTED): _D.PENDING,
    (_D.STORED, _DE.REQUESTED): _D.PENDING,
    (_D.DELIVERED, _DE.REQUESTED): _D.PENDING,
    (_D.DUPLICATE, _DE.REQUESTED): _D.PENDING,
    (_D.SHADOW, _DE.REQUESTED): _D.PENDING,
}

UNDELIVERED = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.STORED)
"""The states of what is still owed to its destination."""


class CommitmentState(StrEnum):
    """Where one storage commitment transaction stands."""

    REQUESTED = "requested"
    """Recorded before the request is sent, because the report may come before the answer."""
    OVERDUE = "overdue"
    """No report came in time, and it is asked anew; a late report still counts."""
    NOT_TAKEN = "not-taken"
    """The request was refused, or lost; should a report come all the same, it counts."""
    REPORTED = "reported"
    """The destination reported for each instance whether it answers for it."""


class CommitmentEvent(StrEnum):
    """What happens to a storage commitment transaction."""

    EXPIRED = "expired"
    NOT_TAKEN = "not-taken"
    REPORTED = "reported"


_C, _CE = CommitmentState, CommitmentEvent

COMMITMENT_TRANSITIONS: Mapping[tuple[CommitmentState, CommitmentEvent], CommitmentState] = {
    (_C.REQUESTED, _CE.EXPIRED): _C.OVERDUE,
    (_C.REQUESTED, _CE.NOT_TAKEN): _C.NOT_TAKEN,
    (_C.REQUESTED, _CE.REPORTED): _C.REPORTED,
    (_C.OVERDUE, _CE.NOT_TAKEN): _C.NOT_TAKEN,
    (_C.OVERDUE, _CE.REPORTED): _C.REPORTED,
    (_C.NOT_TAKEN, _CE.REPORTED): _C.REPORTED,
    # The report was faster than the answer to the request, and the answer was lost.
    (_C.REPORTED, _CE.NOT_TAKEN): _C.REPORTED,
}


class FetchState(StrEnum):
    """Where the fetching of priors stands: a query of an archive, or one prior wanted of it."""

    WANTED = "wanted"
    """Asked for when it is due; its study waits for it."""
    UNDER_WAY = "under-way"
    """A worker holds the lease and asks."""
    REFUSED = "refused"
    """The archive refused. It is asked again later, and the study does not wait for it."""
    DONE = "done"
    """The query is answered, or the prior is in."""
    UNUSABLE = "unusable"
    """What came cannot be compared with, for the reason in its row."""
    GAVE_UP = "gave-up"
    """It was asked for as long as the settings allow, in vain."""


class FetchEvent(StrEnum):
    """What happens to a query or to a wanted prior."""

    CLAIMED = "claimed"
    LEASE_EXPIRED = "lease-expired"
    FAILED = "failed"
    REFUSED = "refused"
    GAVE_UP = "gave-up"
    SUCCEEDED = "succeeded"
    """Answered, or the node holds the prior's images, whoever sent them."""
    UNUSABLE = "unusable"
    RENEWED = "renewed"
    """A person asked for the study's reading, or another archive does not send what this may."""


_F, _FE = FetchState, FetchEvent

FETCH_TRANSITIONS: Mapping[tuple[FetchState, FetchEvent], FetchState] = {
    (_F.WANTED, _FE.CLAIMED): _F.UNDER_WAY,
    (_F.REFUSED, _FE.CLAIMED): _F.UNDER_WAY,
    (_F.UNDER_WAY, _FE.LEASE_EXPIRED): _F.WANTED,
    (_F.UNDER_WAY, _FE.FAILED): _F.WANTED,
    (_F.UNDER_WAY, _FE.REFUSED): _F.REFUSED,
    (_F.UNDER_WAY, _FE.GAVE_UP): _F.GAVE_UP,
    (_F.UNDER_WAY, _FE.SUCCEEDED): _F.DONE,
    (_F.UNDER_WAY, _FE.UNUSABLE): _F.UNUSABLE,
    # Images come when they come: after an attempt that was broken off, or after the last one.
    (_F.WANTED, _FE.SUCCEEDED): _F.DONE,
    (_F.WANTED, _FE.UNUSABLE): _F.UNUSABLE,
    (_F.REFUSED, _FE.SUCCEEDED): _F.DONE,
    (_F.REFUSED, _FE.UNUSABLE): _F.UNUSABLE,
    (_F.GAVE_UP, _FE.SUCCEEDED): _F.DONE,
    (_F.GAVE_UP, _FE.UNUSABLE): _F.UNUSABLE,
    (_F.DONE, _FE.SUCCEEDED): _F.DONE,
    (_F.DONE, _FE.UNUSABLE): _F.UNUSABLE,
    (_F.UNUSABLE, _FE.SUCCEEDED): _F.DONE,
    (_F.UNUSABLE, _FE.UNUSABLE): _F.UNUSABLE,
    (_F.REFUSED, _FE.RENEWED): _F.WANTED,
    (_F.GAVE_UP, _FE.RENEWED): _F.WANTED,
    (_F.DONE, _FE.RENEWED): _F.WANTED,
}

AWAITED = (FetchState.WANTED, FetchState.UNDER_WAY)
"""The states of what a study waits for."""


class RevisionState(StrEnum):
    """Where one reading of a study stands."""

    STARTED = "started"
    FINISHED = "finished"
    GAVE_UP = "gave-up"


class Cause(StrEnum):
    """Why a revision exists."""

    FIRST = "first"
    LATE_INSTANCE = "late-instance"
    """An image came, a retake for example."""
    CORRECTED_INSTANCE = "corrected-instance"
    """An image came again with another content, a corrected header for example."""
    REJECTION = "rejection"
    LATE_PRIOR = "late-prior"
    PRIOR_CHANGED = "prior-changed"
    """An image that it was compared with was withdrawn, or came again with another content."""
    TREATMENT_CHANGED = "treatment-changed"
    REQUESTED = "requested"


StateT = TypeVar("StateT", bound=StrEnum)
EventT = TypeVar("EventT", bound=StrEnum)


def _find_next(
    table: Mapping[tuple[StateT, EventT], StateT], what: str, state: StateT, event: EventT
) -> StateT:
    try:
        return table[state, event]
    except KeyError:
        raise TransitionError(f"a {what} that is {state} cannot be {event}") from None


def step_study(state: StudyState, event: StudyEvent) -> StudyState:
    """Return the state of a study after an event.

    Raises
    ------
    TransitionError
        The table has no such pair; the message names both.

    Examples
    --------
    >>> step_study(StudyState.READING, StudyEvent.RESULTS_OUTDATED).value
    'assembling'
    """
    return _find_next(STUDY_TRANSITIONS, "study", state, event)


def step_delivery(state: DeliveryState, event: DeliveryEvent) -> DeliveryState:
    """Return the state of a delivery after an event.

    Raises
    ------
    TransitionError
        The table has no such pair; the message names both.
    """
    return _find_next(DELIVERY_TRANSITIONS, "delivery", state, event)


def step_commitment(state: CommitmentState, event: CommitmentEvent) -> CommitmentState:
    """Return the state of a storage commitment transaction after an event.

    Raises
    ------
    TransitionError
        The table has no such pair; the message names both.
    """
    return _find_next(COMMITMENT_TRANSITIONS, "storage commitment", state, event)


def step_fetch(state: FetchState, event: FetchEvent) -> FetchState:
    """Return the state of a query, or of a wanted prior, after an event.

    Raises
    ------
    TransitionError
        The table has no such pair; the message names both.
    """
    return _find_next(FETCH_TRANSITIONS, "fetch of priors", state, event)
