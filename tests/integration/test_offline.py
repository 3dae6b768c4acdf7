"""`secondread read`: files in, objects and findings.json out, every input answered."""

import json
import warnings
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import UID, SecondaryCaptureImageStorage
from typer.testing import CliRunner

from secondread.cli.commands import app
from secondread_lab.simulate.exam import ExamFiles, ExamSpec
from tests.worlds.shared_exam import write_shared_exam


@pytest.fixture(scope="session")
def exam(tmp_path_factory: pytest.TempPathFactory) -> ExamFiles:
    spec = replace(ExamSpec.for_demo(date(2026, 6, 1)), pitch_mm=0.1)
    return write_shared_exam(spec, "demo-exam", tmp_path_factory)


def read(*arguments: object) -> dict[str, Any]:
    out = str(arguments[-1])
    result = CliRunner().invoke(app, ["read", *map(str, arguments[:-1]), "--out", out])
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads((Path(out) / "findings.json").read_text())
    return document


def test_an_exam_with_its_prior_gives_objects_for_the_current_study_only(
    exam: ExamFiles, tmp_path: Path
) -> None:
    document = read(exam.current[0].parent.parent, tmp_path / "out")

    studies = document["studies"]
    by_role = {study["role"]: study for study in studies}
    assert by_role["current"]["outcome"] == "findings"
    assert by_role["current"]["priors"] == [by_role["prior"]["study_uid"]]
    images = document["images"]
    assert len(images) == 8
    assert all(Path(image["path"]).is_absolute() for image in images)
    written = [pydicom.dcmread(path) for path in (tmp_path / "out").rglob("*.dcm")]
    assert {ds.StudyInstanceUID for ds in written} == {by_role["current"]["study_uid"]}
    assert not list((tmp_path / "out").rglob("*.npy"))


def test_a_finding_lies_where_the_truth_says(exam: ExamFiles, tmp_path: Path) -> None:
    from secondread_lab.simulate.truth import read_truth

    document = read(exam.current[1], tmp_path / "out")

    (image,) = document["images"]
    truth = next(
        row
        for row in read_truth(exam.truth)
        if row.sop_instance_uid == image["sop_instance_uid"] and row.id == "new-cluster"
    )
    centers = [f["center"] for f in image["findings"] if f["shown"]]
    assert any(truth.x0 <= col <= truth.x1 and truth.y0 <= row <= truth.y1 for col, row in centers)


def test_what_is_no_image_is_answered_too(exam: ExamFiles, tmp_path: Path) -> None:
    stray = tmp_path / "notes.txt"
    stray.write_text("not DICOM")
    capture = pydicom.dcmread(exam.current[0])
    capture.SOPClassUID = capture.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    capture.SOPInstanceUID = capture.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4.5")
    capture.save_as(tmp_path / "capture.dcm")

    document = read(stray, tmp_path / "capture.dcm", tmp_path / "out")

    reasons = {
        Path(image["path"]).name: (image["status"], image["reasons"])
        for image in document["images"]
    }
    assert reasons == {
        "notes.txt": ("refused", ["data-set-invalid"]),
        "capture.dcm": ("refused", ["not-mammography"]),
    }


def test_a_file_of_another_patient_in_a_study_is_answered_and_costs_nothing(
    exam: ExamFiles, tmp_path: Path
) -> None:
    for number, patient in enumerate(("P1", "P1", "P2")):
        ds = pydicom.dcmread(exam.current[0])
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(f"1.2.3.4.{number}")
        ds.PatientID = patient
        ds.save_as(tmp_path / f"{number}.dcm")

    document = read(tmp_path, tmp_path / "out")

    (study,) = document["studies"]
    assert study["outcome"] == "not-eligible"
    assert "patient-mismatch" in study["reasons"]
    reasons = {Path(image["path"]).name: image["reasons"] for image in document["images"]}
    assert reasons["2.dcm"] == ["image-of-another-patient"]
    assert reasons["0.dcm"] == reasons["1.dcm"] == ["not-mammography"]


