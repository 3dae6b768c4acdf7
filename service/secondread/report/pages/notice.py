"""The capture that reports in words what became of a study."""

from collections.abc import Mapping

from pydicom.dataset import Dataset

from secondread.findings.finding import StudyReading
from secondread.findings.image_names import format_label
from secondread.reasons import ImageStatus, Outcome
from secondread.report.pages.page_layout import (
    NoticeLine,
    PageText,
    draw_notice_page,
)
from secondread.report.pages.page_texts import (
    describe_day,
    find_own_source,
    list_doubts,
    list_own_headers,
    make_footer,
)
from secondread.report.pages.secondary_capture import (
    add_laterality,
    add_pixels,
    build_image_comments,
    build_secondary_capture,
)
from secondread.report.result import Authorship, ResultObject
from secondread.report.sr.benign_words import describe_benign
from secondread.report.sr.wording import (
    LIMITS,
    capitalize,
    describe_image_outcome,
    describe_left_out,
    describe_unmarked,
    join_sentences,
    to_ascii,
)
from secondread.settings import ObjectKind

_HEADLINES = {
    Outcome.FINDINGS: "SECOND READ: FINDINGS SHOWN",
    Outcome.NO_FINDINGS: "SECOND READ: NO FINDINGS SHOWN",
    Outcome.PARTIAL: "SECOND READ INCOMPLETE",
    Outcome.FAILED: "SECOND READ NOT PERFORMED",
    Outcome.NOT_ELIGIBLE: "SECOND READ NOT PERFORMED",
}


def make_notice(
    reading: StudyReading,
    sources: Mapping[str, Dataset],
    authorship: Authorship,
    index: int = 0,
) -> ResultObject:
    """Return a capture that reports in words what became of the study, image by image.

    Parameters
    ----------
    reading
        What was read and what not.
    sources
        Headers of the study, by SOP Instance UID; there is at least one.
    authorship
        Who writes, when, for which destination.
    index
        Its position among the captures of this reading.
    """
    source = find_own_source(reading, sources)
    text = PageText(
        title=_choose_headline(reading),
        subtitle=describe_day(source),
        headline=capitalize(to_ascii(join_sentences(reading.reasons[:1]))),
        notes=(
            *describe_benign(reading),
            *describe_unmarked(reading),
            *list_doubts(reading),
            LIMITS,
        ),
        footer=make_footer(reading, authorship, source),
    )
    ds = build_secondary_capture(source, authorship, "study", index + 1)
    ds.ImageComments = build_image_comments(f"{text.title}: {text.headline}", authorship, source)
    # What was left out has a side as well.
    own = list_own_headers(reading, sources)
    add_laterality(ds, {str(header.get("ImageLaterality", None) or "") for header in own})
    add_pixels(ds, draw_notice_page(text, _list_notice_lines(reading)))
    return ResultObject(ObjectKind.CAPTURE, index, None, ds)


def _choose_headline(reading: StudyReading) -> str:
    doubtful = reading.outcome is Outcome.NO_FINDINGS and reading.doubtful
    return _HEADLINES[reading.outcome] + (", WITH DOUBTS" if doubtful else "")


def _list_notice_lines(reading: StudyReading) -> list[NoticeLine]:
    lines = [
        NoticeLine(
            to_ascii(image.name),
            to_ascii(describe_image_outcome(image)),
            emphasized=image.status is not ImageStatus.READ,
        )
        for image in reading.images
    ]
    lines += [
        NoticeLine(format_label(view), "expected, and not received", emphasized=True)
        for view in reading.missing_views
    ]
    lines += [
        NoticeLine(to_ascii(labels), f"left out: {reason}", emphasized=not reading.images)
        for labels, reason in describe_left_out(reading)
    ]
    return sorted(lines, key=lambda line: not line.emphasized)
