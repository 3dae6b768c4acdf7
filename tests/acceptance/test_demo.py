"""The demo as a newcomer meets it: what it prints, what it leaves, how it ends."""

import subprocess
import sys
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import UID, SecondaryCaptureImageStorage

from secondread_lab.simulate.exam import ExamFiles

pytestmark = pytest.mark.acceptance


def demo(*arguments: object) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "secondread", "demo", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout + done.stderr


def test_an_exam_goes_round_and_its_pictures_are_there(
    pair_exam: ExamFiles, tmp_path: Path
) -> None:
    status, printed = demo("--exam", pair_exam.current[0].parent.parent, "--out", tmp_path)

    assert status == 0, printed
    reports = list((tmp_path / "results").rglob("cad-sr-1.dcm"))
    # Both exams are read: with files of one's own the age rule is off.
    assert len(reports) == 2
    pictures = list((tmp_path / "results").rglob("*.png"))
    assert pictures
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
    assert "findings" in printed


def test_an_exam_of_which_nothing_can_be_read_ends_with_three_and_the_reason(
    exam: ExamFiles, tmp_path: Path
) -> None:
    capture = pydicom.dcmread(exam.current[0])
    capture.SOPClassUID = capture.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    capture.SOPInstanceUID = capture.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4.5")
    (tmp_path / "in").mkdir()
    capture.save_as(tmp_path / "in" / "capture.dcm")

    status, printed = demo("--exam", tmp_path / "in", "--out", tmp_path / "out")

    assert status == 3, printed
    assert "without-images" in printed
    assert "Secondary Capture Image Storage: not-analysed" in printed


def test_a_folder_without_images_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    status, printed = demo("--exam", tmp_path / "empty", "--out", tmp_path / "out")

    assert status == 2
    assert "no DICOM file" in printed
