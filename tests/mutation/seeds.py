"""What mutations begin with: small valid objects of each kind that the node meets."""

from dataclasses import dataclass
from functools import cache

import imagecodecs
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tests.mutation.elements import Element, Item, encode_fragments, parse
from tests.unit.accept.fakes import document
from tests.unit.report.readings import make_header
from tests.worlds.builders import coded
from tests.worlds.faulty_reports import build_valid
from tests.worlds.foreign_cad import CENTER, MASS, ODD, OUTLINE, foreign, mark, shape
from tests.worlds.watch_world import report

ROWS, COLUMNS, SPACING_MM = 160, 120, 0.5
"""Of the images: a breast of 70 cm2 in as few pixels as the gates let pass."""


@dataclass(frozen=True, slots=True)
class Seed:
    """A valid object."""

    name: str
    sop_class_uid: str
    data_set: Item
    transfer_syntax: str = str(ExplicitVRLittleEndian)


def _draw_breast(*, has_specks: bool = False) -> npt.NDArray[np.uint16]:
    """Return a half disc with a grain at the left border, 12 bits; perhaps with specks in it."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    depth = 1 - np.hypot((rows - ROWS / 2) / 70, columns / 100)
    grain = np.random.default_rng(7).normal(0, 25, depth.shape)
    bright = np.where(depth > 0, 900 + 1500 * np.sqrt(np.clip(depth, 0, 1)) + grain, 30 + grain / 9)
    for row, column in ((70, 40), (72, 44), (76, 41), (74, 47)) if has_specks else ():
        bright[row : row + 2, column : column + 2] += 900
    return np.asarray(np.clip(bright, 0, 4095), np.uint16)


def make_image(label: str = "LCC", **attributes: object) -> Dataset:
    """Return a small mammogram."""
    values: dict[str, object] = {
        "Rows": ROWS,
        "Columns": COLUMNS,
        "ImagerPixelSpacing": [SPACING_MM, SPACING_MM],
        "SamplesPerPixel": 1,
        "PixelRepresentation": 0,
        "WindowCenter": 1800,
        "WindowWidth": 2400,
        "RescaleSlope": 1,
        "RescaleIntercept": 0,
        "RescaleType": "US",
        "PixelIntensityRelationship": "LOG",
        "PixelIntensityRelationshipSign": 1,
        "PixelPaddingValue": 0,
        "LossyImageCompression": "00",
        "BurnedInAnnotation": "NO",
        "PresentationLUTShape": "IDENTITY",
        "Manufacturer": "Acme",
    }
    ds = make_header(label, **(values | attributes))
    pixels = _draw_breast(has_specks=label == "RMLO")
    ds.PixelData = (pixels if label.startswith("L") else pixels[:, ::-1]).tobytes()
    ds["PixelData"].VR = "OW"
    return ds


def _make_image_of_tables() -> Dataset:
    """Return an image with look-up tables, an overlay and padding: much that may be wrong."""
    lut = Dataset()
    lut.LUTDescriptor, lut.ModalityLUTType = [4096, 0, 12], "US"
    lut.LUTData = np.arange(4096, dtype=np.uint16).tobytes()
    lut["LUTDescriptor"].VR, lut["LUTData"].VR = "US", "OW"
    window = Dataset()
    window.LUTDescriptor, window.LUTExplanation = [256, 0, 8], "usual"
    window.LUTData = np.arange(256, dtype=np.uint16).tobytes()
    window["LUTDescriptor"].VR, window["LUTData"].VR = "US", "OW"
    ds = make_image(
        "RMLO",
        PixelPaddingRangeLimit=10,
        ModalityLUTSequence=[lut],
        VOILUTSequence=[window],
        VOILUTFunction="SIGMOID",
        ImageType=["DERIVED", "PRIMARY", "", "POST_CONTRAST"],
        ReasonForTheRequestedProcedure="breast conserving therapy 2021, left",
        AnatomicRegionSequence=[coded("76752008", "SCT", "Breast")],
    )
    del ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType
    ds.add_new(0x60000010, "US", ROWS)
    ds.add_new(0x60000011, "US", COLUMNS)
    ds.add_new(0x60000040, "CS", "G")
    ds.add_new(0x60000050, "SS", [1, 1])
    ds.add_new(0x60000100, "US", 1)
    ds.add_new(0x60000102, "US", 0)
    ds.add_new(0x60003000, "OW", bytes(ROWS * COLUMNS // 8))
    return ds


def _encode(ds: Dataset) -> Item:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    body = Dataset(ds)
    body.is_undefined_length_sequence_item = False
    write_dataset(buffer, body)
    return parse(buffer.getvalue())


def _make_seed(name: str, ds: Dataset) -> Seed:
    # What other makers leave out, and the receiver asks for.
    for keyword, value in (("SeriesInstanceUID", "1.2.3.4"), ("PatientID", "P1")):
        if keyword not in ds:
            setattr(ds, keyword, value)
    return Seed(name, str(ds.SOPClassUID), _encode(ds))


def _compress(seed: Seed, syntax: str, code: bytes | bytearray) -> Seed:
    """Return an image with its pixels as one fragment behind an empty offset table."""
    rest = [element for element in seed.data_set if element.tag != (0x7FE0, 0x0010)]
    fragments = encode_fragments([b"", bytes(code) + b"\0" * (len(code) % 2)])
    rest.append(Element((0x7FE0, 0x0010), b"OB", fragments, 0xFFFFFFFF))
    return Seed(f"{seed.name} {syntax.rsplit('.', 1)[1]}", seed.sop_class_uid, rest, syntax)


@cache
def list_images() -> tuple[Seed, ...]:
    """Return mammograms in several encodings."""
    plain = _make_seed("image", make_image())
    pixels = _draw_breast()
    processing = make_image("LMLO", PresentationIntentType="FOR PROCESSING")
    processing.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2.1"
    rle = make_image()
    rle.compress(RLELossless, pixels, generate_instance_uid=False)
    rle_code = b"".join(pydicom.encaps.generate_frames(rle.PixelData, number_of_frames=1))
    return (
        plain,
        _make_seed("image with tables", _make_image_of_tables()),
        _make_seed("image for processing", processing),
        _compress(plain, str(JPEGLosslessSV1), imagecodecs.ljpeg_encode(pixels, bitspersample=12)),
        _compress(plain, str(JPEGLSLossless), imagecodecs.jpegls_encode(pixels)),
        _compress(
            plain,
            str(JPEG2000Lossless),
            imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", reversible=True),
        ),
        _compress(plain, str(RLELossless), rle_code),
    )


@cache
def list_reports() -> tuple[Seed, ...]:
    """Return CAD SRs, our own and other makers', and other structured reports."""
    ring = shape(OUTLINE, "CIRCLE", 30.0, 40.0, 35.0, 40.0)
    oval = shape(OUTLINE, "ELLIPSE", 20.0, 40.0, 40.0, 40.0, 30.0, 35.0, 30.0, 45.0)
    spot = shape(CENTER, "POINT", 30.0, 40.0)
    other = foreign(mark(MASS, spot, ring), mark(ODD, spot, oval), mark(ODD, spot))
    return (
        *(
            _make_seed(f"CAD SR {name}", build_valid(name))
            for name in ("mixed", "followed", "described")
        ),
        _make_seed("CAD SR of another maker", other),
        _make_seed("report with every kind of item", report()),
    )


@cache
def list_others() -> tuple[Seed, ...]:
    """Return what else modalities and archives send: notes, captures, presentation states."""
    note = document(
        1, "1.2.840.10008.5.1.4.1.1.88.59", ("113001", "DCM", "Rejected for Quality Reasons")
    )
    capture = document(2, "1.2.840.10008.5.1.4.1.1.7")
    state = document(3, "1.2.840.10008.5.1.4.1.1.11.1")
    tomo = make_image("LCC", NumberOfFrames=2)
    tomo.SOPClassUID = "1.2.840.10008.5.1.4.1.1.13.1.3"
    return tuple(
        _make_seed(name, ds)
        for name, ds in (
            ("rejection note", note),
            ("capture", capture),
            ("presentation state", state),
            ("tomosynthesis", tomo),
        )
    )
