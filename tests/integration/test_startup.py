"""What a command imports: a question must not wait for what reads an exam."""

import os
import subprocess
import sys
from pathlib import Path

import secondread

READING = {"cv2", "dbos", "highdicom", "imagecodecs", "onnxruntime", "scipy"}
"""What only a reading needs, and takes seconds to import."""

HEAVY = READING | {"alembic", "numpy", "PIL", "pydicom", "pynetdicom", "starlette", "uvicorn"}

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

    assert not imported & (HEAVY | {"pydantic", "sqlalchemy", "structlog"})
    assert "secondread.settings" not in imported
