"""`secondread audit`: who did what, as the audit trail has it."""

import getpass
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from secondread.audit import AuditEvent, AuditKind
from secondread.cli.options import AsJson, Limit, SettingsFile, print_json, read_settings
from secondread.cli.study_list import shorten_uids
from secondread.clock import utc_now

app = typer.Typer(help="Who did what: the audit trail.", no_args_is_help=True, add_completion=False)

AsXml = Annotated[bool, typer.Option("--xml", help="Print the messages as they are sent.")]


@app.callback()
def _group() -> None:
    """Make `list` a command of its own."""


@app.command("list")
def list_messages(
    limit: Limit = 50, xml: AsXml = False, as_json: AsJson = False, settings: SettingsFile = None
) -> None:
    """List the newest events of the audit trail."""
    from secondread.app.node import open_node

    node = open_node(read_settings(settings, "audit"))
    user, now = getpass.getuser()[:80], utc_now()
    node.tracker.audit_messages.add([AuditEvent(AuditKind.TRAIL_READ, now, user)])
    rows = node.tracker.audit_messages.list_newest(limit)
    if as_json:
        print_json({"messages": rows})
        return
    if xml:
        for row in rows:
            typer.echo(row.message)
        return
    names = shorten_uids(sorted({row.study_uid for row in rows}))
    headings = ("at (UTC)", "event", "by", "from", "study", "process", "sent")
    table = Table(*headings, box=None, padding=(0, 1, 0, 0))
    for row in rows:
        texts = (row.user, row.address, names[row.study_uid], row.process)
        sent = "yes" if row.is_sent else "no"
        table.add_row(f"{row.at:%Y-%m-%d %H:%M:%S}", row.kind, *map(escape, texts), sent)
    Console(highlight=False).print(table)
