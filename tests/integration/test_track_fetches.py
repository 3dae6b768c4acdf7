"""Waiting for priors as rows with due times, on each database."""

from datetime import date, timedelta

import pytest

from secondread.followup.priors import EarlierStudy
from secondread.reasons import Reason
from secondread.send.prior_queue import Errand, Fault, OfferedStudy, PriorErrand
from secondread.track.fetches import Fetches
from secondread.track.prior_choice import FetchRules
from secondread.track.states import FetchState
from secondread.track.summaries import PriorSummary
from tests.track_world import DIGESTS, STUDY, World, mammogram

PRIOR = "1.2.826.0.1.3680043.10.2"
RULES = FetchRules(sources=("pacs",))


@pytest.fixture
def fetches(world: World) -> Fetches:
    """A complete study waits for its priors."""
    world.send_study()
    world.later(30)
    fetches = world.tracker.fetches(RULES)
    assert fetches.await_priors(STUDY, world.now)
    return fetches


def claimed(world: World, fetches: Fetches, worker: str = "w0") -> PriorErrand:
    errand = fetches.claim_errand("pacs", worker, world.now, 60)
    assert errand is not None
    return errand


def want(world: World, fetches: Fetches) -> None:
    offered = EarlierStudy(PRIOR, date(2025, 1, 5), None)
    fetches.answered(claimed(world, fetches), [OfferedStudy(offered, ("1.2.3",))], world.now)


def requests(world: World) -> list[PriorSummary]:
    detail = world.tracker.study_queries.detail(STUDY)
    assert detail is not None
    return list(detail.priors)


def test_a_waiting_study_is_not_due_before_the_wait_is_over(world: World, fetches: Fetches) -> None:
    assert world.state() == "awaiting-priors"
    assert world.due() == []
    world.later(RULES.wait.total_seconds())
    assert world.due() == [STUDY]
    assert not fetches.await_priors(STUDY, world.now)
    claim = world.tracker.studies.claim(STUDY, "w0", DIGESTS, world.now, RULES)
    assert claim is not None
    assert world.tracker.studies.priors(STUDY, 1).reason is Reason.PRIOR_TIMED_OUT


def test_an_errand_is_given_to_one_worker_and_again_when_its_lease_is_over(
    world: World, fetches: Fetches
) -> None:
    first = claimed(world, fetches)
    assert fetches.claim_errand("pacs", "w1", world.now, 60) is None
    assert fetches.claim_errand("elsewhere", "w1", world.now, 60) is None
    world.later(61)
    second = claimed(world, fetches, "w1")
    assert (first.errand, second.attempt) == (Errand.QUERY, 2)

    fetches.answered(first, (), world.now)
    assert [one.state for one in requests(world)] == [FetchState.UNDER_WAY]


def test_images_of_a_wanted_study_are_held_and_let_the_study_be_read(
    world: World, fetches: Fetches
) -> None:
    want(world, fetches)
    errand = claimed(world, fetches)
    assert (errand.prior_study_uid, errand.series) == (PRIOR, ("1.2.3",))

    world.arrive(mammogram("RCC", PRIOR, date="20250105"))
    fetches.retrieved(errand, world.now, world.now + timedelta(seconds=5))

    assert world.state(PRIOR) == "held"
    assert world.due() == [STUDY]
    claim = world.tracker.studies.claim(STUDY, "w0", DIGESTS, world.now, RULES)
    assert claim is not None
    (prior,) = world.tracker.studies.priors(STUDY, claim.number).studies
    assert (prior.study_uid, prior.reason, len(prior.instances)) == (PRIOR, None, 1)
    assert [(one.state, one.images) for one in requests(world)] == [
        (FetchState.DONE, 0),
        (FetchState.DONE, 1),
    ]


