"""The page of an exam: its views as they hang, priors beside them, lesions by priority.

A millimetre is equally long in all views. Numbers are those of the captures of the single views,
and the same number of a breast is the same lesion in both views and in the prior. Where the lesions
are too many for one page, each page has all views.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from PIL import Image, ImageDraw

from secondread.codes import Laterality
from secondread.findings.finding import StudyReading
from secondread.report.pages.breast_panel import (
    CAPTION_ROOM,
    DrawnImage,
    choose_flips,
    choose_scale,
    draw_breast,
    measure_breast,
)
from secondread.report.pages.cards import Card, PlacedCard, spread_cards
from secondread.report.pages.compared_marks import list_outlined
from secondread.report.pages.display_array import LoadDisplay
from secondread.report.pages.drawing import (
    BACKGROUND,
    LEAST_TEXT,
    MUTED,
    PANEL_EDGE,
    TEXT,
    Box,
    draw_scale_bar,
    draw_text,
    measure_text,
    wrap_text,
)
from secondread.report.pages.exam_hanging import ExamHanging, ViewSlot, hang_exam
from secondread.report.pages.outlines import Panel, draw_numbered_outlines
from secondread.report.pages.overview_cards import list_overview_cards
from secondread.report.pages.page_layout import (
    HEAD_HEIGHT,
    MARGIN,
    VIEW_PAGE_SIZE,
    PageText,
    draw_card_pages,
    draw_foot,
)

_BETWEEN = 8
"""Between the two breasts; a prior stands further off."""
_APART = 26
_GUTTER = 40
_SCALE_STRIP = 40
_CARDS_WIDTHS = (640, 800, 960, 1080)
"""What is left for the cards, at least: the least that needs the fewest pages."""
_LEAST_PICTURE = 190
"""Side of the smallest close-up: where there are more lesions, they go on the next page."""
_MIN_WIDTH = 180


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture of the page, or the text in its place."""

    slot: ViewSlot
    caption: str
    picture: DrawnImage | None
    text: str
    """What is written where there is no picture."""
    is_prior: bool

    @property
    def is_chest_wall_right(self) -> bool:
        """Whether the picture hangs with its chest wall at the right."""
        return self.slot.side is Laterality.RIGHT


