"""The record of treatments as a CSV file: the form that `simulate` writes and people import."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from secondread.assemble.patient_key import PatientKey
from secondread.codes import Laterality
from secondread.errors import InputError
from secondread.findings.treatment import Procedure, Treatment, TreatmentSource
from secondread.followup.surgical_site import read_surgical_site

COLUMNS = ("patient_id", "issuer", "side", "procedure", "started_on", "ended_on", "site")
"""One row a procedure. Side is R or L, dates are ISO 8601, site is a clock face or a quadrant;
issuer, dates and site may be empty."""

_LONGEST_ID = 256


@dataclass(frozen=True, slots=True)
class RecordedTreatment:
    """A row of the file."""

    patient: PatientKey
    treatment: Treatment


def read_treatment_file(path: Path) -> tuple[RecordedTreatment, ...]:
    """Read a file of treatments; nothing is returned unless all of it makes sense.

    Raises
    ------
    InputError
        It is no such CSV. The message names file, row and column, and quotes no patient ID.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text") from None
    reader = csv.DictReader(text.splitlines(), restkey="", restval="")
    try:
        columns = [name.strip() for name in reader.fieldnames or ()]
        if missing := [name for name in COLUMNS[:4] if name not in columns]:
            raise InputError(
                f"{path}: column {', '.join(missing)} is missing; expected: {','.join(COLUMNS)}"
            )
        if unknown := sorted(set(columns) - set(COLUMNS)):
            raise InputError(f"{path}: unknown column {', '.join(unknown)}")
        return tuple(_read_row(path, reader.line_num, row) for row in reader)
    except csv.Error as error:
        raise InputError(f"{path}, row {reader.line_num}: {error}") from None


def _read_row(path: Path, number: int, row: Mapping[str, str | list[str]]) -> RecordedTreatment:
    if row.get(""):
        raise InputError(f"{path}, row {number}: more values than columns")
    values = {name.strip(): str(value).strip() for name, value in row.items() if name}
    try:
        return RecordedTreatment(
            parse_patient_key(values["patient_id"], values.get("issuer", "")),
            parse_treatment(values),
        )
    except InputError as error:
        raise InputError(f"{path}, row {number}: {error}") from None


def parse_patient_key(patient_id: str, issuer: str) -> PatientKey:
    """Return a patient's key from what a person typed.

    Raises
    ------
    InputError
        There is no ID, or one is longer than an ID can be.
    """
    if not patient_id:
        raise InputError("patient_id is empty")
    if max(len(patient_id), len(issuer)) > _LONGEST_ID or "\0" in patient_id + issuer:
        raise InputError(f"patient_id and issuer have at most {_LONGEST_ID} characters")
    return PatientKey(patient_id, issuer)


def parse_patient(text: str) -> PatientKey:
    """Return the patient that a person names as ``ID`` or ``ID^^^ISSUER``, as HL7 writes it.

    Raises
    ------
    InputError
        There is no ID in it.
    """
    patient_id, _, issuer = text.partition("^^^")
    return parse_patient_key(patient_id.strip(), issuer.strip())


def parse_treatment(values: Mapping[str, str]) -> Treatment:
    """Return the treatment that a row's values describe, without the patient.

    Raises
    ------
    InputError
        A value makes no sense; the message names its column.
    """
    side = Laterality.from_letter(values["side"].upper())
    if side not in {Laterality.LEFT, Laterality.RIGHT}:
        raise InputError(f"side is {values['side']!r}: R or L is expected")
    word = values["procedure"].lower()
    if word not in set(Procedure):
        raise InputError(f"procedure is {word!r}: one of {', '.join(Procedure)} is expected")
    started, ended = parse_day(values, "started_on"), parse_day(values, "ended_on")
    if started is not None and ended is not None and ended < started:
        raise InputError("ended_on is before started_on")
    site = read_surgical_site(values.get("site", ""), side)
    return Treatment(Procedure(word), side, started, ended, site, TreatmentSource.RECORD)


def parse_day(values: Mapping[str, str], column: str) -> date | None:
    """Return the day that stands in a column; None where it is empty.

    Raises
    ------
    InputError
        It is no date.
    """
    text = values.get(column, "")
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{column} is {text!r}: a date YYYY-MM-DD is expected") from None


def select_patient(rows: Sequence[RecordedTreatment], patient: PatientKey) -> tuple[Treatment, ...]:
    """Return a patient's treatments.

    Where the images or the record name no issuer, the ID alone decides, as long as the record has
    it under one issuer only.
    """
    same_id = [row for row in rows if row.patient.patient_id == patient.patient_id]
    exact = [row for row in same_id if row.patient.issuer == patient.issuer]
    issuers = {row.patient.issuer for row in same_id}
    gap = len(issuers) == 1 and (not patient.issuer or issuers == {""})
    return tuple(row.treatment for row in (exact or (same_id if gap else [])))
