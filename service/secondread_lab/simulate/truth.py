"""The truth table: which thing is where in each image, as CSV that evaluation reads back.

Coordinates are those of the stored image, (column, row), the corner of the top-left pixel at
(0, 0) as in SCOORD. An image with a row of kind ``none`` was annotated and is empty; an image
without a row was not annotated and is not scored.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from secondread.errors import InputError

REQUIRED_COLUMNS = ("sop_instance_uid", "kind", "x0", "y0", "x1", "y1")
"""Columns that every truth table has; the others may be missing."""

NOTHING = "none"
"""Kind of the row of an image that was annotated and is empty."""


@dataclass(frozen=True, slots=True)
class TruthRow:
    """One thing in one image; texts that do not apply are empty, numbers None."""

    sop_instance_uid: str
    kind: str
    """``cluster``, ``calcification``, ``metal``, ``vascular``, ``skin`` or ``none``."""
    x0: float | None = None
    y0: float | None = None
    x1: float | None = None
    y1: float | None = None
    id: str = ""
    """Unique in its image."""
    parent_id: str = ""
    """The cluster, or other group, that a calcification belongs to."""
    lesion_id: str = ""
    """The same in every view and every year."""
    morphology: str = ""
    distribution: str = ""
    cnr: float | None = None
    """Peak contrast over the noise of a pixel; of a group, the median of its members."""
    size_mm: float | None = None
    """Longest extent: of a calcification itself, of a group of its box at the detector."""
    density: str = ""
    """Composition of the breast, a to d."""
    vendor_family: str = ""
    change: str = ""
    """Against the prior: a name of `codes.Change` in lower case; empty without a prior."""
    zone: str = ""
    """Place relative to the treated site."""


TRUTH_COLUMNS = tuple(field.name for field in fields(TruthRow))
"""Header of the table."""

_NUMBERS = ("x0", "y0", "x1", "y1", "cnr", "size_mm")


def write_truth(path: Path, rows: Iterable[TruthRow]) -> None:
    """Write a truth table."""
    with path.open("w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(TRUTH_COLUMNS)
        for row in rows:
            writer.writerow(_format_cell(getattr(row, name)) for name in TRUTH_COLUMNS)


def read_truth(path: Path) -> tuple[TruthRow, ...]:
    """Read a truth table; missing columns stay empty, unknown columns are ignored.

    Raises
    ------
    InputError
        A required column is missing, a cell does not hold the number that it should, or a row of
        another kind than ``none`` has no box.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        missing = set(REQUIRED_COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise InputError(f"{path}: columns missing: {', '.join(sorted(missing))}")
        return tuple(_parse_row(cells, f"{path}:{reader.line_num}") for cells in reader)


def _parse_row(cells: dict[str, str | None], where: str) -> TruthRow:
    values: dict[str, Any] = {name: (cells.get(name) or "").strip() for name in TRUTH_COLUMNS}
    values.update({name: _parse_number(values[name], name, where) for name in _NUMBERS})
    row = TruthRow(**values)
    box = (row.x0, row.y0, row.x1, row.y1)
    if row.kind != NOTHING and any(value is None for value in box):
        raise InputError(f"{where}: a row of kind {row.kind!r} needs x0, y0, x1 and y1")
    return row


def _parse_number(text: str, name: str, where: str) -> float | None:
    if not text:
        return None
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"{where}: {name} is {text!r}, a number is expected") from error


def _format_cell(value: str | float | None) -> str:
    if value is None:
        return ""
    # Two decimals: a hundredth of a pixel is finer than anything that is compared.
    return f"{value:.2f}" if isinstance(value, float) else value
