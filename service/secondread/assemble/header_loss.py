"""Whether an image has lost information, as its header and its history tell."""

import re

from pydicom.dataset import Dataset

from secondread.accept.sop_classes import TRANSFER_SYNTAXES, PixelCoding
from secondread.assemble import header_attributes
from secondread.assemble.header_values import (
    read_items,
    read_numbers,
    read_text,
    read_texts,
    read_transfer_syntax,
)

_ALWAYS_LOSSY = {str(row.uid) for row in TRANSFER_SYNTAXES if row.coding is PixelCoding.LOSSY}
_LOSSY_COMPRESSION = "113040"
"""DCM, CID 7203 Image derivation: lossy compression."""
_WORD = re.compile(r"\blossy\b", re.IGNORECASE)
_DENIAL = re.compile(r"\b(no|non|not|without|never)\b[\W_]*(\w+[\W_]+)?lossy\b", re.IGNORECASE)


def has_lost_information(ds: Dataset) -> bool:
    """Return whether an image was ever compressed with loss, for all that its header tells.

    Loss stays lost (PS3.3 C.7.6.1.1.5): that an image is kept without loss now, or that another
    attribute denies it, does not bring information back. What the pixel data themselves tell is
    `detect.codestream`'s.
    """
    if read_transfer_syntax(ds) in _ALWAYS_LOSSY:
        return True
    return any(header_attributes.LOSS.find_all(ds, _read_loss).values())


def _read_loss(ds: Dataset, source: str) -> bool | None:
    if source == "LossyImageCompression":
        return read_text(ds, source).upper().lstrip("0") in {"1", "Y", "YES"}
    if source == "LossyImageCompressionRatio":
        return any(ratio is not None and ratio > 1 for ratio in read_numbers(ds, source))
    if source == "LossyImageCompressionMethod":
        return bool(read_texts(ds, source)) and not _is_denied(ds)
    if source == "DerivationCodeSequence":
        codes = (read_text(item, "CodeValue") for item in read_items(ds, source))
        return _LOSSY_COMPRESSION in codes
    text = " ".join(read_texts(ds, source))
    return bool(_WORD.search(text)) and not _DENIAL.search(text)


def _is_denied(ds: Dataset) -> bool:
    # Encoders write the method of a reversible compression too, beside a plain "00".
    return read_text(ds, "LossyImageCompression") in {"0", "00"}
