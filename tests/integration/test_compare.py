import json
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from secondread.cli.commands import app
from secondread.codes import Laterality, Morphology
from secondread.detect.manifest import locate_default_manifest
from secondread.errors import SettingsError
from secondread_lab.simulate.exam import ExamSpec, Seeds, write_exam
from secondread_lab.simulate.lesion_history import LesionSpec


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exam")
    new = LesionSpec(
        "new",
        Laterality.LEFT,
        Morphology.ROUND,
        place=(0.45, 0.2, -0.2),
        count=10,
        diameter_mm=(0.9, 1.1),
        extent_mm=10.0,
        course="new",
    )
    spec = ExamSpec(
        date(2026, 1, 5),
        Seeds(21, 2, 3),
        lesions=(new,),
        density="a",
        pitch_mm=0.2,
        views=("LCC",),
    )
    write_exam(spec, folder)
    return folder


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_two_exams_are_compared_and_drawn(exam: Path, tmp_path: Path) -> None:
    folders = (str(exam / "current"), str(exam / "prior"))

    said = run("compare", *folders, "--out", str(tmp_path), "--override-gate", "all")

    document = json.loads((tmp_path / "comparison.json").read_text())
    assert document["compared"]
    assert document["views"][0]["tissue_aligned"]
    # At this coarse pitch texture is marked too: what counts is the cluster that was put in.
    assert "new" in [c["verdict"] for c in document["changes"] if c["current"]]
    assert "new since 2025-01" in " ".join(said.split())
    for name in ("LCC.png", "LCC-blink-current.png", "LCC-blink-prior.png", "LCC-blink.gif"):
        assert (tmp_path / name).stat().st_size > 10_000


def test_exams_that_are_put_together_the_wrong_way_round_are_doubted(
    exam: Path, tmp_path: Path
) -> None:
    folders = (str(exam / "prior"), str(exam / "current"))

    said = run("compare", *folders, "--out", str(tmp_path), "--override-gate", "all")

    document = json.loads((tmp_path / "comparison.json").read_text())
    assert document["doubts"] == ["the prior is of a later day than the exam"]
    assert "beware: the prior is of a later day than the exam" in " ".join(said.split())


def test_a_reading_with_its_prior_says_what_is_new(exam: Path, tmp_path: Path) -> None:
    folders = (str(exam / "current"), str(exam / "prior"))

    run("read", *folders, "--out", str(tmp_path), "--override-gate", "all")

    document = json.loads((tmp_path / "findings.json").read_text())
    current = next(study for study in document["studies"] if study["role"] == "current")
    assert current["comparisons"][0]["compared"]
    assert "no-comparison" not in current["reasons"]
    (image,) = [i for i in document["images"] if i["study_uid"] == current["study_uid"]]
    changes = [f["change"] for f in image["findings"] if f["kind"] == "cluster" and f["shown"]]
    assert changes[0] == "new"  # of the surest
    assert not list(tmp_path.rglob("*.npy"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param([], "goes with --benchmark", id="no benchmark"),
        pytest.param(["--limits", "2"], "goes with --benchmark", id="limits"),
        pytest.param(["--benchmark", "2", "--oracle"], "not with --oracle", id="no detector"),
        pytest.param(["--benchmark", "2"], "is the model that reads", id="no upgrade"),
        pytest.param(["--benchmark", "2", "--limits", "2"], "are two runs", id="both"),
    ],
)
def test_what_an_upgrade_is_not_judged_by_is_said(
    options: list[str], words: str, tmp_path: Path
) -> None:
    older = [] if words == "are two runs" else ["--prior-model", str(locate_default_manifest())]

    with pytest.raises(SettingsError, match=words):
        CliRunner().invoke(
            app, ["compare", *options, *older, "--out", str(tmp_path)], catch_exceptions=False
        )
