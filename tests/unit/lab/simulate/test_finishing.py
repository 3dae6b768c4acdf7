"""What only the held-out families' processing does."""

from dataclasses import replace

import numpy as np
import pytest

from secondread_lab.simulate.acquisition import Exposure, expose
from secondread_lab.simulate.finishing import Halo, LocalGain, Shrinkage
from secondread_lab.simulate.processing import render_for_presentation
from secondread_lab.simulate.seeds import seed_stream
from secondread_lab.simulate.vendors import VENDORS, list_held_out_vendors, list_training_vendors


def _noise() -> np.ndarray:
    return seed_stream(1, "noise").standard_normal((256, 256), dtype=np.float32)


def test_shrinkage_takes_the_noise_and_keeps_what_is_strong() -> None:
    detail = _noise()
    detail[100, 100] = 12.0
    shrunk = Shrinkage(octaves=2, threshold=2.0).apply(detail)
    assert float(np.median(np.abs(shrunk))) < 0.4 * float(np.median(np.abs(detail)))
    assert shrunk[100, 100] > 11.0


def test_shrinkage_of_an_empty_image_is_empty() -> None:
    flat = np.zeros((64, 64), np.float32)
    assert not Shrinkage(octaves=1, threshold=1.0).apply(flat).any()


def test_a_halo_darkens_the_surround_of_a_bright_spot() -> None:
    image = np.ones((101, 101), np.float32)
    image[49:52, 49:52] = 2.0
    sharp = Halo(radius_mm=0.3, amount=0.5).apply(image, pitch_mm=0.1)
    assert sharp[50, 50] > 2.0
    assert sharp[50, 54] < 1.0
    assert sharp[5, 5] == pytest.approx(1.0, abs=1e-4)


def test_local_gain_brings_quiet_and_busy_tissue_to_the_same_contrast() -> None:
    image = _noise()
    image[:, :128] *= 0.1
    image[:, 128:] += 3.0
    gain = LocalGain(radius_mm=1.0, contrast=0.2, floor=0.0, mean_share=0.5)
    shown = gain.apply(image, np.ones((64, 64), np.float32), pitch_mm=0.1)
    quiet, busy = (float(part.std()) for part in (shown[40:200, 20:90], shown[40:200, 170:240]))
    assert quiet == pytest.approx(busy, rel=0.35)
    assert float(np.median(shown[:, 180:]) - np.median(shown[:, :60])) == pytest.approx(
        1.5, abs=0.3
    )


def test_the_held_out_families_differ_in_kind_and_are_in_no_training_list() -> None:
    assert {vendor.name for vendor in list_training_vendors()} == {
        "alpha",
        "beta",
        "gamma",
        "delta",
    }
    assert {vendor.name for vendor in list_held_out_vendors()} == {"epsilon", "zeta"}
    for vendor in list_training_vendors():
        own = vendor.processing
        assert (own.tone, own.shrinkage, own.halo, own.local_gain) == ("power", None, None, None)
    for vendor in list_held_out_vendors():
        assert vendor.processing.tone != "power"


@pytest.mark.parametrize("name", ["epsilon", "zeta"])
def test_each_extra_stage_changes_what_is_shown(name: str) -> None:
    vendor = VENDORS[name]
    detector = replace(vendor.detector, rows=500, columns=400)
    breast = np.zeros((500, 400), np.float32)
    breast[:, :300] = 2.2 + 0.05 * seed_stream(2, "tissue").standard_normal((500, 300))
    signal = expose(breast, 2.2, detector, Exposure(5e5), seed_stream(1, "n"))
    whole = render_for_presentation(signal, vendor.processing, detector.pitch_mm)
    own = vendor.processing
    stages = [
        replace(own, tone="power"),
        replace(own, shrinkage=None) if own.shrinkage else None,
        replace(own, halo=None) if own.halo else None,
        replace(own, local_gain=None) if own.local_gain else None,
    ]
    for other in filter(None, stages):
        assert not np.array_equal(render_for_presentation(signal, other, detector.pitch_mm), whole)
