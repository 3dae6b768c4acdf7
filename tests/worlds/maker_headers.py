"""The header of a plain mammogram as the units of several makers write it.

`service/docs/makers/` says which value comes from which public evidence, and what is not known;
what the evidence does not give is left as the simulated image has it, and the texts of private
elements are invented. The names of makers are in the tests alone: what `secondread simulate`
writes carries invented ones.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalMammographyXRayImageStorageForProcessing,
)

from secondread.codes import Code, Laterality, View
from tests.worlds.builders import coded

Stored = npt.NDArray[np.uint16]
HIGHEST = 1023
"""Of the picture that `store` takes: ten bits, air 0."""
_PADDING = ("PixelPaddingValue", "PixelPaddingRangeLimit")
_RAW = {
    "SOPClassUID": DigitalMammographyXRayImageStorageForProcessing,
    "PresentationIntentType": "FOR PROCESSING",
}


@dataclass(frozen=True, slots=True)
class MakerHeader:
    """How one product describes a plain view."""

    product: str
    manufacturer: str
    model: str
    image_type: tuple[str, ...]
    spacing_mm: float
    bits: int = 12
    photometric: str = "MONOCHROME2"
    scheme: str = "SRT"
    """Of the view's code; empty where the image has no code."""
    position: str = "{view}"
    """View Position (0018,5101), with ``{side}`` and ``{view}`` to be filled in."""
    padding_range: tuple[int, int] | None = None
    """Pixel Padding Value and Pixel Padding Range Limit: stored values of air."""
    private: tuple[int, str, Mapping[int, tuple[str, object]]] | None = None
    """Group, creator, and VR and value by element; text may hold ``{side}`` and ``{view}``."""
    attributes: Mapping[str, object] = field(default_factory=dict)

    @property
    def maker(self) -> str:
        """The name of the maker's page."""
        return self.product.split("-", maxsplit=1)[0]

    @property
    def is_raw(self) -> bool:
        """Whether the image is For Processing."""
        return self.attributes.get("PresentationIntentType") == "FOR PROCESSING"


def _make_ge_luts() -> Sequence:
    items = []
    for name, center in (("NORMAL", 3703), ("HARDER", 3745), ("SOFTER", 3631)):
        item = Dataset()
        item.LUTDescriptor, item.LUTExplanation = [3954, 142, 12], name
        item["LUTDescriptor"].VR = "US"
        values = 4095 / (1 + np.exp(-4 * (np.arange(142, 142 + 3954) - center) / 900))
        item.LUTData = [int(value) for value in values]
        item["LUTData"].VR = "US"
        items.append(item)
    return Sequence(items)


_GE_DISPLAY: dict[str, object] = {
    "WindowCenter": [3703, 3745, 3631, 3907],
    "WindowWidth": [900, 750, 1050, 1671],
    "WindowCenterWidthExplanation": ["NORMAL", "HARDER", "SOFTER", "USER"],
    "VOILUTFunction": "SIGMOID",
}

