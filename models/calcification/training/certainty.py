"""Certainty of clusters, score of exams and operating points of a model that is trained already.

    python -m models.calcification.training certainty --manifest FILE --work DIR [--processes 2]

The model reads the validation exams (`validation_exams`; stored in DIR, and read once). Their marks
are then grouped as the node groups them, each cluster is judged, and the tables are fitted anew:

- certainty of clusters: isotonic, over the score that a group has by its surest three members;
- score of the exam: isotonic, over the probability that any of its clusters is one;
- operating points: by false clusters an exam without a cluster.

The manifest's `[calibration]` and `[[operating_points]]` are written anew; the table of single
calcifications and all else stay. Needs no PyTorch.
"""

import argparse
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models.calcification.training.isotonic import JudgedMarks, find_certainty, fit_certainties
from models.calcification.training.validation_exams import read_validation_exams
from secondread.codes import MarkClass
from secondread.detect.manifest import Manifest, load_manifest
from secondread.findings.describe import describe_findings
from secondread.findings.finding import Finding
from secondread.findings.operating_point import OperatingPoint
from secondread_lab.judge.outcomes import ViewOutcome, score_image
from secondread_lab.judge.records import FoundCluster, ViewRecord
from secondread_lab.judge.rules import MarkOutcome

POINTS = ((1, "standard", 0.1, 50.0), (2, "sensitive", 0.75, 0.0), (3, "specific", 0.02, 50.0))
"""Number, name, wanted false clusters an exam without a cluster, and the certainty below which none
is marked whatever the rate: what is rather no cluster than one is for the sensitive point."""

_ALL = OperatingPoint(1, "all", 0.0)


@dataclass(frozen=True, slots=True)
class JudgedView:
    """A view whose clusters have their score, 0-100, for certainty."""

    exam: str
    outcome: ViewOutcome

    @property
    def is_free(self) -> bool:
        """Whether the view was read and has no cluster."""
        return self.outcome.cluster_free


def main(arguments: Sequence[str]) -> None:
    """Read, fit, and write the manifest."""
    parser = argparse.ArgumentParser(prog="python -m models.calcification.training certainty")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder of what was read")
    parser.add_argument("--exams", type=int, default=68, help="numbers to draw exams from")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(arguments)
    manifest = load_manifest(options.manifest)
    records = read_validation_exams(
        options.manifest, options.exams, options.work, options.processes
    )
    views = [judge_view(record, manifest) for record in records]
    text = "\n".join(format_tables(views, manifest))
    options.manifest.write_text(replace_tables(options.manifest.read_text("utf-8"), text), "utf-8")
    print(text)


def judge_view(record: ViewRecord, manifest: Manifest) -> JudgedView:
    """Group a view's marks anew, with the score of a cluster as its certainty, and judge them."""

    def calibrate(mark_class: MarkClass, score: float) -> float:
        is_cluster = mark_class is MarkClass.CLUSTER
        return 100 * score if is_cluster else manifest.calibrate(mark_class, score)

    image = record.image
    findings: tuple[Finding, ...] = ()
    if record.detection.status.was_read:
        findings = describe_findings(
            "V",
            record.detection.marks,
            image.spacing_mm,
            (image.rows, image.columns),
            calibrate,
            _ALL,
            manifest.groups,
        )
    clusters = tuple(
        FoundCluster.from_finding(finding, (1,))
        for finding in findings
        if finding.mark_class is MarkClass.CLUSTER
    )
    exam = record.key.split("/", maxsplit=1)[0]
    return JudgedView(exam, score_image(replace(record, clusters=clusters)))


def format_tables(views: Sequence[JudgedView], manifest: Manifest) -> Iterator[str]:
    """Yield the lines of calibration and operating points."""
    clusters = fit_certainties(_judge_clusters(views))
    exams = _group_exams(views)
    read = f"{len(exams)} simulated validation exams, {len(views)} views, in-domain vendors"
    scores = [_combine(exam, clusters) for exam in exams]
    holds = [any(view.outcome.has_target for view in exam) for exam in exams]
    by_exam = fit_certainties(JudgedMarks(np.array(scores), np.array(holds, np.bool_)), knots=6)
    yield from ("[calibration]", "calibrated = true", f'on = "{read}"')
    yield f"points = {[list(point) for point in manifest.calibration.points]}"
    yield from (f"exam = {by_exam}", "", "[calibration.by_class]", f"cluster = {clusters}")
    free = [exam for exam in exams if all(view.is_free for view in exam)]
    false = np.sort([score for exam in free for view in exam for score in _list_scores(view)])
    single_points = {point.number: point for point in manifest.operating_points}
    for number, name, rate, floor in POINTS:
        allowed = int(rate * len(free))
        limit = false[::-1][allowed] / 100 if allowed < len(false) else 0.0
        # Above the highest false cluster that is too many.
        least = max(round(find_certainty(clusters, limit) + 0.1, 1), floor)
        certainties = np.array([find_certainty(clusters, score / 100) for score in false])
        shown = int((np.round(certainties, 1) >= least).sum())
        free_views = sum(len(exam) for exam in free)
        others = {
            mark_class.value: certainty
            for mark_class, certainty in single_points[number].minimum_certainty.items()
            if mark_class is not MarkClass.CLUSTER
        }
        inside = ", ".join(
            f"{key} = {value}" for key, value in {"cluster": least, **others}.items()
        )
        yield from ("", "[[operating_points]]", f"number = {number}", f'name = "{name}"')
        if number == 1:
            yield "default = true"
        yield f"minimum_certainty = {{ {inside} }}"
        yield f"false_marks_per_image = {round(shown / free_views, 3)}"
        yield f'stated_on = "{free_views} views of {len(free)} exams without a cluster of the same"'


def replace_tables(text: str, tables: str) -> str:
    """Return a manifest's text with other tables of calibration and operating points."""
    before, rest = re.split(r"^\[calibration\]$", text, maxsplit=1, flags=re.MULTILINE)
    _, after = re.split(r"^(?=\[limits\]$)", rest, maxsplit=1, flags=re.MULTILINE)
    return f"{before}{tables}\n\n{after}"


def _judge_clusters(views: Sequence[JudgedView]) -> JudgedMarks:
    right = {MarkOutcome.HIT, MarkOutcome.BENIGN}
    pairs = [
        (cluster.certainty / 100, mark in right)
        for view in views
        for cluster, mark in zip(view.outcome.record.clusters, view.outcome.marks, strict=True)
        if mark in right or mark.is_false
    ]
    score, is_right = zip(*pairs, strict=True)
    return JudgedMarks(np.array(score), np.array(is_right, np.bool_))


def _group_exams(views: Sequence[JudgedView]) -> list[list[JudgedView]]:
    exams: dict[str, list[JudgedView]] = defaultdict(list)
    for view in views:
        exams[view.exam].append(view)
    return [exams[name] for name in sorted(exams)]


def _list_scores(view: JudgedView) -> list[float]:
    return [cluster.certainty for cluster in view.outcome.record.clusters]


def _combine(exam: Sequence[JudgedView], clusters: Sequence[Sequence[float]]) -> float:
    """Return how likely any cluster of an exam is one; see `findings.exam_score`."""
    certainties = [
        find_certainty(clusters, score / 100) / 100 for view in exam for score in _list_scores(view)
    ]
    return float(1.0 - np.prod([1.0 - certainty for certainty in certainties]))


if __name__ == "__main__":
    raise SystemExit("run it as: python -m models.calcification.training certainty")
