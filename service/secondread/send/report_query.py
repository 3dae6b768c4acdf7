"""C-FIND as SCU for the CAD reports beside a prior's images (PS3.4 C)."""

import re

from pydicom.dataset import Dataset
from pydicom.uid import MammographyCADSRStorage

from secondread.send.association import Call, open_association
from secondread.send.find import FIND_CONTEXT, collect_matches
from secondread.send.outbox import Callee

_UID = re.compile(r"[0-9.]{1,64}")
_MOST_SERIES, _MOST_DOCUMENTS = 40, 40
"""An archive that gives more matches than this is not answering the question."""
_MOST_LOOKED_INTO = 6


def find_reports(callee: Callee, calling_ae_title: str, study_uid: str) -> tuple[str, ...]:
    """Ask an archive for the series of a study that hold Mammography CAD SRs and nothing else.

    A series with other documents as well, or of which the archive does not say what it holds, is
    left out: what this node does not take would make the retrieval fail.

    Raises
    ------
    CallError
        The archive was not reached, or did not answer as it should.
    """
    with open_association(callee, calling_ae_title, [FIND_CONTEXT]) as call:
        seconds = 2 * callee.timeout_seconds
        answers = collect_matches(call, _series_keys(study_uid), _MOST_SERIES, seconds)
        named = [str(one.get("SeriesInstanceUID", None) or "") for one in answers if _is_sr(one)]
        found = [uid for uid in named if _UID.fullmatch(uid)][:_MOST_LOOKED_INTO]
        return tuple(uid for uid in found if _are_cad(call, study_uid, uid, seconds))


def _series_keys(study_uid: str) -> Dataset:
    keys = Dataset()
    keys.QueryRetrieveLevel = "SERIES"
    keys.StudyInstanceUID = study_uid
    keys.SeriesInstanceUID = ""
    keys.Modality = "SR"
    return keys


def _is_sr(series: Dataset) -> bool:
    # Some archives ignore the keys that they do not know, and return more than was asked.
    return str(series.get("Modality", None) or "") in {"SR", ""}


def _are_cad(call: Call, study_uid: str, series_uid: str, seconds: float) -> bool:
    keys = Dataset()
    keys.QueryRetrieveLevel = "IMAGE"
    keys.StudyInstanceUID = study_uid
    keys.SeriesInstanceUID = series_uid
    keys.SOPInstanceUID = ""
    keys.SOPClassUID = None
    classes = {
        str(one.get("SOPClassUID", None) or "")
        for one in collect_matches(call, keys, _MOST_DOCUMENTS, seconds)
    }
    return classes == {MammographyCADSRStorage}
