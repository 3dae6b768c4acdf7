"""A CAD SR against the findings that it was made from and the headers of its images.

A reference to the wrong image, a coordinate that moved, a count or a certainty of another finding:
the document alone is as good with them as without.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydicom.dataset import Dataset

from secondread.codes import Change, Code, FindingType, MarkClass, RenderingIntent
from secondread.findings.changes import FindingRef
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.geometry import PointPx
from secondread.report import concepts
from secondread.report.check.checked_report import CheckedReport
from secondread.report.check.fault import ReportFault
from secondread.report.check.image_checks import (
    check_header,
    check_library,
    has_code,
    list_prior_images,
)
from secondread.report.readback.content import Content, ContentError, read_enum
from secondread.settings import ProfileSettings

_PRECISION_PX = 0.002
"""Coordinates are single precision: of a position of some thousand pixels, a thousandth is kept."""
_TYPES = {
    MarkClass.CLUSTER: FindingType.CLUSTER,
    MarkClass.CALCIFICATION: FindingType.CALCIFICATION,
}


def compare_with_reading(
    report: CheckedReport,
    reading: StudyReading,
    sources: Mapping[str, Dataset],
    profile: ProfileSettings,
) -> Iterator[ReportFault]:
    """Yield where a document differs from what it was made from."""
    yield from check_header(report, reading, sources)
    yield from check_library(report, reading, sources)
    yield from _detections(report, reading)
    yield from _findings(report, reading, profile)
    yield from _changes(report, reading, profile)
    yield from _texts(report, profile)


def _detections(report: CheckedReport, reading: StudyReading) -> Iterator[ReportFault]:
    """What was read is under the successful detections, and what was not under the failed ones."""
    for concept, succeeded in (
        (concepts.SUCCESSFUL_DETECTIONS, True),
        (concepts.FAILED_DETECTIONS, False),
    ):
        performed = [
            one
            for container in report.find_items(concept)
            for one in container.find_children(concepts.DETECTION_PERFORMED)
            if read_enum(one, FindingType) in set(_TYPES.values())
        ]
        for one in performed:
            named = {entry.reference[1] for entry in report.find_images(one) if entry.reference}
            wanted = {
                image.mammogram.sop_instance_uid
                for image in reading.images
                if image.status.was_read is succeeded
            }
            here = {image.mammogram.sop_instance_uid for image in reading.images}
            for uid in sorted((named & here) ^ wanted):
                yield ReportFault(one.path, f"{uid} is not where its reading belongs")


@dataclass(frozen=True, slots=True)
class _Expected:
    """A finding that the document holds, or may hold."""

    image: ImageReading
    finding: Finding
    current: bool

    @property
    def name(self) -> str:
        if self.current:
            return self.finding.id
        day = self.image.mammogram.study_date
        return f"{day:%Y%m%d} {self.finding.id}" if day else f"prior {self.finding.id}"


def _expected(reading: StudyReading) -> dict[str, list[_Expected]]:
    found: dict[str, list[_Expected]] = {}
    for current, images in ((True, reading.images), (False, tuple(list_prior_images(reading)))):
        for image in images:
            for finding in image.findings if image.status.was_read else ():
                one = _Expected(image, finding, current)
                found.setdefault(one.name, []).append(one)
    return found


def _findings(
    report: CheckedReport, reading: StudyReading, profile: ProfileSettings
) -> Iterator[ReportFault]:
    expected = _expected(reading)
    seen: set[str] = set()
    for item in report.findings:
        identifier = item.find_child(concepts.TRACKING_IDENTIFIER)
        if identifier is None:
            continue
        candidates = expected.get(identifier.text, [])
        if not candidates:
            yield ReportFault(item.path, f"{identifier.text!r} is no finding of the reading")
            continue
        seen.add(identifier.text)
        place = report.find_finding_image(item)
        uid = place.reference[1] if place is not None and place.reference else ""
        same = [one for one in candidates if one.image.mammogram.sop_instance_uid == uid]
        if not same:
            wanted = candidates[0].image.mammogram.sop_instance_uid
            yield ReportFault(item.path, f"in the image {uid}, and found in {wanted}")
        yield from _one(report, item, (same or candidates)[0], profile)
    for name in _wanted(reading, profile) - seen:
        yield ReportFault("1.3", f"the finding {name} is missing")


def _wanted(reading: StudyReading, profile: ProfileSettings) -> set[str]:
    return {
        finding.id
        for image in reading.images
        if image.status.was_read
        for finding in image.findings
        if finding.mark_class in _TYPES and (finding.shown or profile.findings == "all")
    }


def _one(
    report: CheckedReport, item: Content, expected: _Expected, profile: ProfileSettings
) -> Iterator[ReportFault]:
    """Yield where an item is not its finding."""
    finding, where = expected.finding, item.path
    if read_enum(item, FindingType) is not _TYPES.get(finding.mark_class):
        yield ReportFault(where, f"not a {finding.mark_class} as it was found")
    intent = report.find_intent(item)
    if expected.current and (intent is RenderingIntent.REQUIRED) is not finding.shown:
        yield ReportFault(where, "presented other than the operating point says")
    yield from _close(where, item.find_child(concepts.CERTAINTY), finding.certainty, 0.051)
    yield from _graphic(where, item.find_child(concepts.CENTER), (finding.center,))
    yield from _graphic(where, item.find_child(concepts.OUTLINE), finding.outline)
    members = finding.members if finding.mark_class is MarkClass.CLUSTER else ()
    count = item.find_child(concepts.NUMBER_OF_CALCIFICATIONS)
    if (count.number if count is not None else 0) != len(members):
        yield ReportFault(where, f"the number of calcifications is not {len(members)}")
    parts = list(item.find_children(concepts.SINGLE_IMAGE_FINDING))
    if len(parts) != (len(members) if profile.individual_calcifications else 0):
        yield ReportFault(where, f"{len(parts)} individual calcifications of {len(members)}")
    for part, member in zip(parts, members, strict=False):
        yield from _graphic(part.path, part.find_child(concepts.CENTER), (member.center,))
        yield from _close(part.path, part.find_child(concepts.CERTAINTY), member.certainty, 0.051)
    for concept, label in (
        (concepts.CALCIFICATION_TYPE, finding.morphology[:1]),
        (concepts.CALCIFICATION_DISTRIBUTION, finding.distribution[:1] if members else ()),
    ):
        if not has_code(item.find_child(concept), label[0][0].code if label else None):
            yield ReportFault(where, f"{concept.meaning} is not that of the finding")
    axis = item.find_child(concepts.LONG_AXIS)
    if axis is not None:
        yield from _close(where, axis, finding.long_axis_mm, 0.001)


def _close(where: str, item: Content | None, value: float, slack: float) -> Iterator[ReportFault]:
    found = item.number if item is not None else None
    if found is None or abs(found - value) > slack:
        words = item.name.meaning if item is not None and item.name is not None else "Certainty"
        yield ReportFault(where, f"{words} is {found}, and {value:g} in the finding")


def _graphic(
    where: str, item: Content | None, points: tuple[PointPx, ...]
) -> Iterator[ReportFault]:
    try:
        found = item.points if item is not None else ()
    except ContentError:
        return
    apart = len(found) != len(points) or any(
        max(abs(a.col - b.col), abs(a.row - b.row)) > _PRECISION_PX
        for a, b in zip(found, points, strict=True)
    )
    if apart:
        words = "center" if len(points) == 1 else "outline"
        yield ReportFault(item.path if item is not None else where, f"not the finding's {words}")


def _changes(
    report: CheckedReport, reading: StudyReading, profile: ProfileSettings
) -> Iterator[ReportFault]:
    """The words of an impression are those of its findings, and its partners those compared."""
    changes = {finding.id: finding.change for image in reading.images for finding in image.findings}
    partners = _partners(reading)
    for impression in report.find_items(concepts.INDIVIDUAL_IMPRESSION):
        inside = [
            one.find_child(concepts.TRACKING_IDENTIFIER)
            for one in report.findings
            if one.position[: len(impression.position)] == impression.position
        ]
        names = [one.text for one in inside if one is not None]
        wanted = {changes[name] for name in names if name in changes} - {None}
        told = {read_enum(one, Change) for one in impression.find_children(concepts.IMPRESSION)}
        if wanted != told:
            yield ReportFault(
                impression.path, "its word for the change is not that of its findings"
            )
        current = {name for name in names if name in changes}
        for name in names:
            # What is gone is paired with nothing, and stands alone.
            if name in partners and not (partners[name] & current or partners[name] == current):
                yield ReportFault(impression.path, f"{name} was not what these findings were")


def _partners(reading: StudyReading) -> dict[str, set[str]]:
    """Return of each prior's finding the current ones that it was, by name; none for a gone one."""
    names: dict[FindingRef, str] = {}
    for one in (one for several in _expected(reading).values() for one in several):
        header = one.image.mammogram
        ref = FindingRef(header.study_uid, header.sop_instance_uid, one.finding.id)
        names[ref] = one.name
    found: dict[str, set[str]] = {}
    for comparison in reading.comparisons:
        for change in comparison.changes:
            for prior in change.prior:
                if prior in names:
                    now = {change.current.finding_id} if change.current is not None else set()
                    found.setdefault(names[prior], set()).update(now)
    return found


def _texts(report: CheckedReport, profile: ProfileSettings) -> Iterator[ReportFault]:
    wrong = "SCT" if profile.snomed_codes == "SRT" else "SRT"
    for content in report.items.values():
        text = str(content.item.get("TextValue", None) or "-")
        if not (text.isascii() and text.isprintable()):
            yield ReportFault(content.path, "text that is not printable ASCII")
        for code in _codes(content):
            # In SRT, what has no code there stays in SCT.
            if code.scheme == wrong and (wrong == "SRT" or code.to_srt() is not code):
                yield ReportFault(content.path, f"a code in {wrong}")


def _codes(content: Content) -> Iterable[Code]:
    return [code for code in (content.name, content.code) if code is not None]
