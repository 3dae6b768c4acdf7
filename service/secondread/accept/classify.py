"""What becomes of a received instance: decided from its SOP class, its header, and its maker."""

from pydicom.dataset import Dataset

from secondread.accept.dispositions import REJECTION_TITLES, Disposition
from secondread.accept.sop_classes import InstanceUse, find_use


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
