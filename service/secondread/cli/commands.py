"""All commands in one application, in the order a newcomer meets them."""

import typer

from secondread.cli import (
    conformance_command,
    demo_command,
    destinations_command,
    explain_command,
    node_commands,
    patients_command,
    read_command,
    studies_command,
    treatments_command,
)
from secondread_lab.commands import (
    calibrate_command,
    compare_command,
    evaluate_command,
    simulate_command,
)

app = typer.Typer(
    name="secondread",
    help="A DICOM node that gives follow-up mammograms after breast-cancer treatment a second "
    "read for calcifications. Research and decision support, not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

app.command("demo")(demo_command.demo)
app.command("read")(read_command.read)
app.command("compare")(compare_command.compare)
app.command("explain")(explain_command.explain)
app.command("simulate")(simulate_command.simulate)
app.command("evaluate")(evaluate_command.evaluate)
app.command("calibrate")(calibrate_command.calibrate)
app.command("serve")(node_commands.serve)
app.command("receive")(node_commands.receive)
app.command("work")(node_commands.work)
app.command("web")(node_commands.web)
app.command("check")(node_commands.check)
app.command("conformance")(conformance_command.conformance)
app.add_typer(studies_command.app, name="studies")
app.add_typer(destinations_command.app, name="destinations")
app.add_typer(patients_command.app, name="patients")
app.add_typer(treatments_command.app, name="treatments")
app.add_typer(node_commands.db, name="db")


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context, version: bool = typer.Option(False, "--version", help="Print it.")
) -> None:
    if version:
        from secondread import __version__

        typer.echo(f"secondread {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit
