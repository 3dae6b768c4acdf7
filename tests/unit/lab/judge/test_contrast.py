"""The sampler's small model of contrast agrees with what the simulator draws."""

import cv2
import numpy as np
import pytest

from secondread.codes import Morphology
from secondread.geometry import PointPx
from secondread_lab.judge.contrast import estimate_cnr, find_diameter
from secondread_lab.simulate.acquisition import compute_noise_sigma
from secondread_lab.simulate.seeds import seed_stream
from secondread_lab.simulate.shapes import draw_calcification
from secondread_lab.simulate.solids import draw_rotation, rasterise_solid
from secondread_lab.simulate.vendors import VENDORS


def _drawn_cnr(diameter: float, morphology: Morphology, name: str) -> float:
    vendor = VENDORS[name]
    pitch, blur = vendor.detector.pitch_mm, vendor.detector.blur_mm
    rng = seed_stream(1, "contrast", morphology.name)
    peaks = []
    for _ in range(24):
        solid = draw_calcification(rng, morphology, np.zeros(3), diameter)
        at = PointPx(20 + rng.random(), 20 + rng.random())
        patch = rasterise_solid(solid, at, draw_rotation(rng), pitch)
        assert patch is not None
        soft = cv2.GaussianBlur(
            patch.attenuation, (0, 0), blur / pitch, borderType=cv2.BORDER_CONSTANT
        )
        peaks.append(float(soft.max()))
    sigma = compute_noise_sigma(0.0, 0.0, vendor.detector, vendor.quanta_per_mm2)
    return float(np.median(peaks)) / sigma


@pytest.mark.parametrize("name", ["alpha", "zeta"])
@pytest.mark.parametrize(
    ("morphology", "diameter"),
    [
        (Morphology.ROUND, 0.25),
        (Morphology.AMORPHOUS, 0.6),
        (Morphology.COARSE_HETEROGENEOUS, 0.5),
        (Morphology.FINE_PLEOMORPHIC, 0.3),
        (Morphology.FINE_LINEAR, 0.6),
        (Morphology.FINE_LINEAR_BRANCHING, 0.6),
    ],
)
def test_the_model_says_about_what_is_drawn(
    name: str, morphology: Morphology, diameter: float
) -> None:
    drawn = _drawn_cnr(diameter, morphology, name)
    estimated = estimate_cnr(np.array(diameter), morphology, 1.0, VENDORS[name])
    assert float(estimated) == pytest.approx(drawn, rel=0.3)


@pytest.mark.parametrize("cnr", [3.0, 6.0, 12.0])
def test_a_diameter_gives_the_contrast_that_was_wanted(cnr: float) -> None:
    diameter = find_diameter(cnr, Morphology.FINE_PLEOMORPHIC, 0.8, VENDORS["beta"])
    found = estimate_cnr(np.array(diameter), Morphology.FINE_PLEOMORPHIC, 0.8, VENDORS["beta"])
    assert float(found) == pytest.approx(cnr, rel=0.03)
