"""Who counts as dead is judged by a clock that nobody can set."""

from datetime import UTC, datetime, timedelta

from secondread.app.silence import SilenceWatch

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Seconds:
    """A clock that only goes forward."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def watch_for(watch: SilenceWatch, clock: Seconds, seconds: int, beat_at: datetime) -> list[str]:
    silent: list[str] = []
    for _ in range(seconds):
        clock.now += 1
        silent = watch.find_silent({"w1": beat_at})
    return silent


def test_a_process_is_silent_when_its_heartbeat_has_not_changed_for_so_long() -> None:
    clock = Seconds()
    watch = SilenceWatch(20, clock)

    assert watch_for(watch, clock, 21, NOON) == []
    assert watch_for(watch, clock, 1, NOON) == ["w1"]
    assert watch_for(watch, clock, 1, NOON + timedelta(seconds=1)) == []


def test_a_heartbeat_that_goes_back_is_one() -> None:
    clock = Seconds()
    watch = SilenceWatch(20, clock)
    watch_for(watch, clock, 20, NOON)

    assert watch_for(watch, clock, 15, NOON - timedelta(hours=1)) == []


def test_of_a_while_without_a_look_only_half_the_time_allowed_counts() -> None:
    clock = Seconds()
    watch = SilenceWatch(20, clock)
    watch_for(watch, clock, 1, NOON)

    clock.now += 600
    assert watch_for(watch, clock, 10, NOON) == []
    assert watch_for(watch, clock, 2, NOON) == ["w1"]


def test_whoever_looks_rarely_finds_the_dead_all_the_same() -> None:
    clock = Seconds()
    watch = SilenceWatch(3, clock)
    looks = []
    for _ in range(5):
        clock.now += 5
        looks.append(watch.find_silent({"w1": NOON}))

    assert looks == [[], [], [], ["w1"], ["w1"]]


def test_a_process_that_is_off_the_list_is_not_silent() -> None:
    clock = Seconds()
    watch = SilenceWatch(20, clock)
    watch_for(watch, clock, 19, NOON)
    clock.now += 5

    assert watch.find_silent({}) == []
