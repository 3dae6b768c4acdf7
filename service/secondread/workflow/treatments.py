"""Treatments between their values and the rows of the tracker."""

from collections.abc import Iterable

from secondread.codes import Laterality
from secondread.errors import InputError
from secondread.findings.treatment import Procedure, Source, Treatment
from secondread.followup.site import read_site
from secondread.track.values import TreatmentEntry


def as_entry(treatment: Treatment) -> TreatmentEntry:
    """Return what the tracker keeps of a treatment whose side is known.

    Raises
    ------
    InputError
        Nothing says which breast it was.
    """
    if treatment.laterality is None:
        raise InputError("a treatment is recorded for one breast")
    return TreatmentEntry(
        side=treatment.laterality.letter,
        procedure=treatment.procedure.value,
        started_on=treatment.started_on,
        ended_on=treatment.ended_on,
        site="" if treatment.site is None else treatment.site.words,
        source=treatment.source.value,
    )


def from_entries(entries: Iterable[TreatmentEntry]) -> tuple[Treatment, ...]:
    """Return recorded treatments; procedures that are none of ours are left out.

    A row may have been written by a later version, or by hand: a site that makes no sense is
    then none.
    """
    found = []
    for entry in entries:
        side = Laterality.from_letter(entry.side)
        if entry.procedure not in set(Procedure) or side is None:
            continue
        try:
            site = read_site(entry.site, side)
        except InputError:
            site = None
        procedure = Procedure(entry.procedure)
        days = entry.started_on, entry.ended_on
        found.append(Treatment(procedure, side, *days, site, Source.RECORD))
    return tuple(found)
