"""The English of reports and captures about a reading and its images, ASCII only."""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from datetime import date

from secondread.assemble.study_patient import describe_set_aside
from secondread.codes import MarkClass
from secondread.findings.certainty import format_certainty
from secondread.findings.finding import Finding, ImageReading, ModelIdentity, StudyReading
from secondread.findings.image_names import format_label
from secondread.findings.member_words import describe_number
from secondread.reasons import ImageStatus, Reason

DISCLAIMER = "NOT FOR DIAGNOSIS"
PURPOSE = "second read, research use"
LIMITS = (
    "For research and decision support, not a diagnosis. "
    "Without a mark, calcifications can still be present."
)

FIGURES = (
    "Priority (the order) = certainty x suspicion / 100; suspicion: share malignant, in published "
    "series, of clusters of such type and distribution"
)
"""The figures of a finding, in one line of a capture."""
EXAM_SCORE = "Exam score: probability, in percent, that a reader would describe a cluster in it"
"""The same for the figure of the exam."""
SHARES = "Labels with shares (44 %) cannot be told apart"

CLASS_WORDS: dict[MarkClass, str] = {
    MarkClass.CLUSTER: "cluster",
    MarkClass.CALCIFICATION: "single calcification",
    MarkClass.VASCULAR: "vascular calcification",
    MarkClass.METAL: "metal or marker",
    MarkClass.SKIN: "skin calcification",
    MarkClass.BENIGN: "typically benign calcification",
}


def to_ascii(text: str, limit: int | None = None) -> str:
    r"""Return the text in printable ASCII: accents dropped, the rest as question marks.

    The character set of a result is that of its patient's name. A backslash separates values,
    and is a yen sign in ISO-IR 14 as a tilde is an overline; both are replaced as well.

    >>> to_ascii("St\u00e4dtisches Klinikum, C:\\x")
    'Stadtisches Klinikum, C:/x'
    """
    decomposed = unicodedata.normalize("NFKD", text.replace("\\", "/").replace("~", "-"))
    letters = (c for c in decomposed if not unicodedata.combining(c))
    plain = "".join(c if c.isascii() and c.isprintable() else "?" for c in letters)
    return plain[:limit].strip()


