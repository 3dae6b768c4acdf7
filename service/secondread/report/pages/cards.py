"""Findings of a page as cards: pictures, number, facts; as many pages as they need to be legible.

All cards of a page have pictures of one size, the largest that the page has room for, with the text
beside or below them. Where that would be smaller than is legible, the cards are spread over more
pages. No text is cut off.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image

from secondread.report.pages.drawing import (
    LEAST_TEXT,
    MUTED,
    TEXT,
    Box,
    Color,
    draw_text,
    measure_text,
    wrap_text,
)
from secondread.report.pages.labels import draw_badge, place_badge
from secondread.report.pages.outlines import NUMBER_SIZE

STRIP = 34
"""Height of the strip below a picture, for scale bar and caption; nothing is written on tissue."""

DrawPicture = Callable[[Image.Image, Box], None]
"""Draws a square picture with its strip below it into a box."""

_HEAD_LINE, _FACT_LINE, _CONTEXT_LINE = 38, 31, 28
_FACT_TEXT, _CONTEXT_TEXT = 24, LEAST_TEXT
_GAP, _ROW_GAP = 16, 24
_LARGEST = 560
_STEP = 10
_LEAST_TEXT_WIDTH = 290
_MAX_COLUMNS = 3


@dataclass(frozen=True, slots=True)
class Badge:
    """A number in its colour."""

    number: str
    color: Color


@dataclass(frozen=True, slots=True)
class Card:
    """One finding of a page, or one lesion."""

    badges: tuple[Badge, ...]
    views: str
    """Written behind the badges."""
    figure: str
    """Its place in the order: at the right."""
    facts: str
    context: str
    pictures: tuple[DrawPicture, ...]


@dataclass(frozen=True, slots=True)
class PlacedCard:
    """A card with its place on a page."""

    card: Card
    area: Box
    """All that it takes."""
    pictures: tuple[Box, ...]
    """With their strips."""
    text: Box


def spread_cards(cards: Sequence[Card], area: Box, least: float) -> list[list[PlacedCard]]:
    """Return the cards of each page with their places, in their order, row by row.

    Parameters
    ----------
    cards
        In the order in which they are met.
    area
        Of every page.
    least
        Side of the smallest picture that is legible.
    """
    for number in range(1, len(cards) + 1):
        size = math.ceil(len(cards) / number)
        chunks = [cards[start : start + size] for start in range(0, len(cards), size)]
        pages = [_arrange(chunk, area, least) for chunk in chunks]
        if all(pages):
            return pages
    return [_place([card], area, 1, least) for card in cards]


def draw_card(page: Image.Image, placed: PlacedCard) -> None:
    """Draw a card in its place."""
    card, text = placed.card, placed.text
    for draw_picture, box in zip(card.pictures, placed.pictures, strict=True):
        draw_picture(page, box)
    x, y = text.left, text.top + _HEAD_LINE / 2
    for badge in card.badges:
        box = place_badge(x, y, badge.number, NUMBER_SIZE)
        draw_badge(page, box, badge.number, NUMBER_SIZE, badge.color)
        x = box.right + 8
    draw_text(page, (x + 2, y), card.views, _CONTEXT_TEXT, MUTED, "lm")
    if not _is_figure_beside(card, text.width):
        y += _FACT_LINE
        draw_text(page, (text.left, y), card.figure, _FACT_TEXT, anchor="lm")
    else:
        draw_text(page, (text.right, y), card.figure, _FACT_TEXT, anchor="rm")
    y += (_HEAD_LINE + _FACT_LINE) / 2
    for lines, size, line_height, color in _wrap(card, text.width):
        for line in lines:
            draw_text(page, (text.left, y), line, size, color, "lm")
            y += line_height


def _arrange(cards: Sequence[Card], area: Box, least: float) -> list[PlacedCard]:
    """Return the cards in the grid with the largest pictures; empty where none is legible."""
    best: list[PlacedCard] = []
    for columns in range(1, min(_MAX_COLUMNS, len(cards)) + 1):
        for is_beside in (False, True):
            # What fits with pictures of one size fits with smaller ones.
            fitting, too_large = least - _STEP, float(_LARGEST)
            while too_large - fitting > _STEP:
                size = max((fitting + too_large) // 2, least)
                placed = _place(cards, area, columns, size, is_beside=is_beside)
                if _fits(placed, area):
                    best, least, fitting = placed, size + _STEP, size
                else:
                    too_large = size
    return best


def _place(
    cards: Sequence[Card], area: Box, columns: int, size: float, *, is_beside: bool = False
) -> list[PlacedCard]:
    """Return the places of cards in so many columns, with pictures of one size.

    Empty where the text would be too narrow.
    """
    width = (area.width - (columns - 1) * 2 * _GAP) / columns
    most = max(len(card.pictures) for card in cards)
    pictures_width = most * (size + _GAP)
    text_width = width - pictures_width if is_beside else width
    if text_width < min(_LEAST_TEXT_WIDTH, area.width):
        return []
    placed: list[PlacedCard] = []
    top = area.top
    for start in range(0, len(cards), columns):
        row = cards[start : start + columns]
        heights = []
        for column, card in enumerate(row):
            left = area.left + column * (width + 2 * _GAP)
            text_height = _measure_text(card, text_width)
            text_left = left + pictures_width if is_beside else left
            text_top = top if is_beside else top + size + STRIP
            text = Box(text_left, text_top, text_left + text_width, text_top + text_height)
            pictures = tuple(
                Box(x, top, x + size, top + size + STRIP)
                for x in (left + index * (size + _GAP) for index in range(len(card.pictures)))
            )
            bottom = max(text.bottom, top + size + STRIP)
            placed.append(PlacedCard(card, Box(left, top, left + width, bottom), pictures, text))
            heights.append(bottom - top)
        top += max(heights) + _ROW_GAP
    return placed


def _fits(placed: Sequence[PlacedCard], area: Box) -> bool:
    return bool(placed) and all(
        card.area.bottom <= area.bottom
        and all(picture.right <= card.area.right + 0.5 for picture in card.pictures)
        for card in placed
    )


@lru_cache(maxsize=1 << 12)
def _wrap(card: Card, width: float) -> tuple[tuple[list[str], int, int, Color], ...]:
    """Return the lines below a card's head: those of each text, with size, height and colour."""
    return (
        (wrap_text(card.facts, _FACT_TEXT, width), _FACT_TEXT, _FACT_LINE, TEXT),
        (wrap_text(card.context, _CONTEXT_TEXT, width), _CONTEXT_TEXT, _CONTEXT_LINE, MUTED),
    )


def _measure_text(card: Card, width: float) -> float:
    lines = sum(len(words) * height for words, _, height, _ in _wrap(card, width))
    return _HEAD_LINE + (0 if _is_figure_beside(card, width) else _FACT_LINE) + lines


def _is_figure_beside(card: Card, width: float) -> bool:
    """Whether a card's figure has room behind its badges."""
    x = 0.0
    for badge in card.badges:
        x = place_badge(x, 0, badge.number, NUMBER_SIZE).right + 8
    views = measure_text(card.views, _CONTEXT_TEXT)
    return x + views + _GAP + measure_text(card.figure, _FACT_TEXT) <= width
