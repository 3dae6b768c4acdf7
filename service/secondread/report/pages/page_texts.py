"""What is written around the pictures of captures: the exam's day, notes, and the footer."""

from collections.abc import Mapping

from pydicom.dataset import Dataset

from secondread.assemble.header_dates import read_study_day
from secondread.findings.finding import ImageReading, StudyReading
from secondread.findings.image_names import format_label
from secondread.findings.label_words import find_alternative
from secondread.report.pages.secondary_capture import (
    describe_replaced,
)
from secondread.report.result import Authorship
from secondread.report.sr.benign_words import describe_benign
from secondread.report.sr.header import to_local_time
from secondread.report.sr.impression_words import list_treatment_lines
from secondread.report.sr.wording import (
    EXAM_SCORE,
    FIGURES,
    SHARES,
    capitalize,
    describe_certainty,
    describe_exam_score,
    describe_operating_point,
    describe_priors,
    describe_unmarked,
    join_sentences,
    list_study_doubts,
    pluralize,
    split_reasons,
    to_ascii,
)


def describe_exam(source: Dataset, shown: int, reading: StudyReading | None = None) -> str:
    """Return the exam's day, how many findings are shown, and the figures of the exam."""
    figures = [f"{describe_day(source)}: {pluralize(shown, 'finding')} shown"]
    if reading is not None and reading.priority is not None:
        figures.append(f"priority of the exam {reading.priority:.0f}")
    if reading is not None:
        figures.append(describe_exam_score(reading))
    return ", ".join(filter(None, figures))


def describe_day(source: Dataset) -> str:
    """Return the exam's day by the header of one of its images."""
    return f"Exam of {read_study_day(source) or 'unknown date'}"


def find_own_source(reading: StudyReading, sources: Mapping[str, Dataset]) -> Dataset:
    """Return the header of an image of the study; those of priors may be among the sources."""
    return min(list_own_headers(reading, sources), key=lambda ds: str(ds.SOPInstanceUID))


def list_own_headers(reading: StudyReading, sources: Mapping[str, Dataset]) -> list[Dataset]:
    """Return the headers of the study itself."""
    return [ds for ds in sources.values() if str(ds.StudyInstanceUID) == reading.study_uid]


def list_doubts(reading: StudyReading) -> tuple[str, ...]:
    """Return what is doubtful about a study, its priors, and what is known of treatments."""
    return (*list_study_doubts(reading), *describe_priors(reading), *list_treatment_lines(reading))


def list_view_notes(reading: StudyReading, image: ImageReading) -> tuple[str, ...]:
    """Return the notes of a view: doubts about it, those of the study, and what lengths are."""
    magnified = image.mammogram.magnification
    lengths = "Lengths at the detector plane"
    if magnified is not None and magnified > 1:
        lengths += f", magnified {magnified:.2f} times"
    if image.mammogram.spacing is None:
        lengths = "The image has no pixel spacing, lengths are not known"
    elif not image.mammogram.is_spacing_at_detector:
        lengths = "Lengths by a pixel spacing that is not given at the detector plane"
    reasons, remarks = split_reasons(image)
    doubts = (f"Read with doubts: {join_sentences(reasons)}",) if reasons else ()
    return tuple(
        to_ascii(note)
        for note in (
            *doubts,
            *(capitalize(remark.sentence) for remark in remarks),
            *list_study_notes(reading),
            describe_certainty(reading.model),
            f"{lengths}. Details with their own contrast",
        )
    )


def explain_broken_lines(reading: StudyReading) -> tuple[str, ...]:
    """Return what a broken line is, where there may be one."""
    compared = any(comparison.compared for comparison in reading.comparisons)
    return ("Broken line: where it would lie in the other exam",) if compared else ()


def list_study_notes(reading: StudyReading) -> tuple[str, ...]:
    """Return what the figures of a page are, what is not marked, and what is doubtful."""
    missing = ", ".join(map(format_label, reading.missing_views))
    findings = [finding for _, finding in reading.list_shown()]
    has_shares = any(
        find_alternative(labels) for f in findings for labels in (f.morphology, f.distribution)
    )
    return (
        *((FIGURES,) if reading.priority is not None else ()),
        *((EXAM_SCORE,) if reading.exam_score is not None else ()),
        *((SHARES,) if has_shares else ()),
        *describe_benign(reading),
        *describe_unmarked(reading),
        *((f"Expected views missing: {missing}",) if missing else ()),
        *list_doubts(reading),
    )


def make_footer(reading: StudyReading, authorship: Authorship, source: Dataset) -> tuple[str, str]:
    """Return the lines at the foot: when it was made and what it replaces; by whom."""
    node, model = authorship.node, reading.model
    moment = to_local_time(authorship.occasion.written_at, source)
    zone = f"{moment:%z}"
    made = f"processed {moment:%Y-%m-%d %H:%M} UTC{zone[:3]}:{zone[3:5]}"
    place = ", ".join([f"revision {reading.revision}", *describe_replaced(authorship, source)])
    return (
        to_ascii(f"{made}   |   {place}"),
        to_ascii(
            f"{node.model_name} {node.version}   |   {model.name} {model.version}, "
            f"{describe_operating_point(model)}, manifest {model.digest[:12]}"
        ),
    )
