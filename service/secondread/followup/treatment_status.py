"""What follows from a patient's treatments: status of a breast, elapsed months, conflicts.

Nothing here chooses between sources. Where they differ, both are said.
"""

from collections.abc import Iterable, Sequence
from datetime import date

from secondread.codes import Laterality
from secondread.findings.treatment import BreastStatus, Procedure, Treatment, TreatmentSource

SAME_DAYS = 31
"""Two sources that date a procedure this near to each other do not contradict: one of them may
say the month only, or the first of several days."""


def select_breast(
    treatments: Iterable[Treatment], side: Laterality, day: date | None
) -> tuple[Treatment, ...]:
    """Return the treatments of one breast that had begun by a day."""
    return tuple(one for one in treatments if one.laterality is side and one.was_done_by(day))


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
    sided = [one for one in treatments if one.laterality is not None]
    vague = [one for one in treatments if one.laterality is None and one.was_done_by(day)]
    is_recorded = any(one.source is TreatmentSource.RECORD for one in sided)
    # A header that names no side says nothing new where the record has the same procedure.
    if is_recorded and all(any(_may_be_same(one, other) for other in sided) for one in vague):
        return BreastStatus.UNTREATED
    return BreastStatus.UNKNOWN


def find_mastectomy_sides(treatments: Iterable[Treatment], day: date | None) -> frozenset[str]:
    """Return the letters of the breasts that were removed by a day."""
    return frozenset(
        one.laterality.letter
        for one in treatments
        if one.procedure is Procedure.MASTECTOMY and one.laterality and one.was_done_by(day)
    )


def count_months_since_surgery(
    treatments: Sequence[Treatment], side: Laterality, day: date | None
) -> tuple[int, ...]:
    """Return the whole months since the latest operation on a breast, one for each source's date.

    More than one where sources differ; empty where no date is known.
    """
    surgery = [one for one in select_breast(treatments, side, day) if one.procedure.is_surgery]
    return _elapsed([(one.source, one.started_on) for one in surgery], day)


def count_months_since_radiotherapy(
    treatments: Sequence[Treatment], side: Laterality, day: date | None
) -> tuple[int, ...]:
    """Return the whole months since the end of radiotherapy of a breast, likewise.

    Its beginning stands for its end where only that is known; 0 while it is under way.
    """
    radiotherapy = [
        one
        for one in select_breast(treatments, side, day)
        if one.procedure is Procedure.RADIOTHERAPY
    ]
    return _elapsed([(one.source, one.ended_on or one.started_on) for one in radiotherapy], day)


def _elapsed(
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
    """Return what sources, or images, say against each other, as sentences without full stop.

    Parameters
    ----------
    treatments
        All of the patient.
    imaged
        The breasts that the study has images of.
    day
        That of the study.
    """
    found: list[str] = []
    shown = frozenset(imaged)
    for side in (Laterality.RIGHT, Laterality.LEFT):
        own = select_breast(treatments, side, day)
        found += _contradictions(side, [one for one in own if one.procedure.is_surgery])
        found += _contradictions(side, [one for one in own if not one.procedure.is_surgery])
        if side in shown:
            found += [
                f"{side.letter}: {one.procedure} ({one.source}), but there are images of it"
                for one in own
                if one.procedure is Procedure.MASTECTOMY
            ]
    return tuple(dict.fromkeys(found))


def _contradictions(side: Laterality, alike: Sequence[Treatment]) -> list[str]:
    """Compare what each further source says of a breast with what the first says of it."""
    found = []
    by_source = {
        source: [one for one in alike if one.source is source] for source in TreatmentSource
    }
    known = [group for group in by_source.values() if group]
    for others in known[1:]:
        a, b = _latest(known[0]), _latest(others)
        if not _may_be_same(a, b):
            found.append(f"{side.letter}: {describe_treatment(a)} against {describe_treatment(b)}")
    return found


def _latest(group: Sequence[Treatment]) -> Treatment:
    return max(group, key=lambda one: one.started_on or date.min)


def _may_be_same(a: Treatment, b: Treatment) -> bool:
    vague = {Procedure.SURGERY}
    if a.procedure is not b.procedure and not {a.procedure, b.procedure} & vague:
        conserving = {Procedure.LUMPECTOMY, Procedure.QUADRANTECTOMY}
        if not {a.procedure, b.procedure} <= conserving:
            return False
    if a.started_on and b.started_on and abs((a.started_on - b.started_on).days) > SAME_DAYS:
        return False
    return not (a.site and b.site) or bool(a.site.quadrants & b.site.quadrants)


def describe_treatment(one: Treatment) -> str:
    """Return a treatment without its breast for people.

    >>> describe_treatment(Treatment(Procedure.LUMPECTOMY, Laterality.LEFT, date(2021, 3, 2)))
    'lumpectomy 2021-03-02 (record)'
    """
    parts = [one.procedure.value]
    if one.started_on is not None:
        parts.append(one.started_on.isoformat())
    if one.ended_on is not None and one.ended_on != one.started_on:
        parts.append(f"to {one.ended_on.isoformat()}")
    if one.site is not None:
        parts.append(one.site.words)
    return f"{' '.join(parts)} ({one.source})"
