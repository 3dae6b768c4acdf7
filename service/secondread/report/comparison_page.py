"""Pictures of a comparison: a view beside its prior with the same numbers, and a blink pair."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from secondread.findings.comparison import FindingChange, StudyComparison, Verdict
from secondread.findings.finding import Finding, ImageReading
from secondread.followup.frame import PointsMm, ViewFrame
from secondread.followup.registration import Registration
from secondread.geometry import Outline, SpacingMm
from secondread.report.closeups import CloseUp, Place, close_ups
from secondread.report.drawing import (
    MARK,
    PAGE,
    PANEL_EDGE,
    QUIET,
    TEXT,
    WARNING,
    Box,
    Color,
    Strokes,
    around,
    badge_size,
    fitted,
    leader,
    place_label,
    scale_bar,
    write,
)
from secondread.report.panels import DisplayArray, Placement
from secondread.report.wording import DISCLAIMER, PURPOSE, count, spaced

PAGE_SIZE = (1800, 1400)
"""Columns and rows of a page."""
MOST_LINES = 6
"""Clusters beyond these are outlined and counted."""
BLINK_MM = 0.2
"""Pixel spacing of a blink pair."""

_MARGIN, _HEAD, _FOOT, _GUTTER, _LINE = 40, 116, 24, 30, 58
_VIEW_WIDTH = 545
_CAPTION = 44
_AIR_MM = 14.0  # in front of the breast: room for the numbers
_BADGE = 22
_GROWN: Color = (255, 110, 90)
_GONE: Color = (190, 150, 255)
_COLORS: dict[Verdict, Color] = {
    Verdict.NEW: WARNING,
    Verdict.MORE: _GROWN,
    Verdict.LARGER: _GROWN,
    Verdict.GONE: _GONE,
    Verdict.NOT_IN_FIELD: QUIET,
    Verdict.NOT_COMPARABLE: QUIET,
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One image of a view, as it is drawn."""

    image: ImageReading
    display: DisplayArray
    caption: str
    """Which exam it is, for people."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One cluster of the page: where it is outlined in each picture, and what is said."""

    number: str
    color: Color
    current: Outline
    current_found: bool
    """Whether the outline is of a finding; else it is where one would be."""
    prior: tuple[Outline, ...]
    prior_found: bool
    text: str
    context: str
    """Where in the breast."""


def comparison_page(current: Shown, prior: Shown, comparison: StudyComparison) -> Image.Image:
    """Return a page with a view beside its prior.

    The same number and colour name a cluster in both. A full outline is a finding; a broken one
    is where the other exam's finding would lie.
    """
    page = Image.new("RGB", PAGE_SIZE, PAGE)
    entries = _entries(current.image, prior.image, comparison)
    _head(page, current, comparison)
    lines = min(len(entries), MOST_LINES) + (len(entries) > MOST_LINES)
    bottom = page.height - _FOOT - max(lines, 1) * _LINE - 16
    left = Box(_MARGIN, _HEAD + 16, _MARGIN + _VIEW_WIDTH, bottom)
    right = Box(left.right + _GUTTER, left.top, left.right + _GUTTER + _VIEW_WIDTH, bottom)
    details = Box(right.right + _GUTTER, left.top + _CAPTION, page.width - _MARGIN, bottom)
    # One millimetre is equally long in both pictures, whatever the pitches.
    scale = min(_pixels_per_mm(shown, left) for shown in (current, prior))
    panels = [_picture(page, box, shown, scale) for box, shown in ((left, prior), (right, current))]
    _outlines(page, panels[0], [(e, e.prior, e.prior_found) for e in entries])
    _outlines(page, panels[1], [(e, (e.current,), e.current_found) for e in entries])
    close_ups(page, details, [_close_up(entry, current, prior) for entry in entries])
    middle = details.top - _CAPTION / 2
    write(page, (details.left, middle), "Prior and current, own contrast", 20, QUIET, "lm")
    _legend(page, bottom + 16, entries)
    return page


