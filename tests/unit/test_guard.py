import subprocess
import sys
from pathlib import Path

import pytest

import secondread

FAULTS = {
    "main": "raise ValueError('Doe^Jane')",
    "thread": "from threading import Thread; t = Thread(target=int, args=('Doe^Jane',)); t.start()",
    "cleanup": "import weakref; x = set(); weakref.finalize(x, int, 'Doe^Jane'); del x",
    "warning": "import warnings; warnings.simplefilter('always'); warnings.warn('Doe^Jane')",
    "library": "import logging; logging.getLogger('pynetdicom').error('Doe^Jane')",
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("configured", [True, False], ids=["node", "command"])
def test_nothing_that_python_writes_by_itself_quotes_a_value(
    fault: str, *, configured: bool
) -> None:
    begin = "from secondread import guard, log; guard.replace_tracebacks()"
    if configured:
        begin += "; log.configure_logging('test')"
    process = subprocess.run(
        [sys.executable, "-c", f"{begin}\n{fault}"],
        env={"PYTHONPATH": str(Path(secondread.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    said = process.stdout + process.stderr
    assert "Doe" not in said
    assert "Traceback" not in said
    if configured or fault == FAULTS["main"]:
        assert any(word in said for word in ("_failed", "library_records", "unexpected ValueError"))


def test_a_command_that_breaks_says_where_and_no_more(tmp_path: Path) -> None:
    script = (
        "from secondread.cli import commands, main\n"
        "commands.app = lambda: int('Doe^Jane')\n"
        "main()\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(Path(secondread.__file__).parents[1])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 70
    assert process.stderr.startswith("secondread: unexpected ValueError at <string>:2 < ")
    assert "Doe" not in process.stderr
