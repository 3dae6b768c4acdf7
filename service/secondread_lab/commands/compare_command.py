"""`secondread compare`: what changed between two exams, in words, numbers and pictures."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from secondread import __version__, log
from secondread.app.reader import check_gate_names, open_reader
from secondread.cli.offline_reader import open_offline_reader
from secondread.cli.options import OtherManifest, OverriddenGates
from secondread.cli.progress_bar import make_progress_bar
from secondread.errors import SettingsError
from secondread.findings.finding import ImageReading, StudyReading
from secondread.findings.findings_json import encode_image
from secondread.followup.comparison import find_doubts
from secondread.followup.comparison_json import encode_comparison, encode_view_pair
from secondread.followup.view_changes import RegisteredPair
from secondread.offline.input_files import gather_files
from secondread.offline.reader import OfflineReader
from secondread.offline.reading_plan import ReadingPlan
from secondread.report.pages.breast_panel import DrawnImage
from secondread.report.pages.compared_marks import describe_change
from secondread.report.pages.comparison_page import draw_comparison_pages, make_blink_pair
from secondread.settings import DetectSettings, FindingsSettings
from secondread_lab.judge import pair_benchmark
from secondread_lab.judge.pair_oracle import ORACLE_READER
from secondread_lab.judge.pair_runs import (
    BenchmarkModel,
    PairBenchmark,
    open_model,
    open_oracle,
)
from secondread_lab.judge.pairs import PITCH_MM

SCHEMA_VERSION = 1


def compare(
    current: Annotated[
        Path | None, typer.Argument(help="The exam: a DICOM file, or a folder of them.")
    ] = None,
    prior: Annotated[Path | None, typer.Argument(help="The earlier exam.")] = None,
    *,
    out: Annotated[Path, typer.Option(help="Folder for comparison.json and pictures.")],
    overridden_gates: OverriddenGates = None,
    manifest: OtherManifest = None,
    benchmark: Annotated[
        int | None,
        typer.Option(min=2, help="Instead: judge comparison on so many simulated pairs."),
    ] = None,
    limits: Annotated[
        int | None,
        typer.Option(min=2, help="Instead: measure repeatability limits on so many pairs."),
    ] = None,
    prior_model: Annotated[
        Path | None,
        typer.Option(
            help="With --benchmark: manifest of an older model, which read the priors before an "
            "upgrade; what its findings would serve for is reported too.",
            show_default=False,
        ),
    ] = None,
    oracle: Annotated[
        bool, typer.Option(help="Judge with marks made from the truth, not the detector's.")
    ] = False,
    halved: Annotated[
        bool,
        typer.Option(
            help="With --benchmark: every cluster is in two halves in one exam of its pair."
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the simulated pairs.")] = 1,
    processes: Annotated[
        int, typer.Option(min=1, help="Simulated pairs read at the same time.")
    ] = 1,
) -> None:
    """Read two exams with one model and say what changed; draw every view beside its prior.

    Writes comparison.json, a page for each view, and a pair of aligned pictures for each view
    with an animation that shows them in turns. Changes no settings and sends nothing.
    """
    log.configure_logging("compare", "warning")
    out.mkdir(parents=True, exist_ok=True)
    if prior_model is not None and (benchmark is None or oracle):
        raise SettingsError("--prior-model goes with --benchmark, and not with --oracle")
    if halved and benchmark is None:
        raise SettingsError("--halved goes with --benchmark")
    if benchmark is not None and limits is not None:
        raise SettingsError("--benchmark and --limits are two runs")
    if benchmark is not None or limits is not None:
        pairs = benchmark or limits or 0
        if oracle:
            model = BenchmarkModel(partial(open_oracle, seed), ORACLE_READER)
            run = PairBenchmark(seed, pairs, PITCH_MM, model, out, processes)
        else:
            run = _open_benchmark(seed, pairs, manifest, prior_model, out, processes)
        run = replace(run, halved=halved)
        measure = pair_benchmark.write_figures if limits is None else pair_benchmark.write_limits
        _measure_pairs(run, pairs, measure)
        return
    if current is None or prior is None:
        raise SettingsError("an exam and its prior are needed, or --benchmark, or --limits")
    detect = DetectSettings(manifest=manifest)
    _compare_exams(current, prior, detect, overridden_gates or [], out.resolve())


def _compare_exams(
    current: Path, prior: Path, detect: DetectSettings, gates: list[str], out: Path
) -> None:
    current_uid, prior_uid = _find_study(current), _find_study(prior)
    if current_uid == prior_uid:
        raise SettingsError(f"{current} and {prior} are of one study")
    inputs = gather_files([current, prior])
    earlier = inputs.describe_study(prior_uid)
    plan = ReadingPlan((current_uid,), {current_uid: (earlier,)})
    with (
        TemporaryDirectory() as work,
        open_offline_reader(inputs, plan, detect, Path(work), check_gate_names(gates)) as reader,
        make_progress_bar() as bar,
    ):
        task = bar.add_task("reading", total=len(inputs.paths))
        readings = reader.read_studies(lambda text: bar.update(task, advance=1, description=text))
        bar.update(task, description="comparing")
        prior_reading = readings[prior_uid]
        reading, (comparison,) = reader.compare(readings[current_uid], [prior_reading])
        _write_document(reading, prior_reading, out)
        pages = _draw_pages(reading, comparison.pairs, reader, out)
    _print(reading, pages)
    for doubt in find_doubts(readings[current_uid], prior_reading):
        Console().print(f"  beware: {doubt}", style="yellow", highlight=False)


def _find_study(path: Path) -> str:
    studies = list(gather_files([path]).studies)
    if len(studies) != 1:
        raise SettingsError(f"{path}: {len(studies)} studies, one is expected")
    return studies[0]


def _write_document(reading: StudyReading, prior: StudyReading, out: Path) -> None:
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "node_version": __version__,
        "model": asdict(reading.model),
        "study_uid": reading.study_uid,
        **encode_comparison(reading.comparisons[0]),
        "doubts": list(find_doubts(reading, prior)),
        "seen_in_both_views": [encode_view_pair(pair) for pair in reading.view_pairs],
        "images": [encode_image(image) for image in (*reading.images, *prior.images)],
    }
    path = out / "comparison.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _draw_pages(
    reading: StudyReading, pairs: Sequence[RegisteredPair], reader: OfflineReader, out: Path
) -> list[Path]:
    pages: list[Path] = []
    for image in reading.images:
        own = [pair for pair in pairs if pair.image.label == image.label]
        for number, pair in enumerate(own):
            drawn = _load_image(image, "Current", reader)
            prior = _load_image(pair.prior_image, "Prior", reader)
            stem = image.label + (f"-{number + 1}" if number else "")
            drawn_pages = draw_comparison_pages(drawn, prior, reading.comparisons[0])
            for page_number, page in enumerate(drawn_pages, start=1):
                suffix = f"-page-{page_number}" if page_number > 1 else ""
                pages.append(out / f"{stem}{suffix}.png")
                page.save(pages[-1])
            _write_blink_pictures(pair, drawn, prior, out / f"{stem}-blink")
    return pages


def _write_blink_pictures(
    pair: RegisteredPair, drawn: DrawnImage, prior: DrawnImage, stem: Path
) -> None:
    """Write a view and its prior, aligned, as two pictures and as an animation of both."""
    current, before = make_blink_pair(drawn.display, prior.display, pair.registration)
    current.save(f"{stem}-current.png")
    before.save(f"{stem}-prior.png")
    current.save(f"{stem}.gif", save_all=True, append_images=[before], duration=700, loop=0)


def _load_image(image: ImageReading, title: str, reader: OfflineReader) -> DrawnImage:
    header = image.mammogram
    day = f" {header.study_date:%Y-%m-%d}" if header.study_date else ""
    # Whether both are of one unit stands at the head of the page; its name would be cut off here.
    return DrawnImage(image, reader.load_display(header.sop_instance_uid), f"{title}{day}")


def _print(reading: StudyReading, pages: list[Path]) -> None:
    comparison = reading.comparisons[0]
    table = Table("finding", "against the prior", "where", box=None)
    for image in reading.images:
        for finding in image.shown_findings:
            change = comparison.find_change(image.mammogram.sop_instance_uid, finding.id)
            if change is not None:
                where = finding.position.words if finding.position else ""
                table.add_row(
                    finding.id, escape(describe_change(finding, change, comparison)), where
                )
    for change in comparison.missed:
        words = ", ".join(part for part in (change.kind.words, change.why_not) if part)
        table.add_row(f"prior {change.prior[0].finding_id}", escape(words), "")
    console = Console()
    console.print(table)
    for view in comparison.views:
        if view.why_not:
            console.print(f"  not compared: {escape(view.why_not)}", highlight=False)
    for page in pages:
        console.print(f"  {page}", soft_wrap=True, highlight=False, markup=False)


def _open_benchmark(
    seed: int, pairs: int, manifest: Path | None, older: Path | None, out: Path, processes: int
) -> PairBenchmark:
    def open_benchmark_model(path: Path | None) -> BenchmarkModel:
        detect = DetectSettings(manifest=path)
        opener = partial(open_model, path, partial(open_reader, detect), out)
        return BenchmarkModel(opener, open_reader(detect, FindingsSettings()))

    model = open_benchmark_model(manifest)
    older_model = None if older is None else open_benchmark_model(older)
    if older_model is not None and older_model.reader.model.digest == model.reader.model.digest:
        raise SettingsError(f"--prior-model {older} is the model that reads the current exams")
    return PairBenchmark(seed, pairs, None, model, out, processes, older_model)


def _measure_pairs(
    run: PairBenchmark, pairs: int, measure: Callable[[PairBenchmark, Callable[[], None]], str]
) -> None:
    with make_progress_bar() as bar:
        task = bar.add_task("pairs", total=pairs)
        text = measure(run, lambda: bar.update(task, advance=1))
    Console().print(text, soft_wrap=True, highlight=False, markup=False)