def _close_up(entry: _Entry, current: Shown, prior: Shown) -> CloseUp:
    places = [
        Place(shown.display, _spacing(shown.image), outline)
        for shown, outline in (
            (prior, entry.prior[0] if entry.prior else ()),
            (current, entry.current),
        )
    ]
    return CloseUp(entry.number, entry.color, places[0], places[1])


def _head(page: Image.Image, current: Shown, comparison: StudyComparison) -> None:
    right = page.width - _MARGIN
    write(page, (_MARGIN, 76), spaced(current.image.mammogram.label), 50)
    view = next(
        v
        for v in comparison.views
        if v.sop_instance_uid == current.image.mammogram.sop_instance_uid
    )
    how = "tissue found again" if view.aligned else "laid on each other by skin and nipple alone"
    known = f"places known to {view.error_mm:.1f} mm" if view.error_mm is not None else ""
    unit = "same unit" if view.same_unit else "another unit or processing, wider limits"
    facts = ", ".join(part for part in (comparison.basis, unit, how, known) if part)
    note = view.why_not or facts
    write(page, (_MARGIN, 104), fitted(note, 20, right - _MARGIN - 340), 20, QUIET)
    write(page, (right, 54), DISCLAIMER, 30, WARNING, anchor="rs")
    write(page, (right, 86), PURPOSE, 22, QUIET, anchor="rs")
    ImageDraw.Draw(page).line((_MARGIN, _HEAD, right, _HEAD), fill=PANEL_EDGE)


def _spacing(image: ImageReading) -> SpacingMm:
    return image.mammogram.spacing or SpacingMm(0.1, 0.1)


def _cut(shown: Shown) -> tuple[int, int, int, int]:
    """Return the first row, the row after the last, and the same of columns, of what is drawn."""
    rows, columns = shown.display.shape
    breast, spacing = shown.image.breast, _spacing(shown.image)
    if breast is None:
        return 0, rows, 0, columns
    top, bottom, left, right = breast.box
    down, across = (round(_AIR_MM / p) for p in (spacing.between_rows, spacing.between_columns))
    return (
        max(top - down, 0),
        min(bottom + down, rows),
        max(left - across, 0),
        min(right + across, columns),
    )


def _pixels_per_mm(shown: Shown, box: Box) -> float:
    top, bottom, left, right = _cut(shown)
    spacing = _spacing(shown.image)
    return min(
        box.width / ((right - left) * spacing.between_columns),
        (box.height - _CAPTION) / ((bottom - top) * spacing.between_rows),
    )


@dataclass(frozen=True, slots=True)
class _Panel:
    frame: Box
    placement: Placement


def _picture(page: Image.Image, box: Box, shown: Shown, per_mm: float) -> _Panel:
    top, bottom, left, right = _cut(shown)
    spacing = _spacing(shown.image)
    size = (
        max(int((right - left) * spacing.between_columns * per_mm), 1),
        max(int((bottom - top) * spacing.between_rows * per_mm), 1),
    )
    part = np.ascontiguousarray(shown.display[top:bottom, left:right])
    small = Image.fromarray(part).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    corner = (round(box.left + (box.width - size[0]) / 2), round(box.top) + _CAPTION)
    page.paste(small.convert("RGB"), corner)
    frame = Box(corner[0], corner[1], corner[0] + size[0], corner[1] + size[1])
    edge = (frame.left - 1, frame.top - 1, frame.right, frame.bottom)
    ImageDraw.Draw(page).rectangle(edge, outline=PANEL_EDGE)
    middle = frame.top - _CAPTION / 2
    write(page, (frame.left, middle), fitted(shown.caption, 24, box.width - 200), 24, TEXT, "lm")
    scale_bar(page, (box.right - 180, middle), per_mm, 100)
    scale = size[0] / (right - left)
    return _Panel(frame, Placement(frame.left - left * scale, frame.top - top * scale, scale))


