"""The detector over whole files: simulated clusters found, refusals and failures answered."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from secondread.codes import MarkClass, Morphology
from secondread.detect.detector import Detector
from secondread.detect.manifest import load_manifest
from secondread.detect.marks import Detection
from secondread.errors import ModelError
from secondread.reasons import ImageStatus, Reason
from tests.unit.detect import models
from tests.unit.detect.pictures import Stored, breast_image, dataset, file, with_dots

ALL = frozenset({"all"})
BASELINE = Path(__file__).parents[3] / "models" / "calcification" / "baseline" / "manifest.toml"
CLUSTER = [(500, 200), (520, 230), (480, 240), (505, 260), (540, 205)]


def breast(side: str = "left") -> Stored:
    return breast_image(1100, 900, side=side)  # 24 cm2 at 70 um


@pytest.fixture(scope="module")
def detector() -> Detector:
    # The analytic baseline: it is known what it makes of artificial pictures.
    return Detector(load_manifest(BASELINE))


def locate_shown(detection: Detection) -> list[tuple[float, float]]:
    return sorted(
        (mark.center.row, mark.center.col) for mark in detection.marks if mark.score > 0.5
    )


def count_hits(detection: Detection, centers: list[tuple[int, int]], reach: float = 3) -> int:
    rows, columns = np.array(locate_shown(detection)).reshape(-1, 2).T
    return sum(
        bool((np.hypot(rows - r - 0.5, columns - c - 0.5) < reach).any()) for r, c in centers
    )


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_simulated_cluster_is_found_and_little_else(
    detector: Detector, tmp_path: Path, side: str
) -> None:
    centers = CLUSTER if side == "left" else [(r, 899 - c) for r, c in CLUSTER]
    image = with_dots(breast(side), centers, height=160)
    path = file(tmp_path / "x.dcm", dataset(image, WindowCenter=2048, WindowWidth=4096))

    detection, display = detector.detect(path)

    assert detection.status is ImageStatus.READ
    assert count_hits(detection, centers) == 5
    assert len(locate_shown(detection)) <= 8
    assert all(mark.mark_class is MarkClass.CALCIFICATION for mark in detection.marks)
    assert detection.breast is not None
    assert detection.breast.chest_wall_side == side
    assert detection.seconds > 0
    assert display is not None
    assert display.shape == image.shape
    assert display.dtype == np.uint8
    near = next(m for m in detection.marks if abs(m.center.row - 500.5) < 2)
    assert near.diameter_mm == pytest.approx(0.3, abs=0.15)
    assert near.contrast > 5


def test_a_finer_image_gives_the_same_places_in_its_own_pixels(
    detector: Detector, tmp_path: Path
) -> None:
    fine = [(r * 2, c * 2) for r, c in CLUSTER]
    image = with_dots(breast_image(2200, 1800), fine, height=160, sigma=3.6)
    path = file(tmp_path / "x.dcm", dataset(image, ImagerPixelSpacing=[0.035, 0.035]))

    detection, _ = detector.detect(path)

    assert count_hits(detection, fine, reach=5) == 5


def test_monochrome1_gives_the_marks_of_its_positive(detector: Detector, tmp_path: Path) -> None:
    image = with_dots(breast(), CLUSTER, height=160)
    positive = file(tmp_path / "p.dcm", dataset(image))
    negative = file(
        tmp_path / "n.dcm", dataset(4095 - image, PhotometricInterpretation="MONOCHROME1")
    )

    (detection, display), (inverse, inverse_display) = (
        detector.detect(path) for path in (positive, negative)
    )

    assert [mark.center for mark in detection.marks] == [mark.center for mark in inverse.marks]
    assert display is not None
    assert inverse_display is not None
    assert np.array_equal(display, inverse_display)


def test_metal_is_marked_as_metal_and_its_edges_are_no_calcifications(
    detector: Detector, tmp_path: Path
) -> None:
    image = breast()
    image[500:516, 200:222] = 4095

    detection, _ = detector.detect(file(tmp_path / "x.dcm", dataset(image)))

    metal = [mark for mark in detection.marks if mark.mark_class is MarkClass.METAL]
    assert len(metal) == 1
    assert (metal[0].center.row, metal[0].center.col) == pytest.approx((508, 211), abs=1.5)
    near = [(r, c) for r, c in locate_shown(detection) if 480 < r < 536 and 180 < c < 242]
    assert near == [(metal[0].center.row, metal[0].center.col)]


def test_what_the_header_refuses_is_not_even_decoded(detector: Detector, tmp_path: Path) -> None:
    ds = dataset(breast(), LossyImageCompression="01")
    ds.PixelData = b"\0\0"

    detection, display = detector.detect(file(tmp_path / "x.dcm", ds))

    assert (detection.status, detection.reasons) == (
        ImageStatus.REFUSED,
        (Reason.LOSSY_COMPRESSION,),
    )
    assert detection.marks == ()
    assert detection.gates["lossy"] == "yes"
    assert display is None


def test_an_overridden_refusal_is_read_and_flagged(detector: Detector, tmp_path: Path) -> None:
    image = with_dots(breast(), CLUSTER, height=160)
    path = file(tmp_path / "x.dcm", dataset(image, LossyImageCompression="01"))

    detection, _ = detector.detect(path, frozenset({"lossy"}))

    assert detection.status is ImageStatus.FLAGGED
    assert detection.reasons == (Reason.LOSSY_COMPRESSION, Reason.GATE_OVERRIDDEN)
    assert count_hits(detection, CLUSTER) == 5


def _blank() -> Dataset:
    return dataset(np.zeros((1100, 900), np.uint16))


def _negative() -> Dataset:
    return dataset(4095 - breast())


def _small() -> Dataset:
    return dataset(breast(), ImagerPixelSpacing=[0.03, 0.03])


def _saturated() -> Dataset:
    image = breast()
    image[400:600, 50:350] = 4095
    return dataset(image)


def _salted() -> Dataset:
    rng = np.random.default_rng(0)
    rows, columns = rng.integers(200, 800, 1500), rng.integers(30, 400, 1500)
    return dataset(with_dots(breast(), list(zip(rows, columns, strict=True)), sigma=1.2))


@pytest.mark.parametrize(
    ("ds", "reason"),
    [
        (_blank(), Reason.BREAST_NOT_FOUND),
        (_negative(), Reason.POLARITY),
        (_small(), Reason.BREAST_AREA),
        (_saturated(), Reason.SATURATED),
        (_salted(), Reason.TOO_MANY_MARKS),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else "",
)
def test_what_the_pixels_refuse_has_no_marks_but_a_picture(
    detector: Detector, tmp_path: Path, ds: Dataset, reason: Reason
) -> None:
    path = file(tmp_path / "x.dcm", ds)

    detection, display = detector.detect(path)

    assert detection.status is ImageStatus.REFUSED
    assert reason in detection.reasons
    assert detection.marks == ()
    assert display is not None


@pytest.mark.parametrize(
    "ds", [_blank(), _negative(), _small()], ids=["blank", "negative", "small"]
)
def test_with_all_gates_overridden_anything_that_can_be_decoded_is_answered(
    detector: Detector, tmp_path: Path, ds: Dataset
) -> None:
    detection, _ = detector.detect(file(tmp_path / "x.dcm", ds), ALL)

    assert detection.status is ImageStatus.FLAGGED
    assert Reason.GATE_OVERRIDDEN in detection.reasons


def test_an_image_without_spacing_is_read_at_the_models_when_overridden(
    detector: Detector, tmp_path: Path
) -> None:
    image = with_dots(breast(), CLUSTER, height=160)
    ds = dataset(image)
    del ds.ImagerPixelSpacing

    detection, _ = detector.detect(file(tmp_path / "x.dcm", ds), ALL)

    assert detection.reasons == (Reason.SPACING_MISSING, Reason.GATE_OVERRIDDEN)
    assert count_hits(detection, CLUSTER) == 5


def test_a_file_that_is_no_dicom_fails_with_a_reason(detector: Detector, tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    path.write_bytes(bytes(range(256)) * 20)

    detection, display = detector.detect(path)

    assert (detection.status, detection.reasons) == (
        ImageStatus.FAILED,
        (Reason.DATA_SET_INVALID,),
    )
    assert detection.detail == "not a DICOM file"
    assert display is None


def test_pixels_that_end_early_fail_with_the_cause(detector: Detector, tmp_path: Path) -> None:
    ds = dataset(breast())
    ds.PixelData = ds.PixelData[:1000]

    detection, _ = detector.detect(file(tmp_path / "x.dcm", ds))

    assert (detection.status, detection.reasons) == (
        ImageStatus.FAILED,
        (Reason.PIXELS_UNREADABLE,),
    )
    assert "1000 bytes" in detection.detail
    assert detection.sop_instance_uid == ds.SOPInstanceUID


def test_a_missing_file_is_not_answered_about(detector: Detector, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        detector.detect(tmp_path / "nowhere.dcm")


@pytest.mark.parametrize("stride", [1, 2])
def test_a_model_of_one_graph_runs_at_any_stride(tmp_path: Path, stride: int) -> None:
    image = with_dots(breast(), CLUSTER, height=800)
    detector = Detector(load_manifest(models.one_graph(tmp_path, stride=stride)))

    detection, _ = detector.detect(file(tmp_path / "x.dcm", dataset(image)))

    assert count_hits(detection, CLUSTER, reach=4) == 5
    assert len(locate_shown(detection)) == 5
    assert all(mark.diameter_mm > 0.1 for mark in detection.marks)


def test_in_a_model_of_two_graphs_the_second_scores_anew_and_gives_the_class(
    tmp_path: Path,
) -> None:
    image = with_dots(breast(), CLUSTER[:4], height=800, sigma=1.0)
    image = with_dots(image, CLUSTER[4:], height=800, sigma=5)  # a large one: a bright patch
    detector = Detector(load_manifest(models.two_graphs(tmp_path, rescore_at=8.0)))

    detection, _ = detector.detect(file(tmp_path / "x.dcm", dataset(image)))

    small = [mark for mark in detection.marks if mark.mark_class is MarkClass.CALCIFICATION]
    large = [mark for mark in detection.marks if mark.mark_class is MarkClass.VASCULAR]
    assert len(small) == 4
    assert {abs(mark.center.row - 540.5) < 12 for mark in large} == {True}


def test_a_graph_of_neighbours_has_the_last_word_on_what_may_be_a_calcification(
    tmp_path: Path,
) -> None:
    image = with_dots(breast(), CLUSTER[:4], height=800, sigma=1.0)
    image = with_dots(image, CLUSTER[4:], height=800, sigma=5)  # called vascular: not asked about
    path = file(tmp_path / "x.dcm", dataset(image))
    before, _ = Detector(load_manifest(models.two_graphs(tmp_path, rescore_at=8.0))).detect(path)

    detection, _ = Detector(load_manifest(models.three_graphs(tmp_path, rescore_at=8.0))).detect(
        path
    )

    assert {mark.mark_class for mark in before.marks} == {
        MarkClass.CALCIFICATION,
        MarkClass.VASCULAR,
    }
    assert {mark.mark_class for mark in detection.marks} == {MarkClass.VASCULAR}
    assert len(detection.marks) == len(before.marks)


def test_a_graph_of_other_neighbours_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    manifest = load_manifest(models.three_graphs(tmp_path, length=100))

    with pytest.raises(ModelError, match=r"neighbours\.onnx: takes 100 features a spot, spots\.v1"):
        Detector(manifest)


def test_a_describing_graph_tells_the_types_of_calcifications_alone(tmp_path: Path) -> None:
    image = with_dots(breast(), CLUSTER, height=800)
    detector = Detector(load_manifest(models.describing_model(tmp_path)))

    detection, _ = detector.detect(file(tmp_path / "x.dcm", dataset(image)))

    assert detection.marks
    for mark in detection.marks:
        kinds, shares = zip(*mark.morphology, strict=True)
        assert kinds == (Morphology.ROUND, Morphology.FINE_LINEAR)
        assert sum(shares) == pytest.approx(1.0)
    assert Detection.from_json(json.loads(json.dumps(detection.as_json()))) == detection


def test_a_graph_without_the_named_tensors_is_refused(tmp_path: Path) -> None:
    path = models.one_graph(tmp_path)
    text = path.read_text(encoding="utf-8").replace('scores = "y"', 'scores = "z"')
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ModelError, match=r"no tensor 'z', which graphs\.scores names"):
        Detector(load_manifest(path))


def test_a_file_that_is_no_graph_is_refused(tmp_path: Path) -> None:
    import hashlib

    path = models.one_graph(tmp_path)
    old = hashlib.sha256((tmp_path / "dense.onnx").read_bytes()).hexdigest()
    (tmp_path / "dense.onnx").write_bytes(b"no graph")
    new = hashlib.sha256(b"no graph").hexdigest()
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    with pytest.raises(ModelError, match=r"dense\.onnx: ONNX Runtime cannot load it"):
        Detector(load_manifest(path))


@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_are_answered_and_never_raise(
    detector: Detector, tmp_path: Path, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    path = tmp_path / "x.dcm"
    whole = file(path, dataset(breast_image(300, 200))).read_bytes()
    for _ in range(40):
        damaged = bytearray(whole[: int(rng.integers(200, 1600)) if rng.random() < 0.2 else None])
        for position in rng.integers(132, min(len(damaged), 1500), 4):
            damaged[position] = rng.integers(256)
        path.write_bytes(damaged)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns of what it then refuses or repairs
            detection, _ = detector.detect(path)
        assert detection.marks == () or detection.status.was_read


def test_a_failure_names_the_fault_and_quotes_nothing_of_the_file(
    detector: Detector, tmp_path: Path
) -> None:
    path = file(tmp_path / "x.dcm", dataset(breast_image(300, 200), StudyTime="101500"))
    content = path.read_bytes()
    rows = content.index(b"\x28\x00\x10\x00US")
    path.write_bytes(content[: rows + 4] + b"UL\x02\x00" + content[rows + 8 :])

    detection, _ = detector.detect(path)

    assert detection.reasons == (Reason.PIXELS_UNREADABLE,)
    assert detection.detail == "0 rows, 200 columns"
