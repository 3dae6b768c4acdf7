"""`secondread completion`: commands and options that the shell completes."""

from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]

from secondread.cli import COMPLETION_VARIABLE


class Shell(StrEnum):
    """The shells that can."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def print_script(
    shell: Annotated[Shell, typer.Argument(help="The shell that is to complete.")],
) -> None:
    """Print what makes a shell complete commands and options; put it where the shell reads it.

    bash: `secondread completion bash > /etc/bash_completion.d/secondread`. zsh: into a file
    `_secondread` of a folder in `$fpath`. fish: into `~/.config/fish/completions/secondread.fish`.
    """
    typer.echo(
        get_completion_script(
            prog_name="secondread", complete_var=COMPLETION_VARIABLE, shell=shell.value
        )
    )
