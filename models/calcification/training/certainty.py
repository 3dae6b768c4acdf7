"""Certainty, score of exams, what is typically benign, and operating points of a finished model.

    python -m models.calcification.training certainty --manifest FILE --work DIR
        [--benign groups.benign.json] [--processes 2]

The model reads the validation exams (`validation_exams`; stored in DIR, and read once). Their marks
are then grouped as the node groups them, each cluster is judged, and the tables are fitted anew:

- certainty of single calcifications, and of clusters over the score that a group has by its surest
  three members: isotonic, with a tail above;
- what is typically benign: isotonic, over the share of the typically benign types of a cluster;
- score of the exam: isotonic with a tail, over the probability that any of its clusters is one;
- operating points: by marks on exams without a cluster (`operating_points`).

The manifest's `[calibration]` and `[[operating_points]]` are written anew; all else stays. Needs no
PyTorch. After a change of grouping or of graphs, run it again; then judge, and state what it costs:

    secondread evaluate --exams full --model FILE --out OUT
    python -m models.calcification.training costs --manifest FILE --results OUT/results.json
"""

import argparse
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models.calcification.training.isotonic import (
    FittedTable,
    JudgedMarks,
    fit_certainties,
    fit_with_tail,
)
from models.calcification.training.operating_points import (
    POINTS,
    STANDARD,
    find_minimum,
    format_points,
    list_costs,
    tabulate,
)
from models.calcification.training.validation_exams import read_validation_exams
from secondread.codes import MarkClass
from secondread.detect.groups import GroupTables
from secondread.detect.manifest import load_manifest
from secondread.detect.operating_points import ManifestOperatingPoint
from secondread.findings.describe import describe_findings
from secondread.findings.finding import Finding
from secondread.findings.operating_point import OperatingPoint
from secondread.findings.typically_benign import CalibrateBenign, mark_all
from secondread_lab.judge.bootstrap import draw_resamples
from secondread_lab.judge.outcomes import ViewOutcome, score_image
from secondread_lab.judge.records import FoundCluster, ViewRecord
from secondread_lab.judge.rules import MarkOutcome
from secondread_lab.judge.scored_exams import combine_views, is_free, list_exams, tabulate_costs
from secondread_lab.judge.scored_items import ScoredSet

BenignPairs = Sequence[tuple[float, bool]]
"""Of groups, the share of typically benign types, and whether each is of one."""

_RIGHT = frozenset({MarkOutcome.HIT, MarkOutcome.BENIGN})


@dataclass(frozen=True, slots=True)
class Fitted:
    """All tables of a calibration."""

    singles: FittedTable
    clusters: FittedTable
    exams: FittedTable
    benign: FittedTable | None
    """None where the exams hold too few typically benign clusters."""
    read: str
    """What they were fitted to, for people."""


def main(arguments: Sequence[str]) -> None:
    """Read, fit, and write the manifest."""
    parser = argparse.ArgumentParser(prog="python -m models.calcification.training certainty")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder of what was read")
    parser.add_argument("--exams", type=int, default=68, help="numbers to draw exams from")
    parser.add_argument("--benign", type=Path, help="pairs that the command `groups` has written")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(arguments)
    manifest = load_manifest(options.manifest)
    records = read_validation_exams(
        options.manifest, options.exams, options.work, options.processes
    )
    pairs = json.loads(options.benign.read_text("utf-8")) if options.benign else []
    fitted, part = fit_calibration(records, manifest.groups, pairs)
    points = set_points(part, manifest.operating_points)
    text = "\n".join((*format_calibration(fitted), *format_points(points)))
    options.manifest.write_text(replace_tables(options.manifest.read_text("utf-8"), text), "utf-8")
    print(text)
    print("\n".join(tabulate(points)))


