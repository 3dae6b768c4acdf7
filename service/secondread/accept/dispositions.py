"""What may become of a received instance: values alone, which need no library for headers."""

from collections.abc import Mapping
from enum import StrEnum


class Disposition(StrEnum):
    """What becomes of an instance."""

    MAMMOGRAM = "mammogram"
    """A 2-D mammogram: stored, and considered for reading."""
    OUT_OF_SCOPE = "out-of-scope"
    """A breast image of a kind that is not read: stored, so that the study is known completely."""
    REJECTION_NOTE = "rejection-note"
    """A Key Object Selection that rejects instances: stored, and used."""
    OTHER_CAD_SR = "other-cad-sr"
    """A Mammography CAD SR of another maker: stored beside a prior."""
    OWN = "own"
    """An object of this node that came back: answered Success, counted and dropped."""
    NOT_ANALYSED = "not-analysed"
    """Of a class that comes beside mammograms, and of use for nothing here: stored, so that its
    sender does not stop in the middle of a study, shown, and removed after a time."""
    REFUSED = "refused"
    """Answered 0122H, counted, not stored."""


IMAGE_DISPOSITIONS = (Disposition.MAMMOGRAM, Disposition.OUT_OF_SCOPE)
"""What a study is read from, or named in its report as left out."""

RETENTION_EXPIRED = "113039"
"""The archive deletes the instances, although nothing is wrong with them."""

REJECTION_TITLES: Mapping[str, str] = {
    "113001": "Rejected for Quality Reasons",
    "113037": "Rejected for Patient Safety Reasons",
    "113038": "Incorrect Modality Worklist Entry",
    RETENTION_EXPIRED: "Data Retention Policy Expired",
}
"""Document titles (DCM, CID 7010) of rejection notes, as IHE's Imaging Object Change Management
uses them."""
