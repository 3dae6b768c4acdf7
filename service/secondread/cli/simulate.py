"""`secondread simulate`: follow-up exams with known truth."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from secondread.clock import utc_now


def simulate(
    out: Annotated[Path, typer.Option(help="Folder for the exams, one folder each.")],
    exams: Annotated[int, typer.Option(min=1, help="How many.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Anatomy seed of the first exam.")] = 7,
    day: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="Study date. Default: today."),
    ] = None,
    pitch_mm: Annotated[
        float | None, typer.Option(min=0.04, max=1.0, help="Pixel pitch; large ones are quick.")
    ] = None,
) -> None:
    """Simulate four-view follow-up exams of a treated breast, each with its prior.

    Writes DICOM files, `truth.csv`, masks and `treatments.csv`. The same options give the same
    files.
    """
    from secondread.simulate.exam import ExamSpec, Seeds, write_exam

    study_date = (day.replace(tzinfo=UTC) if day is not None else utc_now().astimezone()).date()
    console = Console()
    with Progress(
        TextColumn("{task.description:>24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("simulating", total=8 * exams)
        for number in range(exams):
            spec = replace(
                ExamSpec.demo(study_date),
                seeds=Seeds(anatomy=seed + number, history=3 + number, acquisition=5 + number),
                pitch_mm=pitch_mm,
            )
            folder = out / f"exam-{number + 1:03d}"
            write_exam(spec, folder, lambda text: bar.update(task, advance=1, description=text))
            console.print(str(folder), soft_wrap=True, highlight=False)
