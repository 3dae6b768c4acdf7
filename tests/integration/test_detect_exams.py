"""The shipped detector over real mammograms: read or flagged, few marks, the right one first."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pydicom
import pytest

from models.calcification.fit_likeness import measure_likeness
from secondread.app.reader import open_reader
from secondread.assemble.mammogram import Mammogram
from secondread.assemble.scope import ImageSelection
from secondread.codes import MarkClass
from secondread.detect.detector import Detector
from secondread.detect.gates import check_likeness, combine_measurements
from secondread.detect.manifest import load_manifest
from secondread.detect.marks import Detection, Mark
from secondread.findings.finding import Finding, StudyReading
from secondread.reading import StudyContext, read_study
from secondread.reasons import ImageStatus, Reason
from secondread.settings import DetectSettings, FindingsSettings

FULL_FIELD = [
    "a-ffdm-cc/LCC", "a-ffdm-cc/RCC", "b-ffdm-cc-clip/LCC", "b-ffdm-cc-clip/RCC",
    "c-ffdm-4view/LCC", "c-ffdm-4view/LMLO", "c-ffdm-4view/RCC", "c-ffdm-4view/RMLO",
]  # fmt: skip


Pixels = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(load_manifest())


@cache
def read_view(detector: Detector, exams: Path, name: str, *overrides: str) -> Detection:
    """Return the detector's answer about a view, which several tests ask for."""
    return detector.detect(exams / f"{name}.dcm", frozenset(overrides))[0]


def read_exam(detector: Detector, exams: Path, exam: str, *overrides: str) -> StudyReading:
    """Return an exam as the node reads it, with the shipped calibration and operating point."""
    names = [f"{exam}/{path.stem}" for path in sorted((exams / exam).glob("*.dcm"))]
    headers = tuple(
        Mammogram.from_dataset(pydicom.dcmread(exams / f"{name}.dcm", stop_before_pixels=True))
        for name in names
    )
    answers = {
        header.sop_instance_uid: read_view(detector, exams, name, *overrides)
        for header, name in zip(headers, names, strict=True)
    }
    return read_study(
        headers[0].study_uid,
        ImageSelection(headers, ()),
        answers,
        open_reader(DetectSettings(), FindingsSettings()),
        StudyContext(revision=1, cause="first"),
    )


def select_shown(detector: Detector, detection: Detection, mark_class: MarkClass) -> list[Mark]:
    minimum = detector.manifest.find_operating_point().minimum_certainty[mark_class]
    return [
        mark
        for mark in detection.marks
        if mark.mark_class is mark_class
        and detector.manifest.calibrate(mark_class, mark.score) >= minimum
    ]


@pytest.mark.parametrize("name", FULL_FIELD)
def test_full_field_digital_views_are_read_or_flagged_with_few_marks(
    detector: Detector, exams: Path, name: str
) -> None:
    detection = read_view(detector, exams, name)

    eight_bits = name.startswith("c-")
    assert detection.status is (ImageStatus.FLAGGED if eight_bits else ImageStatus.READ)
    assert detection.reasons == ((Reason.EIGHT_BITS,) if eight_bits else ())
    assert detection.breast is not None
    assert detection.breast.chest_wall_side == ("left" if "/L" in name else "right")
    assert 80 < detection.breast.area_cm2 < 170
    marks = select_shown(detector, detection, MarkClass.CALCIFICATION)
    # One view has many coarse benign calcifications.
    assert len(marks) <= (80 if name == "b-ffdm-cc-clip/LCC" else 40)


def test_the_biopsy_clip_is_one_metal_mark_and_no_calcification(
    detector: Detector, exams: Path
) -> None:
    detection = read_view(detector, exams, "b-ffdm-cc-clip/RCC")

    (clip,) = [
        mark
        for mark in select_shown(detector, detection, MarkClass.METAL)
        if np.hypot(mark.center.col - 2051, mark.center.row - 1510) < 40
    ]
    assert (clip.center.col, clip.center.row) == pytest.approx((2051, 1510), abs=10)
    assert 1 < clip.diameter_mm < 3
    near = [
        mark
        for mark in select_shown(detector, detection, MarkClass.CALCIFICATION)
        if np.hypot(mark.center.col - 2051, mark.center.row - 1510) < 20
    ]
    assert near == []


def test_lossy_film_is_refused_and_flagged_when_overridden(detector: Detector, exams: Path) -> None:
    refused = read_view(detector, exams, "d-film-microcalcs/LMLO")
    assert (refused.status, refused.reasons) == (ImageStatus.REFUSED, (Reason.LOSSY_COMPRESSION,))

    detection = read_view(detector, exams, "d-film-microcalcs/LMLO", "all")

    assert detection.status is ImageStatus.FLAGGED
    assert Reason.UNLIKE_TRAINING in detection.reasons
    # That its cluster is among the findings is too much to ask of digitised film: see the card.
    assert detection.marks


