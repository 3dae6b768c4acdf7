"""Lesions' histories drawn from what the node keeps of them, images or no images."""

from collections.abc import Sequence

from PIL import Image, UnidentifiedImageError

from secondread.followup.timeline import LesionHistory
from secondread.report.pages.timeline_picture import draw_timeline
from secondread.watch.sources import Archive, Tracker


def list_shown_lesions(tracker: Tracker, study_uid: str) -> list[LesionHistory]:
    """Return the lesions of a study that a radiologist was shown in any exam."""
    return [one for one in tracker.lesions.list_for_study(study_uid) if one.was_shown]


def draw_lesion_histories(lesions: Sequence[LesionHistory], archive: Archive) -> Image.Image:
    """Return the picture of lesions over all exams; crops that are gone leave their place empty."""

    def crop(path: str) -> Image.Image | None:
        try:
            with Image.open(archive.resolve_path(path)) as picture:
                return picture.copy()
        except (FileNotFoundError, UnidentifiedImageError):
            return None

    days = sorted({s.study_date for one in lesions for s in one.sightings if s.study_date})
    over = f", exams {days[0]} to {days[-1]}" if days else ""
    return draw_timeline(f"Lesions of one patient{over}", lesions, crop)
