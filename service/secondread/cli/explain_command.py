"""`secondread explain`: what a report says, where its marks are, and what is wrong with it."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
from secondread.errors import DataSetError, InputError, PixelError, SettingsError
from secondread.report.check.cad_sr_check import Fault, check_cad_sr
from secondread.report.pages.marks_picture import count_items, draw_marks
from secondread.report.readback.attributes import read_text
from secondread.report.readback.explain import (
    explain_report,
    format_lines,
    list_images,
    list_marks,
    read_content,
    write_out_controls,
)

_MOST_LISTED = 20
"""Images that an error names."""


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
    ds = _open(report, read_document)
    with _naming(report):
        if check:
            faults = _list_faults(ds)
            _print_faults(faults, as_json=as_json)
            if faults:
                raise typer.Exit(1)
        elif png is not None:
            _draw(ds, png, out or Path(f"{report.stem}-{png.stem}.png"))
        else:
            _print(ds, as_json=as_json)


def _open(path: Path, read: Callable[[Path], Dataset]) -> Dataset:
    try:
        return read(path)
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except DataSetError as error:
        raise SettingsError(f"{path}: {error}") from error


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Have an error over a file name it."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _print(ds: Dataset, *, as_json: bool) -> None:
    document = explain_report(ds)
    if as_json:
        typer.echo(json.dumps(document, indent=1, allow_nan=False))
        return
    for line in format_lines(document):
        typer.echo(line)


def _list_faults(ds: Dataset) -> list[Fault]:
    read_content(ds)
    if read_text(ds, "SOPClassUID") != MammographyCADSRStorage:
        raise InputError("only a Mammography CAD SR can be checked")
    return check_cad_sr(ds)


def _print_faults(faults: Sequence[Fault], *, as_json: bool) -> None:
    if as_json:
        rows = [{"position": fault.position, "fault": fault.message} for fault in faults]
        typer.echo(json.dumps(rows, indent=1))
        return
    for line in faults or ("no faults found",):
        typer.echo(write_out_controls(str(line)))


def _draw(ds: Dataset, image_path: Path, out: Path) -> None:
    image = _open(image_path, read_image)
    uid = read_text(image, "SOPInstanceUID")
    reported_uids = list_images(ds)
    if uid not in reported_uids:
        more = len(reported_uids) - _MOST_LISTED
        listed = [*reported_uids[:_MOST_LISTED], *([f"and {more} more"] if more > 0 else [])]
        names = "\n  ".join(listed) or "none"
        raise SettingsError(
            f"{image_path}: the report does not name this image; it names\n  {names}"
        )
    marks = list_marks(ds, uid)
    with _naming(image_path):
        display = _render(image)
    draw_marks(display, marks).save(out)
    typer.echo(f"{out}: {count_items(marks)}")


def _render(image: Dataset) -> npt.NDArray[np.uint8]:
    """Return an image as grey levels for people, with its own window where it has one."""
    mammogram = Mammogram.from_dataset(image)
    if mammogram.frames > 1:
        raise PixelError("images of several frames cannot be drawn")
    stored = decode_pixels(image)
    grey = GreyScale.from_dataset(image, mammogram)
    return grey.render(stored, grey.to_brightness(stored), None)
