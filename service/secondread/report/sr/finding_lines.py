"""One line for each finding that a radiologist takes in at a glance, and one for each breast.

What is not known is left out where the study as a whole says so, and is said otherwise.
"""

from collections.abc import Sequence
from datetime import date

from secondread.codes import Laterality
from secondread.findings.changes import ChangeKind, FindingChange, StudyComparison
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.findings.position import BreastHalf
from secondread.findings.treatment import BreastStatus, Zone
from secondread.followup.treatment_status import (
    count_months_since_radiotherapy,
    count_months_since_surgery,
    describe_treatment,
    find_breast_status,
    find_conflicts,
    select_breast,
)
from secondread.report.sr.wording import CLASS_WORDS, pluralize, to_ascii

MOST_LINES = 12
"""How many findings the impression says in words; further ones are counted."""

_SIDES = (Laterality.RIGHT, Laterality.LEFT)


def describe_finding(reading: StudyReading, image: ImageReading, finding: Finding) -> str:
    """Return a finding in one line.

    As ``1: L upper outer, 7 calcifications, fine pleomorphic, NEW since 2023-02-10 (prior
    re-read), elsewhere in the treated breast, 44 months after radiotherapy``.
    """
    side = image.mammogram.laterality
    place = " ".join([side.letter if side else "side unknown", *_place(finding)])
    parts = [
        place,
        *_amount(finding),
        *describe_morphology(finding),
        *describe_context(reading, image, finding),
    ]
    return to_ascii(f"{finding.number}: {', '.join(parts)}")


def describe_in_legend(reading: StudyReading, image: ImageReading, finding: Finding) -> str:
    """Return what the line adds where view, number and calcifications stand beside it."""
    parts = [
        *_place(finding),
        *describe_morphology(finding),
        *describe_context(reading, image, finding),
    ]
    return to_ascii(", ".join(parts))


def list_impression_lines(reading: StudyReading) -> tuple[str, ...]:
    """Return the lines of the shown findings, named by view, and those of the treatment."""
    lines = []
    for image in reading.images:
        for finding in image.shown_findings:
            parts = [*_place(finding), *_amount(finding), *describe_morphology(finding)]
            parts += describe_context(reading, image, finding)
            lines.append(to_ascii(f"{image.name} {finding.number}: {', '.join(parts)}"))
    more = len(lines) - MOST_LINES
    rest = [f"{pluralize(more, 'more finding')} shown"] if more > 0 else []
    return (*lines[:MOST_LINES], *rest, *list_treatment_lines(reading))


def _place(finding: Finding) -> list[str]:
    position = finding.position
    if position is None:
        return []
    if position.quadrant is not None:
        return [position.quadrant.value]
    if position.half is None:
        return []
    return [position.half if position.half is BreastHalf.CENTRAL else f"{position.half} half"]


def _amount(finding: Finding) -> list[str]:
    if finding.members:
        return [pluralize(len(finding.members), "calcification")]
    return [CLASS_WORDS[finding.mark_class]]


def describe_morphology(finding: Finding) -> list[str]:
    """Return the likeliest type and distribution, where the model tells them."""
    return [
        label.code.meaning.lower().removesuffix(" distribution").removesuffix(" calcification")
        for label in (
            *(label for label, _ in finding.morphology[:1]),
            *(label for label, _ in finding.distribution[:1]),
        )
    ]


def describe_context(reading: StudyReading, image: ImageReading, finding: Finding) -> list[str]:
    """Return change, zone and elapsed months."""
    return [*_change(reading, image, finding), *_zone(finding), *_months(reading, image, finding)]


def _change(reading: StudyReading, image: ImageReading, finding: Finding) -> list[str]:
    told_by = _telling(reading.comparisons, image.mammogram.sop_instance_uid, finding.id)
    if told_by is None:
        return [finding.change.code.meaning.lower()] if finding.change is not None else []
    comparison, change = told_by
    day = comparison.prior_date.isoformat() if comparison.prior_date else "a prior of unknown date"
    if change.kind.change is None:
        return [f"{change.kind.words} ({day})"]
    words = change.kind.words
    since = f"{words.upper() if change.kind is ChangeKind.NEW else words} since {day}"
    looked = "" if change.recheck is None else f", {change.recheck.words}"
    return [f"{since} ({comparison.basis}{looked})"]


def _telling(
    comparisons: Sequence[StudyComparison], uid: str, finding_id: str
) -> tuple[StudyComparison, FindingChange] | None:
    """Return the nearest prior that has a word for the change, else the nearest that has any."""
    found = [(one, change) for one in comparisons if (change := one.find_change(uid, finding_id))]
    with_word = [pair for pair in found if pair[1].kind.change is not None]
    return next(iter((*with_word, *found)), None)


def _zone(finding: Finding) -> list[str]:
    return [finding.placement.words] if finding.placement is not None else []


def _months(reading: StudyReading, image: ImageReading, finding: Finding) -> list[str]:
    side, day = image.mammogram.laterality, image.mammogram.study_date
    if side is None or finding.placement is None or finding.placement.zone is Zone.OTHER_BREAST:
        return []
    radiotherapy = count_months_since_radiotherapy(reading.treatments, side, day)
    surgery = count_months_since_surgery(reading.treatments, side, day)
    if radiotherapy:
        return [f"{_number(radiotherapy)} after radiotherapy"]
    return [f"{_number(surgery)} after surgery" if surgery else "date of treatment unknown"]


def _number(months: Sequence[int]) -> str:
    """Return months in words, all that sources say.

    >>> _number((44,)), _number((20, 44))
    ('44 months', '20 or 44 months (sources differ)')
    """
    if len(months) == 1:
        return pluralize(months[0], "month")
    return f"{' or '.join(map(str, months))} months (sources differ)"


def list_treatment_lines(reading: StudyReading) -> tuple[str, ...]:
    """Say of each breast what is known of its treatment, and what contradicts what.

    Nothing where nothing at all is known: the study's reasons say that.
    """
    if not reading.treatments:
        return ()
    days = [image.mammogram.study_date for image in reading.images]
    day = max((one for one in days if one is not None), default=None)
    imaged = {i.mammogram.laterality for i in reading.images if i.mammogram.laterality}
    lines = [_breast(reading, side, day) for side in _SIDES]
    lines += [
        f"Side not told: {describe_treatment(one)}"
        for one in reading.treatments
        if one.laterality is None and one.was_done_by(day)
    ]
    lines += [f"Conflict, {text}" for text in find_conflicts(reading.treatments, imaged, day)]
    return tuple(to_ascii(line) for line in dict.fromkeys(lines))


def _breast(reading: StudyReading, side: Laterality, day: date | None) -> str:
    known = reading.treatments
    what = find_breast_status(known, side, day)
    if what is BreastStatus.UNTREATED:
        return f"{side.letter}: untreated by the record"
    if what is BreastStatus.UNKNOWN:
        return f"{side.letter}: treatment unknown"
    parts = list(dict.fromkeys(describe_treatment(one) for one in select_breast(known, side, day)))
    for months, since in (
        (count_months_since_surgery(known, side, day), "surgery"),
        (count_months_since_radiotherapy(known, side, day), "radiotherapy"),
    ):
        if months:
            parts.append(f"{_number(months)} after {since}")
    return f"{side.letter}: {', '.join(parts)}"
