"""`secondread devices`: which mammography units made the exams, and how they are scored."""

from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from secondread.app.node import open_node
from secondread.cli.options import AsJson, SettingsFile, print_json, read_settings
from secondread.findings.score_drift import ScoreChange
from secondread.track.summaries import DeviceSummary

app = typer.Typer(
    help="Which mammography units made the exams, and how they are scored.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def _group() -> None:
    """Keep `list` a command of its own: typer would make the only command the group itself."""


@app.command("list")
def list_devices(
    as_json: AsJson = False,
    settings: SettingsFile = None,
) -> None:
    """List devices, and whether the scores of their latest exams have moved.

    LABEL is the name in metrics and alarms. A device whose scores have moved was perhaps given a
    new detector or new processing.
    """
    from secondread.app.reader import open_reader
    from secondread.app.score_watch import find_change

    node = open_node(read_settings(settings, "devices"))
    digest = open_reader(node.settings.detect, node.settings.findings).model.digest
    rows = [
        (device, find_change(node.tracker, device, digest))
        for device in node.tracker.devices.list_devices()
    ]
    if as_json:
        print_json({"devices": [_encode(*row) for row in rows]})
        return
    table = Table("label", "maker", "model", "median score", "before", "scores", box=None)
    for device, change in rows:
        figures = ("-", "-", "too few exams") if change is None else _describe(change)
        names = escape(device.device.manufacturer), escape(device.device.model)
        table.add_row(device.label, *names, *figures)
    Console().print(table)


def _describe(change: ScoreChange) -> tuple[str, str, str]:
    words = "moved" if change.is_moved else "as before"
    return f"{change.recent_median:.1f}", f"{change.earlier_median:.1f}", words


def _encode(device: DeviceSummary, change: ScoreChange | None) -> dict[str, Any]:
    encoded: dict[str, Any] = {
        "label": device.label,
        "manufacturer": device.device.manufacturer,
        "model": device.device.model,
        "scores": None,
    }
    if change is not None:
        encoded["scores"] = {
            "recent_median": change.recent_median,
            "recent_exams": change.recent_exams,
            "earlier_median": change.earlier_median,
            "earlier_exams": change.earlier_exams,
            "chance": change.chance,
            "moved": change.is_moved,
        }
    return encoded
