"""The figures as Markdown tables."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from secondread_lab.judge import rules
from secondread_lab.judge.agreement import Confusion
from secondread_lab.judge.bootstrap import Estimate
from secondread_lab.judge.calibration import Reliability
from secondread_lab.judge.figures import EvaluationCounts, GroupRow, PartFigures
from secondread_lab.judge.reading_order import RANKS

Line = str


def format_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[Line]:
    """Return the lines of a table.

    >>> list(format_table(("a", "b"), [(1, "x|y")]))
    ['| a | b |', '|---|---|', '| 1 | x/y |', '']
    """
    yield _format_row(heads)
    yield "|" + "---|" * len(heads)
    for cells in rows:
        yield _format_row(cells)
    yield ""


def _format_row(cells: Sequence[object]) -> Line:
    return (
        "| " + " | ".join(str(cell).replace("|", "/").replace("\n", " ") for cell in cells) + " |"
    )


def format_counts(counts: EvaluationCounts) -> Iterator[Line]:
    """Return the numbers of the items behind the figures."""
    yield from format_table(
        ("what", "number"),
        [
            ("patients", counts.patients),
            ("exams", counts.exams),
            ("views, of them read", f"{counts.views}, {counts.views_read}"),
            ("not read, by reason", _format_counts(counts.not_read)),
            ("read in spite of a doubt, by reason", _format_counts(counts.flagged)),
            ("views without clusters, of those read", counts.cluster_free_views),
            ("clusters to be found, over all views", counts.target_clusters),
            ("typically benign clusters", counts.benign_clusters),
            ("clusters too faint to be expected", counts.faint_clusters),
            ("visible calcifications", counts.visible_calcifications),
            ("calcifications too faint to be expected", counts.faint_calcifications),
            ("breast read, cm2", f"{counts.breast_cm2:.0f}"),
            ("truth rows of other kinds, ignored", _format_counts(counts.other_rows)),
        ],
    )


def _format_counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in sorted(counts.items())) or "none"


def format_points(part: PartFigures) -> Iterator[Line]:
    """Return the performance of each operating point."""
    yield from format_table(
        (
            "operating point",
            "found per view",
            "found in either view",
            "false a view without clusters",
            "exams without clusters that stay unmarked",
            "in both / one / none of two views",
        ),
        [
            (
                f"{row.number} {row.name}{' (default)' if row.default else ''}",
                row.hit,
                row.case,
                row.false_per_view,
                row.free_exams_unmarked,
                f"{row.two_views.both} / {row.two_views.one} / {row.two_views.none}",
            )
            for row in part.points
        ],
    )
    yield from format_table(
        (
            "operating point",
            "marks an exam without clusters",
            "priority of recurrence-like marks against others, area under the curve",
            "exams whose first mark is the recurrence-like cluster",
        ),
        [
            (
                f"{row.number} {row.name}",
                row.order.marks_per_free_exam,
                row.order.priority_auc,
                row.order.worst_first,
            )
            for row in part.points
        ],
    )


def format_costs(part: PartFigures) -> Iterator[Line]:
    """Return what each operating point costs by exam."""
    names = {row.number: row.name for row in part.points}
    yield from format_table(
        (
            "operating point",
            "exams",
            "clusters found, of",
            "marks an exam without clusters",
            "exams without clusters that stay unmarked, of",
        ),
        [
            (
                f"{row.point} {names[row.point]}",
                row.exams,
                f"{row.found}, {row.found.items}",
                row.false_marks,
                f"{row.unmarked}, {row.unmarked.items}",
            )
            for row in part.costs
        ],
    )


def format_worst_ranks(part: PartFigures) -> Iterator[Line]:
    """Return the rank of the worst cluster within its exam."""
    yield from format_table(
        ("operating point", *(f"worst cluster is {rank}" for rank in RANKS)),
        [
            (f"{row.number} {row.name}", *(row.order.worst_ranks[rank] for rank in RANKS))
            for row in part.points
        ],
    )


def format_set_aside(part: PartFigures) -> Iterator[Line]:
    """Return which clusters are left unmarked as typically benign."""
    yield from format_table(
        ("visible clusters", "left unmarked as typically benign", "clusters"),
        [(row.clusters, row.share, row.share.items) for row in part.set_aside],
    )


def format_rates(part: PartFigures) -> Iterator[Line]:
    """Return clusters found at each rate of false ones, by domain and by criterion."""
    yield from format_table(
        ("images", "false a view", "found", "centre alone", "overlap alone", "in either view"),
        [
            (curve.domain, f"{row.false_per_view:g}", row.hit, row.centre, row.overlap, row.case)
            for curve in part.clusters
            for row in curve.at
        ],
    )
    ends = ", ".join(f"{c.domain} {c.curve.ends_at:.2f}" for c in part.clusters)
    yield f"The model gives no candidates beyond this many false clusters a view: {ends}."
    yield ""


def format_groups(rows: Sequence[GroupRow]) -> Iterator[Line]:
    """Return one table for each facet."""
    for facet, inside in groupby(rows, key=lambda row: row.facet):
        yield from format_table(
            (
                facet,
                f"found at {rules.HEADLINE_RATE:g} false a view",
                "at the default operating point",
                "clusters",
                "patients",
            ),
            [
                (
                    row.label.replace("_", " "),
                    row.at_rate,
                    row.at_point,
                    row.at_rate.items,
                    row.at_rate.patients,
                )
                for row in inside
            ],
        )


def format_singles(part: PartFigures) -> Iterator[Line]:
    """Return single calcifications found at each rate of false marks."""
    yield from format_table(
        (
            "calcifications",
            *(f"at {rate:g} false a cm2" for rate in rules.SINGLE_RATES),
            "number",
        ),
        [
            (
                "all" if row.facet == "all" else f"{row.facet} {row.label}",
                *row.at,
                row.at[0].items,
            )
            for row in part.singles
        ],
    )


def format_false_clusters(part: PartFigures) -> Iterator[Line]:
    """Return false clusters by group of views."""
    yield from format_table(
        ("views without clusters", "false a view", "views", "patients"),
        [
            (f"{r.facet}: {r.label}", r.per_view, r.per_view.items, r.per_view.patients)
            for r in part.false_groups
        ],
    )


def format_objects(part: PartFigures) -> Iterator[Line]:
    """Return how often metal, vessels and skin are marked as clusters."""
    yield from format_table(
        ("object", "operating point", "views that hold one", "share with a cluster mark on one"),
        [(row.kind, row.point, row.views, row.share) for row in part.objects],
    )


def format_confusion(name: str, confusion: Confusion) -> Iterator[Line]:
    """Return descriptors against the truth."""
    if not confusion.count:
        yield f"No {name} was described."
        yield ""
        return
    words = [label.replace("_", " ") for label in confusion.labels]
    yield from format_table(
        (f"{name}: true, across: described", *words),
        [(word, *cells) for word, cells in zip(words, confusion.table, strict=True)],
    )
    yield (
        f"First choice right {_format_share(confusion.first)}, one of the first two "
        f"{_format_share(confusion.either)}, kappa {_format_share(confusion.kappa)} "
        f"({confusion.count} found)."
    )
    yield ""


def _format_share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def format_reliability(name: str, reliability: Reliability) -> Iterator[Line]:
    """Return stated against observed certainty."""
    if not reliability.count:
        return
    yield from format_table(
        (f"certainty of {name}", "number", "stated", "observed"),
        [
            (f"{b.low:.1f}-{b.high:.1f}", b.count, f"{b.stated:.2f}", f"{b.observed:.2f}")
            for b in reliability.bins
        ],
    )
    yield (
        f"Expected calibration error {_format_share(reliability.ece)}, "
        f"Brier score {_format_share(reliability.brier)}, of {reliability.count}."
    )
    yield ""


def format_estimate(estimate: Estimate) -> str:
    """Return an estimate with the number of patients behind it."""
    return f"{estimate} ({estimate.items}, {estimate.patients} patients)"
