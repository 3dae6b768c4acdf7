"""What follows from a patient's treatments: status of a breast, elapsed months, conflicts.

Nothing here chooses between sources. Where they differ, both are reported.
"""

from collections.abc import Iterable, Sequence
from datetime import date

from secondread.codes import Laterality
from secondread.findings.treatment import BreastStatus, Procedure, Treatment, TreatmentSource

SAME_DAYS = 31
"""Two sources that date a procedure this near to each other do not contradict: one of them may
give the month only, or the first of several days."""


def select_breast(
    treatments: Iterable[Treatment], side: Laterality, day: date | None
) -> tuple[Treatment, ...]:
    """Return the treatments of one breast that had begun by a day."""
    return tuple(t for t in treatments if t.laterality is side and t.was_done_by(day))


def find_breast_status(
    treatments: Sequence[Treatment], side: Laterality, day: date | None
) -> BreastStatus:
    """Return whether a breast was treated by a day.

    Parameters
    ----------
    treatments
        All of the patient.
    side
        The breast.
    day
        That of the study; None where it is not known.
    """
    if select_breast(treatments, side, day):
        return BreastStatus.TREATED
    sided = [t for t in treatments if t.laterality is not None]
    unsided = [t for t in treatments if t.laterality is None and t.was_done_by(day)]
    is_recorded = any(t.source is TreatmentSource.RECORD for t in sided)
    # A header that names no side adds nothing where the record has the same procedure.
    if is_recorded and all(any(_may_be_same(t, other) for other in sided) for t in unsided):
        return BreastStatus.UNTREATED
    return BreastStatus.UNKNOWN


def find_mastectomy_sides(treatments: Iterable[Treatment], day: date | None) -> frozenset[str]:
    """Return the letters of the breasts that were removed by a day."""
    return frozenset(
        t.laterality.letter
        for t in treatments
        if t.procedure is Procedure.MASTECTOMY and t.laterality and t.was_done_by(day)
    )


def count_months_since_surgery(
    treatments: Sequence[Treatment], side: Laterality, day: date | None
) -> tuple[int, ...]:
    """Return the whole months since the latest operation on a breast, one for each source's date.

    More than one where sources differ; empty where no date is known.
    """
    surgery = [t for t in select_breast(treatments, side, day) if t.procedure.is_surgery]
    return _count_months([(t.source, t.started_on) for t in surgery], day)


def count_months_since_radiotherapy(
    treatments: Sequence[Treatment], side: Laterality, day: date | None
) -> tuple[int, ...]:
    """Return the whole months since the end of radiotherapy of a breast, for each source's date.

    Its beginning stands for its end where only that is known; 0 while it is under way.
    """
    radiotherapy = [
        t for t in select_breast(treatments, side, day) if t.procedure is Procedure.RADIOTHERAPY
    ]
    return _count_months([(t.source, t.ended_on or t.started_on) for t in radiotherapy], day)


def _count_months(
    dated: Sequence[tuple[TreatmentSource, date | None]], day: date | None
) -> tuple[int, ...]:
    if day is None:
        return ()
    latest: dict[TreatmentSource, date] = {}
    for source, when in dated:
        if when is not None:
            latest[source] = max(latest.get(source, when), when)
    days = sorted(latest.values())
    # Dates that do not contradict each other are one date, and the record's counts.
    if days and (days[-1] - days[0]).days <= SAME_DAYS:
        days = [latest.get(TreatmentSource.RECORD, days[0])]
    return tuple(sorted({max(count_months_between(when, day), 0) for when in days}))


def count_months_between(first: date, second: date) -> int:
    """Return the whole months from one day to another.

    >>> count_months_between(date(2023, 1, 31), date(2023, 2, 28)), count_months_between(
    ...     date(2023, 1, 15), date(2024, 1, 15)
    ... )
    (0, 12)
    """
    months = (second.year - first.year) * 12 + second.month - first.month
    return months - (second.day < first.day)


def find_conflicts(
    treatments: Sequence[Treatment], imaged: Iterable[Laterality], day: date | None
) -> tuple[str, ...]:
    """Return where sources, or images, contradict each other, as sentences without full stop.

    Parameters
    ----------
    treatments
        All of the patient.
    imaged
        The breasts that the study has images of.
    day
        That of the study.
    """
    conflicts: list[str] = []
    shown = frozenset(imaged)
    for side in (Laterality.RIGHT, Laterality.LEFT):
        own = select_breast(treatments, side, day)
        for is_surgery in (True, False):
            alike = [t for t in own if t.procedure.is_surgery is is_surgery]
            conflicts += _find_contradictions(side, alike)
        if side in shown:
            conflicts += [
                f"{side.letter}: {t.procedure} ({t.source}), but there are images of it"
                for t in own
                if t.procedure is Procedure.MASTECTOMY
            ]
    return tuple(dict.fromkeys(conflicts))


def _find_contradictions(side: Laterality, alike: Sequence[Treatment]) -> list[str]:
    """Compare the latest treatment of each further source with that of the first."""
    by_source = [[t for t in alike if t.source is source] for source in TreatmentSource]
    latest = [max(group, key=lambda t: t.started_on or date.min) for group in by_source if group]
    return [
        f"{side.letter}: {describe_treatment(latest[0])} against {describe_treatment(other)}"
        for other in latest[1:]
        if not _may_be_same(latest[0], other)
    ]


def _may_be_same(a: Treatment, b: Treatment) -> bool:
    procedures = {a.procedure, b.procedure}
    conserving = {Procedure.LUMPECTOMY, Procedure.QUADRANTECTOMY}
    # "Surgery" may be any operation.
    if len(procedures) > 1 and Procedure.SURGERY not in procedures and not procedures <= conserving:
        return False
    if a.started_on and b.started_on and abs((a.started_on - b.started_on).days) > SAME_DAYS:
        return False
    return not (a.site and b.site) or bool(a.site.quadrants & b.site.quadrants)


def describe_treatment(treatment: Treatment) -> str:
    """Return a treatment without its breast for people.

    >>> describe_treatment(Treatment(Procedure.LUMPECTOMY, Laterality.LEFT, date(2021, 3, 2)))
    'lumpectomy 2021-03-02 (record)'
    """
    parts = [treatment.procedure.value]
    if treatment.started_on is not None:
        parts.append(treatment.started_on.isoformat())
    if treatment.ended_on is not None and treatment.ended_on != treatment.started_on:
        parts.append(f"to {treatment.ended_on.isoformat()}")
    if treatment.site is not None:
        parts.append(treatment.site.words)
    return f"{' '.join(parts)} ({treatment.source})"
