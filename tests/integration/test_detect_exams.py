"""The shipped detector over real mammograms: read or flagged, few marks, clip and cluster found."""

from pathlib import Path

import numpy as np
import pytest

from secondread.codes import MarkClass
from secondread.detect.detector import Detector
from secondread.detect.manifest import load
from secondread.detect.marks import Detection, Mark
from secondread.reasons import ImageStatus, Reason

FULL_FIELD = [
    "a-ffdm-cc/LCC", "a-ffdm-cc/RCC", "b-ffdm-cc-clip/LCC", "b-ffdm-cc-clip/RCC",
    "c-ffdm-4view/LCC", "c-ffdm-4view/LMLO", "c-ffdm-4view/RCC", "c-ffdm-4view/RMLO",
]  # fmt: skip


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(load())


def read(detector: Detector, exams: Path, name: str, *overrides: str) -> Detection:
    return detector.detect(exams / f"{name}.dcm", frozenset(overrides))[0]


def shown(detector: Detector, detection: Detection, mark_class: MarkClass) -> list[Mark]:
    minimum = detector.manifest.operating_point().minimum_certainty[mark_class]
    return [
        mark
        for mark in detection.marks
        if mark.mark_class is mark_class and detector.manifest.certainty(mark.score) >= minimum
    ]


@pytest.mark.parametrize("name", FULL_FIELD)
def test_full_field_digital_views_are_read_or_flagged_with_few_marks(
    detector: Detector, exams: Path, name: str
) -> None:
    detection = read(detector, exams, name)

    eight_bits = name.startswith("c-")
    assert detection.status is (ImageStatus.FLAGGED if eight_bits else ImageStatus.READ)
    assert detection.reasons == ((Reason.EIGHT_BITS,) if eight_bits else ())
    assert detection.breast is not None
    assert detection.breast.chest_wall_side == ("left" if "/L" in name else "right")
    assert 80 < detection.breast.area_cm2 < 170
    marks = shown(detector, detection, MarkClass.CALCIFICATION)
    # One view has many coarse benign calcifications.
    assert len(marks) <= (80 if name == "b-ffdm-cc-clip/LCC" else 40)


def test_the_biopsy_clip_is_one_metal_mark_and_no_calcification(
    detector: Detector, exams: Path
) -> None:
    detection = read(detector, exams, "b-ffdm-cc-clip/RCC")

    (clip,) = shown(detector, detection, MarkClass.METAL)
    assert (clip.center.col, clip.center.row) == pytest.approx((2051, 1510), abs=10)
    assert 1 < clip.diameter_mm < 3
    near = [
        mark
        for mark in shown(detector, detection, MarkClass.CALCIFICATION)
        if np.hypot(mark.center.col - 2051, mark.center.row - 1510) < 20
    ]
    assert near == []


def test_lossy_film_is_refused_and_its_cluster_found_when_overridden(
    detector: Detector, exams: Path
) -> None:
    refused = read(detector, exams, "d-film-microcalcs/LMLO")
    assert (refused.status, refused.reasons) == (ImageStatus.REFUSED, (Reason.LOSSY_COMPRESSION,))

    detection = read(detector, exams, "d-film-microcalcs/LMLO", "all")

    assert detection.status is ImageStatus.FLAGGED
    inside = [
        mark
        for mark in shown(detector, detection, MarkClass.CALCIFICATION)
        if 1180 <= mark.center.col <= 1340 and 1980 <= mark.center.row <= 2100
    ]
    assert len(inside) >= 5


def test_secondary_captures_of_film_are_answered_and_not_read(
    detector: Detector, exams: Path
) -> None:
    for path in sorted((exams / "odd").glob("*.dcm")):
        detection, _ = detector.detect(path)
        assert detection.status in {ImageStatus.REFUSED, ImageStatus.FAILED}
        assert detection.marks == ()
