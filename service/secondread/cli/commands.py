"""All commands in one application, in the order a newcomer meets them.

The module of a command is imported when the command is called, so that ``--help`` and a question
to the tracker need not load what reads an exam. `SUMMARIES` therefore repeats the first paragraph
of each command's own help; a test compares the two.
"""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from secondread.cli.imports import import_to_stay

TARGETS = {
    "demo": "secondread.cli.demo_command:demonstrate",
    "read": "secondread.cli.read_command:read_exams",
    "compare": "secondread_lab.commands.compare_command:compare",
    "explain": "secondread.cli.explain_command:explain",
    "simulate": "secondread_lab.commands.simulate_command:simulate",
    "evaluate": "secondread_lab.commands.evaluate_command:evaluate",
    "calibrate": "secondread_lab.commands.calibrate_command:calibrate",
    "serve": "secondread.cli.node_commands:serve",
    "receive": "secondread.cli.node_commands:receive",
    "work": "secondread.cli.node_commands:work",
    "web": "secondread.cli.web_command:app",
    "check": "secondread.cli.node_commands:check",
    "conformance": "secondread.cli.conformance_command:print_statement",
    "studies": "secondread.cli.studies_command:app",
    "destinations": "secondread.cli.destinations_command:app",
    "alarms": "secondread.cli.attention_commands:app",
    "devices": "secondread.cli.devices_command:app",
    "patients": "secondread.cli.patients_command:app",
    "treatments": "secondread.cli.treatments_command:app",
    "audit": "secondread.cli.audit_command:app",
    "archive": "secondread.cli.archive_command:app",
    "backup": "secondread.cli.archive_command:backup",
    "restore": "secondread.cli.archive_command:restore",
    "db": "secondread.cli.node_commands:db",
    "completion": "secondread.cli.completion_command:print_script",
}
"""Where a command, or a group of commands, is defined: module and name, by its own name."""

SUMMARIES = {
    "demo": "Send an exam and its prior through an archive and the node, and show what comes back.",
    "read": "Read DICOM files and write SR, captures and findings.json into a folder.",
    "compare": "Read two exams with one model and say what changed; draw every view beside its "
    "prior.",
    "explain": "Print the content of a structured report as a tree.",
    "simulate": "Simulate four-view follow-up exams of a treated breast, each with its prior.",
    "evaluate": "Measure a model against images of known truth: tables, curves and contact sheets.",
    "calibrate": "Set the operating point to a number of false clusters per view, by exams of "
    "this site.",
    "serve": "Run the whole node: receiver, workers and operations page, restarted when they die.",
    "receive": "Run the receiver alone: the C-STORE and C-ECHO SCP.",
    "work": "Run one worker: reads studies that are due, and delivers results.",
    "web": "Run the operations page, health checks and metrics.",
    "check": "Check settings, model, database, disk and every destination; exit 1 on a fault.",
    "conformance": "Print the DICOM conformance statement of this version, as Markdown.",
    "studies": "What the node knows of studies.",
    "destinations": "Where results go, and whether they leave.",
    "alarms": "What calls for somebody's attention.",
    "devices": "Which mammography units made the exams, and how they are scored.",
    "patients": "Patients, IDs that are one patient's, and lesions over the years.",
    "treatments": "The record of who was treated, where and when.",
    "audit": "Who did what: the audit trail.",
    "archive": "The files that the node stores.",
    "backup": "Copy database and archive into a folder, while the node runs; exit 1 on a fault.",
    "restore": "Put a backup into an empty data folder; exit 1 on a fault.",
    "db": "The tracker's database.",
    "completion": "Print what makes a shell complete commands and options; put it where the shell "
    "reads it.",
}
"""The first paragraph of its help, for the list of commands."""


def load_command(name: str) -> Any:  # noqa: ANN401  (a command of typer, which keeps the type to itself)
    """Import the module of a command, and return the command."""
    module, attribute = TARGETS[name].split(":")
    with import_to_stay():
        target = getattr(import_module(module), attribute)
    if not isinstance(target, typer.Typer):
        single = typer.Typer(add_completion=False)
        single.command(name)(target)
        target = single
    return get_command(target)


class _LazyCommand(TyperCommand):
    """A command as the list of commands shows it; the real one takes over when it is called."""

    def make_context(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401  (handed on as they come)
        return load_command(self.name or "").make_context(*args, **extra)


class _Commands(TyperGroup):
    """The group of all commands."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401  (handed on as they come)
        commands = {name: _LazyCommand(name, help=line) for name, line in SUMMARIES.items()}
        super().__init__(**{**attributes, "commands": commands})


app = typer.Typer(
    name="secondread",
    cls=_Commands,
    help="A DICOM node that gives follow-up mammograms after breast-cancer treatment a second "
    "read for calcifications. Research and decision support, not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context, version: bool = typer.Option(False, "--version", help="Print it.")
) -> None:
    if version:
        from secondread import __version__

        typer.echo(f"secondread {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit
