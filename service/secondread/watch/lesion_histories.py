"""Lesions' histories drawn from the crops that the node keeps, with or without the images."""

from collections.abc import Sequence
from datetime import date

from PIL import Image, UnidentifiedImageError

from secondread.accept.archive import Archive
from secondread.followup.timeline import LesionHistory
from secondread.report.pages.timeline_picture import draw_timeline


def list_assessments(lesions: Sequence[LesionHistory]) -> list[str]:
    """Return the radiologist's category of each breast and exam once, as ``2025-01-05 L 2``."""
    days = {a.study_uid: a.study_date for lesion in lesions for a in lesion.absences}
    days |= {s.study_uid: s.study_date for lesion in lesions for s in lesion.sightings}
    entries = {
        (days[study_uid] or date.min, lesion.sides, category)
        for lesion in lesions
        for study_uid, category in lesion.categories.items()
        if study_uid in days
    }
    return [
        f"{'undated' if day == date.min else day} {side} {category}"
        for day, side, category in sorted(entries)
    ]


def draw_lesion_histories(lesions: Sequence[LesionHistory], archive: Archive) -> Image.Image:
    """Return the picture of lesions over all exams; where a crop is gone its place stays empty."""

    def load_crop(path: str) -> Image.Image | None:
        try:
            with Image.open(archive.resolve_path(path)) as picture:
                return picture.copy()
        except (FileNotFoundError, UnidentifiedImageError):
            return None

    days = sorted({s.study_date for lesion in lesions for s in lesion.sightings if s.study_date})
    over = f", exams {days[0]} to {days[-1]}" if days else ""
    return draw_timeline(f"Lesions of one patient{over}", lesions, load_crop)