def test_the_malignant_cluster_comes_first_and_no_fold_or_fibre_is_marked(
    detector: Detector, exams: Path
) -> None:
    reading = read_exam(detector, exams, "a-ffdm-cc")

    ((image, finding),) = reading.list_shown()
    assert (image.label, finding.id) == ("RCC", "RCC-1")
    assert (finding.center.col, finding.center.row) == pytest.approx((2356, 1378), abs=40)
    assert reading.priority == finding.priority


def test_few_marks_on_an_exam_with_benign_calcifications_and_none_on_its_clip(
    detector: Detector, exams: Path
) -> None:
    reading = read_exam(detector, exams, "b-ffdm-cc-clip")

    for image in reading.images:
        assert len(image.shown_findings) <= 3
        for finding in image.shown_findings:
            # On calcifications that can be seen, not on texture alone: the right breast's one mark
            # is on two that are sure and fainter ones.
            assert sum(member.certainty >= 50 for member in finding.members) >= 2
            if image.label == "RCC":
                at = [(member.center.col, member.center.row) for member in finding.members]
                assert np.hypot(*(np.array(at) - (2051, 1510)).T).min() > 20


def test_an_exam_without_calcifications_bears_no_doubtful_mark(
    detector: Detector, exams: Path
) -> None:
    assert read_exam(detector, exams, "c-ffdm-4view").list_shown() == []


def test_on_film_the_cluster_comes_before_every_artery(detector: Detector, exams: Path) -> None:
    reading = read_exam(detector, exams, "d-film-microcalcs", "all")

    def lies_at(finding: Finding, col: float, row: float) -> bool:
        outline = np.array([(p.col, p.row) for p in finding.outline], np.float32)
        return cv2.pointPolygonTest(outline, (col, row), measureDist=False) >= 0

    # The cluster is seen at about 1220-1300, 2030-2100, the arteries from row 2400 to 3600. Specks
    # of dust, which film has and the model has never seen, may come before both.
    shown = [finding for _, finding in reading.list_shown()]
    place = [lies_at(finding, 1260, 2060) for finding in shown].index(True)
    arteries = [n for n, finding in enumerate(shown) if 2400 < finding.center.row < 3600]
    assert arteries
    assert place < min(arteries)
    assert place <= 3


def test_secondary_captures_of_film_are_answered_and_not_read(
    detector: Detector, exams: Path
) -> None:
    for path in sorted((exams / "odd").glob("*.dcm")):
        detection, _ = detector.detect(path)
        assert detection.status in {ImageStatus.REFUSED, ImageStatus.FAILED}
        assert detection.marks == ()


def _enlarged(pixels: Pixels) -> Pixels:
    rows, columns = pixels.shape
    half = cv2.resize(pixels, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
    large = cv2.resize(half, (columns, rows), interpolation=cv2.INTER_CUBIC)
    return np.asarray(large, np.float32)


def _noise(pixels: Pixels) -> Pixels:
    noise = np.random.default_rng(0).normal(2000, 300, pixels.shape)
    return np.where(pixels > 200, noise, 0).astype(np.float32)


def _shapes(pixels: Pixels) -> Pixels:
    """Smooth surfaces with edges, as on a photograph, in the breast's outline."""
    rng, image = np.random.default_rng(1), np.zeros_like(pixels)
    for _ in range(400):
        center = (int(rng.integers(pixels.shape[1])), int(rng.integers(pixels.shape[0])))
        axes = (int(rng.integers(10, 300)), int(rng.integers(10, 300)))
        grey = float(rng.uniform(500, 3500))
        cv2.ellipse(image, center, axes, float(rng.uniform(0, 180)), 0, 360, grey, -1)
    photograph = cv2.GaussianBlur(image, (0, 0), 1.2) + rng.normal(0, 8, pixels.shape)
    return np.where(pixels > 200, photograph, 0).astype(np.float32)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        (lambda pixels: pixels, ImageStatus.READ),
        (lambda pixels: cv2.GaussianBlur(pixels, (0, 0), 0.4), ImageStatus.READ),
        (lambda pixels: cv2.GaussianBlur(pixels, (0, 0), 1.0), ImageStatus.FLAGGED),
        (_enlarged, ImageStatus.FLAGGED),
        (_noise, ImageStatus.REFUSED),
        (_shapes, ImageStatus.REFUSED),
    ],
    ids=["as it is", "slightly blurred", "blurred", "enlarged", "noise", "photograph"],
)
def test_what_was_done_to_a_view_shows_in_its_likeness(
    detector: Detector, exams: Path, changed: Callable[[Pixels], Pixels], status: ImageStatus
) -> None:
    ds = pydicom.dcmread(exams / "a-ffdm-cc/RCC.dcm")
    pixels = changed(ds.pixel_array.astype(np.float32))
    ds.decompress()
    ds.PixelData = np.clip(np.rint(pixels), 0, 4095).astype("<u2").tobytes()
    reference = detector.manifest.likeness
    features = measure_likeness(ds, detector.manifest.input.spacing_mm)
    assert reference is not None
    assert features is not None

    gate = check_likeness(reference.measure_distance(features), reference)

    assert combine_measurements([gate]).status is status, gate.value
