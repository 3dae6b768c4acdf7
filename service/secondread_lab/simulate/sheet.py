"""A contact sheet: the views of an exam, current above and prior below, as on a viewer."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from secondread.assemble.intent import Intent
from secondread.errors import InputError
from secondread_lab.simulate.exam import Progress, SimulatedView, simulate_views
from secondread_lab.simulate.pictures import write_picture
from secondread_lab.simulate.spec import ExamSpec

Tile = npt.NDArray[np.uint8]

_TILE_ROWS = 500
_GAP = 6
_FORMATS = {".png": (cv2.IMWRITE_PNG_COMPRESSION, 9), ".jpg": (cv2.IMWRITE_JPEG_QUALITY, 88)}
"""OpenCV's parameters by suffix."""


def write_sheet(spec: ExamSpec, path: Path, progress: Progress | None = None) -> None:
    """Draw all views of an exam and its prior on one picture.

    Parameters
    ----------
    path
        Its suffix decides the format: ``.png`` or ``.jpg``.

    Raises
    ------
    InputError
        The path has another suffix.
    """
    if path.suffix not in _FORMATS:
        raise InputError(f"{path}: a sheet is written as {' or '.join(_FORMATS)}")
    rows: dict[str, list[Tile]] = {}
    for view in simulate_views(spec, progress):
        rows.setdefault(view.exam, []).append(_make_tile(view))
    width = min(tile.shape[1] for tiles in rows.values() for tile in tiles)
    sheet = np.vstack([_make_row(tiles, width) for tiles in rows.values()])
    write_picture(path, sheet, _FORMATS[path.suffix])


def _make_row(tiles: list[Tile], width: int) -> Tile:
    gap = np.full((_TILE_ROWS, _GAP), 40, np.uint8)
    parts: list[Tile] = []
    for tile in tiles:
        # The chest wall is kept: right breasts touch the right border, left ones the left.
        at_right = tile[:, : tile.shape[1] // 4].mean() < tile[:, -tile.shape[1] // 4 :].mean()
        parts += [tile[:, -width:] if at_right else tile[:, :width], gap]
    row = np.hstack(parts[:-1])
    return np.vstack([row, np.full((_GAP, row.shape[1]), 40, np.uint8)])


def _make_tile(view: SimulatedView) -> Tile:
    ds = dict(view.instances)[Intent.PRESENTATION]
    stored = np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, ds.Columns)
    grey = stored.astype(np.float32) / np.float32(2**ds.BitsStored - 1)
    if ds.PhotometricInterpretation == "MONOCHROME1":
        grey = 1.0 - grey
    columns = round(ds.Columns * _TILE_ROWS / ds.Rows)
    small = cv2.resize(grey, (columns, _TILE_ROWS), interpolation=cv2.INTER_AREA)
    return np.asarray(np.rint(255 * small), dtype=np.uint8)
