"""Treatments between their values and the rows of the tracker."""

from collections.abc import Iterable

from secondread.codes import Laterality
from secondread.errors import InputError
from secondread.findings.treatment import Procedure, Treatment, TreatmentSource
from secondread.followup.surgical_site import read_surgical_site
from secondread.track.values import TreatmentRecord


def encode_treatment(treatment: Treatment) -> TreatmentRecord:
    """Return what the tracker keeps of a treatment whose side is known.

    Raises
    ------
    InputError
        Nothing says which breast it was.
    """
    if treatment.laterality is None:
        raise InputError("a treatment is recorded for one breast")
    return TreatmentRecord(
        side=treatment.laterality.letter,
        procedure=treatment.procedure.value,
        started_on=treatment.started_on,
        ended_on=treatment.ended_on,
        site="" if treatment.site is None else treatment.site.words,
        source=treatment.source.value,
    )


def decode_treatments(entries: Iterable[TreatmentRecord]) -> tuple[Treatment, ...]:
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
            site = read_surgical_site(entry.site, side)
        except InputError:
            site = None
        procedure = Procedure(entry.procedure)
        days = entry.started_on, entry.ended_on
        found.append(Treatment(procedure, side, *days, site, TreatmentSource.RECORD))
    return tuple(found)
