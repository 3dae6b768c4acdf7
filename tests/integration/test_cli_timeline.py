"""`secondread patients timeline` and `assess`, on a node that has read a woman's exams."""

from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from secondread.cli.commands import app
from secondread.errors import InputError
from tests.worlds.node_world import LAST_YEAR, NOW, OLD, OTHER, PatientWorld

PATIENT = "P1^^^HOSPITAL"


@pytest.fixture
def world(tmp_path: Path) -> PatientWorld:
    world = PatientWorld(tmp_path)
    world.hold_prior((LAST_YEAR, OLD))
    world.read_view(NOW, OLD + OTHER)
    return world


def patients(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(
        app, ["patients", *words, "--settings", str(folder / "secondread.toml")]
    )


@pytest.mark.usefixtures("world")
def test_the_timeline_is_drawn_without_the_images_and_names_nobody(
    tmp_path: Path, world: PatientWorld
) -> None:
    for image in (world.node.archive.root / "instances").rglob("*.dcm"):
        image.unlink()
    out = tmp_path / "timeline.png"

    said = patients(tmp_path, "timeline", PATIENT, "--out", str(out))

    assert said.exit_code == 0, said.output
    assert "2 lesions" in said.output
    with Image.open(out) as picture:
        assert picture.height > 700
        assert not picture.info


@pytest.mark.usefixtures("world")
def test_crops_that_are_gone_leave_their_place_empty(tmp_path: Path, world: PatientWorld) -> None:
    pictures = []
    for out in (tmp_path / "whole.png", tmp_path / "bare.png"):
        assert patients(tmp_path, "timeline", PATIENT, "--out", str(out)).exit_code == 0
        pictures.append(Image.open(out))
        for crop in (world.node.archive.root / "crops").rglob("*.png"):
            crop.unlink()

    assert pictures[0].size == pictures[1].size
    assert pictures[0].tobytes() != pictures[1].tobytes()


@pytest.mark.usefixtures("world")
def test_an_unknown_patient_is_an_error(tmp_path: Path) -> None:
    said = patients(tmp_path, "timeline", "P9", "--out", str(tmp_path / "x.png"))

    assert isinstance(said.exception, InputError)
    assert not (tmp_path / "x.png").exists()


def test_a_category_is_written_down_and_withdrawn(tmp_path: Path, world: PatientWorld) -> None:
    def category() -> dict[str, str]:
        return dict(world.list_histories()[0].categories)

    assert patients(tmp_path, "assess", "1.2.3", "l", "4b").exit_code == 0
    assert category() == {"1.2.3": "4B"}
    assert patients(tmp_path, "assess", "1.2.3", "L", "-").exit_code == 0
    assert category() == {}


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("words", [("1.2.3", "L", "7"), ("1.2.3", "B", "2"), ("1.2.77", "L", "2")])
def test_what_is_no_category_breast_or_study_is_refused(
    tmp_path: Path, words: tuple[str, str, str]
) -> None:
    assert isinstance(patients(tmp_path, "assess", *words).exception, InputError)
