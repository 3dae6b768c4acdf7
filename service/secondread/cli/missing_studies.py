"""How missing studies are shown on the command line."""

from collections.abc import Sequence

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from secondread.track.summaries import ArrivalCheckSummary, MissingStudySummary
from secondread.watch.missing_studies import write_missing_json


def print_missing(
    studies: Sequence[MissingStudySummary],
    checks: Sequence[ArrivalCheckSummary],
    *,
    as_json: bool,
) -> None:
    """Print the studies that never arrived, and when the archives were asked for them."""
    if as_json:
        typer.echo(write_missing_json(studies, checks))
        return
    table = Table(box=None)
    table.add_column("study", no_wrap=True, overflow="ignore")
    for heading in ("date", "archive", "listed since", "ignored"):
        table.add_column(heading)
    for study in studies:
        ignored = f"{study.ignored_by}: {study.ignore_reason}" if study.ignored_at else ""
        table.add_row(
            escape(study.study_uid),
            str(study.study_date),
            study.source,
            f"{study.first_listed_at:%Y-%m-%d %H:%M}",
            escape(ignored),
        )
    console = Console()
    console.print(table)
    for check in checks:
        console.print(escape(check.describe()), soft_wrap=True)
