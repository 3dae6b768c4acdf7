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
        It is unknown which breast it was.
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


def decode_treatments(records: Iterable[TreatmentRecord]) -> tuple[Treatment, ...]:
    """Return recorded treatments; those with an unknown procedure or side are left out.

    A row may have been written by a later version, or by hand: a site that makes no sense is
    dropped.
    """
    treatments = []
    for record in records:
        side = Laterality.from_letter(record.side)
        if record.procedure not in set(Procedure) or side is None:
            continue
        try:
            site = read_surgical_site(record.site, side)
        except InputError:
            site = None
        procedure = Procedure(record.procedure)
        days = record.started_on, record.ended_on
        treatments.append(Treatment(procedure, side, *days, site, TreatmentSource.RECORD))
    return tuple(treatments)
