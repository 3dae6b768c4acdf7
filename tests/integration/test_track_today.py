"""What a day has brought, and the log of one study."""

from datetime import timedelta

from secondread.reasons import Outcome
from secondread.settings import DestinationMode
from secondread.track.operations import LATE_INSTANCE
from tests.worlds.track_world import STUDY, World, finding, reading


def test_a_day_says_what_came_was_read_was_found_failed_and_how_long_it_took(
    world: World,
) -> None:
    yesterday, today = f"{STUDY}.1", world.now + timedelta(days=1)
    world.send_study(study=yesterday)
    world.read_study(yesterday)
    world.later(86_400)
    empty = world.tracker.today.summarize(today, world.now)
    assert (empty.received, empty.read, empty.median_seconds, empty.oldest_due_at) == (
        *(0, 0),
        *(None, None),
    )

    for number, (seconds, outcome) in enumerate(
        ((150, Outcome.FINDINGS), (200, Outcome.NO_FINDINGS), (400, Outcome.FAILED)), 2
    ):
        study = f"{STUDY}.{number}"
        world.send_study(study=study)
        world.later(seconds)
        found = [finding(number)] if outcome is Outcome.FINDINGS else []
        world.record(reading(world.claimed(study), outcome=outcome, findings=found))
    # A person's wish is no image: what it took says nothing of how long a report takes.
    world.tracker.studies.request_reading(yesterday, "ada", world.later(5000))
    world.record(reading(world.claimed(yesterday)))
    world.send_study(study=f"{STUDY}.9")
    since = world.later(130) - timedelta(seconds=10)

    day = world.tracker.today.summarize(today, world.now)

    assert (day.received, day.read, day.with_findings, day.failed) == (4, 4, 1, 1)
    assert (day.median_seconds, day.worst_seconds) == (200.0, 400.0)
    # Of the two times at which the last one is due, the settled one came first.
    assert day.oldest_due_at == since - timedelta(seconds=100)
    assert day.model_digest == "60" * 32


def test_the_log_of_a_study_has_what_happened_to_it_the_latest_first(world: World) -> None:
    world.destination("pacs", DestinationMode.SHADOW)
    world.send_study()
    world.read_study()
    world.later(60)
    world.tracker.alarms.raise_alarm(LATE_INSTANCE, STUDY, "an image came late", world.now)
    world.tracker.alarms.acknowledge(STUDY, "ada", world.later(1))

    entries = world.tracker.study_log.list_entries(STUDY)

    assert [(entry.kind, entry.what, entry.who) for entry in entries] == [
        ("alarm", f"alarm {LATE_INSTANCE} cleared", ""),
        ("alarm", f"alarm {LATE_INSTANCE}: an image came late", ""),
        ("reading", "claimed as revision 1, cause: first", "worker-0"),
        ("reading", "revision 1 ended: no findings", "worker-0"),
        ("reading", "settled: due for revision 1", ""),
        ("arrival", "4 instances over one association", "MODALITY 127.0.0.1"),
    ]
    assert world.tracker.study_log.list_entries("1.2.3") == []
