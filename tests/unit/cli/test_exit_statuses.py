"""How the program ends: statuses that scripts and service managers go by, and completion."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import secondread

_SOURCE = Path(secondread.__file__).parents[1]
_NO_DATABASE = '[database]\nurl = "postgresql+psycopg://node@/node?host=/nowhere"\n'


def run(
    folder: Path, *arguments: str, settings: str = "", program: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own; `program` is run before it."""
    (folder / "secondread.toml").write_text(settings, encoding="utf-8")
    start = (
        f"import sys; sys.argv[0] = 'secondread'; {program}\nimport secondread.cli as c; c.main()"
    )
    return subprocess.run(
        [sys.executable, "-c", start, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(_SOURCE), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "settings", "status", "words"),
    [
        (("--version",), "", 0, ""),
        (("studies", "list"), "", 0, ""),
        (("check", "--nonsense"), "", 2, "No such option"),
        (("studies", "list", "--limit", "-1"), "", 2, "--limit"),
        (("studies", "list"), "[receive]\nport = 'x'\n", 2, "receive.port: has to be"),
        (("studies", "show", "1.2.3"), "", 2, "there is no study 1.2.3"),
        (("studies", "list"), '[node]\ndata_dir = "secondread.toml"\n', 2, "is a file"),
        (("studies", "list"), _NO_DATABASE, 69, "does not run, or listens elsewhere"),
        (("check",), _NO_DATABASE, 1, ""),
    ],
)
def test_a_command_ends_with_the_status_of_the_runbook(
    tmp_path: Path, arguments: tuple[str, ...], settings: str, status: int, words: str
) -> None:
    ended = run(tmp_path, *arguments, settings=settings)
    assert ended.returncode == status, ended.stderr
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_error_that_nobody_expected_has_a_status_of_its_own(tmp_path: Path) -> None:
    program = "import secondread.app.node as n; n.open_node = None"
    ended = run(tmp_path, "studies", "list", program=program)
    assert ended.returncode == 70
    assert "Traceback" not in ended.stderr


def test_a_shell_completes_commands_options_and_values(tmp_path: Path) -> None:
    for line, wanted in (
        ("secondread stu", {"studies"}),
        ("secondread studies sh", {"show"}),
        ("secondread studies list --js", {"--json"}),
        ("secondread studies list --state re", {"reading", "reported"}),
    ):
        asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
        answer = run(tmp_path, _SECONDREAD_COMPLETE="complete_bash", **asked)
        assert set(answer.stdout.split()) == wanted, answer.stderr
    script = run(tmp_path, "completion", "bash").stdout
    assert "_SECONDREAD_COMPLETE=complete_bash" in script
    assert script.rstrip().endswith("secondread")
