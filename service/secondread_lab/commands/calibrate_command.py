"""`secondread calibrate`: set the operating point by a site's own exams."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from secondread import __version__, log
from secondread.app.reader import open_reader
from secondread.cli.options import OtherManifest
from secondread.cli.progress_bar import show_steps
from secondread.clock import utc_now
from secondread.codes import MarkClass
from secondread.detect.child import DetectorChild
from secondread.detect.manifest import Manifest, load_manifest
from secondread.detect.site_overlay import SiteCalibration, SiteOperatingPoint
from secondread.errors import SettingsError
from secondread.offline.input_files import gather_files
from secondread.settings import DetectSettings, FindingsSettings
from secondread_lab.judge.site_calibration import (
    MINIMUM_EXAMS,
    WANTED_EXAMS,
    CalibrationResult,
    calibrate_site,
)
from secondread_lab.judge.site_exams import LocalView, read_views

_MOST_LISTED = 20


def calibrate(
    folder: Annotated[
        Path, typer.Argument(help="Folder of DICOM files: local exams without calcifications.")
    ],
    out: Annotated[Path, typer.Option(help="File to write, for detect.site_calibration.")],
    false_clusters_per_view: Annotated[
        float, typer.Option(min=0.0, max=10.0, help="What is wanted, on average.")
    ] = 0.3,
    model: OtherManifest = None,
    operating_point: Annotated[
        int, typer.Option(min=0, help="Number of the point to set; 0 for the manifest's default.")
    ] = 0,
    force: Annotated[
        bool, typer.Option("--force", help="Write the file although there are too few exams.")
    ] = False,
) -> None:
    """Set the operating point to a number of false clusters per view, by exams of this site.

    Every study in the folder counts as one exam without calcifications; somebody has to have
    looked. The file holds for this model only.
    """
    log.configure_logging("calibrate", "warning")
    manifest = load_manifest(model)
    manifest.find_operating_point(operating_point)
    settings = DetectSettings(manifest=model)
    inputs = gather_files([folder])
    reader = open_reader(settings, FindingsSettings(operating_point=operating_point))
    total = sum(len(study) for study in inputs.studies.values())
    with DetectorChild(settings) as child, show_steps("reading", total) as advance:
        views = list(
            read_views(
                inputs, child.detect, reader, lambda name: advance(name[-24:]), settings.attempts
            )
        )
    _print_unread(views)
    _print_doubtful(views)
    result = _calibrate(views, false_clusters_per_view, _find_lowest(manifest), force=force)
    site = _make_file(manifest, operating_point, result, views)
    out.write_text(site.as_toml(), encoding="utf-8")
    _print_result(result, manifest, operating_point)
    _print_suspicious(views)
    typer.echo(f'written: {out}; to use it: [detect] site_calibration = "{out.name}"')


def _calibrate(
    views: Sequence[LocalView], wanted: float, lowest: float, *, force: bool
) -> CalibrationResult:
    read = [view.scores for view in views if view.scores is not None]
    exams = len({scores.exam for scores in read})
    if not read or (exams < MINIMUM_EXAMS and not force):
        raise SettingsError(
            f"{exams} exams could be read, and fewer than {MINIMUM_EXAMS} say next to nothing "
            "about how often something is marked falsely; nothing was written"
            + (" (--force writes it all the same)" if read else "")
        )
    return calibrate_site(read, wanted, lowest)


def _find_lowest(manifest: Manifest) -> float:
    """Return the least certainty that a listed cluster can have."""
    return manifest.calibrate(MarkClass.CLUSTER, manifest.limits.minimum_score)


def _make_file(
    manifest: Manifest, number: int, result: CalibrationResult, views: Sequence[LocalView]
) -> SiteCalibration:
    low, high = result.interval
    return SiteCalibration(
        schema_version=1,
        base_digest=manifest.digest,
        model=f"{manifest.name} {manifest.version}",
        node_version=__version__,
        made_on=utc_now().date(),
        exams=result.exams,
        women=result.women,
        views=result.views,
        views_not_read=sum(view.status is not None and view.scores is None for view in views),
        operating_points=(
            SiteOperatingPoint(
                number=manifest.find_operating_point(number).number,
                minimum_certainty=result.minimum_certainty,
                wanted_per_view=result.wanted_per_view,
                clusters=result.clusters,
                per_view=round(result.per_view, 4),
                interval=(round(low, 4), round(high, 4)),
                left_out_per_view=round(result.left_out_per_view, 4),
                certainty_interval=result.certainty_interval,
            ),
        ),
    )


def _print_unread(views: Sequence[LocalView]) -> None:
    """Count and name what did not take part, so that nothing is left out silently."""
    console = Console(stderr=True)
    for what, chosen in (
        ("not read", [v for v in views if v.status is not None and v.scores is None]),
        ("outside the detector's scope", [v for v in views if v.status is None]),
    ):
        if not chosen:
            continue
        reasons = Counter(reason.value for view in chosen for reason in view.reasons)
        counted = ", ".join(f"{number} {reason}" for reason, number in sorted(reasons.items()))
        console.print(f"{len(chosen)} {what} ({counted}):", markup=False, highlight=False)
        for view in chosen:
            why = "; ".join(reason.sentence for reason in view.reasons)
            console.print(f"  {view.path}: {why}", markup=False, highlight=False, soft_wrap=True)


def _print_doubtful(views: Sequence[LocalView]) -> None:
    doubtful = Counter(
        reason.value for view in views if view.scores is not None for reason in view.reasons
    )
    for reason, number in sorted(doubtful.items()):
        Console(stderr=True).print(
            f"{number} read with doubt, and counted: {reason}", markup=False, highlight=False
        )


def _print_result(result: CalibrationResult, manifest: Manifest, number: int) -> None:
    point = manifest.find_operating_point(number)
    console = Console(highlight=False)
    console.print(
        escape(
            f"operating point {point.number} ({point.name}): clusters are shown from certainty "
            f"{result.minimum_certainty:.1f} on"
        )
    )
    console.print(
        f"on these {result.views} views of {result.exams} exams ({result.women} women): "
        f"{result.clusters} clusters, {result.per_view:.2f} a view; wanted "
        f"{result.wanted_per_view:g}"
    )
    low, high = result.interval
    first, last = result.certainty_interval
    console.print(
        f"how sure that is: the rate lies between {low:.2f} and {high:.2f} a view (95 %, exact for "
        f"a Poisson count); the next woman is to be expected at {result.left_out_per_view:.2f}; "
        f"with other women the certainty would have come to {first:.1f} to {last:.1f} (95 %)"
    )
    if result.exceeds:
        console.print("[yellow]more than wanted: the most certain ones cannot be told apart[/]")
    if result.exams < WANTED_EXAMS:
        console.print(
            f"[yellow]{result.exams} exams are few; {WANTED_EXAMS} or more make the figure one to "
            "rely on[/]"
        )


def _print_suspicious(views: Sequence[LocalView]) -> None:
    """List exams that may not be free of calcifications after all."""
    chosen = [(view, view.scores) for view in views if view.looks_real]
    ranked = sorted(
        ((max(scores.certainties), view) for view, scores in chosen if scores is not None),
        key=lambda pair: (-pair[0], str(pair[1].path)),
    )
    if not ranked:
        return
    console = Console(highlight=False)
    console.print("[yellow]please look whether these are free of calcifications:[/]")
    for certainty, view in ranked[:_MOST_LISTED]:
        console.print(
            f"  {view.label} {view.path}: a cluster of certainty {certainty:.0f}",
            markup=False,
            soft_wrap=True,
        )
    if len(ranked) > _MOST_LISTED:
        console.print(f"  and {len(ranked) - _MOST_LISTED} more views")
