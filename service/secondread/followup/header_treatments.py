"""Treatments that a study's own header mentions: coded reasons, and free text.

Free text is read in English only, and conservatively: whole words, nothing that is negated,
planned, doubted or about a relative, a side only where it is beside the procedure, and a day only
in the form YYYY-MM-DD. Of a text, only the recognised word is stored.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date

from pydicom.dataset import Dataset

from secondread.assemble.header_values import read_items
from secondread.codes import Laterality, ProcedureReason
from secondread.findings.treatment import Procedure, Treatment, TreatmentSource

CODED = ("ReasonForRequestedProcedureCodeSequence", "ReasonForPerformedProcedureCodeSequence")
"""Sequences with codes of CID 6051, in the data set and in its Request Attributes Sequence."""

TEXTS = (
    "AdditionalPatientHistory",
    "ReasonForTheRequestedProcedure",
    "RequestedProcedureDescription",
    "AdmittingDiagnosesDescription",
    "StudyDescription",
)
"""Attributes whose text is read; comments and names are not."""

_REASONS = {
    ProcedureReason.CONSERVATION: Procedure.LUMPECTOMY,
    ProcedureReason.MASTECTOMY: Procedure.MASTECTOMY,
    ProcedureReason.RADIATION: Procedure.RADIOTHERAPY,
    ProcedureReason.BRACHYTHERAPY: Procedure.RADIOTHERAPY,
}

_MOST_TEXT = 4000

_TERM = re.compile(
    r"\b(?:"
    r"(?P<lumpectomy>lumpectom(?:y|ies)|(?:partial|segmental)\s+mastectom(?:y|ies)|segmentectomy"
    r"|wide\s+local\s+excision|breast[\s-]conserv(?:ing|ation)\s+(?:surgery|therapy))"
    r"|(?P<quadrantectomy>quadrantectomy)"
    r"|(?P<mastectomy>mastectom(?:y|ies))"
    r"|(?P<radiotherapy>radiotherapy|radiation(?:\s+(?:therapy|treatment))|xrt|brachytherapy"
    r"|irradiated)"
    r")\b",
    re.IGNORECASE,
)

_NOT_DONE = re.compile(
    r"\b(?:no|not|none|nil|never|without|denie[sd]|denying|negative|declined?|refused?|family|fhx"
    r"|mother|sister|aunt|grandmother|daughter|planned|planning|plans?|scheduled|awaiting"
    r"|consider(?:ing|ed)?|candidate|possible|possibly|probable|suspected|before|pre|preop"
    r"|preoperative|future|for|versus|vs|rule\s+out|r/o|recommend(?:ed|s)?|offered|if"
    r"|or)\b|\?",
    re.IGNORECASE,
)
"""Words after which, or beside which, a procedure is not taken as done."""

_ANSWERED_NO = re.compile(r"^\W*(?:no|none|nil|never|denie[sd]|negative|not)\W*$", re.IGNORECASE)

_SIDE = re.compile(r"\b(?:(?i:(?P<left>left|lt)|(?P<right>right|rt))|(?P<l>L)|(?P<r>R))\b")
_BOTH = re.compile(r"\bbilateral(?:\s+\w+)?\s*$", re.IGNORECASE)
_DAY = re.compile(r"\b((?:19|20)\d\d-[01]\d-[0-3]\d)\b")
_WORDS_BEFORE, _WORDS_AFTER = 4, 4


def read_header_treatments(headers: Iterable[Dataset]) -> tuple[Treatment, ...]:
    """Return the treatments that the headers of a study mention, each once."""
    treatments = (
        treatment
        for header in headers
        for treatment in (*_read_codes(header), *_read_texts(header))
    )
    return tuple(dict.fromkeys(treatments))


def _list_requests(header: Dataset) -> Iterator[Dataset]:
    yield header
    yield from read_items(header, "RequestAttributesSequence")


def _read_codes(header: Dataset) -> Iterator[Treatment]:
    for ds in _list_requests(header):
        for keyword in CODED:
            for item in read_items(ds, keyword):
                code = str(item.get("CodeValue", "")), str(item.get("CodingSchemeDesignator", ""))
                reason = ProcedureReason.from_code(*code)
                if reason is not None:
                    yield Treatment(
                        _REASONS[reason],
                        None,
                        source=TreatmentSource.HEADER,
                        header_source=f"{keyword}: {code[0]}",
                    )


def _read_texts(header: Dataset) -> Iterator[Treatment]:
    for ds in _list_requests(header):
        for keyword in TEXTS:
            text = str(ds.get(keyword, None) or "")[:_MOST_TEXT]
            yield from read_treatment_text(text, keyword)


def read_treatment_text(text: str, keyword: str) -> Iterator[Treatment]:
    """Yield the treatments that were done according to a text.

    Parameters
    ----------
    text
        Free text, English.
    keyword
        The attribute that it is from.

    Examples
    --------
    >>> treatments = read_treatment_text("s/p left lumpectomy", "x")
    >>> [(t.procedure.value, t.laterality.letter) for t in treatments]
    [('lumpectomy', 'L')]
    >>> list(read_treatment_text("No history of lumpectomy, mastectomy", "x"))
    []
    """
    for sentence in re.split(r"[.;\r\n]+(?!\d)", text):
        yield from _read_sentence(sentence, keyword)


def _read_sentence(sentence: str, keyword: str) -> Iterator[Treatment]:
    clauses = re.split(r",|\bbut\b|\band\b|&|\+", sentence, flags=re.IGNORECASE)
    if any(_ANSWERED_NO.match(clause) for clause in clauses):
        return
    inherited: tuple[Laterality | None, ...] = (None,)
    for clause in clauses:
        if _NOT_DONE.search(clause):
            # A negation may hold up to the end of the sentence.
            return
        for term in _TERM.finditer(clause):
            sides = _find_sides(clause, term)
            inherited = inherited if sides == (None,) else sides
            procedure = Procedure(str(term.lastgroup))
            day = _find_day(clause) if procedure.is_surgery else None
            header_source = f"{keyword}: {' '.join(term[0].lower().split())}"
            for side in inherited:
                yield Treatment(
                    procedure, side, day, source=TreatmentSource.HEADER, header_source=header_source
                )


def _find_sides(clause: str, term: "re.Match[str]") -> tuple[Laterality | None, ...]:
    """Return which breasts a procedure is reported for: one, both, or unknown."""
    before, after = clause[: term.start()], clause[term.end() :]
    if _BOTH.search(before):
        return (Laterality.RIGHT, Laterality.LEFT)
    near = " ".join([*before.split()[-_WORDS_BEFORE:], "|", *after.split()[:_WORDS_AFTER]])
    sides = {
        Laterality.LEFT if match["left"] or match["l"] else Laterality.RIGHT
        for match in _SIDE.finditer(near)
    }
    return (sides.pop(),) if len(sides) == 1 else (None,)


def _find_day(clause: str) -> date | None:
    days = _DAY.findall(clause)
    if len(days) != 1:
        return None
    try:
        return date.fromisoformat(days[0])
    except ValueError:
        return None
