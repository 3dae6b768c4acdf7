"""`report.md`: the results of an evaluation for people, with its pictures."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from secondread import __version__
from secondread_lab.judge import rules, tables
from secondread_lab.judge.figures import PartFigures
from secondread_lab.judge.plots import draw_plots
from secondread_lab.judge.records import ViewRecord
from secondread_lab.judge.results_json import Evaluation
from secondread_lab.judge.sheets import draw_sheets

_LISTED = 50


def write_report(evaluation: Evaluation, records: Sequence[ViewRecord], out: Path) -> None:
    """Write the report and its pictures into a folder; pictures of earlier reports are deleted."""
    for stale in out.glob("*.png"):
        stale.unlink()
    lines = list(_write_head(evaluation))
    for part in evaluation.parts:
        prefix = "" if len(evaluation.parts) == 1 else f"{part.name}-"
        pictures = draw_plots(part, out, prefix)
        mine = [r for r in records if (r.image.subset or "all") == part.name]
        sheets = draw_sheets(mine, out / "crops", out, prefix)
        lines += _write_part(part, pictures, sheets)
    (out / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_head(evaluation: Evaluation) -> Iterator[str]:
    model, test_set = evaluation.model, evaluation.test_set
    yield f"# {model.name} {model.version} on {test_set.name}"
    yield ""
    yield (
        f"Model {model.digest[:16]}, operating point {model.operating_point}, certainty "
        f"{'calibrated' if model.calibrated else 'not calibrated'}; secondread {__version__}, "
        f"scoring rules {rules.SCORING}. Figures in brackets are 95 % intervals from "
        f"{evaluation.resamples} resamples of patients."
    )
    yield ""
    yield (
        f"A cluster is to be found if {rules.VISIBLE_MEMBERS} of its calcifications have a "
        f"contrast of {rules.VISIBLE_CNR:g} times the noise or more. A mark finds it if its "
        f"centre lies in the reference box or within {rules.CENTRE_MARGIN_MM:g} mm of it, and "
        f"either the boxes overlap by {rules.MINIMUM_IOU:g} or {rules.MATCHED_MEMBERS} members "
        "match. False clusters are counted on views without any cluster."
    )
    yield ""
    for title, entries in (
        ("Wrong with the inputs", test_set.faults),
        ("Images without a truth row, not scored", test_set.unannotated),
        ("Images that are not those of the frozen record", evaluation.differing),
    ):
        if entries:
            yield f"**{title}: {len(entries)}**"
            yield ""
            yield from (f"- {entry}" for entry in entries[:_LISTED])
            yield ""


def _write_part(
    part: PartFigures, pictures: dict[str, str], sheets: dict[str, str]
) -> Iterator[str]:
    yield f"## {part.name}"
    yield ""
    yield from tables.format_counts(part.counts)
    yield from _write_section("Operating points", _write_points(part))
    yield from _write_section("Clusters by rate of false ones", tables.format_rates(part))
    yield from _show_picture(pictures, "clusters")
    yield from _write_section("Clusters by group", _write_groups(part, pictures))
    yield from _write_section("Typically benign clusters", _write_benign(part))
    yield from _write_section("False clusters", tables.format_false_clusters(part))
    yield from _write_section("Metal, vessels and skin", tables.format_objects(part))
    yield from _write_section("Single calcifications", tables.format_singles(part))
    yield from _show_picture(pictures, "singles")
    yield from _write_section("Descriptors", _write_descriptors(part))
    yield from _write_section("Certainty", _write_certainty(part, pictures))
    yield from _write_section("Exams and time", _write_exams(part))
    yield from _write_section("Contact sheets", _write_sheets(sheets))


def _write_section(title: str, lines: Iterator[str]) -> Iterator[str]:
    yield f"### {title}"
    yield ""
    yield from lines


def _show_picture(pictures: dict[str, str], name: str) -> Iterator[str]:
    if name in pictures:
        yield f"![{name}]({pictures[name]})"
        yield ""


def _write_groups(part: PartFigures, pictures: dict[str, str]) -> Iterator[str]:
    if part.worst is not None:
        worst = part.worst
        yield (
            f"Worst: {worst.facet} {worst.label.replace('_', ' ')}, "
            f"{tables.format_estimate(worst.at_rate)} at {rules.HEADLINE_RATE:g} false clusters "
            "a view."
        )
        yield ""
    yield from _show_picture(pictures, "morphology")
    yield from tables.format_groups(part.groups)


def _write_points(part: PartFigures) -> Iterator[str]:
    yield from tables.format_points(part)
    yield from tables.format_costs(part)
    yield "The worst cluster of an exam, by its true type, among the marks in their order:"
    yield ""
    yield from tables.format_worst_ranks(part)


def _write_benign(part: PartFigures) -> Iterator[str]:
    yield "Neither needed nor false; marks on them are counted here alone."
    yield ""
    yield from tables.format_groups(part.benign)
    yield from tables.format_set_aside(part)


def _write_descriptors(part: PartFigures) -> Iterator[str]:
    yield from tables.format_confusion("morphology", part.morphology)
    yield from tables.format_confusion("distribution", part.distribution)


def _write_certainty(part: PartFigures, pictures: dict[str, str]) -> Iterator[str]:
    yield from _show_picture(pictures, "reliability")
    yield from tables.format_reliability("clusters", part.cluster_reliability)
    yield from tables.format_reliability("single calcifications", part.single_reliability)


def _write_exams(part: PartFigures) -> Iterator[str]:
    seconds = part.seconds
    yield (
        "Exams with a cluster to be found against exams without any cluster, by their most "
        f"certain mark: area under the curve {tables.format_estimate(part.exam_auc)}; by the score "
        f"of the exam: {tables.format_estimate(part.exam_scores.auc)}."
    )
    yield ""
    yield from tables.format_reliability("exams", part.exam_scores.reliability)
    if seconds.median is not None and seconds.p95 is not None:
        yield (
            f"From file to marks: median {seconds.median:.2f} s, 95th percentile "
            f"{seconds.p95:.2f} s, over {seconds.views} views."
        )
        yield ""


def _write_sheets(sheets: dict[str, str]) -> Iterator[str]:
    for kind, file in sheets.items():
        yield f"**{kind}**: solid the mark, dashed the truth; stored pixels, one to one."
        yield ""
        yield f"![{kind}]({file})"
        yield ""
