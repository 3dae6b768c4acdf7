"""Options that several commands share, and the settings they lead to."""

import json
import os
from datetime import date
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

AsJson = Annotated[
    bool, typer.Option("--json", help="As JSON, for programs: no key of it changes its meaning.")
]

DEFAULT_FILE = Path("secondread.toml")


def find_settings_file(given: Path | None) -> Path | None:
    """Return the settings file in force, or None where there is none."""
    if given is not None:
        return given.resolve()
    return DEFAULT_FILE.resolve() if DEFAULT_FILE.is_file() else None


def print_json(document: object) -> None:
    """Print a document for programs; dates as ISO 8601, times in UTC."""
    typer.echo(json.dumps(document, indent=2, default=_encode))


def _encode(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def read_settings(given: Path | None, process: str, *, is_service: bool = False) -> Settings:
    """Load the settings, and set the logging up by them; what the process writes is private.

    What a command does, it prints: it logs warnings and errors alone, unlike a service, which runs
    until it is stopped.
    """
    guard.keep_files_private()
    settings = load_settings(find_settings_file(given), os.environ)
    level = settings.log.level if is_service or settings.log.level != "info" else "warning"
    log.configure_logging(process, level)
    return settings
