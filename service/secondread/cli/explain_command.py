"""`secondread explain`: what a report says, where its marks are, and what is wrong with it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer
from pydicom.dataset import Dataset
from pydicom.uid import MammographyCADSRStorage

from secondread import log
from secondread.assemble.mammogram import Mammogram
from secondread.detect.decode import decode_pixels
from secondread.detect.pixels import GreyScale
from secondread.dicom_files import read_document, read_image
from secondread.errors import DataSetError, SettingsError
from secondread.report.check.cad_sr_check import check_cad_sr
from secondread.report.pages.marks_picture import count_items, draw_marks
from secondread.report.readback.explain import (
    explain_report,
    format_lines,
    list_images,
    list_marks,
    read_content,
)


def explain(
    report: Annotated[Path, typer.Argument(help="A DICOM structured report.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with all numbers.")] = False,
    png: Annotated[
        Path | None,
        typer.Option(
            help="Draw the marks on this DICOM image instead.", metavar="IMAGE", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Picture file. Default: named after report and image, in this folder.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Check a Mammography CAD SR instead; exit 1 on a fault."),
    ] = False,
) -> None:
    """Print the content of a structured report as a tree.

    With --check, a Mammography CAD SR is held against TID 4000: each fault is printed with its
    position, and the exit status is 1; it is 0 where there is none.
    """
    log.configure_logging("explain", "warning")
    ds = _open_dataset(report, read_document)
    if check:
        _check(report, ds, as_json=as_json)
    elif png is not None:
        _draw(ds, png, out or Path(f"{report.stem}-{png.stem}.png"))
    else:
        _print(ds, as_json=as_json)


def _open_dataset(path: Path, read: Callable[[Path], Dataset]) -> Dataset:
    try:
        return read(path)
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except DataSetError as error:
        raise SettingsError(f"{path}: {error}") from error


def _print(ds: Dataset, *, as_json: bool) -> None:
    document = explain_report(ds)
    if as_json:
        typer.echo(json.dumps(document, indent=1))
        return
    for line in format_lines(document):
        typer.echo(line)


def _check(path: Path, ds: Dataset, *, as_json: bool) -> None:
    read_content(ds)
    if ds.get("SOPClassUID") != MammographyCADSRStorage:
        raise SettingsError(f"{path}: only a Mammography CAD SR can be checked")
    faults = check_cad_sr(ds)
    if as_json:
        rows = [{"position": fault.position, "fault": fault.message} for fault in faults]
        typer.echo(json.dumps(rows, indent=1))
    else:
        for line in faults or ("no faults found",):
            typer.echo(str(line))
    if faults:
        raise typer.Exit(1)


def _draw(ds: Dataset, image_path: Path, out: Path) -> None:
    image = _open_dataset(image_path, read_image)
    uid = str(image.get("SOPInstanceUID", ""))
    reported_uids = list_images(ds)
    if uid not in reported_uids:
        listed = "\n  ".join(reported_uids) or "none"
        raise SettingsError(
            f"{image_path}: the report does not name this image; it names\n  {listed}"
        )
    marks = list_marks(ds, uid)
    draw_marks(_render(image_path, image), marks).save(out)
    typer.echo(f"{out}: {count_items(marks)}")


def _render(path: Path, image: Dataset) -> npt.NDArray[np.uint8]:
    """Return an image as grey levels for people, with its own window where it has one."""
    mammogram = Mammogram.from_dataset(image)
    if mammogram.frames > 1:
        raise SettingsError(f"{path}: images of several frames cannot be drawn")
    stored = decode_pixels(image)
    grey = GreyScale.from_dataset(image, mammogram)
    return grey.render(stored, grey.to_brightness(stored), None)
