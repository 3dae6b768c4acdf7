"""How the images of a study are called, from their side, view and view modifiers."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from secondread.assemble.mammogram import Mammogram
from secondread.codes import ViewModifier


class ImageNames(NamedTuple):
    """Both names of one image; each is unique in its study."""

    label: str
    """For the identifiers of findings and for file names: ``LCC``, ``LCC2``."""
    name: str
    """For people: ``L CC``, ``L CC (2)``, ``L CC, implant displaced``."""


def name_images(mammograms: Iterable[Mammogram]) -> dict[str, ImageNames]:
    """Return the names of each image, by SOP Instance UID.

    A view that comes again is numbered in the order given.
    """
    labels: Counter[str] = Counter()
    names: Counter[str] = Counter()
    by_uid: dict[str, ImageNames] = {}
    for mammogram in mammograms:
        label, name = mammogram.label.replace("?", "X"), _describe_view(mammogram)
        labels[label] += 1
        names[name] += 1
        by_uid[mammogram.sop_instance_uid] = ImageNames(
            label if labels[label] == 1 else f"{label}{labels[label]}",
            name if names[name] == 1 else f"{name} ({names[name]})",
        )
    return by_uid


def _describe_view(mammogram: Mammogram) -> str:
    modifiers = (m.code.meaning.lower() for m in ViewModifier if m in mammogram.view_modifiers)
    return ", ".join((format_label(mammogram.label), *modifiers))


def format_label(label: str) -> str:
    """Return a label such as ``LMLO`` as people write it.

    >>> format_label("LMLO"), format_label("")
    ('L MLO', 'image')
    """
    return f"{label[0]} {label[1:]}".strip() if label else "image"
