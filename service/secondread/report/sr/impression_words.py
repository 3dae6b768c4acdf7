"""The words of an impression: of the whole reading, of each finding, of each treated breast.

A finding has one line that a radiologist takes in at a glance; pages, the measurement report and
findings.json have the same line. What is not known of a finding is left out where the study as a
whole reports that, and is named otherwise.
"""

from collections.abc import Iterable, Sequence
from datetime import date

from secondread.codes import Laterality
from secondread.findings.changes import ChangeKind, FindingChange, StudyComparison
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.findings.image_names import format_label
from secondread.findings.label_words import describe_distribution, describe_type
from secondread.findings.member_words import describe_number
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
from secondread.reasons import ImageStatus
from secondread.report.sr import wording
from secondread.report.sr.benign_words import TITLE, describe_benign
from secondread.report.sr.report_contents import (
    MissingFinding,
    ReportedLesion,
    count_shown,
    group_lesions,
)
from secondread.report.sr.wording import format_day, pluralize, to_ascii

MAX_FINDING_LINES = 12
"""How many findings the overall impression describes; further ones are counted."""


def describe_reading(reading: StudyReading, missing: Iterable[MissingFinding] = ()) -> str:
    """Return the overall impression of a report: one paragraph of facts about the reading.

    Parameters
    ----------
    reading
        What was read.
    missing
        The priors' findings that the report holds because the study does not show them.
    """
    model = reading.model
    read = [image for image in reading.images if image.status.was_read]
    shown = count_shown(reading)
    parts = [
        f"Second read for calcifications by {model.name} {model.version}: "
        f"{pluralize(len(read), 'image')} of {len(reading.images)} read, "
        f"{pluralize(shown, 'finding')} shown",
        *list_impression_lines(reading),
        *map(describe_missing, missing),
        *describe_benign(reading),
        *wording.describe_unmarked(reading),
        *_describe_exam(reading),
    ]
    parts += [
        f"{image.name} {wording.describe_image_outcome(image)}"
        for image in reading.images
        if image.status is not ImageStatus.READ or image.reasons
    ]
    parts += [f"{labels} left out: {why}" for labels, why in wording.describe_left_out(reading)]
    if reading.missing_views:
        views = map(format_label, reading.missing_views)
        parts.append(f"Expected views missing: {', '.join(views)}")
    parts += wording.describe_priors(reading)
    parts += wording.list_study_doubts(reading)
    parts.append(wording.describe_certainty(model))
    if model.site_exams is not None:
        parts.append(wording.capitalize(wording.describe_operating_point(model)))
    return to_ascii(wording.join_statements(*parts, wording.LIMITS))


def _describe_exam(reading: StudyReading) -> list[str]:
    """Return the figures of the exam: its score, and the highest priority."""
    priority = "" if reading.priority is None else f"highest priority {reading.priority:.0f}"
    figures = ", ".join(filter(None, (wording.describe_exam_score(reading), priority)))
    return [wording.capitalize(figures), *([wording.EXAM_SCORE] if reading.exam_score else [])]


def list_impression_lines(reading: StudyReading) -> tuple[str, ...]:
    """Return a line for each shown lesion, by priority, and those of the treatment.

    As ``L CC 1, L MLO 1: 7 calcifications, punctate; L MLO 1: 5 calcifications``: the facts of one
    view, and what is otherwise in another.
    """
    lesions = group_lesions(reading, lambda image: image.shown_findings)
    lines = [_describe_lesion(reading, lesion) for lesion in lesions[:MAX_FINDING_LINES]]
    more = len(lesions) - len(lines)
    rest = [f"{pluralize(more, 'more finding')} shown"] if more else []
    return (*lines, *rest, *list_treatment_lines(reading))


def _describe_lesion(reading: StudyReading, lesion: ReportedLesion) -> str:
    names, facts = [], []
    for image, finding in ((item.image, item.finding) for item in lesion.current):
        names.append(f"{image.name} {finding.number}")
        counted = [*_locate(finding), _count_members(finding)]
        facts.append([*counted, *_list_facts(reading, image, finding)])
    parts = [f"{', '.join(names)}: {', '.join(facts[0])}"]
    for name, of_view in zip(names[1:], facts[1:], strict=True):
        if differing := [fact for fact in of_view if fact not in facts[0]]:
            parts.append(f"{name}: {', '.join(differing)}")
    return to_ascii("; ".join(parts))


