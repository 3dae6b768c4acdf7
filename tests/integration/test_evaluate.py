"""`secondread evaluate`: images and truth in, figures and pictures out, and on where it stopped."""

import json
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pydicom
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from secondread.cli.commands import app
from secondread.codes import Laterality, Morphology
from secondread.detect.manifest import locate_default_manifest
from secondread.errors import SettingsError
from secondread_lab.judge import image_sources
from secondread_lab.judge.hybrid import VERSIONS, make_hybrid_set
from secondread_lab.judge.population import PlannedExam
from secondread_lab.judge.viewing import ImageReader
from secondread_lab.simulate.exam import write_exam
from secondread_lab.simulate.lesion_history import LesionSpec
from secondread_lab.simulate.spec import ExamSpec, Seeds
from secondread_lab.simulate.truth import read_truth, write_truth

# The coarsest pitch that is read, one view of each breast, a plain cluster on the left.
SPEC = ExamSpec(
    date(2026, 6, 1),
    Seeds(11, 3, 5),
    prior_years=None,
    lesions=(
        LesionSpec(
            "plain",
            Laterality.LEFT,
            Morphology.ROUND,
            count=12,
            diameter_mm=(0.5, 0.7),
            extent_mm=10.0,
        ),
    ),
    density="a",
    pitch_mm=0.1,
    views=("LCC", "RCC"),
)


@dataclass(frozen=True)
class Exam:
    folder: Path
    truth: Path
    left: str
    """SOP Instance UIDs."""
    right: str


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> Exam:
    files = write_exam(SPEC, tmp_path_factory.mktemp("exam"))
    left, right = (str(pydicom.dcmread(p).SOPInstanceUID) for p in files.current)
    return Exam(files.current[0].parent, files.truth, left, right)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", "--resamples", "100", *map(str, arguments)])


