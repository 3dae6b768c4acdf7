"""The node's processes, and the commands that maintain it."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from secondread.cli.imports import import_to_stay
from secondread.cli.options import (
    AsJson,
    Parent,
    ProbePort,
    SettingsFile,
    find_settings_file,
    print_json,
    read_settings,
)


def serve(settings: SettingsFile = None) -> None:
    """Run the whole node: receiver, workers and operations page, restarted when they die."""
    from secondread.app.serve import serve_node

    serve_node(read_settings(settings, "serve", is_service=True), find_settings_file(settings))


def receive(
    settings: SettingsFile = None, probe_port: ProbePort = None, parent: Parent = None
) -> None:
    """Run the receiver alone: the C-STORE and C-ECHO SCP."""
    with import_to_stay():
        from secondread.app.receive import run_receiver

    run_receiver(read_settings(settings, "receive", is_service=True), parent, probe_port)


def work(
    name: Annotated[
        str, typer.Option(help="Name of this worker: unique, and the same after a restart.")
    ] = "worker-0",
    settings: SettingsFile = None,
    probe_port: ProbePort = None,
    parent: Parent = None,
) -> None:
    """Run one worker: reads studies that are due, and delivers results."""
    with import_to_stay():
        from secondread.app.work import run_worker

    run_worker(read_settings(settings, name, is_service=True), name, parent, probe_port)


_MARKS = {True: "[green]ok[/]", False: "[red]FAILED[/]", None: "note"}


_WORDS = {True: "ok", False: "failed", None: "note"}


def check(as_json: AsJson = False, settings: SettingsFile = None) -> None:
    """Check settings, model, database, disk and every destination; exit 1 on a fault."""
    from secondread.app.node_check import check_node

    answers = check_node(read_settings(settings, "check"))
    if as_json:
        rows = [
            {"what": a.subject, "result": _WORDS[a.is_good], "answer": a.message} for a in answers
        ]
        print_json({"checks": rows})
    else:
        table = Table("", "what", "answer", box=None)
        for answer in answers:
            table.add_row(_MARKS[answer.is_good], escape(answer.subject), escape(answer.message))
        Console().print(table)
    if any(answer.is_good is False for answer in answers):
        raise typer.Exit(1)


db = typer.Typer(help="The tracker's database.", no_args_is_help=True, add_completion=False)


@db.command("upgrade")
def upgrade(settings: SettingsFile = None) -> None:
    """Create the tables, or bring them to this version's form."""
    from secondread.app.data_folder import prepare_data_folder
    from secondread.track.migrate import read_version, upgrade_database

    loaded = read_settings(settings, "db")
    prepare_data_folder(loaded)
    before = read_version(loaded.tracker_url)
    upgrade_database(loaded.tracker_url)
    typer.echo(f"database: {before or 'empty'} -> {read_version(loaded.tracker_url)}")


@db.command("current")
def print_version(settings: SettingsFile = None) -> None:
    """Print the version of the tables."""
    from secondread.track.migrate import read_version

    typer.echo(read_version(read_settings(settings, "db").tracker_url) or "empty")