def fit_calibration(
    records: Sequence[ViewRecord], groups: GroupTables, benign_pairs: BenignPairs = ()
) -> tuple[Fitted, ScoredSet]:
    """Return the tables that records give, and the records with the certainties of these tables.

    Parameters
    ----------
    records
        Of validation exams.
    groups
        The model's tables of groups.
    benign_pairs
        Of other groups, the share of typically benign types and whether each is of one.
    """
    singles = fit_with_tail(_judge_singles(records))
    clusters, scored = _fit_clusters(records, groups, singles)
    benign = fit_benign(scored, benign_pairs)

    def calibrate(mark_class: MarkClass, score: float) -> float:
        return (clusters if mark_class is MarkClass.CLUSTER else singles).calibrate(score)

    calibrate_benign = mark_all if benign is None else benign.calibrate
    views = (judge_view(record, groups, calibrate, calibrate_benign) for record in records)
    part = ScoredSet.from_views(views, frozenset())
    exams = list_exams(part)
    scores = [combine_views(views) for _, views in exams]
    holds = [any(view.has_target for view in views) for _, views in exams]
    by_exam = fit_with_tail(JudgedMarks(np.array(scores), np.array(holds, np.bool_)), knots=6)
    read = f"{len(exams)} simulated validation exams, {len(records)} views, in-domain vendors"
    return Fitted(singles, clusters, by_exam, benign, read), part


def _fit_clusters(
    records: Sequence[ViewRecord], groups: GroupTables, singles: FittedTable
) -> tuple[FittedTable, list[ViewOutcome]]:
    """Return the table of clusters, and the views with the scores that it was fitted to."""

    def score(mark_class: MarkClass, value: float) -> float:
        return 100 * value if mark_class is MarkClass.CLUSTER else singles.calibrate(value)

    views = [judge_view(record, groups, score, mark_all) for record in records]
    return fit_with_tail(_judge_clusters(views)), views


def judge_view(
    record: ViewRecord,
    groups: GroupTables,
    calibrate: Callable[[MarkClass, float], float],
    calibrate_benign: CalibrateBenign,
) -> ViewOutcome:
    """Group a view's marks anew, and judge its clusters."""
    image = record.image
    findings: tuple[Finding, ...] = ()
    if record.detection.status.was_read:
        findings = describe_findings(
            "V",
            record.detection.marks,
            image.spacing_mm,
            (image.rows, image.columns),
            calibrate,
            OperatingPoint(1, "all", 0.0, calibrate_benign),
            groups,
        )
    clusters = tuple(
        FoundCluster.from_finding(finding, ())
        for finding in findings
        if finding.mark_class is MarkClass.CLUSTER
    )
    return score_image(replace(record, clusters=clusters))


def fit_benign(views: Sequence[ViewOutcome], others: BenignPairs = ()) -> FittedTable | None:
    """Return the table of what is typically benign; None without clusters of both kinds.

    Of clusters that are there, and of those that are really a vessel or skin. One suspicious
    cluster more, that looks as benign as can be, stands for those that these exams do not hold.
    """
    pairs = [*others, *_list_benign(views)]
    if len({is_benign for _, is_benign in pairs}) < 2:
        return None
    share, is_benign = zip(*pairs, (1.0, False), strict=True)
    marks = JudgedMarks(np.array(share, np.float64), np.array(is_benign, np.bool_))
    return FittedTable(fit_certainties(marks, knots=8), None)


def _list_benign(views: Sequence[ViewOutcome]) -> list[tuple[float, bool]]:
    return [
        (cluster.benign_share, outcome is not MarkOutcome.HIT)
        for view in views
        for cluster, outcome in zip(view.record.clusters, view.marks, strict=True)
        if cluster.benign_share is not None
        and outcome in {*_RIGHT, MarkOutcome.VASCULAR, MarkOutcome.SKIN}
    ]


