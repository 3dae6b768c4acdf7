"""Brightness to the detector's input: noise, local mean, air, and what glares."""

import numpy as np
import numpy.typing as npt
import pytest

from secondread.detect.manifest import InputNormalisation
from secondread.detect.normalisation import normalise
from secondread.errors import PixelError

OLD = InputNormalisation(
    spacing_mm=0.07,
    normaliser="noise-equalised.v1",
    local_mean_sigma_px=12,
    clip_low=-10,
    clip_high=30,
)
NEW = OLD.model_copy(update={"normaliser": "noise-equalised.v2"})


@pytest.fixture(params=[OLD, NEW], ids=["v1", "v2"])
def how(request: pytest.FixtureRequest) -> InputNormalisation:
    parameters: InputNormalisation = request.param
    return parameters


def test_the_noise_has_the_same_size_in_dark_and_bright_tissue(how: InputNormalisation) -> None:
    rng = np.random.default_rng(2)
    level = np.where(np.arange(400) < 200, 500.0, 3000.0)
    noise = np.where(np.arange(400) < 200, 5.0, 40.0)
    bright = (level + rng.normal(0, 1, (300, 400)) * noise).astype(np.float32)

    z = normalise(bright, np.ones(bright.shape, np.uint8), how)

    dark, light = z[:, 40:160].std(), z[:, 240:360].std()
    assert dark == pytest.approx(light, rel=0.1)
    assert dark == pytest.approx(1.1, abs=0.2)  # the residual leaves a little of the noise out


def test_the_input_does_not_change_with_gain_and_offset(how: InputNormalisation) -> None:
    rng = np.random.default_rng(3)
    bright = rng.normal(1000, 20, (200, 200)).astype(np.float32)
    tissue = np.ones(bright.shape, np.uint8)

    z = normalise(bright, tissue, how)

    assert normalise(bright * 3 + 500, tissue, how) == pytest.approx(z, abs=0.15)


def test_outside_the_tissue_the_input_is_exactly_zero_and_inside_it_is_not(
    how: InputNormalisation,
) -> None:
    rng = np.random.default_rng(4)
    bright = rng.normal(1000, 20, (200, 200)).astype(np.float32)
    tissue = np.zeros(bright.shape, np.uint8)
    tissue[:, :120] = 1

    z = normalise(bright, tissue, how)

    assert (z[:, 120:] == 0).all()
    assert (z[:, :120] != 0).mean() > 0.999
    assert z.min() >= -10
    assert z.max() <= 30


def test_eight_bits_without_noise_still_have_a_finite_input(how: InputNormalisation) -> None:
    flat = np.full((200, 200), 100, np.float32)
    flat[::7, ::5] = 101

    z = normalise(flat, np.ones(flat.shape, np.uint8), how)

    assert np.isfinite(z).all()


def test_too_little_tissue_is_a_pixel_error(how: InputNormalisation) -> None:
    with pytest.raises(PixelError, match="too little tissue"):
        normalise(np.zeros((9, 9), np.float32), np.zeros((9, 9), np.uint8), how)


def draw_clip_and_speck() -> tuple[npt.NDArray[np.float32], tuple[slice, slice]]:
    """Return noise of 5 grey levels with a clip, and where a speck lies 1.5 mm beside it."""
    bright = np.random.default_rng(6).normal(1000, 5, (240, 240)).astype(np.float32)
    bright[100:170, 100:110] += 2000
    speck = (slice(128, 132), slice(128, 132))
    bright[speck] += 50
    return bright, speck


def test_a_speck_beside_a_clip_has_the_contrast_that_it_has_elsewhere() -> None:
    bright, speck = draw_clip_and_speck()
    alone = bright.copy()
    alone[100:170, 100:110] -= 2000
    tissue = np.ones(bright.shape, np.uint8)

    beside = normalise(bright, tissue, NEW)[speck].mean()

    assert beside == pytest.approx(normalise(alone, tissue, NEW)[speck].mean(), rel=0.2)
    # The first version showed it in a pit.
    assert normalise(bright, tissue, OLD)[speck].mean() < beside - 5


def test_without_anything_that_glares_both_versions_are_the_same() -> None:
    rng = np.random.default_rng(7)
    bright = rng.normal(1000, 5, (200, 200)).astype(np.float32)
    bright[90:94, 90:94] += 60
    tissue = np.zeros(bright.shape, np.uint8)
    tissue[:, :150] = 1

    assert (normalise(bright, tissue, NEW) == normalise(bright, tissue, OLD)).all()


def test_where_strands_outshine_their_surroundings_everywhere_none_of_them_glares() -> None:
    bright = np.random.default_rng(8).normal(1000, 1, (240, 240)).astype(np.float32)
    bright[:, ::24] += 100
    bright[:, 1::24] += 100
    bright[:, 2::24] += 100
    tissue = np.ones(bright.shape, np.uint8)

    assert (normalise(bright, tissue, NEW) == normalise(bright, tissue, OLD)).all()


def test_a_clip_at_the_skin_makes_no_pit_either() -> None:
    bright, _ = draw_clip_and_speck()
    tissue = np.zeros(bright.shape, np.uint8)
    tissue[:, 98:] = 1
    bright[tissue == 0] = 0

    z = normalise(bright, tissue, NEW)

    assert z[110:160, 112:125].mean() > -1.5
    assert (z[:, :98] == 0).all()
