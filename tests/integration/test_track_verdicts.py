"""How verdicts on findings add up, by device and model."""

from datetime import timedelta

from secondread.track.values import Verdict
from secondread.track.verdicts import Agreement, RecordedVerdict
from tests.worlds.track_world import DIGESTS, STUDY, World, finding, mammogram, reading


def read_study(world: World, study: str, device: str) -> None:
    header = mammogram("LCC", study)
    header.Manufacturer = device
    world.arrive(header)
    world.hang_up()
    world.later(150)
    world.record(reading(world.claimed(study), findings=[finding(1), finding(2)]))


def judge(world: World, study: str, number: int, verdict: Verdict) -> None:
    at = world.later(1)
    entry = RecordedVerdict(study, 1, f"LCC-{number}", verdict, at, "ada")
    world.tracker.verdicts.record(entry)


def test_verdicts_are_counted_by_device_and_the_last_one_counts(world: World) -> None:
    first, second, other = (f"{STUDY}.{number}" for number in (1, 2, 3))
    for study, device in ((first, "LORAD"), (second, "LORAD"), (other, "SIEMENS")):
        read_study(world, study, device)
    begin = world.now
    judge(world, first, 1, Verdict.REJECTED)
    judge(world, first, 1, Verdict.CONFIRMED)
    judge(world, first, 2, Verdict.REJECTED)
    judge(world, second, 1, Verdict.KNOWN)
    judge(world, second, 2, Verdict.REJECTED)
    judge(world, second, 2, Verdict.WITHDRAWN)
    judge(world, other, 1, Verdict.REJECTED)

    lorad, siemens = world.tracker.verdicts.count_agreement(begin)

    assert lorad == Agreement("LORAD", DIGESTS.model, exams=2, confirmed=1, known=1, rejected=1)
    assert (lorad.false_marks_per_100, round(lorad.confirmed_share, 2)) == (50.0, 0.33)
    assert (siemens.device, siemens.false_marks_per_100) == ("SIEMENS", 100.0)
    assert world.tracker.verdicts.count_agreement(world.now + timedelta(seconds=1)) == []
    verdicts = world.tracker.verdicts.list_for_study(second, 1)
    assert {name: entry.verdict for name, entry in verdicts.items()} == {"LCC-1": Verdict.KNOWN}
