"""A CAD SR against the findings that it was made from and the headers of its images.

A reference to the wrong image, a coordinate that moved, a count or a certainty of another finding:
none of them shows in the document alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydicom.dataset import Dataset

from secondread.codes import Change, FindingType, MarkClass, RenderingIntent
from secondread.findings.changes import FindingRef
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.findings.label_words import describe_distribution, describe_type, is_certain
from secondread.findings.priority import RankKey
from secondread.geometry import PointPx
from secondread.report import concepts
from secondread.report.check.checked_report import CheckedReport, Fault, instance_key
from secondread.report.check.image_checks import (
    check_header,
    check_library,
    has_code,
    list_prior_images,
)
from secondread.report.readback.content import Content, ContentError, read_enum
from secondread.settings import ProfileSettings

_PRECISION_PX = 0.002
"""Coordinates are single precision: exact to a thousandth at a position of some thousand pixels."""
_PERCENT_SLACK, _MM_SLACK = 0.051, 0.001
"""Certainties are written with one decimal, lengths with three."""
_TYPES = {
    MarkClass.CLUSTER: FindingType.CLUSTER,
    MarkClass.CALCIFICATION: FindingType.CALCIFICATION,
}


def compare_with_reading(
    report: CheckedReport,
    reading: StudyReading,
    sources: Mapping[str, Dataset],
    profile: ProfileSettings,
) -> Iterator[Fault]:
    """Yield where a document differs from what it was made from."""
    yield from check_header(report, reading, sources)
    yield from check_library(report, reading, sources)
    yield from _check_detections(report, reading)
    yield from _check_findings(report, reading, profile)
    yield from _check_impressions(report, reading)
    yield from _check_texts(report, profile)


def _check_detections(report: CheckedReport, reading: StudyReading) -> Iterator[Fault]:
    """Images that were read are under the successful detections, others under the failed ones."""
    current = {image.mammogram.sop_instance_uid: image for image in reading.images}
    for concept, succeeded in (
        (concepts.SUCCESSFUL_DETECTIONS, True),
        (concepts.FAILED_DETECTIONS, False),
    ):
        expected = {uid for uid, image in current.items() if image.status.was_read is succeeded}
        performed = [
            detection
            for container in report.find_items(concept)
            for detection in container.find_children(concepts.DETECTION_PERFORMED)
            if read_enum(detection, FindingType) in _TYPES.values()
        ]
        for detection in performed:
            named = {instance_key(entry)[1] for entry in report.find_images(detection)}
            for uid in sorted((named & current.keys()) ^ expected):
                yield Fault(detection.path, f"{uid} is not where its reading belongs")


@dataclass(frozen=True, slots=True)
class _ExpectedFinding:
    """A finding that the document holds, or may hold."""

    image: ImageReading
    finding: Finding
    is_current: bool

    @property
    def uid(self) -> str:
        return self.image.mammogram.sop_instance_uid

    @property
    def name(self) -> str:
        """Its tracking identifier in the document."""
        if self.is_current:
            return self.finding.id
        day = self.image.mammogram.study_date
        return f"{day:%Y%m%d} {self.finding.id}" if day else f"prior {self.finding.id}"


def _list_expected(reading: StudyReading) -> Iterator[_ExpectedFinding]:
    for is_current, images in ((True, reading.images), (False, list_prior_images(reading))):
        for image in images:
            for finding in image.findings if image.status.was_read else ():
                yield _ExpectedFinding(image, finding, is_current)


def _check_findings(
    report: CheckedReport, reading: StudyReading, profile: ProfileSettings
) -> Iterator[Fault]:
    by_name: dict[str, list[_ExpectedFinding]] = {}
    for expected in _list_expected(reading):
        by_name.setdefault(expected.name, []).append(expected)
    seen: set[str] = set()
    for item in report.findings:
        identifier = item.find_child(concepts.TRACKING_IDENTIFIER)
        if identifier is None:
            continue
        candidates = by_name.get(identifier.text, [])
        if not candidates:
            yield Fault(item.path, f"{identifier.text!r} is not a finding of the reading")
            continue
        seen.add(identifier.text)
        entry = report.find_finding_image(item)
        uid = instance_key(entry)[1] if entry is not None else ""
        same_image = [expected for expected in candidates if expected.uid == uid]
        if not same_image:
            yield Fault(item.path, f"in the image {uid}, and found in {candidates[0].uid}")
        yield from _check_finding(report, item, (same_image or candidates)[0], profile)
    for name in _list_required(reading, profile) - seen:
        yield Fault("1.3", f"the finding {name} is missing")


def _list_required(reading: StudyReading, profile: ProfileSettings) -> set[str]:
    return {
        expected.finding.id
        for expected in _list_expected(reading)
        if expected.is_current
        and expected.finding.mark_class in _TYPES
        and (expected.finding.shown or profile.findings == "all")
    }


def _check_finding(
    report: CheckedReport, item: Content, expected: _ExpectedFinding, profile: ProfileSettings
) -> Iterator[Fault]:
    """Yield how an item differs from its finding."""
    finding, path = expected.finding, item.path
    if read_enum(item, FindingType) is not _TYPES.get(finding.mark_class):
        yield Fault(path, f"not a {finding.mark_class} as it was found")
    is_required = report.find_intent(item) is RenderingIntent.REQUIRED
    if expected.is_current and is_required is not finding.shown:
        yield Fault(path, "presented other than the operating point says")
    certainty = item.find_child(concepts.CERTAINTY)
    yield from _check_number(path, certainty, finding.certainty, _PERCENT_SLACK)
    yield from _check_points(path, item.find_child(concepts.CENTER), (finding.center,))
    yield from _check_points(path, item.find_child(concepts.OUTLINE), finding.outline)
    yield from _check_members(item, finding, profile)
    is_cluster = finding.mark_class is MarkClass.CLUSTER and bool(finding.members)
    for concept, labels in (
        (concepts.CALCIFICATION_TYPE, finding.morphology),
        (concepts.CALCIFICATION_DISTRIBUTION, finding.distribution if is_cluster else ()),
    ):
        label = labels[0][0].code if is_certain(labels) else None
        if not has_code(item.find_child(concept), label):
            yield Fault(path, f"{concept.meaning} is not that of the finding")
        if len(list(item.find_children(concept))) > 1:
            yield Fault(path, f"more than one {concept.meaning}: all would be present")
    axis = item.find_child(concepts.LONG_AXIS)
    if axis is not None:
        yield from _check_number(path, axis, finding.long_axis_mm, _MM_SLACK)


def _check_members(item: Content, finding: Finding, profile: ProfileSettings) -> Iterator[Fault]:
    """Yield how the calcifications of an item differ from those of its finding."""
    members = finding.members if finding.mark_class is MarkClass.CLUSTER else ()
    count = item.find_child(concepts.NUMBER_OF_CALCIFICATIONS)
    if (count.number if count is not None else 0) != len(members):
        yield Fault(item.path, f"the number of calcifications is not {len(members)}")
    parts = list(item.find_children(concepts.SINGLE_IMAGE_FINDING))
    if len(parts) != (len(members) if profile.individual_calcifications else 0):
        yield Fault(item.path, f"{len(parts)} individual calcifications of {len(members)}")
    for part, member in zip(parts, members, strict=False):
        yield from _check_points(part.path, part.find_child(concepts.CENTER), (member.center,))
        certainty = part.find_child(concepts.CERTAINTY)
        yield from _check_number(part.path, certainty, member.certainty, _PERCENT_SLACK)


def _check_number(
    path: str, item: Content | None, expected: float, slack: float
) -> Iterator[Fault]:
    number = item.number if item is not None else None
    if number is None or abs(number - expected) > slack:
        words = item.name.meaning if item is not None and item.name is not None else "Certainty"
        yield Fault(path, f"{words} is {number}, and {expected:g} in the finding")


def _check_points(
    path: str, item: Content | None, expected: tuple[PointPx, ...]
) -> Iterator[Fault]:
    try:
        points = item.points if item is not None else ()
    except ContentError:
        return
    differs = len(points) != len(expected) or any(
        max(abs(a.col - b.col), abs(a.row - b.row)) > _PRECISION_PX
        for a, b in zip(points, expected, strict=True)
    )
    if differs:
        words = "center" if len(expected) == 1 else "outline"
        yield Fault(item.path if item is not None else path, f"not the finding's {words}")


def _check_impressions(report: CheckedReport, reading: StudyReading) -> Iterator[Fault]:
    """Impressions have the words and the order of their findings, and join what was compared."""
    findings = {finding.id: finding for image in reading.images for finding in image.findings}
    partners = _list_partners(reading)
    before: RankKey | None = None
    for impression in report.find_items(concepts.INDIVIDUAL_IMPRESSION):
        identifiers = [
            finding.find_child(concepts.TRACKING_IDENTIFIER)
            for finding in report.findings
            if finding.position[: len(impression.position)] == impression.position
        ]
        names = [identifier.text for identifier in identifiers if identifier is not None]
        current = {name for name in names if name in findings}
        words = {read_enum(word, Change) for word in impression.find_children(concepts.IMPRESSION)}
        if words != {findings[name].change for name in current} - {None}:
            yield Fault(impression.path, "its word for the change is not that of its findings")
        rank = min((findings[name].rank[0] for name in current), default=None)
        if before is not None and rank is not None and rank < before:
            yield Fault(impression.path, "of a higher priority than what comes before it")
        before = rank or before
        if description := impression.find_text(concepts.IMPRESSION_DESCRIPTION):
            yield from _check_labels(impression.path, description, map(findings.get, current))
        for name in names:
            # What is gone is paired with nothing, and stands alone.
            if name in partners and not (partners[name] & current or partners[name] == current):
                yield Fault(impression.path, f"{name} was not what these findings were")


def _check_labels(
    path: str, description: str, findings: Iterable[Finding | None]
) -> Iterator[Fault]:
    """Yield labels that an impression's description lacks: it has those that have no code."""
    for finding in filter(None, findings):
        for words in (describe_type(finding), describe_distribution(finding)):
            if words not in description:
                yield Fault(path, f"{finding.id} is not described as {words}")


