"""The history of a patient's lesions as a picture: a row for each, a column for each exam."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from PIL import Image, ImageDraw

from secondread.findings.certainty import format_certainty
from secondread.findings.changes import ChangeKind
from secondread.findings.member_words import describe_count
from secondread.followup.timeline import LesionHistory
from secondread.report.pages.change_colors import choose_color
from secondread.report.pages.display_array import spread_greys
from secondread.report.pages.drawing import (
    BACKGROUND,
    LEAST_TEXT,
    MUTED,
    PANEL_EDGE,
    TEXT,
    Color,
    draw_text,
    wrap_text,
)
from secondread.report.pages.timeline_plots import (
    BELOW_PLOT,
    PLOT_GAP,
    PLOT_HEIGHT,
    PLOT_WIDTH,
    DatedStudy,
    LesionExam,
    draw_plots,
    list_studies,
    select_exam,
)
from secondread.report.sr.wording import join_statements, pluralize

LoadCrop = Callable[[str], Image.Image | None]
"""Gives the stored picture of a sighting by its path; None where it is gone."""

MAX_EXAMS = 5
"""Columns: of more exams the first and the latest ones are drawn."""
MAX_LESIONS = 12

_MARGIN, _GAP = 32, 24
_TILE = 240
_LINE = 28
_SUMMARY_TEXT, _SUMMARY_LINE = 24, 32
_CHANGE_COLORS = {kind.words: choose_color(kind) for kind in ChangeKind}


@dataclass(frozen=True, slots=True)
class _Row:
    """A lesion with the lines that stand above its pictures and below each."""

    lesion: LesionHistory
    exams: tuple[LesionExam, ...]
    summary: list[str]
    lines: tuple[list[tuple[str, Color]], ...]
    """Of each exam."""

    @property
    def head(self) -> int:
        """Height of what stands above the pictures."""
        return 18 + _SUMMARY_LINE * len(self.summary)

    @property
    def height(self) -> int:
        """Rows of the page."""
        most = max(map(len, self.lines), default=0)
        return self.head + max(_TILE + _LINE * most + 34, PLOT_HEIGHT + 30 + BELOW_PLOT)


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
    all_studies = list_studies(drawn)
    studies = all_studies
    if len(studies) > MAX_EXAMS:
        studies = [studies[0], *studies[1 - MAX_EXAMS :]]
    left = _MARGIN + max(len(studies), 2) * (_TILE + _GAP) + 24
    width = left + 2 * (PLOT_WIDTH + PLOT_GAP)
    room = width - 2 * _MARGIN
    exams, others = len(all_studies) - len(studies), len(lesions) - len(drawn)
    notes = [
        f"Not drawn: {pluralize(exams, 'exam')} between the first and the latest" if exams else "",
        f"Not drawn: {pluralize(others, 'lesion')} that would follow" if others else "",
        *describe_categories(lesions),
        "Order: new and growing lesions first, then by priority (certainty x suspicion / 100), "
        "what is gone last",
        "Each image as read last; the word for a change allows for what a repeat would differ by",
        "Research and decision support only",
    ]
    note_lines = wrap_text(join_statements(*notes), LEAST_TEXT, room)
    rows = [_make_row(number, lesion, studies, room) for number, lesion in enumerate(drawn, 1)]
    top = 62 + _LINE * len(note_lines) + 8
    height = top + (sum(row.height for row in rows) if rows else 120) + 40
    page = Image.new("RGB", (width, height), BACKGROUND)
    draw_text(page, (_MARGIN, 46), title, 30, width=room)
    for index, line in enumerate(note_lines, 1):
        draw_text(page, (_MARGIN, 54 + _LINE * index), line, LEAST_TEXT, MUTED)
    if not rows:
        draw_text(page, (_MARGIN, top + 60), "No lesion was ever shown.", 26, MUTED)
    for row in rows:
        ImageDraw.Draw(page).line((_MARGIN, top + 4, width - _MARGIN, top + 4), fill=PANEL_EDGE)
        for index, line in enumerate(row.summary, 1):
            draw_text(page, (_MARGIN, top + 4 + _SUMMARY_LINE * index), line, _SUMMARY_TEXT)
        for column, (exam, lines) in enumerate(zip(row.exams, row.lines, strict=True)):
            corner = (_MARGIN + column * (_TILE + _GAP), top + row.head)
            _draw_exam(page, corner, exam, lines, crop)
        draw_plots(page, left, top + row.head, row.lesion)
        top += row.height
    return page


def _make_row(
    number: int, lesion: LesionHistory, studies: Sequence[DatedStudy], room: float
) -> _Row:
    exams = tuple(select_exam(lesion, study) for study in studies)
    return _Row(
        lesion,
        exams,
        wrap_text(summarize_lesion(number, lesion), _SUMMARY_TEXT, room),
        tuple(
            [
                (part, color)
                for words, color in _list_lines(exam)
                for part in wrap_text(words, LEAST_TEXT, _TILE + _GAP - 8)
            ]
            for exam in exams
        ),
    )


def describe_categories(lesions: Sequence[LesionHistory]) -> list[str]:
    """Return the radiologist's categories of each breast, once, as ``BI-RADS ... L: 4B (day)``."""
    days = dict(list_studies(lesions))
    by_side: dict[str, dict[str, str]] = {}
    for lesion in lesions:
        by_side.setdefault(lesion.sides, {}).update(lesion.categories)
    return [
        f"BI-RADS category by the radiologist, {side}: "
        + ", ".join(
            f"{categories[study]} ({_format_day(day)})"
            for study, day in days.items()
            if study in categories
        )
        for side, categories in sorted(by_side.items())
        if categories.keys() & days.keys()
    ]


