"""One study as its page shows it: the tracker's values, sorted and grouped; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from secondread.settings import ObjectKind
from secondread.track.states import UNDELIVERED, RevisionState, StudyState
from secondread.track.summaries import (
    DeliverySummary,
    ImageSummary,
    OutboxSummary,
    StudyDetail,
    StudySummary,
)
from secondread.track.values import FindingEntry
from secondread.watch.words import spoken

_NAMES = {
    ObjectKind.CAD_SR: "CAD SR",
    ObjectKind.TID1500: "TID 1500",
    ObjectKind.CAPTURE: "capture",
    ObjectKind.PRESENTATION: "presentation state",
}
_UNDER_WAY = {StudyState.ASSEMBLING, StudyState.AWAITING_PRIORS, StudyState.READING}


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One line of the table of findings."""

    id: str
    label: str
    """Side and view of its image."""
    kind: str
    shown: bool
    certainty: float
    suspicion: float | None
    calcifications: int | None
    long_axis_mm: float | None
    morphology: str
    distribution: str
    change: str
    zone: str
    line: str
    """All of it as the radiologist reads it; empty in results of earlier versions."""


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """One result object and its ways out."""

    item: OutboxSummary
    name: str
    """As ``CAD SR`` or ``capture 2``."""


@dataclass(frozen=True, slots=True)
class DestinationRows:
    """What one destination gets or would get of the study."""

    name: str
    rows: tuple[tuple[ObjectRow, DeliverySummary], ...]


@dataclass(frozen=True, slots=True)
class StudyView:
    """What the page of one study shows."""

    detail: StudyDetail
    seconds_to_result: float | None
    images: tuple[ImageSummary, ...]
    """What arrived, in its order."""
    shown: tuple[FindingRow, ...]
    below: tuple[FindingRow, ...]
    """Candidates that the operating point does not show."""
    current: tuple[ObjectRow, ...]
    """Objects of the latest revision that has any."""
    earlier: tuple[ObjectRow, ...]
    destinations: tuple[DestinationRows, ...]
    """Of the current objects."""
    current_revision: int | None
    """The latest revision that has results; None before there is one."""
    changes: bool
    """Whether the page may look different in a moment."""

    @property
    def captures(self) -> tuple[ObjectRow, ...]:
        """The current captures."""
        return tuple(row for row in self.current if row.item.kind is ObjectKind.CAPTURE)


def study_view(detail: StudyDetail) -> StudyView:
    """Arrange everything about a study for its page."""
    labels = {image.sop_instance_uid: image.label for image in detail.images}
    findings = [_finding(finding, labels) for finding in detail.findings]
    latest = max((item.revision for item in detail.outbox), default=0)
    current = tuple(_object(item) for item in detail.outbox if item.revision == latest)
    return StudyView(
        detail=detail,
        seconds_to_result=seconds_to_result(detail.summary),
        images=detail.images,
        shown=tuple(finding for finding in findings if finding.shown),
        below=tuple(finding for finding in findings if not finding.shown),
        current=current,
        earlier=tuple(_object(item) for item in detail.outbox if item.revision != latest),
        destinations=_by_destination(current),
        current_revision=_current(detail),
        changes=detail.summary.state in _UNDER_WAY
        or any(way.state in UNDELIVERED for item in detail.outbox for way in item.deliveries),
    )


def _current(detail: StudyDetail) -> int | None:
    finished = (one.number for one in detail.revisions if one.state is RevisionState.FINISHED)
    return max(finished, default=None)


def seconds_to_result(summary: StudySummary) -> float | None:
    """Return the seconds from the last image to the result.

    None before there is a result, and where an image came after it.
    """
    reported: datetime | None = summary.reported_at
    if reported is None or reported < summary.last_arrived_at:
        return None
    return (reported - summary.last_arrived_at).total_seconds()


def _finding(entry: FindingEntry, labels: Mapping[str, str]) -> FindingRow:
    document = entry.document
    return FindingRow(
        id=entry.finding_id,
        label=labels.get(entry.sop_instance_uid, ""),
        kind=entry.kind,
        shown=entry.shown,
        certainty=entry.certainty,
        suspicion=entry.suspicion,
        calcifications=document.get("calcifications"),
        long_axis_mm=document.get("long_axis_mm"),
        morphology=_likeliest(document.get("morphology")),
        distribution=_likeliest(document.get("distribution")),
        change=spoken(str(document.get("change") or "")),
        zone=spoken(str(document.get("zone") or "")),
        line=str(document.get("line") or ""),
    )


def _likeliest(pairs: Sequence[tuple[str, float]] | None) -> str:
    """Return name and confidence of the first pair, as the document has them in falling order."""
    if not pairs:
        return ""
    name, confidence = pairs[0]
    return f"{spoken(name)} ({confidence:.0%})"


def _object(item: OutboxSummary) -> ObjectRow:
    name = _NAMES[item.kind]
    one = item.kind in {ObjectKind.CAD_SR, ObjectKind.TID1500}
    return ObjectRow(item, name if one else f"{name} {item.index + 1}")


def _by_destination(objects: Sequence[ObjectRow]) -> tuple[DestinationRows, ...]:
    ways: dict[str, list[tuple[ObjectRow, DeliverySummary]]] = {}
    for row in objects:
        for delivery in row.item.deliveries:
            ways.setdefault(delivery.destination, []).append((row, delivery))
    return tuple(DestinationRows(name, tuple(rows)) for name, rows in sorted(ways.items()))
