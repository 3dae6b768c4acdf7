"""Operating points set by exam, and what each costs, as the manifest has them.

    python -m models.calcification.training costs --manifest FILE --results OUT/results.json

`certainty` sets the points on validation exams, and states their costs there. `costs` writes the
costs anew from an evaluation (`secondread evaluate --exams full`), which has held-out families too,
and prints them as a table for the card. Certainties stay as they are.
"""

import argparse
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import beta

from secondread.codes import MarkClass
from secondread.detect.manifest import load_manifest
from secondread.detect.operating_points import ManifestOperatingPoint, PointCosts
from secondread_lab.judge.scored_exams import HELD_OUT_FAMILY, CostRow


@dataclass(frozen=True, slots=True)
class WantedPoint:
    """An operating point as it is wanted."""

    number: int
    name: str
    floor: float
    """Nothing below this certainty is shown, whatever the rate: what is rather no cluster than one
    is for the sensitive point."""
    marks: float | None = None
    """Most marks an exam without clusters; None where the share of marked exams decides."""
    marked: float | None = None
    """Largest share of exams of four views without clusters that bear a mark."""


STANDARD = WantedPoint(1, "standard", 59.0, marked=0.20)
"""Its floor is the score at which 2.5.0 had it, 0.458, by the table of 2.6.0; after another fit
look it up anew. Simulated exams without clusters would allow less, but false marks in real tissue
are surer than theirs."""

POINTS = (
    STANDARD,
    WantedPoint(2, "sensitive", 0.0, marks=0.75),
    WantedPoint(3, "specific", 50.0, marks=0.02),
)

_CONFIDENCE = 0.8
"""Chance that the share of marked exams is no larger than wanted: exams for fitting are few."""


def find_minimum(
    point: WantedPoint, free: Sequence[Sequence[float]], four_views: Sequence[bool]
) -> float:
    """Return the lowest certainty of an operating point.

    Parameters
    ----------
    point
        What is wanted of it.
    free
        Of each exam without clusters the certainties, 0-100, of its marks.
    four_views
        Whether each of them has four views.
    """
    if point.marked is not None:
        whole = [exam for exam, is_whole in zip(free, four_views, strict=True) if is_whole]
        tops = sorted((max(exam, default=0.0) for exam in whole), reverse=True)
        allowed = _count_allowed(len(tops), point.marked)
        limit = tops[allowed] if allowed < len(tops) else 0.0
    else:
        every = sorted((mark for exam in free for mark in exam), reverse=True)
        allowed = int((point.marks or 0.0) * len(free))
        limit = every[allowed] if allowed < len(every) else 0.0
    # Just above the first mark that is too many; certainties above 99 have two decimals.
    above = round(limit + 0.01, 2) if limit >= 99 else round(limit + 0.1, 1)
    return min(max(above, point.floor), 100.0)


def _count_allowed(exams: int, share: float) -> int:
    """Return how many of some exams may be marked for the share to hold beyond them as well."""
    allowed = 0
    # The bound of Clopper and Pearson on the share, one-sided.
    while allowed < exams and beta.ppf(_CONFIDENCE, allowed + 2, exams - allowed - 1) <= share:
        allowed += 1
    return allowed


def list_costs(rows: Iterable[CostRow], point: int) -> tuple[PointCosts, ...]:
    """Return the costs of one operating point, as the manifest has them."""
    return tuple(
        PointCosts(
            exams=row.exams,
            clusters=row.found.items,
            found=_round(row.found.value),
            free_exams=row.unmarked.items,
            false_marks=_round(row.false_marks.value),
            unmarked=_round(row.unmarked.value),
        )
        for row in rows
        if row.point == point
    )


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def format_points(points: Iterable[ManifestOperatingPoint]) -> Iterator[str]:
    """Yield the lines of `[[operating_points]]`."""
    for point in points:
        least = ", ".join(f"{name} = {value}" for name, value in point.minimum_certainty.items())
        yield from ("", "[[operating_points]]", f"number = {point.number}")
        yield f'name = "{point.name}"'
        if point.default:
            yield "default = true"
        yield f"minimum_certainty = {{ {least} }}"
        yield f"false_marks_per_image = {point.false_marks_per_image}"
        yield f'stated_on = "{point.stated_on}"'
        if point.costs:
            yield f'costs_on = "{point.costs_on}"'
            yield from ("costs = [", *(f"  {_format_costs(row)}," for row in point.costs), "]")


