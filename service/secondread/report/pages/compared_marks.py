"""Findings of a view and of its prior under the same numbers and colours, for pictures of both."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from secondread.findings.changes import TOO_FAINT, ChangeKind, FindingChange, StudyComparison
from secondread.findings.finding import Finding, ImageReading
from secondread.geometry import Outline
from secondread.report.pages.breast_panel import Panel
from secondread.report.pages.drawing import (
    BACKGROUND,
    MARK,
    MUTED,
    WARNING,
    Box,
    Color,
    HaloedLines,
    draw_text,
    find_bounds,
    find_leader,
    measure_badge,
    place_label,
)
from secondread.report.sr.reported_lesions import count_prior_calcifications
from secondread.report.sr.wording import pluralize

BADGE_TEXT = 22
"""Size of the numbers."""

_GROWN: Color = (255, 110, 90)
_GONE: Color = (190, 150, 255)
_COLORS: dict[ChangeKind, Color] = {
    ChangeKind.NEW: WARNING,
    ChangeKind.MORE: _GROWN,
    ChangeKind.LARGER: _GROWN,
    ChangeKind.GONE: _GONE,
    ChangeKind.NOT_IN_FIELD: MUTED,
    ChangeKind.NOT_COMPARABLE: MUTED,
}


@dataclass(frozen=True, slots=True)
class ComparedFinding:
    """One cluster of the page: where it is outlined in each picture, and what is said."""

    number: str
    color: Color
    current: Outline
    is_current_finding: bool
    """Whether the outline is of a finding; else it is where one would be."""
    prior: tuple[Outline, ...]
    is_prior_finding: bool
    text: str
    context: str
    """Where in the breast."""


def list_compared(
    current: ImageReading, prior: ImageReading, comparison: StudyComparison
) -> list[ComparedFinding]:
    """Return the shown findings of a view with what they were, then what is gone."""
    uid, old = current.mammogram.sop_instance_uid, prior.mammogram.sop_instance_uid
    then = {finding.id: finding for finding in prior.findings}
    entries = []
    for finding in current.shown_findings:
        change = comparison.find_change(uid, finding.id)
        if change is not None:
            entries.append(_current_entry(finding, change, prior, comparison))
    gone = [
        change
        for change in comparison.changes
        if change.current is None and change.prior[0].sop_instance_uid == old
    ]
    for change in gone:
        finding = then[change.prior[0].finding_id]
        number = pluralize(count_prior_calcifications(finding, change), "calcification")
        text = f"{change.kind.words}: {number} then"
        text += f", {change.why_not}" if change.why_not else ""
        color = _COLORS.get(change.kind, MARK)
        number = f"P{finding.number}"
        entries.append(
            ComparedFinding(number, color, change.place, False, (finding.outline,), True, text, "")
        )
    return entries


def list_outlined(
    current: ImageReading,
    prior: ImageReading | None = None,
    comparison: StudyComparison | None = None,
) -> list[ComparedFinding]:
    """Return every shown finding of a view, compared or not, then what is gone."""
    compared = (
        list_compared(current, prior, comparison)
        if prior is not None and comparison is not None
        else []
    )
    told = {entry.number for entry in compared if entry.is_current_finding}
    return [
        *(
            without_prior(finding)
            for finding in current.shown_findings
            if finding.number not in told
        ),
        *compared,
    ]


def without_prior(finding: Finding) -> ComparedFinding:
    """Return a finding of which nothing is known of earlier."""
    return ComparedFinding(finding.number, MARK, finding.outline, True, (), False, "", "")


def _current_entry(
    finding: Finding,
    change: FindingChange,
    prior: ImageReading,
    comparison: StudyComparison,
) -> ComparedFinding:
    then = {finding.id: finding for finding in prior.findings}
    old = tuple(then[ref.finding_id].outline for ref in change.prior if ref.finding_id in then)
    return ComparedFinding(
        number=finding.number,
        color=_COLORS.get(change.kind, MARK),
        current=finding.outline,
        is_current_finding=True,
        prior=old or _place_in(prior, change),
        is_prior_finding=bool(old),
        text=describe_change(finding, change, comparison),
        context=finding.position.words if finding.position else "",
    )


def _place_in(prior: ImageReading, change: FindingChange) -> tuple[Outline, ...]:
    """Return where a finding would lie in a prior's image; nothing where that is not known."""
    looked_at = change.recheck.prior_image if change.recheck is not None else ""
    is_other = looked_at not in {"", prior.mammogram.sop_instance_uid}
    return () if is_other or not change.place else (change.place,)


