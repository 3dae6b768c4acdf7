"""`secondread studies`: what the node knows of studies, and asking for a reading."""

import getpass
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from secondread.app.node import open_node
from secondread.cli.attention_commands import dismiss_study, resend_results
from secondread.cli.missing_studies import print_missing
from secondread.cli.options import SettingsFile, read_settings
from secondread.clock import utc_now
from secondread.reasons import Outcome, Reason
from secondread.track.states import DeliveryState, StudyState
from secondread.track.summaries import DeliverySummary, ImageSummary, StudyDetail, StudyFilter

app = typer.Typer(
    help="What the node knows of studies.", no_args_is_help=True, add_completion=False
)


@app.command("list")
def list_studies(
    state: Annotated[StudyState | None, typer.Option(help="Only studies in this state.")] = None,
    outcome: Annotated[Outcome | None, typer.Option(help="Only with this outcome.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many, the latest first.")] = 50,
    settings: SettingsFile = None,
) -> None:
    """List studies, the latest first."""
    node = open_node(read_settings(settings, "studies"))
    table = Table(box=None)
    # A UID is there to be copied, so it is never cut.
    table.add_column("study", no_wrap=True, overflow="ignore")
    for heading in ("date", "peer", "state", "revision", "outcome", "waiting"):
        table.add_column(heading)
    for row in node.tracker.study_queries.list_studies(limit, StudyFilter(state, outcome)):
        held = f" ({row.hold_reason.value})" if row.hold_reason else ""
        table.add_row(
            escape(row.study_uid),
            str(row.study_date or "-"),
            escape(row.peer),
            row.state.value + held,
            str(row.revision),
            row.outcome.value if row.outcome else "-",
            str(row.waiting_deliveries),
        )
    Console().print(table)


@app.command("show")
def show_study(
    study_uid: Annotated[str, typer.Argument(help="Study Instance UID.")],
    settings: SettingsFile = None,
) -> None:
    """Show everything about one study."""
    node = open_node(read_settings(settings, "studies"))
    detail = node.tracker.study_queries.find_detail(study_uid)
    if detail is None:
        raise typer.BadParameter(f"there is no study {study_uid}")
    _print(detail)


@app.command("read")
def request_reading(
    study_uid: Annotated[str, typer.Argument(help="Study Instance UID.")],
    settings: SettingsFile = None,
) -> None:
    """Have a study read now, as a new revision, whatever the intake rule says."""
    node = open_node(read_settings(settings, "studies"))
    node.tracker.studies.request_reading(study_uid, getpass.getuser(), utc_now())
    typer.echo("due now; `secondread studies show` shows the result")


app.command("resend")(resend_results)
app.command("dismiss")(dismiss_study)


def _describe_state(delivery: DeliverySummary) -> str:
    is_duplicate = delivery.state is DeliveryState.DUPLICATE
    return "duplicate, unproven" if is_duplicate else delivery.state.value


@app.command("missing")
def list_missing(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    now: Annotated[
        bool, typer.Option("--now", help="Have the archives asked for their lists now.")
    ] = False,
    settings: SettingsFile = None,
) -> None:
    """List mammography studies that archives list, and that never arrived."""
    node = open_node(read_settings(settings, "studies"))
    if now:
        sources = [source.name for source in node.settings.compared_sources]
        node.tracker.missing.ask_anew(sources, utc_now())
    print_missing(
        node.tracker.missing.list_missing(), node.tracker.missing.list_checks(), as_json=as_json
    )


@app.command("ignore")
def ignore_missing(
    study_uid: Annotated[str, typer.Argument(help="Study Instance UID.")],
    reason: Annotated[str, typer.Option(help="Why it need not arrive; it is kept.")],
    settings: SettingsFile = None,
) -> None:
    """Have a study that never arrived not count as missing."""
    node = open_node(read_settings(settings, "studies"))
    node.tracker.missing.ignore(study_uid, reason, getpass.getuser()[:80], utc_now())
    typer.echo("ignored")


