"""Which device made an exam, and what of its name may be quoted."""

import pytest

from secondread.assemble.device import LONGEST_NAME, Device, find_device
from tests.worlds.builders import mammogram


def test_most_images_decide() -> None:
    images = [
        mammogram(Manufacturer="GE MEDICAL SYSTEMS", ManufacturerModelName="Senographe Pristina"),
        *[mammogram(Manufacturer="HOLOGIC, Inc.", ManufacturerModelName="Selenia Dimensions")] * 2,
    ]
    assert find_device(images) == Device("HOLOGIC, Inc.", "Selenia Dimensions")
    assert find_device(reversed(images)) == find_device(images)
    assert find_device([]) is None


def test_of_as_many_it_is_the_same_one_whatever_the_order() -> None:
    images = [mammogram(Manufacturer="B"), mammogram(Manufacturer="A")]
    assert find_device(images) == find_device(reversed(images))


@pytest.mark.parametrize(
    ("stated", "maker"),
    [
        ("HOLOGIC, Inc.", "hologic"),
        ("LORAD, A Hologic Company", "hologic"),
        ("GE MEDICAL SYSTEMS", "ge"),
        ("ge healthcare", "ge"),
        ("FUJIFILM Corporation", "fujifilm"),
        ("Siemens Healthineers", "siemens"),
        (" Philips Digital Mammography Sweden AB", "philips"),
        ("Planmed Oy", "planmed"),
        ("IMS s.r.l.", "ims"),
        ("I.M.S.", "ims"),
        ("GENESIS", "other"),
        ("", "other"),
        ("DOE^JANE", "other"),
    ],
)
def test_a_maker_is_one_of_a_few_words(stated: str, maker: str) -> None:
    assert Device(stated, "").maker == maker


def test_a_name_without_end_is_cut() -> None:
    device = find_device([mammogram(Manufacturer="x" * 5000, ManufacturerModelName="y" * 5000)])
    assert device is not None
    assert (len(device.manufacturer), len(device.model)) == (LONGEST_NAME, LONGEST_NAME)
