"""The history of a patient's lesions as a picture: a row for each, a column for each exam."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from PIL import Image, ImageDraw

from secondread.findings.changes import ChangeKind
from secondread.followup.timeline import LesionAbsence, LesionHistory, Sighting
from secondread.report.pages.display_array import spread_greys
from secondread.report.pages.drawing import (
    BACKGROUND,
    MARK,
    MUTED,
    PANEL_EDGE,
    TEXT,
    WARNING,
    Box,
    Color,
    HaloedLines,
    draw_text,
)

LoadCrop = Callable[[str], Image.Image | None]
"""Gives the stored picture of a sighting by its path; None where it is gone."""

MAX_EXAMS = 5
"""Columns: of more exams the first and the latest ones are drawn."""
MAX_LESIONS = 12

_MARGIN, _GAP = 32, 16
_TILE = 220
_HEAD, _LINE, _LINES = 46, 25, 6
_ROW = _HEAD + _TILE + _LINE * _LINES + 34
_TITLE = 84
_PLOT, _PLOT_GAP = 300, 56
_HEADROOM = 1.15  # of a plot, over its largest value
_OBLIQUE: Color = (255, 148, 196)

_Study = tuple[str, date | None]
"""Study Instance UID and day of an exam."""
_Measure = Callable[[Sighting], float]


@dataclass(frozen=True, slots=True)
class _LesionExam:
    """A lesion in one exam."""

    day: date | None
    sightings: tuple[Sighting, ...]
    absences: tuple[LesionAbsence, ...]
    category: str


def draw_timeline(title: str, lesions: Sequence[LesionHistory], crop: LoadCrop) -> Image.Image:
    """Draw lesions over all exams; without any, a page with a note.

    Parameters
    ----------
    title
        What stands above: whose they are, in words that the caller answers for.
    lesions
        In the order of their numbers; those beyond `MAX_LESIONS` are counted only.
    crop
        Gives the stored pictures.
    """
    drawn = lesions[:MAX_LESIONS]
    studies = _list_studies(drawn)
    if len(studies) > MAX_EXAMS:
        studies = [studies[0], *studies[1 - MAX_EXAMS :]]
    left = _MARGIN + max(len(studies), 2) * (_TILE + _GAP) + 24
    width = left + 2 * (_PLOT + _PLOT_GAP)
    room = width - 2 * _MARGIN
    page = Image.new("RGB", (width, _TITLE + max(len(drawn), 1) * _ROW + 40), BACKGROUND)
    draw_text(page, (_MARGIN, 46), title, 30, width=room)
    note = (
        "Each image as read last; the word for a change allows for what a repeat would differ "
        "by. Research and decision support only."
    )
    if len(lesions) > len(drawn):
        note = f"{len(lesions) - len(drawn)} further lesions are not drawn. {note}"
    draw_text(page, (_MARGIN, 74), note, 19, MUTED, width=room)
    if not drawn:
        draw_text(page, (_MARGIN, _TITLE + 60), "No lesion was ever shown.", 26, MUTED)
    for index, lesion in enumerate(drawn):
        top = _TITLE + index * _ROW
        ImageDraw.Draw(page).line((_MARGIN, top + 4, width - _MARGIN, top + 4), fill=PANEL_EDGE)
        draw_text(page, (_MARGIN, top + 36), summarize_lesion(index + 1, lesion), 24, width=room)
        for column, study in enumerate(studies):
            corner = (_MARGIN + column * (_TILE + _GAP), top + _HEAD)
            _draw_exam(page, corner, _select_exam(lesion, study), crop)
        _draw_plots(page, left, top, lesion)
    return page


def summarize_lesion(number: int, lesion: LesionHistory) -> str:
    """Return the line above a lesion: side, since when, what it is and what became of it."""
    last = lesion.sightings[-1]
    parts = [f"{number}: {lesion.sides}", _describe_start(lesion)]
    if last.morphology:
        parts.append(last.morphology)
    if lesion.absences:
        absence = lesion.absences[-1]
        parts.append(f"{absence.word.replace('-', ' ')} {_format_day(absence.study_date)}")
    elif last.change:
        parts.append(f"{last.change} {_format_day(last.study_date)}")
    return ", ".join(parts)


def _describe_start(lesion: LesionHistory) -> str:
    """Return when a lesion was first marked, and whether a recheck saw it before that."""
    first, day = lesion.sightings[0], _format_day(lesion.first_seen)
    changes = {s.change for s in lesion.sightings if s.study_uid == first.study_uid}
    if ChangeKind.MORE.words in changes:
        return f"first marked {day}, seen faintly before"
    return f"first seen {day}"


def _list_studies(lesions: Sequence[LesionHistory]) -> list[_Study]:
    """Return the exams in which lesions were seen or missed, by day."""
    studies = {(s.study_uid, s.study_date) for lesion in lesions for s in lesion.sightings}
    studies |= {(a.study_uid, a.study_date) for lesion in lesions for a in lesion.absences}
    return sorted(studies, key=lambda study: (study[1] or date.min, study[0]))


def _select_exam(lesion: LesionHistory, study: _Study) -> _LesionExam:
    study_uid, day = study
    return _LesionExam(
        day,
        tuple(sighting for sighting in lesion.sightings if sighting.study_uid == study_uid),
        tuple(absence for absence in lesion.absences if absence.study_uid == study_uid),
        lesion.categories.get(study_uid, ""),
    )


def _draw_exam(
    page: Image.Image, corner: tuple[int, int], exam: _LesionExam, crop: LoadCrop
) -> None:
    left, top = corner
    crops = (crop(sighting.crop) for sighting in exam.sightings if sighting.crop)
    picture = next((picture for picture in crops if picture is not None), None)
    if picture is not None:
        tile = picture.convert("L").resize((_TILE, _TILE), Image.Resampling.LANCZOS)
        greys = spread_greys(np.asarray(tile))
        page.paste(Image.fromarray(greys).convert("RGB"), corner)
    else:
        words = "no picture kept" if exam.sightings else "not seen"
        if exam.absences:
            words = exam.absences[0].word.replace("-", " ")
        middle = (left + _TILE / 2, top + _TILE / 2)
        draw_text(page, middle, words, 20, MUTED, "mm", width=_TILE - 12)
    frame = (left, top, left + _TILE - 1, top + _TILE - 1)
    ImageDraw.Draw(page).rectangle(frame, outline=PANEL_EDGE)
    for index, (text, color) in enumerate(_list_lines(exam)[:_LINES]):
        position = (left, top + _TILE + 24 + index * _LINE)
        draw_text(page, position, text, 18, color, width=_TILE + _GAP - 6)


def _list_lines(exam: _LesionExam) -> list[tuple[str, Color]]:
    lines: list[tuple[str, Color]] = [(_format_day(exam.day), TEXT)]
    for view in dict.fromkeys(sighting.view for sighting in exam.sightings):
        parts = [sighting for sighting in exam.sightings if sighting.view == view]
        number = sum(sighting.calcifications for sighting in parts)
        axis = max(sighting.long_axis_mm for sighting in parts)
        lines.append((f"{view}: {number}, {axis:.1f} mm", TEXT))
    if exam.sightings:
        surest = max(exam.sightings, key=lambda sighting: sighting.certainty)
        hidden = "" if any(sighting.shown for sighting in exam.sightings) else ", not shown"
        suspicion = "" if surest.suspicion is None else f", suspicion {surest.suspicion:.0f}"
        lines.append((f"certainty {surest.certainty:.0f}{suspicion}{hidden}", MUTED))
    if exam.category:
        lines.append((f"radiologist: BI-RADS {exam.category}", WARNING))
    changes = dict.fromkeys(sighting.change for sighting in exam.sightings if sighting.change)
    lines += [(change, MUTED) for change in changes]
    return lines


def _draw_plots(page: Image.Image, left: int, top: int, lesion: LesionHistory) -> None:
    exams = [_select_exam(lesion, study) for study in _list_studies([lesion])]
    measures: tuple[tuple[str, _Measure], ...] = (
        ("calcifications", lambda sighting: float(sighting.calcifications)),
        ("long axis, mm", lambda sighting: sighting.long_axis_mm),
    )
    for index, (name, measure) in enumerate(measures):
        start = left + index * (_PLOT + _PLOT_GAP)
        box = Box(start, top + _HEAD + 30, start + _PLOT, top + _ROW - 70)
        _draw_plot(page, box, name, exams, measure)


def _draw_plot(
    page: Image.Image, box: Box, name: str, exams: Sequence[_LesionExam], measure: _Measure
) -> None:
    """Draw one measure over time, a line for each view; time is to scale."""
    draw_text(page, (box.left, box.top - 10), name, 18, MUTED)
    days = [exam.day for exam in exams if exam.day is not None]
    values = [measure(sighting) for exam in exams for sighting in exam.sightings]
    if not days or not values:
        return
    top = max(*values, 1.0) * _HEADROOM
    first, span = min(days), max((max(days) - min(days)).days, 1)
    is_single = len(set(days)) == 1

    def place(day: date, amount: float) -> tuple[float, float]:
        along = 0.5 if is_single else (day - first).days / span
        x = box.left + 34 + along * (box.width - 68)
        return x, box.bottom - amount / top * box.height

    _draw_axes(page, box, place, sorted(set(days)), top)
    for view, color, from_right in (("CC", MARK, 56), ("MLO", _OBLIQUE, 0)):
        points = [
            place(exam.day, _measure_view(exam, view, measure))
            for exam in exams
            if exam.day is not None and _has_point(exam, view)
        ]
        _draw_line(page, box, points, color)
        if points:
            draw_text(page, (box.right - from_right, box.top - 10), view, 18, color, "rs")


def _has_point(exam: _LesionExam, view: str) -> bool:
    # Where it is gone the line goes down to nothing; where it cannot be seen there is no point.
    is_gone = any(a.label[1:] == view and a.word == "gone" for a in exam.absences)
    return is_gone or any(sighting.view == view for sighting in exam.sightings)


def _measure_view(exam: _LesionExam, view: str, measure: _Measure) -> float:
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
        draw_text(page, (box.left, y - 4), words, 15, MUTED)
    last_x = float("-inf")
    for day in days:
        x = place(day, 0.0)[0]
        draw.line((x, box.bottom, x, box.bottom + 6), fill=MUTED)
        if x > last_x + 70:
            draw_text(page, (x, box.bottom + 24), f"{day:%Y-%m}", 16, MUTED, "ms")
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


def _format_day(day: date | None) -> str:
    return "unknown date" if day is None else day.isoformat()
