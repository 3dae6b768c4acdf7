"""The tables of transitions."""

import itertools

import pytest

from secondread.errors import TransitionError
from secondread.track.states import (
    DELIVERY_TRANSITIONS,
    STUDY_TRANSITIONS,
    UNDELIVERED,
    CommitmentEvent,
    CommitmentState,
    DeliveryEvent,
    DeliveryState,
    FetchEvent,
    FetchState,
    StudyEvent,
    StudyState,
    step_commitment,
    step_delivery,
    step_fetch,
    step_study,
)

# Written out a second time on purpose: a slip in the table does not slip in here as well.
STUDY_STEPS = """
without-images + instance-arrived = assembling
without-images + instance-rejected = without-images
without-images + held-back = held
assembling + instance-arrived = assembling
assembling + instance-rejected = assembling
assembling + requested = assembling
assembling + claimed = reading
assembling + nothing-changed = reported
assembling + held-back = held
assembling + priors-awaited = awaiting-priors
awaiting-priors + priors-settled = assembling
awaiting-priors + instance-arrived = assembling
awaiting-priors + instance-rejected = assembling
awaiting-priors + requested = assembling
awaiting-priors + claimed = reading
awaiting-priors + nothing-changed = reported
awaiting-priors + held-back = held
reading + instance-arrived = reading
reading + instance-rejected = reading
reading + requested = reading
reading + results-recorded = reported
reading + results-outdated = assembling
reading + gave-up = stuck
reported + instance-arrived = assembling
reported + instance-arrived-too-late = reported
reported + instance-rejected = assembling
reported + requested = assembling
held + instance-arrived = held
held + instance-rejected = held
held + held-back = held
held + requested = assembling
stuck + instance-arrived = assembling
stuck + instance-rejected = assembling
stuck + requested = assembling
"""

DELIVERY_STEPS = """
pending + claimed = sending
pending + stored = stored
pending + proven = delivered
sending + stored = stored
sending + proven = delivered
sending + failed = pending
sending + lease-expired = pending
stored + stored = stored
stored + asked = stored
stored + proven = delivered
stored + refused = pending
delivered + stored = delivered
delivered + proven = delivered
sending + duplicate = duplicate-unproven
pending + duplicate = duplicate-unproven
stored + duplicate = duplicate-unproven
delivered + duplicate = delivered
duplicate-unproven + duplicate = duplicate-unproven
duplicate-unproven + stored = stored
duplicate-unproven + proven = delivered
pending + requested = pending
sending + requested = pending
stored + requested = pending
delivered + requested = pending
duplicate-unproven + requested = pending
shadow + requested = pending
"""

COMMITMENT_STEPS = """
requested + expired = overdue
requested + not-taken = not-taken
requested + reported = reported
overdue + not-taken = not-taken
overdue + reported = reported
not-taken + reported = reported
reported + not-taken = reported
"""

FETCH_STEPS = """
wanted + claimed = under-way
wanted + succeeded = done
wanted + unusable = unusable
under-way + lease-expired = wanted
under-way + failed = wanted
under-way + refused = refused
under-way + gave-up = gave-up
under-way + succeeded = done
under-way + unusable = unusable
refused + claimed = under-way
refused + succeeded = done
refused + unusable = unusable
refused + renewed = wanted
gave-up + succeeded = done
gave-up + unusable = unusable
gave-up + renewed = wanted
done + succeeded = done
done + unusable = unusable
done + renewed = wanted
unusable + succeeded = done
unusable + unusable = unusable
"""


def parse(steps: str) -> dict[tuple[str, str], str]:
    pairs = [line.replace(" = ", " + ").split(" + ") for line in steps.split("\n") if line]
    return {(state, event): target for state, event, target in pairs}


@pytest.mark.parametrize(
    ("state", "event"), list(itertools.product(StudyState, StudyEvent)), ids=str
)
def test_a_study_takes_the_steps_written_here_and_no_other(
    state: StudyState, event: StudyEvent
) -> None:
    expected = parse(STUDY_STEPS).get((state.value, event.value))
    if expected is not None:
        assert step_study(state, event).value == expected
        return
    with pytest.raises(TransitionError, match=f"study that is {state} cannot be {event}"):
        step_study(state, event)


@pytest.mark.parametrize(
    ("state", "event"),
    list(itertools.product(DeliveryState, DeliveryEvent)),
    ids=str,
)
def test_a_delivery_takes_the_steps_written_here_and_no_other(
    state: DeliveryState, event: DeliveryEvent
) -> None:
    expected = parse(DELIVERY_STEPS).get((state.value, event.value))
    if expected is not None:
        assert step_delivery(state, event).value == expected
        return
    with pytest.raises(TransitionError, match=f"delivery that is {state} cannot be {event}"):
        step_delivery(state, event)


@pytest.mark.parametrize(
    ("state", "event"),
    list(itertools.product(CommitmentState, CommitmentEvent)),
    ids=str,
)
def test_a_storage_commitment_takes_the_steps_written_here_and_no_other(
    state: CommitmentState, event: CommitmentEvent
) -> None:
    expected = parse(COMMITMENT_STEPS).get((state.value, event.value))
    if expected is not None:
        assert step_commitment(state, event).value == expected
        return
    with pytest.raises(TransitionError, match=f"commitment that is {state} cannot be {event}"):
        step_commitment(state, event)


@pytest.mark.parametrize(
    ("state", "event"), list(itertools.product(FetchState, FetchEvent)), ids=str
)
def test_a_fetch_takes_the_steps_written_here_and_no_other(
    state: FetchState, event: FetchEvent
) -> None:
    expected = parse(FETCH_STEPS).get((state.value, event.value))
    if expected is not None:
        assert step_fetch(state, event).value == expected
        return
    with pytest.raises(TransitionError, match=f"priors that is {state} cannot be {event}"):
        step_fetch(state, event)


def test_only_what_the_destination_has_or_stays_in_shadow_is_no_longer_owed() -> None:
    settled = {DeliveryState.DELIVERED, DeliveryState.DUPLICATE, DeliveryState.SHADOW}
    owed = set(DeliveryState) - settled
    assert owed == set(UNDELIVERED)


def test_nothing_leaves_the_shadow_but_what_a_person_has_sent() -> None:
    leaving = [event for state, event in DELIVERY_TRANSITIONS if state is DeliveryState.SHADOW]
    assert leaving == [DeliveryEvent.REQUESTED]
    assert DeliveryState.SHADOW not in DELIVERY_TRANSITIONS.values()


def test_every_state_of_a_study_can_be_reached_and_left() -> None:
    reached = set(STUDY_TRANSITIONS.values())
    left = {state for (state, _), target in STUDY_TRANSITIONS.items() if target is not state}
    assert reached == left == set(StudyState)
