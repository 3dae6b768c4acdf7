"""The operations pages and a capture as a browser shows them."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from secondread.settings import ObjectKind
from secondread.track.states import StudyState
from secondread_lab.simulate.exam import ExamFiles
from tests.acceptance.conftest import NodeProcess, until
from tests.peers.chromium_peer import draw_page

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.peer("chromium", "storescu", "storescp", "echoscu"),
]

WIDE, PHONE = (1400, 1800), (500, 1800)
"""Chromium makes no window narrower than 500."""
DARK, LIGHT = 60, 130

Picture = npt.NDArray[np.uint8]


def screenshot(url: str, file: Path, size: tuple[int, int] = WIDE) -> Picture:
    """Draw a page, and return it in grey."""
    draw_page(lambda: url, file, size)
    picture = Image.open(file).convert("L")
    assert picture.size == size
    return np.asarray(picture)


def light_share(picture: Picture) -> float:
    """How much of a picture is light: letters, and the breasts of captures."""
    return float(np.mean(picture > LIGHT))


def test_pages_and_captures_are_drawn_dark_and_fit_a_phone(
    node: NodeProcess, exam: ExamFiles, study_uid: str, tmp_path: Path
) -> None:
    node.start()
    assert node.push(*exam.current[:2]).returncode == 0

    def is_reported() -> bool:
        detail = node.detail(study_uid)
        return detail is not None and detail.summary.state is StudyState.REPORTED

    until(is_reported, "the reading")
    detail = node.detail(study_uid)
    assert detail is not None
    number = next(o.id for o in detail.outbox_objects if o.kind is ObjectKind.CAPTURE)
    origin = f"http://127.0.0.1:{node.web_port}"
    study = f"{origin}/studies/{study_uid}"

    form = screenshot(study, tmp_path / "form.png")
    draw_page(node.login_link, tmp_path / "signed-in.png", WIDE)
    page = screenshot(study, tmp_path / "page.png")
    capture = screenshot(f"{study}/objects/{number}.png", tmp_path / "capture.png")
    absent = screenshot(f"{study}/objects/999999.png", tmp_path / "absent.png")
    paths = ("/", "/search", "/destinations", "/node", f"/patients/{detail.summary.patient}")
    for path in (*paths, f"/studies/{study_uid}"):
        name = path.strip("/").replace("/", "-") or "front"
        check_fits(screenshot(f"{origin}{path}", tmp_path / f"{name}.png", PHONE), path)

    # Without signing in there is nothing of the study to see, and of what is absent neither.
    assert light_share(page) > 4 * light_share(form) > 0
    assert light_share(page) > 4 * light_share(absent) > 0
    assert np.median(page) < DARK
    # Dark around the picture, whose breast has all greys.
    assert (capture.min(), capture.max()) == (0, 255)


def check_fits(picture: Picture, path: str) -> None:
    """A page is dark, says something, and nothing of it goes beyond the window's edge."""
    assert np.median(picture) < DARK, path
    assert light_share(picture) > 0.002, path
    edge = picture[:, -6:]
    assert np.all(edge.max(axis=1) - edge.min(axis=1) < 8), path
