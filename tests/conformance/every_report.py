"""PixelMed's validator over all CAD SRs of the golden set: `make conformance`, many minutes.

The set: every situation under every profile, images of many kinds, simulated exams that the node
has read, and real ones where they are at hand.
"""

import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from tests.conftest import EXAMS
from tests.pixelmed import validate
from tests.report_documents import cad_srs

pytestmark = [pytest.mark.acceptance, pytest.mark.peer("pixelmed", "java")]

SECONDS = 2 * 3600
SIMULATED_EXAMS = 3
LARGEST_BYTES = 250_000
"""The validator runs out of 8 GB of memory over larger reports (295 kB, some fifty findings)."""


def secondread(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "secondread", *map(str, arguments)], check=True)


def reports_on(images: list[Path], out: Path) -> dict[str, Path]:
    """Read images and return the CAD SRs on them."""
    secondread("read", *images, "--out", out)
    return {
        f"{out.name}: {path.relative_to(out)}": path
        for path in sorted(out.rglob("*.dcm"))
        if pydicom.dcmread(path, stop_before_pixels=True).Modality == "SR"
    }


def simulated(folder: Path) -> dict[str, list[Path]]:
    """Return the CC views of simulated exams; on all views, reports are too large."""
    secondread("simulate", "--out", folder, "--exams", SIMULATED_EXAMS, "--pitch-mm", 0.1)
    return {exam.name: sorted(exam.glob("current/?CC.dcm")) for exam in sorted(folder.iterdir())}


def real() -> dict[str, list[Path]]:
    """Return the images of the real exams, where they are at hand."""
    folders = sorted(EXAMS.iterdir()) if EXAMS.is_dir() else []
    return {folder.name: images for folder in folders if (images := sorted(folder.glob("*.dcm")))}


def test_every_report_follows_its_template(tmp_path: Path) -> None:
    files = cad_srs(tmp_path / "readings")
    for name, images in {**simulated(tmp_path / "simulated"), **real()}.items():
        files |= reports_on(images, tmp_path / "read" / name)
    too_large = [name for name, path in files.items() if path.stat().st_size > LARGEST_BYTES]
    for name in too_large:
        del files[name]

    found = validate(files.values(), SECONDS)

    print(f"{len(files)} reports validated; too large: {too_large}")
    wrong = {name: found[path] for name, path in files.items() if found[path]}
    assert wrong == {}
