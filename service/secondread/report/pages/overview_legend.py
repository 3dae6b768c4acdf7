"""The legend of an overview: findings by priority, the first ones enlarged."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL import Image

from secondread.findings.finding import StudyReading
from secondread.findings.image_names import format_label
from secondread.report.pages.breast_panel import DrawnImage
from secondread.report.pages.closeups import CloseUp, draw_close_ups, make_close_up
from secondread.report.pages.compared_marks import ComparedFinding, list_outlined, without_prior
from secondread.report.pages.display_array import LoadDisplay
from secondread.report.pages.drawing import MUTED, Box, draw_text, wrap_text
from secondread.report.pages.exam_hanging import ExamHanging, PriorView
from secondread.report.pages.labels import draw_color_badge, place_badge
from secondread.report.pages.outlines import NUMBER_SIZE
from secondread.report.pages.page_layout import divide_into_cells
from secondread.report.pages.panels import draw_inset
from secondread.report.sr.impression_words import describe_in_legend
from secondread.report.sr.report_contents import ImageFinding, ReportedLesion, group_lesions
from secondread.report.sr.wording import capitalize, describe_facts, describe_suspicion, pluralize

_BADGE_LINE, _LINE, _SMALL, _BETWEEN = 36, 29, 25, 12
_MAX_CONTEXT_LINES = 2
_MAX_ENLARGED = 4
_MAX_PAIRS = 4
_MIN_HEIGHT = 190
_GAP = 16
_PAIR_GAP = 12
"""Between the two pictures of a pair, and between pairs one below the other."""


@dataclass(frozen=True, slots=True)
class LegendLine:
    """One lesion, or one finding that is gone."""

    entries: tuple[ComparedFinding, ...]
    """One for each view, named by view and number."""
    suspicion: str
    facts: str
    context: tuple[str, ...] = ()
    seen: ImageFinding | None = None
    """Its finding of the highest priority; None for what is gone."""

    @property
    def height(self) -> float:
        """Rows of the page that it takes."""
        return _BADGE_LINE + _LINE + len(self.context) * _SMALL + _BETWEEN


def draw_legend(
    page: Image.Image,
    area: Box,
    reading: StudyReading,
    hanging: ExamHanging,
    display: LoadDisplay,
) -> None:
    """Write the findings into an area, with enlarged pictures above them where there is room."""
    lines = list_legend_lines(reading, hanging, area.width)
    fitting: list[LegendLine] = []
    height = 0.0
    for line in lines:
        if height + line.height > area.height - _LINE:
            break
        fitting.append(line)
        height += line.height
    more = len(lines) - len(fitting)
    room = area.height - height - (_LINE if more else 0)
    top = area.top
    if room >= _MIN_HEIGHT:
        cells = Box(area.left, top, area.right, top + room - _GAP)
        top = _enlarge(page, cells, [line.seen for line in fitting if line.seen], hanging, display)
    for line in fitting:
        _draw_line(page, area, top, line)
        top += line.height
    if more:
        words = f"{pluralize(more, 'more finding')} outlined"
        draw_text(page, (area.left, top + _LINE / 2), words, 20, MUTED, anchor="lm")


def list_legend_lines(
    reading: StudyReading, hanging: ExamHanging, width: float
) -> list[LegendLine]:
    """Return the lesions by priority, then what is gone."""
    # What the pictures show, by view and number there; the legend puts the view before the number.
    entries: dict[tuple[str, str], ComparedFinding] = {}
    for slot in (slot for row in hanging.rows for slot in row):
        for entry in list_outlined(slot.image, slot.prior):
            label = f"{slot.name} {entry.number}"
            entries[slot.name, entry.number] = replace(entry, number=label)
    for image in reading.images:
        for finding in image.shown_findings:
            key = (image.name, finding.number)
            alone = replace(without_prior(finding), number=" ".join(key))
            entries.setdefault(key, alone)
    lesions = group_lesions(reading, lambda image: image.shown_findings)
    ordered = sorted(lesions, key=lambda lesion: min(seen.finding.rank for seen in lesion.current))
    return [
        *(_make_line(reading, lesion, entries, width) for lesion in ordered),
        *(
            LegendLine((entry,), "", capitalize(entry.text))
            for entry in entries.values()
            if not entry.is_current_finding
        ),
    ]


def _make_line(
    reading: StudyReading,
    lesion: ReportedLesion,
    entries: dict[tuple[str, str], ComparedFinding],
    width: float,
) -> LegendLine:
    first = min(lesion.current, key=lambda seen: seen.finding.rank)
    ordered = [first, *(seen for seen in lesion.current if seen is not first)]
    measured = first.image.mammogram.spacing is not None
    context = describe_in_legend(reading, first.image, first.finding)
    return LegendLine(
        tuple(entries[seen.image.name, seen.finding.number] for seen in ordered),
        describe_suspicion(first.finding),
        describe_facts(first.finding, measured=measured),
        tuple(wrap_text(context, 20, width, _MAX_CONTEXT_LINES)),
        first,
    )


def _draw_line(page: Image.Image, area: Box, top: float, line: LegendLine) -> None:
    x, y = area.left, top + _BADGE_LINE / 2
    for index, entry in enumerate(line.entries):
        badge = place_badge(x, y, entry.number, NUMBER_SIZE)
        if badge.right > area.right - 190:  # where the suspicion stands
            break
        if index:
            draw_text(page, (x + 4, y), "=", 22, MUTED, anchor="lm")
            badge = place_badge(x + 28, y, entry.number, NUMBER_SIZE)
        draw_color_badge(page, badge, entry.number, entry.color, NUMBER_SIZE)
        x = badge.right + 6
    draw_text(page, (area.right, y), line.suspicion, 24, anchor="rm")
    y = top + _BADGE_LINE + _LINE / 2
    draw_text(page, (area.left, y), line.facts, 22, anchor="lm", width=area.width)
    y += (_LINE + _SMALL) / 2
    for words in line.context:
        draw_text(page, (area.left, y), words, 20, MUTED, anchor="lm")
        y += _SMALL


def _enlarge(
    page: Image.Image,
    area: Box,
    findings: Sequence[ImageFinding],
    hanging: ExamHanging,
    display: LoadDisplay,
) -> float:
    """Draw the first findings enlarged; return the row below."""
    priors = {
        slot.image.mammogram.sop_instance_uid: slot.prior
        for row in hanging.rows
        for slot in row
        if slot.image is not None and slot.prior is not None
    }
    if any(seen.image.mammogram.sop_instance_uid in priors for seen in findings[:1]):
        return _draw_pairs(page, area, findings, priors, display)
    findings = findings[:_MAX_ENLARGED]
    for seen, box in zip(findings, divide_into_cells(area, len(findings)), strict=True):
        uid, spacing = seen.image.mammogram.sop_instance_uid, seen.image.mammogram.spacing
        draw_inset(page, box, display(uid), seen.finding, spacing, _name(seen))
    return area.bottom + _GAP


def _draw_pairs(
    page: Image.Image,
    area: Box,
    findings: Sequence[ImageFinding],
    priors: dict[str, PriorView],
    display: LoadDisplay,
) -> float:
    """Draw findings beside what the prior has in their place."""
    draw_text(page, (area.left, area.top + 12), "Prior and current, own contrast", 20, MUTED, "lm")
    top = area.top + 30
    pairs = [
        _make_pair(seen, prior, display)
        for seen in findings[:_MAX_PAIRS]
        if (prior := priors.get(seen.image.mammogram.sop_instance_uid)) is not None
    ]
    # One pair or two in a row, whichever makes the pictures larger.
    columns, size = max(
        ((n, _measure_tile(area.width, area.bottom - top, n, len(pairs))) for n in (1, 2)),
        key=lambda grid: grid[1],
    )
    pair_width = 2 * size + _PAIR_GAP
    for index, pair in enumerate(pairs):
        left = area.left + (index % columns) * (pair_width + _GAP)
        y = top + (index // columns) * (size + _PAIR_GAP)
        draw_close_ups(page, Box(left, y, left + pair_width, y + size), [pair])
    return top + math.ceil(len(pairs) / columns) * (size + _PAIR_GAP) + _GAP


def _measure_tile(width: float, height: float, columns: int, number: int) -> float:
    """Return the width of one picture of a pair in a grid of so many pairs."""
    pair_width = (width - (columns - 1) * _GAP) / columns
    rows = math.ceil(number / columns)
    return min((pair_width - _PAIR_GAP) / 2, height / rows - _PAIR_GAP)


def _make_pair(seen: ImageFinding, prior: PriorView, display: LoadDisplay) -> CloseUp:
    outlined = list_outlined(seen.image, prior)
    entry = next(entry for entry in outlined if entry.number == seen.finding.number)
    current_picture, prior_picture = (
        DrawnImage(image, display(image.mammogram.sop_instance_uid))
        for image in (seen.image, prior.image)
    )
    return make_close_up(replace(entry, number=_name(seen)), current_picture, prior_picture)


def _name(seen: ImageFinding) -> str:
    return f"{format_label(seen.image.mammogram.label)} {seen.finding.number}"
