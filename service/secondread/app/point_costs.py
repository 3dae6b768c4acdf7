"""What the operating points of the detector cost, in words: for `check` and the statement."""

from collections.abc import Iterator

from secondread.codes import MarkClass
from secondread.detect.manifest import Manifest
from secondread.detect.operating_points import ManifestOperatingPoint, PointCosts

CostCells = tuple[str, str, str, str, str]
"""Operating point, exams, clusters found, marks an exam without clusters, such exams unmarked."""


def list_cost_cells(manifest: Manifest) -> Iterator[CostCells]:
    """Yield a row for each operating point and kind of exams, as far as they are stated."""
    for point in manifest.operating_points:
        for costs in point.costs:
            yield _name_point(point), costs.exams, *_list_figures(costs)


def describe_costs(point: ManifestOperatingPoint) -> Iterator[str]:
    """Yield a line for each kind of exams.

    As ``four views: 0.90 of 84 clusters found, 0.27 marks an exam without clusters, 0.80 of 49 such
    exams unmarked``.
    """
    for costs in point.costs:
        found, marks, unmarked = _list_figures(costs)
        yield (
            f"{costs.exams}: {found} clusters found, {marks} marks an exam without clusters, "
            f"{unmarked} such exams unmarked"
        )


def _name_point(point: ManifestOperatingPoint) -> str:
    default = ", default" if point.default else ""
    least = point.minimum_certainty.get(MarkClass.CLUSTER)
    shown = "shows none" if least is None else f"from certainty {least:g}"
    return f"{point.number} {point.name} ({shown}{default})"


def _list_figures(costs: PointCosts) -> tuple[str, str, str]:
    return (
        f"{_format(costs.found)} of {costs.clusters}",
        _format(costs.false_marks),
        f"{_format(costs.unmarked)} of {costs.free_exams}",
    )


def _format(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
