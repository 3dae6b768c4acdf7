"""The list of commands, which is written down apart from the commands so that it starts quickly."""

import pytest
from typer.testing import CliRunner

from secondread.cli.commands import SUMMARIES, TARGETS, app, load_command


def test_every_command_is_listed_with_its_summary() -> None:
    result = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"})

    assert result.exit_code == 0
    assert list(TARGETS) == list(SUMMARIES)
    listed = [line for line in result.output.splitlines() if line.startswith("│ ")]
    for name, summary in SUMMARIES.items():
        assert any(line.split()[1] == name and summary in line for line in listed), name


@pytest.mark.parametrize("name", TARGETS)
def test_the_summary_is_the_first_paragraph_of_the_commands_own_help(name: str) -> None:
    first_paragraph = load_command(name).help.split("\n\n")[0]
    assert SUMMARIES[name] == " ".join(first_paragraph.split())


@pytest.mark.parametrize("name", TARGETS)
def test_a_command_answers_help_under_its_own_name(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"})

    assert result.exit_code == 0
    assert f"secondread {name} " in result.output
    assert "--install-completion" not in result.output


def test_an_unknown_command_is_an_error_of_usage() -> None:
    result = CliRunner().invoke(app, ["stuides"])

    assert result.exit_code == 2
    assert "studies" in result.output


def test_the_version_is_printed_without_a_command() -> None:
    assert CliRunner().invoke(app, ["--version"]).output.startswith("secondread ")