def _list_partners(reading: StudyReading) -> dict[str, set[str]]:
    """Return by the name of a prior's finding the names of what it is now; empty where gone."""
    names: dict[FindingRef, str] = {}
    for expected in _list_expected(reading):
        study_uid = expected.image.mammogram.study_uid
        names[FindingRef(study_uid, expected.uid, expected.finding.id)] = expected.name
    partners: dict[str, set[str]] = {}
    for comparison in reading.comparisons:
        for change in comparison.changes:
            current = {change.current.finding_id} if change.current is not None else set()
            for prior in change.prior:
                if prior in names:
                    partners.setdefault(names[prior], set()).update(current)
    return partners


def _check_texts(report: CheckedReport, profile: ProfileSettings) -> Iterator[Fault]:
    wrong = "SCT" if profile.snomed_codes == "SRT" else "SRT"
    for content in report.items.values():
        text = str(content.item.get("TextValue", None) or "-")
        if not (text.isascii() and text.isprintable()):
            yield Fault(content.path, "text that is not printable ASCII")
        for code in (content.name, content.code):
            if code is None or code.scheme != wrong:
                continue
            # In SRT, what has no code there stays in SCT.
            if wrong == "SRT" or code.to_srt() is not code:
                yield Fault(content.path, f"a code in {wrong}")
