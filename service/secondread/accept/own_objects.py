"""Whether an object with a UID of this node is the one in the outbox.

A PACS forwards what it got, the node's own results included. They are dropped only where they are
what the outbox holds: the same bytes or, from a peer that encodes them anew, the same attributes
with the same values.
"""

import hashlib
import threading
from pathlib import Path

from pydicom.dataset import Dataset

from secondread.accept.archive import Archive
from secondread.accept.instance_file import hash_data_set
from secondread.accept.ledger import OutboxFile
from secondread.dicom_files import PIXEL_DATA, read_document, read_image
from secondread.errors import InputError

_one_at_a_time = threading.Lock()
"""Two pictures are in memory while they are compared."""


def is_same_object(received: Path, sha256: str, own: OutboxFile, archive: Archive) -> bool:
    """Whether a received file holds what a file of the outbox does.

    Parameters
    ----------
    received, sha256
        The received file, and the digest of its data set.
    own, archive
        What this node wrote, and where it is. A file that is gone, or has another digest than was
        recorded, is like nothing.
    """
    try:
        stored = archive.resolve_path(own.path)
        with stored.open("rb") as file:
            is_intact = hashlib.file_digest(file, "sha256").hexdigest() == own.sha256
        if not is_intact:
            return False
        return hash_data_set(stored) == sha256 or _have_equal_content(received, stored)
    except (InputError, OSError):
        return False


def _have_equal_content(received: Path, stored: Path) -> bool:
    if not have_equal_attributes(read_document(received), read_document(stored)):
        return False
    with _one_at_a_time:
        return _read_pixels(received) == _read_pixels(stored)


def _read_pixels(path: Path) -> object:
    image = read_image(path)
    return image[PIXEL_DATA].value if PIXEL_DATA in image else None


def have_equal_attributes(ours: Dataset, other: Dataset) -> bool:
    """Whether two data sets have the same standard attributes with the same values.

    How they are encoded makes no difference: not the VR, which Implicit VR does not name, nor the
    lengths of groups, sequences and items.
    """
    # Group lengths (gggg,0000) are the encoding's.
    tags, other_tags = ([tag for tag in sorted(ds.keys()) if tag.element] for ds in (ours, other))
    return tags == other_tags and all(_have_equal_values(ours, other, tag) for tag in tags)


def _have_equal_values(ours: Dataset, other: Dataset, tag: int) -> bool:
    element, other_element = ours[tag], other[tag]
    if "SQ" not in {element.VR, other_element.VR}:
        return bool((element.value or "") == (other_element.value or ""))
    if element.VR != other_element.VR or len(element.value) != len(other_element.value):
        return False
    return all(map(have_equal_attributes, element.value, other_element.value))
