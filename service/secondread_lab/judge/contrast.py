"""The size of a calcification for a wanted contrast: a small model of the imaging chain.

The simulator measures the contrast of a calcification exactly, but only after drawing it. A
sampler of hard and easy exams in known shares has to choose sizes before. This model is fitted to
the simulator, within about a fifth.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondread.codes import Morphology
from secondread_lab.simulate.acquisition import compute_noise_sigma
from secondread_lab.simulate.solids import MU_CALCIFICATION
from secondread_lab.simulate.vendors import Vendor

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Shape:
    """Thickness of a type along the beam, and fineness of its parts."""

    share: float
    """Thickness of a large one, as a share of its diameter."""
    fineness: float
    """How much blur lowers its peak: square of the diameter at which half of it is left, in
    squares of the blur."""


_COMPACT = _Shape(0.98, 9.0)
_SHAPES: dict[Morphology, _Shape] = {
    Morphology.AMORPHOUS: _Shape(0.20, 28.0),
    Morphology.COARSE_HETEROGENEOUS: _Shape(0.50, 20.0),
    Morphology.FINE_PLEOMORPHIC: _Shape(0.82, 9.0),
    Morphology.FINE_LINEAR: _Shape(0.45, 25.0),
    Morphology.FINE_LINEAR_BRANCHING: _Shape(0.50, 25.0),
    Morphology.DYSTROPHIC: _Shape(0.50, 20.0),
    Morphology.SUTURE: _Shape(0.62, 14.0),
    Morphology.LARGE_ROD_LIKE: _Shape(1.40, 4.0),
    Morphology.MILK_OF_CALCIUM: _Shape(0.20, 25.0),
    Morphology.COARSE: _Shape(0.26, 27.0),
}

_DIAMETERS_MM = np.geomspace(0.05, 20.0, 600)


def find_diameter(cnr: float, morphology: Morphology, mineral: float, vendor: Vendor) -> float:
    """Return the approximate diameter in mm for a contrast-to-noise ratio, at most 20 mm.

    Parameters
    ----------
    cnr
        Peak contrast over the noise of one pixel.
    mineral
        See `LesionSpec.mineral`.
    """
    contrasts = estimate_cnr(_DIAMETERS_MM, morphology, mineral, vendor)
    return float(np.interp(cnr, contrasts, _DIAMETERS_MM))


def estimate_cnr(diameters: Array, morphology: Morphology, mineral: float, vendor: Vendor) -> Array:
    """Return the peak contrast-to-noise ratios of diameters in mm, behind average tissue."""
    shape, detector = _SHAPES.get(morphology, _COMPACT), vendor.detector
    # A pixel blurs like a Gaussian of its own variance, a twelfth of its square.
    blur = detector.blur_mm**2 + detector.pitch_mm**2 / 12.0
    left = diameters**2 / (diameters**2 + shape.fineness * blur)
    # At equal attenuation the noise is that behind the average of the breast.
    sigma = compute_noise_sigma(0.0, 0.0, detector, vendor.quanta_per_mm2)
    return np.asarray(MU_CALCIFICATION * mineral * shape.share * diameters * left / sigma)
