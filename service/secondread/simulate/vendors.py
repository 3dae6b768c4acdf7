"""Vendor families: detector, dose and processing that go together, under invented names.

None of them is a product; together they span the pitches, noises and grey scales in use.
"""

from dataclasses import dataclass

from secondread.simulate.acquisition import Detector
from secondread.simulate.processing import Processing


@dataclass(frozen=True, slots=True)
class Vendor:
    """A family of units."""

    name: str
    detector: Detector
    quanta_per_mm2: float
    """At the detector behind the average of the breast."""
    processing: Processing

    @property
    def manufacturer(self) -> str:
        """Manufacturer (0008,0070)."""
        return f"Simulated Vendor {self.name.capitalize()}"


_ALPHA = Vendor(
    "alpha",
    Detector(rows=3328, columns=2560, pitch_mm=0.07, blur_mm=0.045),
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
    Detector(
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
    Detector(rows=4728, columns=3540, pitch_mm=0.05, blur_mm=0.040),
    4.6e5,
    Processing(
        octave_gains=(1.1, 1.5, 1.4, 1.25, 1.1, 1.0),
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
    Detector(rows=2816, columns=2016, pitch_mm=0.085, blur_mm=0.050, electronic_quanta=9.0),
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

VENDORS: dict[str, Vendor] = {v.name: v for v in (_ALPHA, _BETA, _GAMMA, _DELTA)}
"""The families by name."""
