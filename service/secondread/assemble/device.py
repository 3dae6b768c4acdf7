"""The device that made an exam, as far as its headers name it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    # The tracker takes devices too, and need not load what reads headers.
    from secondread.assemble.mammogram import Mammogram

LONGEST_NAME: Final = 64
"""Characters of a maker's or a model's name that count: the length of an LO (PS3.5 6.2)."""

_MAKERS: Final = {
    "ge": ("GE ", "GENERAL ELECTRIC"),
    "hologic": ("HOLOGIC", "LORAD"),
    "siemens": ("SIEMENS",),
    "fujifilm": ("FUJI",),
    "philips": ("PHILIPS", "SECTRA"),
    "planmed": ("PLANMED",),
    "ims": ("IMS", "I.M.S", "GIOTTO"),
}
"""How Manufacturer (0008,0070) begins, in capitals, by the name that metrics and alarms use."""


@dataclass(frozen=True, slots=True, order=True)
class Device:
    """A kind of mammography unit: all units of one maker and model are one device."""

    manufacturer: str
    """Manufacturer (0008,0070), as stated."""
    model: str
    """Manufacturer's Model Name (0008,1090), as stated."""

    @property
    def maker(self) -> str:
        """The maker as one of a few words that are known, ``other`` for the rest.

        What a header says could be anything, a patient's name included, so no metric and no alarm
        quotes it.
        """
        stated = f"{self.manufacturer.strip().upper()} "
        found = (word for word, starts in _MAKERS.items() if stated.startswith(starts))
        return next(found, "other")


def find_device(images: "Iterable[Mammogram]") -> Device | None:
    """Return the device that made most of an exam's images; None where there are none."""
    made = Counter(
        Device(image.manufacturer[:LONGEST_NAME], image.model[:LONGEST_NAME]) for image in images
    )
    return min(made, key=lambda device: (-made[device], device), default=None)
