"""The record of treatments as a CSV file: the form that `simulate` writes and people import."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
_MOST_FAULTS = 50
"""Faults of a file that are named."""


@dataclass(frozen=True, slots=True)
class RecordedTreatment:
    """A row of the file."""

    patient: PatientKey
    treatment: Treatment
    row: int = field(default=0, compare=False)
    """Its line in the file, from 1."""


def read_treatment_file(path: Path) -> tuple[RecordedTreatment, ...]:
    """Read a file of treatments; nothing is returned unless all of it makes sense.

    Raises
    ------
    InputError
        It is no such CSV. The message names every fault with row and column, and quotes no
        patient ID.
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
        return _read_rows(path, reader)
    except csv.Error as error:
        raise InputError(f"{path}, row {reader.line_num}: {error}") from None


def _read_rows(path: Path, reader: "csv.DictReader[str]") -> tuple[RecordedTreatment, ...]:
    rows, faults = list[RecordedTreatment](), list[str]()
    for row in reader:
        try:
            rows.append(_read_row(reader.line_num, row))
        except InputError as error:
            faults.append(f"row {reader.line_num}: {error}")
    if len(faults) == 1:
        raise InputError(f"{path}, {faults[0]}")
    if faults:
        more = len(faults) - _MOST_FAULTS
        last = [f"and {more} rows more"] if more > 0 else []
        lines = [f"{path}: {len(faults)} rows are wrong", *faults[:_MOST_FAULTS], *last]
        raise InputError("\n  ".join(lines))
    return tuple(rows)


def _read_row(number: int, row: Mapping[str, str | list[str]]) -> RecordedTreatment:
    if row.get(""):
        raise InputError("more values than columns")
    values = {name.strip(): str(value).strip() for name, value in row.items() if name}
    faults, patient, treatment = list[str](), None, None
    try:
        patient = parse_patient_key(values["patient_id"], values.get("issuer", ""))
    except InputError as error:
        faults.append(str(error))
    try:
        treatment = parse_treatment(values)
    except InputError as error:
        faults.append(str(error))
    if patient is None or treatment is None:
        raise InputError("; ".join(faults))
    return RecordedTreatment(patient, treatment, number)


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
        A value makes no sense; the message names each such column.
    """
    faults: list[str] = []
    side = Laterality.from_letter(values["side"].upper())
    if side not in {Laterality.LEFT, Laterality.RIGHT}:
        faults.append(f"side is {values['side']!r}: R or L is expected")
    word = values["procedure"].lower()
    if word not in set(Procedure):
        faults.append(f"procedure is {word!r}: one of {', '.join(Procedure)} is expected")
    started = _collect_day(values, "started_on", faults)
    ended = _collect_day(values, "ended_on", faults)
    if started is not None and ended is not None and ended < started:
        faults.append("ended_on is before started_on")
    site = None
    try:
        # Where the side is none, the right one shows as well as any whether the words make sense.
        site = read_surgical_site(values.get("site", ""), side or Laterality.RIGHT)
    except InputError as error:
        faults.append(str(error))
    if side is None or faults:
        raise InputError("; ".join(faults))
    return Treatment(Procedure(word), side, started, ended, site, TreatmentSource.RECORD)


def _collect_day(values: Mapping[str, str], column: str, faults: list[str]) -> date | None:
    try:
        return parse_day(values, column)
    except InputError as error:
        faults.append(str(error))
        return None


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