def set_points(
    part: ScoredSet, before: Sequence[ManifestOperatingPoint]
) -> list[ManifestOperatingPoint]:
    """Return the operating points that judged views give, with their costs.

    Parameters
    ----------
    part
        The views.
    before
        The points so far, whose certainties of other classes stay.
    """
    exams = list_exams(part)
    free = [views for _, views in exams if is_free(views)]
    marks = [_list_certainties(views) for views in free]
    least = {p.number: find_minimum(p, marks, [len(views) >= 4 for views in free]) for p in POINTS}
    shown = _show_at(part, least)
    draws = draw_resamples(len(shown.patients), 100)
    rows = list(tabulate_costs(shown, list_exams(shown), list(least), draws))
    views = sum(len(exam) for exam in free)
    others = {point.number: point.minimum_certainty for point in before}
    on = f"{len(exams)} validation exams, {len(part.views)} views, in-domain vendors"
    return [
        ManifestOperatingPoint(
            number=point.number,
            name=point.name,
            minimum_certainty={**others[point.number], MarkClass.CLUSTER: least[point.number]},
            false_marks_per_image=round(_count_from(marks, least[point.number]) / views, 3),
            stated_on=f"{views} views of {len(free)} exams without a cluster of the same",
            costs_on=on,
            costs=list_costs(rows, point.number),
            default=point is STANDARD,
        )
        for point in POINTS
    ]


def _count_from(exams: Sequence[Sequence[float]], least: float) -> int:
    return sum(certainty >= least for exam in exams for certainty in exam)


def _list_certainties(views: Sequence[ViewOutcome]) -> list[float]:
    return [c.certainty for v in views for c in v.record.clusters if not c.is_set_aside]


def _show_at(part: ScoredSet, least: dict[int, float]) -> ScoredSet:
    """Return the views whose clusters are shown from certain certainties on, by point."""

    def show(cluster: FoundCluster) -> FoundCluster:
        at = (n for n, limit in least.items() if cluster.certainty >= limit)
        return replace(cluster, shown_at=() if cluster.is_set_aside else tuple(at))

    records = (view.record for view in part.views)
    shown = (replace(r, clusters=tuple(map(show, r.clusters))) for r in records)
    return ScoredSet.from_views(map(score_image, shown), part.held_out)


def format_calibration(fitted: Fitted) -> Iterator[str]:
    """Yield the lines of `[calibration]`."""
    yield from ("[calibration]", "calibrated = true", f'on = "{fitted.read}"')
    for name, table in (("", fitted.singles), ("exam", fitted.exams), ("benign", fitted.benign)):
        if table is not None:
            yield f"{name or 'points'} = {table.points}"
            if table.tail is not None:
                yield f"{f'{name}_tail'.removeprefix('_')} = {table.format_tail()}"
    yield from ("", "[calibration.by_class]", f"cluster = {fitted.clusters.points}")
    if fitted.clusters.tail is not None:
        yield from ("", "[calibration.tail_by_class]")
        yield f"cluster = {fitted.clusters.format_tail()}"


def replace_tables(text: str, tables: str) -> str:
    """Return a manifest's text with other tables of calibration and operating points."""
    before, rest = re.split(r"^\[calibration\]$", text, maxsplit=1, flags=re.MULTILINE)
    _, after = re.split(r"^(?=\[limits\]$)", rest, maxsplit=1, flags=re.MULTILINE)
    return f"{before}{tables}\n\n{after}"


def _judge_singles(records: Sequence[ViewRecord]) -> JudgedMarks:
    singles = [score_image(replace(record, clusters=())).singles for record in records]
    true, false = (np.concatenate([getattr(s, n) for s in singles]) for n in ("true", "false"))
    right = np.concatenate([np.ones(len(true), np.bool_), np.zeros(len(false), np.bool_)])
    return JudgedMarks(np.concatenate([true, false]), right)


def _judge_clusters(views: Sequence[ViewOutcome]) -> JudgedMarks:
    pairs = [
        (cluster.certainty / 100, mark in _RIGHT)
        for view in views
        for cluster, mark in zip(view.record.clusters, view.marks, strict=True)
        if mark in _RIGHT or mark.is_false
    ]
    score, is_right = zip(*pairs, strict=True)
    return JudgedMarks(np.array(score), np.array(is_right, np.bool_))


if __name__ == "__main__":
    raise SystemExit("run it as: python -m models.calcification.training certainty")
