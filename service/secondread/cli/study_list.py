"""How studies are listed on the command line: in 80 columns, or as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from secondread.assemble.patient_key import PatientKey
from secondread.cli.options import print_json
from secondread.cli.patient_argument import format_patient
from secondread.track.study_lookup import shorten_uid
from secondread.track.summaries import StudySummary

_HEAD, _TAIL = 4, 8
"""Characters of a UID that are printed, from its begin and its end; more where two are alike."""
_WIDE = 110
"""From so many columns on, there is room for what matters less."""


def print_studies(
    studies: Sequence[StudySummary],
    patients: Mapping[str, PatientKey] | None,
    *,
    as_json: bool,
) -> None:
    """Print a line for each study.

    Parameters
    ----------
    studies
        What is printed.
    patients
        Their patients by Study Instance UID; None where they are not to be shown.
    as_json
        Whether a program reads it.
    """
    if as_json:
        print_json({"studies": [make_study_document(study, patients) for study in studies]})
        return
    console = Console(highlight=False)
    if not studies:
        console.print("no study")
        return
    names = shorten_uids([study.study_uid for study in studies])
    is_wide = console.width >= _WIDE
    table = Table(box=None, padding=(0, 1, 0, 0))
    # It is there to be copied, so it is never cut.
    table.add_column("study", no_wrap=True, overflow="ignore")
    table.add_column("date", no_wrap=True)
    if patients is not None:
        table.add_column("patient", overflow="fold")
    table.add_column("state", overflow="fold")
    table.add_column("outcome", no_wrap=True)
    for heading in ("shown", "images", "to send"):
        table.add_column(heading, justify="right")
    if is_wide:
        table.add_column("revision", justify="right")
        table.add_column("peer")
        table.add_column("last image (UTC)", no_wrap=True)
    for study in studies:
        cells = [names[study.study_uid], str(study.study_date or "-")]
        if patients is not None:
            patient = patients.get(study.study_uid)
            cells.append("-" if patient is None else escape(format_patient(patient)))
        held = f" ({study.hold_reason.value})" if study.hold_reason else ""
        cells += [study.state.value + held, study.outcome.value if study.outcome else "-"]
        cells += [str(study.shown_findings) if study.outcome else "-", str(study.images)]
        cells.append(str(study.waiting_deliveries or "-"))
        if is_wide:
            arrived = f"{study.last_arrived_at:%Y-%m-%d %H:%M}"
            cells += [str(study.revision), escape(study.peer), arrived]
        table.add_row(*cells)
    console.print(table)


def shorten_uids(uids: Sequence[str]) -> dict[str, str]:
    """Return each UID without its middle, all of them different, as `studies show` takes them."""
    for tail in range(_TAIL, 64, 4):
        names = {uid: shorten_uid(uid, _HEAD, tail) for uid in uids}
        if len(set(names.values())) == len(names):
            return names
    return {uid: uid for uid in uids}


def make_study_document(
    study: StudySummary, patients: Mapping[str, PatientKey] | None
) -> dict[str, object]:
    """Return a study for a program; who its patient is only where `patients` is given."""
    document = asdict(study)
    document["patient_number"] = document.pop("patient")
    if patients is not None:
        patient = patients.get(study.study_uid)
        document["patient"] = None if patient is None else asdict(patient)
    return document
