"""`secondread treatments` and `secondread patients`, as commands on a node's own database."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from secondread.cli.commands import app
from secondread.errors import InputError
from tests.worlds.builders import header
from tests.worlds.node_world import NodeWorld

HEAD = "patient_id,issuer,side,procedure,started_on,ended_on,site\n"


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "secondread.toml"
    path.write_text(f'[node]\ndata_dir = "{tmp_path / "data"}"\n', encoding="utf-8")
    return path


def command(settings: Path, *words: str) -> str:
    result = CliRunner().invoke(app, [*words, "--settings", str(settings)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_a_file_is_imported_once_listed_and_removed(settings: Path, tmp_path: Path) -> None:
    record = tmp_path / "record.csv"
    record.write_text(
        HEAD + "P1,,L,lumpectomy,2021-03-02,,2 o'clock\nP2,HOSP,R,mastectomy,,,\n", encoding="utf-8"
    )
    assert "2 rows: 2 new" in command(settings, "treatments", "import", str(record))
    assert "2 rows: 0 new, 2 known already" in command(
        settings, "treatments", "import", str(record)
    )
    listed = command(settings, "treatments", "list", "--patient", "P1")
    assert "2 o'clock" in listed
    assert "mastectomy" not in listed
    command(settings, "treatments", "remove", "1")
    assert "lumpectomy" not in command(settings, "treatments", "list")


def test_lists_tell_whole_values_in_a_narrow_terminal(settings: Path) -> None:
    patient = "A-LONG-PATIENT-ID-0001^^^A LONG ISSUER"
    days = ("--started-on", "2021-03-02", "--ended-on", "2021-04-09")
    command(settings, "treatments", "add", patient, "L", "quadrantectomy", "--site", "upper outer")
    command(settings, "treatments", "add", patient, "L", "radiotherapy", *days)

    listed = command(settings, "treatments", "list")
    patients = command(settings, "patients", "list")

    for whole in ("quadrantectomy", "radiotherapy", "2021-03-02", "2021-04-09"):
        assert whole in listed
    assert "\N{HORIZONTAL ELLIPSIS}" not in listed + patients


def test_a_file_with_a_wrong_row_changes_nothing(settings: Path, tmp_path: Path) -> None:
    record = tmp_path / "record.csv"
    record.write_text(HEAD + "P1,,L,lumpectomy,,,\nP1,,L,haircut,,,\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"record\.csv, row 3: procedure"):
        command(settings, "treatments", "import", str(record))
    assert "lumpectomy" not in command(settings, "treatments", "list")


def test_a_treatment_added_by_hand_is_that_of_the_file(settings: Path, tmp_path: Path) -> None:
    day = ("--started-on", "2021-03-02")
    assert "added" in command(settings, "treatments", "add", "P1", "L", "lumpectomy", *day)
    record = tmp_path / "record.csv"
    record.write_text(HEAD + "P1,,L,lumpectomy,2021-03-02,,\n", encoding="utf-8")
    assert "1 known already" in command(settings, "treatments", "import", str(record))


def test_patients_are_merged_and_listed_as_merged(settings: Path) -> None:
    command(settings, "treatments", "add", "P1", "L", "lumpectomy")
    command(settings, "treatments", "add", "P2^^^HOSP", "R", "mastectomy")
    merged = command(settings, "patients", "merge", "P2^^^HOSP", "P1")
    assert "1 treatments changed hands" in merged
    assert "merged into" in command(settings, "patients", "list")
    assert "mastectomy" in command(settings, "treatments", "list", "--patient", "P1")
    with pytest.raises(InputError, match="merged already"):
        command(settings, "patients", "merge", "P2^^^HOSP", "P1")


def test_a_patient_is_confirmed_by_name_of_the_id(settings: Path) -> None:
    command(settings, "treatments", "add", "P1", "L", "lumpectomy")
    confirmed = command(settings, "patients", "confirm", "P1")
    assert "0 names or birth dates, 0 studies are due" in confirmed
    with pytest.raises(InputError, match="not known"):
        command(settings, "patients", "confirm", "P9")


def test_what_matches_no_study_is_said_with_the_issuer_that_studies_have(
    settings: Path, tmp_path: Path
) -> None:
    world = NodeWorld(tmp_path)
    world.deliver(header(PatientID="P1", IssuerOfPatientID="HOSPITAL"))
    record = tmp_path / "record.csv"
    rows = "P1,,L,lumpectomy,,,\nP1,HOSPITAL,L,lumpectomy,,,\nP2,,R,mastectomy,,,\n"
    record.write_text(HEAD + rows, encoding="utf-8")
    printed = command(tmp_path / "secondread.toml", "treatments", "import", str(record))
    assert "row 2: without an issuer, it matches no study" in printed
    assert "the issuer 'HOSPITAL'" in printed
    assert "row 3" not in printed
    assert "row 4: no study of this patient is here yet" in printed
    assert "P1" not in printed


def test_who_had_patients_listed_is_in_the_audit_trail(settings: Path) -> None:
    command(settings, "patients", "list")
    command(settings, "treatments", "list", "--patient", "P1", "--json")
    assert command(settings, "audit", "list").count("searched") == 2
