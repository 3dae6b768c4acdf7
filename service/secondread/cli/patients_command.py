"""`secondread patients`: whose is what, where one woman has two IDs, and her lesions' history."""

import getpass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from secondread.app.node import open_node
from secondread.assemble.due import DueRules
from secondread.cli.options import AsJson, Limit, SettingsFile, print_json, read_settings
from secondread.cli.patient_argument import (
    PATIENT_HELP,
    format_patient,
    record_patients_listed,
)
from secondread.cli.study_argument import StudyUid
from secondread.clock import utc_now
from secondread.followup.treatment_file import parse_patient
from secondread.track.change_rights import ChangeRights
from secondread.track.prior_choice import FetchRules

app = typer.Typer(
    help="Patients, IDs that are one patient's, and lesions over the years.",
    no_args_is_help=True,
    add_completion=False,
)


@app.command("list")
def list_patients(
    limit: Limit = 200, as_json: AsJson = False, settings: SettingsFile = None
) -> None:
    """List patients by ID and issuer; this shows patient IDs."""
    node = open_node(read_settings(settings, "patients"))
    record_patients_listed(node.tracker, "all patients")
    if as_json:
        rows = node.tracker.patients.list_patients(limit)
        print_json({"patients": rows})
        return
    table = Table(box=None)
    table.add_column("patient", overflow="fold")
    for name in ("studies", "treatments"):
        table.add_column(name)
    table.add_column("merged into", overflow="fold")
    for row in node.tracker.patients.list_patients(limit):
        into = row.merged_into
        table.add_row(
            escape(format_patient(row.key)),
            str(row.studies),
            str(row.treatments),
            "" if into is None else escape(format_patient(into)),
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
    merged_key, head_key = parse_patient(merged), parse_patient(into)
    node = open_node(read_settings(settings, "patients"))
    result = node.tracker.patients.merge_patients(
        merged_key,
        head_key,
        getpass.getuser()[:80],
        utc_now(),
        DueRules.from_settings(node.settings.assemble),
        FetchRules.from_settings(node.settings),
        ChangeRights.from_settings(node.settings),
    )
    typer.echo(
        f"merged: {result.studies} studies and {result.treatments} treatments changed hands, "
        f"{len(result.due_studies)} studies are due for a new revision"
    )


@app.command()
def confirm(
    patient: Annotated[str, typer.Argument(metavar="PATIENT", help=PATIENT_HELP)],
    settings: SettingsFile = None,
) -> None:
    """Confirm that all names and birth dates known under an ID are one woman's.

    It answers the alarm `identity-in-doubt`: her exams are compared again, and her treatments
    count. Another name or birth date that comes later is in doubt anew. Who did it is written down.
    """
    node = open_node(read_settings(settings, "patients"))
    result = node.tracker.patients.confirm_patient(
        parse_patient(patient),
        getpass.getuser()[:80],
        utc_now(),
        DueRules.from_settings(node.settings.assemble),
        FetchRules.from_settings(node.settings),
    )
    typer.echo(
        f"confirmed: {result.identities} names or birth dates, "
        f"{len(result.due_studies)} studies are due for a new revision"
    )


@app.command("timeline")
def draw_timeline(
    patient: Annotated[str, typer.Argument(metavar="PATIENT", help=PATIENT_HELP)],
    out: Annotated[Path, typer.Option(help="PNG file to write.")],
    every: Annotated[
        bool, typer.Option("--all", help="Also lesions that were never shown to a radiologist.")
    ] = False,
    settings: SettingsFile = None,
) -> None:
    """Draw the history of a patient's lesions: each in every exam that shows it.

    The picture names no patient. It is drawn from what was recorded with each result, and does
    not need the images.
    """
    from secondread.watch.lesion_histories import draw_lesion_histories

    node = open_node(read_settings(settings, "patients"))
    histories = node.tracker.lesions.list_for_patient(parse_patient(patient))
    lesions = [history for history in histories if every or history.was_shown]
    draw_lesion_histories(lesions, node.archive).save(out)
    typer.echo(f"{out}: {len(lesions)} lesions")


@app.command()
def assess(
    study: StudyUid,
    side: Annotated[str, typer.Argument(help="The breast: R or L.")],
    category: Annotated[
        str,
        typer.Argument(help="The radiologist's BI-RADS category: 0 to 6, 4A to 4C; - for none."),
    ],
    settings: SettingsFile = None,
) -> None:
    """Write down a radiologist's assessment of one breast in one exam, for the timeline.

    It is the radiologist's alone: it changes no finding and no number. The last entry counts;
    who made it is written down.
    """
    node = open_node(read_settings(settings, "patients"))
    study_uid = node.tracker.study_lookup.find_uid(study)
    recorded = "" if category == "-" else category.upper()
    node.tracker.lesions.record_assessment(
        study_uid, side.upper(), recorded, utc_now(), getpass.getuser()[:80]
    )
    typer.echo(f"{study_uid} {side.upper()}: {recorded or 'no category'}")
