"""`[[operating_points]]` of a manifest: from which certainty on marks are shown, at what cost."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from secondread.codes import MarkClass
from secondread.detect.toml_table import Percent, TomlTable

Share = Annotated[float, Field(ge=0, le=1)]


class PointCosts(TomlTable):
    """What an operating point costs in one kind of exams, as it was measured."""

    exams: str
    """The kind, for people: ``four views``, ``held-out family zeta``."""
    clusters: int = Field(ge=0)
    """Visible clusters to be found, each counted in each of its views."""
    found: Share | None = None
    """Share of them that is marked; None where there are none."""
    free_exams: int = Field(ge=0)
    """Exams without any cluster."""
    false_marks: float | None = Field(default=None, ge=0)
    """Marks an exam without clusters; None where there are none."""
    unmarked: Share | None = None
    """Share of exams without clusters that bear no mark."""

    @model_validator(mode="after")
    def _has_figures_where_counted(self) -> Self:
        if (self.found is None) != (self.clusters == 0):
            raise ValueError("found is given where there are clusters, and only there")
        has_free = self.free_exams > 0
        if (self.false_marks is not None, self.unmarked is not None) != (has_free, has_free):
            raise ValueError("false_marks and unmarked are given where there are free exams")
        return self


class ManifestOperatingPoint(TomlTable):
    """`[[operating_points]]`: from which certainty on a finding is shown."""

    number: int = Field(ge=1)
    """The number that TID 4000 writes as CAD Operating Point (111071)."""
    name: str
    """A word for people."""
    minimum_certainty: dict[MarkClass, Percent]
    """Lowest certainty shown, by class; a class that is not named is not shown."""
    false_marks_per_image: float = Field(ge=0)
    """Stated marks per image without disease."""
    stated_on: str
    """What that figure was measured on."""
    costs_on: str = ""
    """What `costs` were measured on."""
    costs: tuple[PointCosts, ...] = ()
    """By kind of exams."""
    default: bool = False
    """Whether it applies where the settings name none."""
