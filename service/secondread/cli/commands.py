"""All commands in one application, in the order a newcomer meets them."""

import typer

from secondread.cli import (
    calibrate,
    compare,
    conformance,
    demo,
    destinations,
    evaluate,
    explain,
    node,
    patients,
    read,
    simulate,
    studies,
    treatments,
)

app = typer.Typer(
    name="secondread",
    help="A DICOM node that gives follow-up mammograms after breast-cancer treatment a second "
    "read for calcifications. Research and decision support, not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

app.command("demo")(demo.demo)
app.command("read")(read.read)
app.command("compare")(compare.compare)
app.command("explain")(explain.explain)
app.command("simulate")(simulate.simulate)
app.command("evaluate")(evaluate.evaluate)
app.command("calibrate")(calibrate.calibrate)
app.command("serve")(node.serve)
app.command("receive")(node.receive)
app.command("work")(node.work)
app.command("web")(node.web)
app.command("check")(node.check)
app.command("conformance")(conformance.conformance)
app.add_typer(studies.app, name="studies")
app.add_typer(destinations.app, name="destinations")
app.add_typer(patients.app, name="patients")
app.add_typer(treatments.app, name="treatments")
app.add_typer(node.db, name="db")


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
