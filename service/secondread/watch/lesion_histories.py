"""Lesions' histories drawn from the crops that the node keeps, with or without the images."""

from collections.abc import Sequence

from PIL import Image

from secondread.accept.archive import Archive
from secondread.errors import InputError
from secondread.followup.timeline import LesionHistory
from secondread.report.pages.timeline_picture import draw_timeline


def draw_lesion_histories(lesions: Sequence[LesionHistory], archive: Archive) -> Image.Image:
    """Return the picture of lesions over all exams; where a crop is gone its place stays empty."""

    def load_crop(path: str) -> Image.Image | None:
        try:
            with Image.open(archive.resolve_path(path)) as picture:
                return picture.copy()
        # A damaged PNG file is a SyntaxError to Pillow, or a ValueError.
        except (InputError, OSError, SyntaxError, ValueError):
            return None

    days = sorted({s.study_date for lesion in lesions for s in lesion.sightings if s.study_date})
    over = f", exams {days[0]} to {days[-1]}" if days else ""
    return draw_timeline(f"Lesions of one patient{over}", lesions, load_crop)