HEADERS: tuple[MakerHeader, ...] = (
    MakerHeader(
        "ge-senographe-essential",
        "GE MEDICAL SYSTEMS",
        "Senographe Essential VERSION ADS_54.10",
        ("ORIGINAL", "PRIMARY", ""),
        spacing_mm=0.09409090909091,
        scheme="SNM3",
        padding_range=(0, 658),
        private=(0x0045, "GEMS_SENO_02", {0x09: ("DS", "1.0"), 0x1B: ("LO", "{side}{view}")}),
        attributes={
            "ConversionType": "WSD",
            "ProtocolName": "ROUTINE",
            "AcquisitionDeviceProcessingDescription": "PREMIUM_VIEW",
            "AcquisitionDeviceProcessingCode": "GEMS_FFDM_PV",
            "DetectorElementSpacing": [0.1, 0.1],
            "EstimatedRadiographicMagnificationFactor": 1,
            "FieldOfViewHorizontalFlip": "NO",
            "PixelIntensityRelationship": "LOG",
            "PixelIntensityRelationshipSign": -1,
            "VOILUTSequence": _make_ge_luts(),
            **_GE_DISPLAY,
        },
    ),
    MakerHeader(
        "ge-senographe-essential-raw",
        "GE MEDICAL SYSTEMS",
        "Senographe Essential VERSION ADS_54.10",
        ("ORIGINAL", "PRIMARY", ""),
        spacing_mm=0.09409090909091,
        bits=14,
        scheme="SNM3",
        attributes={
            **_RAW,
            "PixelIntensityRelationship": "LIN",
            "PixelIntensityRelationshipSign": 1,
            "PresentationLUTShape": "IDENTITY",
        },
    ),
    MakerHeader(
        "hologic-dimensions",
        "HOLOGIC, Inc.",
        "Selenia Dimensions",
        ("DERIVED", "PRIMARY"),
        spacing_mm=0.07,
        private=(0x0019, "HOLOGIC, Inc.", {0x06: ("LO", "5"), 0x26: ("LO", "LARGE")}),
    ),
    MakerHeader(
        "hologic-dimensions-raw",
        "HOLOGIC, Inc.",
        "Selenia Dimensions",
        ("ORIGINAL", "PRIMARY"),
        spacing_mm=0.07,
        bits=14,
        photometric="MONOCHROME1",
        attributes={
            **_RAW,
            "PixelIntensityRelationship": "LIN",
            "PixelIntensityRelationshipSign": 1,
            "PresentationLUTShape": "INVERSE",
        },
    ),
    MakerHeader(
        "hologic-lorad-selenia",
        "Lorad, A Hologic Company",
        "Lorad Selenia",
        ("DERIVED", "PRIMARY"),
        spacing_mm=0.07,
        private=(0x0019, "LORAD Selenia", {0x06: ("LO", "5"), 0x07: ("SH", "CENTER")}),
    ),
    MakerHeader(
        "siemens-inspiration",
        "SIEMENS",
        "Mammomat Inspiration",
        ("DERIVED", "PRIMARY", "", "{SIDE}"),
        spacing_mm=0.085,
        private=(0x0055, "SIEMENS MED SP DXMG WH AWS 1", {0x01: ("LO", "{side}-{view}")}),
    ),
    MakerHeader(
        "siemens-revelation",
        "SIEMENS",
        "MAMMOMAT Revelation",
        ("ORIGINAL", "PRIMARY", "", "{SIDE}"),
        spacing_mm=0.085,
        bits=14,
        photometric="MONOCHROME1",
    ),
    MakerHeader(
        "fujifilm-innovality",
        "FUJIFILM Corporation",
        "FDR-3000AWS",
        ("ORIGINAL", "PRIMARY", "", "", "", "", "", "", "150000"),
        spacing_mm=0.05,
        photometric="MONOCHROME1",
        attributes={"PresentationLUTShape": "INVERSE"},
    ),
    MakerHeader(
        "fujifilm-innovality-post-processed",
        "FUJIFILM Corporation",
        "FDR-3000AWS",
        ("ORIGINAL", "PRIMARY", "POST_PROCESSED", "", "", "", "", "", "50000"),
        spacing_mm=0.05,
        bits=14,
        photometric="MONOCHROME1",
        attributes={"PresentationLUTShape": "INVERSE"},
    ),
    MakerHeader(
        "fujifilm-computed-radiography",
        "FUJIFILM Corporation",
        "Clearview CSm",
        ("ORIGINAL", "PRIMARY"),
        spacing_mm=0.05,
        bits=10,
        photometric="MONOCHROME1",
        private=(0x0019, "FDMS 1.0", {0x32: ("LO", "MAMMO {view}")}),
        attributes={"PresentationLUTShape": "INVERSE"},
    ),
    MakerHeader(
        "philips-microdose",
        "Philips Digital Mammography Sweden AB",
        "MicroDose SI",
        ("DERIVED", "PRIMARY"),
        spacing_mm=0.05,
        photometric="MONOCHROME1",
        scheme="",
        position="{side}{view}",
        attributes={"PresentationLUTShape": "INVERSE"},
    ),
    MakerHeader(
        "planmed-nuance",
        "Planmed",
        "Planmed Nuance",
        ("DERIVED", "PRIMARY"),
        spacing_mm=0.085,
        bits=14,
        photometric="MONOCHROME1",
        attributes={"PresentationLUTShape": "INVERSE"},
    ),
    MakerHeader(
        "ims-giotto-class",
        "IMS GIOTTO S.p.A.",
        "Giotto Class",
        ("ORIGINAL", "PRIMARY"),
        spacing_mm=0.085,
        bits=13,
        private=(0x1271, "IMS s.r.l. Mammography Private Code", {0x10: ("IS", "0")}),
    ),
    MakerHeader(
        "ims-giotto-image",
        "IMS s.r.l.",
        "Giotto Image 3DL",
        ("ORIGINAL", "PRIMARY"),
        spacing_mm=0.083,
        bits=16,
        scheme="SCT",
    ),
)
"""By product; each is the header of a plain cranio-caudal or oblique view."""


