"""The data set of a secondary capture around its picture (PS3.3 A.8.1)."""

from collections.abc import Iterable
from copy import deepcopy

from PIL import Image
from pydicom.dataset import Dataset

from secondread.detect.gates import Gate
from secondread.findings.finding import ImageReading
from secondread.report import concepts
from secondread.report.result import Authorship
from secondread.report.sr import tree
from secondread.report.sr.header import build_header, to_local_time
from secondread.report.sr.wording import DISCLAIMER, LIMITS, join_statements, to_ascii
from secondread.settings import ObjectKind


def describe_replaced(authorship: Authorship, source: Dataset) -> tuple[str, ...]:
    """Return which report this one replaces, in words; empty if it replaces none."""
    occasion = authorship.occasion
    if occasion.predecessor_at is not None:
        earlier = to_local_time(occasion.predecessor_at, source)
        return (f"replaces the report of {earlier:%Y-%m-%d %H:%M}",)
    return () if occasion.predecessor is None else ("replaces an earlier report",)


def build_image_comments(comment: str, authorship: Authorship, source: Dataset) -> str:
    """Return Image Comments: that it is no diagnosis, something else, and what it replaces."""
    replaced = (f"This {text}" for text in describe_replaced(authorship, source))
    return to_ascii(join_statements(DISCLAIMER, comment, *replaced))


def build_secondary_capture(
    source: Dataset, authorship: Authorship, about: str, number: int
) -> Dataset:
    """Return everything but the pixels and what they show.

    Parameters
    ----------
    source
        Header of an image of the study.
    authorship
        Who writes, when, for which destination.
    about
        What the capture is of, for its UID: an image's UID, or a word.
    number
        Instance Number.
    """
    ds = build_header(source, authorship, ObjectKind.CAPTURE, about)
    ds.Modality = authorship.profile.capture_modality
    ds.InstanceNumber = number
    ds.ConversionType = "WSD"
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.PatientOrientation = None
    node = authorship.node
    ds.SecondaryCaptureDeviceManufacturer = to_ascii(node.manufacturer, 64)
    ds.SecondaryCaptureDeviceManufacturerModelName = to_ascii(node.model_name, 64)
    ds.SecondaryCaptureDeviceSoftwareVersions = to_ascii(node.version, 64)
    ds.DateOfSecondaryCapture = ds.ContentDate
    ds.TimeOfSecondaryCapture = ds.ContentTime
    ds.ImageComments = build_image_comments(LIMITS, authorship, source)
    ds.BurnedInAnnotation = "NO"
    ds.RecognizableVisualFeatures = "NO"
    return ds


def add_source(ds: Dataset, image: ImageReading, source: Dataset) -> None:
    """Record which image a capture shows; its pictures keep the orientation, not the scale."""
    mammogram = image.mammogram
    if mammogram.orientation is not None:
        ds.PatientOrientation = list(mammogram.orientation)
    add_laterality(ds, collect_sides([image]))
    if mammogram.view is not None:
        ds.ViewCodeSequence = [tree.encode_code(mammogram.view.code)]
    ds.DerivationDescription = (
        "Page with the downsampled view, enlarged parts of it, and the outlines and numbers of "
        "computer-detected calcifications"
    )
    ds.SourceImageSequence = [encode_source_image(image)]
    # The gate has also asked the pixel data, and may have been overridden.
    is_lossy = mammogram.is_lossy or image.gates.get(Gate.LOSSY.value) == "yes"
    ds.LossyImageCompression = "01" if is_lossy else "00"
    for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if is_lossy and source.get(keyword):
            ds[keyword] = deepcopy(source[keyword])


def encode_source_image(image: ImageReading) -> Dataset:
    """Return an image's item of the Source Image Sequence."""
    mammogram = image.mammogram
    item = tree.encode_reference(mammogram.sop_class_uid, mammogram.sop_instance_uid)
    item.PurposeOfReferenceCodeSequence = [tree.encode_code(concepts.SOURCE_IMAGE)]
    item.SpatialLocationsPreserved = "NO"
    return item


def collect_sides(images: Iterable[ImageReading]) -> set[str]:
    """Return the sides of images, as letters of Image Laterality."""
    return {i.mammogram.laterality.letter for i in images if i.mammogram.laterality}


def add_laterality(ds: Dataset, letters: set[str]) -> None:
    """Record which side a capture shows: both where it is of several, empty if unknown."""
    sides = letters & {"L", "R", "B"}
    if sides:
        ds.ImageLaterality = sides.pop() if len(sides) == 1 else "B"
    else:
        # Type 2C: required where Image Laterality is absent, and unknown.
        ds.Laterality = None


def add_pixels(ds: Dataset, page: Image.Image) -> None:
    """Put a page into a capture, RGB and uncompressed."""
    ds.SamplesPerPixel = 3
    ds.PhotometricInterpretation = "RGB"
    ds.PlanarConfiguration = 0
    ds.Rows, ds.Columns = page.height, page.width
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit = 7
    ds.PixelRepresentation = 0
    ds.PixelData = page.tobytes()
