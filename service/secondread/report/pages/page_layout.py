"""The pages of captures, laid out: those of a view with findings, and one for a notice."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL import Image, ImageDraw

from secondread.findings.finding import ImageReading
from secondread.report.pages.cards import Card, PlacedCard, draw_card, spread_cards
from secondread.report.pages.display_array import DisplayArray
from secondread.report.pages.drawing import (
    BACKGROUND,
    LEAST_TEXT,
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
from secondread.report.pages.outlines import NumberedOutline
from secondread.report.pages.panels import draw_view
from secondread.report.sr.wording import DISCLAIMER, PURPOSE, join_statements

VIEW_PAGE_SIZE = (1800, 1400)
"""Columns and rows of a page with pictures."""

NOTICE_PAGE_SIZE = (1800, 900)
"""Columns and rows of a notice."""

MARGIN = 40
HEAD_HEIGHT = 122
"""Height of the head of a page."""

LEAST_INSET = 260
"""Side of the smallest inset of a view page; where there are more, they go on the next page."""

# Viewers write over the corners.
_DISCLAIMER_MIDDLE = 1230
_TITLE_TEXT, _SUBTITLE_TEXT = 46, 27
_TITLE_ROOM = _DISCLAIMER_MIDDLE - 200 - MARGIN
_FOOT = 84
_FOOT_LINE = 30
_GUTTER = 36
_VIEW_WIDTH = 880
_NOTE_LINE = 30
_MAX_NOTE_LINES = 9
_NOTICE_LINE = 40


@dataclass(frozen=True, slots=True)
class PageText:
    """What is written around the pictures of a page."""

    title: str
    subtitle: str
    notes: tuple[str, ...]
    """Sentences about the whole."""
    footer: tuple[str, str]
    """When it was made and in whose place; by whom."""
    headline: str = ""
    """Of a notice: its reason."""


def draw_view_pages(
    image: ImageReading,
    display: DisplayArray,
    marks: Sequence[NumberedOutline],
    cards: Sequence[Card],
    text: PageText,
) -> list[Image.Image]:
    """Return the pages of one view: the view with all its marks, and cards of its findings.

    Parameters
    ----------
    image
        The image.
    display
        Its full-resolution display array.
    marks
        What is outlined in the view.
    cards
        Its shown findings, in their order; as many pages are made as they need.
    text
        Title, notes and footer.
    """
    page = Image.new("RGB", VIEW_PAGE_SIZE, BACKGROUND)
    notes_top = draw_foot(page, text)
    body = Box(MARGIN, HEAD_HEIGHT + 24, page.width - MARGIN, notes_top - 18)
    room = Box(body.left, body.top, body.left + _VIEW_WIDTH, body.bottom)
    view = draw_view(page, room, display, marks, image.mammogram.spacing)
    area = Box(view.right + _GUTTER, body.top, body.right, body.bottom)
    return draw_card_pages(page, spread_cards(cards, area, LEAST_INSET), text)


def draw_card_pages(
    page: Image.Image, spread: Sequence[Sequence[PlacedCard]], text: PageText
) -> list[Image.Image]:
    """Return copies of a page without its head, each with some of the cards and with its number."""
    pages = []
    for number, placed in enumerate(spread, start=1):
        drawn = page.copy()
        title = text.title if len(spread) == 1 else f"{text.title}, {number} of {len(spread)}"
        draw_head(drawn, replace(text, title=title))
        for card in placed:
            draw_card(drawn, card)
        pages.append(drawn)
    return pages


def draw_head(page: Image.Image, text: PageText, color: Color = TEXT) -> None:
    """Draw what every page has at its head."""
    size = _TITLE_TEXT
    while size > LEAST_TEXT and measure_text(text.title, size) > _TITLE_ROOM:
        size -= 1
    draw_text(page, (MARGIN, 62), text.title, size, color, width=_TITLE_ROOM)
    draw_text(page, (MARGIN, 104), text.subtitle, _SUBTITLE_TEXT, MUTED, width=_TITLE_ROOM)
    draw_text(page, (_DISCLAIMER_MIDDLE, 58), DISCLAIMER, 30, WARNING, anchor="ms")
    draw_text(page, (_DISCLAIMER_MIDDLE, 92), PURPOSE, LEAST_TEXT, MUTED, anchor="ms")
    line = (MARGIN, HEAD_HEIGHT, page.width - MARGIN, HEAD_HEIGHT)
    ImageDraw.Draw(page).line(line, fill=PANEL_EDGE)


def draw_foot(page: Image.Image, text: PageText) -> float:
    """Draw notes and footer of a page; return the row where the notes begin."""
    right, foot = page.width - MARGIN, page.height - _FOOT
    ImageDraw.Draw(page).line((MARGIN, foot, right, foot), fill=PANEL_EDGE)
    for index, words in enumerate(text.footer, start=1):
        y = foot + _FOOT_LINE * index
        draw_text(page, (MARGIN, y), words, LEAST_TEXT, MUTED, width=right - MARGIN)
    notes = join_statements(*text.notes)
    lines = wrap_text(notes, LEAST_TEXT, right - MARGIN, _MAX_NOTE_LINES)
    top = foot - 14 - _NOTE_LINE * len(lines)
    for index, line in enumerate(lines, start=1):
        draw_text(page, (MARGIN, top + _NOTE_LINE * index - 6), line, LEAST_TEXT, MUTED)
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
    draw_head(page, text, WARNING)
    notes_top = draw_foot(page, text)
    y = 178
    for headline in wrap_text(text.headline, 30, right - MARGIN, 2):
        draw_text(page, (MARGIN, y), headline, 30)
        y += 40
    _draw_notice_lines(page, Box(MARGIN, y + 14, right, notes_top - 16), lines)
    return page


def _draw_notice_lines(page: Image.Image, area: Box, lines: Sequence[NoticeLine]) -> None:
    labels = [shorten_text(line.label, 25, 420) for line in lines]
    indent = area.left + max((measure_text(label, 25) for label in labels), default=0) + 32
    y = area.top + 26
    for index, (line, label) in enumerate(zip(lines, labels, strict=True)):
        # What a decoder said can be long; the line of the next image has to have room too.
        wrapped = wrap_text(line.text, 25, area.right - indent, 2)
        is_last = index == len(lines) - 1
        if y + _NOTICE_LINE * (len(wrapped) - is_last) > area.bottom:
            draw_text(page, (area.left, y), f"and {len(lines) - index} more", 25, MUTED)
            return
        color = TEXT if line.emphasized else MUTED
        draw_text(page, (area.left, y), label, 25, color)
        for words in wrapped:
            draw_text(page, (indent, y), words, 25, color)
            y += _NOTICE_LINE
