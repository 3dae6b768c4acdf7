"""Secondary captures of a reading: an overview, and the views with shown findings.

For workstations that draw no CAD marks, and for what a CAD SR cannot hold. The pixels do not show
who the patient is, so that Burned In Annotation is NO (PS3.3 C.7.6.1). Pixel Spacing is not given,
since the pictures of a page differ in scale and carry their own bars.
"""

from collections.abc import Mapping
from functools import partial

from pydicom.dataset import Dataset

from secondread.findings.finding import ImageReading, StudyReading
from secondread.report.pages.cards import Badge, Card
from secondread.report.pages.change_colors import choose_color
from secondread.report.pages.compared_marks import without_prior
from secondread.report.pages.display_array import LoadDisplay
from secondread.report.pages.exam_hanging import order_views
from secondread.report.pages.overview import draw_overview_pages
from secondread.report.pages.page_layout import (
    PageText,
    draw_view_pages,
)
from secondread.report.pages.page_texts import (
    describe_exam,
    explain_broken_lines,
    find_own_source,
    list_study_notes,
    list_view_notes,
    make_footer,
)
from secondread.report.pages.panels import draw_inset
from secondread.report.pages.secondary_capture import (
    add_laterality,
    add_pixels,
    add_source,
    build_secondary_capture,
    collect_sides,
    encode_source_image,
)
from secondread.report.result import Authorship, ResultObject
from secondread.report.sr.image_library import find_source
from secondread.report.sr.impression_words import describe_in_legend
from secondread.report.sr.report_contents import count_shown
from secondread.report.sr.wording import (
    LIMITS,
    describe_measurements,
    describe_priority,
    to_ascii,
)
from secondread.settings import ObjectKind


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
            subtitle=describe_exam(source, len(image.shown_findings)),
            notes=list_view_notes(reading, image),
            footer=make_footer(reading, authorship, source),
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
    source = find_own_source(reading, sources)
    text = PageText(
        title="OVERVIEW",
        subtitle=describe_exam(source, count_shown(reading), reading),
        notes=(*list_study_notes(reading), *explain_broken_lines(reading), LIMITS),
        footer=make_footer(reading, authorship, source),
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
