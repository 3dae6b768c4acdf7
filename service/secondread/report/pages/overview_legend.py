"""What an overview says beside its pictures: findings by falling suspicion, the first enlarged."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from PIL import Image

from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.findings.image_names import format_label
from secondread.report.pages.breast_panel import find_drawing_spacing
from secondread.report.pages.closeups import CloseUp, CloseUpView, draw_close_ups
from secondread.report.pages.compared_marks import (
    ComparedFinding,
    draw_color_badge,
    list_outlined,
    without_prior,
)
from secondread.report.pages.drawing import (
    MUTED,
    Box,
    draw_text,
    measure_badge,
    shorten_text,
    wrap_text,
)
from secondread.report.pages.exam_hanging import ExamHanging, PriorView
from secondread.report.pages.page_layout import divide_into_cells
from secondread.report.pages.panels import DisplayArray, draw_inset
from secondread.report.sr.impression_words import describe_in_legend
from secondread.report.sr.reported_lesions import ImageFinding, ReportedLesion, group_lesions
from secondread.report.sr.wording import capitalize, describe_facts, describe_suspicion, pluralize

_BADGE_LINE, _LINE, _SMALL, _BETWEEN = 36, 29, 25, 12
_MOST_CONTEXT = 2
_MOST_ENLARGED = 4
_MOST_PAIRS = 4
_LEAST_HEIGHT = 190
_GAP = 16


@dataclass(frozen=True, slots=True)
class LegendLine:
    """One lesion, or one finding that is gone."""

    entries: tuple[ComparedFinding, ...]
    """One for each view, named by view and number."""
    suspicion: str
    facts: str
    context: tuple[str, ...] = ()
    seen: ImageFinding | None = None
    """Its most suspicious finding; None for what is gone."""

    @property
    def height(self) -> float:
        """Rows of the page that it takes."""
        return _BADGE_LINE + _LINE + len(self.context) * _SMALL + _BETWEEN


def draw_legend(
    page: Image.Image,
    area: Box,
    reading: StudyReading,
    hanging: ExamHanging,
    display: Callable[[str], DisplayArray],
) -> None:
    """Write the findings into an area, with enlarged pictures above them where there is room."""
    lines = list_legend_lines(reading, hanging, area.width)
    kept: list[LegendLine] = []
    height = 0.0
    for line in lines:
        if height + line.height > area.height - _LINE:
            break
        kept.append(line)
        height += line.height
    room = area.height - height - (_LINE if len(kept) < len(lines) else 0)
    top = area.top
    if room >= _LEAST_HEIGHT:
        cells = Box(area.left, top, area.right, top + room - _GAP)
        top = _enlarge(page, cells, [line.seen for line in kept if line.seen], hanging, display)
    for line in kept:
        _write(page, area, top, line)
        top += line.height
    if len(kept) < len(lines):
        rest = f"{pluralize(len(lines) - len(kept), 'more finding')} outlined"
        draw_text(page, (area.left, top + _LINE / 2), rest, 20, MUTED, anchor="lm")


def list_legend_lines(
    reading: StudyReading, hanging: ExamHanging, width: float
) -> list[LegendLine]:
    """Return the lesions by falling suspicion, then what is gone."""
    known: dict[tuple[str, str], ComparedFinding] = {}
    gone: list[LegendLine] = []
    for slot in (slot for row in hanging.rows for slot in row if slot.image is not None):
        for entry in _entries(slot.image, slot.prior):
            label = f"{slot.name} {entry.number}"
            known[slot.name, entry.number] = replace(entry, number=label)
            if not entry.is_current_finding:
                gone.append(
                    LegendLine((known[slot.name, entry.number],), "", capitalize(entry.text))
                )

    def named(seen: ImageFinding) -> ComparedFinding:
        name = seen.image.name
        alone = without_prior(seen.finding)
        return known.get((name, alone.number), replace(alone, number=f"{name} {alone.number}"))

    found = sorted(
        group_lesions(reading, lambda image: image.shown_findings), key=_rank, reverse=True
    )
    return [*(_line(reading, lesion, named, width) for lesion in found), *gone]


def _entries(image: ImageReading | None, prior: PriorView | None) -> list[ComparedFinding]:
    if image is None:
        return []
    return list_outlined(image, prior.image, prior.comparison) if prior else list_outlined(image)


def _worth(finding: Finding) -> tuple[float, float]:
    return (-1.0 if finding.suspicion is None else finding.suspicion, finding.certainty)


def _rank(lesion: ReportedLesion) -> tuple[float, float]:
    return max(_worth(seen.finding) for seen in lesion.current)


def _line(
    reading: StudyReading,
    lesion: ReportedLesion,
    named: Callable[[ImageFinding], ComparedFinding],
    width: float,
) -> LegendLine:
    first = max(lesion.current, key=lambda seen: _worth(seen.finding))
    others = [seen for seen in lesion.current if seen is not first]
    measured = first.image.mammogram.spacing is not None
    said = describe_in_legend(reading, first.image, first.finding)
    return LegendLine(
        tuple(named(seen) for seen in (first, *others)),
        describe_suspicion(first.finding),
        describe_facts(first.finding, measured=measured),
        tuple(wrap_text(said, 20, width, _MOST_CONTEXT)),
        first,
    )


def _write(page: Image.Image, area: Box, top: float, line: LegendLine) -> None:
    x, y = area.left, top + _BADGE_LINE / 2
    for index, entry in enumerate(line.entries):
        width, height = measure_badge(entry.number, 22)
        if x + width > area.right - 190:  # where the suspicion stands
            break
        if index:
            draw_text(page, (x + 4, y), "=", 22, MUTED, anchor="lm")
            x += 28
        draw_color_badge(page, Box(x, y - height / 2, x + width, y + height / 2), entry)
        x += width + 6
    draw_text(page, (area.right, y), line.suspicion, 24, anchor="rm")
    y = top + _BADGE_LINE + _LINE / 2
    draw_text(page, (area.left, y), shorten_text(line.facts, 22, area.width), 22, anchor="lm")
    y += (_LINE + _SMALL) / 2
    for words in line.context:
        draw_text(page, (area.left, y), words, 20, MUTED, anchor="lm")
        y += _SMALL


def _enlarge(
    page: Image.Image,
    area: Box,
    shown: Sequence[ImageFinding],
    hanging: ExamHanging,
    display: Callable[[str], DisplayArray],
) -> float:
    """Draw the first findings enlarged; return the row below."""
    priors = {
        slot.image.mammogram.sop_instance_uid: slot.prior
        for row in hanging.rows
        for slot in row
        if slot.image is not None and slot.prior is not None
    }
    if any(seen.image.mammogram.sop_instance_uid in priors for seen in shown[:1]):
        return _pairs(page, area, shown, priors, display)
    shown = shown[:_MOST_ENLARGED]
    for seen, box in zip(shown, divide_into_cells(area, len(shown)), strict=True):
        uid, spacing = seen.image.mammogram.sop_instance_uid, seen.image.mammogram.spacing
        number = f"{_short(seen)} {seen.finding.number}"
        draw_inset(page, box, display(uid), seen.finding, spacing, number)
    return area.bottom + _GAP


def _pairs(
    page: Image.Image,
    area: Box,
    shown: Sequence[ImageFinding],
    priors: dict[str, PriorView],
    display: Callable[[str], DisplayArray],
) -> float:
    """Draw findings beside what the prior has in their place."""
    draw_text(page, (area.left, area.top + 12), "Prior and current, own contrast", 20, MUTED, "lm")
    top = area.top + 30
    pairs = [
        _pair(seen, prior, display)
        for seen in shown[:_MOST_PAIRS]
        if (prior := priors.get(seen.image.mammogram.sop_instance_uid)) is not None
    ]
    beside, size = max(
        ((n, _tile(area.width, area.bottom - top, n, -(-len(pairs) // n))) for n in (1, 2)),
        key=lambda grid: grid[1],
    )
    for index, pair in enumerate(pairs):
        left = area.left + (index % beside) * (2 * size + 12 + _GAP)
        y = top + (index // beside) * (size + 12)
        draw_close_ups(page, Box(left, y, left + 2 * size + 12, y + size), [pair])
    return top + -(-len(pairs) // beside) * (size + 12) + _GAP


def _tile(width: float, height: float, columns: int, rows: int) -> float:
    """Return the width of one picture of a pair in a grid of pairs."""
    across = (width - (columns - 1) * _GAP) / columns
    return min((across - 12) / 2, height / rows - 12)


def _pair(seen: ImageFinding, prior: PriorView, display: Callable[[str], DisplayArray]) -> CloseUp:
    entry = next(
        entry
        for entry in list_outlined(seen.image, prior.image, prior.comparison)
        if entry.number == seen.finding.number
    )
    then = prior.image
    return CloseUp(
        f"{_short(seen)} {entry.number}",
        entry.color,
        CloseUpView(
            display(then.mammogram.sop_instance_uid),
            find_drawing_spacing(then),
            entry.prior[0] if entry.prior else (),
        ),
        CloseUpView(
            display(seen.image.mammogram.sop_instance_uid),
            find_drawing_spacing(seen.image),
            entry.current,
        ),
    )


def _short(seen: ImageFinding) -> str:
    return format_label(seen.image.mammogram.label)
