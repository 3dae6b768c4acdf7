"""What tests of pages share."""

import pytest

from secondread.report.pages import drawing
from secondread.report.pages.drawing import LEAST_TEXT, shorten_text


@pytest.fixture
def cut_texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that drawing cuts off from now on; one that is too small fails at once."""
    cut: list[str] = []

    def note_cut(text: str, size: int, width: float) -> str:
        assert size >= LEAST_TEXT
        shortened = shorten_text(text, size, width)
        cut.extend([text] if shortened != text else [])
        return shortened

    monkeypatch.setattr(drawing, "shorten_text", note_cut)
    return cut
