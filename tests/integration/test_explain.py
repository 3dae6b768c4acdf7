"""`secondread explain`: the tree, the picture and the check of one file, with exit statuses."""

import json
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from typer.testing import CliRunner, Result

from secondread.cli.commands import app
from secondread.errors import InputError, SettingsError
from secondread.geometry import PointPx
from secondread.reasons import Outcome
from secondread.report import concepts
from secondread.report.encoding import encode_file
from secondread.report.sr.cad_sr import build_cad_sr
from secondread.report.sr.header import build_file_meta
from secondread.settings import ProfileSettings
from tests.conftest import EXAMS
from tests.unit.report.readings import (
    index_by_uid,
    make_authorship,
    make_cluster,
    make_header,
    make_image_reading,
    make_study_reading,
)
from tests.worlds.faulty_reports import build_faulty, build_valid, find_item

REFERENCES = sorted((EXAMS.parent / "sr").glob("cad_*.dcm"))


def explain(*arguments: object) -> Result:
    result = CliRunner().invoke(app, ["explain", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def saved(folder: Path, ds: Dataset, name: str = "sr.dcm") -> Path:
    path = folder / name
    path.write_bytes(encode_file(ds))
    return path


def test_the_tree_is_printed(tmp_path: Path) -> None:
    result = explain(saved(tmp_path, build_valid("mixed")))
    assert result.exit_code == 0
    assert "1.3 " in result.output
    assert "Single Image Finding: Calcification Cluster (129769006, SCT)" in result.output


def test_json_is_one_document(tmp_path: Path) -> None:
    result = explain(saved(tmp_path, build_valid("mixed")), "--json")
    document = json.loads(result.output)
    assert document["sop_class"] == "Mammography CAD SR Storage"
    assert document["content"]["concept"]["value"] == "111036"


def test_a_clean_report_passes_the_check(tmp_path: Path) -> None:
    result = explain(saved(tmp_path, build_valid("mixed")), "--check")
    assert (result.exit_code, result.output) == (0, "no faults found\n")


def test_faults_are_named_with_their_position_and_the_status_is_1(tmp_path: Path) -> None:
    path = saved(tmp_path, build_faulty("a certainty of 150"))
    result = explain(path, "--check")
    assert (result.exit_code, result.output) == (1, "1.3.4.5.9: 150 is not between 0 and 100\n")
    told = json.loads(explain(path, "--check", "--json").output)
    assert told == [{"position": "1.3.4.5.9", "fault": "150 is not between 0 and 100"}]


@pytest.mark.parametrize("path", REFERENCES, ids=lambda path: path.stem)
def test_reports_of_others_that_are_valid_pass(path: Path) -> None:
    assert explain(path, "--check").exit_code == 0


@pytest.mark.skipif(not REFERENCES, reason="no reference reports beside the repository")
def test_only_a_cad_sr_is_checked() -> None:
    with pytest.raises(InputError, match=r"hensive3d\.dcm: only a Mammography CAD SR"):
        explain(EXAMS.parent / "sr" / "tid1500_comprehensive3d.dcm", "--check")


def test_a_file_that_is_no_report_is_refused_in_clear_words(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no DICOM here, but long enough to be looked at " * 10)
    with pytest.raises(SettingsError, match=r"notes\.txt: not a DICOM file"):
        explain(text)
    with pytest.raises(SettingsError, match="no such file"):
        explain(tmp_path / "missing.dcm")
    with pytest.raises(InputError, match="not a structured report: Digital Mammography"):
        explain(image_file(tmp_path, make_header("LCC")))


def image_file(folder: Path, ds: Dataset, name: str = "image.dcm") -> Path:
    """A file with pixels: a ramp."""
    ramp = np.linspace(200, 3000, ds.Columns, dtype=np.uint16)
    ds.PixelData = np.broadcast_to(ramp, (ds.Rows, ds.Columns)).tobytes()
    ds.SamplesPerPixel, ds.PixelRepresentation = 1, 0
    ds.file_meta = build_file_meta(ds.SOPClassUID, ds.SOPInstanceUID)
    return saved(folder, ds, name)


@pytest.mark.parametrize(
    ("orientation", "photometric"),
    [(["A", "R"], "MONOCHROME2"), (["P", "L"], "MONOCHROME1"), (["P", "HR"], "MONOCHROME2")],
)
def test_marks_are_drawn_on_their_image_however_it_lies(
    tmp_path: Path, orientation: list[str], photometric: str
) -> None:
    ds = make_header("LCC", PatientOrientation=orientation, PhotometricInterpretation=photometric)
    finding = make_cluster()
    reading = make_study_reading(Outcome.FINDINGS, make_image_reading(ds, finding))
    report = build_cad_sr(reading, index_by_uid(ds), make_authorship(ProfileSettings())).dataset
    out = tmp_path / "marks.png"

    result = explain(saved(tmp_path, report), "--png", image_file(tmp_path, ds), "--out", out)

    assert result.exit_code == 0
    assert "1 marked item" in result.output
    picture = np.asarray(Image.open(out).convert("RGB")).astype(int)
    colored = picture.max(axis=2) - picture.min(axis=2) > 60
    for vertex in finding.outline:
        assert colored[near(vertex)].any()
    assert not colored[600:1000, 500:].any()


def near(point: PointPx) -> tuple[slice, slice]:
    row, col = int(point.row), int(point.col)
    return slice(row - 2, row + 3), slice(col - 2, col + 3)


def test_an_image_that_the_report_does_not_name_is_told(tmp_path: Path) -> None:
    other = make_header("LCC", SOPInstanceUID="1.2.3.99")
    with pytest.raises(SettingsError, match="does not name this image"):
        explain(saved(tmp_path, build_valid("mixed")), "--png", image_file(tmp_path, other))


def test_what_a_terminal_would_obey_is_written_out(tmp_path: Path) -> None:
    ds = build_valid("mixed")
    ds.Manufacturer = "Acme\x07\u202e"
    ds.SpecificCharacterSet = "ISO_IR 192"
    find_item(ds, concepts.ALGORITHM_NAME).TextValue = "one\nCAD \x9b2J\x07"
    result = explain(saved(tmp_path, ds))
    assert "Manufacturer: Acme\\x07\\u202e" in result.output
    assert "Algorithm Name: one\\nCAD \\x9b2J\\x07" in result.output


def test_a_report_whose_values_are_of_another_kind_is_explained(tmp_path: Path) -> None:
    ds = build_valid("mixed")
    side = find_item(ds, concepts.IMAGE_LIBRARY, concepts.IMAGE_LATERALITY)
    side.ValueType, side.TextValue = "TEXT", "left"
    del side.ConceptCodeSequence
    certainty = find_item(ds, concepts.CERTAINTY)
    certainty.MeasuredValueSequence[0]["NumericValue"] = DataElement(
        "NumericValue", "FD", float("nan"), validation_mode=IGNORE
    )
    center = find_item(ds, concepts.CENTER)
    center.GraphicData = [3e38, -3e38]
    path = saved(tmp_path, ds)
    assert "Image Laterality: left" in explain(path).output
    text = explain(path, "--json").output
    assert "NaN" not in text
    assert json.loads(text)
    checked = explain(path, "--check")
    assert checked.exit_code == 1
    assert "a NUM without a number" in checked.output
    assert "a coordinate that is in no image" in checked.output


@pytest.mark.parametrize("form", [(), ("--json",), ("--check",), ("--png", "image.dcm")])
def test_a_broken_file_is_refused_by_its_name(tmp_path: Path, form: tuple[str, ...]) -> None:
    path = saved(tmp_path, build_valid("mixed"))
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(SettingsError, match=r"sr\.dcm: the data set ends early"):
        explain(path, *form)


def test_an_error_names_a_few_images_of_very_many(tmp_path: Path) -> None:
    ds = build_valid("mixed")
    library = find_item(ds, concepts.IMAGE_LIBRARY)
    first = library.ContentSequence[0]
    for number in range(100):
        entry = deepcopy(first)
        entry.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = f"1.2.3.100.{number}"
        library.ContentSequence.append(entry)
    image = image_file(tmp_path, make_header("LCC", SOPInstanceUID="1.2.3.99"))
    with pytest.raises(SettingsError, match="and 84 more") as raised:
        explain(saved(tmp_path, ds), "--png", image)
    assert len(str(raised.value)) < 2000
