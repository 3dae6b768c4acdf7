"""Cards of findings: where they are, that nothing overlaps, and that no text is cut off."""

from itertools import combinations

import pytest
from PIL import Image

from secondread.report.pages import cards as cards_module
from secondread.report.pages.cards import Badge, Card, PlacedCard, draw_card, spread_cards
from secondread.report.pages.drawing import LEAST_TEXT, MARK, Box

AREA = Box(1000.0, 120.0, 1760.0, 1180.0)
LEAST = 190
CONTEXT = (
    "upper outer, punctate 44 %, fine pleomorphic 43 %, grouped, NEW since 2025-11-30 (prior "
    "re-read, not in its pixels either), elsewhere in the treated breast (by quadrant), "
    "45 months after radiotherapy"
)


def draw_nothing(page: Image.Image, box: Box) -> None:
    """Stand for a picture."""


def make_card(number: int, pictures: int = 1) -> Card:
    return Card(
        (Badge(f"L {number}", MARK),),
        "CC, MLO",
        "priority 31",
        "Cluster, 14 calcifications (8 faint), 9.2 mm, certainty 99, suspicion 31",
        CONTEXT,
        (draw_nothing,) * pictures,
    )


def spread(number: int, pictures: int = 1) -> list[list[PlacedCard]]:
    return spread_cards([make_card(n, pictures) for n in range(number)], AREA, LEAST)


@pytest.mark.parametrize("pictures", [1, 2])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 6, 9, 17])
def test_cards_keep_their_order_and_none_is_dropped(number: int, pictures: int) -> None:
    placed = [card.card.badges[0].number for page in spread(number, pictures) for card in page]
    assert placed == [f"L {n}" for n in range(number)]


@pytest.mark.parametrize("pictures", [1, 2])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 6, 9, 17])
def test_nothing_overlaps_or_leaves_the_page(number: int, pictures: int) -> None:
    for page in spread(number, pictures):
        boxes = [box for card in page for box in (card.text, *card.pictures)]
        assert all(AREA.expand(0.5).contains(box) for box in boxes)
        assert not any(a.expand(-0.5).shared_area(b) for a, b in combinations(boxes, 2))


@pytest.mark.parametrize("pictures", [1, 2])
def test_pictures_are_never_smaller_than_is_legible(pictures: int) -> None:
    for number in range(1, 18):
        for page in spread(number, pictures):
            assert min(box.width for card in page for box in card.pictures) >= LEAST


def test_fewer_findings_have_larger_pictures() -> None:
    sizes = [spread(number)[0][0].pictures[0].width for number in (1, 2, 4)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] >= 400


def test_what_does_not_fit_one_page_legibly_takes_two_of_like_length() -> None:
    assert [len(page) for page in spread(4)] == [4]
    assert [len(page) for page in spread(8)] == [4, 4]


def test_every_word_of_a_card_is_written_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    def note_text(
        page: Image.Image,
        position: tuple[float, float],
        text: str,
        size: int,
        *_: object,
        **__: object,
    ) -> None:
        assert size >= LEAST_TEXT
        assert placed.area.top <= position[1] <= placed.area.bottom
        written.append(text)

    monkeypatch.setattr(cards_module, "draw_text", note_text)
    page = Image.new("RGB", (1800, 1400))
    for placed in spread(3, pictures=2)[0]:
        written.clear()
        draw_card(page, placed)
        words = " ".join(written)
        assert placed.card.facts in words
        assert placed.card.context in words
        assert "..." not in words
