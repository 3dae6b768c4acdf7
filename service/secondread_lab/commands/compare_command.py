"""`secondread compare`: what changed between two exams, in words, numbers and pictures."""

import json
import uuid
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from secondread import __version__, log
from secondread.cli.progress_bar import make_progress_bar
from secondread.clock import utc_now
from secondread.errors import SettingsError
from secondread.settings import DetectSettings, FindingsSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secondread.findings.finding import ImageReading, StudyReading
    from secondread.followup.recheck import RecheckedFinding
    from secondread.offline import InputFiles, OfflineReader
    from secondread.report.pages.breast_panel import DrawnImage
    from secondread_lab.judge.pair_runs import PairBenchmark

SCHEMA_VERSION = 1


def compare(
    current: Annotated[
        Path | None, typer.Argument(help="The exam: a DICOM file, or a folder of them.")
    ] = None,
    prior: Annotated[Path | None, typer.Argument(help="The earlier exam.")] = None,
    *,
    out: Annotated[Path, typer.Option(help="Folder for comparison.json and pictures.")],
    override_gate: Annotated[
        list[str] | None,
        typer.Option(help="Read although this gate refuses; 'all' for every gate. Repeatable."),
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Manifest of another model.", show_default=False)
    ] = None,
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
    detect = DetectSettings(manifest=manifest)
    if prior_model is not None and (benchmark is None or oracle):
        raise SettingsError("--prior-model goes with --benchmark, and not with --oracle")
    if benchmark is not None and limits is not None:
        raise SettingsError("--benchmark and --limits are two runs")
    if benchmark is not None or limits is not None:
        models = None if oracle else (manifest, prior_model)
        _simulated((benchmark, limits), seed, models, out, processes)
        return
    if current is None or prior is None:
        raise SettingsError("an exam and its prior are needed, or --benchmark, or --limits")
    _exams(current, prior, detect, override_gate or [], out.resolve())


def _exams(
    current: Path, prior: Path, detect: DetectSettings, overrides: list[str], out: Path
) -> None:
    from secondread import offline
    from secondread.app.node import check_gate_names, make_node_identity, open_reader
    from secondread.detect.child import DetectorChild
    from secondread.followup.comparison import find_doubts

    here, there = _study(current), _study(prior)
    if here == there:
        raise SettingsError(f"{current} and {prior} are of one study")
    inputs = offline.gather_files([current, prior])
    plan = offline.ReadingPlan((here,), {here: (offline.describe_earlier_study(inputs, there),)})
    installation_id = uuid.uuid4().hex
    with DetectorChild(detect) as child, make_progress_bar() as bar, TemporaryDirectory() as work:
        task = bar.add_task("reading", total=sum(len(s) for s in inputs.studies.values()))
        desk = offline.OfflineReader(
            detect=child.detect,
            scores_at=child.score_places,
            reader=open_reader(detect, FindingsSettings()),
            node=make_node_identity(installation_id, station_name="offline", institution=""),
            installation_id=installation_id,
            now=utc_now().astimezone().replace(microsecond=0),
            out=Path(work),
            overrides=check_gate_names(overrides),
        )
        readings = offline.read_studies(
            inputs, plan, desk, lambda text: bar.update(task, advance=1, description=text)
        )
        bar.update(task, description="comparing")
        looks = offline.recheck_study(readings[here], [readings[there]], inputs, desk)
        reading = _compared(readings[here], readings[there], looks, out)
        pages = _draw(reading, readings[there], inputs, desk, out)
    _print(reading, pages)
    for doubt in find_doubts(readings[here], readings[there]):
        Console().print(f"  beware: {doubt}", style="yellow", highlight=False)


def _study(path: Path) -> str:
    from secondread import offline

    studies = list(offline.gather_files([path]).studies)
    if len(studies) != 1:
        raise SettingsError(f"{path}: {len(studies)} studies, one is expected")
    return studies[0]


def _compared(
    reading: "StudyReading", prior: "StudyReading", looks: "Sequence[RecheckedFinding]", out: Path
) -> "StudyReading":
    """Compare, write comparison.json, and return the reading with what follow-up says."""
    from secondread.findings.findings_json import encode_image
    from secondread.followup.comparison import find_doubts
    from secondread.followup.comparison_json import encode_comparison, encode_view_pair
    from secondread.followup.follow_up import follow_up

    done = follow_up(reading, [prior], looks)
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "node_version": __version__,
        "model": asdict(done.model),
        "study_uid": done.study_uid,
        **encode_comparison(done.comparisons[0]),
        "doubts": list(find_doubts(reading, prior)),
        "seen_in_both_views": [encode_view_pair(pair) for pair in done.view_pairs],
        "images": [encode_image(image) for image in (*done.images, *prior.images)],
    }
    path = out / "comparison.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return done


