"""Contact sheets of hits, misses and false marks, in stored pixels one to one."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from PIL import Image, ImageDraw

from secondread.report.pages.drawing import (
    BACKGROUND,
    MARK,
    TEXT,
    WARNING,
    Color,
    draw_text,
    shorten_text,
)
from secondread_lab.judge.crops import CROPS_PER_KIND, KINDS, SIDE
from secondread_lab.judge.records import Box, Crop, ViewRecord

_COLUMNS = 5
_CAPTION = 24
_GAP = 6
_NAMES = {"hit": "hits", "miss": "misses", "false": "false-marks"}


def draw_sheets(
    records: Iterable[ViewRecord], crops: Path, out: Path, prefix: str = ""
) -> dict[str, str]:
    """Draw a sheet for each kind that has crops.

    Returns
    -------
    dict
        File names by kind.
    """
    crops_there = [
        crop for record in records for crop in record.crops if (crops / crop.file).exists()
    ]
    sheets: dict[str, str] = {}
    for kind in KINDS:
        mine = sorted((c for c in crops_there if c.kind == kind), key=lambda c: (-c.rank, c.file))
        if mine:
            name = _NAMES[kind]
            sheets[name] = f"{prefix}{name}.png"
            _draw_sheet(mine[:CROPS_PER_KIND], crops).save(out / sheets[name])
    return sheets


def _draw_sheet(crops: Sequence[Crop], folder: Path) -> Image.Image:
    rows = -(-len(crops) // _COLUMNS)
    columns = min(len(crops), _COLUMNS)
    width, height = SIDE + _GAP, SIDE + _CAPTION + _GAP
    page = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), BACKGROUND)
    for number, crop in enumerate(crops):
        row, column = divmod(number, _COLUMNS)
        corner = (_GAP + column * width, _GAP + row * height)
        with Image.open(folder / crop.file) as piece:
            page.paste(_outline_boxes(piece, crop), corner)
        caption = shorten_text(crop.caption, 15, SIDE)
        draw_text(page, (corner[0], corner[1] + SIDE + 17), caption, 15, TEXT)
    return page


def _outline_boxes(piece: Image.Image, crop: Crop) -> Image.Image:
    tile = piece.convert("RGB")
    draw = ImageDraw.Draw(tile)
    for box, color, dashed in ((crop.truth, WARNING, True), (crop.mark, MARK, False)):
        if box is not None:
            _draw_rectangle(draw, _move_box(box, crop.origin), color, dashed=dashed)
    return tile


def _move_box(box: Box, origin: tuple[int, int]) -> Box:
    return box[0] - origin[0], box[1] - origin[1], box[2] - origin[0], box[3] - origin[1]


def _draw_rectangle(draw: ImageDraw.ImageDraw, box: Box, color: Color, *, dashed: bool) -> None:
    # A few pixels outside, so that no line covers a calcification on the border of its cluster.
    left, top, right, bottom = (round(v + d) for v, d in zip(box, (-4, -4, 4, 4), strict=True))
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    for (x0, y0), (x1, y1) in pairwise(corners):
        length = max(abs(x1 - x0), abs(y1 - y0), 1)
        step, stroke = (10, 5) if dashed else (length, length)
        for start in range(0, length, step):
            end = min(start + stroke, length)
            draw.line(
                (
                    x0 + (x1 - x0) * start / length,
                    y0 + (y1 - y0) * start / length,
                    x0 + (x1 - x0) * end / length,
                    y0 + (y1 - y0) * end / length,
                ),
                fill=color,
            )
