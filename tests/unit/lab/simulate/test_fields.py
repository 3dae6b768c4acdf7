"""Power-law fields have the spectrum that they were asked for."""

import numpy as np
import pytest

from secondread_lab.simulate.fields import Spectrum, draw_power_law_map
from secondread_lab.simulate.seeds import seed_stream


@pytest.mark.parametrize("beta", [2.0, 3.0])
def test_the_power_of_a_field_falls_with_the_exponent_asked_for(beta: float) -> None:
    field = draw_power_law_map(
        seed_stream(1, "field"), (512, 512), 0.1, Spectrum(beta, outer_mm=50.0)
    )
    power = np.abs(np.fft.rfft2(field)) ** 2
    frequency = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.rfftfreq(512)[None, :])
    inside = (frequency > 0.02) & (frequency < 0.3)
    slope, _ = np.polyfit(np.log(frequency[inside]), np.log(power[inside]), 1)
    assert slope == pytest.approx(-beta, abs=0.15)


def test_a_field_has_zero_mean_and_unit_variance() -> None:
    field = draw_power_law_map(seed_stream(2, "field"), (301, 203), 0.2, Spectrum(3.0, 10.0))
    assert field.shape == (301, 203)
    assert float(field.mean()) == pytest.approx(0.0, abs=1e-3)
    assert float(field.std()) == pytest.approx(1.0, abs=1e-3)


def test_streams_of_different_names_are_independent_and_of_the_same_name_equal() -> None:
    assert seed_stream(5, "a", 1).random() == seed_stream(5, "a", 1).random()
    assert seed_stream(5, "a", 1).random() != seed_stream(5, "a", 2).random()
    assert seed_stream(5, "a").random() != seed_stream(6, "a").random()
