"""Individual Impressions (TID 4003): one for each lesion, each finding that is gone, each quality.

====================================  =======================================================
lesion                                content
====================================  =======================================================
in one view, no prior                 its Single Image Finding
in one view, with what it was         Composite Feature over time: the current finding, the
                                      priors' findings
in both views                         Composite Feature over views, of either of the above
new, or seen at a second look alone   its Single Image Finding; the word is in the impression,
                                      for a composite feature needs two (TID 4004)
gone, or outside the field of view    the prior's Single Image Finding, Not for Presentation; the
                                      word, for which CID 6003 has no code, in the impression
====================================  =======================================================

What is shown, and what has a word for its change, is also said in a line for people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from secondread.codes import FindingType, RenderingIntent
from secondread.findings.finding import Finding, ImageReading, StatedOperatingPoint, StudyReading
from secondread.findings.image_names import format_label
from secondread.report import concepts
from secondread.report.sr import tree
from secondread.report.sr.composite_feature import (
    CompositeWriter,
    explain_change,
    identify_comparison,
)
from secondread.report.sr.detections import identify_detection
from secondread.report.sr.finding_lines import describe_finding
from secondread.report.sr.image_quality import list_quality_findings, write_quality_finding
from secondread.report.sr.operating_points import (
    NOT_FOR_PRESENTATION,
    Rendering,
    choose_rendering,
    rank_points,
    write_intent,
)
from secondread.report.sr.reported_lesions import (
    ImageFinding,
    MissingFinding,
    ReportedLesion,
    ReportedLesionView,
    find_missing,
    find_rechecks,
    group_lesions,
)
from secondread.report.sr.single_image_finding import (
    FindingWriter,
    Tracking,
    WrittenFinding,
    select_findings,
)
from secondread.report.sr.tree import Relation, TreeItem
from secondread.report.sr.uids import ResultUids
from secondread.report.sr.wording import pluralize, to_ascii
from secondread.settings import ProfileSettings

_PRESENTABLE = (RenderingIntent.NOT, RenderingIntent.OPTIONAL, RenderingIntent.REQUIRED)


@dataclass(frozen=True, slots=True)
class ReportContents:
    """What of a reading a report for a profile holds."""

    reading: StudyReading
    lesions: tuple[ReportedLesion, ...]
    missing: tuple[MissingFinding, ...]
    qualities: tuple[ImageReading, ...]
    """Images with an Image Quality finding."""
    points: tuple[StatedOperatingPoint, ...]
    """Operating points by rank."""
    individual: bool
    """Whether the calcifications of a cluster are written too."""

    @property
    def with_findings(self) -> bool:
        """Whether there is anything in it that the summary calls findings."""
        return bool(self.lesions or self.missing)


def gather_contents(reading: StudyReading, profile: ProfileSettings) -> ReportContents:
    """Return what of a reading a report for a profile holds.

    A quality finding alone would make a workstation announce findings where there is no mark, so
    it is written beside others only; without, the words say it.
    """
    include_all = profile.findings == "all"

    def encoded(image: ImageReading) -> Sequence[Finding]:
        return select_findings(image, include_all)

    found, gone = group_lesions(reading, encoded), find_missing(reading)
    doubtful = [i for i in reading.images if i.status.was_read and list_quality_findings(i)]
    return ReportContents(
        reading,
        found,
        gone,
        tuple(doubtful) if found or gone else (),
        rank_points(reading.model, include_all=include_all),
        profile.individual_calcifications,
    )


def describe_missing(one: MissingFinding) -> str:
    """Return a line for people on a finding that the prior shows and this study does not."""
    header, finding = one.prior.image.mammogram, one.prior.finding
    day = one.comparison.prior_date
    said = one.change.kind.words + (f", {one.change.why_not}" if one.change.why_not else "")
    return to_ascii(
        f"{format_label(header.label)} of the prior of "
        f"{day.isoformat() if day else 'unknown date'}, "
        f"cluster {finding.number} of {pluralize(one.count, 'calcification')}: {said} "
        f"({one.comparison.basis})"
    )


@dataclass(frozen=True, slots=True)
class ImpressionWriter:
    """Writes the Individual Impressions of a report."""

    contents: ReportContents
    entries: Mapping[str, TreeItem]
    """Image Library entries by SOP Instance UID."""
    uids: ResultUids

    def write_all(self) -> list[TreeItem]:
        """Return the impressions: lesions in reading order, what is missing, image quality."""
        return [
            *(self._lesion(lesion) for lesion in self.contents.lesions),
            *(self._missing(one) for one in self.contents.missing),
            *(self._quality(image) for image in self.contents.qualities),
        ]

    def _lesion(self, lesion: ReportedLesion) -> TreeItem:
        how = max((self._how(seen) for seen in lesion.current), key=_presentability)
        impression = self._impression(how)
        for child in self._body(lesion, how):
            impression.add(Relation.CONTAINS, child)
        parts = [self._part(part, lesion) for part in lesion.views]
        if lesion.pair is None:
            (feature,) = parts
        else:
            # Composite features stand before single image findings (TID 4004 rows 5 and 6).
            parts.sort(key=_is_single)
            writer = CompositeWriter(self.contents.reading.model, self.contents.points)
            name = "+".join(seen.finding.id for seen in lesion.current)
            known = Tracking(name, self._lesion_uid(lesion))
            feature = writer.write_over_views(parts, lesion.pair, how, known)
        impression.add(Relation.CONTAINS, feature)
        return impression

    def _part(self, part: ReportedLesionView, lesion: ReportedLesion) -> TreeItem:
        uid = self._lesion_uid(lesion)
        how = max((self._how(seen) for seen in part.current), key=_presentability)
        written = {seen.ref: self._write(seen, self._how(seen), uid) for seen in part.current}
        for seen in part.prior:
            # No more presentable than what it becomes a part of (PS3.4 O.2).
            then = min(how, self._how(seen), key=_presentability)
            written[seen.ref] = self._write(seen, then, uid)
        if not part.matches:
            (only,) = written.values()
            return only.item
        writer = CompositeWriter(self.contents.reading.model, self.contents.points)
        first = part.current[0].finding
        return writer.write_over_time(
            part, written, how, Tracking(first.id, first.lesion_uid or uid)
        )

    def _body(self, lesion: ReportedLesion, how: Rendering) -> list[TreeItem]:
        """Return the impression's body (TID 4002): the change, a line for people, who says so."""
        shown = [seen for seen in lesion.current if seen.finding.shown]
        if not shown and not lesion.changes:
            return []
        reading = self.contents.reading
        said = ". ".join(_line(reading, seen) for seen in lesion.current)
        model = reading.model
        looks = [explain_change(*one) for one in find_rechecks(reading, lesion)]
        by = (
            identify_comparison(model, looks)
            if lesion.changes
            else identify_detection(model, FindingType.CLUSTER)
        )
        return [
            *(tree.code(concepts.IMPRESSION, change.code) for change in lesion.changes),
            tree.text(concepts.IMPRESSION_DESCRIPTION, to_ascii(said)),
            *by,
        ]

    def _missing(self, one: MissingFinding) -> TreeItem:
        impression = self._impression(NOT_FOR_PRESENTATION)
        said = tree.text(concepts.IMPRESSION_DESCRIPTION, describe_missing(one))
        for child in (said, *identify_comparison(self.contents.reading.model)):
            impression.add(Relation.CONTAINS, child)
        finding, study = one.prior.finding, one.prior.ref.study_uid
        uid = finding.lesion_uid or self.uids.derive_tracking_uid(finding.id, study)
        impression.add(Relation.CONTAINS, self._write(one.prior, NOT_FOR_PRESENTATION, uid).item)
        return impression

    def _quality(self, image: ImageReading) -> TreeItem:
        impression = self._impression(NOT_FOR_PRESENTATION)
        entry = self.entries[image.mammogram.sop_instance_uid]
        item = write_quality_finding(image, entry, self.contents.reading.model)
        impression.add(Relation.CONTAINS, item)
        return impression

    def _impression(self, how: Rendering) -> TreeItem:
        impression = tree.container(concepts.INDIVIDUAL_IMPRESSION)
        plain = Rendering(how.intent)
        impression.add(Relation.HAS_CONCEPT_MOD, write_intent(plain, self.contents.points))
        return impression

    def _write(self, seen: ImageFinding, how: Rendering, lesion_uid: str) -> WrittenFinding:
        writer = FindingWriter(
            seen.image,
            self.entries[seen.ref.sop_instance_uid],
            self.contents.reading.model,
            self.contents.points,
            self.contents.individual,
        )
        tracking = Tracking(self._name(seen), seen.finding.lesion_uid or lesion_uid)
        return writer.write(seen.finding, how, tracking)

    def _name(self, seen: ImageFinding) -> str:
        """Return the Tracking Identifier: a prior's finding has its date before its name."""
        if seen.ref.study_uid == self.contents.reading.study_uid:
            return seen.finding.id
        day = seen.image.mammogram.study_date
        return f"{day:%Y%m%d} {seen.finding.id}" if day else f"prior {seen.finding.id}"

    def _lesion_uid(self, lesion: ReportedLesion) -> str:
        known = [seen.finding.lesion_uid for seen in lesion.current if seen.finding.lesion_uid]
        return known[0] if known else self.uids.derive_tracking_uid(lesion.current[0].finding.id)

    def _how(self, seen: ImageFinding) -> Rendering:
        return choose_rendering(seen.finding, self.contents.points)


def _presentability(how: Rendering) -> tuple[int, int]:
    """Return what orders presentations; of optional marks, a lower rank shows sooner."""
    return _PRESENTABLE.index(how.intent), -how.rank


def _is_single(item: TreeItem) -> bool:
    return item.is_named(concepts.SINGLE_IMAGE_FINDING)


def _line(reading: StudyReading, seen: ImageFinding) -> str:
    finding = seen.finding
    rated = "not rated" if finding.suspicion is None else f"{finding.suspicion:.0f} of 100"
    return f"{seen.image.name} {describe_finding(reading, seen.image, finding)}; suspicion {rated}"
