"""Differences between two acquisitions of unchanged breasts: the source of `followup/limits.toml`.

Pairs in which nothing changed but positioning, noise, and in half of them the unit, are read and
compared. The measured differences give the limits beyond which a difference is a change.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from secondread.errors import SettingsError
from secondread.findings.changes import FindingChange, StudyComparison
from secondread.followup.limits import RepeatabilityLimits, UnitLimits

_ONE_SIDED = 0.975
_LEAST = 20
"""No limit is fitted to fewer clusters."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """One unchanged cluster in two acquisitions."""

    same_unit: bool
    number: tuple[float, float]
    """Calcifications counted in the current and in the prior exam."""
    extent_mm: tuple[float, float] | None
    diameter_mm: tuple[float, float] | None

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Repeat":
        """Restore a repeat from plain values."""
        now, then = values["number"]
        extent, diameter = _parse_pair(values["extent_mm"]), _parse_pair(values["diameter_mm"])
        return cls(values["same_unit"], (now, then), extent, diameter)


def _parse_pair(values: list[float] | None) -> tuple[float, float] | None:
    return None if values is None else (values[0], values[1])


def list_repeats(comparison: StudyComparison) -> list[Repeat]:
    """Return every cluster that both of two unchanged exams show."""
    units = {view.sop_instance_uid: view.same_unit for view in comparison.views}
    return [
        Repeat(
            units[change.current.sop_instance_uid],
            (change.number.current, change.number.prior),
            _get_both(change, "extent_mm"),
            _get_both(change, "diameter_mm"),
        )
        for change in comparison.changes
        if change.current is not None
        and change.number is not None
        # Fewer than three marks in either exam are not a cluster there.
        and min(change.number.current, change.number.prior) >= 3
    ]


def _get_both(change: FindingChange, name: str) -> tuple[float, float] | None:
    difference = getattr(change, name)
    return None if difference is None else (difference.current, difference.prior)


def fit_limits(all_repeats: Sequence[Repeat], made_from: str) -> RepeatabilityLimits:
    """Return the 95 % limits of the measured differences.

    Raises
    ------
    SettingsError
        Too few clusters of one kind of pair.
    """
    kinds = []
    for same_unit in (True, False):
        chosen = [repeat for repeat in all_repeats if repeat.same_unit is same_unit]
        if len(chosen) < _LEAST:
            unit = "one unit" if same_unit else "two units"
            raise SettingsError(
                f"--limits: {len(chosen)} unchanged clusters in pairs of {unit}, at least {_LEAST} "
                "are needed; ask for more pairs: those that were read are kept"
            )
        kinds.append(_fit_unit(chosen))
    same, other = kinds
    # Another unit cannot narrow a limit; where it seems to, that is chance.
    wider = {name: max(getattr(same, name), getattr(other, name)) for name in UnitLimits.__slots__}
    return RepeatabilityLimits(same, UnitLimits(**wider), made_from)


def _fit_unit(some: Sequence[Repeat]) -> UnitLimits:
    now, then = (np.array([repeat.number[side] for repeat in some]) for side in (0, 1))
    # Misses are independent: the variance of the difference grows with the number. Each direction
    # has its own limit, because what was missed in the prior alone is looked for again.
    more, fewer = (
        float(np.quantile(np.maximum(beyond, 0.0) ** 2 / np.maximum(then, 1.0), _ONE_SIDED))
        for beyond in (now - then, then - now)
    )
    return UnitLimits(
        # Where nothing can be looked at, an increase is as uncertain as a decrease.
        more_per_member=round(max(more, fewer), 3),
        looked_per_member=round(more, 3),
        fewer_per_member=round(fewer, 3),
        extent_ratio=_fit_ratio([repeat.extent_mm for repeat in some]),
        diameter_ratio=_fit_ratio([repeat.diameter_mm for repeat in some]),
    )


def _fit_ratio(pairs: Sequence[tuple[float, float] | None]) -> float:
    logs = [
        abs(math.log(pair[0] / pair[1])) for pair in pairs if pair is not None and min(pair) > 0
    ]
    return round(math.exp(float(np.quantile(logs, 0.95))), 3) if logs else 1.0


def format_limits(limits: RepeatabilityLimits) -> str:
    """Return the content of `limits.toml`."""
    lines = [
        "# Repeatability limits: how far two acquisitions of unchanged breasts differ.",
        "# Made by `secondread compare --limits`; see secondread_lab/judge/repeatability.py.",
        "schema_version = 1",
        f'made_from = "{limits.made_from}"',
    ]
    for name, unit in (("same_unit", limits.same_unit), ("other_unit", limits.other_unit)):
        lines += ["", f"[{name}]"]
        lines += [f"{field} = {getattr(unit, field)}" for field in UnitLimits.__slots__]
    return "\n".join(lines) + "\n"
