"""What is installed: the wheel that `make` builds carries all that the program needs."""

import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def names() -> set[str]:
    wheels = sorted((ROOT / "build" / "wheel").glob("*.whl"))
    if not wheels:
        pytest.skip("no wheel built (`make test` builds one)")
    with zipfile.ZipFile(wheels[-1]) as wheel:
        return set(wheel.namelist())


def test_the_wheel_has_every_source_file_and_nothing_of_the_tests(names: set[str]) -> None:
    source = ROOT / "service"
    expected = {
        path.relative_to(source).as_posix()
        for package in ("secondread", "secondread_lab")
        for path in (source / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert expected <= names
    assert not [name for name in names if name.startswith(("tests", "models", "deploy"))]


def test_the_wheel_carries_the_manifest_and_every_graph_that_it_names(names: set[str]) -> None:
    manifest = tomllib.loads((ROOT / "models" / "calcification" / "manifest.toml").read_text())
    graphs = [graph["file"] for graph in manifest["graphs"]]

    assert {f"secondread/detect/model/{name}" for name in ["manifest.toml", *graphs]} <= names
