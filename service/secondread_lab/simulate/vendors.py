"""Vendor families: detector, dose and processing that go together, under invented names.

None of them is a product; together they span the pitches, noises and grey scales in use.
"""

from dataclasses import dataclass

from secondread_lab.simulate.acquisition import XRayDetector
from secondread_lab.simulate.finishing import Halo, LocalGain, Shrinkage
from secondread_lab.simulate.processing import Processing


@dataclass(frozen=True, slots=True)
class Vendor:
    """A family of units."""

    name: str
    detector: XRayDetector
    quanta_per_mm2: float
    """At the detector behind the average of the breast."""
    processing: Processing
    held_out: bool = False
    """Whether the family is kept for judging: no model may be trained or tuned on it."""

    @property
    def manufacturer(self) -> str:
        """Manufacturer (0008,0070)."""
        return f"Simulated Vendor {self.name.capitalize()}"


_ALPHA = Vendor(
    "alpha",
    XRayDetector(rows=3328, columns=2560, pitch_mm=0.07, blur_mm=0.045),
    4.2e5,
    Processing(
        octave_gains=(1.7, 1.8, 1.45, 1.3, 1.15, 1.1),
        coarse_gain=1.0,
        compression=0.30,
        equalisation=0.95,
        fat_grey=0.04,
        dense_grey=0.64,
        gamma=1.15,
    ),
)

_BETA = Vendor(
    "beta",
    XRayDetector(
        rows=2294, columns=1914, pitch_mm=0.0941, blur_mm=0.065, noise_blur_px=0.35, scatter=0.18
    ),
    2.6e5,
    Processing(
        octave_gains=(1.6, 1.45, 1.25, 1.15, 1.1),
        coarse_gain=0.85,
        compression=0.40,
        equalisation=0.80,
        fat_grey=0.08,
        dense_grey=0.64,
        gamma=1.0,
        photometric="MONOCHROME1",
    ),
)

_GAMMA = Vendor(
    "gamma",
    XRayDetector(rows=4728, columns=3540, pitch_mm=0.05, blur_mm=0.040),
    4.6e5,
    Processing(
        octave_gains=(1.0, 1.6, 1.5, 1.3, 1.15, 1.0),
        coarse_gain=0.75,
        compression=0.25,
        equalisation=1.0,
        fat_grey=0.04,
        dense_grey=0.66,
        gamma=1.3,
    ),
)

_DELTA = Vendor(
    "delta",
    XRayDetector(rows=2816, columns=2016, pitch_mm=0.085, blur_mm=0.050, electronic_quanta=9.0),
    3.2e5,
    Processing(
        octave_gains=(1.5, 1.6, 1.3, 1.2, 1.1),
        coarse_gain=0.9,
        compression=0.50,
        equalisation=0.90,
        fat_grey=0.04,
        dense_grey=0.66,
        gamma=1.2,
        bits=14,
    ),
)

_EPSILON = Vendor(
    "epsilon",
    XRayDetector(rows=3584, columns=2784, pitch_mm=0.065, blur_mm=0.055, noise_blur_px=0.45),
    4.0e5,
    Processing(
        octave_gains=(1.5, 1.5, 1.3, 1.2, 1.1, 1.0),
        coarse_gain=0.80,
        compression=0.60,
        equalisation=0.90,
        fat_grey=0.06,
        dense_grey=0.66,
        gamma=3.6,
        bits=14,
        tone="sigmoid",
        shrinkage=Shrinkage(octaves=2, threshold=0.8),
        halo=Halo(radius_mm=0.35, amount=0.5),
    ),
    held_out=True,
)

_ZETA = Vendor(
    "zeta",
    XRayDetector(
        rows=2364,
        columns=1770,
        pitch_mm=0.1,
        blur_mm=0.075,
        noise_blur_px=0.30,
        electronic_quanta=12.0,
        scatter=0.20,
    ),
    2.4e5,
    Processing(
        octave_gains=(1.25, 1.1, 1.0),
        coarse_gain=1.0,
        compression=2.0,
        equalisation=0.70,
        fat_grey=0.05,
        dense_grey=0.64,
        gamma=1.2,
        photometric="MONOCHROME1",
        tone="logarithm",
        local_gain=LocalGain(radius_mm=7.0, contrast=0.20, floor=0.05, mean_share=0.55),
    ),
    held_out=True,
)

VENDORS: dict[str, Vendor] = {v.name: v for v in (_ALPHA, _BETA, _GAMMA, _DELTA, _EPSILON, _ZETA)}
"""The families by name, those held out included."""


def list_training_vendors() -> tuple[Vendor, ...]:
    """Return the families that a model may be trained on."""
    return tuple(vendor for vendor in VENDORS.values() if not vendor.held_out)


def list_held_out_vendors() -> tuple[Vendor, ...]:
    """Return the families that are for judging alone; they differ from the others in kind."""
    return tuple(vendor for vendor in VENDORS.values() if vendor.held_out)
