"""Options that several commands share, and the settings they lead to."""

import json
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

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

Limit = Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, the latest first.")]

DEFAULT_FILE = Path("secondread.toml")


def find_settings_file(given: Path | None) -> Path | None:
    """Return the settings file in force, or None where there is none."""
    if given is not None:
        return given.resolve()
    return DEFAULT_FILE.resolve() if DEFAULT_FILE.is_file() else None


def print_json(document: object) -> None:
    """Print a document for programs: values by the names of their fields, times in ISO 8601."""
    typer.echo(json.dumps(_make_plain(document), indent=2, default=_encode))


def _make_plain(value: Any) -> Any:  # noqa: ANN401  (anything that is printed)
    """Return records as mappings, however deep they are in a document."""
    if is_dataclass(value):
        return {field.name: _make_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _make_plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): _make_plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_make_plain(part) for part in value]
    return value


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
