"""Secondary captures of a reading: an overview, the views with shown findings, and notices.

For workstations that draw no CAD marks, and for what a CAD SR cannot hold. The pixels do not show
who the patient is, so that Burned In Annotation is NO (PS3.3 C.7.6.1). Pixel Spacing is not given,
since the pictures of a page differ in scale and carry their own bars.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from pydicom.dataset import Dataset

from secondread.findings.finding import ImageReading, StudyReading
from secondread.findings.image_names import format_label
from secondread.findings.label_words import find_alternative
from secondread.reasons import ImageStatus, Outcome
from secondread.report.pages.cards import Badge, Card
from secondread.report.pages.change_colors import choose_color
from secondread.report.pages.compared_marks import without_prior
from secondread.report.pages.display_array import LoadDisplay
from secondread.report.pages.exam_hanging import order_views
from secondread.report.pages.overview import draw_overview_pages
from secondread.report.pages.page_layout import (
    NoticeLine,
    PageText,
    draw_notice_page,
    draw_view_pages,
)
from secondread.report.pages.panels import draw_inset
from secondread.report.pages.secondary_capture import (
    add_laterality,
    add_pixels,
    add_source,
    build_image_comments,
    build_secondary_capture,
    collect_sides,
    describe_replaced,
    encode_source_image,
)
from secondread.report.result import Authorship, ResultObject
from secondread.report.sr.header import to_local_time
from secondread.report.sr.image_library import find_source
from secondread.report.sr.impression_words import describe_in_legend, list_treatment_lines
from secondread.report.sr.report_contents import count_shown
from secondread.report.sr.wording import (
    FIGURES,
    LIMITS,
    SHARES,
    capitalize,
    describe_certainty,
    describe_image_outcome,
    describe_left_out,
    describe_measurements,
    describe_operating_point,
    describe_priority,
    describe_priors,
    describe_unmarked,
    format_day,
    join_sentences,
    list_study_doubts,
    pluralize,
    split_reasons,
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


def make_view_captures(
    reading: StudyReading,
    sources: Mapping[str, Dataset],
    display: LoadDisplay,
    authorship: Authorship,
    first: int = 0,
) -> tuple[ResultObject, ...]:
    """Return the captures of each image that has shown findings, by priority.

    One for each image, more where its findings need more pages.

    Parameters
    ----------
    reading
        What was read.
    sources
        Headers of the images by SOP Instance UID.
    display
        Their pixels; asked for only where there is something to draw.
    authorship
        Who writes, when, for which destination.
    first
        Position of the first one among the captures of this reading.

    Raises
    ------
    ReportError
        An image with findings has no header.
    """
    results: list[ResultObject] = []
    for image in order_views(reading):
        uid = image.sop_instance_uid
        source = find_source(image.mammogram, sources)
        text = PageText(
            title=to_ascii(image.name),
            subtitle=_describe_exam([image], len(image.shown_findings)),
            notes=_list_view_notes(reading, image),
            footer=_make_footer(reading, authorship, source),
        )
        marks = [without_prior(finding).in_current for finding in image.shown_findings]
        cards = _make_cards(reading, image, display)
        pages = draw_view_pages(image, display(uid), marks, cards, text)
        for number, page in enumerate(pages, start=1):
            index = first + len(results)
            about = uid if number == 1 else f"{uid} {number}"
            ds = build_secondary_capture(source, authorship, about, index + 1)
            add_source(ds, image, source)
            add_pixels(ds, page)
            results.append(ResultObject(ObjectKind.CAPTURE, index, uid, ds))
    return tuple(results)


def _make_cards(reading: StudyReading, image: ImageReading, display: LoadDisplay) -> list[Card]:
    """Return the cards of an image's shown findings, each with an inset at stored resolution."""
    spacing = image.mammogram.spacing
    cards = []
    for finding in image.shown_findings:
        color = choose_color(finding.change)
        inset = partial(
            draw_inset,
            display=display(image.sop_instance_uid),
            finding=finding,
            spacing=spacing,
            color=color,
        )
        facts = describe_measurements(finding, measured=spacing is not None)
        context = describe_in_legend(reading, image, finding)
        badge = Badge(finding.number, color)
        cards.append(Card((badge,), "", describe_priority(finding), facts, context, (inset,)))
    return cards


