"""C-FIND as SCU for the CAD reports beside a prior's images (PS3.4 C)."""

from pydicom.dataset import Dataset
from pydicom.uid import MammographyCADSRStorage

from secondread.send.association import Call, open_association
from secondread.send.find import FIND_CONTEXT, collect_matches, make_identifier
from secondread.send.outbox import Callee, Cancelled
from secondread.uids import is_uid

_MOST_SERIES, _MOST_DOCUMENTS = 40, 40
"""An archive that gives more matches than this is not answering the question."""
_MOST_ASKED_FOR_CLASSES = 6


def find_reports(
    callee: Callee, calling_ae_title: str, study_uid: str, cancelled: Cancelled
) -> tuple[str, ...]:
    """Ask an archive for the series of a study that hold Mammography CAD SRs and nothing else.

    A series with other documents as well, or whose content the archive does not name, is left out:
    what this node does not take would make the retrieval fail.

    Raises
    ------
    CallError
        The archive was not reached, or did not answer as it should.
    """
    with open_association(callee, calling_ae_title, [FIND_CONTEXT], cancelled=cancelled) as call:
        seconds = 2 * callee.timeout_seconds
        identifier = make_identifier(
            "SERIES", StudyInstanceUID=study_uid, SeriesInstanceUID="", Modality="SR"
        )
        answers = collect_matches(call, identifier, _MOST_SERIES, seconds)
        answered = [
            str(series.get("SeriesInstanceUID", None) or "") for series in answers if _is_sr(series)
        ]
        valid = [uid for uid in answered if is_uid(uid)][:_MOST_ASKED_FOR_CLASSES]
        return tuple(uid for uid in valid if _are_cad(call, study_uid, uid, seconds))


def _is_sr(series: Dataset) -> bool:
    # Some archives ignore the keys that they do not know, and return more than was asked.
    return str(series.get("Modality", None) or "") in {"SR", ""}


def _are_cad(call: Call, study_uid: str, series_uid: str, seconds: float) -> bool:
    identifier = make_identifier(
        "IMAGE",
        StudyInstanceUID=study_uid,
        SeriesInstanceUID=series_uid,
        SOPInstanceUID="",
        SOPClassUID=None,
    )
    documents = collect_matches(call, identifier, _MOST_DOCUMENTS, seconds)
    classes = {str(document.get("SOPClassUID", None) or "") for document in documents}
    return classes == {MammographyCADSRStorage}