def _draw(
    reading: "StudyReading",
    prior: "StudyReading",
    inputs: "InputFiles",
    desk: "OfflineReader",
    out: Path,
) -> list[Path]:
    from secondread.followup.registration.frame import find_frame
    from secondread.followup.registration.register import register
    from secondread.report.pages.comparison_page import draw_comparison_page, make_blink_pair

    comparison = reading.comparisons[0]
    then = {image.mammogram.sop_instance_uid: image for image in prior.images}
    pages: list[Path] = []
    for image in reading.images:
        uid = image.mammogram.sop_instance_uid
        views = [v for v in comparison.views if v.sop_instance_uid == uid and not v.why_not]
        for number, view in enumerate(views):
            other = then[view.prior_sop_instance_uid or ""]
            shown = [
                _shown(one, which, inputs, desk)
                for one, which in ((image, "Current"), (other, "Prior"))
            ]
            name = image.label + (f"-{number + 1}" if number else "")
            pages.append(out / f"{name}.png")
            draw_comparison_page(shown[0], shown[1], comparison).save(pages[-1])
            frames = find_frame(image), find_frame(other)
            if frames[0] is not None and frames[1] is not None:
                registration = register(frames[0], frames[1])
                now, before = make_blink_pair(shown[0].display, shown[1].display, registration)
                now.save(out / f"{name}-blink-current.png")
                before.save(out / f"{name}-blink-prior.png")
                now.save(
                    out / f"{name}-blink.gif",
                    save_all=True,
                    append_images=[before],
                    duration=700,
                    loop=0,
                )
    return pages


def _shown(
    image: "ImageReading", which: str, inputs: "InputFiles", desk: "OfflineReader"
) -> "DrawnImage":
    from secondread import offline
    from secondread.report.pages.breast_panel import DrawnImage

    header = image.mammogram
    day = f" {header.study_date:%Y-%m-%d}" if header.study_date else ""
    unit = " ".join(part for part in (header.manufacturer, header.model) if part)
    display = offline.load_display_array(inputs, header.study_uid, header.sop_instance_uid, desk)
    return DrawnImage(image, display, f"{which}{day}   {unit}".strip())


def _print(reading: "StudyReading", pages: list[Path]) -> None:
    from secondread.report.pages.compared_marks import describe_change

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
    for change in comparison.changes:
        if change.current is None:
            said = ", ".join(part for part in (change.kind.words, change.why_not) if part)
            table.add_row(f"prior {change.prior[0].finding_id}", escape(said), "")
    console = Console()
    console.print(table)
    for view in comparison.views:
        if view.why_not:
            console.print(f"  not compared: {escape(view.why_not)}", highlight=False)
    for page in pages:
        console.print(f"  {page}", soft_wrap=True, highlight=False, markup=False)


def _simulated(
    pairs: tuple[int | None, int | None],
    seed: int,
    models: tuple[Path | None, Path | None] | None,
    out: Path,
    processes: int,
) -> None:
    from secondread_lab.judge import pair_benchmark
    from secondread_lab.judge.pair_oracle import ORACLE_READER
    from secondread_lab.judge.pair_runs import BenchmarkModel, PairBenchmark, open_oracle
    from secondread_lab.judge.pairs import PITCH_MM

    benchmark, limits = pairs
    count = benchmark or limits or 0
    if models is None:
        oracle = BenchmarkModel(partial(open_oracle, seed), ORACLE_READER)
        bench = PairBenchmark(seed, count, PITCH_MM, oracle, out, processes)
    else:
        bench = _bench(seed, count, *models, out, processes)
    measure = pair_benchmark.write_figures if limits is None else pair_benchmark.write_limits
    with make_progress_bar() as bar:
        task = bar.add_task("pairs", total=count)
        text = measure(bench, lambda: bar.update(task, advance=1))
    Console().print(text, soft_wrap=True, highlight=False, markup=False)


def _bench(
    seed: int, count: int, manifest: Path | None, older: Path | None, out: Path, processes: int
) -> "PairBenchmark":
    from secondread.app.node import open_reader
    from secondread_lab.judge.pair_runs import BenchmarkModel, PairBenchmark, open_model

    def model(path: Path | None) -> BenchmarkModel:
        detect = DetectSettings(manifest=path)
        opener = partial(open_model, path, partial(open_reader, detect), out)
        return BenchmarkModel(opener, open_reader(detect, FindingsSettings()))

    now, then = model(manifest), None if older is None else model(older)
    if then is not None and then.reader.model.digest == now.reader.model.digest:
        raise SettingsError(f"--prior-model {older} is the model that reads the current exams")
    return PairBenchmark(seed, count, None, now, out, processes, then)
