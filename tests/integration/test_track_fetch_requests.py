"""Waiting for priors as rows with due times, on each database."""

from datetime import date, timedelta

import pytest

from secondread.followup.priors import EarlierStudy
from secondread.reasons import Reason
from secondread.send.fetch_queue import FetchFault, FetchKind, FetchRequest, OfferedStudy
from secondread.track.fetch_requests import FetchRequests
from secondread.track.prior_choice import FetchRules
from secondread.track.states import FetchState
from secondread.track.summaries import FetchRequestSummary
from tests.worlds.track_world import DIGESTS, STUDY, World, mammogram

PRIOR = "1.2.826.0.1.3680043.10.2"
RULES = FetchRules(sources=("pacs",))


@pytest.fixture
def fetches(world: World) -> FetchRequests:
    """A complete study waits for its priors."""
    world.send_study()
    world.later(30)
    fetches = world.tracker.open_fetch_requests(RULES)
    assert fetches.await_priors(STUDY, world.now)
    return fetches


def claimed(world: World, fetches: FetchRequests, worker: str = "w0") -> FetchRequest:
    request = fetches.claim_request("pacs", worker, world.now, 60)
    assert request is not None
    return request


def want(world: World, fetches: FetchRequests) -> None:
    offered = EarlierStudy(PRIOR, date(2025, 1, 5), None)
    fetches.record_answer(claimed(world, fetches), [OfferedStudy(offered, ("1.2.3",))], world.now)


def requests(world: World) -> list[FetchRequestSummary]:
    detail = world.tracker.study_queries.find_detail(STUDY)
    assert detail is not None
    return list(detail.fetch_requests)


def test_a_waiting_study_is_not_due_before_the_wait_is_over(
    world: World, fetches: FetchRequests
) -> None:
    assert world.state() == "awaiting-priors"
    assert world.due() == []
    world.later(RULES.wait.total_seconds())
    assert world.due() == [STUDY]
    assert not fetches.await_priors(STUDY, world.now)
    claim = world.tracker.studies.claim_study(STUDY, "w0", DIGESTS, world.now, RULES)
    assert claim is not None
    assert world.tracker.studies.get_priors(STUDY, 1).reason is Reason.PRIOR_TIMED_OUT


def test_a_request_is_given_to_one_worker_and_again_when_its_lease_is_over(
    world: World, fetches: FetchRequests
) -> None:
    first = claimed(world, fetches)
    assert fetches.claim_request("pacs", "w1", world.now, 60) is None
    assert fetches.claim_request("elsewhere", "w1", world.now, 60) is None
    world.later(61)
    second = claimed(world, fetches, "w1")
    assert (first.kind, second.attempt) == (FetchKind.QUERY, 2)

    fetches.record_answer(first, (), world.now)
    assert [row.state for row in requests(world)] == [FetchState.UNDER_WAY]


def test_images_of_a_wanted_study_are_held_and_let_the_study_be_read(
    world: World, fetches: FetchRequests
) -> None:
    want(world, fetches)
    request = claimed(world, fetches)
    assert (request.prior_study_uid, request.series) == (PRIOR, ("1.2.3",))

    world.arrive(mammogram("RCC", PRIOR, date="20250105"))
    fetches.record_retrieved(request, world.now, world.now + timedelta(seconds=5))

    assert world.state(PRIOR) == "held"
    assert world.due() == [STUDY]
    claim = world.tracker.studies.claim_study(STUDY, "w0", DIGESTS, world.now, RULES)
    assert claim is not None
    (prior,) = world.tracker.studies.get_priors(STUDY, claim.number).studies
    assert (prior.study_uid, prior.reason, len(prior.instances)) == (PRIOR, None, 1)
    assert [(row.state, row.images) for row in requests(world)] == [
        (FetchState.DONE, 0),
        (FetchState.DONE, 1),
    ]


