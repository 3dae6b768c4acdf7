"""`secondread patients`: whose is what, where one woman has two IDs."""

import getpass
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from secondread.cli.options import PATIENT_HELP, SettingsFile, open_settings, parse_patient
from secondread.clock import utc_now

app = typer.Typer(help="Patients, and IDs that are one patient's.", no_args_is_help=True)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(help="At most so many.")] = 200,
    settings: SettingsFile = None,
) -> None:
    """List patients by ID and issuer; this shows patient IDs."""
    from secondread.app.node import open_node

    node = open_node(open_settings(settings, "patients"))
    table = Table("patient", "issuer", "studies", "treatments", "merged into", box=None)
    for row in node.tracker.patients.list_patients(limit):
        into = row.merged_into
        merged = "" if into is None else f"{into.patient_id}^^^{into.issuer}".rstrip("^")
        table.add_row(
            escape(row.key.patient_id),
            escape(row.key.issuer),
            str(row.studies),
            str(row.treatments),
            escape(merged),
        )
    Console().print(table)


@app.command()
def merge(
    merged: Annotated[str, typer.Argument(metavar="FROM", help=PATIENT_HELP)],
    into: Annotated[str, typer.Argument(metavar="INTO", help=PATIENT_HELP)],
    settings: SettingsFile = None,
) -> None:
    """Make two IDs one patient; files and results keep the ID that they have.

    Studies and treatments of FROM are INTO's from then on, and so is what comes under FROM later.
    It cannot be undone; who did it is written down.
    """
    from secondread.app.node import open_node
    from secondread.track.prior_choice import FetchRules
    from secondread.track.treatment_changes import RevisionRules

    one, head = parse_patient(merged), parse_patient(into)
    node = open_node(open_settings(settings, "patients"))
    done = node.tracker.patients.merge(
        one,
        head,
        getpass.getuser()[:80],
        utc_now(),
        RevisionRules.from_settings(node.settings.assemble),
        FetchRules.from_settings(node.settings),
    )
    typer.echo(
        f"merged: {done.studies} studies and {done.treatments} treatments changed hands, "
        f"{len(done.due)} studies are due for a new revision"
    )
