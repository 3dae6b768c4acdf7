"""The figures of comparison as a section for the model card."""

from collections.abc import Mapping

from secondread_lab.judge.bootstrap import Estimate
from secondread_lab.judge.pair_scores import PairFigures, PriorSide


def format_card(on: str, sides: Mapping[PriorSide, PairFigures], older: str | None) -> str:
    """Return the figures as Markdown.

    Parameters
    ----------
    on
        Pairs and model, for people.
    sides
        The figures by the reading of the prior.
    older
        The model that read the priors before the upgrade, for people; None without one.
    """
    again = sides[PriorSide.READ_AGAIN]
    lines = [
        "## Comparison with the prior",
        "",
        f"On {on}. Clusters that were shown; 95 % intervals by drawing patients.",
        "",
        "| figure | value | clusters |",
        "|---|---|---|",
        *(f"| {name} | {figure} | {figure.items} |" for name, figure in _list_figures(again)),
        *_format_table(again),
    ]
    if older is not None:
        lines += _format_upgrade(
            older, again, sides[PriorSide.STORED], sides[PriorSide.STORED_COMPARED]
        )
    return "\n".join(lines) + "\n"


def _list_figures(result: PairFigures) -> list[tuple[str, Estimate]]:
    return [
        ("word of change right", result.words_right),
        ("sensitivity for new", result.new_sensitivity),
        ("specificity for new", result.new_specificity),
        ("sensitivity for increased", result.increased_sensitivity),
        ("specificity for increased", result.increased_specificity),
        ("false new per exam", result.false_new_per_exam),
        ("sensitivity for gone", result.gone_sensitivity),
        ("false gone per exam", result.false_gone_per_exam),
        ("localisation error, mm (mean)", result.localisation_mm),
        ("not comparable, share", result.not_comparable),
        ("priority of recurrence-like marks against others, AUC", result.priority_auc),
    ]


def _format_table(result: PairFigures) -> list[str]:
    lines = ["", "| truth | reported |", "|---|---|"]
    for truth, counts in sorted(result.table.items()):
        words = ", ".join(f"{verdict} {count}" for verdict, count in sorted(counts.items()))
        lines.append(f"| {truth} | {words} |")
    return lines


def _format_upgrade(
    older: str, again: PairFigures, stored: PairFigures, compared: PairFigures
) -> list[str]:
    lines = [
        "",
        "### After a model upgrade between prior and current",
        "",
        f"The priors were first read by {older}. Where the prior's images can be had, the node "
        "reads them again with the present model, and the figures are those above. Where they "
        "cannot, it compares nothing with an older model's findings: that is the second column. "
        "The third is what it would report if it did; that is never shown to anybody.",
        "",
        "| figure | prior read again | older findings, as the node does it "
        "| older findings compared all the same |",
        "|---|---|---|---|",
    ]
    for row in zip(
        _list_figures(again), _list_figures(stored), _list_figures(compared), strict=True
    ):
        values = " | ".join(f"{figure} (n {figure.items})" for _, figure in row)
        lines.append(f"| {row[0][0]} | {values} |")
    return [*lines, *_format_table(compared)]
