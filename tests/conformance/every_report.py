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
SIMULATED_EXAMS = 4


def secondread(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "secondread", *map(str, arguments)], check=True)


def reports_on(folder: Path, out: Path) -> dict[str, Path]:
    """Read a folder's images and return the CAD SRs."""
    secondread("read", folder, "--out", out)
    return {
        f"{folder.name}: {path.relative_to(out)}": path
        for path in sorted(out.rglob("*.dcm"))
        if pydicom.dcmread(path, stop_before_pixels=True).Modality == "SR"
    }


def test_every_report_follows_its_template(tmp_path: Path) -> None:
    files = cad_srs(tmp_path / "readings")
    secondread(
        *("simulate", "--out", tmp_path / "simulated", "--exams", SIMULATED_EXAMS),
        *("--pitch-mm", 0.1),
    )
    folders = sorted((tmp_path / "simulated").iterdir())
    if EXAMS.is_dir():
        folders += [path for path in sorted(EXAMS.iterdir()) if any(path.glob("*.dcm"))]
    for folder in folders:
        files |= reports_on(folder, tmp_path / "read" / folder.name)

    found = validate(files.values(), SECONDS)

    print(f"{len(files)} reports")
    wrong = {name: found[path] for name, path in files.items() if found[path]}
    assert wrong == {}
