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

_COLUMNS = {
    "waiting": (DeliveryState.PENDING, DeliveryState.SENDING),
    "stored": (DeliveryState.STORED,),
    "delivered": (DeliveryState.DELIVERED,),
    "duplicate": (DeliveryState.DUPLICATE,),
    "shadow": (DeliveryState.SHADOW,),
}
"""What is counted, and which states of a delivery that is."""

Names = Annotated[list[str], typer.Argument(help="Names of destinations.")]


@app.command("list")
def list_destinations(as_json: AsJson = False, settings: SettingsFile = None) -> None:
    """List destinations with their mode, what waits for them, and why."""
    node = open_node(read_settings(settings, "destinations"))
    rows = node.tracker.node_queries.list_destinations()
    if as_json:
        print_json({"destinations": rows})
        return
    # Few ever have a duplicate, and the column would take the room of the peer.
    columns = {
        heading: states
        for heading, states in _COLUMNS.items()
        if heading != "duplicate" or any(row.counts[DeliveryState.DUPLICATE] for row in rows)
    }
    table = Table("name", "mode", box=None, padding=(0, 1, 0, 0))
    for heading in columns:
        table.add_column(heading, justify="right")
    table.add_column("peer", overflow="fold")
    for row in rows:
        configured = next((d for d in node.settings.destinations if d.name == row.name), None)
        peer = f"{configured.ae_title}@{configured.host}:{configured.port}" if configured else "-"
        counts = (str(sum(row.counts[state] for state in states)) for states in columns.values())
        table.add_row(row.name, row.mode, *counts, escape(peer))
    console = Console(highlight=False)
    console.print(table)
    for row in rows:
        for note in describe_trouble(row):
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