def test_what_fails_is_due_again_and_given_up_in_the_end(
    world: World, fetches: FetchRequests
) -> None:
    fault = FetchFault(Reason.PRIOR_QUERY_FAILED, "0xC001", refused=False)
    fetches.record_failed(
        claimed(world, fetches), fault, world.now, world.now + timedelta(seconds=5)
    )
    assert fetches.claim_request("pacs", "w0", world.now, 60) is None
    assert world.state() == "awaiting-priors"

    world.later(RULES.give_up.total_seconds())
    fetches.record_failed(
        claimed(world, fetches), fault, world.now, world.now + timedelta(seconds=5)
    )

    (query,) = requests(world)
    assert (query.state, query.reason, query.detail) == (
        FetchState.GAVE_UP,
        Reason.PRIOR_QUERY_FAILED,
        "0xC001",
    )


def test_a_refusal_lets_the_study_go(world: World, fetches: FetchRequests) -> None:
    fault = FetchFault(Reason.PRIOR_QUERY_FAILED, "no", refused=True)
    fetches.record_failed(
        claimed(world, fetches), fault, world.now, world.now + timedelta(seconds=5)
    )
    assert world.due() == [STUDY]
    assert not fetches.await_priors(STUDY, world.now)


TWO = FetchRules(sources=("pacs", "vna"))
REFUSAL = FetchFault(Reason.PRIOR_MOVE_REFUSED, "0xA801", refused=True)
OFFER = OfferedStudy(EarlierStudy(PRIOR, date(2025, 1, 5), None))


@pytest.fixture
def both(world: World) -> FetchRequests:
    """A complete study waits for its priors from two archives."""
    world.send_study()
    world.later(30)
    fetches = world.tracker.open_fetch_requests(TWO)
    assert fetches.await_priors(STUDY, world.now)
    return fetches


def taken(world: World, fetches: FetchRequests, source: str) -> FetchRequest:
    request = fetches.claim_request(source, "w0", world.now, 60)
    assert request is not None
    return request


def refuse(world: World, fetches: FetchRequests, source: str) -> None:
    request = taken(world, fetches, source)
    assert (request.kind, request.prior_study_uid) == (FetchKind.RETRIEVE, PRIOR)
    fetches.record_failed(request, REFUSAL, world.now, world.now + timedelta(hours=1))


def held(request: FetchRequest) -> list[str]:
    return [study.study_uid for study in request.held_studies]


def test_an_archive_is_queried_again_for_what_another_one_refused(
    world: World, both: FetchRequests
) -> None:
    both.record_answer(taken(world, both, "pacs"), [OFFER], world.now)
    second = taken(world, both, "vna")
    assert held(second) == [PRIOR]
    both.record_answer(second, [], world.now)

    refuse(world, both, "pacs")

    assert world.state() == "awaiting-priors"
    again = taken(world, both, "vna")
    assert (again.kind, held(again)) == (FetchKind.QUERY, [])
    both.record_answer(again, [OFFER], world.now)
    refuse(world, both, "vna")
    # Nobody is left to be asked: the study is read.
    assert world.due() == [STUDY]
    assert both.claim_request("pacs", "w0", world.now, 60) is None


def test_a_query_that_was_under_way_when_another_archive_refused_is_made_again(
    world: World, both: FetchRequests
) -> None:
    both.record_answer(taken(world, both, "pacs"), [OFFER], world.now)
    second = taken(world, both, "vna")
    refuse(world, both, "pacs")

    both.record_answer(second, [], world.now)

    again = taken(world, both, "vna")
    assert (again.kind, held(again)) == (FetchKind.QUERY, [])
    both.record_answer(again, [], world.now)
    assert world.due() == [STUDY]


def test_both_refusals_stand_in_the_revision(world: World, both: FetchRequests) -> None:
    both.record_answer(taken(world, both, "pacs"), [OFFER], world.now)
    refuse(world, both, "pacs")
    both.record_answer(taken(world, both, "vna"), [OFFER], world.now)
    refuse(world, both, "vna")

    assert world.tracker.studies.claim_study(STUDY, "w0", DIGESTS, world.now, TWO) is not None

    (prior,) = world.tracker.studies.get_priors(STUDY, 1).studies
    assert (prior.study_uid, prior.reason) == (PRIOR, Reason.PRIOR_MOVE_REFUSED)
    assert prior.archive_reasons == (
        ("pacs", Reason.PRIOR_MOVE_REFUSED),
        ("vna", Reason.PRIOR_MOVE_REFUSED),
    )
