"""One study as its page shows it: the tracker's values, sorted and grouped; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from secondread.codes import Distribution, Morphology
from secondread.findings.certainty import format_certainty
from secondread.findings.label_words import describe_shares
from secondread.settings import ObjectKind
from secondread.track.states import UNDELIVERED, DeliveryState, RevisionState, StudyState
from secondread.track.summaries import (
    DeliverySummary,
    ImageSummary,
    OutboxObjectSummary,
    StudyDetail,
    StudySummary,
)
from secondread.track.values import RecordedFinding
from secondread.watch.words import spell_out

_NAMES = {
    ObjectKind.CAD_SR: "CAD SR",
    ObjectKind.TID1500: "TID 1500",
    ObjectKind.CAPTURE: "capture",
    ObjectKind.PRESENTATION: "presentation state",
}
_UNDER_WAY = {StudyState.ASSEMBLING, StudyState.AWAITING_PRIORS, StudyState.READING}


@dataclass(frozen=True, slots=True)
class FindingLine:
    """One line of the table of findings."""

    id: str
    label: str
    """Side and view of its image."""
    kind: str
    shown: bool
    certainty: str
    """For people."""
    suspicion: float | None
    priority: float | None
    number: str
    """Of its calcifications, with the faint ones named."""
    long_axis_mm: float | None
    morphology: str
    distribution: str
    change: str
    zone: str
    line: str
    """All of it as the radiologist reads it; empty in results of earlier versions."""


@dataclass(frozen=True, slots=True)
class ObjectLine:
    """One result object and its deliveries."""

    item: OutboxObjectSummary
    name: str
    """As ``CAD SR`` or ``capture 2``."""


@dataclass(frozen=True, slots=True)
class CaptureGroup:
    """The captures of one profile."""

    destinations: tuple[str, ...]
    """Who gets them."""
    rows: tuple[ObjectLine, ...]


@dataclass(frozen=True, slots=True)
class DestinationLines:
    """What one destination gets or would get of the study."""

    name: str
    rows: tuple[tuple[ObjectLine, DeliverySummary], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a study's way, as far as it has come."""

    name: str
    at: datetime | None
    """When it was done; None while it is not, or where nothing is known."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class StudyPage:
    """What the page of one study shows."""

    detail: StudyDetail
    seconds_to_result: float | None
    images: tuple[ImageSummary, ...]
    """What arrived, in its order."""
    shown: tuple[FindingLine, ...]
    below: tuple[FindingLine, ...]
    """Candidates that the operating point does not show."""
    current: tuple[ObjectLine, ...]
    """Objects of the latest revision that has any."""
    earlier: tuple[ObjectLine, ...]
    destinations: tuple[DestinationLines, ...]
    """Of the current objects."""
    current_revision: int | None
    """The latest revision that has results; None before there is one."""
    changes: bool
    """Whether the page may look different in a moment."""
    steps: tuple[Step, ...] = ()
    """The way of the latest reading: arrived, settled, claimed, read, sent, proven."""

    @property
    def captures(self) -> tuple[CaptureGroup, ...]:
        """The current captures by profile: each profile has its own of the same exam."""
        groups: dict[str, list[ObjectLine]] = {}
        for row in self.current:
            if row.item.kind is ObjectKind.CAPTURE:
                groups.setdefault(row.item.profile, []).append(row)
        return tuple(_make_capture_group(rows) for rows in groups.values())


def arrange_study(detail: StudyDetail) -> StudyPage:
    """Arrange everything about a study for its page."""
    labels = {image.sop_instance_uid: image.label for image in detail.images}
    findings = [_make_finding_line(finding, labels) for finding in detail.findings]
    objects = [_make_object_line(item) for item in detail.outbox_objects]
    latest = max((line.item.revision for line in objects), default=0)
    current = tuple(line for line in objects if line.item.revision == latest)
    deliveries = [delivery for item in detail.outbox_objects for delivery in item.deliveries]
    return StudyPage(
        detail=detail,
        seconds_to_result=compute_seconds_to_result(detail.summary),
        images=detail.images,
        shown=tuple(finding for finding in findings if finding.shown),
        below=tuple(finding for finding in findings if not finding.shown),
        current=current,
        earlier=tuple(line for line in objects if line.item.revision != latest),
        destinations=_group_by_destination(current),
        current_revision=_find_current_revision(detail),
        changes=detail.summary.state in _UNDER_WAY
        or any(delivery.state in UNDELIVERED for delivery in deliveries),
        steps=_list_steps(detail, current),
    )


def _list_steps(detail: StudyDetail, current: Sequence[ObjectLine]) -> tuple[Step, ...]:
    """Return the way of the latest revision; of what comes after it, the objects tell."""
    latest = detail.revisions[0] if detail.revisions else None
    if latest is None:
        return (Step("arrived", detail.summary.last_arrived_at), *map(_leave_open, _LATER))
    before = [i.arrived_at for i in detail.images if i.arrived_at <= latest.started_at]
    arrived = max(before, default=detail.summary.last_arrived_at)
    is_of_latest = bool(current) and current[0].item.revision == latest.number
    deliveries = [way for line in current for way in line.item.deliveries if is_of_latest]
    owed = [way for way in deliveries if way.state is not DeliveryState.SHADOW]
    sent = _gather("sent", [way.stored_at or way.delivered_at for way in owed])
    proven = _gather("proven", [way.delivered_at for way in owed])
    if deliveries and not owed:
        sent = Step("sent", None, "kept in shadow")
    return (
        Step("arrived", arrived),
        Step("settled", latest.due_at),
        Step("claimed", latest.started_at),
        Step("read", latest.finished_at),
        sent,
        proven,
    )


_LATER = ("settled", "claimed", "read", "sent", "proven")


def _leave_open(name: str) -> Step:
    return Step(name, None)


def _gather(name: str, times: Sequence[datetime | None]) -> Step:
    """Return a step of several objects: done when it is done for all of them."""
    done = [at for at in times if at is not None]
    if not times or len(done) < len(times):
        return Step(name, None, f"{len(done)} of {len(times)}" if done else "")
    return Step(name, max(done))


def _make_capture_group(rows: Sequence[ObjectLine]) -> CaptureGroup:
    names = {delivery.destination for row in rows for delivery in row.item.deliveries}
    return CaptureGroup(tuple(sorted(names)), tuple(rows))


def _find_current_revision(detail: StudyDetail) -> int | None:
    states = {revision.number: revision.state for revision in detail.revisions}
    finished = (number for number, state in states.items() if state is RevisionState.FINISHED)
    return max(finished, default=None)


def compute_seconds_to_result(summary: StudySummary) -> float | None:
    """Return the seconds from the last image to the result.

    None before there is a result, and where an image came after it.
    """
    reported: datetime | None = summary.reported_at
    if reported is None or reported < summary.last_arrived_at:
        return None
    return (reported - summary.last_arrived_at).total_seconds()


def _make_finding_line(entry: RecordedFinding, labels: Mapping[str, str]) -> FindingLine:
    document = entry.document
    return FindingLine(
        id=entry.finding_id,
        label=labels.get(entry.sop_instance_uid, ""),
        kind=entry.kind,
        shown=entry.shown,
        certainty=format_certainty(entry.certainty),
        suspicion=entry.suspicion,
        priority=entry.priority,
        number=_describe_number(document),
        long_axis_mm=document.get("long_axis_mm"),
        morphology=_describe_labels(
            document.get("type_words", ""), document.get("morphology"), Morphology
        ),
        distribution=_describe_labels(
            document.get("distribution_words", ""), document.get("distribution"), Distribution
        ),
        change=spell_out(str(document.get("change") or "")),
        zone=spell_out(str(document.get("zone") or "")),
        line=str(document.get("line") or ""),
    )


def _describe_number(document: Mapping[str, Any]) -> str:
    number, faint = document.get("calcifications"), document.get("faint")
    return f"{number} ({faint} faint)" if number and faint else str(number or "")


def _describe_labels(
    words: str, pairs: Sequence[tuple[str, float]] | None, labels: type[Morphology | Distribution]
) -> str:
    """Return the labels of a finding with their shares, and whether they are too uncertain.

    As ``punctate 44 %, amorphous 43 %`` or ``type uncertain: amorphous 30 %, punctate 29 %``.
    """
    shares = describe_shares([(labels[name.upper()], share) for name, share in pairs or ()])
    return f"{words}: {shares}" if words.endswith("uncertain") else shares


def _make_object_line(item: OutboxObjectSummary) -> ObjectLine:
    name = _NAMES[item.kind]
    is_only_one = item.kind in {ObjectKind.CAD_SR, ObjectKind.TID1500}
    return ObjectLine(item, name if is_only_one else f"{name} {item.index + 1}")


def _group_by_destination(objects: Sequence[ObjectLine]) -> tuple[DestinationLines, ...]:
    deliveries: dict[str, list[tuple[ObjectLine, DeliverySummary]]] = {}
    for line in objects:
        for delivery in line.item.deliveries:
            deliveries.setdefault(delivery.destination, []).append((line, delivery))
    return tuple(DestinationLines(name, tuple(rows)) for name, rows in sorted(deliveries.items()))