def _format_costs(costs: PointCosts) -> str:
    values = costs.model_dump(exclude_none=True)
    quoted = (f"{k} = {json.dumps(v)}" for k, v in values.items())
    return f"{{ {', '.join(quoted)} }}"


def main(arguments: Sequence[str]) -> None:
    """Write the costs of an evaluation into the manifest, and print them for the card."""
    parser = argparse.ArgumentParser(prog="python -m models.calcification.training costs")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True, help="results.json of an evaluation")
    options = parser.parse_args(arguments)
    results = json.loads(options.results.read_text("utf-8"))
    (part,) = results["parts"]
    counts = part["counts"]
    on = f"{results['set']['name']}: {counts['exams']} exams, {counts['views']} views"
    points = [
        point.model_copy(
            update={"costs_on": on, "costs": tuple(_read_costs(part["costs"], point.number))}
        )
        for point in load_manifest(options.manifest).operating_points
    ]
    text = replace_points(options.manifest.read_text("utf-8"), points)
    options.manifest.write_text(text, "utf-8")
    print("\n".join(tabulate(points)))


def _read_costs(rows: Sequence[dict[str, Any]], point: int) -> Iterator[PointCosts]:
    """Yield the costs of a point: of the held-out families, only those of the worst."""
    own = [
        PointCosts(
            exams=row["exams"],
            clusters=row["found"]["items"],
            found=row["found"]["value"],
            free_exams=row["unmarked"]["items"],
            false_marks=row["false_marks"]["value"],
            unmarked=row["unmarked"]["value"],
        )
        for row in rows
        if row["point"] == point
    ]
    families = [row for row in own if row.exams.startswith(HELD_OUT_FAMILY)]
    yield from (row for row in own if row not in families)
    if families:
        worst = min(families, key=lambda row: 1.0 if row.unmarked is None else row.unmarked)
        name = f"worst {HELD_OUT_FAMILY}({worst.exams.removeprefix(HELD_OUT_FAMILY)})"
        yield worst.model_copy(update={"exams": name})


def replace_points(text: str, points: Sequence[ManifestOperatingPoint]) -> str:
    """Return a manifest's text with other operating points."""
    pattern = r"\n\[\[operating_points\]\]\n.*?(?=^\[limits\]$)"
    found = re.search(pattern, text, flags=re.MULTILINE | re.DOTALL)
    if found is None:
        raise SystemExit("the manifest has no operating points before [limits]")
    lines = "\n".join(format_points(points))
    return f"{text[: found.start()]}{lines}\n\n{text[found.end() :]}"


def tabulate(points: Iterable[ManifestOperatingPoint]) -> Iterator[str]:
    """Yield what the points cost as a Markdown table."""
    yield "| point | shown from | exams | clusters found | marks an exam without | left unmarked |"
    yield "|---|---|---|---|---|---|"
    for point in points:
        least = point.minimum_certainty[MarkClass.CLUSTER]
        for row in point.costs:
            found = "-" if row.found is None else f"{row.found:.2f} of {row.clusters}"
            marks = "-" if row.false_marks is None else f"{row.false_marks:.2f}"
            unmarked = "-" if row.unmarked is None else f"{row.unmarked:.2f} of {row.free_exams}"
            yield f"| {point.name} | {least:g} | {row.exams} | {found} | {marks} | {unmarked} |"