def summarize_lesion(number: int, lesion: LesionHistory) -> str:
    """Return the line above a lesion: side, since when, what it is and what became of it."""
    last = lesion.sightings[-1]
    parts = [f"{number}: {lesion.sides}"]
    if lesion.priority is not None:
        parts.append(f"priority {lesion.priority:.0f}")
    parts.append(_describe_start(lesion))
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


def _draw_exam(
    page: Image.Image,
    corner: tuple[int, int],
    exam: LesionExam,
    lines: Sequence[tuple[str, Color]],
    crop: LoadCrop,
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
        color = MUTED
        if exam.absences:
            kind = ChangeKind(exam.absences[0].word)
            words, color = kind.words, choose_color(kind)
        wrapped = wrap_text(words, LEAST_TEXT, _TILE - 12)
        for index, line in enumerate(wrapped):
            y = top + _TILE / 2 + _LINE * (index - (len(wrapped) - 1) / 2)
            draw_text(page, (left + _TILE / 2, y), line, LEAST_TEXT, color, "mm")
    frame = (left, top, left + _TILE - 1, top + _TILE - 1)
    ImageDraw.Draw(page).rectangle(frame, outline=PANEL_EDGE)
    for index, (text, color) in enumerate(lines, 1):
        draw_text(page, (left, top + _TILE + _LINE * index), text, LEAST_TEXT, color)


def _list_lines(exam: LesionExam) -> list[tuple[str, Color]]:
    lines: list[tuple[str, Color]] = [(_format_day(exam.day), TEXT)]
    # In the colour that the change has in captures; several views may differ.
    changes = dict.fromkeys(sighting.change for sighting in exam.sightings if sighting.change)
    lines += [(change, _CHANGE_COLORS.get(change, TEXT)) for change in changes]
    for view in dict.fromkeys(sighting.view for sighting in exam.sightings):
        parts = [sighting for sighting in exam.sightings if sighting.view == view]
        number = sum(sighting.calcifications for sighting in parts)
        faint = sum(sighting.faint for sighting in parts)
        axis = max(sighting.long_axis_mm for sighting in parts)
        lines.append((f"{view}: {describe_count(number, faint)}, {axis:.1f} mm", TEXT))
    if exam.sightings:
        surest = max(exam.sightings, key=lambda sighting: sighting.certainty)
        hidden = "" if any(sighting.shown for sighting in exam.sightings) else ", not shown"
        suspicion = "" if surest.suspicion is None else f", suspicion {surest.suspicion:.0f}"
        lines.append((f"certainty {format_certainty(surest.certainty)}{suspicion}{hidden}", MUTED))
    return lines


def _format_day(day: date | None) -> str:
    return "unknown date" if day is None else day.isoformat()
