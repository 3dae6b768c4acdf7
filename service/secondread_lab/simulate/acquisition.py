"""X-ray physics of one exposure: from line integrals to the detector's linear counts.

The order is that of the imaging chain: attenuation, scatter, blur of focal spot and detector,
quantum noise, electronic noise, digitisation.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from secondread.geometry import SpacingMm
from secondread_lab.simulate.fields import Map


@dataclass(frozen=True, slots=True)
class XRayDetector:
    """A unit's detector: its matrix, blur, noise and scatter."""

    rows: int
    columns: int
    pitch_mm: float
    blur_mm: float
    """Standard deviation of the Gaussian blur of focal spot and detector."""
    noise_blur_px: float = 0.0
    """Standard deviation of the blur that quantum noise passes through: 0 for a direct
    converter, about half a pixel for a scintillator."""
    electronic_quanta: float = 6.0
    """Electronic noise as the standard deviation of a count of quanta."""
    scatter: float = 0.12
    """Scatter-to-primary ratio behind the grid."""
    bits: int = 14
    """Bits stored of a For Processing image."""

    @property
    def spacing(self) -> SpacingMm:
        """Imager pixel spacing; the pixels are square."""
        return SpacingMm(self.pitch_mm, self.pitch_mm)

    def with_pitch(self, pitch_mm: float) -> "XRayDetector":
        """Return a detector of the same size with another pitch: small images for tests."""
        share = self.pitch_mm / pitch_mm
        rows, columns = round(self.rows * share), round(self.columns * share)
        return replace(self, rows=rows, columns=columns, pitch_mm=pitch_mm)


@dataclass(frozen=True, slots=True)
class Exposure:
    """How one image was exposed."""

    quanta_per_mm2: float
    """Quanta that reach the detector behind the average of the breast."""
    noise: bool = True
    """False leaves both noises out, for measurements of the truth."""


@dataclass(frozen=True, slots=True)
class Signal:
    """The detector's signal before it is stored."""

    quanta: Map
    """Counts of quanta in each pixel, real-valued."""
    breast_quanta: float
    """The count that the exposure control aimed at behind the average of the breast."""
    lit: slice
    """Columns that show the breast with some air beside it; the others show air alone."""


def expose(
    attenuation: Map,
    breast_level: float,
    detector: XRayDetector,
    exposure: Exposure,
    rng: np.random.Generator,
) -> Signal:
    """Return the detector's counts behind the given line integrals.

    Parameters
    ----------
    attenuation
        Line integral of the attenuation in each pixel.
    breast_level
        Line integral that the automatic exposure control looks at.
    rng
        Stream of the noise.
    """
    lit = _find_lit_columns(attenuation, detector)
    primary = np.exp(-attenuation[:, lit])
    if detector.scatter > 0:
        primary = _add_scatter(primary, detector)
    sigma = detector.blur_mm / detector.pitch_mm
    blurred = cv2.GaussianBlur(primary, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    per_pixel = exposure.quanta_per_mm2 * detector.pitch_mm**2
    air = per_pixel * float(np.exp(breast_level))
    # Direct exposure is clipped when stored and black when displayed, so it needs no noise.
    quanta = np.full(attenuation.shape, np.float32(air * (1.0 + detector.scatter)))
    quanta[:, lit] = np.asarray(blurred, dtype=np.float32) * np.float32(air)
    if exposure.noise:
        quanta[:, lit] += _draw_noise(quanta[:, lit], detector, rng)
    return Signal(quanta, per_pixel, lit)


_AIR_MM = 14.0
"""Width of the air beside the breast that is imaged with it."""


def _find_lit_columns(attenuation: Map, detector: XRayDetector) -> slice:
    (columns,) = np.nonzero(attenuation[::8].any(axis=0))
    if len(columns) == 0:
        return slice(0, attenuation.shape[1])
    margin = round(_AIR_MM / detector.pitch_mm)
    return slice(max(int(columns[0]) - margin, 0), int(columns[-1]) + 1 + margin)


def compute_noise_sigma(
    attenuation: float, breast_level: float, detector: XRayDetector, quanta: float
) -> float:
    """Return the standard deviation of the noise in units of the line integral.

    Parameters
    ----------
    quanta
        Quanta per mm2 behind the average of the breast, see `Exposure`.
    """
    count = quanta * detector.pitch_mm**2 * float(np.exp(breast_level - attenuation))
    variance = count + detector.electronic_quanta**2
    softened = 1.0
    if detector.noise_blur_px > 0:
        # White noise keeps the sum of the squared weights of each of the two one-way blurs.
        steps = np.arange(-12, 13)
        weights = np.exp(-0.5 * (steps / detector.noise_blur_px) ** 2)
        softened = float(np.sum((weights / weights.sum()) ** 2)) ** 2
    return float(np.sqrt(variance * softened)) / count


def store_for_processing(signal: Signal, detector: XRayDetector) -> npt.NDArray[np.uint16]:
    """Return the stored values of a For Processing image: linear in exposure."""
    top = 2**detector.bits - 1
    # The range is used for the breast: direct exposure is clipped, as on real units.
    values = np.rint(signal.quanta * np.float32(0.1 * top / signal.breast_quanta))
    return np.asarray(np.clip(values, 0, top), dtype=np.uint16)


def _add_scatter(primary: Map, detector: XRayDetector) -> Map:
    # Scatter is smooth over centimetres; a sixteenth of the resolution is enough.
    small = cv2.resize(primary, None, fx=1 / 16, fy=1 / 16, interpolation=cv2.INTER_AREA)
    sigma = 12.0 / (16 * detector.pitch_mm)
    smooth = cv2.GaussianBlur(small, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    size = (primary.shape[1], primary.shape[0])
    scatter = cv2.resize(smooth, size, interpolation=cv2.INTER_LINEAR)
    # Direct exposure beside the breast scatters in the paddle alone.
    veil = np.minimum(scatter, primary) * np.float32(detector.scatter)
    return np.asarray(primary + veil, dtype=np.float32)


def _draw_noise(quanta: Map, detector: XRayDetector, rng: np.random.Generator) -> Map:
    # Counts are in the hundreds and more, where a Poisson law is a normal one.
    noise = rng.standard_normal(quanta.shape, dtype=np.float32)
    noise *= np.sqrt(np.maximum(quanta, 0.0) + np.float32(detector.electronic_quanta**2))
    if detector.noise_blur_px > 0:
        cv2.GaussianBlur(noise, (0, 0), detector.noise_blur_px, dst=noise)
    return noise
