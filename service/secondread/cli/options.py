"""Options that several commands share, and the settings they lead to."""

import os
from pathlib import Path
from typing import Annotated

import typer

from secondread import guard, log
from secondread.settings import Settings, load_settings

SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        envvar="SECONDREAD_SETTINGS",
        help="Settings file (TOML). Default: secondread.toml in the present folder, if any.",
        show_default=False,
    ),
]

Parent = Annotated[
    int | None,
    typer.Option("--parent", hidden=True, help="Stop when this parent process dies."),
]

ProbePort = Annotated[
    int | None,
    typer.Option(
        help="Answer /healthz, /readyz and /metrics on this port of the web host; for processes "
        "that run apart from the web process.",
        show_default=False,
    ),
]

OverriddenGates = Annotated[
    list[str] | None,
    typer.Option(
        "--override-gate",
        help="Read although this gate refuses; 'all' for every gate. Repeatable.",
    ),
]

OtherManifest = Annotated[
    Path | None, typer.Option(help="Manifest of another model.", show_default=False)
]

DEFAULT_FILE = Path("secondread.toml")


def find_settings_file(given: Path | None) -> Path | None:
    """Return the settings file in force, or None where there is none."""
    if given is not None:
        return given.resolve()
    return DEFAULT_FILE.resolve() if DEFAULT_FILE.is_file() else None


def read_settings(given: Path | None, process: str) -> Settings:
    """Load the settings, and set the logging up by them; what the process writes is private."""
    guard.keep_files_private()
    settings = load_settings(find_settings_file(given), os.environ)
    log.configure_logging(process, settings.log.level)
    return settings
