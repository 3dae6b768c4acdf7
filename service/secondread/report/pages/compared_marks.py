"""Findings of a view and of its prior under the same numbers and colours, for pictures of both."""

import math
from dataclasses import dataclass

from secondread.findings.changes import TOO_FAINT, ChangeKind, FindingChange, StudyComparison
from secondread.findings.finding import Finding, ImageReading
from secondread.findings.member_words import describe_number
from secondread.geometry import Outline, padded_hull
from secondread.report.pages.change_colors import choose_color
from secondread.report.pages.drawing import Color
from secondread.report.pages.exam_hanging import PriorView
from secondread.report.pages.outlines import NumberedOutline
from secondread.report.sr.report_contents import count_prior_calcifications
from secondread.report.sr.wording import pluralize

_NEW_MARGIN_MM = 0.8
"""Around new calcifications: less than around their cluster."""


@dataclass(frozen=True, slots=True)
class ComparedFinding:
    """One cluster of a page: where it is outlined in each picture, and its line of text."""

    number: str
    color: Color
    current: Outline
    is_current_finding: bool
    """Whether the outline is of a finding; else it is where one would be."""
    prior: tuple[Outline, ...] = ()
    is_prior_finding: bool = False
    text: str = ""
    context: str = ""
    """Where in the breast."""
    appeared: Outline = ()
    """Around the calcifications of an old cluster that are new."""

    @property
    def in_current(self) -> NumberedOutline:
        """What is drawn in the picture of the current exam."""
        outlines = (self.current, self.appeared) if self.appeared else (self.current,)
        return NumberedOutline(self.number, self.color, outlines, self.is_current_finding)

    @property
    def in_prior(self) -> NumberedOutline:
        """What is drawn in the picture of the prior."""
        return NumberedOutline(self.number, self.color, self.prior, self.is_prior_finding)


def list_outlined(current: ImageReading | None, prior: PriorView | None) -> list[ComparedFinding]:
    """Return every shown finding of a view, compared or not, then what is gone."""
    if current is None:
        return []
    compared = [] if prior is None else list_compared(current, prior.image, prior.comparison)
    numbers = {entry.number for entry in compared if entry.is_current_finding}
    others = [finding for finding in current.shown_findings if finding.number not in numbers]
    return [*map(without_prior, others), *compared]


def without_prior(finding: Finding) -> ComparedFinding:
    """Return a finding that was compared with nothing."""
    color = choose_color(finding.change)
    return ComparedFinding(finding.number, color, finding.outline, is_current_finding=True)


def list_compared(
    current: ImageReading, prior: ImageReading, comparison: StudyComparison
) -> list[ComparedFinding]:
    """Return the shown findings of a view beside their earlier state, then what is gone."""
    uid, prior_uid = current.mammogram.sop_instance_uid, prior.mammogram.sop_instance_uid
    prior_findings = {finding.id: finding for finding in prior.findings}
    compared = []
    for finding in current.shown_findings:
        change = comparison.find_change(uid, finding.id)
        if change is not None:
            old = [
                prior_findings[ref.finding_id].outline
                for ref in change.prior
                if ref.finding_id in prior_findings
            ]
            entry = ComparedFinding(
                finding.number,
                choose_color(change.kind if change.kind.change else finding.change or change.kind),
                finding.outline,
                is_current_finding=True,
                prior=tuple(old) or _find_place(prior, change),
                is_prior_finding=bool(old),
                text=describe_change(finding, change, comparison),
                context=finding.position.words if finding.position else "",
                appeared=_outline_new(current, change),
            )
            compared.append(entry)
    return compared + [
        _describe_missing(prior_findings[change.prior[0].finding_id], change)
        for change in comparison.changes
        if change.current is None and change.prior[0].sop_instance_uid == prior_uid
    ]


def _outline_new(current: ImageReading, change: FindingChange) -> Outline:
    """Return the outline of what has appeared in a cluster of the prior; empty for nothing."""
    spacing = current.mammogram.spacing
    if spacing is None or not change.new_calcifications:
        return ()
    return padded_hull(change.new_calcifications, spacing, _NEW_MARGIN_MM)


def _describe_missing(finding: Finding, change: FindingChange) -> ComparedFinding:
    """Return a prior's finding that the current image does not show."""
    number = pluralize(count_prior_calcifications(finding, change), "calcification")
    return ComparedFinding(
        f"P{finding.number}",
        choose_color(change.kind),
        change.place,
        is_current_finding=False,
        prior=(finding.outline,),
        is_prior_finding=True,
        text=", ".join(filter(None, (f"{change.kind.words}: {number} then", change.why_not))),
    )


def _find_place(prior: ImageReading, change: FindingChange) -> tuple[Outline, ...]:
    """Return where a finding would be in a prior's image; nothing where that is not known."""
    rechecked = change.recheck.prior_image if change.recheck is not None else ""
    is_other = rechecked not in {"", prior.mammogram.sop_instance_uid}
    return () if is_other or not change.place else (change.place,)


def describe_change(finding: Finding, change: FindingChange, comparison: StudyComparison) -> str:
    """Return what became of a finding in one line: word, numbers, extents."""
    parts = [change.kind.words]
    if change.kind is ChangeKind.NOT_IN_FIELD:
        parts = ["not in the prior's field of view"]
    if comparison.prior_date is not None and change.kind.change is not None:
        parts[0] += f" since {comparison.prior_date:%Y-%m-%d}"
    parts += change.remarks
    number, extent = change.number, change.extent_mm
    if number is None:
        parts.append(describe_number(finding))
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
    recheck = change.recheck_of_whole
    if recheck is not None:
        more = TOO_FAINT if recheck.seen else recheck.why_not
        words = ", ".join(filter(None, (recheck.words, more)))
        parts.append(f"{comparison.basis}: {words}")
    return ", ".join(parts)
