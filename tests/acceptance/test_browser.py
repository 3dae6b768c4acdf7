"""The operations page and a capture as a browser shows them."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from secondread.settings import ObjectKind
from secondread.track.states import StudyState
from secondread_lab.simulate.exam import ExamFiles
from tests.acceptance.conftest import NodeProcess, until

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.peer("chromium", "storescu", "storescp", "echoscu"),
]

WIDTH, HEIGHT = 1400, 1800


def screenshot(url: str, file: Path) -> Image.Image:
    """Let headless Chromium draw a page; it asks nobody but the page's own server.

    All pages of a test are asked for by one person: cookies stay.
    """
    profile = file.with_name("profile")
    subprocess.run(
        [
            *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            *("--disable-sync", "--hide-scrollbars", f"--user-data-dir={profile}"),
            *(f"--screenshot={file}", f"--window-size={WIDTH},{HEIGHT}", url),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return Image.open(file).convert("L")


def dark_share(picture: Image.Image) -> float:
    """How much of a picture is dark: captures are, and the pages around them are not."""
    return float(np.mean(np.asarray(picture) < 64))


def test_a_study_s_page_and_its_captures_are_drawn(
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
    base = f"http://127.0.0.1:{node.web_port}/studies/{study_uid}"

    form = screenshot(base, tmp_path / "form.png")
    screenshot(node.login_link(), tmp_path / "signed-in.png")
    page = screenshot(base, tmp_path / "page.png")
    capture = screenshot(f"{base}/objects/{number}.png", tmp_path / "capture.png")
    absent = screenshot(f"{base}/objects/999999.png", tmp_path / "absent.png")

    assert page.size == capture.size == absent.size == (WIDTH, HEIGHT)
    # Without signing in there is nothing of the study to see.
    assert dark_share(form) < 0.05
    # The heading and the letters of a page are 3 % of it.
    assert dark_share(absent) < 0.05
    assert dark_share(page) > 0.08
    assert dark_share(capture) > 0.5
    assert capture.getextrema() == (0, 255)