def _entries(
    current: ImageReading, prior: ImageReading, comparison: StudyComparison
) -> list[_Entry]:
    uid, old = current.mammogram.sop_instance_uid, prior.mammogram.sop_instance_uid
    then = {finding.id: finding for finding in prior.findings}
    entries = []
    for finding in current.shown:
        change = comparison.of(uid, finding.id)
        if change is not None:
            entries.append(_current_entry(finding, change, then, comparison))
    gone = [
        change
        for change in comparison.changes
        if change.current is None and change.prior[0].sop_instance_uid == old
    ]
    for change in gone:
        finding = then[change.prior[0].finding_id]
        text = f"{change.verdict.words}: {count(len(finding.members), 'calcification')} then"
        color = _COLORS.get(change.verdict, MARK)
        number = f"P{finding.number}"
        entries.append(
            _Entry(number, color, change.place, False, (finding.outline,), True, text, "")
        )
    return entries


def _current_entry(
    finding: Finding,
    change: FindingChange,
    then: dict[str, Finding],
    comparison: StudyComparison,
) -> _Entry:
    old = tuple(then[ref.finding_id].outline for ref in change.prior if ref.finding_id in then)
    return _Entry(
        number=finding.number,
        color=_COLORS.get(change.verdict, MARK),
        current=finding.outline,
        current_found=True,
        prior=old or ((change.place,) if change.place else ()),
        prior_found=bool(old),
        text=change_line(finding, change, comparison),
        context=finding.position.words if finding.position else "",
    )


def change_line(finding: Finding, change: FindingChange, comparison: StudyComparison) -> str:
    """Return what became of a finding in one line: word, numbers, extents."""
    parts = [change.verdict.words]
    if change.verdict is Verdict.NOT_IN_FIELD:
        parts = ["not in the prior's field of view"]
    if comparison.prior_date is not None and change.verdict.change is not None:
        parts[0] += f" since {comparison.prior_date:%Y-%m-%d}"
    number, extent = change.number, change.extent_mm
    if number is None:
        parts.append(count(len(finding.members), "calcification"))
    else:
        parts.append(
            f"{number.prior:.0f} -> {number.current:.0f} calcifications "
            f"(a repeat gives {max(math.ceil(number.lower), 0)} to {math.floor(number.upper)})"
        )
    if extent is not None:
        parts.append(f"extent {extent.prior:.0f} -> {extent.current:.0f} mm")
    diameter = change.diameter_mm
    if diameter is not None and diameter.direction:
        parts.append(f"median diameter {diameter.prior:.2f} -> {diameter.current:.2f} mm")
    if change.verdict is Verdict.NOT_COMPARABLE:
        parts.append(change.why)
    return ", ".join(parts)


def _outlines(
    page: Image.Image,
    panel: _Panel,
    drawn: Sequence[tuple[_Entry, tuple[Outline, ...], bool]],
) -> None:
    labels: list[Box] = []
    lines = [
        (entry, [panel.placement.outline(one, 6) for one in outlines if len(one) > 3], found)
        for entry, outlines, found in drawn
    ]
    targets = [around(line) for _, outlines, _ in lines for line in outlines]
    for entry, outlines, found in lines:
        if not outlines:
            continue
        size = badge_size(entry.number, _BADGE)
        target = around([point for line in outlines for point in line])
        others = [*(t for t in targets if t != target), *labels]
        label = place_label(page, target, size, panel.frame, others)
        labels.append(label)
        strokes = Strokes(panel.frame)
        for line in outlines:
            for part in [line] if found else _dashes(line):
                strokes.add(part, 1.8)
        strokes.add(leader(label, outlines[0]), 1.3)
        strokes.paint(page, entry.color)
        _badge(page, label, entry)


def _badge(page: Image.Image, box: Box, entry: _Entry) -> None:
    corners = (box.left, box.top, box.right, box.bottom)
    ImageDraw.Draw(page).rounded_rectangle(corners, radius=5, fill=entry.color)
    middle = ((box.left + box.right) / 2, (box.top + box.bottom) / 2)
    write(page, middle, entry.number, _BADGE, PAGE, anchor="mm")


