from datetime import date
from pathlib import Path

import pytest

from secondread.assemble.patient_key import PatientKey
from secondread.codes import Laterality
from secondread.errors import InputError
from secondread.findings.treatment import Procedure, TreatmentSource
from secondread.followup.treatment_file import COLUMNS, read_treatment_file, select_patient
from secondread_lab.simulate.treated_breast import (
    TREATMENT_COLUMNS,
    TreatmentSpec,
    make_treatment_rows,
    write_treatments,
)

HEAD = ",".join(COLUMNS) + "\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "record.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_simulate_writes_is_read(tmp_path: Path) -> None:
    assert TREATMENT_COLUMNS == COLUMNS
    done = TreatmentSpec(Laterality.LEFT, date(2024, 5, 1))
    path = tmp_path / "treatments.csv"
    write_treatments(path, make_treatment_rows("P1", "HOSPITAL", [done]))
    surgery, radiotherapy = read_treatment_file(path)
    assert surgery.patient == PatientKey("P1", "HOSPITAL")
    assert (surgery.treatment.procedure, surgery.treatment.started_on) == (
        Procedure.LUMPECTOMY,
        done.operated_on,
    )
    assert surgery.treatment.source is TreatmentSource.RECORD
    assert surgery.treatment.site is not None
    assert radiotherapy.treatment.ended_on == date(2024, 7, 10)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (",,L,lumpectomy,,,", "row 2: patient_id is empty"),
        ("P1,,X,lumpectomy,,,", "row 2: side is 'X'"),
        ("P1,,B,lumpectomy,,,", "row 2: side is 'B'"),
        ("P1,,L,appendectomy,,,", "row 2: procedure is 'appendectomy'"),
        ("P1,,L,lumpectomy,2.3.2021,,", "row 2: started_on is '2.3.2021'"),
        ("P1,,L,lumpectomy,2021-03-02,2021-03-01,", "row 2: ended_on is before"),
        ("P1,,L,lumpectomy,,,noon", "row 2: site 'noon'"),
        ("P1,,L,lumpectomy,,,,more", "row 2: more values than columns"),
        ("P1,,L,lumpectomy,,,\nP1,,Q,lumpectomy,,,", "row 3: side is 'Q'"),
    ],
)
def test_an_error_names_the_file_the_row_and_the_value(tmp_path: Path, line: str, why: str) -> None:
    with pytest.raises(InputError) as raised:
        read_treatment_file(written(tmp_path, HEAD + line + "\n"))
    assert "record.csv" in str(raised.value)
    assert why in str(raised.value)
    assert "P1" not in str(raised.value)


def test_all_faults_of_a_file_are_named_at_once(tmp_path: Path) -> None:
    text = HEAD + ",,X,appendectomy,2.3.2021,soon,noon\nP1,,L,lumpectomy,,,\nP1,,R,lumpectomy,x,,\n"
    with pytest.raises(InputError) as raised:
        read_treatment_file(written(tmp_path, text))
    first, second = str(raised.value).splitlines()[1:]
    for fault in ("patient_id", "side", "procedure", "started_on", "ended_on", "site 'noon'"):
        assert fault in first
    assert second.strip().startswith("row 4: started_on is 'x'")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "column patient_id, issuer, side, procedure"),
        ("patient_id,side,procedure\n", "column issuer is missing"),
        (HEAD.strip() + ",colour\n", "unknown column colour"),
    ],
)
def test_a_wrong_head_is_said(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        read_treatment_file(written(tmp_path, text))


def test_a_missing_or_binary_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_treatment_file(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        read_treatment_file(tmp_path / "binary.csv")


def test_a_patient_is_id_and_issuer_and_a_gap_is_no_other_issuer(tmp_path: Path) -> None:
    rows = read_treatment_file(written(tmp_path, HEAD + "P1,A,L,lumpectomy,,,\n"))
    assert len(select_patient(rows, PatientKey("P1", "A"))) == 1
    assert len(select_patient(rows, PatientKey("P1", ""))) == 1
    assert select_patient(rows, PatientKey("P1", "B")) == ()
    assert select_patient(rows, PatientKey("P2", "A")) == ()
    both = [*rows, *read_treatment_file(written(tmp_path, HEAD + "P1,B,R,lumpectomy,,,\n"))]
    assert select_patient(both, PatientKey("P1", "")) == ()
