"""`secondread treatments`: the record of who was treated, where and when."""

import getpass
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from secondread.app.node import open_node
from secondread.assemble.due import DueRules
from secondread.assemble.patient_key import PatientKey
from secondread.cli.attention_commands import end_treatment
from secondread.cli.options import AsJson, Limit, SettingsFile, print_json, read_settings
from secondread.cli.patient_argument import (
    PATIENT_HELP,
    format_patient,
    record_patients_listed,
)
from secondread.clock import utc_now
from secondread.followup.treatment_file import (
    parse_patient,
    parse_treatment,
    read_treatment_file,
)
from secondread.track.treatments import encode_treatment

_MOST_ROWS = 20

app = typer.Typer(
    help="The record of who was treated, where and when.",
    no_args_is_help=True,
    add_completion=False,
)


@app.command("import")
def import_file(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV: patient_id,issuer,side,procedure,started_on,ended_on,site; one row a "
            "procedure, dates YYYY-MM-DD."
        ),
    ],
    settings: SettingsFile = None,
) -> None:
    """Import a file of treatments; what is known already is left as it is.

    Nothing is written unless the whole file makes sense. Recent studies that it concerns are
    read again, as a new revision.
    """
    rows = read_treatment_file(file)
    node = open_node(read_settings(settings, "treatments"))
    rules, now, user = DueRules.from_settings(node.settings.assemble), utc_now(), _get_user()
    new = sum(
        node.tracker.treatments.add_treatment(
            row.patient, encode_treatment(row.treatment), now, user, rules
        )
        for row in rows
    )
    typer.echo(f"{len(rows)} rows: {new} new, {len(rows) - new} known already")
    unmatched = node.tracker.study_lookup.find_issuers(row.patient for row in rows)
    _report_unmatched([(row.row, row.patient) for row in rows], unmatched)


def _report_unmatched(
    rows: Sequence[tuple[int, PatientKey]], unmatched: Mapping[PatientKey, tuple[str, ...]]
) -> None:
    """Say of which patients no study is there; by row, for a terminal keeps what it shows."""
    by_cause: dict[str, list[int]] = {}
    for number, patient in rows:
        if patient in unmatched:
            cause = _explain_unmatched(patient, unmatched[patient])
            by_cause.setdefault(cause, []).append(number)
    for cause, numbers in by_cause.items():
        named = ", ".join(map(str, numbers[:_MOST_ROWS]))
        more = ", and others" if len(numbers) > _MOST_ROWS else ""
        where = f"row {named}" if len(numbers) == 1 else f"rows {named}{more}"
        typer.echo(f"{where if numbers[0] else 'note'}: {cause}")


def _explain_unmatched(patient: PatientKey, issuers: tuple[str, ...]) -> str:
    if not issuers:
        return "no study of this patient is here yet; one that comes is matched by ID and issuer"
    given = f"of the issuer {patient.issuer!r}" if patient.issuer else "without an issuer"
    theirs = " or ".join(repr(issuer) if issuer else "none" for issuer in issuers)
    return (
        f"{given}, it matches no study; studies have this ID with the issuer {theirs}. Correct the "
        "issuer and import it again, or join the two with `secondread patients merge`"
    )


@app.command("add")
def add_treatment(
    patient: Annotated[str, typer.Argument(help=PATIENT_HELP)],
    side: Annotated[str, typer.Argument(help="R or L.")],
    procedure: Annotated[
        str, typer.Argument(help="lumpectomy, quadrantectomy, mastectomy, surgery, radiotherapy.")
    ],
    started_on: Annotated[
        str, typer.Option(help="Day of the operation, or of the first fraction: YYYY-MM-DD.")
    ] = "",
    ended_on: Annotated[str, typer.Option(help="Day of the last fraction.")] = "",
    site: Annotated[str, typer.Option(help="As: 2 o'clock, 4 cm FN; or: upper outer.")] = "",
    settings: SettingsFile = None,
) -> None:
    """Write one treatment down."""
    key = parse_patient(patient)
    values = {"side": side, "procedure": procedure, "started_on": started_on}
    treatment = parse_treatment({**values, "ended_on": ended_on, "site": site})
    node = open_node(read_settings(settings, "treatments"))
    rules = DueRules.from_settings(node.settings.assemble)
    is_new = node.tracker.treatments.add_treatment(
        key, encode_treatment(treatment), utc_now(), _get_user(), rules
    )
    typer.echo("added" if is_new else "known already")
    _report_unmatched([(0, key)], node.tracker.study_lookup.find_issuers([key]))


app.command("end")(end_treatment)


@app.command("list")
def list_treatments(
    patient: Annotated[str | None, typer.Option(help=PATIENT_HELP)] = None,
    limit: Limit = 200,
    as_json: AsJson = False,
    settings: SettingsFile = None,
) -> None:
    """List treatments by patient; this shows patient IDs."""
    key = None if patient is None else parse_patient(patient)
    node = open_node(read_settings(settings, "treatments"))
    record_patients_listed(node.tracker, "treatments of " + (patient or "all patients"))
    if as_json:
        rows = node.tracker.treatments.list_treatments(limit, key)
        print_json({"treatments": rows})
        return
    table = Table(box=None)
    table.add_column("number")
    table.add_column("patient", overflow="fold")
    for name in ("side", "procedure", "from", "to"):
        table.add_column(name, no_wrap=True)
    table.add_column("site")
    for row in node.tracker.treatments.list_treatments(limit, key):
        treatment = row.treatment
        table.add_row(
            str(row.number),
            escape(format_patient(row.patient)),
            treatment.side,
            treatment.procedure,
            str(treatment.started_on or "-"),
            str(treatment.ended_on or "-"),
            escape(treatment.site),
        )
    Console().print(table)


@app.command("remove")
def remove_treatment(
    number: Annotated[int, typer.Argument(help="As `secondread treatments list` gives it.")],
    settings: SettingsFile = None,
) -> None:
    """Strike a treatment out; who did so is written down."""
    node = open_node(read_settings(settings, "treatments"))
    rules = DueRules.from_settings(node.settings.assemble)
    node.tracker.treatments.remove_treatment(number, utc_now(), _get_user(), rules)
    typer.echo("removed")


def _get_user() -> str:
    return getpass.getuser()[:80]