def results(out: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((out / "results.json").read_text())
    return document


@pytest.fixture(scope="module")
def judged(exam: Exam, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("judged")
    result = run(exam.folder, "--truth", exam.truth, "--out", out)
    assert result.exit_code == 0, result.output
    return out


def test_a_plain_cluster_is_found_and_every_figure_has_its_place(judged: Path) -> None:
    document = results(judged)
    (part,) = document["parts"]

    assert part["counts"]["views_read"] == 2
    assert part["counts"]["target_clusters"] == 1
    assert part["counts"]["cluster_free_views"] == 1
    assert part["points"][0]["hit"]["value"] == 1.0
    assert part["singles"][0]["at"][2]["value"] > 0.5
    assert document["model"]["name"]
    assert document["set"]["faults"] == []


def test_the_report_shows_pictures_that_are_there(judged: Path) -> None:
    text = (judged / "report.md").read_text()
    shown = [line.split("(")[1].rstrip(")") for line in text.splitlines() if line.startswith("![")]

    assert {"clusters.png", "singles.png", "hits.png"} <= set(shown)
    for name in shown:
        with Image.open(judged / name) as picture:
            assert picture.width > 250
    assert "None" not in text
    assert "nan" not in text


def test_what_was_read_is_not_read_again(
    exam: Exam, judged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("an image was read again")

    monkeypatch.setattr(ImageReader, "from_manifest", fail)
    before = (judged / "views.jsonl").read_bytes()
    result = run(exam.folder, "--truth", exam.truth, "--out", judged)

    assert result.exit_code == 0, result.output
    assert (judged / "views.jsonl").read_bytes() == before


def test_a_run_goes_on_after_a_line_that_a_crash_cut_short(
    exam: Exam, judged: Path, tmp_path: Path
) -> None:
    first, second = (judged / "views.jsonl").read_text().splitlines()
    (tmp_path / "run.json").write_bytes((judged / "run.json").read_bytes())
    (tmp_path / "views.jsonl").write_text(f"{first}\n{second[:200]}")
    result = run(exam.folder, "--truth", exam.truth, "--out", tmp_path)

    assert result.exit_code == 0, result.output
    again = (tmp_path / "views.jsonl").read_text().splitlines()
    assert again[0] == first
    assert [json.loads(line)["key"] for line in again] == sorted([exam.left, exam.right])
    assert "1/2" in result.output or "2/2" in result.output


def test_several_processes_find_what_one_finds(exam: Exam, judged: Path, tmp_path: Path) -> None:
    result = run(exam.folder, "--truth", exam.truth, "--out", tmp_path, "--processes", 2)
    assert result.exit_code == 0, result.output
    one, two = (results(out)["parts"][0] for out in (judged, tmp_path))
    assert {**one, "seconds": 0} == {**two, "seconds": 0}


def test_truth_without_an_image_is_listed_and_an_image_without_truth_is_not_scored(
    exam: Exam, tmp_path: Path
) -> None:
    rows = [row for row in read_truth(exam.truth) if row.sop_instance_uid == exam.left]
    truth = tmp_path / "truth.csv"
    write_truth(truth, [*rows, replace(rows[0], sop_instance_uid="1.2.3.4", parent_id="")])
    out = tmp_path / "out"
    result = run(exam.folder, "--truth", truth, "--out", out)

    assert result.exit_code == 1
    found = results(out)["set"]
    assert found["faults"] == [f"{truth} row {len(rows) + 2}: no image 1.2.3.4 was given"]
    assert [Path(path).name for path in found["unannotated"]] == ["RCC.dcm"]
    assert results(out)["parts"][0]["counts"]["views"] == 1
    assert "no image 1.2.3.4" in (out / "report.md").read_text()


def test_an_image_whose_truth_was_corrected_is_read_again(
    exam: Exam, judged: Path, tmp_path: Path
) -> None:
    for name in ("run.json", "views.jsonl"):
        (tmp_path / name).write_bytes((judged / name).read_bytes())
    truth = tmp_path / "truth.csv"
    corrected = [
        replace(row, morphology="amorphous" if row.kind == "cluster" else row.morphology)
        for row in read_truth(exam.truth)
    ]
    write_truth(truth, corrected)
    result = run(exam.folder, "--truth", truth, "--out", tmp_path)

    assert result.exit_code == 0, result.output
    groups = results(tmp_path)["parts"][0]["groups"]
    assert [g["label"] for g in groups if g["facet"] == "morphology"] == ["amorphous"]
    assert len((tmp_path / "views.jsonl").read_text().splitlines()) == 3


def _copy_model(folder: Path, before: str, after: str) -> Path:
    """Copy the shipped model with another manifest."""
    shipped = locate_default_manifest()
    for file in shipped.parent.glob("*.onnx"):
        (folder / file.name).symlink_to(file)
    text = shipped.read_text()
    assert before in text
    other = folder / "manifest.toml"
    other.write_text(text.replace(before, after))
    return other


def test_results_of_another_detector_are_not_mixed_in(
    exam: Exam, judged: Path, tmp_path: Path
) -> None:
    other = _copy_model(tmp_path, "minimum_seen = 0.2", "minimum_seen = 0.3")
    result = run(exam.folder, "--truth", exam.truth, "--out", judged, "--model", other)

    assert isinstance(result.exception, SettingsError)
    assert "another detector" in str(result.exception)


def test_marks_are_grouped_anew_by_a_model_of_the_same_graphs(
    exam: Exam, judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("an image was read again")

    monkeypatch.setattr(ImageReader, "from_manifest", fail)
    out = tmp_path / "out"
    out.mkdir()
    for name in ("run.json", "views.jsonl"):
        (out / name).write_bytes((judged / name).read_bytes())
    strict = _copy_model(tmp_path, "{ cluster = ", "{ cluster = 100.0, skin = ")
    result = run(exam.folder, "--truth", exam.truth, "--out", out, "--model", strict)

    assert result.exit_code == 0, result.output
    points = results(out)["parts"][0]["points"]
    assert [point["hit"]["value"] for point in points] == [0.0] * 3


@pytest.mark.parametrize(
    "arguments",
    [[], ["--exams", "daily", "FOLDER"], ["FOLDER"], ["--exams", "hybrid"]],
)
def test_a_senseless_command_says_what_is_wanted(
    arguments: list[str], exam: Exam, tmp_path: Path
) -> None:
    named = [str(exam.folder) if one == "FOLDER" else one for one in arguments]
    result = run(*named, "--out", tmp_path / "out")
    assert isinstance(result.exception, SettingsError)


@pytest.fixture
def one_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = PlannedExam(17, replace(SPEC, views=("LCC",)), Morphology.ROUND)
    monkeypatch.setattr(image_sources, "plan_exams", lambda _: (planned,))


@pytest.mark.usefixtures("one_planned")
def test_simulated_exams_are_made_read_and_thrown_away(tmp_path: Path) -> None:
    result = run("--exams", "daily", "--out", tmp_path)

    assert result.exit_code == 0, result.output
    assert results(tmp_path)["parts"][0]["points"][0]["hit"]["value"] == 1.0
    assert "exam-0017/LCC" in result.output
    # It is no exam of the frozen set, and the results say so.
    (differing,) = results(tmp_path)["set"]["differing"]
    assert differing.startswith("exam-0017/LCC: ")
    assert not list(tmp_path.rglob("*.dcm"))


def test_a_real_view_is_read_as_it_is_and_with_clusters_that_leave_the_rest_alone(
    exam: Exam,
) -> None:
    test_set = make_hybrid_set(exam.folder, ("LCC.dcm",))
    left, right = test_set.sources
    images = left.make_images()
    as_is, first = next(images), next(images)
    others = right.make_images()
    real, other = next(others), next(others)
    assert isinstance(first.content, pydicom.Dataset)

    assert [one.rsplit("/", 1)[0] for one in (left.keys[0], right.keys[0])] == ["LCC", "RCC"]
    assert len(left.keys) == VERSIONS + 1
    assert (as_is.subset, real.subset) == ("seen-as-background", "unseen")
    # Clusters of one view are never the lesions of another.
    assert not {row.lesion_id for row in first.rows} & {row.lesion_id for row in other.rows}
    assert [row.kind for row in as_is.rows] == ["none"]
    before = pydicom.dcmread(exam.folder / "LCC.dcm").pixel_array.astype(int)
    after = first.content.pixel_array.astype(int)
    boxes = [row for row in first.rows if row.kind == "calcification"]
    assert sum(row.kind == "cluster" for row in first.rows) == 3
    assert first.content.SOPInstanceUID != pydicom.dcmread(exam.folder / "LCC.dcm").SOPInstanceUID
    touched = before != after
    # Calcifications are bright, and a few pixels of a million change.
    assert 0 < touched.mean() < 0.002
    assert (after[touched] > before[touched]).all()
    for row in boxes:
        assert row.x0 is not None
        assert row.y0 is not None
        assert row.x1 is not None
        assert row.y1 is not None
        middle = int((row.y0 + row.y1) / 2), int((row.x0 + row.x1) / 2)
        assert touched[middle[0] - 2 : middle[0] + 3, middle[1] - 2 : middle[1] + 3].any()
