"""The history of a patient's lesions as a picture: a row for each, a column for each exam."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from PIL import Image, ImageDraw

from secondread.findings.changes import ChangeKind
from secondread.followup.timeline import LesionAbsence, LesionHistory, Sighting
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
    shorten_text,
)

LoadCrop = Callable[[str], Image.Image | None]
"""Gives the kept picture of a sighting by where it lies; None where it is gone."""

MAX_EXAMS = 5
"""Columns: of more exams the first and the latest ones are drawn."""
MAX_LESIONS = 12

_MARGIN, _GAP = 32, 16
_TILE = 220
_HEAD, _LINE, _LINES = 46, 25, 6
_ROW = _HEAD + _TILE + _LINE * _LINES + 34
_TITLE = 84
_PLOT, _PLOT_GAP = 300, 56
_OBLIQUE: Color = (255, 148, 196)
_QUANTILES = (0.5, 99.9)


_Study = tuple[str, date | None]
"""Study Instance UID and day of an exam."""


@dataclass(frozen=True, slots=True)
class _Exam:
    """What one exam says of a lesion."""

    study_uid: str
    day: date | None
    seen: tuple[Sighting, ...]
    missing: tuple[LesionAbsence, ...]
    category: str


def draw_timeline(title: str, lesions: Sequence[LesionHistory], crop: LoadCrop) -> Image.Image:
    """Draw lesions over all exams; without any, a page that says so.

    Parameters
    ----------
    title
        What stands above: whose they are, in words that the caller answers for.
    lesions
        In the order of their numbers; those beyond `MAX_LESIONS` are counted only.
    crop
        Gives the kept pictures.
    """
    drawn = lesions[:MAX_LESIONS]
    studies = _studies(drawn)
    if len(studies) > MAX_EXAMS:
        studies = [studies[0], *studies[1 - MAX_EXAMS :]]
    left = _MARGIN + max(len(studies), 2) * (_TILE + _GAP) + 24
    width = left + 2 * (_PLOT + _PLOT_GAP)
    page = Image.new("RGB", (width, _TITLE + max(len(drawn), 1) * _ROW + 40), BACKGROUND)
    draw_text(page, (_MARGIN, 46), shorten_text(title, 30, width - 2 * _MARGIN), 30)
    told = (
        "Each image as read last; the word for a change allows for what a repeat would differ "
        "by. Research and decision support only."
    )
    if len(lesions) > len(drawn):
        told = f"{len(lesions) - len(drawn)} further lesions are not drawn. {told}"
    draw_text(page, (_MARGIN, 74), shorten_text(told, 19, width - 2 * _MARGIN), 19, MUTED)
    if not drawn:
        draw_text(page, (_MARGIN, _TITLE + 60), "No lesion was ever shown.", 26, MUTED)
    for index, lesion in enumerate(drawn):
        top = _TITLE + index * _ROW
        ImageDraw.Draw(page).line((_MARGIN, top + 4, width - _MARGIN, top + 4), fill=PANEL_EDGE)
        words = shorten_text(summarize_lesion(index + 1, lesion), 24, width - 2 * _MARGIN)
        draw_text(page, (_MARGIN, top + 36), words, 24)
        for column, study in enumerate(studies):
            corner = (_MARGIN + column * (_TILE + _GAP), top + _HEAD)
            _column(page, corner, _exam(lesion, study), crop)
        _plots(page, left, top, lesion)
    return page


def _plots(page: Image.Image, left: int, top: int, lesion: LesionHistory) -> None:
    exams = [_exam(lesion, study) for study in _studies([lesion])]
    plots: tuple[tuple[str, Callable[[Sighting], float]], ...] = (
        ("calcifications", lambda one: float(one.calcifications)),
        ("long axis, mm", lambda one: one.long_axis_mm),
    )
    for index, (name, value) in enumerate(plots):
        start = left + index * (_PLOT + _PLOT_GAP)
        box = Box(start, top + _HEAD + 30, start + _PLOT, top + _ROW - 70)
        _plot(page, box, name, exams, value)


def summarize_lesion(number: int, lesion: LesionHistory) -> str:
    """Return the line above a lesion: side, since when, what it is and what became of it."""
    last = lesion.sightings[-1]
    parts = [f"{number}: {lesion.sides}", _first(lesion)]
    if last.morphology:
        parts.append(last.morphology)
    if lesion.absences:
        parts.append(f"{lesion.absences[-1].word.replace('-', ' ')} {_day(_last_missed(lesion))}")
    elif last.change:
        parts.append(f"{last.change} {_day(last.study_date)}")
    return ", ".join(parts)


def _first(lesion: LesionHistory) -> str:
    """Say when a lesion was first marked, and where a second look saw it before that."""
    first, day = lesion.sightings[0], _day(lesion.first_seen)
    words = {one.change for one in lesion.sightings if one.study_uid == first.study_uid}
    if ChangeKind.MORE.words in words:
        return f"first marked {day}, seen faintly before"
    return f"first seen {day}"


def _last_missed(lesion: LesionHistory) -> date | None:
    return lesion.absences[-1].study_date


def _studies(lesions: Sequence[LesionHistory]) -> list[_Study]:
    """Return the exams that say anything of lesions, by day."""
    found = {(s.study_uid, s.study_date) for one in lesions for s in one.sightings}
    found |= {(m.study_uid, m.study_date) for one in lesions for m in one.absences}
    return sorted(found, key=lambda study: (study[1] or date.min, study[0]))


def _exam(lesion: LesionHistory, study: _Study) -> _Exam:
    study_uid, day = study
    return _Exam(
        study_uid,
        day,
        tuple(one for one in lesion.sightings if one.study_uid == study_uid),
        tuple(one for one in lesion.absences if one.study_uid == study_uid),
        lesion.categories.get(study_uid, ""),
    )


def _column(page: Image.Image, corner: tuple[int, int], exam: _Exam, crop: LoadCrop) -> None:
    left, top = corner
    frame = (left, top, left + _TILE - 1, top + _TILE - 1)
    picture = next((p for one in exam.seen if one.crop and (p := crop(one.crop))), None)
    if picture is not None:
        page.paste(_stretched(picture), (left, top))
    else:
        words = "no picture kept" if exam.seen else "not seen"
        if exam.missing:
            words = exam.missing[0].word.replace("-", " ")
        middle = (left + _TILE / 2, top + _TILE / 2)
        draw_text(page, middle, shorten_text(words, 20, _TILE - 12), 20, MUTED, "mm")
    ImageDraw.Draw(page).rectangle(frame, outline=PANEL_EDGE)
    for index, (text, color) in enumerate(_lines(exam)[:_LINES]):
        at = (left, top + _TILE + 24 + index * _LINE)
        draw_text(page, at, shorten_text(text, 18, _TILE + _GAP - 6), 18, color)


def _stretched(picture: Image.Image) -> Image.Image:
    greys = np.asarray(picture.convert("L").resize((_TILE, _TILE), Image.Resampling.LANCZOS))
    low, high = np.percentile(greys, _QUANTILES)
    spread = np.clip((greys - low) * (255 / max(high - low, 40.0)), 0, 255)
    return Image.fromarray(spread.astype(np.uint8)).convert("RGB")


def _lines(exam: _Exam) -> list[tuple[str, Color]]:
    lines: list[tuple[str, Color]] = [(_day(exam.day), TEXT)]
    for view in dict.fromkeys(one.view for one in exam.seen):
        parts = [one for one in exam.seen if one.view == view]
        number = sum(one.calcifications for one in parts)
        axis = max(one.long_axis_mm for one in parts)
        lines.append((f"{view}: {number}, {axis:.1f} mm", TEXT))
    if exam.seen:
        sure = max(exam.seen, key=lambda one: one.certainty)
        hidden = "" if any(one.shown for one in exam.seen) else ", not shown"
        suspicion = "" if sure.suspicion is None else f", suspicion {sure.suspicion:.0f}"
        lines.append((f"certainty {sure.certainty:.0f}{suspicion}{hidden}", MUTED))
    if exam.category:
        lines.append((f"radiologist: BI-RADS {exam.category}", WARNING))
    changes = dict.fromkeys(one.change for one in exam.seen if one.change)
    lines += [(change, MUTED) for change in changes]
    return lines


def _plot(
    page: Image.Image,
    box: Box,
    name: str,
    exams: Sequence[_Exam],
    value: Callable[[Sighting], float],
) -> None:
    """Draw one measure over time, a line for each view; time is to scale."""
    draw_text(page, (box.left, box.top - 10), name, 18, MUTED)
    days = [exam.day for exam in exams if exam.day is not None]
    values = [value(one) for exam in exams for one in exam.seen]
    if not days or not values:
        return
    top = max(*values, 1.0) * 1.15
    first, span = min(days), max((max(days) - min(days)).days, 1)
    single = len(set(days)) == 1

    def at(day: date, amount: float) -> tuple[float, float]:
        along = 0.5 if single else (day - first).days / span
        x = box.left + 34 + along * (box.width - 68)
        return x, box.bottom - amount / top * box.height

    _axes(page, box, at, sorted(set(days)), top)
    for view, color, away in (("CC", MARK, 56), ("MLO", _OBLIQUE, 0)):
        points = [
            at(exam.day, _of_view(exam, view, value))
            for exam in exams
            if exam.day is not None and _is_told(exam, view)
        ]
        _line(page, box, points, color)
        if points:
            draw_text(page, (box.right - away, box.top - 10), view, 18, color, "rs")


def _is_told(exam: _Exam, view: str) -> bool:
    # Where it is gone the line goes down to nothing; where it cannot be seen there is no point.
    gone = any(one.label[1:] == view and one.word == "gone" for one in exam.missing)
    return gone or any(one.view == view for one in exam.seen)


def _of_view(exam: _Exam, view: str, value: Callable[[Sighting], float]) -> float:
    values = [value(one) for one in exam.seen if one.view == view]
    return max(values, default=0.0)


def _axes(
    page: Image.Image,
    box: Box,
    at: Callable[[date, float], tuple[float, float]],
    days: Sequence[date],
    top: float,
) -> None:
    draw = ImageDraw.Draw(page)
    draw.line((box.left, box.bottom, box.right, box.bottom), fill=PANEL_EDGE)
    for share in (0.5, 1.0):
        amount = top * share / 1.15
        y = at(days[0], amount)[1]
        draw.line((box.left, y, box.right, y), fill=PANEL_EDGE)
        draw_text(
            page, (box.left, y - 4), f"{round(amount, 0 if amount >= 10 else 1):g}", 15, MUTED
        )
    right = float("-inf")
    for day in days:
        x = at(day, 0.0)[0]
        draw.line((x, box.bottom, x, box.bottom + 6), fill=MUTED)
        if x > right + 70:
            draw_text(page, (x, box.bottom + 24), f"{day:%Y-%m}", 16, MUTED, "ms")
            right = x


def _line(page: Image.Image, box: Box, points: Sequence[tuple[float, float]], color: Color) -> None:
    strokes = HaloedLines(box.expand(8))
    if len(points) > 1:
        strokes.add_line(points, 2.0)
    strokes.paint(page, color)
    for x, y in points:
        ImageDraw.Draw(page).ellipse((x - 5, y - 5, x + 5, y + 5), fill=color)


def _day(day: date | None) -> str:
    return "unknown date" if day is None else day.isoformat()
