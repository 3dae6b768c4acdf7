"""`secondread destinations`: where results go, and whether they leave."""

import getpass
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from secondread.app.node import open_node
from secondread.cli.options import AsJson, SettingsFile, print_json, read_settings
from secondread.clock import utc_now
from secondread.errors import SettingsError
from secondread.settings import DestinationMode
from secondread.track.states import DeliveryState
from secondread.track.summaries import DestinationSummary

app = typer.Typer(
    help="Where results go, and whether they leave.", no_args_is_help=True, add_completion=False
)

Names = Annotated[list[str], typer.Argument(help="Names of destinations.")]


@app.command("list")
def list_destinations(as_json: AsJson = False, settings: SettingsFile = None) -> None:
    """List destinations with their mode, what waits for them, and why."""
    node = open_node(read_settings(settings, "destinations"))
    if as_json:
        rows = node.tracker.node_queries.list_destinations()
        print_json({"destinations": rows})
        return
    states = ("waiting", "stored", "delivered", "duplicate", "shadow")
    notes: list[str] = []
    table = Table("name", "mode", box=None, padding=(0, 1, 0, 0))
    for state in states:
        table.add_column(state, justify="right")
    table.add_column("peer", overflow="fold")
    for row in node.tracker.node_queries.list_destinations():
        configured = next((d for d in node.settings.destinations if d.name == row.name), None)
        peer = f"{configured.ae_title}@{configured.host}:{configured.port}" if configured else "-"
        table.add_row(
            row.name,
            row.mode,
            str(row.counts[DeliveryState.PENDING] + row.counts[DeliveryState.SENDING]),
            str(row.counts[DeliveryState.STORED]),
            str(row.counts[DeliveryState.DELIVERED]),
            str(row.counts[DeliveryState.DUPLICATE]),
            str(row.counts[DeliveryState.SHADOW]),
            escape(peer),
        )
        notes.extend(describe_trouble(row))
    console = Console()
    console.print(table)
    for note in notes:
        console.print(escape(note), soft_wrap=True)


def describe_trouble(row: DestinationSummary) -> Iterator[str]:
    """Give what is to be known of a destination beside its numbers."""
    if row.reasons and row.oldest_waiting_at:
        again = f"; next try {row.next_attempt_at:%H:%M:%S} UTC" if row.next_attempt_at else ""
        waits = f"{row.name}: waits since {row.oldest_waiting_at:%Y-%m-%d %H:%M} UTC{again}"
        yield waits
        yield from (f"  {reason}" for reason in row.reasons)
    if row.warned:
        yield f"{row.name}: stored {row.warned} objects with a warning; the studies show which"


@app.command("live")
def send_results(names: Names, settings: SettingsFile = None) -> None:
    """Send what is read from now on; what was read in shadow stays."""
    _set_mode(names, DestinationMode.LIVE, settings)


@app.command("shadow")
def keep_results(names: Names, settings: SettingsFile = None) -> None:
    """Read, store and show everything, send nothing."""
    _set_mode(names, DestinationMode.SHADOW, settings)


@app.command()
def pause(names: Names, settings: SettingsFile = None) -> None:
    """Keep results waiting until the destination is live again."""
    _set_mode(names, DestinationMode.PAUSED, settings)


def _set_mode(names: list[str], mode: DestinationMode, settings: SettingsFile) -> None:
    node = open_node(read_settings(settings, "destinations"))
    names_there = {row.name for row in node.tracker.node_queries.list_destinations()}
    for name in names:
        if name not in names_there:
            raise SettingsError(
                f"no destination {name!r}; there are: {', '.join(sorted(names_there))}"
            )
        node.tracker.destinations.set_mode(name, mode, getpass.getuser(), utc_now())
        typer.echo(f"{name}: {mode}")