def draw_overview_pages(
    reading: StudyReading, display: LoadDisplay, text: PageText
) -> list[Image.Image]:
    """Return the overview of an exam: all views on each page, and cards of the lesions.

    Parameters
    ----------
    reading
        What was read; the views with a place are drawn, and the priors that they were compared
        with.
    display
        Gives an image's full-resolution display array by SOP Instance UID.
    text
        Title, notes and footer.
    """
    page = Image.new("RGB", VIEW_PAGE_SIZE, BACKGROUND)
    notes_top = draw_foot(page, text)
    body = Box(MARGIN, HEAD_HEIGHT + 10, page.width - MARGIN, notes_top - 10)
    hanging = hang_exam(reading)
    rows = [_list_cells(row, hanging, display) for row in hanging.rows]
    cards = list_overview_cards(reading, hanging, display)
    plans = [_plan(rows, body, cards, width) for width in _CARDS_WIDTHS]
    plan = min(plans, key=lambda plan: len(plan.pages))
    height = _find_row_height(rows, body)
    for index, row in enumerate(rows):
        top = body.top + index * height
        for cell, (left, right) in zip(row, plan.columns, strict=True):
            _draw_cell(page, Box(left, top, right, top + height), cell, plan.per_mm)
    if all(cell.picture.image.mammogram.spacing for row in rows for cell in row if cell.picture):
        draw_scale_bar(page, (body.left, body.bottom - _SCALE_STRIP / 2), plan.per_mm, 200)
    return draw_card_pages(page, plan.pages, text)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a page is shared out between views and cards."""

    per_mm: float
    """Pixels of the page for one millimetre of a view."""
    columns: list[tuple[float, float]]
    """Where the columns of views begin and end."""
    pages: list[list[PlacedCard]]


def _plan(
    rows: Sequence[Sequence[Cell]], body: Box, cards: Sequence[Card], cards_width: float
) -> _Plan:
    """Return a plan with the largest views that leave this width for the cards."""
    number = len(rows[0])
    most = (body.width - cards_width - _APART * (number - 1)) / number
    room = Box(0, 0, most, _find_row_height(rows, body))
    per_mm = min(choose_scale(cell.picture, room) for row in rows for cell in row if cell.picture)
    columns = _place_columns(rows, per_mm, body.left)
    area = Box(columns[-1][1] + _GUTTER, body.top + 8, body.right, body.bottom)
    return _Plan(per_mm, columns, spread_cards(cards, area, _LEAST_PICTURE))


def _find_row_height(rows: Sequence[Sequence[Cell]], body: Box) -> float:
    return (body.height - _SCALE_STRIP) / len(rows)


def _list_cells(row: Sequence[ViewSlot], hanging: ExamHanging, display: LoadDisplay) -> list[Cell]:
    """Return the pictures of a row from left to right, priors outside."""
    cells: list[Cell] = []
    for side, slots in groupby(row, key=lambda slot: slot.side):
        of_side = list(slots)
        outwards = [_make_current_cell(slot, display) for slot in of_side]
        if hanging.has_priors:
            outwards.append(_make_prior_cell(of_side[0], display))
        cells += reversed(outwards) if side is Laterality.RIGHT else outwards
    return cells


def _make_current_cell(slot: ViewSlot, display: LoadDisplay) -> Cell:
    image, picture = slot.image, None
    if image is not None:
        picture = DrawnImage(image, display(image.mammogram.sop_instance_uid), slot.name)
    return Cell(slot, slot.name, picture, slot.why_not, is_prior=False)


def _make_prior_cell(slot: ViewSlot, display: LoadDisplay) -> Cell:
    if slot.prior is None:
        return Cell(slot, "prior", None, "none" if slot.image is not None else "", is_prior=True)
    image, day = slot.prior.image, slot.prior.comparison.prior_date
    caption = f"prior, {day.isoformat() if day else 'date unknown'}"
    picture = DrawnImage(image, display(image.mammogram.sop_instance_uid), caption)
    return Cell(slot, caption, picture, "", is_prior=True)


def _place_columns(
    rows: Sequence[Sequence[Cell]], per_mm: float, left: float
) -> list[tuple[float, float]]:
    """Return where the columns begin and end: as wide as their widest picture."""
    places = []
    for column in zip(*rows, strict=True):
        widths = [measure_breast(cell.picture, per_mm)[0] for cell in column if cell.picture]
        right = left + max(widths, default=_MIN_WIDTH)
        places.append((left, right))
        # Chest walls meet where the right breast's current picture ends.
        is_meeting = column[0].is_chest_wall_right and not column[0].is_prior
        left = right + (_BETWEEN if is_meeting else _APART)
    return places


def _draw_cell(page: Image.Image, box: Box, cell: Cell, per_mm: float) -> None:
    if not cell.slot.name:
        return  # the view came once, and twice in the other row
    top = box.top + CAPTION_ROOM
    panel = None
    if cell.picture is None:
        _draw_reason(page, box, cell.text)
    else:
        panel = _draw_picture(page, box, cell, cell.picture, per_mm)
        top = panel.frame.top
    color = MUTED if cell.is_prior else TEXT
    anchor, x = ("rm", box.right - 4) if cell.is_chest_wall_right else ("lm", box.left + 4)
    # A prior's captions are grey: where its column is narrow, the day alone tells it.
    caption = cell.caption if measure_text(cell.caption, 24) < box.width else cell.caption[-10:]
    draw_text(page, (x, top - CAPTION_ROOM / 2), caption, 24, color, anchor)
    if panel is None:
        return
    entries = list_outlined(cell.slot.image, cell.slot.prior)
    marks = [entry.in_prior if cell.is_prior else entry.in_current for entry in entries]
    draw_numbered_outlines(page, panel, marks)


def _draw_picture(
    page: Image.Image, box: Box, cell: Cell, picture: DrawnImage, per_mm: float
) -> Panel:
    """Draw a picture at its chest wall's side of the cell, in the middle of its height."""
    width, height = measure_breast(picture, per_mm)
    left = box.right - width if cell.is_chest_wall_right else box.left
    top = box.top + CAPTION_ROOM + max(box.height - CAPTION_ROOM - height, 0) / 2
    corner = (round(left), round(top))
    return draw_breast(page, corner, picture, per_mm, choose_flips(picture.image))


def _draw_reason(page: Image.Image, box: Box, text: str) -> None:
    corners = (box.left, box.top + CAPTION_ROOM, box.right - 1, box.bottom - 10)
    ImageDraw.Draw(page).rectangle(corners, outline=PANEL_EDGE)
    lines = wrap_text(text, LEAST_TEXT, box.width - 20)
    y = (box.top + CAPTION_ROOM + box.bottom - 28 * (len(lines) - 1)) / 2
    for line in lines:
        draw_text(page, ((box.left + box.right) / 2, y), line, LEAST_TEXT, MUTED, anchor="mm")
        y += 28
