"""`secondread read`: DICOM files to findings, without network or database."""

import uuid
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from secondread import log
from secondread.cli.progress_bar import make_progress_bar
from secondread.clock import utc_now
from secondread.settings import DetectSettings, FindingsSettings


def read(
    paths: Annotated[list[Path], typer.Argument(help="DICOM files, or folders of them.")],
    out: Annotated[Path, typer.Option(help="Folder for the objects and findings.json.")],
    override_gate: Annotated[
        list[str] | None,
        typer.Option(help="Read although this gate refuses; 'all' for every gate. Repeatable."),
    ] = None,
    prior: Annotated[
        list[str] | None,
        typer.Option(help="Study Instance UID that is a prior. Default: all but the newest."),
    ] = None,
    treatments: Annotated[
        Path | None,
        typer.Option(
            help="CSV of treatments, as `secondread treatments import` takes it.",
            show_default=False,
        ),
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Manifest of another model.", show_default=False)
    ] = None,
    site_calibration: Annotated[
        Path | None,
        typer.Option(help="File that `secondread calibrate` made.", show_default=False),
    ] = None,
) -> None:
    """Read DICOM files and write SR, captures and findings.json into a folder.

    Exit status 0 when every input was answered, refusals included.
    """
    from secondread import offline
    from secondread.app.node import check_gate_names, make_node_identity, open_reader
    from secondread.detect.child import DetectorChild
    from secondread.followup.treatment_file import read_treatment_file

    log.configure_logging("read", "warning")
    overrides = check_gate_names(override_gate or ())
    record = () if treatments is None else read_treatment_file(treatments)
    inputs = offline.gather_files(paths)
    plan = offline.plan_reading(inputs, prior or ())
    detect_settings = DetectSettings(manifest=manifest, site_calibration=site_calibration)
    installation_id = uuid.uuid4().hex
    total = sum(len(study) for study in inputs.studies.values())
    with DetectorChild(detect_settings) as child, make_progress_bar() as bar:
        task = bar.add_task("reading", total=total)
        desk = offline.OfflineReader(
            detect=child.detect,
            scores_at=child.score_places,
            reader=open_reader(detect_settings, FindingsSettings()),
            node=make_node_identity(installation_id, station_name="offline", institution=""),
            installation_id=installation_id,
            now=utc_now().astimezone().replace(microsecond=0),
            out=out.resolve(),
            overrides=overrides,
            record=record,
        )
        written = offline.read_files(
            inputs, plan, desk, lambda text: bar.update(task, advance=1, description=text)
        )
        bar.update(task, completed=total, description="done")
    Console().print(_summary(written))


def _summary(written: Path) -> Table:
    import json

    table = Table("image", "status", "shown", "candidates", "seconds", "reasons", box=None)
    for image in json.loads(written.read_text(encoding="utf-8"))["images"]:
        shown = sum(finding["shown"] for finding in image["findings"])
        table.add_row(
            escape(Path(image["path"]).name),
            image["status"],
            str(shown),
            str(len(image["findings"])),
            f"{image['seconds']:.1f}",
            ", ".join(image["reasons"]),
        )
    table.caption = escape(str(written))
    return table
