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
from secondread.findings.finding import Finding, ImageReading, StatedPoint, StudyReading
from secondread.report import concepts, tree
from secondread.report.composite_feature import (
    CompositeWriter,
    comparison_algorithm,
    grounds,
)
from secondread.report.detections import algorithm
from secondread.report.glance import glance
from secondread.report.image_quality import quality_findings, quality_item
from secondread.report.lesions import Lesion, Missing, Part, Seen, lesions, looked_at, missing
from secondread.report.operating_points import (
    NOT,
    Presentation,
    intent_item,
    presentation,
    ranked,
)
from secondread.report.single_image_finding import (
    FindingWriter,
    Tracking,
    Written,
    encoded_findings,
)
from secondread.report.tree import Item, Relation
from secondread.report.uids import ResultUids
from secondread.report.wording import ascii_text, count, image_names, spaced
from secondread.settings import ProfileSettings

_PRESENTABLE = (RenderingIntent.NOT, RenderingIntent.OPTIONAL, RenderingIntent.REQUIRED)


@dataclass(frozen=True, slots=True)
class Contents:
    """What of a reading a report for a profile holds."""

    reading: StudyReading
    lesions: tuple[Lesion, ...]
    missing: tuple[Missing, ...]
    qualities: tuple[ImageReading, ...]
    """Images with an Image Quality finding."""
    points: tuple[StatedPoint, ...]
    """Operating points by rank."""
    individual: bool
    """Whether the calcifications of a cluster are written too."""

    @property
    def with_findings(self) -> bool:
        """Whether there is anything in it that the summary calls findings."""
        return bool(self.lesions or self.missing)


def contents(reading: StudyReading, profile: ProfileSettings) -> Contents:
    """Return what of a reading a report for a profile holds.

    A quality finding alone would make a workstation announce findings where there is no mark, so
    it is written beside others only; without, the words say it.
    """
    include_all = profile.findings == "all"

    def encoded(image: ImageReading) -> Sequence[Finding]:
        return encoded_findings(image, include_all)

    found, gone = lesions(reading, encoded), missing(reading)
    doubtful = [i for i in reading.images if i.status.has_findings and quality_findings(i)]
    return Contents(
        reading,
        found,
        gone,
        tuple(doubtful) if found or gone else (),
        ranked(reading.model, include_all=include_all),
        profile.individual_calcifications,
    )


def missing_line(one: Missing) -> str:
    """Return a line for people on a finding that the prior shows and this study does not."""
    header, finding = one.seen.image.mammogram, one.seen.finding
    day = one.comparison.prior_date
    said = one.change.verdict.words + (f", {one.change.why}" if one.change.why else "")
    return ascii_text(
        f"{spaced(header.label)} of the prior of {day.isoformat() if day else 'unknown date'}, "
        f"cluster {finding.number} of {count(one.count, 'calcification')}: {said} "
        f"({one.comparison.basis})"
    )


