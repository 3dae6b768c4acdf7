"""A site's calibration: an overlay on a model's manifest, made by `secondread calibrate`.

It changes one thing, the certainty from which clusters are shown, and states on how many local
exams that was measured. It holds for one model alone, which it names by its digest.
"""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from secondread.detect.toml_table import Hex256, Percent, TomlTable

_Rate = Annotated[float, Field(ge=0)]


class SiteOperatingPoint(TomlTable):
    """`[[operating_points]]`: a site's minimum certainty in place of the manifest's."""

    number: int = Field(ge=1)
    """Number of the operating point in the manifest."""
    minimum_certainty: Percent
    """Clusters are shown from this certainty on."""
    wanted_per_view: _Rate
    """False clusters per view that were wanted."""
    clusters: int = Field(ge=0)
    """Clusters shown on the views that were read."""
    per_view: _Rate
    """The same per view."""
    interval: tuple[_Rate, _Rate]
    """95 % interval of the rate, exact for a Poisson count."""
    left_out_per_view: _Rate
    """Rate on each woman's views with the certainty that the other women's views would set."""
    certainty_interval: tuple[Percent, Percent]
    """95 % interval of the minimum certainty, by resampling women."""


class SiteCalibration(TomlTable):
    """The file's content."""

    schema_version: Literal[1]
    base_digest: Hex256
    """SHA-256 of the manifest that it belongs to."""
    model: str
    """Name and version of that model, for people."""
    node_version: str
    """Version of the node that measured."""
    made_on: date
    exams: int = Field(ge=1)
    """Exams with at least one view read."""
    women: int = Field(ge=1)
    views: int = Field(ge=1)
    """Views read, those with doubts included."""
    views_not_read: int = Field(ge=0)
    """Views that were refused or failed."""
    operating_points: tuple[SiteOperatingPoint, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_a_point_once(self) -> Self:
        numbers = [point.number for point in self.operating_points]
        if len(set(numbers)) != len(numbers):
            raise ValueError("operating_points: a number is given once")
        return self

    def find_point(self, number: int) -> SiteOperatingPoint | None:
        """Return the site's values for an operating point, or None."""
        return next((point for point in self.operating_points if point.number == number), None)

    def as_toml(self) -> str:
        """Return the content of the file."""
        lines = ["# How this site's exams set the operating point. Made by: secondread calibrate"]
        for name, value in self.model_dump(exclude={"operating_points"}).items():
            lines.append(f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}")
        for point in self.operating_points:
            lines += ["", "[[operating_points]]"]
            values = point.model_dump(mode="json")
            lines += [f"{name} = {value}" for name, value in values.items()]
        return "\n".join(lines) + "\n"