def describe_finding(reading: StudyReading, image: ImageReading, finding: Finding) -> str:
    """Return a finding in one line.

    As ``1: L upper outer, 7 calcifications, fine pleomorphic, NEW since 2023-02-10 (prior
    re-read), elsewhere in the treated breast, 44 months after radiotherapy``.
    """
    laterality = image.mammogram.laterality
    place = " ".join([laterality.letter if laterality else "side unknown", *_locate(finding)])
    facts = [place, _count_members(finding), *_list_facts(reading, image, finding)]
    return to_ascii(f"{finding.number}: {', '.join(facts)}")


def describe_in_legend(reading: StudyReading, image: ImageReading, finding: Finding) -> str:
    """Return what the line adds where view, number and calcifications stand beside it."""
    return to_ascii(", ".join([*_locate(finding), *_list_facts(reading, image, finding)]))


def describe_with_figures(reading: StudyReading, image: ImageReading, finding: Finding) -> str:
    """Return a finding's line in an Individual Impression: with its view and its figures."""
    line = describe_finding(reading, image, finding)
    return f"{image.name} {line}; {wording.describe_figures(finding)}"


def _list_facts(reading: StudyReading, image: ImageReading, finding: Finding) -> list[str]:
    """Return the facts that every line has: type, distribution, change, treated site."""
    labels = filter(None, (describe_type(finding), describe_distribution(finding)))
    change = _describe_change(reading.comparisons, image, finding)
    benign = [TITLE.lower()] if finding.is_set_aside else []
    return [*labels, *benign, *change, *_describe_treated_site(reading, image, finding)]


def _locate(finding: Finding) -> list[str]:
    position = finding.position
    if position is None:
        return []
    if position.quadrant is not None:
        return [position.quadrant.value]
    if position.half is None:
        return []
    return [position.half if position.half is BreastHalf.CENTRAL else f"{position.half} half"]


def _count_members(finding: Finding) -> str:
    if finding.members:
        return describe_number(finding)
    return wording.CLASS_WORDS[finding.mark_class]


def _describe_change(
    comparisons: Sequence[StudyComparison], image: ImageReading, finding: Finding
) -> list[str]:
    """Describe the change since the nearest prior that has a word for it, else the nearest."""
    uid = image.sop_instance_uid
    changes = [
        (comparison, change)
        for comparison in comparisons
        if (change := comparison.find_change(uid, finding.id))
    ]
    if not changes:
        return [finding.change.code.meaning.lower()] if finding.change is not None else []
    with_word = [pair for pair in changes if pair[1].kind.change is not None]
    comparison, change = (with_word or changes)[0]
    day = format_day(comparison.prior_date, "a prior of unknown date")
    words = change.kind.words
    if change.kind.change is None:
        # Why whole views were not compared is told of the study.
        why_not = f": {change.why_not}" if change.prior or change.recheck else ""
        return [f"{words} ({day}{why_not})", *change.remarks]
    since = f"{words.upper() if change.kind is ChangeKind.NEW else words} since {day}"
    look = change.recheck_of_whole
    recheck = "" if look is None else f", {look.words}"
    return [f"{since} ({comparison.basis}{recheck})", *change.remarks]


def _describe_treated_site(
    reading: StudyReading, image: ImageReading, finding: Finding
) -> list[str]:
    """Describe where a finding is in a treated breast, and how long after the treatment."""
    placement = finding.placement
    if placement is None:
        return []
    laterality, day = image.mammogram.laterality, image.mammogram.study_date
    if laterality is None or placement.zone is Zone.OTHER_BREAST:
        return [placement.words]
    own, words = select_breast(reading.treatments, laterality, day), placement.words
    if placement.zone is Zone.NEAR_CLIPS and not any(t.procedure.is_surgery for t in own):
        is_unsided = any(
            t.laterality is None and t.procedure.is_surgery and t.was_done_by(day)
            for t in reading.treatments
        )
        words += "; side of surgery not recorded" if is_unsided else "; surgery not recorded"
        if not own:
            return [words]
    if radiotherapy := count_months_since_radiotherapy(reading.treatments, laterality, day):
        return [words, f"{_format_months(radiotherapy)} after radiotherapy"]
    if surgery := count_months_since_surgery(reading.treatments, laterality, day):
        return [words, f"{_format_months(surgery)} after surgery"]
    return [words, "date of treatment unknown"]