def make_overview(
    reading: StudyReading,
    sources: Mapping[str, Dataset],
    display: LoadDisplay,
    authorship: Authorship,
) -> tuple[ResultObject, ...]:
    """Return the captures that show the exam as it hangs, with its findings; the first captures.

    Parameters
    ----------
    reading
        What was read; at least one image was, and at least one finding is shown.
    sources, display
        Headers and pixels of the images, and of the priors' that they were compared with.
    authorship
        Who writes, when, for which destination.
    """
    source = _find_own_source(reading, sources)
    text = PageText(
        title="OVERVIEW",
        subtitle=_describe_exam(reading.images, count_shown(reading), reading.priority),
        notes=(*_list_study_notes(reading), *_explain_broken_lines(reading), LIMITS),
        footer=_make_footer(reading, authorship, source),
    )
    results = []
    for index, page in enumerate(draw_overview_pages(reading, display, text)):
        about = "overview" if index == 0 else f"overview {index + 1}"
        ds = build_secondary_capture(source, authorship, about, index + 1)
        ds.DerivationDescription = (
            "Page with downsampled views, hung, the prior's beside them where there is one, and "
            "the outlines and numbers of computer-detected calcifications"
        )
        ds.SourceImageSequence = [
            encode_source_image(image) for image in reading.images if image.status.was_read
        ]
        add_laterality(ds, collect_sides(reading.images))
        add_pixels(ds, page)
        results.append(ResultObject(ObjectKind.CAPTURE, index, None, ds))
    return tuple(results)


def _describe_exam(
    images: Sequence[ImageReading], shown: int, priority: float | None = None
) -> str:
    """Return the exam's day, how many findings are shown, and the priority of the exam."""
    rated = "" if priority is None else f", priority of the exam {priority:.0f}"
    return f"{_describe_day(images)}: {pluralize(shown, 'finding')} shown{rated}"


def _describe_day(images: Sequence[ImageReading]) -> str:
    days = (image.mammogram.study_date for image in images)
    return f"Exam of {format_day(max(filter(None, days), default=None))}"


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
    source = _find_own_source(reading, sources)
    text = PageText(
        title=_choose_headline(reading),
        subtitle=_describe_day(reading.images),
        headline=capitalize(to_ascii(join_sentences(reading.reasons[:1]))),
        notes=(*describe_unmarked(reading), *_list_doubts(reading), LIMITS),
        footer=_make_footer(reading, authorship, source),
    )
    ds = build_secondary_capture(source, authorship, "study", index + 1)
    ds.ImageComments = build_image_comments(f"{text.title}: {text.headline}", authorship, source)
    # What was left out has a side as well.
    own = _list_own_headers(reading, sources)
    add_laterality(ds, {str(header.get("ImageLaterality", None) or "") for header in own})
    add_pixels(ds, draw_notice_page(text, _list_notice_lines(reading)))
    return ResultObject(ObjectKind.CAPTURE, index, None, ds)


def _find_own_source(reading: StudyReading, sources: Mapping[str, Dataset]) -> Dataset:
    """Return the header of an image of the study; those of priors may be among the sources."""
    return min(_list_own_headers(reading, sources), key=lambda ds: str(ds.SOPInstanceUID))


def _list_own_headers(reading: StudyReading, sources: Mapping[str, Dataset]) -> list[Dataset]:
    return [ds for ds in sources.values() if str(ds.StudyInstanceUID) == reading.study_uid]


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


def _list_doubts(reading: StudyReading) -> tuple[str, ...]:
    return (*list_study_doubts(reading), *describe_priors(reading), *list_treatment_lines(reading))


def _list_view_notes(reading: StudyReading, image: ImageReading) -> tuple[str, ...]:
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
            *_list_study_notes(reading),
            describe_certainty(reading.model),
            f"{lengths}. Details with their own contrast",
        )
    )


def _explain_broken_lines(reading: StudyReading) -> tuple[str, ...]:
    compared = any(comparison.compared for comparison in reading.comparisons)
    return ("Broken line: where it would lie in the other exam",) if compared else ()


def _list_study_notes(reading: StudyReading) -> tuple[str, ...]:
    """Return what the figures of a page are, what is not marked, and what is doubtful."""
    missing = ", ".join(map(format_label, reading.missing_views))
    findings = [finding for _, finding in reading.list_shown()]
    has_shares = any(
        find_alternative(labels) for f in findings for labels in (f.morphology, f.distribution)
    )
    return (
        *((FIGURES,) if reading.priority is not None else ()),
        *((SHARES,) if has_shares else ()),
        *describe_unmarked(reading),
        *((f"Expected views missing: {missing}",) if missing else ()),
        *_list_doubts(reading),
    )


def _make_footer(reading: StudyReading, authorship: Authorship, source: Dataset) -> tuple[str, str]:
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
