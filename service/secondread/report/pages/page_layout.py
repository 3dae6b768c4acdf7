"""The pages of captures, laid out: one for a view with findings, one for a notice."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from PIL import Image, ImageDraw

from secondread.findings.finding import Finding, ImageReading
from secondread.report.pages.display_array import DisplayArray
from secondread.report.pages.drawing import (
    BACKGROUND,
    MUTED,
    PANEL_EDGE,
    TEXT,
    WARNING,
    Box,
    Color,
    draw_text,
    measure_text,
    shorten_text,
    wrap_text,
)
from secondread.report.pages.labels import draw_badge, place_badge
from secondread.report.pages.panels import draw_inset, draw_view
from secondread.report.sr.wording import DISCLAIMER, PURPOSE, describe_measurements, pluralize

VIEW_PAGE_SIZE = (1800, 1400)
"""Columns and rows of a page with a view. Its smallest text is 20 pixels high, 14 when a
workstation shows the page 1000 pixels high."""

NOTICE_PAGE_SIZE = (1800, 900)
"""Columns and rows of a notice."""

MAX_INSETS = 6
"""How many findings have an inset and a legend line; further ones are outlined and counted."""

MARGIN = 40
HEAD_HEIGHT = 116
"""Height of the head of a page."""

# Viewers write over the corners.
_DISCLAIMER_MIDDLE = 1230
_FOOT = 58
_GUTTER = 36
_VIEW_WIDTH = 880
_LEGEND_TEXT = 23
_LEGEND_LINE = 31
_LEGEND_GAP = 10
_CONTEXT_TEXT = 20
_CONTEXT_LINE = 27
_MAX_CONTEXT_LINES = (3, 2)
"""Of a finding: where at most three findings are listed, and where there are more."""
_NOTE_TEXT = 20
_NOTE_LINE = 28
_MAX_NOTE_LINES = 4


@dataclass(frozen=True, slots=True)
class PageText:
    """What is written around the pictures of a page."""

    title: str
    subtitle: str
    notes: tuple[str, ...]
    """Sentences about the whole."""
    footer: tuple[str, str]
    """When it was made and in whose place; by whom."""
    contexts: Mapping[str, str] = field(default_factory=dict)
    """By finding id: place, type, change and zone of a finding, for the legend."""


def draw_view_page(image: ImageReading, display: DisplayArray, text: PageText) -> Image.Image:
    """Return the page of one view: the view, insets of its shown findings, a legend.

    Parameters
    ----------
    image
        The image with its findings; the shown ones are drawn, in their order.
    display
        Its full-resolution display array.
    text
        Title, notes and footer.
    """
    page = Image.new("RGB", VIEW_PAGE_SIZE, BACKGROUND)
    notes_top = draw_page_frame(page, text)
    body = Box(MARGIN, HEAD_HEIGHT + 24, page.width - MARGIN, notes_top - 18)
    spacing = image.mammogram.spacing
    room = Box(body.left, body.top, body.left + _VIEW_WIDTH, body.bottom)
    view = draw_view(page, room, display, image.shown_findings, spacing)
    right = Box(view.right + _GUTTER, body.top, body.right, body.bottom)
    legend_top = _draw_legend(
        page, right, image.shown_findings, text.contexts, measured=spacing is not None
    )
    cells = Box(right.left, right.top, right.right, legend_top - 22)
    detailed = image.shown_findings[:MAX_INSETS]
    for finding, cell in zip(detailed, divide_into_cells(cells, len(detailed)), strict=True):
        draw_inset(page, cell, display, finding, spacing)
    return page


def draw_page_frame(page: Image.Image, text: PageText, color: Color = TEXT) -> float:
    """Draw what every page has at its head and foot; return the row where the notes begin."""
    right = page.width - MARGIN
    draw_text(page, (MARGIN, 80), text.title, 50, color)
    after_title = MARGIN + measure_text(text.title, 50) + 28
    room = _DISCLAIMER_MIDDLE - 200 - after_title
    draw_text(page, (after_title, 80), text.subtitle, 27, MUTED, width=room)
    draw_text(page, (_DISCLAIMER_MIDDLE, 54), DISCLAIMER, 30, WARNING, anchor="ms")
    draw_text(page, (_DISCLAIMER_MIDDLE, 86), PURPOSE, 22, MUTED, anchor="ms")
    foot = page.height - _FOOT
    draw = ImageDraw.Draw(page)
    for y in (HEAD_HEIGHT, foot):
        draw.line((MARGIN, y, right, y), fill=PANEL_EDGE)
    occasion, maker = text.footer
    maker = shorten_text(maker, _NOTE_TEXT, (right - MARGIN) * 0.5)
    draw_text(page, (right, foot + 36), maker, _NOTE_TEXT, MUTED, anchor="rs")
    room = right - MARGIN - measure_text(maker, _NOTE_TEXT) - 40
    draw_text(page, (MARGIN, foot + 36), occasion, _NOTE_TEXT, MUTED, width=room)
    lines = wrap_text(". ".join(text.notes), _NOTE_TEXT, right - MARGIN, _MAX_NOTE_LINES)
    top = foot - 14 - _NOTE_LINE * len(lines)
    for index, line in enumerate(lines, start=1):
        draw_text(page, (MARGIN, top + _NOTE_LINE * index - 6), line, _NOTE_TEXT, MUTED)
    return top


def divide_into_cells(area: Box, number: int) -> list[Box]:
    """Return equal cells for the insets, row by row, in the grid whose cells are squarest."""
    gap = 22
    shapes = [(columns, math.ceil(number / columns)) for columns in (1, 2, 3)]
    sizes = [
        ((area.width - gap * (columns - 1)) / columns, (area.height - gap * (rows - 1)) / rows)
        for columns, rows in shapes
    ]
    best = max(range(len(shapes)), key=lambda index: min(sizes[index]))
    columns, (width, height) = shapes[best][0], sizes[best]
    corners = [
        (
            area.left + (index % columns) * (width + gap),
            area.top + (index // columns) * (height + gap),
        )
        for index in range(number)
    ]
    return [Box(left, top, left + width, top + height) for left, top in corners]


def _draw_legend(
    page: Image.Image,
    area: Box,
    findings: Sequence[Finding],
    contexts: Mapping[str, str],
    *,
    measured: bool,
) -> float:
    """Write the legend at the bottom of the area, and return the row at which it begins."""
    indent = area.left + 50
    room = area.right - indent
    most = _MAX_CONTEXT_LINES[len(findings) > 3]
    entries = [
        (
            finding,
            describe_measurements(finding, measured=measured),
            wrap_text(contexts.get(finding.id, ""), _CONTEXT_TEXT, room, most),
        )
        for finding in findings[:MAX_INSETS]
    ]
    more = len(findings) - len(entries)
    lines = len(entries) + (more > 0)
    small_lines = sum(len(context) for _, _, context in entries)
    height = lines * _LEGEND_LINE + small_lines * _CONTEXT_LINE + len(entries) * _LEGEND_GAP
    top = area.bottom - height
    y = top + _LEGEND_LINE / 2
    for finding, facts, context in entries:
        draw_badge(page, place_badge(area.left, y, finding.number, 19), finding.number, 19)
        draw_text(page, (indent, y), facts, _LEGEND_TEXT, anchor="lm", width=room)
        for line in context:
            y += _CONTEXT_LINE
            draw_text(page, (indent, y), line, _CONTEXT_TEXT, MUTED, anchor="lm")
        y += _LEGEND_LINE + _LEGEND_GAP
    if more:
        line = f"{pluralize(more, 'more finding')} outlined in the view"
        draw_text(page, (indent, y), line, 20, MUTED, anchor="lm")
    return top


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """One line of a notice: what it is about, its text, and whether it is the point."""

    label: str
    text: str
    emphasized: bool


def draw_notice_page(text: PageText, lines: Sequence[NoticeLine]) -> Image.Image:
    """Return the page of a notice: a headline, a line for each image, notes."""
    page = Image.new("RGB", NOTICE_PAGE_SIZE, BACKGROUND)
    right = page.width - MARGIN
    notes_top = draw_page_frame(page, replace(text, subtitle=""), WARNING)
    y = 178
    for headline in wrap_text(text.subtitle, 30, right - MARGIN, 2):
        draw_text(page, (MARGIN, y), headline, 30)
        y += 40
    _draw_notice_lines(page, Box(MARGIN, y + 14, right, notes_top - 16), lines)
    return page


def _draw_notice_lines(page: Image.Image, area: Box, lines: Sequence[NoticeLine]) -> None:
    capacity = int(area.height // 40)
    fitting = lines if len(lines) <= capacity else lines[: capacity - 1]
    labels = [shorten_text(line.label, 25, 420) for line in fitting]
    indent = area.left + max((measure_text(label, 25) for label in labels), default=0) + 32
    y = area.top + 26
    for line, label in zip(fitting, labels, strict=True):
        color = TEXT if line.emphasized else MUTED
        draw_text(page, (area.left, y), label, 25, color)
        draw_text(page, (indent, y), line.text, 25, color, width=area.right - indent)
        y += 40
    if len(fitting) < len(lines):
        draw_text(page, (area.left, y), f"and {len(lines) - len(fitting)} more", 25, MUTED)
