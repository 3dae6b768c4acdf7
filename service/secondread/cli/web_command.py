"""`secondread web`: the operations page, and who may see it."""

import getpass
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from secondread.cli.imports import import_to_stay
from secondread.cli.options import AsJson, Parent, SettingsFile, print_json, read_settings
from secondread.clock import utc_now
from secondread.settings import Role

app = typer.Typer(invoke_without_command=True, add_completion=False)
token = typer.Typer(
    help="Tokens that let people and programs in.", no_args_is_help=True, add_completion=False
)
app.add_typer(token, name="token")

Name = Annotated[str, typer.Argument(help="Name of the token: whose it is.")]
GivenRole = Annotated[Role, typer.Option("--role", help="What its holder may do.")]


@app.callback()
def serve_pages(
    context: typer.Context, settings: SettingsFile = None, parent: Parent = None
) -> None:
    """Run the operations page, health checks and metrics."""
    if context.invoked_subcommand is not None:
        return
    with import_to_stay():
        from secondread.app.web import run_web_server

    run_web_server(read_settings(settings, "web", is_service=True), parent)


@app.command()
def login(role: GivenRole = Role.ADMIN, settings: SettingsFile = None) -> None:
    """Print a link that signs in once, within ten minutes."""
    from secondread.app.node import open_node
    from secondread.app.sign_in import make_login_link

    node = open_node(read_settings(settings, "web"))
    typer.echo(make_login_link(node, getpass.getuser(), role, utc_now()))


@token.command("make")
def make_token(name: Name, role: GivenRole = Role.LOOK, settings: SettingsFile = None) -> None:
    """Make a token and print it; it is shown only now."""
    from secondread.app.node import open_node

    node = open_node(read_settings(settings, "web"))
    typer.echo(node.tracker.access.add_token(name, role, getpass.getuser(), utc_now()))


@token.command("list")
def list_tokens(as_json: AsJson = False, settings: SettingsFile = None) -> None:
    """List the tokens, without what would let anybody in."""
    from secondread.app.node import open_node

    node = open_node(read_settings(settings, "web"))
    if as_json:
        rows = node.tracker.access.list_tokens()
        print_json({"tokens": rows})
        return
    table = Table("name", "role", "made", "by", "revoked", box=None)
    for row in node.tracker.access.list_tokens():
        revoked = f"{row.revoked_at:%Y-%m-%d} by {row.revoked_by}" if row.revoked_at else "-"
        made = f"{row.made_at:%Y-%m-%d}"
        table.add_row(escape(row.name), row.role, made, escape(row.made_by), escape(revoked))
    Console().print(table)


@token.command("revoke")
def revoke(name: Name, settings: SettingsFile = None) -> None:
    """Revoke a token, and end the sessions that it opened."""
    from secondread.app.node import open_node
    from secondread.app.sign_in import revoke_token

    node = open_node(read_settings(settings, "web"))
    revoke_token(node, name, getpass.getuser(), utc_now())
    typer.echo(f"{name}: revoked")