def dress(plain: Dataset, header: MakerHeader, side: Laterality, view: View) -> Dataset:
    """Return a copy of a simulated image's header in the words of a product.

    Patient, study, UIDs and pixels stay; the pixels of `store` belong to it.
    """
    ds = deepcopy(plain)
    for keyword in ("ViewCodeSequence", "PresentationLUTShape"):
        ds.pop(keyword, None)
    names = {"side": side.letter, "view": view.name, "SIDE": side.name}
    ds.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.Manufacturer, ds.ManufacturerModelName = header.manufacturer, header.model
    ds.ImageType = [value.format(**names) for value in header.image_type]
    ds.ImageLaterality = side.letter
    ds.ViewPosition = header.position.format(**names)
    if header.scheme:
        ds.ViewCodeSequence = Sequence([_make_view_item(view.code, header.scheme)])
    ds.ImagerPixelSpacing = [header.spacing_mm, header.spacing_mm]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, header.bits, header.bits - 1
    ds.PhotometricInterpretation = header.photometric
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "US"
    ds.BreastImplantPresent, ds.LossyImageCompression = "NO", "00"
    if header.padding_range is not None:
        for keyword, limit in zip(_PADDING, header.padding_range, strict=True):
            ds.add_new(keyword, "US", limit)
    for keyword, value in header.attributes.items():
        setattr(ds, keyword, value)
    _add_private(ds, header, names)
    if getattr(ds, "file_meta", None) is not None:
        ds.file_meta.MediaStorageSOPClassUID = UID(ds.SOPClassUID)
    return ds


def _make_view_item(code: Code, scheme: str) -> Dataset:
    value = code.value if scheme == "SCT" else code.to_srt().value
    item = coded(value, scheme, code.meaning)
    item.ViewModifierCodeSequence = Sequence([])
    return item


def _add_private(ds: Dataset, header: MakerHeader, names: Mapping[str, str]) -> None:
    if header.private is None:
        return
    group, creator, elements = header.private
    block = ds.private_block(group, creator, create=True)
    for element, (vr, value) in elements.items():
        filled: Any = value.format(**names) if isinstance(value, str) else value
        block.add_new(element, vr, filled)


def store(picture: Stored, header: MakerHeader) -> Stored:
    """Return the stored values of a product for a picture of ten bits, bright tissue on air 0.

    Only bits, polarity and what stands for air differ: the brightness is a straight line of the
    picture's, in a raw image (a logarithm) but for rounding.
    """
    top = 2**header.bits - 1
    if header.is_raw:
        exposure = np.exp(-picture.astype(np.float64) / HIGHEST * 4.0) * top
        return np.asarray(np.rint(exposure), np.uint16)
    first = 0 if header.padding_range is None else header.padding_range[1] + 1
    values = first + picture.astype(np.int64) * ((top - first) // HIGHEST)
    if header.padding_range is not None:
        noise = np.random.default_rng(3).integers(0, first, picture.shape)
        values = np.where(picture == 0, noise, values)
    if header.photometric == "MONOCHROME1":
        values = top - values
    return np.asarray(values, np.uint16)
