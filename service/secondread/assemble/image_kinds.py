"""What is no plain mammogram, by the terms of DICOM and by every name that makers give it.

Units, archives and converters store all of these as single-frame images of the mammography
classes. The terms of Image Type are those of PS3.3 C.8.11.7.1.4 and what came before them; names
are found in descriptions of the series and of the image's processing, never in those of the whole
study, which is also that of its plain images.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache

from pydicom.dataset import Dataset
from pydicom.uid import (
    BreastProjectionXRayImageStorageForPresentation,
    BreastProjectionXRayImageStorageForProcessing,
    BreastTomosynthesisImageStorage,
)

from secondread.assemble import header_attributes
from secondread.assemble.header_values import read_items, read_number, read_text, read_texts
from secondread.assemble.pixel_layout import is_colour
from secondread.codes import ViewModifier


class ImageKind(StrEnum):
    """What an image of a mammography class is."""

    PLAIN = "plain mammogram"
    SYNTHESIZED = "2-D image computed from tomosynthesis"
    TOMOSYNTHESIS = "slice, slab or projection of tomosynthesis"
    CONTRAST = "contrast mammography: low or high energy, subtracted, recombined"
    BIOPSY = "stereotactic image of a biopsy"
    SPECIMEN = "specimen"
    SCREEN_CAPTURE = "screen capture, or another image in colour"


@dataclass(frozen=True, slots=True)
class NamesRow:
    """By which words something is known; ``*`` stands for any ending, or beginning, of a word."""

    image_types: tuple[str, ...]
    """Values of Image Type (0008,0008), where the names are looked for as well."""
    names: tuple[str, ...]
    """Words of descriptions; what is between the parts of a name does not matter."""
    unless: tuple[str, ...] = ()
    """Words beside which the names mean something else."""


KIND_NAMES: dict[ImageKind, NamesRow] = {
    ImageKind.SYNTHESIZED: NamesRow(
        ("GENERATED_2D", "TOMO_2D", "SYNTH*", "C-VIEW", "S-VIEW"),
        ("C-View", "S-View", "V-Preview", "G-View", "SynView", "Synth*", "Intelligent 2D", "I2D",
         "Insight 2D", "Generated 2D", "Tomo 2D", "Simulated 2D", "S2D"),
    ),
    ImageKind.TOMOSYNTHESIS: NamesRow(
        ("TOMO", "TOMO_*", "TOMOSYNTHESIS", "DBT", "VOLUME", "SLICE", "SLAB"),
        ("Tomo*", "DBT", "3D Slice*", "SmartSlice*", "3DQuorum", "Clarity HD", "Slab*",
         "Projections"),
        # What a combined exam is called, the plain images of which are described alike.
        ("Combo*", "2D and Tomo*", "2D Tomo*", "2D with Tomo*", "without Tomo*"),
    ),
    ImageKind.CONTRAST: NamesRow(
        ("PRE_CONTRAST", "POST_CONTRAST", "CONTRAST*", "LOW_ENERGY", "HIGH_ENERGY", "DUAL_ENERGY",
         "SUBTRACT*", "ADDITION", "RECOMBINED", "CEDM", "CESM", "CEM"),
        ("CEDM", "CESM", "CEM", "CE2D", "Contrast Enhanced", "Contrast Mammo*", "Post Contrast",
         "Pre Contrast", "SenoBright*", "I-View", "TiCEM", "Recombin*", "Subtract*", "Low Energy",
         "High Energy", "Dual Energy", "Iodin*"),
        ("without Contrast", "no Contrast"),
    ),
    ImageKind.SPECIMEN: NamesRow(
        ("SPECIMEN*",), ("Specimen*", "Präparat*", "Praeparat*", "Pièce opératoire")
    ),
    ImageKind.BIOPSY: NamesRow(
        ("STEREO*", "PREFIRE*", "POSTFIRE*", "BIOPSY*", "SCOUT"),
        ("Stereo*", "Pre Fire", "Post Fire", "Prefire", "Postfire", "Biopsy", "Scout"),
        # Mammograms after a biopsy, which are plain ones.
        ("Post Biopsy", "Post Stereo*", "After *", "Status *", "History *", "Previous *", "Prior *",
         "No Biopsy"),
    ),
    ImageKind.SCREEN_CAPTURE: NamesRow(
        ("SCREEN*", "CAPTURE"),
        ("Screen Capture*", "Screen Save*", "Screen Shot*", "Screenshot*", "Screensave*",
         "Secondary Capture*"),
    ),
}  # fmt: skip
"""In the order in which they are tried: a synthesised image is described as tomosynthesis too."""
MODIFIER_NAMES: dict[ViewModifier, NamesRow] = {
    ViewModifier.MAGNIFICATION: NamesRow(
        ("MAG", "MAGNIF*"),
        ("Mag", "Mags", "Magnif*", "*CCMag", "*MLOMag", "*MLMag", "*LMMag", "Vergr*", "Agrandi*",
         "Ingrandi*", "Ampliaci*"),
        ("no Mag*", "Mag 1.0"),
    ),
    ViewModifier.SPOT: NamesRow(
        ("SPOT*",),
        ("Spot*", "Spt", "*CCSpot", "*MLOSpot", "*MLSpot", "*LMSpot"),
        ("Focal Spot*",),
    ),
}  # fmt: skip
_PADDLE_NAMES: dict[ViewModifier, NamesRow] = {
    ViewModifier.MAGNIFICATION: NamesRow((), ("*Mag*",)),
    ViewModifier.SPOT: NamesRow((), ("*Spot*", "*Spt*")),
}
"""Of paddles, which are named in few letters: ``10CM MAG``, ``SPOT_CONTACT``, ``7.5SPT``."""
_TOMOSYNTHESIS_CLASSES = {
    BreastTomosynthesisImageStorage,
    BreastProjectionXRayImageStorageForPresentation,
    BreastProjectionXRayImageStorageForProcessing,
}
_PROJECTIONS_OF_VOLUMES = {"MAX_IP", "MIN_IP", "VOLUME_RENDER", "SURFACE_RENDER", "MPR"}
_NO_AGENT = {"", "NO", "NONE", "N", "NA", "N/A", "0", "FALSE", "WITHOUT", "UNKNOWN"}
_CAPTURED = {"DV", "DRW"}
"""Conversion Type (0008,0064): digitised video, drawing. Not film (DF), and not workstation (WSD)
alone, which a Senographe Essential writes in its mammograms."""
_CONSOLES_OF_ORIGINALS = {"FDR-3000AWS"}
"""Models whose mammograms are ORIGINAL, and whose synthesised views may have no other mark than
being DERIVED (`medcognetics/dicom-utils`); see `service/docs/makers/fujifilm.md`."""


def read_image_kind(ds: Dataset, sop_class_uid: str) -> ImageKind:
    """Return what an image is, as far as its header tells."""
    named = header_attributes.IMAGE_KIND.find_all(ds, _read_named_kind).values()
    by_name = next((kind for kind in KIND_NAMES if kind in named), None)
    if by_name is ImageKind.SYNTHESIZED:  # also where everything else is that of its source
        return by_name
    if sop_class_uid in _TOMOSYNTHESIS_CLASSES:
        return ImageKind.TOMOSYNTHESIS
    told = (kind for kind, tells in _EVIDENCE if tells(ds))
    return by_name or next(told, ImageKind.PLAIN)


def read_modifier_words(ds: Dataset, source: str) -> frozenset[ViewModifier]:
    """Return the modifiers that the words of an attribute name."""
    rows = _PADDLE_NAMES if source == "PaddleDescription" else MODIFIER_NAMES
    return frozenset(modifier for modifier, row in rows.items() if _is_named(ds, source, row))


def _read_named_kind(ds: Dataset, source: str) -> ImageKind | None:
    return next((kind for kind, row in KIND_NAMES.items() if _is_named(ds, source, row)), None)


def _is_named(ds: Dataset, source: str, row: NamesRow) -> bool:
    texts = read_texts(ds, source)
    names, exceptions = _compile(row.names), _compile(row.unless)
    if any(names.search(text) and not exceptions.search(text) for text in texts):
        return True
    if source != "ImageType":
        return False
    return any(fnmatchcase(text.upper(), term) for text in texts for term in row.image_types)


@cache
def _compile(names: tuple[str, ...]) -> re.Pattern[str]:
    alternatives = "|".join(map(_to_pattern, names)) or "(?!)"
    return re.compile(rf"(?<![^\W_])(?:{alternatives})(?![^\W_])", re.IGNORECASE)


def _to_pattern(name: str) -> str:
    parts = [part for part in re.split(r"[-_ ]", name) if part]
    return r"[\W_]*".join(re.escape(part).replace(r"\*", r"[^\W_]*") for part in parts)


def _is_synthesized(ds: Dataset) -> bool:
    technique = read_text(ds, "VolumeBasedCalculationTechnique").upper()
    return technique in _PROJECTIONS_OF_VOLUMES


def _is_tomosynthesis(ds: Dataset) -> bool:
    # PS3.3 C.8.21: attributes of reconstructed volumes, which are left in single slices of them.
    return (
        read_text(ds, "VolumetricProperties").upper() in {"VOLUME", "MIXED"}
        or read_text(ds, "TomoClass").upper() == "TOMOSYNTHESIS"
        or (read_number(ds, "NumberOfTomosynthesisSourceImages") or 0) > 1
        or bool(read_items(ds, "XRay3DAcquisitionSequence"))
        or bool(read_items(ds, "XRay3DReconstructionSequence"))
    )


def _has_contrast(ds: Dataset) -> bool:
    return (
        read_text(ds, "ContrastBolusAgent").upper() not in _NO_AGENT
        or bool(read_items(ds, "ContrastBolusAgentSequence"))
        or (read_number(ds, "ContrastBolusVolume") or 0) > 0
    )


def _is_specimen(ds: Dataset) -> bool:
    return bool(read_items(ds, "SpecimenDescriptionSequence"))


def _is_screen_capture(ds: Dataset) -> bool:
    if read_text(ds, "ConversionType").upper() in _CAPTURED or is_colour(ds):
        return True
    terms = {text.upper() for text in read_texts(ds, "ImageType")}
    was_at_detector = bool(read_texts(ds, "ImagerPixelSpacing"))
    is_from_workstation = read_text(ds, "ConversionType").upper() == "WSD"
    return is_from_workstation and "SECONDARY" in terms and not was_at_detector


def _is_derived_by_console(ds: Dataset) -> bool:
    terms = {text.upper() for text in read_texts(ds, "ImageType") if not text.isdecimal()}
    model = read_text(ds, "ManufacturerModelName").upper()
    return model in _CONSOLES_OF_ORIGINALS and terms == {"DERIVED", "PRIMARY"}


_EVIDENCE: tuple[tuple[ImageKind, Callable[[Dataset], bool]], ...] = (
    (ImageKind.SYNTHESIZED, _is_synthesized),
    (ImageKind.TOMOSYNTHESIS, _is_tomosynthesis),
    (ImageKind.CONTRAST, _has_contrast),
    (ImageKind.SPECIMEN, _is_specimen),
    (ImageKind.SCREEN_CAPTURE, _is_screen_capture),
    (ImageKind.SYNTHESIZED, _is_derived_by_console),
)
"""Attributes that only one kind has, in the order in which they are tried."""