def _dashes(line: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Return a closed line in dashes of 7 pixels of the page."""
    at = np.array([*line, line[0]])
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(at, axis=0).T))])
    starts = np.arange(0.0, length[-1], 14.0)
    return [
        [
            (float(np.interp(s, length, at[:, 0])), float(np.interp(s, length, at[:, 1])))
            for s in (start, start + 3.5, start + 7.0)
        ]
        for start in starts
    ]


def _legend(page: Image.Image, top: float, entries: Sequence[_Entry]) -> None:
    y = top + 16
    room = page.width - 2 * _MARGIN - 60
    for entry in entries[:MOST_LINES]:
        width, height = badge_size(entry.number, _BADGE)
        box = Box(_MARGIN, y - height / 2, _MARGIN + width, y + height / 2)
        _badge(page, box, entry)
        write(page, (_MARGIN + 60, y), fitted(entry.text, 24, room), 24, anchor="lm")
        write(page, (_MARGIN + 60, y + 26), fitted(entry.context, 20, room), 20, QUIET, "lm")
        y += _LINE
    if len(entries) > MOST_LINES:
        rest = count(len(entries) - MOST_LINES, "more cluster")
        write(page, (_MARGIN + 60, y), f"{rest} outlined", 22, QUIET, anchor="lm")
    if not entries:
        write(page, (_MARGIN, y), "No cluster is shown in either exam", 24, QUIET, anchor="lm")


def blink_pair(
    current: DisplayArray, prior: DisplayArray, registration: Registration
) -> tuple[Image.Image, Image.Image]:
    """Return both images over each other, for looking at in turns: the current one, the prior.

    The prior is bent onto the current one, and has its greys; both hang as the current one.
    """
    frame = registration.current
    shape = (round(frame.height_mm / BLINK_MM), round(frame.width_mm / BLINK_MM))
    x, y = (np.arange(n) + 0.5 for n in (shape[1], shape[0]))
    here = np.stack(np.meshgrid(x, y), axis=-1) * BLINK_MM
    now = _sampled(current, here, frame)
    then = _sampled(prior, registration.map_mm(here), registration.prior)
    outline = np.round(frame.outline() / BLINK_MM).astype(np.int32)
    inside = cv2.fillPoly(np.zeros(shape, np.uint8), [outline], 1) > 0
    pair = [now, _like(then, now, inside)]
    if frame.mirrored:
        pair = [picture[:, ::-1] for picture in pair]
    if frame.upside_down:
        pair = [picture[::-1] for picture in pair]
    first, second = (Image.fromarray(np.ascontiguousarray(picture)) for picture in pair)
    return first, second


def _sampled(display: DisplayArray, points: PointsMm, frame: ViewFrame) -> DisplayArray:
    at = (frame.to_columns_rows(points) - 0.5).astype(np.float32)
    # What is finer than the picture's pixels would shimmer.
    reach = BLINK_MM / frame.spacing.mean
    smooth = cv2.GaussianBlur(display, (0, 0), reach / 3) if reach > 1.5 else display
    column, row = (np.ascontiguousarray(at[..., axis]) for axis in (0, 1))
    return np.asarray(cv2.remap(smooth, column, row, cv2.INTER_LINEAR), np.uint8)


def _like(
    picture: DisplayArray, model: DisplayArray, inside: npt.NDArray[np.bool_]
) -> DisplayArray:
    """Return a picture with the greys of another one, matched by their ranks in the breast."""
    both = inside & (picture > 0)
    if not both.any():
        return picture
    ranks = np.linspace(0, 1, 33)
    have, want = np.quantile(picture[both], ranks), np.quantile(model[both], ranks)
    # Equal ranks of the one, as in saturated tissue, would make the table ambiguous.
    have = np.maximum.accumulate(have + 1e-3 * np.arange(len(have)))
    table = np.interp(np.arange(256), have, want)
    table[0] = 0
    return np.asarray(np.clip(np.rint(table), 0, 255).astype(np.uint8)[picture])