@app.command("acknowledge")
def acknowledge_alarms(
    study_uid: Annotated[str, typer.Argument(help="Study Instance UID.")],
    settings: SettingsFile = None,
) -> None:
    """Clear the alarms about what happened to a study once, after you have looked into it."""
    node = open_node(read_settings(settings, "studies"))
    kinds = node.tracker.alarms.acknowledge(study_uid, getpass.getuser(), utc_now())
    typer.echo(f"cleared: {', '.join(kinds)}" if kinds else "no such alarm is raised")


def _describe_proof(delivery: DeliverySummary) -> str:
    """Return what proved the delivery and when, or how long the proof is waited for."""
    if delivery.proof is not None and delivery.delivered_at is not None:
        return f"{delivery.proof.value} {delivery.delivered_at:%Y-%m-%d %H:%M:%S}"
    if delivery.state is DeliveryState.STORED:
        return f"asked {delivery.proof_asked} times, again {delivery.due_at:%Y-%m-%d %H:%M:%S}"
    return ""


def _print(detail: StudyDetail) -> None:
    console = Console()
    console.print(f"{escape(detail.summary.study_uid)}  [bold]{detail.summary.state.value}[/]")
    revisions = Table("revision", "cause", "replaces", "state", "outcome", "reasons", box=None)
    for revision in detail.revisions:
        revisions.add_row(
            str(revision.number),
            revision.cause.value,
            str(revision.predecessor or ""),
            revision.state.value,
            revision.outcome.value if revision.outcome else "-",
            ", ".join(reason.value for reason in revision.reasons),
        )
    images = Table("image", "status", "reasons", "seconds", "detail", box=None)
    for image in detail.images:
        reasons = image.reasons or _explain_unread(image)
        images.add_row(
            image.label,
            image.status.value if image.status else "left out",
            ", ".join(reason.value for reason in reasons),
            f"{image.seconds:.1f}" if image.seconds else "",
            escape(image.detail),
        )
    others = Table("other object", "use", "from", "came", box=None)
    for other in detail.other_objects:
        from pydicom.uid import UID  # takes a third of a second, and few studies have any

        others.add_row(
            escape(UID(other.sop_class_uid).name),
            other.disposition.value + (", altered" if other.is_altered else ""),
            escape(other.peer),
            f"{other.arrived_at:%Y-%m-%d %H:%M:%S}",
        )
    objects = Table(
        "object", "revision", "destination", "state", "attempts", "proof", "error", box=None
    )
    for item in detail.outbox_objects:
        for delivery in item.deliveries:
            objects.add_row(
                f"{item.kind.value} {item.index + 1}",
                str(item.revision),
                delivery.destination,
                _describe_state(delivery),
                str(delivery.attempts),
                _describe_proof(delivery),
                escape(delivery.last_error or ""),
            )
    shown = (revisions, images, *([others] if others.row_count else []), objects)
    for table in shown:
        console.print(table)
    if detail.refused_changes:
        console.print(_tabulate_refused_changes(detail))


def _explain_unread(image: ImageSummary) -> tuple[Reason, ...]:
    """Return why an image takes no part in the reading, as far as that is known before it."""
    is_of_other = image.set_aside and image.current
    why_not = image.withheld or (Reason.OTHER_PATIENT if is_of_other else image.scope_reason)
    return () if why_not is None else (why_not,)


def _tabulate_refused_changes(detail: StudyDetail) -> Table:
    table = Table("not permitted to", "peer", "address", "when", box=None)
    table.add_column("image", no_wrap=True, overflow="ignore")
    for change in detail.refused_changes:
        table.add_row(
            change.change.value,
            escape(change.peer),
            escape(change.address),
            f"{change.at:%Y-%m-%d %H:%M:%S}",
            escape(change.sop_instance_uid),
        )
    return table