def describe_change(finding: Finding, change: FindingChange, comparison: StudyComparison) -> str:
    """Return what became of a finding in one line: word, numbers, extents."""
    parts = [change.kind.words]
    if change.kind is ChangeKind.NOT_IN_FIELD:
        parts = ["not in the prior's field of view"]
    if comparison.prior_date is not None and change.kind.change is not None:
        parts[0] += f" since {comparison.prior_date:%Y-%m-%d}"
    number, extent = change.number, change.extent_mm
    if number is None:
        parts.append(pluralize(len(finding.members), "calcification"))
    else:
        parts.append(
            f"{number.prior:.0f} -> {number.current:.0f} calcifications "
            f"(a repeat gives {max(math.ceil(number.lower), 0)} to {math.floor(number.upper)})"
        )
    if extent is not None:
        # Below a centimetre a whole millimetre is too coarse: two calcifications had no extent.
        digits = 0 if min(extent.prior, extent.current) >= 10 else 1
        parts.append(f"extent {extent.prior:.{digits}f} -> {extent.current:.{digits}f} mm")
    diameter = change.diameter_mm
    if diameter is not None and diameter.direction:
        parts.append(f"median diameter {diameter.prior:.2f} -> {diameter.current:.2f} mm")
    if change.kind is ChangeKind.NOT_COMPARABLE:
        parts.append(change.why_not)
    if change.recheck is not None:
        more = TOO_FAINT if change.recheck.seen else change.recheck.why_not
        told = ", ".join(filter(None, (change.recheck.words, more)))
        parts.append(f"{comparison.basis}: {told}")
    return ", ".join(parts)


def draw_outlines(
    page: Image.Image,
    panel: Panel,
    drawn: Sequence[tuple[ComparedFinding, tuple[Outline, ...], bool]],
) -> None:
    """Draw outlines in a picture with their numbers: broken ones where a finding would be."""
    labels: list[Box] = []
    lines = [
        (entry, [panel.placement.place_outline(one, 6) for one in outlines if len(one) > 3], found)
        for entry, outlines, found in drawn
    ]
    targets = [find_bounds(line) for _, outlines, _ in lines for line in outlines]
    for entry, outlines, found in lines:
        if not outlines:
            continue
        size = measure_badge(entry.number, BADGE_TEXT)
        target = find_bounds([point for line in outlines for point in line])
        others = [*(t for t in targets if t != target), *labels]
        label = place_label(page, target, size, panel.frame, others)
        labels.append(label)
        strokes = HaloedLines(panel.frame)
        for line in outlines:
            for part in [line] if found else _dashes(line):
                strokes.add_line(part, 1.8)
        strokes.add_line(find_leader(label, outlines[0]), 1.3)
        strokes.paint(page, entry.color)
        draw_color_badge(page, label, entry)


def draw_color_badge(page: Image.Image, box: Box, entry: ComparedFinding) -> None:
    """Draw an entry's number in its colour."""
    corners = (box.left, box.top, box.right, box.bottom)
    ImageDraw.Draw(page).rounded_rectangle(corners, radius=5, fill=entry.color)
    middle = ((box.left + box.right) / 2, (box.top + box.bottom) / 2)
    draw_text(page, middle, entry.number, BADGE_TEXT, BACKGROUND, anchor="mm")


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
