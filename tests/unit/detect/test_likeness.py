"""The likeness to the training images: features, the fitted reference, and distances to it."""

import tomllib
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError

from models.calcification.fit_likeness import encode_toml, fit_reference
from secondread.detect.detector import Detector
from secondread.detect.likeness import (
    LIKENESS_FEATURES,
    Likeness,
    LikenessFeatures,
    measure_features,
)
from secondread.detect.manifest import load_manifest
from secondread.errors import ModelError
from secondread.reasons import ImageStatus, Reason
from tests.unit.detect import models
from tests.unit.detect.pictures import breast_image, dataset, file

Image = npt.NDArray[np.float32]
SHAPE = (300, 320)
EVERYWHERE = np.ones(SHAPE, np.uint8)


def texture(seed: int, noise: float = 1.0) -> Image:
    """A ramp with structure at several scales, and noise that rises with the grey."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(100, 900, SHAPE[1])
    structure = sum(
        size * 25 * cv2.GaussianBlur(rng.normal(size=SHAPE), (0, 0), size) for size in (2, 5, 12)
    )
    strength = noise * (8 + ramp / 60) * np.exp(0.1 * rng.normal())
    return np.asarray(ramp + structure + strength * rng.normal(size=SHAPE), np.float32)


def features(image: Image) -> LikenessFeatures:
    values = measure_features(image, EVERYWHERE)
    assert values is not None
    return values


def name_features(image: Image) -> dict[str, float]:
    return dict(zip(LIKENESS_FEATURES, features(image), strict=True))


@pytest.fixture(scope="module")
def reference() -> Likeness:
    return fit_reference([features(texture(seed)) for seed in range(40)], "forty textures")


def test_features_do_not_depend_on_the_unit_of_brightness() -> None:
    image = texture(1)

    assert features(image * 3.5 - 200) == pytest.approx(features(image), abs=2e-3)


@pytest.mark.parametrize(
    ("changed", "feature"),
    [
        (lambda image: cv2.GaussianBlur(image, (0, 0), 1.0), "noise_correlation"),
        (lambda image: np.asarray(image + 60 * _white()), "noise_level"),
        (lambda image: np.asarray(1000 - image), "noise_slope"),
        (lambda image: np.where(_salt(), image + 500, image), "noise_tail"),
        (lambda image: np.asarray(image + _waves()), "octave_3"),
    ],
    ids=["blur", "noise", "negative", "salt", "stripes"],
)
def test_each_change_shows_in_its_feature_and_takes_the_image_away(
    reference: Likeness, changed: object, feature: str
) -> None:
    assert callable(changed)
    image = np.asarray(changed(texture(77)), np.float32)

    at = LIKENESS_FEATURES.index(feature)
    away = abs(name_features(image)[feature] - reference.means[at]) / reference.deviations[at]
    assert away > 4
    assert reference.measure_distance(features(image)) > reference.flag_beyond


def _white() -> Image:
    return np.asarray(np.random.default_rng(5).normal(size=SHAPE), np.float32)


def _salt() -> npt.NDArray[np.bool_]:
    return np.random.default_rng(6).random(SHAPE) < 0.01


def _waves() -> Image:
    return np.asarray(150 * np.sin(np.arange(SHAPE[0])[:, None] / 3.5), np.float32)


def test_an_image_like_the_others_is_near_and_stays_unflagged(reference: Likeness) -> None:
    distances = [reference.measure_distance(features(texture(seed))) for seed in range(100, 120)]

    assert 0.5 < float(np.median(distances)) < 1.6
    assert max(distances) < reference.refuse_beyond
    assert sum(distance > reference.flag_beyond for distance in distances) <= 1


def test_distances_take_correlation_into_account() -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(size=(500, 1))
    likeness = fit_reference(
        [tuple(row) for row in common + 0.3 * rng.normal(size=(500, len(LIKENESS_FEATURES)))], "x"
    )

    together = likeness.measure_distance((1.5,) * len(LIKENESS_FEATURES))
    against = likeness.measure_distance((1.5, *(-1.5,) * (len(LIKENESS_FEATURES) - 1)))

    assert against > 2 * together


def test_the_mean_is_at_distance_zero_and_a_deviation_in_one_feature_counts() -> None:
    likeness = _plain()
    one_off = (0.0, 3.0, *(0.0,) * (len(LIKENESS_FEATURES) - 2))

    assert likeness.measure_distance((0.0,) * len(LIKENESS_FEATURES)) == 0
    assert likeness.measure_distance(one_off) == pytest.approx(3 / np.sqrt(len(LIKENESS_FEATURES)))
    assert likeness.measure_distance((2.0,) * len(LIKENESS_FEATURES)) == pytest.approx(2)


def _plain(flag: float = 2.0, refuse: float = 4.0) -> Likeness:
    size = len(LIKENESS_FEATURES)
    return Likeness(
        means=(0.0,) * size,
        deviations=(1.0,) * size,
        correlation=tuple(tuple(row) for row in np.eye(size).tolist()),
        flag_beyond=flag,
        refuse_beyond=refuse,
        fitted_on="nothing",
    )


def test_a_flat_image_has_finite_features_and_too_little_breast_has_none() -> None:
    assert all(np.isfinite(features(np.full(SHAPE, 7, np.float32))))
    small = np.zeros(SHAPE, np.uint8)
    small[:50, :50] = 1
    assert measure_features(texture(1), small) is None


def test_too_few_images_fit_nothing() -> None:
    with pytest.raises(ValueError, match="26 images are too few for 9 features"):
        fit_reference([(0.0,) * len(LIKENESS_FEATURES)] * 26, "x")


def test_the_table_for_the_manifest_reads_back_as_it_was(reference: Likeness) -> None:
    table = tomllib.loads(encode_toml(reference))["likeness"]

    assert Likeness.model_validate(table) == reference


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("features", ("brightness",), "features are octave_2"),
        ("means", (0.0,), "means and deviations have 9 values"),
        ("deviations", (0.0,) * 9, "deviations are positive"),
        ("correlation", ((1.0,),), "9 rows of 9 values"),
        ("correlation", ((1.0,) * 9,) * 9, "positive definite"),
        ("refuse_beyond", 1.0, "flag_beyond is not above"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_table_that_is_no_distribution_is_refused(key: str, value: object, rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        Likeness.model_validate(_plain().model_dump() | {key: value})


def _manifest(folder: Path, likeness: Likeness) -> Path:
    path = models.one_graph(folder)
    path.write_text(path.read_text(encoding="utf-8") + encode_toml(likeness), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("flag", "refuse", "status"),
    [
        (500.0, 500.0, ImageStatus.READ),
        (0.1, 500.0, ImageStatus.FLAGGED),
        (0.1, 0.2, ImageStatus.REFUSED),
    ],
)
def test_the_detector_asks_the_manifests_reference(
    tmp_path: Path, flag: float, refuse: float, status: ImageStatus
) -> None:
    detector = Detector(load_manifest(_manifest(tmp_path, _plain(flag, refuse))))
    image = breast_image(800, 700)
    path = file(tmp_path / "x.dcm", dataset(image, ImagerPixelSpacing=[0.1, 0.1]))

    detection, display = detector.detect(path)

    assert detection.status is status
    assert detection.reasons == (() if status is ImageStatus.READ else (Reason.UNLIKE_TRAINING,))
    assert float(detection.gates["unlikeness"]) > 0.2
    assert display is not None
    if status is ImageStatus.REFUSED:
        assert detection.marks == ()


def test_a_faulty_table_is_named_with_the_manifest(tmp_path: Path) -> None:
    path = models.one_graph(tmp_path)
    path.write_text(path.read_text(encoding="utf-8") + "[likeness]\nmeans = []\n", "utf-8")

    with pytest.raises(ModelError, match=r"manifest\.toml: likeness\.deviations: Field required"):
        load_manifest(path)


def test_a_large_image_is_measured_in_windows_from_top_to_bottom() -> None:
    rng = np.random.default_rng(1)
    bright = rng.normal(500.0, 20.0, (3000, 700)).astype(np.float32)
    bright += np.linspace(0, 300, 700, dtype=np.float32)
    interior = np.ones(bright.shape, np.uint8)
    other = bright.copy()
    other[:150] *= 3  # above the first window

    assert measure_features(other, interior) == measure_features(bright, interior)

    other[300:450] *= 3  # in the first window

    assert measure_features(other, interior) != measure_features(bright, interior)