@dataclass(frozen=True, slots=True)
class ImpressionWriter:
    """Writes the Individual Impressions of a report."""

    contents: Contents
    entries: Mapping[str, Item]
    """Image Library entries by SOP Instance UID."""
    uids: ResultUids

    def items(self) -> list[Item]:
        """Return the impressions: lesions in reading order, what is missing, image quality."""
        return [
            *(self._lesion(lesion) for lesion in self.contents.lesions),
            *(self._missing(one) for one in self.contents.missing),
            *(self._quality(image) for image in self.contents.qualities),
        ]

    def _lesion(self, lesion: Lesion) -> Item:
        how = max((self._how(seen) for seen in lesion.current), key=_presentability)
        impression = self._impression(how)
        for child in self._body(lesion, how):
            impression.add(Relation.CONTAINS, child)
        parts = [self._part(part, lesion) for part in lesion.parts]
        if lesion.pair is None:
            (feature,) = parts
        else:
            # Composite features stand before single image findings (TID 4004 rows 5 and 6).
            parts.sort(key=_is_single)
            writer = CompositeWriter(self.contents.reading.model, self.contents.points)
            name = "+".join(seen.finding.id for seen in lesion.current)
            known = Tracking(name, self._lesion_uid(lesion))
            feature = writer.over_views(parts, lesion.pair, how, known)
        impression.add(Relation.CONTAINS, feature)
        return impression

    def _part(self, part: Part, lesion: Lesion) -> Item:
        uid = self._lesion_uid(lesion)
        how = max((self._how(seen) for seen in part.current), key=_presentability)
        written = {seen.ref: self._write(seen, self._how(seen), uid) for seen in part.current}
        for seen in part.prior:
            # No more presentable than what it becomes a part of (PS3.4 O.2).
            then = min(how, self._how(seen), key=_presentability)
            written[seen.ref] = self._write(seen, then, uid)
        if not part.then:
            (only,) = written.values()
            return only.item
        writer = CompositeWriter(self.contents.reading.model, self.contents.points)
        first = part.current[0].finding
        return writer.over_time(part, written, how, Tracking(first.id, first.lesion or uid))

    def _body(self, lesion: Lesion, how: Presentation) -> list[Item]:
        """Return the impression's body (TID 4002): the change, a line for people, who says so."""
        shown = [seen for seen in lesion.current if seen.finding.shown]
        if not shown and not lesion.changes:
            return []
        reading = self.contents.reading
        names = image_names(reading)
        said = ". ".join(_line(reading, seen, names) for seen in lesion.current)
        model = reading.model
        looks = [grounds(*one) for one in looked_at(reading, lesion)]
        by = (
            comparison_algorithm(model, looks)
            if lesion.changes
            else algorithm(model, FindingType.CLUSTER)
        )
        return [
            *(tree.code(concepts.IMPRESSION, change.code) for change in lesion.changes),
            tree.text(concepts.IMPRESSION_DESCRIPTION, ascii_text(said)),
            *by,
        ]

    def _missing(self, one: Missing) -> Item:
        impression = self._impression(NOT)
        said = tree.text(concepts.IMPRESSION_DESCRIPTION, missing_line(one))
        for child in (said, *comparison_algorithm(self.contents.reading.model)):
            impression.add(Relation.CONTAINS, child)
        finding, study = one.seen.finding, one.seen.ref.study_uid
        uid = finding.lesion or self.uids.tracking(finding.id, study)
        impression.add(Relation.CONTAINS, self._write(one.seen, NOT, uid).item)
        return impression

    def _quality(self, image: ImageReading) -> Item:
        impression = self._impression(NOT)
        entry = self.entries[image.mammogram.sop_instance_uid]
        item = quality_item(image, entry, self.contents.reading.model)
        impression.add(Relation.CONTAINS, item)
        return impression

    def _impression(self, how: Presentation) -> Item:
        impression = tree.container(concepts.INDIVIDUAL_IMPRESSION)
        plain = Presentation(how.intent)
        impression.add(Relation.HAS_CONCEPT_MOD, intent_item(plain, self.contents.points))
        return impression

    def _write(self, seen: Seen, how: Presentation, lesion_uid: str) -> Written:
        writer = FindingWriter(
            seen.image,
            self.entries[seen.ref.sop_instance_uid],
            self.contents.reading.model,
            self.contents.points,
            self.contents.individual,
        )
        tracking = Tracking(self._name(seen), seen.finding.lesion or lesion_uid)
        return writer.write(seen.finding, how, tracking)

    def _name(self, seen: Seen) -> str:
        """Return the Tracking Identifier: a prior's finding has its date before its name."""
        if seen.ref.study_uid == self.contents.reading.study_uid:
            return seen.finding.id
        day = seen.image.mammogram.study_date
        return f"{day:%Y%m%d} {seen.finding.id}" if day else f"prior {seen.finding.id}"

    def _lesion_uid(self, lesion: Lesion) -> str:
        known = [seen.finding.lesion for seen in lesion.current if seen.finding.lesion]
        return known[0] if known else self.uids.tracking(lesion.current[0].finding.id)

    def _how(self, seen: Seen) -> Presentation:
        return presentation(seen.finding, self.contents.points)


def _presentability(how: Presentation) -> tuple[int, int]:
    """Return what orders presentations; of optional marks, a lower rank shows sooner."""
    return _PRESENTABLE.index(how.intent), -how.rank


def _is_single(item: Item) -> bool:
    return item.is_named(concepts.SINGLE_IMAGE_FINDING)


def _line(reading: StudyReading, seen: Seen, names: Mapping[str, str]) -> str:
    finding = seen.finding
    rated = "not rated" if finding.suspicion is None else f"{finding.suspicion:.0f} of 100"
    view = names[seen.ref.sop_instance_uid]
    return f"{view} {glance(reading, seen.image, finding)}; suspicion {rated}"
