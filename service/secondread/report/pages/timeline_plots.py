"""Number and extent of a lesion over time, as plots."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from PIL import Image, ImageDraw

from secondread.followup.timeline import LesionAbsence, LesionHistory, Sighting
from secondread.report.pages.drawing import (
    LEAST_TEXT,
    MARK,
    MUTED,
    PANEL_EDGE,
    Box,
    Color,
    HaloedLines,
    draw_text,
)

PLOT_WIDTH, PLOT_GAP, PLOT_HEIGHT, BELOW_PLOT = 300, 56, 240, 70
"""In pixels; the days stand below a plot."""

_HEADROOM = 1.15  # over the largest value
_OBLIQUE: Color = (255, 148, 196)

DatedStudy = tuple[str, date | None]
"""Study Instance UID and day of an exam."""
_Measure = Callable[[Sighting], float]


@dataclass(frozen=True, slots=True)
class LesionExam:
    """A lesion in one exam."""

    day: date | None
    sightings: tuple[Sighting, ...]
    absences: tuple[LesionAbsence, ...]


def list_studies(lesions: Sequence[LesionHistory]) -> list[DatedStudy]:
    """Return the exams in which lesions were seen or missed, by day."""
    studies = {(s.study_uid, s.study_date) for lesion in lesions for s in lesion.sightings}
    studies |= {(a.study_uid, a.study_date) for lesion in lesions for a in lesion.absences}
    return sorted(studies, key=lambda study: (study[1] or date.min, study[0]))


def select_exam(lesion: LesionHistory, study: DatedStudy) -> LesionExam:
    """Return what a lesion was in an exam."""
    study_uid, day = study
    return LesionExam(
        day,
        tuple(sighting for sighting in lesion.sightings if sighting.study_uid == study_uid),
        tuple(absence for absence in lesion.absences if absence.study_uid == study_uid),
    )


def draw_plots(page: Image.Image, left: int, top: float, lesion: LesionHistory) -> None:
    """Draw number and extent of a lesion over its exams, side by side."""
    exams = [select_exam(lesion, study) for study in list_studies([lesion])]
    measures: tuple[tuple[str, _Measure], ...] = (
        ("calcifications", lambda sighting: float(sighting.calcifications)),
        ("long axis, mm", lambda sighting: sighting.long_axis_mm),
    )
    for index, (name, measure) in enumerate(measures):
        start = left + index * (PLOT_WIDTH + PLOT_GAP)
        box = Box(start, top + 30, start + PLOT_WIDTH, top + 30 + PLOT_HEIGHT)
        _draw_plot(page, box, name, exams, measure)


def _draw_plot(
    page: Image.Image, box: Box, name: str, exams: Sequence[LesionExam], measure: _Measure
) -> None:
    """Draw one measure over time, a line for each view; time is to scale."""
    draw_text(page, (box.left, box.top - 10), name, LEAST_TEXT, MUTED)
    days = [exam.day for exam in exams if exam.day is not None]
    values = [measure(sighting) for exam in exams for sighting in exam.sightings]
    if not days or not values:
        return
    top = max(*values, 1.0) * _HEADROOM
    first, span = min(days), max((max(days) - min(days)).days, 1)
    is_single = len(set(days)) == 1

    def place(day: date, amount: float) -> tuple[float, float]:
        along = 0.5 if is_single else (day - first).days / span
        x = box.left + 64 + along * (box.width - 98)
        return x, box.bottom - amount / top * box.height

    _draw_axes(page, box, place, sorted(set(days)), top)
    for view, color, from_right in (("CC", MARK, 62), ("MLO", _OBLIQUE, 0)):
        points = [
            place(exam.day, _measure_view(exam, view, measure))
            for exam in exams
            if exam.day is not None and _has_point(exam, view)
        ]
        _draw_line(page, box, points, color)
        if points:
            draw_text(page, (box.right - from_right, box.top - 10), view, LEAST_TEXT, color, "rs")


def _has_point(exam: LesionExam, view: str) -> bool:
    # Where it is gone the line goes down to nothing; where it cannot be seen there is no point.
    is_gone = any(a.label[1:] == view and a.word == "gone" for a in exam.absences)
    return is_gone or any(sighting.view == view for sighting in exam.sightings)


def _measure_view(exam: LesionExam, view: str, measure: _Measure) -> float:
    values = [measure(sighting) for sighting in exam.sightings if sighting.view == view]
    return max(values, default=0.0)


def _draw_axes(
    page: Image.Image,
    box: Box,
    place: Callable[[date, float], tuple[float, float]],
    days: Sequence[date],
    top: float,
) -> None:
    draw = ImageDraw.Draw(page)
    draw.line((box.left, box.bottom, box.right, box.bottom), fill=PANEL_EDGE)
    for share in (0.5, 1.0):
        amount = top * share / _HEADROOM
        y = place(days[0], amount)[1]
        draw.line((box.left, y, box.right, y), fill=PANEL_EDGE)
        words = f"{round(amount, 0 if amount >= 10 else 1):g}"
        draw_text(page, (box.left, y - 4), words, LEAST_TEXT, MUTED)
    last_x = float("-inf")
    for day in days:
        x = place(day, 0.0)[0]
        draw.line((x, box.bottom, x, box.bottom + 6), fill=MUTED)
        if x > last_x + 100:
            draw_text(page, (x, box.bottom + 32), f"{day:%Y-%m}", LEAST_TEXT, MUTED, "ms")
            last_x = x


def _draw_line(
    page: Image.Image, box: Box, points: Sequence[tuple[float, float]], color: Color
) -> None:
    lines = HaloedLines(box.expand(8))
    if len(points) > 1:
        lines.add_line(points, 2.0)
    lines.paint(page, color)
    for x, y in points:
        ImageDraw.Draw(page).ellipse((x - 5, y - 5, x + 5, y + 5), fill=color)
