"""`secondread evaluate`: how well a model finds what is known to be there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import TimeRemainingColumn
from rich.table import Table

from secondread import log
from secondread.app.reader import open_reader
from secondread.cli.progress_bar import make_progress_bar
from secondread.codes import MarkClass
from secondread.detect.manifest import load_manifest
from secondread.errors import SettingsError
from secondread.settings import DetectSettings, FindingsSettings
from secondread_lab.judge.evaluation_run import EvaluationRun, read_images
from secondread_lab.judge.hybrid import make_hybrid_set
from secondread_lab.judge.image_sources import TestSet, make_simulated_set, read_folder_set
from secondread_lab.judge.report import write_report
from secondread_lab.judge.results_json import Evaluation, evaluate_records, write_results
from secondread_lab.judge.scored_model import ModelPoint, ScoredModel


class ExamsChoice(StrEnum):
    """Sets of test exams that come with the package."""

    DAILY = "daily"
    FULL = "full"
    HYBRID = "hybrid"


def evaluate(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="DICOM files, or folders of them.")
    ] = None,
    *,
    out: Annotated[Path, typer.Option(help="Folder for tables, pictures and what was read.")],
    truth: Annotated[
        list[Path] | None,
        typer.Option(help="Truth table (CSV) of the images. Repeatable.", show_default=False),
    ] = None,
    exams: Annotated[
        ExamsChoice | None,
        typer.Option(
            help="Test exams in place of a folder: simulated ones, or simulated clusters in the "
            "real images of --real.",
            show_default=False,
        ),
    ] = None,
    real: Annotated[
        Path | None,
        typer.Option(help="Folder of real exams, for the hybrid ones.", show_default=False),
    ] = None,
    background: Annotated[
        list[str] | None,
        typer.Option(
            help="File or folder in --real that the model saw in training; reported apart. "
            "Repeatable.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="Manifest of another model than the one in force.", show_default=False),
    ] = None,
    held_out: Annotated[
        list[str] | None,
        typer.Option(
            help="Vendor family of the folder that the model never saw. Repeatable.",
            show_default=False,
        ),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Images read at the same time.")] = 1,
    resamples: Annotated[
        int, typer.Option(min=100, help="Bootstrap resamples behind each interval.")
    ] = 1000,
) -> None:
    """Measure a model against images of known truth: tables, curves and contact sheets.

    Either folders with --truth, or --exams. The same command goes on where it stopped. Exit
    status 1 when there was something wrong with the inputs; it is listed, and the rest is scored.
    """
    log.configure_logging("evaluate", "error")
    if (exams is None) == (not folders):
        raise SettingsError("evaluate: name either folders with --truth, or --exams")
    if exams is None:
        test_set = _open_folders(folders or [], truth or [], frozenset(held_out or ()))
    else:
        test_set = _open_exams(exams, real, tuple(background or ()))
    manifest = load_manifest(model)
    opener = partial(open_reader, DetectSettings(manifest=model))
    run = EvaluationRun(manifest, model, opener, out, processes)
    total = sum(len(source.keys) for source in test_set.sources)
    with _show_progress(total) as progress:
        records = read_images(test_set, run, progress)
    reader = opener(FindingsSettings())
    evaluation = evaluate_records(
        test_set,
        records,
        reader.model,
        ScoredModel(
            tuple(ModelPoint(p.number, p.name, p.default) for p in manifest.operating_points),
            partial(manifest.calibrate, MarkClass.CALCIFICATION),
            manifest.calibration.calibrate_exam,
        ),
        resamples,
    )
    write_results(evaluation, out / "results.json")
    write_report(evaluation, records, out)
    _print(evaluation, out)
    if test_set.faults:
        raise typer.Exit(1)


def _open_folders(folders: list[Path], truth: list[Path], held_out: frozenset[str]) -> TestSet:
    if not truth:
        raise SettingsError("evaluate: --truth names the table of what is in the images")
    return read_folder_set(folders, truth, held_out)


def _open_exams(exams: ExamsChoice, real: Path | None, background: tuple[str, ...]) -> TestSet:
    if exams is not ExamsChoice.HYBRID:
        return make_simulated_set("daily" if exams is ExamsChoice.DAILY else "full")
    if real is None:
        raise SettingsError("evaluate: --real names the folder of real exams for hybrid ones")
    return make_hybrid_set(real, background)


@contextmanager
def _show_progress(total: int) -> Iterator[Callable[[str, int], None]]:
    """Show a bar on standard error, outside a terminal a line for every image."""
    console = Console(stderr=True)
    with make_progress_bar(TimeRemainingColumn(), disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=total)

        def show(what: str, done: int) -> None:
            bar.update(task, completed=done, description=escape(what[-24:]) or "reading")
            if what and not console.is_terminal:
                console.print(f"{done}/{total} {what}", markup=False, highlight=False)

        yield show


def _print(evaluation: Evaluation, out: Path) -> None:
    console = Console()
    for part in evaluation.parts:
        table = Table(
            "operating point", "clusters found", "false a view", box=None, title=part.name
        )
        for row in part.points:
            table.add_row(f"{row.number} {row.name}", str(row.hit), str(row.false_per_view))
        rates = Table("false clusters a view", "clusters found", "in either view", box=None)
        for rate in part.clusters[0].at:
            rates.add_row(f"{rate.false_per_view:g}", str(rate.hit), str(rate.case))
        console.print(table)
        console.print(rates)
    for fault in evaluation.test_set.faults:
        Console(stderr=True).print(f"wrong: {fault}", markup=False, highlight=False)
    console.print(str(out / "report.md"), markup=False, highlight=False, soft_wrap=True)
