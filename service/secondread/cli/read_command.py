"""`secondread read`: DICOM files to findings, without network or database."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from secondread import log
from secondread.app.reader import check_gate_names
from secondread.cli.offline_reader import open_offline_reader
from secondread.cli.options import OtherManifest, OverriddenGates
from secondread.cli.progress_bar import show_steps
from secondread.followup.treatment_file import read_treatment_file
from secondread.offline.input_files import gather_files
from secondread.offline.reader import read_files
from secondread.offline.reading_plan import plan_reading
from secondread.settings import DetectSettings


def read_exams(
    paths: Annotated[list[Path], typer.Argument(help="DICOM files, or folders of them.")],
    out: Annotated[Path, typer.Option(help="Folder for the objects and findings.json.")],
    overridden_gates: OverriddenGates = None,
    prior: Annotated[
        list[str] | None,
        typer.Option(help="Study Instance UID that is a prior. Default: earlier ones that fit."),
    ] = None,
    treatments: Annotated[
        Path | None,
        typer.Option(
            help="CSV of treatments, as `secondread treatments import` takes it.",
            show_default=False,
        ),
    ] = None,
    manifest: OtherManifest = None,
    site_calibration: Annotated[
        Path | None,
        typer.Option(help="File that `secondread calibrate` made.", show_default=False),
    ] = None,
) -> None:
    """Read DICOM files and write SR, captures and findings.json into a folder.

    Exit status 0 when every input was answered, refusals included.
    """
    log.configure_logging("read", "warning")
    overrides = check_gate_names(overridden_gates or ())
    recorded = () if treatments is None else read_treatment_file(treatments)
    inputs = gather_files(paths)
    plan = plan_reading(inputs, prior or ())
    detect = DetectSettings(manifest=manifest, site_calibration=site_calibration)
    total = len(inputs.paths)
    with (
        open_offline_reader(inputs, plan, detect, out.resolve(), overrides, recorded) as reader,
        show_steps("reading", total) as advance,
    ):
        findings_path = read_files(reader, advance)
    Console().print(_summarize(findings_path))


def _summarize(findings_path: Path) -> Table:
    table = Table("image", "status", "shown", "candidates", "seconds", "reasons", box=None)
    document = json.loads(findings_path.read_text(encoding="utf-8"))
    for image in document["images"]:
        shown = sum(finding["shown"] for finding in image["findings"])
        table.add_row(
            escape(Path(image["path"]).name),
            image["status"],
            str(shown),
            str(len(image["findings"])),
            f"{image['seconds']:.1f}",
            ", ".join(image["reasons"]),
        )
    others = len(document["other_files"])
    note = f"; {others} other files are not DICOM" if others else ""
    table.caption = escape(f"{findings_path}{note}")
    return table
