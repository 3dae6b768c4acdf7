import tomllib
from dataclasses import replace

import pytest

from secondread.errors import SettingsError
from secondread.findings.changes import MeasuredDifference
from secondread.followup.limits import RepeatabilityLimits, UnitLimits, load_limits
from secondread_lab.judge.repeatability import Repeat, fit_limits, format_limits


def test_a_difference_beyond_its_limits_has_a_direction() -> None:
    assert [MeasuredDifference(v, 10, 7, 13).direction for v in (6, 7, 13, 14)] == [-1, 0, 0, 1]


def test_one_calcification_more_or_less_is_never_a_change() -> None:
    sharp = UnitLimits(0.0, 0.0, 0.0, 1.0, 1.0)

    assert sharp.compare_numbers(9, 8).direction == 0
    assert sharp.compare_numbers(10, 8).direction == 1


def test_the_shipped_limits_say_what_they_were_made_from_and_widen_with_the_unit() -> None:
    limits = load_limits()

    assert limits.made_from
    for name in UnitLimits.__slots__:
        assert getattr(limits.other_unit, name) >= getattr(limits.same_unit, name)


def repeats(number: int, same_unit: bool, apart: float) -> list[Repeat]:
    return [
        Repeat(same_unit, (16 + sign * apart, 16), (10.0 * 1.1**sign, 10.0), (0.3, 0.3))
        for sign in (-1, 1)
        for _ in range(number)
    ]


def test_limits_hold_95_percent_of_what_repeats_differ_by_and_survive_the_file() -> None:
    limits = fit_limits(repeats(20, True, 2) + repeats(20, False, 4), "a test")

    assert limits.same_unit.compare_numbers(18, 16).direction == 0
    assert limits.same_unit.compare_numbers(21, 16).direction == 1
    assert limits.same_unit.extent_ratio == pytest.approx(1.1, abs=0.001)
    assert limits.other_unit.more_per_member > limits.same_unit.more_per_member
    assert RepeatabilityLimits.from_values(tomllib.loads(format_limits(limits))) == limits


def test_an_increase_and_a_decrease_have_limits_of_their_own() -> None:
    missed_now = [Repeat(same, (12, 16), None, (0.3, 0.3)) for same in (True, False)] * 20
    missed_then = [Repeat(same, (17, 16), None, (0.3, 0.3)) for same in (True, False)] * 20

    limits = fit_limits(missed_now + missed_then, "a test").same_unit

    assert (limits.fewer_per_member, limits.looked_per_member) == (1.0, 0.062)
    assert limits.more_per_member == limits.fewer_per_member
    for looked in (False, True):
        assert limits.compare_numbers(13, 16, looked=looked).direction == 0
        assert limits.compare_numbers(11, 16, looked=looked).direction == -1
        assert limits.compare_numbers(19, 16, looked=looked).direction == looked


def test_another_unit_never_narrows_a_limit() -> None:
    limits = fit_limits(repeats(20, True, 4) + repeats(20, False, 2), "a test")

    assert limits.other_unit == replace(limits.same_unit)


def test_a_handful_of_clusters_makes_no_limit() -> None:
    with pytest.raises(SettingsError, match="4 unchanged clusters in pairs of one unit, at least"):
        fit_limits(repeats(2, True, 2) + repeats(20, False, 2), "a test")