def test_what_fails_is_due_again_and_given_up_in_the_end(world: World, fetches: Fetches) -> None:
    fault = Fault(Reason.PRIOR_QUERY_FAILED, "0xC001", refused=False)
    fetches.failed(claimed(world, fetches), fault, world.now, world.now + timedelta(seconds=5))
    assert fetches.claim_errand("pacs", "w0", world.now, 60) is None
    assert world.state() == "awaiting-priors"

    world.later(RULES.give_up.total_seconds())
    fetches.failed(claimed(world, fetches), fault, world.now, world.now + timedelta(seconds=5))

    (query,) = requests(world)
    assert (query.state, query.reason, query.detail) == (
        FetchState.GAVE_UP,
        Reason.PRIOR_QUERY_FAILED,
        "0xC001",
    )


def test_a_refusal_lets_the_study_go(world: World, fetches: Fetches) -> None:
    fault = Fault(Reason.PRIOR_QUERY_FAILED, "no", refused=True)
    fetches.failed(claimed(world, fetches), fault, world.now, world.now + timedelta(seconds=5))
    assert world.due() == [STUDY]
    assert not fetches.await_priors(STUDY, world.now)


TWO = FetchRules(sources=("pacs", "vna"))
REFUSAL = Fault(Reason.PRIOR_MOVE_REFUSED, "0xA801", refused=True)
OFFER = OfferedStudy(EarlierStudy(PRIOR, date(2025, 1, 5), None))


@pytest.fixture
def both(world: World) -> Fetches:
    """A complete study waits for its priors from two archives."""
    world.send_study()
    world.later(30)
    fetches = world.tracker.fetches(TWO)
    assert fetches.await_priors(STUDY, world.now)
    return fetches


def taken(world: World, fetches: Fetches, source: str) -> PriorErrand:
    errand = fetches.claim_errand(source, "w0", world.now, 60)
    assert errand is not None
    return errand


def refuse(world: World, fetches: Fetches, source: str) -> None:
    errand = taken(world, fetches, source)
    assert (errand.errand, errand.prior_study_uid) == (Errand.RETRIEVE, PRIOR)
    fetches.failed(errand, REFUSAL, world.now, world.now + timedelta(hours=1))


def held(errand: PriorErrand) -> list[str]:
    return [one.study_uid for one in errand.held]


def test_an_archive_is_queried_again_for_what_another_one_refused(
    world: World, both: Fetches
) -> None:
    both.answered(taken(world, both, "pacs"), [OFFER], world.now)
    second = taken(world, both, "vna")
    assert held(second) == [PRIOR]
    both.answered(second, [], world.now)

    refuse(world, both, "pacs")

    assert world.state() == "awaiting-priors"
    again = taken(world, both, "vna")
    assert (again.errand, held(again)) == (Errand.QUERY, [])
    both.answered(again, [OFFER], world.now)
    refuse(world, both, "vna")
    # Nobody is left to be asked: the study is read.
    assert world.due() == [STUDY]
    assert both.claim_errand("pacs", "w0", world.now, 60) is None


def test_a_query_that_was_under_way_when_another_archive_refused_is_made_again(
    world: World, both: Fetches
) -> None:
    both.answered(taken(world, both, "pacs"), [OFFER], world.now)
    second = taken(world, both, "vna")
    refuse(world, both, "pacs")

    both.answered(second, [], world.now)

    again = taken(world, both, "vna")
    assert (again.errand, held(again)) == (Errand.QUERY, [])
    both.answered(again, [], world.now)
    assert world.due() == [STUDY]


def test_both_refusals_stand_in_the_revision(world: World, both: Fetches) -> None:
    both.answered(taken(world, both, "pacs"), [OFFER], world.now)
    refuse(world, both, "pacs")
    both.answered(taken(world, both, "vna"), [OFFER], world.now)
    refuse(world, both, "vna")

    assert world.tracker.studies.claim(STUDY, "w0", DIGESTS, world.now, TWO) is not None

    (prior,) = world.tracker.studies.priors(STUDY, 1).studies
    assert (prior.study_uid, prior.reason) == (PRIOR, Reason.PRIOR_MOVE_REFUSED)
    assert prior.said == (
        ("pacs", Reason.PRIOR_MOVE_REFUSED),
        ("vna", Reason.PRIOR_MOVE_REFUSED),
    )
