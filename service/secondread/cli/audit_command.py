"""`secondread audit`: who did what, as the audit trail has it."""

import getpass
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from secondread.audit import AuditEvent, AuditKind
from secondread.cli.options import SettingsFile, read_settings
from secondread.clock import utc_now

app = typer.Typer(help="Who did what: the audit trail.", no_args_is_help=True, add_completion=False)

Limit = Annotated[int, typer.Option(min=1, max=100_000, help="How many, the newest first.")]
AsXml = Annotated[bool, typer.Option("--xml", help="Print the messages as they are sent.")]


@app.callback()
def _group() -> None:
    """Make `list` a command of its own."""


@app.command("list")
def list_messages(limit: Limit = 50, xml: AsXml = False, settings: SettingsFile = None) -> None:
    """List the newest events of the audit trail."""
    from secondread.app.node import open_node

    node = open_node(read_settings(settings, "audit"))
    user, now = getpass.getuser()[:80], utc_now()
    node.tracker.audit_messages.add([AuditEvent(AuditKind.TRAIL_READ, now, user)])
    table = Table("at", "event", "by", "from", "study", "process", "sent", box=None)
    for row in node.tracker.audit_messages.list_newest(limit):
        if xml:
            typer.echo(row.message)
            continue
        texts = (row.user, row.address, row.study_uid, row.process)
        sent = "yes" if row.is_sent else "no"
        table.add_row(f"{row.at:%Y-%m-%d %H:%M:%S}", row.kind, *map(escape, texts), sent)
    if not xml:
        Console().print(table)
