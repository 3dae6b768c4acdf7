"""Whose study is read next: peers take turns, whatever one of them pushes."""

from datetime import timedelta

import pytest

from secondread.track.change_rights import Sender
from secondread.track.prior_choice import FetchRules
from secondread.track.studies import Studies
from tests.worlds.track_world import World, reading

BULK, SMALL, THIRD = (Sender(name, "127.0.0.1") for name in ("BULK", "SMALL", "OTHERS"))


def push(world: World, sender: Sender, number: int, *, date: str = "20261122") -> list[str]:
    """Send studies of one image each, a second apart."""
    studies = [f"1.2.{len(sender.peer)}.{date}.{index}" for index in range(1, number + 1)]
    for study in studies:
        world.later(1)
        world.send_study(("RCC",), study, date=date, sender=sender)
    return studies


def claim_next(world: World) -> str:
    """Claim what a worker would claim next."""
    world.later(1)
    study = world.tracker.studies.list_due(world.now, limit=1)[0].study_uid
    world.claimed(study)
    return study


def finish(world: World, study: str) -> None:
    world.record(reading(world.tracker.studies.get_claimed(study, 1)))


def test_a_single_study_goes_second_behind_a_peer_that_pushes_many(world: World) -> None:
    many = push(world, BULK, 12)
    (single,) = push(world, SMALL, 1)
    world.later(200)
    assert world.due() == [many[0], single, *many[1:]]


def test_with_studies_of_a_peer_under_way_the_others_go_first(world: World) -> None:
    many = push(world, BULK, 6)
    world.later(200)
    claimed = [claim_next(world) for _ in range(2)]
    few = push(world, SMALL, 2)
    world.later(200)

    assert claimed == many[:2]
    assert world.due() == [*few, *many[2:]]


def test_peers_are_read_in_turn_when_nothing_is_under_way_in_between(world: World) -> None:
    push(world, BULK, 4)
    push(world, SMALL, 4)
    world.later(200)

    served = []
    for _ in range(6):
        study = claim_next(world)
        finish(world, study)
        served.append(study.split(".")[2])

    assert served == ["4", "5", "4", "5", "4", "5"]


def test_of_one_peer_the_study_that_waited_longest_goes_first(world: World) -> None:
    many = push(world, BULK, 5)
    world.later(200)
    assert world.due() == many


def test_a_backlog_waits_for_the_fresh_studies_of_every_peer(world: World) -> None:
    backlog = push(world, SMALL, 2, date="20200101")
    fresh = push(world, BULK, 3)
    world.later(200)
    assert world.due() == [*fresh, *backlog]


def test_the_limit_keeps_the_studies_whose_turn_it_is(world: World) -> None:
    push(world, BULK, 8)
    push(world, SMALL, 1)
    push(world, THIRD, 1)
    world.later(200)
    due = world.tracker.studies.list_due(world.now, limit=3)
    assert {study.peer for study in due} == {"BULK", "SMALL", "OTHERS"}


def test_what_is_due_at_all_is_known_without_an_order(world: World) -> None:
    studies: Studies = world.tracker.studies
    assert not studies.has_due(world.now)
    push(world, BULK, 1)
    assert not studies.has_due(world.now)
    assert studies.has_due(world.later(200))


@pytest.fixture
def asking() -> FetchRules:
    return FetchRules(sources=("pacs",), wait=timedelta(hours=1))


def test_archives_are_asked_for_the_priors_of_every_peer_in_turn(
    world: World, asking: FetchRules
) -> None:
    requests = world.tracker.open_fetch_requests(asking)
    many = push(world, BULK, 4)
    (single,) = push(world, SMALL, 1)
    world.later(200)
    for study in [*many, single]:
        assert requests.await_priors(study, world.now)

    # A worker is given what it holds itself again, so each claims one.
    claims = [requests.claim_request("pacs", f"w{n}", world.later(1), 600) for n in range(6)]
    asked = [request.study_uid for request in claims if request is not None]

    assert asked == [many[0], single, *many[1:]]
