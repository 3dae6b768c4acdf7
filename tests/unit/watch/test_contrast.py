"""The colours of the pages against WCAG 2.2 AA: text 4.5 to 1, what can be used 3 to 1."""

import re
from pathlib import Path

import pytest

import secondread.watch

CSS = (Path(secondread.watch.__file__).parent / "static" / "watch.css").read_text()
TONES = ("good", "info", "warn", "bad", "idle")
TEXT = (
    *(("ink", ground) for ground in ("ground", "sheet")),
    *(("quiet", ground) for ground in ("ground", "sheet")),
    *(("link", ground) for ground in ("ground", "sheet", "info")),
    *((f"{tone}-ink", tone) for tone in TONES),
    # On the ground itself: an error, a number of a chip.
    *((f"{tone}-ink", ground) for tone in TONES for ground in ("ground", "sheet")),
    # Buttons.
    ("sheet", "link"),
    *(("head-ink", "head"), ("head-quiet", "head")),
)
USED = (
    # The edge of an input, of a button, and what has the focus.
    *(("quiet", ground) for ground in ("ground", "sheet")),
    *(("link", ground) for ground in ("ground", "sheet")),
    *(("bad-ink", ground) for ground in ("ground", "sheet")),
)


def read_colors(selector: str) -> dict[str, str]:
    """The colours that a rule defines, by name."""
    rule = CSS[CSS.index(f"{selector} {{") :]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", rule[: rule.index("}")]))


DARK = read_colors(":root")
LOOKS = {"dark": DARK, "light": DARK | read_colors(':root[data-look="light"]')}


def measure_luminance(color: str) -> float:
    """Relative luminance as WCAG defines it."""
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def measure_contrast(one: str, other: str) -> float:
    dark, light = sorted((measure_luminance(one), measure_luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_measured_as_the_standard_does() -> None:
    assert measure_contrast("#000000", "#ffffff") == pytest.approx(21)
    assert measure_contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("look", LOOKS)
def test_every_pair_of_colours_can_be_told_apart(look: str) -> None:
    colors = LOOKS[look]
    pairs = [(pair, 4.5) for pair in TEXT] + [(pair, 3.0) for pair in USED]
    contrasts = {pair: measure_contrast(*(colors[name] for name in pair)) for pair, _ in pairs}
    assert not {pair: contrasts[pair] for pair, least in pairs if contrasts[pair] < least}


def test_the_pages_are_dark_unless_asked_otherwise() -> None:
    assert measure_luminance(DARK["ground"]) < 0.02
    assert measure_luminance(LOOKS["light"]["ground"]) > 0.8
    assert "prefers-color-scheme" not in CSS


def test_nothing_is_faded_below_its_contrast() -> None:
    assert "opacity" not in CSS