def test_a_path_that_does_not_exist_is_an_error_with_its_name(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["read", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")]
    )

    assert result.exit_code != 0
    assert "nowhere" in str(result.exception)


def test_what_a_file_says_of_itself_never_becomes_a_path(exam: ExamFiles, tmp_path: Path) -> None:
    evil = UID(f"/../../../../../../../..{tmp_path}/evil", validation_mode=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as the program itself does, see secondread.cli.main
        ds = pydicom.dcmread(exam.current[0])
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = evil
        ds.save_as(tmp_path / "evil.dcm")

        CliRunner().invoke(app, ["read", str(tmp_path / "evil.dcm"), "--out", str(tmp_path / "o")])

    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.dcm", "o"]


def test_studies_without_a_patient_id_are_nobodys_priors(exam: ExamFiles, tmp_path: Path) -> None:
    for number, path in enumerate((exam.prior[0], exam.current[0])):
        ds = pydicom.dcmread(path)
        ds.PatientID = ""
        ds.save_as(tmp_path / f"{number}.dcm")

    document = read(tmp_path, tmp_path / "out")

    assert [study["role"] for study in document["studies"]] == ["current", "current"]
    assert all(study["priors"] == [] for study in document["studies"])


def test_a_gate_that_does_not_exist_is_an_error_that_names_those_that_do(tmp_path: Path) -> None:
    arguments = ["read", str(tmp_path), "--out", str(tmp_path), "--override-gate", "lossi"]

    result = CliRunner().invoke(app, arguments)

    assert "lossi" in str(result.exception)
    assert "lossy" in str(result.exception)


def test_the_gate_of_a_lossy_film_refuses_and_can_be_overridden(
    exams: Path, tmp_path: Path
) -> None:
    film = exams / "d-film-microcalcs"

    refused = read(film, tmp_path / "one")
    overridden = read(film, "--override-gate", "lossy", tmp_path / "two")

    (image,) = refused["images"]
    assert (image["status"], image["reasons"]) == ("refused", ["lossy-compression"])
    assert image["findings"] == []
    (image,) = overridden["images"]
    assert image["status"] == "flagged"
    # The cluster that a lay reader sees, x 1220-1300, y 2030-2100; a vessel's wall above is joined.
    assert any(
        min(x) <= 1220 and max(x) >= 1300 and min(y) <= 2030 and max(y) >= 2100
        for f in image["findings"]
        if f["kind"] == "cluster" and f["long_axis_mm"] < 20
        for x, y in [zip(*f["outline"], strict=True)]
    )


def test_a_record_of_treatments_gives_each_finding_its_zone_and_changes_no_number(
    exam: ExamFiles, tmp_path: Path
) -> None:
    plain = read(exam.current[1], tmp_path / "plain")
    told = read(exam.current[1], "--treatments", exam.treatments, tmp_path / "told")

    assert "treatment-unknown" in plain["studies"][0]["reasons"]
    assert "treatment-unknown" not in told["studies"][0]["reasons"]
    assert any("lumpectomy" in line for line in told["studies"][0]["treatment"])
    findings = [document["images"][0]["findings"] for document in (plain, told)]
    clusters = [finding for finding in findings[1] if finding["kind"] == "cluster"]
    assert {"bed", "treated-breast"} <= {finding["zone"] for finding in clusters}
    assert all("months after radiotherapy" in finding["line"] for finding in clusters)
    numbers = ("id", "certainty", "suspicion", "shown")
    assert [[finding[n] for n in numbers] for finding in findings[0]] == [
        [finding[n] for n in numbers] for finding in findings[1]
    ]


def test_a_record_that_makes_no_sense_stops_the_command_with_file_and_row(
    exam: ExamFiles, tmp_path: Path
) -> None:
    record = tmp_path / "record.csv"
    record.write_text("patient_id,issuer,side,procedure\nP1,,X,lumpectomy\n", encoding="utf-8")
    words = ["read", str(exam.current[1]), "--treatments", str(record)]
    result = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "out")])
    assert result.exit_code != 0
    assert "record.csv, row 2: side" in str(result.exception)
