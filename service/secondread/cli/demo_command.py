"""`secondread demo`: the whole round trip on one machine."""

from pathlib import Path
from typing import Annotated

import typer
from pydicom.uid import UID
from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

from secondread import log
from secondread.app.reader import check_gate_names
from secondread.cli.options import OverriddenGates
from secondread.demo.round_trip import DemoOptions, DemoOutcome, run_demo
from secondread.track.states import StudyState

EXIT_INCOMPLETE, EXIT_NOTHING_TO_READ = 1, 3


def demonstrate(
    out: Annotated[Path, typer.Option(help="Folder for everything that the demo makes.")] = Path(
        "secondread-demo"
    ),
    exam: Annotated[
        Path | None,
        typer.Option(help="Send this folder of DICOM files instead of a simulated exam."),
    ] = None,
    overridden_gates: OverriddenGates = None,
    seconds: Annotated[float, typer.Option(help="How long to wait for results.")] = 300.0,
) -> None:
    """Send an exam and its prior through an archive and the node, and show what comes back.

    Exit status 0 when every expected object came back and parses, 3 when the node accepted
    nothing that could be read, 1 otherwise.
    """
    log.configure_logging("demo", "warning")
    # Without places in the program, which leave no room for a link on a line.
    console = Console(log_path=False)
    overrides = tuple(sorted(check_gate_names(overridden_gates or ())))
    with console.status("starting") as status:
        outcome = run_demo(
            DemoOptions(out, exam, overrides, seconds),
            lambda text: _show_progress(console, status, text),
        )
    _print(console, outcome)
    if all(study.detail.summary.state is StudyState.WITHOUT_IMAGES for study in outcome.studies):
        raise typer.Exit(EXIT_NOTHING_TO_READ)
    if any(study.faults for study in outcome.studies):
        raise typer.Exit(EXIT_INCOMPLETE)


def _show_progress(console: Console, status: Status, text: str) -> None:
    console.log(text)
    status.update(text)


def _print(console: Console, outcome: DemoOutcome) -> None:
    table = Table(
        "study of", "state", "outcome", "images", "shown", "seconds", "back at the archive"
    )
    for study in outcome.studies:
        summary = study.detail.summary
        held = f" ({summary.hold_reason.value})" if summary.hold_reason else ""
        table.add_row(
            str(summary.study_date or "-"),
            summary.state.value + held,
            summary.outcome.value if summary.outcome else "-",
            str(summary.images),
            str(summary.shown_findings),
            f"{study.seconds:.1f}" if study.seconds is not None else "-",
            f"{sum(path.suffix == '.dcm' for path in study.files)} objects",
        )
    console.print(table)
    for study in outcome.studies:
        for image in study.detail.images:
            if image.reasons:
                why = "; ".join(reason.sentence for reason in image.reasons)
                console.print(f"  {image.label}: {image.status or 'left out'}: {why}")
        for item in study.detail.other_objects:
            name = UID(item.sop_class_uid).name
            console.print(f"  {escape(name)}: {item.disposition.value}", highlight=False)
        for path in study.files:
            console.print(f"  {path}", soft_wrap=True, highlight=False, markup=False)
        for fault in study.faults:
            console.print(f"  [red]{escape(fault)}[/]", highlight=False)
    for refused in outcome.refused:
        console.print(
            f"  [red]not accepted[/] {escape(refused.path.name)}: {escape(refused.description)}",
            highlight=False,
        )
    console.print(
        f"  log of the node: {outcome.log_file}", soft_wrap=True, highlight=False, markup=False
    )
