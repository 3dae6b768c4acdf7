"""Repeatability limits: how much an unchanged finding may differ from one exam to the next.

The figures come with the package, as `limits.toml`, which names what they were measured on.
"""

import math
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from secondread.findings.changes import MeasuredDifference


@dataclass(frozen=True, slots=True)
class UnitLimits:
    """95 % limits between two acquisitions of one kind."""

    more_per_member: float
    """Square of the limit of an increase in number, for each calcification of the prior."""
    looked_per_member: float
    """The same after a second look at the prior's pixels for what its marks do not show."""
    fewer_per_member: float
    """The same of a decrease: larger, as what the current marks miss is not looked for again."""
    extent_ratio: float
    """Ratio of extents, 1 or more."""
    diameter_ratio: float
    """Ratio of median diameters of the same calcifications, 1 or more."""

    def compare_numbers(
        self, current: int, prior: int, *, looked: bool = False
    ) -> MeasuredDifference:
        """Return the numbers of calcifications with their limits.

        Parameters
        ----------
        current, prior
            Numbers of calcifications.
        looked
            Whether the prior's pixels were looked at for what its marks do not show.
        """
        more = self.looked_per_member if looked else self.more_per_member
        # At least one: a count of whole calcifications has no finer limit.
        above, below = (
            max(1.0, math.sqrt(square * prior)) for square in (more, self.fewer_per_member)
        )
        return MeasuredDifference(current, prior, round(prior - below, 2), round(prior + above, 2))

    def compare_extents(self, current: float, prior: float) -> MeasuredDifference:
        """Return the extents with their limits."""
        return _limit_ratio(current, prior, self.extent_ratio)

    def compare_diameters(self, current: float, prior: float) -> MeasuredDifference:
        """Return the diameters with their limits."""
        return _limit_ratio(current, prior, self.diameter_ratio)


def _limit_ratio(current: float, prior: float, ratio: float) -> MeasuredDifference:
    return MeasuredDifference(
        round(current, 2), round(prior, 2), round(prior / ratio, 2), round(prior * ratio, 2)
    )


@dataclass(frozen=True, slots=True)
class RepeatabilityLimits:
    """Limits of both kinds of pairs."""

    same_unit: UnitLimits
    other_unit: UnitLimits
    made_from: str
    """What they were measured on, for people."""

    def select(self, *, same_unit: bool) -> UnitLimits:
        """Return the limits for a pair of images."""
        return self.same_unit if same_unit else self.other_unit

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> "RepeatabilityLimits":
        """Read the content of `limits.toml`."""
        return cls(
            UnitLimits(**values["same_unit"]),
            UnitLimits(**values["other_unit"]),
            values["made_from"],
        )


@cache
def load_limits() -> RepeatabilityLimits:
    """Return the limits that come with the package."""
    text = resources.files("secondread.followup").joinpath("limits.toml").read_text("utf-8")
    return RepeatabilityLimits.from_values(tomllib.loads(text))
