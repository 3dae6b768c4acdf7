"""What a model knows about groups of calcifications: tables from their features to labels.

A table is a multinomial logistic regression. The features of a group are measured by
`findings.group_features`; their names and units are here, because a manifest that names others
was fitted for another version of the node and must not be read with this one.
"""

from collections.abc import Mapping
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from scipy.special import softmax

from secondread.codes import CodedEnum, Distribution, Morphology
from secondread.detect.toml_table import TomlTable

LAYOUT_FEATURES = (
    "count", "extent", "major", "minor", "spacing", "spacing_spread", "gap", "hull", "around",
)  # fmt: skip
"""Features of the places of a group's members, natural logarithms all but the spread.

``count``: number of members.
``extent``: longest distance between two members, mm.
``major``, ``minor``: standard deviation along the principal axes of the members, mm.
``spacing``: median distance from a member to the nearest other, mm.
``spacing_spread``: standard deviation of the logarithm of that distance.
``gap``: longest edge of the shortest tree that joins the members, mm.
``hull``: area of their convex hull, mm2.
``around``: one more than the number of other calcifications within 15 mm of a member.
"""

WIDE_FEATURES = ("wide_count", "wide_extent", "wide_major", "wide_minor")
"""The same of all calcifications that a chain joins to the group, no link longer than 12 mm.

Of a cluster that is spread out the detector often finds pieces, whose layout only shows from afar.
"""

MEMBER_FEATURES = (
    "diameter", "diameter_spread", "diameter_largest",
    "contrast", "contrast_spread", "contrast_largest",
    "elongation", "elongation_spread", "elongation_largest",
    "certainty", "certainty_spread",
)  # fmt: skip
"""Features of the members themselves; medians, standard deviations and largest values.

``diameter``: natural logarithm of the diameter, mm.
``contrast``: that of the contrast, in units of the local noise.
``elongation``: that of the ratio of the principal axes of a member.
``certainty``: log odds of the score.
"""

SHARE_FEATURES = tuple(
    f"{measure}_{kind.name.lower()}" for measure in ("share", "mixed") for kind in Morphology
)
"""Features of the types that the describing graph gives the members.

``share_*``: mean of the natural logarithm of a type's share, members weighted by their score.
``mixed_*``: natural logarithm of the mean share.
"""

GROUP_FEATURES = frozenset((*LAYOUT_FEATURES, *WIDE_FEATURES, *MEMBER_FEATURES, *SHARE_FEATURES))
"""Names of all features that this version of the node measures."""


def _convert_names(labels: type[CodedEnum], kind: str) -> BeforeValidator:
    """Return a validator that turns the name of a label, as truth tables spell it, into it."""
    by_name = {label.name.lower(): label for label in labels}

    def convert(value: object) -> object:
        if isinstance(value, str) and value not in by_name:
            raise ValueError(f"{value!r} is not a {kind}; there are {', '.join(by_name)}")
        return by_name[value] if isinstance(value, str) else value

    return BeforeValidator(convert)


MorphologyName = Annotated[Morphology, _convert_names(Morphology, "type of calcification")]
"""A type by its name."""
_DistributionName = Annotated[Distribution, _convert_names(Distribution, "distribution")]


def _check_feature(name: str) -> str:
    if name not in GROUP_FEATURES:
        raise ValueError(f"{name!r} is not a feature of groups that this version measures")
    return name


_Numbers = tuple[Annotated[float, Field(allow_inf_nan=False)], ...]


class GroupTable(TomlTable):
    """A multinomial logistic regression: a row of weights, and a constant, for each label."""

    features: tuple[Annotated[str, AfterValidator(_check_feature)], ...] = Field(min_length=1)
    """Names out of `GROUP_FEATURES`."""
    means: _Numbers
    """Subtracted from the features."""
    scales: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...]
    """Divisors of the features after that."""
    limit: float = Field(default=3.0, gt=0)
    """The scaled features are clipped to this distance from 0: no group was further out."""
    weights: tuple[_Numbers, ...]
    """A row of one number a feature for each label."""
    constants: _Numbers
    """One for each label."""
    fitted_on: str
    """The groups."""

    @property
    def labels(self) -> tuple[CodedEnum, ...]:
        """The labels of the rows."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _shapes_agree(self) -> Self:
        width, height = len(self.features), len(self.labels)
        if len(set(self.features)) != width or len(set(self.labels)) != height:
            raise ValueError("features and labels are named once each")
        if not len(self.means) == len(self.scales) == width:
            raise ValueError("there is a mean and a scale for each feature")
        if not len(self.weights) == len(self.constants) == height:
            raise ValueError("there is a row of weights and a constant for each label")
        if any(len(row) != width for row in self.weights):
            raise ValueError("each row of weights has a number for each feature")
        return self

    def predict(self, values: Mapping[str, float]) -> npt.NDArray[np.float64]:
        """Return the probability of each label.

        Parameters
        ----------
        values
            The features of a group by name; there may be others.
        """
        raw = np.array([values[name] for name in self.features])
        scaled = np.clip((raw - self.means) / self.scales, -self.limit, self.limit)
        logits = np.array(self.weights) @ scaled + self.constants
        return np.asarray(softmax(logits), np.float64)


class TypeTable(GroupTable):
    """`[groups.types]`: the type of a group."""

    types: tuple[MorphologyName, ...]
    """Labels of the rows: names of `codes.Morphology` in lower case."""

    @property
    def labels(self) -> tuple[Morphology, ...]:
        """The labels of the rows."""
        return self.types


class DistributionTable(GroupTable):
    """`[groups.distributions]`: how a group is distributed."""

    distributions: tuple[_DistributionName, ...]
    """Labels of the rows: names of `codes.Distribution` in lower case."""

    @property
    def labels(self) -> tuple[Distribution, ...]:
        """The labels of the rows."""
        return self.distributions


class GroupTables(TomlTable):
    """`[groups]` of a manifest; a rule decides where there is no table."""

    types: TypeTable | None = None
    """The type of a group, from its members'."""
    distributions: DistributionTable | None = None
    """How a group is distributed."""
