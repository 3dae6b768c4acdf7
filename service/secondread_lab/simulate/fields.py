"""Random fields: power-law noise in two and three dimensions.

The power spectrum of mammograms falls as frequency to the power -beta, beta about 3 (Burgess,
Jacobson and Judy 2001, Medical Physics 28:419). A field of that kind has no lines, which
mammograms are full of: those come from `secondread_lab.simulate.lobules` and `.curves`.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import scipy.fft

Map = npt.NDArray[np.float32]
"""A two-dimensional map, rows first."""

Volume = npt.NDArray[np.float32]
"""A three-dimensional map: depth, lateral, superior."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The power spectrum of a field: a power law between two scales."""

    beta: float
    """Exponent of the fall with frequency."""
    outer_mm: float
    """Structures larger than this are as strong as those of this size."""
    inner_mm: float = 0.0
    """Structures smaller than this are smoothed away."""

    def compute_amplitude(self, frequency: Map) -> Map:
        """Return the square root of the spectrum at frequencies in cycles per mm."""
        corner = 1.0 / self.outer_mm
        level = (frequency**2 + np.float32(corner**2)) ** np.float32(-self.beta / 4.0)
        if self.inner_mm > 0:
            level = level * np.exp(-((frequency * np.float32(self.inner_mm)) ** 2))
        return np.asarray(level, dtype=np.float32)


def draw_power_law_map(
    rng: np.random.Generator, shape: tuple[int, int], pitch_mm: float, spectrum: Spectrum
) -> Map:
    """Return a map of zero mean and unit variance with the given spectrum."""
    rows, columns = (int(scipy.fft.next_fast_len(n, real=True)) for n in shape)
    fy = scipy.fft.fftfreq(rows, pitch_mm).astype(np.float32)[:, None]
    fx = scipy.fft.rfftfreq(columns, pitch_mm).astype(np.float32)[None, :]
    amplitude = spectrum.compute_amplitude(np.sqrt(fx**2 + fy**2))
    amplitude[0, 0] = 0.0
    noise = rng.standard_normal((*amplitude.shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
    field = scipy.fft.irfft2(noise * amplitude, s=(rows, columns), overwrite_x=True)
    return _standardise(field[: shape[0], : shape[1]])


def draw_power_law_volume(
    rng: np.random.Generator, shape: tuple[int, int, int], pitch_mm: float, spectrum: Spectrum
) -> Volume:
    """Return a volume of zero mean and unit variance with the given spectrum."""
    sizes = [int(scipy.fft.next_fast_len(n, real=True)) for n in shape]
    fz = scipy.fft.fftfreq(sizes[0], pitch_mm).astype(np.float32)[:, None, None]
    fy = scipy.fft.fftfreq(sizes[1], pitch_mm).astype(np.float32)[None, :, None]
    fx = scipy.fft.rfftfreq(sizes[2], pitch_mm).astype(np.float32)[None, None, :]
    amplitude = spectrum.compute_amplitude(np.sqrt(fx**2 + fy**2 + fz**2))
    amplitude[0, 0, 0] = 0.0
    noise = rng.standard_normal((*amplitude.shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
    field = scipy.fft.irfftn(noise * amplitude, s=sizes, overwrite_x=True)
    return _standardise(field[: shape[0], : shape[1], : shape[2]])


def resize_map(field: Map, shape: tuple[int, int]) -> Map:
    """Return a map stretched to another number of rows and columns, smoothly."""
    out = cv2.resize(field, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(out, dtype=np.float32)


def _standardise(field: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    field = np.ascontiguousarray(field, dtype=np.float32)
    field -= field.mean()
    field /= max(float(field.std()), 1e-12)
    return field