def pluralize(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> pluralize(1, "image"), pluralize(0, "finding")
    ('1 image', '0 findings')
    """
    return f"{number} {noun if number == 1 else noun + 's'}"


def format_day(day: date | None, unknown: str = "unknown date") -> str:
    """Return a date as people and programs read it, or words for an unknown one.

    >>> format_day(date(2025, 1, 6)), format_day(None)
    ('2025-01-06', 'unknown date')
    """
    return unknown if day is None else day.isoformat()


def join_sentences(reasons: Iterable[Reason]) -> str:
    """Return the sentences of reasons, one after the other."""
    return "; ".join(reason.sentence for reason in reasons)


def join_statements(*statements: str) -> str:
    """Return statements one after the other, each with one full stop.

    >>> join_statements("Read with doubts", "Not a diagnosis.")
    'Read with doubts. Not a diagnosis.'
    """
    return " ".join(f"{statement.rstrip('. ')}." for statement in statements if statement)


def explain_why_not_read(image: ImageReading) -> str:
    """Return why an image was not read, with the detail that was recorded."""
    reason = join_sentences(image.reasons) or "the reason was not recorded"
    return to_ascii(f"{reason} ({image.detail})" if image.detail else reason)


def describe_image_outcome(image: ImageReading) -> str:
    """Return what became of an image."""
    if image.status is ImageStatus.REFUSED:
        return f"not read: {explain_why_not_read(image)}"
    if image.status is ImageStatus.FAILED:
        return f"failed: {explain_why_not_read(image)}"
    number = len(image.shown_findings)
    shown = f"{pluralize(number, 'finding') if number else 'no findings'} shown"
    doubts, remarks = split_reasons(image)
    with_doubts = [f"with doubts: {join_sentences(doubts)}"] if doubts else []
    return "; ".join([f"read, {shown}", *with_doubts, *(r.sentence for r in remarks)])


def split_reasons(image: ImageReading) -> tuple[list[Reason], list[Reason]]:
    """Return the reasons for doubts about an image that was read, and what is merely remarked."""
    doubts: list[Reason] = [r for r in image.reasons if not r.is_remark]
    return doubts, [r for r in image.reasons if r.is_remark]


def describe_left_out(reading: StudyReading) -> tuple[tuple[str, str], ...]:
    """Return what of the study was outside the detector's scope, as (labels, reason).

    Instances with the same reason share a line. Images of other patients have one of their own,
    see `list_study_doubts`.
    """
    labels: dict[Reason, Counter[str]] = {}
    of_patient = (i for i in reading.left_out if i.reason is not Reason.OTHER_PATIENT)
    for instance in of_patient:
        labels.setdefault(instance.reason, Counter())[format_label(instance.label)] += 1
    lines = []
    for reason, counts in labels.items():
        counted = (label if n == 1 else f"{n} x {label}" for label, n in counts.items())
        lines.append((", ".join(counted), reason.sentence))
    return tuple(lines)


def describe_unmarked(reading: StudyReading) -> tuple[str, ...]:
    """Return how many candidate clusters of the exam are not marked; empty where all are.

    As ``4 fainter candidates not marked, highest suspicion 21 (certainty 13)``.
    """
    unmarked = [
        finding
        for image in reading.images
        if image.status.was_read
        for finding in image.findings
        if finding.mark_class is MarkClass.CLUSTER
        and not finding.shown
        and not finding.is_set_aside
    ]
    if not unmarked:
        return ()
    counted = f"{pluralize(len(unmarked), 'fainter candidate')} not marked"
    # A suspicion is that of a cluster; how likely it is one stands beside it.
    worst = max(unmarked, key=lambda finding: (finding.suspicion or 0.0, finding.certainty))
    if worst.suspicion is None:
        return (counted,)
    certainty = "under 1" if worst.certainty < 1 else format_certainty(worst.certainty)
    return (f"{counted}, highest suspicion {worst.suspicion:.0f} (certainty {certainty})",)


def describe_exam_score(reading: StudyReading) -> str:
    """Return the score of an exam with its name, as ``exam score 97``; empty without one."""
    score = reading.exam_score
    return "" if score is None else f"exam score {format_certainty(score)}"


def describe_priors(reading: StudyReading) -> tuple[str, ...]:
    """Return for each prior whether it was compared."""
    lines = []
    for prior in reading.priors:
        has_reason = prior.reason not in {None, Reason.NO_COMPARISON}
        why_not = f"not compared: {prior.why_not}" if has_reason else "not compared"
        day = format_day(prior.study_date)
        lines.append(f"Prior of {day} {'compared' if prior.compared else why_not}")
    return tuple(lines)


def describe_certainty(model: ModelIdentity) -> str:
    """Return what the certainty of this model is."""
    if model.calibrated:
        return "Certainty: calibrated probability that the mark is what it is called, in percent"
    return "Certainty is not calibrated"


def describe_operating_point(model: ModelIdentity) -> str:
    """Name the operating point, and on how many exams the site calibrated it, if it did."""
    named = f"operating point {model.operating_point}"
    if model.site_exams is None:
        return named
    return f"{named}, site-calibrated on {pluralize(model.site_exams, 'exam')}"


def list_study_doubts(reading: StudyReading) -> tuple[str, ...]:
    """Return the study's reasons that nothing else in a report states, capitalised."""
    reported_elsewhere = {
        Reason.ALL_IMAGES_REFUSED,
        Reason.SOME_IMAGES_REFUSED,
        Reason.VIEWS_MISSING,
        Reason.NOTHING_IN_SCOPE,
        *([Reason.NO_COMPARISON] if reading.priors else []),
        # The line of a prior says it as well.
        *(prior.reason for prior in reading.priors if prior.reason is Reason.IDENTITY_IN_DOUBT),
        # Of which breast something is known, and of which not, has its own line.
        *([Reason.TREATMENT_UNKNOWN] if reading.treatments else []),
    }
    return tuple(
        _describe_others(reading)
        if reason is Reason.PATIENT_MISMATCH
        else capitalize(reason.sentence)
        for reason in reading.reasons
        if reason not in reported_elsewhere
    )


def _describe_others(reading: StudyReading) -> str:
    """Return how many images of another patient came with a study, and whether it may be theirs."""
    others = sum(instance.reason is Reason.OTHER_PATIENT for instance in reading.left_out)
    if not others:
        return capitalize(Reason.PATIENT_MISMATCH.sentence)
    own = len(reading.images) + len(reading.left_out) - others
    doubt = ", no fewer than its own: whose study this is, is in doubt" if others >= own else ""
    return describe_set_aside(others) + doubt


def describe_measurements(finding: Finding, *, measured: bool) -> str:
    """Return a finding's facts in one line; its length only where the image has a spacing."""
    return f"{describe_facts(finding, measured=measured)}, {describe_suspicion(finding)}"


def describe_facts(finding: Finding, *, measured: bool) -> str:
    """Return what a finding is, its size and certainty, without its suspicion."""
    size = describe_size(finding, measured=measured)
    parts = [
        CLASS_WORDS[finding.mark_class],
        size,
        f"certainty {format_certainty(finding.certainty)}",
    ]
    return capitalize(to_ascii(", ".join(filter(None, parts))))


def describe_size(finding: Finding, *, measured: bool) -> str:
    """Return the number of a finding's calcifications and, where it was measured, its length."""
    parts = [describe_number(finding)]
    if measured and finding.long_axis_mm > 0:
        parts.append(f"{finding.long_axis_mm:.{0 if finding.long_axis_mm >= 10 else 1}f} mm")
    return ", ".join(filter(None, parts))


def describe_priority(finding: Finding) -> str:
    """Return the priority of a finding with its name, as ``priority 29``; empty without one."""
    return "" if finding.priority is None else f"priority {finding.priority:.0f}"


def describe_suspicion(finding: Finding) -> str:
    """Return the suspicion of a finding with its name.

    As ``suspicion 29``, or ``suspicion not rated``.
    """
    return f"suspicion {'not rated' if finding.suspicion is None else f'{finding.suspicion:.0f}'}"


def describe_figures(finding: Finding) -> str:
    """Return the figures of a finding with their names.

    As ``certainty 82, suspicion 29, priority 24``.
    """
    certainty = f"certainty {format_certainty(finding.certainty)}"
    figures = (certainty, describe_suspicion(finding), describe_priority(finding))
    return ", ".join(filter(None, figures))


def capitalize(text: str) -> str:
    """Return the text with its first letter, and no other, in upper case."""
    return text[:1].upper() + text[1:]
