"""What a command imports: a question must not wait for what reads an exam."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import secondread
from secondread.track.migrate import upgrade_database
from secondread.track.tracker import Tracker
from tests.worlds.track_world import STUDY, World, mammogram

READING = {"cv2", "dbos", "highdicom", "imagecodecs", "onnxruntime", "scipy"}
"""What only a reading needs, and takes seconds to import."""

HEADERS = {"numpy", "PIL", "pydicom"}
"""What only somebody who reads headers or pixels needs."""

SERVING = {"alembic", "pynetdicom", "starlette", "uvicorn"}
"""What only a process that serves, or a migration, needs."""

HELP_NEEDS_NOT = {"numpy", "PIL", "pydantic", "pydicom", "sqlalchemy", "structlog"}

_PRINT_IMPORTED = (
    "import sys\n"
    "from secondread.cli import main\n"
    "try: main()\n"
    "except SystemExit as end: assert not end.code, end.code\n"
    "print(); print(*sys.modules)"
)


def list_imported(folder: Path, *arguments: str) -> set[str]:
    """Run a command in a process of its own, and return the packages that it imported."""
    source = Path(secondread.__file__).parents[1]
    process = subprocess.run(
        [sys.executable, "-c", _PRINT_IMPORTED, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return set(process.stdout.splitlines()[-1].split())


def test_help_imports_no_more_than_the_list_of_commands(tmp_path: Path) -> None:
    imported = list_imported(tmp_path, "--help")

    assert not imported & (READING | SERVING | HELP_NEEDS_NOT)
    assert "secondread.settings" not in imported


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a node with one study."""
    folder = tmp_path_factory.mktemp("node")
    (folder / "secondread.toml").write_text(f'[node]\ndata_dir = "{folder}"\n')
    url = f"sqlite:///{folder}/tracker.sqlite"
    upgrade_database(url)
    World(Tracker(url, folder)).arrive(mammogram("RCC"))
    return folder


@pytest.mark.parametrize("question", [("list",), ("show", STUDY)])
def test_a_question_about_studies_imports_what_asks_the_tracker_and_nothing_that_reads(
    node: Path, question: tuple[str, ...]
) -> None:
    imported = list_imported(node, "studies", *question)

    assert "sqlalchemy" in imported
    assert not imported & (READING | SERVING | HEADERS)
    assert not any(name.startswith("secondread_lab") for name in imported)
