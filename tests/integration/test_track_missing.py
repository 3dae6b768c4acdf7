"""Missing studies: who compares, what is an alarm, and what ends it, on each database."""

from datetime import date, datetime, timedelta

import pytest

from secondread.errors import InputError
from secondread.send.arrival_check import ArrivalCheck, ArrivalQueue, Listing
from secondread.send.study_list import ListedStudy
from secondread.track.missing_studies import ARRIVALS_NOT_CHECKED, STUDIES_MISSING
from tests.worlds.track_world import STUDY, World

DAY = date(2026, 11, 21)
OTHER = "1.2.826.0.1.3680043.10.77"


def claim(world: World, worker: str = "w0") -> ArrivalCheck | None:
    queue: ArrivalQueue = world.tracker.missing
    return queue.claim_check("pacs", worker, world.now, world.now, 600)


def check(world: World, *missing: str, days: tuple[date, ...] = (DAY,)) -> int:
    """Make a comparison that finds these studies missing, and another due at once."""
    claimed = claim(world)
    assert claimed is not None
    studies = tuple(ListedStudy(uid, DAY, None, None) for uid in missing)
    at = world.later(1)
    return world.tracker.missing.record_check(claimed, Listing(days, 9, studies), at, at)


def alarms(world: World, kind: str = STUDIES_MISSING) -> list[str]:
    raised = world.tracker.node_queries.list_alarms()
    return [alarm.detail for alarm in raised if alarm.kind == kind]


def listed(world: World) -> list[str]:
    return [study.study_uid for study in world.tracker.missing.list_missing()]


def test_the_first_comparison_is_due_when_it_is_said_and_made_by_one_worker(world: World) -> None:
    queue = world.tracker.missing
    at = world.now + timedelta(hours=3)
    assert queue.claim_check("pacs", "w0", world.now, at, 600) is None
    world.later(3 * 3600)
    far: datetime = at + timedelta(days=1)
    assert queue.claim_check("pacs", "w0", world.now, far, 600) is not None
    assert queue.claim_check("pacs", "w1", world.now, far, 600) is None
    world.tracker.leases.end_all("w0")
    again = queue.claim_check("pacs", "w1", world.now, far, 600)
    assert again is not None
    assert again.attempt == 1


def test_an_alarm_says_how_many_are_missing_and_clears_when_they_arrive(world: World) -> None:
    assert check(world, STUDY, OTHER) == 2
    assert alarms(world) == [
        "pacs lists 2 mammography studies that never arrived; see: secondread studies missing"
    ]
    world.send_study()
    world.tracker.missing.note_arrivals("pacs", world.now)
    assert alarms(world) == [
        "pacs lists 1 mammography study that never arrived; see: secondread studies missing"
    ]
    assert listed(world) == [OTHER]
    world.send_study(study=OTHER)
    world.tracker.missing.note_arrivals("pacs", world.now)
    assert (alarms(world), listed(world)) == ([], [])


def test_what_the_archive_lists_no_more_is_forgotten_once_its_day_is_asked_for(
    world: World,
) -> None:
    check(world, OTHER)
    check(world, days=(date(2026, 11, 20),))
    assert listed(world) == [OTHER]
    assert check(world) == 0
    assert (alarms(world), listed(world)) == ([], [])


def test_an_ignored_study_is_no_alarm_and_keeps_who_and_why(world: World) -> None:
    check(world, OTHER)
    world.tracker.missing.ignore(OTHER, "a phantom", "admin", world.now)
    assert alarms(world) == []
    assert check(world, OTHER) == 0
    check(world)
    (study,) = world.tracker.missing.list_missing()
    assert (study.ignored_by, study.ignore_reason) == ("admin", "a phantom")


def test_only_a_missing_study_is_ignored_and_only_with_a_reason(world: World) -> None:
    with pytest.raises(InputError, match="not among the missing"):
        world.tracker.missing.ignore(OTHER, "a phantom", "admin", world.now)
    check(world, OTHER)
    with pytest.raises(InputError, match="a reason"):
        world.tracker.missing.ignore(OTHER, " ", "admin", world.now)


def test_a_list_that_cannot_be_had_again_and_again_is_an_alarm_with_its_reason(
    world: World,
) -> None:
    for attempt in range(1, 6):
        assert alarms(world, ARRIVALS_NOT_CHECKED) == []
        claimed = claim(world)
        assert claimed is not None
        assert claimed.attempt == attempt
        why = "no-answer: no answer within 30 s"
        world.tracker.missing.record_failed(claimed, why, world.now, world.now)
    assert alarms(world, ARRIVALS_NOT_CHECKED) == [
        "the list of pacs was never compared: no-answer: no answer within 30 s"
    ]
    check(world)
    assert alarms(world, ARRIVALS_NOT_CHECKED) == []


def test_a_worker_whose_lease_was_ended_records_nothing(world: World) -> None:
    old = claim(world, "w1")
    assert old is not None
    world.tracker.leases.end_all("w1")
    check(world)
    missing = (ListedStudy(OTHER, DAY, None, None),)
    world.tracker.missing.record_check(old, Listing((DAY,), 1, missing), world.now, world.now)
    assert listed(world) == []


def test_a_comparison_can_be_asked_for_at_once(world: World) -> None:
    tomorrow = world.now + timedelta(days=1)
    assert world.tracker.missing.claim_check("pacs", "w0", world.now, tomorrow, 600) is None
    world.tracker.missing.ask_anew(["pacs"], world.now)
    assert claim(world) is not None


def test_thousands_of_studies_are_held_against_the_tracker(world: World) -> None:
    world.send_study()
    uids = {f"1.2.3.{number}" for number in range(3000)} | {STUDY}
    assert world.tracker.missing.find_arrived(uids) == {STUDY}
