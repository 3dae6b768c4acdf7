"""Commands about what calls for attention: results to be sent again, and what is done with."""

import getpass
from datetime import date
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from secondread.app.node import open_node
from secondread.assemble.due import DueRules
from secondread.cli.options import AsJson, SettingsFile, print_json, read_settings
from secondread.cli.study_argument import StudyUid
from secondread.clock import utc_now
from secondread.errors import InputError, SettingsError

Why = Annotated[str, typer.Option("--reason", help="Why; it is kept. Name no patient in it.")]

app = typer.Typer(
    help="What calls for somebody's attention.", no_args_is_help=True, add_completion=False
)


def resend_results(
    study: StudyUid,
    destination: Annotated[str, typer.Argument(help="Name of a destination.")],
    settings: SettingsFile = None,
) -> None:
    """Send a study's current results to one destination again, the same bytes.

    Also what was kept while the destination was in shadow; it has to be live, or paused, by now.
    """
    node = open_node(read_settings(settings, "studies"))
    profiles = {row.name: row.profile.key for row in node.settings.destinations}
    if destination not in profiles:
        raise SettingsError(
            f"no destination {destination!r}; there are: {', '.join(sorted(profiles)) or 'none'}"
        )
    study_uid = node.tracker.study_lookup.find_uid(study)
    resent = node.tracker.resending.resend(
        study_uid, destination, profiles[destination], getpass.getuser()[:80], utc_now()
    )
    left = f"; {resent.under_way} are under way and left alone" if resent.under_way else ""
    typer.echo(f"{resent.objects} objects of revision {resent.revision} are on their way{left}")


def dismiss_study(study: StudyUid, reason: Why, settings: SettingsFile = None) -> None:
    """Have a study whose reading failed be nobody's concern any more, and its alarms."""
    node = open_node(read_settings(settings, "studies"))
    study_uid = node.tracker.study_lookup.find_uid(study)
    node.tracker.dismissals.dismiss_study(study_uid, reason, getpass.getuser()[:80], utc_now())
    typer.echo("dismissed")


@app.command("list")
def list_alarms(as_json: AsJson = False, settings: SettingsFile = None) -> None:
    """List the alarms that are raised, with the numbers by which they are dismissed."""
    node = open_node(read_settings(settings, "alarms"))
    if as_json:
        print_json({"alarms": node.tracker.node_queries.list_alarms()})
        return
    table = Table(box=None, padding=(0, 1, 0, 0))
    for heading in ("number", "severity", "kind", "raised (UTC)", "detail"):
        table.add_column(heading, overflow="fold")
    for alarm in node.tracker.node_queries.list_alarms():
        done = f" (dismissed by {alarm.dismissed_by}: {alarm.dismiss_reason})"
        table.add_row(
            str(alarm.id),
            alarm.severity.value,
            alarm.kind,
            f"{alarm.raised_at:%Y-%m-%d %H:%M}",
            escape(f"{alarm.subject}: {alarm.detail}" + (done if alarm.dismissed_at else "")),
        )
    Console().print(table)


@app.command("dismiss")
def dismiss_alarm(
    number: Annotated[int, typer.Argument(help="As `secondread alarms list` gives it.")],
    reason: Why,
    settings: SettingsFile = None,
) -> None:
    """Take an alarm out of sight, until it is over, becomes more severe, or comes anew."""
    node = open_node(read_settings(settings, "alarms"))
    node.tracker.dismissals.dismiss_alarm(number, reason, getpass.getuser()[:80], utc_now())
    typer.echo("dismissed")


def end_treatment(
    number: Annotated[int, typer.Argument(help="As `secondread treatments list` gives it.")],
    ended_on: Annotated[str, typer.Argument(help="Its last day: YYYY-MM-DD.")],
    settings: SettingsFile = None,
) -> None:
    """Write down the last day of a treatment."""
    try:
        day = date.fromisoformat(ended_on)
    except ValueError:
        raise InputError(f"{ended_on!r}: a date YYYY-MM-DD is expected") from None
    node = open_node(read_settings(settings, "treatments"))
    rules = DueRules.from_settings(node.settings.assemble)
    user = getpass.getuser()[:80]
    node.tracker.treatments.end_treatment(number, day, utc_now(), user, rules)
    typer.echo("ended")
