"""Text that fits, labels that keep off, bars of round lengths."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from secondread.report.pages.drawing import (
    Box,
    HaloedLines,
    choose_bar_length,
    draw_scale_bar,
    measure_text,
    shorten_text,
    wrap_text,
)
from secondread.report.pages.labels import find_leader, place_label

BLACK = Image.new("RGB", (1000, 1000))
PANEL = Box(0, 0, 1000, 1000)
LABEL = (40.0, 30.0)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80))
def test_fitted_text_is_never_wider_than_its_place(text: str) -> None:
    assert measure_text(shorten_text(text, 20, 150), 20) <= 150


def test_text_that_fits_is_left_alone_and_other_text_ends_in_dots() -> None:
    assert shorten_text("short", 20, 150) == "short"
    assert shorten_text("a sentence that is too long", 20, 150).endswith("...")


def test_wrapping_loses_no_word_while_there_are_lines() -> None:
    text = "one two three four five six seven eight nine ten"
    assert " ".join(wrap_text(text, 20, 120, 9)) == text
    assert all(measure_text(line, 20) <= 120 for line in wrap_text(text, 20, 120, 9))


def test_wrapping_ends_at_the_last_line_allowed() -> None:
    lines = wrap_text("word " * 100, 20, 200, 3)
    assert len(lines) == 3
    assert lines[-1].endswith("...")


def test_wrapping_nothing_gives_no_line() -> None:
    assert wrap_text("", 20, 200, 3) == []


@given(st.floats(0.01, 500))
def test_bars_have_round_lengths_of_at_least_two_fifths_of_their_room(room: float) -> None:
    length = choose_bar_length(room)
    assert room * 0.399 <= length <= room * 1.001
    assert f"{length / 10 ** math.floor(math.log10(length) + 1e-9):.3f}"[0] in "125"


def test_a_bar_is_as_long_as_it_says() -> None:
    page = Image.new("RGB", (600, 60))
    draw_scale_bar(page, (50, 30), pixels_per_mm=28.6, longest=300)
    middle = np.asarray(page)[30, :, 0]
    bar = np.nonzero(middle[:400] > 200)[0]
    # 10 mm of 28.6 pixels, with ends of three columns centred on them.
    assert bar[0] == 49
    assert 50 + 286 - 2 <= bar[bar < 350][-1] <= 50 + 286 + 2


@pytest.mark.parametrize("corner", [(0, 0), (980, 0), (0, 980), (980, 980), (480, 480)])
def test_labels_stay_inside_and_off_their_target(corner: tuple[int, int]) -> None:
    target = Box(*corner, corner[0] + 20, corner[1] + 20)
    place = place_label(BLACK, target, LABEL, PANEL, [])
    assert PANEL.contains(place)
    assert place.shared_area(target) == 0


def test_labels_keep_off_each_other_and_other_targets() -> None:
    targets = [Box(400 + 30 * i, 500, 420 + 30 * i, 520) for i in range(6)]
    labels: list[Box] = []
    for index, target in enumerate(targets):
        others = targets[:index] + targets[index + 1 :] + labels
        labels.append(place_label(BLACK, target, LABEL, PANEL, others))
    boxes = labels + targets
    assert all(a.shared_area(b) == 0 for index, a in enumerate(boxes) for b in boxes[index + 1 :])


def test_labels_prefer_the_dark_side() -> None:
    half = Image.new("RGB", (1000, 1000))
    half.paste((200, 200, 200), (500, 0, 1000, 1000))
    place = place_label(half, Box(480, 480, 500, 500), LABEL, PANEL, [])
    assert place.right <= 500


def test_a_label_without_any_room_is_still_inside_the_panel() -> None:
    panel = Box(0, 0, 60, 60)
    assert panel.contains(place_label(BLACK, Box(0, 0, 60, 60), LABEL, panel, []))


def test_a_leader_runs_from_the_label_to_the_nearest_vertex() -> None:
    start, end = find_leader(Box(100, 100, 140, 130), [(10, 115), (60, 115), (10, 300)])
    assert (start, end) == ((100, 115), (60, 115))


def test_strokes_are_antialiased_and_stay_in_their_area() -> None:
    page = Image.new("RGB", (100, 100), (80, 80, 80))
    strokes = HaloedLines(Box(20, 20, 80, 80))
    strokes.add_line([(0, 10), (100, 97)], 2)
    strokes.paint(page, (0, 255, 255))
    array = np.asarray(page)
    assert len(np.unique(array[..., 1])) > 5
    outside = np.ones((100, 100), bool)
    outside[20:80, 20:80] = False
    assert (array[outside] == 80).all()


def test_a_number_stays_with_its_unit_and_with_its_name() -> None:
    text = "14 calcifications (8 faint), 9.2 mm, punctate 44 %, certainty 99, suspicion 31"
    for width in range(150, 500, 10):
        lines = wrap_text(text, 24, width)
        assert " ".join(lines) == text
        assert not any(
            line.endswith(("9.2", "(8", "44", "certainty", "suspicion")) for line in lines
        )
