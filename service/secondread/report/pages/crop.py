"""A small picture of a finding, which is kept when the image itself is long gone."""

import io

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from secondread.geometry import Outline, SpacingMm, bounding_box
from secondread.report.pages.display_array import DisplayArray, cut_out

MIN_SIDE_MM = 20.0
"""A crop shows at least this much tissue across."""
MAX_SIDE_PX = 400
"""Larger crops are reduced to this."""

_ROOM = 1.4  # of the finding's extent, so that its surroundings are seen
SIDE_KEYWORD = "across_mm"
"""Keyword of the PNG's text that holds the length of its sides in millimetres."""


def encode_crop(display: DisplayArray, outline: Outline, spacing: SpacingMm) -> bytes:
    """Return a square picture around a finding as a PNG file, its greys as displayed.

    Parameters
    ----------
    display
        The whole image as people look at it: uint8, calcifications white.
    outline
        Around the finding.
    spacing
        Of the image, at the detector plane; it gives the lengths in millimetres.

    Returns
    -------
    bytes
        Greyscale, 8 bits; black where it reaches beyond the image. Its text ``across_mm`` is the
        length of its sides.
    """
    first, last = bounding_box(outline)
    wide = (last.col - first.col) * spacing.between_columns
    high = (last.row - first.row) * spacing.between_rows
    across = max(_ROOM * max(wide, high), MIN_SIDE_MM)
    columns = round(across / spacing.between_columns)
    rows = round(across / spacing.between_rows)
    left = round((first.col + last.col) / 2 - columns / 2)
    top = round((first.row + last.row) / 2 - rows / 2)
    picture = Image.fromarray(cut_out(display, left, top, columns, rows))
    size = min(max(columns, rows), MAX_SIDE_PX)
    if picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.LANCZOS)
    text = PngInfo()
    text.add_text(SIDE_KEYWORD, f"{across:.1f}")
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True, pnginfo=text)
    return buffer.getvalue()
