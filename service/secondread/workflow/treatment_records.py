"""The rows of the tracker as treatments."""

from collections.abc import Iterable

from secondread.codes import Laterality
from secondread.errors import InputError
from secondread.findings.treatment import Procedure, Treatment, TreatmentSource
from secondread.followup.surgical_site import read_surgical_site
from secondread.track.values import TreatmentRecord


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
