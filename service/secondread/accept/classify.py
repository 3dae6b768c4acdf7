"""What becomes of a received instance: decided from its SOP class, its header, and its maker."""

from collections.abc import Mapping
from enum import StrEnum

from pydicom.dataset import Dataset

from secondread.accept.sop_classes import InstanceUse, find_use


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


def may_be_own(sop_class_uid: str) -> bool:
    """Whether this node writes objects of the class, so that one may be its own."""
    return find_use(sop_class_uid) in {InstanceUse.CAD_SR, InstanceUse.NOT_ANALYSED}


def classify(header: Dataset, *, is_own: bool, is_doubtful: bool = False) -> Disposition:
    """Decide what becomes of an instance.

    Parameters
    ----------
    header
        Its attributes; SOP Class UID (0008,0016), for images For Presentation and For Processing
        alike, and Concept Name Code Sequence (0040,A043) for documents.
    is_own
        Whether this node wrote it.
    is_doubtful
        Whether it has the UID of an object that this node wrote, and another content, or could
        not be read to its end. Then it is nobody's report.
    """
    if is_own:
        return Disposition.OWN
    use = find_use(str(header.get("SOPClassUID", "")))
    if is_doubtful and use is InstanceUse.CAD_SR:
        return Disposition.NOT_ANALYSED
    match use:
        case InstanceUse.READ:
            return Disposition.MAMMOGRAM
        case InstanceUse.STORED:
            return Disposition.OUT_OF_SCOPE
        case InstanceUse.CAD_SR:
            return Disposition.OTHER_CAD_SR
        case InstanceUse.REJECTION_NOTES if _is_rejection_note(header):
            return Disposition.REJECTION_NOTE
        case InstanceUse.REJECTION_NOTES | InstanceUse.NOT_ANALYSED:
            return Disposition.NOT_ANALYSED
        case _:
            return Disposition.REFUSED


def _is_rejection_note(header: Dataset) -> bool:
    """Whether the document title (0040,A043) is one of those that reject instances."""
    titles = header.get("ConceptNameCodeSequence") or ()
    return any(
        title.get("CodingSchemeDesignator") == "DCM" and title.get("CodeValue") in REJECTION_TITLES
        for title in titles
    )
