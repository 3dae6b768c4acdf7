"""Simulated images for the tests of this stage: shapes with known truth, and their data sets."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from tests.worlds.builders import header

Stored = npt.NDArray[np.uint16]


def breast_image(
    rows: int = 1000, columns: int = 800, *, side: str = "left", seed: int = 0, label: bool = True
) -> Stored:
    """A half ellipse of tissue (mean 1000, noise 20) on air 0, with a burned-in bright label."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[0:rows, 0:columns]
    inside = ((row - rows / 2) / (0.45 * rows)) ** 2 + (column / (0.7 * columns)) ** 2 < 1
    tissue = cv2.GaussianBlur(rng.normal(0, 1, (rows, columns)), (0, 0), 12) * 1500 + 1000
    image = np.where(inside, tissue + rng.normal(0, 20, (rows, columns)), 0.0)
    if label:
        image[40:70, columns - 120 : columns - 40] = 4095
    if side == "right":
        image = image[:, ::-1]
    return np.clip(np.rint(image), 0, 4095).astype(np.uint16)


def with_dots(
    image: Stored, centers: list[tuple[int, int]], height: float = 300, sigma: float = 1.8
) -> Stored:
    """Add Gaussian dots, (row, column) centres; sigma 1.8 pixels is 0.3 mm across at 70 um."""
    out = image.astype(np.float64)
    row, column = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    for r, c in centers:
        near = np.s_[max(r - 12, 0) : r + 13, max(c - 12, 0) : c + 13]
        distance = (row[near] - r) ** 2 + (column[near] - c) ** 2
        out[near] += height * np.exp(-distance / (2 * sigma**2))
    return np.clip(np.rint(out), 0, 4095).astype(np.uint16)


def dataset(stored: npt.NDArray[np.integer], **attributes: object) -> Dataset:
    """A For Presentation image of these stored values, uncompressed."""
    rows, columns = stored.shape
    bits = 8 * stored.dtype.itemsize
    ds = header(
        Rows=rows,
        Columns=columns,
        BitsAllocated=bits,
        SamplesPerPixel=1,
        PixelRepresentation=int(np.issubdtype(stored.dtype, np.signedinteger)),
        **({"BitsStored": 8, "HighBit": 7} if bits == 8 else {}),
    )
    ds.PixelData = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
    ds["PixelData"].VR = "OB" if bits == 8 else "OW"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def file(path: Path, ds: Dataset) -> Path:
    """Write a data set as a Part 10 file."""
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.save_as(path, enforce_file_format=True)
    return path