def _format_months(months: Sequence[int]) -> str:
    """Return all numbers of months that sources name.

    >>> _format_months((44,)), _format_months((20, 44))
    ('44 months', '20 or 44 months (sources differ)')
    """
    if len(months) == 1:
        return pluralize(months[0], "month")
    return f"{' or '.join(map(str, months))} months (sources differ)"


def describe_missing(missing: MissingFinding) -> str:
    """Return a line for people on a finding that the prior shows and this study does not."""
    change, comparison = missing.change, missing.comparison
    label = format_label(missing.prior.image.mammogram.label)
    why_not = f", {change.why_not}" if change.why_not else ""
    return to_ascii(
        f"{label} of the prior of {format_day(comparison.prior_date)}, "
        f"cluster {missing.prior.finding.number} of {pluralize(missing.count, 'calcification')}: "
        f"{change.kind.words}{why_not} ({comparison.basis})"
    )


def explain_change(comparison: StudyComparison, change: FindingChange) -> str:
    """Explain what the word for a change rests on: a parameter of the comparison."""
    against = f"against {format_day(comparison.prior_date)} ({comparison.basis})"
    parts = [f"{against}: {change.kind.words}", *change.remarks]
    if change.number is not None:
        number = change.number
        parts.append(
            f"by one rule {number.current:g} calcifications now and {number.prior:g} then, "
            f"unchanged from {number.lower:.1f} to {number.upper:.1f}"
        )
    if change.extent_mm is not None:
        extent = change.extent_mm
        parts.append(
            f"extent {extent.current:.1f} mm now and {extent.prior:.1f} mm then, "
            f"unchanged from {extent.lower:.1f} to {extent.upper:.1f} mm"
        )
    if change.error_mm is not None:
        parts.append(f"place known to {change.error_mm:g} mm")
    if change.recheck is not None:
        of_some = "" if change.recheck_of_whole else "the new ones "
        parts.append(of_some + change.recheck.explanation)
    return "; ".join(parts)


def list_treatment_lines(reading: StudyReading) -> tuple[str, ...]:
    """Describe for each breast what is known of its treatment, and what contradicts what.

    Empty where nothing at all is known: the study's reasons report that.
    """
    treatments = reading.treatments
    if not treatments:
        return ()
    days = [image.mammogram.study_date for image in reading.images]
    day = max((day for day in days if day is not None), default=None)
    imaged = {i.mammogram.laterality for i in reading.images if i.mammogram.laterality}
    lines = [
        _describe_breast(reading, laterality, day)
        for laterality in (Laterality.RIGHT, Laterality.LEFT)
    ]
    lines += [
        f"Side not told: {describe_treatment(treatment)}"
        for treatment in treatments
        if treatment.laterality is None and treatment.was_done_by(day)
    ]
    lines += [f"Conflict, {conflict}" for conflict in find_conflicts(treatments, imaged, day)]
    return tuple(to_ascii(line) for line in dict.fromkeys(lines))


def _describe_breast(reading: StudyReading, laterality: Laterality, day: date | None) -> str:
    treatments = reading.treatments
    status = find_breast_status(treatments, laterality, day)
    if status is BreastStatus.UNTREATED:
        return f"{laterality.letter}: untreated by the record"
    if status is BreastStatus.UNKNOWN:
        return f"{laterality.letter}: treatment unknown"
    parts = list(dict.fromkeys(map(describe_treatment, select_breast(treatments, laterality, day))))
    if surgery := count_months_since_surgery(treatments, laterality, day):
        parts.append(f"{_format_months(surgery)} after surgery")
    if radiotherapy := count_months_since_radiotherapy(treatments, laterality, day):
        parts.append(f"{_format_months(radiotherapy)} after radiotherapy")
    return f"{laterality.letter}: {', '.join(parts)}"
