"""`secondread conformance`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from secondread.app.conformance.statement import build_statement


def print_statement(
    out: Annotated[
        Path | None, typer.Option(help="File to write; without it, to standard output.")
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(help="Summary that `make conformance` wrote, for the section on validation."),
    ] = None,
) -> None:
    """Print the DICOM conformance statement of this version, as Markdown."""
    text = build_statement(validation.read_text(encoding="utf-8") if validation else "")
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text, encoding="utf-8")
