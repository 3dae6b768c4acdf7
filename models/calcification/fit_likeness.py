"""Fit the reference of the out-of-distribution check, and write it into a manifest.

    python -m models.calcification.training likeness [--views 72] [--real FOLDER] [--manifest FILE]

Simulates one view after another and deletes it after measuring: every family of units that is not
held out for judging, all four compositions, both views, treated and untreated, each as For
Presentation and as For Processing. For two of three views the family's processing and dose are
drawn anew around its own (gains of the octaves, range, grey scale, bits), because a reference of
four fixed processings would call every fifth one strange. `--real` adds the For Presentation
mammograms in a folder; only images that may be used for training belong there.

72 views take about five minutes and one thread. The same options on the same machine give the
same table.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset

from secondread.assemble.intent import Intent
from secondread.assemble.mammogram import Mammogram
from secondread.codes import Laterality
from secondread.detect.likeness import (
    LIKENESS_FEATURES,
    Likeness,
    LikenessFeatures,
    measure_features,
)
from secondread.detect.manifest import load_manifest
from secondread.detect.prepare import cut_detector_input, prepare_image
from secondread_lab.simulate.exam import ExamSpec, Seeds, simulate_views
from secondread_lab.simulate.phantom import Density
from secondread_lab.simulate.treated_breast import TreatmentSpec
from secondread_lab.simulate.vendors import VENDORS, Vendor, list_training_vendors

FIRST_SEED = 9_000_000
"""Anatomy seeds of these views: test exams lie below five million."""
DENSITIES: tuple[Density, ...] = ("a", "b", "b", "c", "c", "d")
VIEWS = ("LCC", "RMLO", "RCC", "LMLO")
DAY = date(2026, 1, 1)
_SPREAD = 0.2
_INNER_SHARE = 0.95
_SHRINKAGE = 0.1
_FLAG_QUANTILE = 0.99
_FLAG_MARGIN = 1.2
_REFUSE_MARGIN = 2.0


def draw_unit(vendor: Vendor, rng: np.random.Generator) -> Vendor:
    """Return a unit near a family: another dose, other gains, another grey scale."""

    def factor(spread: float = _SPREAD) -> float:
        return float(np.exp(rng.normal(0.0, spread)))

    own = vendor.processing
    trend = rng.normal(0.0, 0.06)
    processing = replace(
        own,
        octave_gains=tuple(
            gain * factor() * float(np.exp(trend * number))
            for number, gain in enumerate(own.octave_gains)
        ),
        coarse_gain=own.coarse_gain * factor(),
        compression=own.compression * factor(0.4),
        equalisation=float(rng.uniform(0.6, 1.0)),
        fat_grey=float(rng.uniform(0.02, 0.12)),
        dense_grey=float(rng.uniform(0.5, 0.8)),
        gamma=own.gamma * factor(),
        bits=int(rng.choice((8, 10, 12, 14), p=(0.06, 0.14, 0.6, 0.2))),
    )
    return replace(
        vendor,
        quanta_per_mm2=vendor.quanta_per_mm2 * factor(0.3),
        processing=processing,
    )


def simulate_images(views: int) -> Iterator[Dataset]:
    """Make so many views, each with both intents."""
    families = list_training_vendors()
    for number in range(views):
        rng = np.random.default_rng((FIRST_SEED, number))
        vendor = families[number % len(families)]
        if number % 3:
            vendor = draw_unit(vendor, rng)
        # Specifications name their unit; this one is known for the length of this view.
        name = f"{vendor.name}-{number}"
        VENDORS[name] = vendor
        treatment = TreatmentSpec(Laterality.LEFT, operated_on=date(2023, 1, 1))
        spec = ExamSpec(
            DAY,
            Seeds(FIRST_SEED + number, number, number),
            prior_years=None,
            treatment=treatment if rng.random() < 0.5 else None,
            density=DENSITIES[int(rng.integers(len(DENSITIES)))],
            size=float(rng.uniform(0.8, 1.2)),
            vendor=name,
            views=(VIEWS[(number // len(families)) % len(VIEWS)],),
            intents=(Intent.PRESENTATION, Intent.PROCESSING),
        )
        for view in simulate_views(spec):
            yield from (ds for _, ds in view.instances)
        del VENDORS[name]


def read_images(folder: Path | None) -> Iterator[Dataset]:
    """Read the mammograms in a folder and those below it."""
    for path in sorted(folder.rglob("*.dcm")) if folder else ():
        yield pydicom.dcmread(path)


def measure_likeness(ds: Dataset, model_mm: float) -> LikenessFeatures | None:
    """Return the features of an image; None where there is too little breast to measure them.

    Raises
    ------
    InputError
        The image cannot be read.
    """
    cut = cut_detector_input(prepare_image(ds, Mammogram.from_dataset(ds), model_mm), model_mm)
    return measure_features(cut.bright, cut.interior)


def fit_reference(measured: Sequence[LikenessFeatures], fitted_on: str) -> Likeness:
    """Return the reference that images with these features give.

    Parameters
    ----------
    measured
        Features of the images that a model was made for; more than a hundred are wanted.
    fitted_on
        Words for the manifest: which images these are.

    Raises
    ------
    ValueError
        There are fewer than three images for each feature.

    Notes
    -----
    The furthest twentieth is left out and the rest fitted again, since one extreme image widens
    the reference for all. The correlations are drawn a tenth of the way to zero, which keeps the
    matrix well behaved for so few images. Limits come from the distances of the images to a
    reference fitted without them: an image is flagged beyond 1.2 times what 99 of 100 stay
    within, and refused beyond twice that.
    """
    if len(measured) < 3 * len(LIKENESS_FEATURES):
        raise ValueError(
            f"{len(measured)} images are too few for {len(LIKENESS_FEATURES)} features"
        )
    everything = np.array(measured, np.float64)
    first = _make_reference(everything, 1.0, 1.0, "")
    distances = np.array([first.measure_distance(tuple(row)) for row in everything])
    values = everything[distances <= np.quantile(distances, _INNER_SHARE)]
    outside = [
        _make_reference(np.delete(values, row, axis=0), 1.0, 1.0, "").measure_distance(
            tuple(values[row])
        )
        for row in range(len(values))
    ]
    flag = round(_FLAG_MARGIN * float(np.quantile(outside, _FLAG_QUANTILE)), 2)
    return _make_reference(values, flag, round(_REFUSE_MARGIN * flag, 2), fitted_on)


def _make_reference(
    values: npt.NDArray[np.float64], flag: float, refuse: float, fitted_on: str
) -> Likeness:
    size = len(LIKENESS_FEATURES)
    measured = np.asarray(np.corrcoef(values, rowvar=False), np.float64).reshape(size, size)
    correlation = (1 - _SHRINKAGE) * measured + _SHRINKAGE * np.eye(size)
    return Likeness(
        means=tuple(values.mean(axis=0).round(4).tolist()),
        deviations=tuple(np.maximum(values.std(axis=0, ddof=1), 1e-3).round(4).tolist()),
        correlation=tuple(tuple(row) for row in correlation.round(4).tolist()),
        flag_beyond=flag,
        refuse_beyond=refuse,
        fitted_on=fitted_on,
    )


def encode_toml(likeness: Likeness) -> str:
    """Return the table as a manifest holds it."""
    rows = "\n".join(f"  {list(row)}," for row in likeness.correlation)
    names = ", ".join(f'"{name}"' for name in likeness.features)
    return (
        "[likeness]\n"
        f"features = [{names}]\n"
        f"means = {list(likeness.means)}\n"
        f"deviations = {list(likeness.deviations)}\n"
        f"correlation = [\n{rows}\n]\n"
        f"flag_beyond = {likeness.flag_beyond}\n"
        f"refuse_beyond = {likeness.refuse_beyond}\n"
        f'fitted_on = "{likeness.fitted_on}"\n'
    )


def replace_table(text: str, table: str) -> str:
    """Return a manifest's text with this table in place of the one it had."""
    without = re.sub(r"(?ms)^\[likeness\]\n.*?(?=^\[|\Z)", "", text).rstrip("\n")
    return f"{without}\n\n{table}"


def main(arguments: Sequence[str]) -> None:
    """Measure, fit, and write the table into the manifest."""
    parser = argparse.ArgumentParser(prog="python -m models.calcification.training likeness")
    parser.add_argument("--views", type=int, default=72)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--manifest", type=Path, default=Path(__file__).with_name("manifest.toml"))
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    spacing = load_manifest(options.manifest).input.spacing_mm
    measured: list[LikenessFeatures] = []
    counts = []
    for images in (simulate_images(options.views), read_images(options.real)):
        before = len(measured)
        for ds in images:
            features = measure_likeness(ds, spacing)
            if features is not None:
                measured.append(features)
            print(f"{len(measured)} images", end="\r", file=sys.stderr)
        counts.append(len(measured) - before)
    words = f"{counts[0]} simulated images of {options.views} views, {counts[1]} real mammograms"
    likeness = fit_reference(measured, words)
    text = options.manifest.read_text(encoding="utf-8")
    options.manifest.write_text(replace_table(text, encode_toml(likeness)), encoding="utf-8")
    print(f"{words}: flag beyond {likeness.flag_beyond}, refuse beyond {likeness.refuse_beyond}")
