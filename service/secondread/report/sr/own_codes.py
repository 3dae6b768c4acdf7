"""Coded concepts that DICOM has no code for, in a private scheme: for TID 1500 alone.

TID 4000 is not extensible and gets none of them. The codes of reasons, outcomes and zones are the
words of `findings.json` and SQL.
"""

from enum import StrEnum

from pydicom.dataset import Dataset

from secondread.codes import Code
from secondread.findings.treatment import Zone
from secondread.reasons import ImageStatus, Outcome, Reason

SCHEME = "99SECONDREAD"
"""Coding Scheme Designator; the prefix 99 makes it a private one (PS3.16 8.2)."""


def _build_code(value: str, meaning: str) -> Code:
    # Code Meaning is a Long String: 64 characters.
    return Code(value, SCHEME, meaning if len(meaning) <= 64 else meaning[:61] + "...")


SUSPICION = _build_code("suspicion", "Suspicion index")
"""From published PPVs of morphology and distribution, 0-100."""
CERTAINTY_LOG_ODDS = _build_code("certainty-log-odds", "Certainty as natural log odds")
"""Of the certainty before it was rounded."""
PRIORITY = _build_code("priority", "Priority")
"""Expected suspicion, 0-100: certainty as a probability times suspicion, of a lesion the highest of
its views. Groups are in its order."""
LESION = _build_code("lesion", "Unique identifier of the lesion over all exams")
OUTCOME = _build_code("outcome", "Outcome of the reading")
STATUS = _build_code("image-status", "Status of the image")
REASON = _build_code("reason", "Reason")
ZONE = _build_code("zone", "Place relative to the treated site")

OUTCOMES = {
    Outcome.FINDINGS: "read, with findings shown",
    Outcome.NO_FINDINGS: "read, no findings shown",
    Outcome.PARTIAL: "partly read",
    Outcome.FAILED: "failed",
    Outcome.NOT_ELIGIBLE: "not eligible",
}
STATUSES = {
    ImageStatus.READ: "read",
    ImageStatus.FLAGGED: "read with doubts",
    ImageStatus.REFUSED: "not read",
    ImageStatus.FAILED: "failed",
}


def get_own_code(value: Reason | Outcome | ImageStatus | Zone) -> Code:
    """Return the own code of a reason, outcome, status or zone, with its meaning for people.

    >>> get_own_code(Reason.IMPLANT).value
    'implant'
    """
    match value:
        case Reason():
            return _build_code(value.value, value.sentence)
        case Outcome():
            return _build_code(value.value, OUTCOMES[value])
        case ImageStatus():
            return _build_code(value.value, STATUSES[value])
        case _:
            return _build_code(value.value, value.words)


OUTSIDE_SCOPE = _build_code("left-out", "not read: outside the detector's scope")
"""Status of an instance that a reading leaves out."""


def list_own_codes() -> dict[type[StrEnum] | str, tuple[Code, ...]]:
    """Return all codes of the scheme, by what they are values of; concept names come first."""
    return {
        "concept names": (
            CERTAINTY_LOG_ODDS,
            SUSPICION,
            PRIORITY,
            LESION,
            OUTCOME,
            STATUS,
            REASON,
            ZONE,
        ),
        Outcome: tuple(map(get_own_code, Outcome)),
        ImageStatus: (*map(get_own_code, ImageStatus), OUTSIDE_SCOPE),
        Reason: tuple(map(get_own_code, Reason)),
        Zone: tuple(map(get_own_code, Zone)),
    }


def build_scheme_item() -> Dataset:
    """Return the scheme's item of the Coding Scheme Identification Sequence (0008,0110)."""
    ds = Dataset()
    ds.CodingSchemeDesignator = SCHEME
    ds.CodingSchemeName = "Secondread"
    ds.CodingSchemeResponsibleOrganization = "Secondread project"
    return ds
