"""`secondread calibrate`: set the operating point by a site's own exams."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from secondread import __version__, log
from secondread.cli.progress_bar import show_steps
from secondread.clock import utc_now
from secondread.errors import SettingsError
from secondread.settings import DetectSettings, FindingsSettings

if TYPE_CHECKING:
    from secondread.detect.manifest import Manifest
    from secondread.detect.site import SiteCalibration
    from secondread_lab.judge.local import LocalView
    from secondread_lab.judge.site_calibration import CalibrationResult

_MOST_LISTED = 20


def calibrate(
    folder: Annotated[
        Path, typer.Argument(help="Folder of DICOM files: local exams without calcifications.")
    ],
    out: Annotated[Path, typer.Option(help="File to write, for detect.site_calibration.")],
    false_clusters_per_view: Annotated[
        float, typer.Option(min=0.0, max=10.0, help="What is wanted, on average.")
    ] = 0.3,
    model: Annotated[
        Path | None, typer.Option(help="Manifest of another model.", show_default=False)
    ] = None,
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
    from secondread.app.node import open_reader
    from secondread.detect.child import DetectorChild
    from secondread.detect.manifest import load_manifest
    from secondread.offline import gather_files
    from secondread_lab.judge.local import read_views

    log.configure_logging("calibrate", "warning")
    manifest = load_manifest(model)
    manifest.find_operating_point(operating_point)
    settings = DetectSettings(manifest=model)
    inputs = gather_files([folder])
    reader = open_reader(settings, FindingsSettings(operating_point=operating_point))
    total = sum(len(study) for study in inputs.studies.values())
    with DetectorChild(settings) as child, show_steps("reading", total) as say:
        views = list(
            read_views(
                inputs, child.detect, reader, lambda name: say(name[-24:]), settings.attempts
            )
        )
    _tell_unread(views)
    _tell_doubtful(views)
    found = _measured(views, false_clusters_per_view, _lowest(manifest), force=force)
    site = _overlay(manifest, operating_point, found, views)
    out.write_text(site.as_toml(), encoding="utf-8")
    _tell_found(found, manifest, operating_point)
    _tell_suspicious(views)
    typer.echo(f'written: {out}; to use it: [detect] site_calibration = "{out.name}"')


def _measured(
    views: Sequence["LocalView"], wanted: float, lowest: float, *, force: bool
) -> "CalibrationResult":
    from secondread_lab.judge.site_calibration import MINIMUM_EXAMS, calibrate_site

    read = [view.scores for view in views if view.scores is not None]
    exams = len({scores.exam for scores in read})
    if not read or (exams < MINIMUM_EXAMS and not force):
        raise SettingsError(
            f"{exams} exams could be read, and fewer than {MINIMUM_EXAMS} say next to nothing "
            "about how often something is marked falsely; nothing was written"
            + (" (--force writes it all the same)" if read else "")
        )
    return calibrate_site(read, wanted, lowest)


def _lowest(manifest: "Manifest") -> float:
    """Return the least certainty that a listed cluster can have."""
    from secondread.codes import MarkClass

    return manifest.calibrate(MarkClass.CLUSTER, manifest.limits.minimum_score)


def _overlay(
    manifest: "Manifest", number: int, found: "CalibrationResult", views: Sequence["LocalView"]
) -> "SiteCalibration":
    from secondread.detect.site import SiteCalibration, SiteOperatingPoint

    low, high = found.interval
    return SiteCalibration(
        schema_version=1,
        base_digest=manifest.digest,
        model=f"{manifest.name} {manifest.version}",
        node_version=__version__,
        made_on=utc_now().date(),
        exams=found.exams,
        women=found.women,
        views=found.views,
        views_not_read=sum(view.status is not None and view.scores is None for view in views),
        operating_points=(
            SiteOperatingPoint(
                number=manifest.find_operating_point(number).number,
                minimum_certainty=found.minimum_certainty,
                wanted_per_view=found.wanted_per_view,
                clusters=found.clusters,
                per_view=round(found.per_view, 4),
                interval=(round(low, 4), round(high, 4)),
                left_out_per_view=round(found.left_out_per_view, 4),
                certainty_interval=found.certainty_interval,
            ),
        ),
    )


def _tell_unread(views: Sequence["LocalView"]) -> None:
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


def _tell_doubtful(views: Sequence["LocalView"]) -> None:
    doubtful = Counter(
        reason.value for view in views if view.scores is not None for reason in view.reasons
    )
    for reason, number in sorted(doubtful.items()):
        Console(stderr=True).print(
            f"{number} read with doubt, and counted: {reason}", markup=False, highlight=False
        )


def _tell_found(found: "CalibrationResult", manifest: "Manifest", number: int) -> None:
    from secondread_lab.judge.site_calibration import WANTED_EXAMS

    point = manifest.find_operating_point(number)
    console = Console(highlight=False)
    console.print(
        escape(
            f"operating point {point.number} ({point.name}): clusters are shown from certainty "
            f"{found.minimum_certainty:.1f} on"
        )
    )
    console.print(
        f"on these {found.views} views of {found.exams} exams ({found.women} women): "
        f"{found.clusters} clusters, {found.per_view:.2f} a view; wanted "
        f"{found.wanted_per_view:g}"
    )
    low, high = found.interval
    first, last = found.certainty_interval
    console.print(
        f"how sure that is: the rate lies between {low:.2f} and {high:.2f} a view (95 %, exact for "
        f"a Poisson count); the next woman is to be expected at {found.left_out_per_view:.2f}; "
        f"with other women the certainty would have come to {first:.1f} to {last:.1f} (95 %)"
    )
    if found.exceeds:
        console.print("[yellow]more than wanted: the most certain ones cannot be told apart[/]")
    if found.exams < WANTED_EXAMS:
        console.print(
            f"[yellow]{found.exams} exams are few; {WANTED_EXAMS} or more make the figure one to "
            "rely on[/]"
        )


def _tell_suspicious(views: Sequence["LocalView"]) -> None:
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
