"""`secondread studies`: what the node knows of studies, and asking for a reading."""

import getpass
from collections.abc import Iterable
from typing import Annotated

import typer

from secondread.app.node import open_node
from secondread.audit import AuditEvent, AuditKind
from secondread.cli.attention_commands import dismiss_study, resend_results
from secondread.cli.missing_studies import print_missing
from secondread.cli.options import AsJson, Limit, SettingsFile, read_settings
from secondread.cli.study_argument import StudyUid
from secondread.cli.study_list import print_studies
from secondread.clock import utc_now
from secondread.errors import InputError
from secondread.reasons import Outcome
from secondread.track.states import StudyState
from secondread.track.summaries import StudyFilter
from secondread.track.tracker import Tracker

app = typer.Typer(
    help="What the node knows of studies.", no_args_is_help=True, add_completion=False
)


ShowsPatient = Annotated[
    bool,
    typer.Option("--patient", help="Show the patient ID; who asked goes into the audit trail."),
]


@app.command("list")
def list_studies(
    state: Annotated[StudyState | None, typer.Option(help="Only studies in this state.")] = None,
    outcome: Annotated[Outcome | None, typer.Option(help="Only with this outcome.")] = None,
    limit: Limit = 50,
    shows_patient: ShowsPatient = False,
    as_json: AsJson = False,
    settings: SettingsFile = None,
) -> None:
    """List studies, the latest first."""
    tracker = open_node(read_settings(settings, "studies")).tracker
    studies = tracker.study_queries.list_studies(limit, StudyFilter(state, outcome))
    patients = None
    if shows_patient:
        patients = tracker.study_lookup.find_patients(study.study_uid for study in studies)
        _record_seen(tracker, patients)
    print_studies(studies, patients, as_json=as_json)


@app.command("show")
def show_study(
    study: StudyUid,
    shows_patient: ShowsPatient = False,
    as_json: AsJson = False,
    settings: SettingsFile = None,
) -> None:
    """Show everything about one study."""
    from secondread.cli.study_sheet import print_study

    tracker = open_node(read_settings(settings, "studies")).tracker
    study_uid = tracker.study_lookup.find_uid(study)
    detail = tracker.study_queries.find_detail(study_uid)
    if detail is None:
        raise InputError(f"there is no study {study_uid} any more")
    _record_seen(tracker, [study_uid])
    patients = tracker.study_lookup.find_patients([study_uid]) if shows_patient else None
    comparison = tracker.study_lookup.find_comparison(study_uid)
    print_study(detail, comparison, patients, as_json=as_json)


def _record_seen(tracker: Tracker, study_uids: Iterable[str]) -> None:
    user, now = getpass.getuser()[:80], utc_now()
    tracker.audit_messages.add(
        [AuditEvent(AuditKind.SEEN, now, user, study_uid=uid) for uid in study_uids]
    )


@app.command("read")
def request_reading(study: StudyUid, settings: SettingsFile = None) -> None:
    """Have a study read now, as a new revision, whatever the intake rule says."""
    tracker = open_node(read_settings(settings, "studies")).tracker
    study_uid = tracker.study_lookup.find_uid(study)
    tracker.studies.request_reading(study_uid, getpass.getuser(), utc_now())
    typer.echo(f"{study_uid}: due now; `secondread studies show` shows the result")


app.command("resend")(resend_results)
app.command("dismiss")(dismiss_study)


@app.command("missing")
def list_missing(
    as_json: AsJson = False,
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
def acknowledge_alarms(study: StudyUid, settings: SettingsFile = None) -> None:
    """Clear the alarms about what happened to a study once, after you have looked into it."""
    tracker = open_node(read_settings(settings, "studies")).tracker
    study_uid = tracker.study_lookup.find_uid(study)
    kinds = tracker.alarms.acknowledge(study_uid, getpass.getuser(), utc_now())
    typer.echo(f"cleared: {', '.join(kinds)}" if kinds else "no such alarm is raised")
