"""Individual Impressions (TID 4003): one for each lesion, each finding that is gone, each quality.

====================================  =======================================================
lesion                                content
====================================  =======================================================
in one view, no prior                 its Single Image Finding
in one view, with what it was         Composite Feature over time: the current finding, the
                                      priors' findings
in both views                         Composite Feature over views, of either of the above
new, or seen at a recheck alone       its Single Image Finding; the word is in the impression,
                                      for a composite feature needs two (TID 4004)
gone, or outside the field of view    the prior's Single Image Finding, Not for Presentation; the
                                      word, for which CID 6003 has no code, in the impression
====================================  =======================================================

What is shown, and what has a word for its change, is also described in a line for people.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from secondread.codes import RenderingIntent
from secondread.findings.finding import ImageReading
from secondread.report import concepts
from secondread.report.sr import tree
from secondread.report.sr.algorithms import AlgorithmPart, identify_algorithm
from secondread.report.sr.composite_feature import write_over_time, write_over_views
from secondread.report.sr.impression_words import (
    describe_missing,
    describe_with_figures,
    explain_change,
)
from secondread.report.sr.operating_points import NOT_FOR_PRESENTATION, Rendering, choose_rendering
from secondread.report.sr.report_contents import (
    ImageFinding,
    MissingFinding,
    ReportContents,
    ReportedLesion,
    ReportedLesionView,
    find_rechecks,
)
from secondread.report.sr.single_image_finding import FindingWriter, Tracking, WrittenFinding
from secondread.report.sr.tree import Relation, TreeItem
from secondread.report.sr.uids import ResultUids
from secondread.report.sr.wording import join_statements, to_ascii

_PRESENTABLE = (RenderingIntent.NOT, RenderingIntent.OPTIONAL, RenderingIntent.REQUIRED)


@dataclass(frozen=True, slots=True)
class ImpressionWriter:
    """Writes the Individual Impressions of a report."""

    contents: ReportContents
    entries: Mapping[str, TreeItem]
    """Image Library entries by SOP Instance UID."""
    uids: ResultUids

    def write_all(self) -> list[TreeItem]:
        """Return the impressions: lesions by priority, what is missing, image quality."""
        return [
            *map(self._write_lesion, self.contents.lesions),
            *map(self._write_missing, self.contents.missing),
            *map(self._write_quality, self.contents.doubtful_images),
        ]

    def _write_lesion(self, lesion: ReportedLesion) -> TreeItem:
        lesion_uids = (current.finding.lesion_uid for current in lesion.current)
        first_id = lesion.current[0].finding.id
        uid = next(filter(None, lesion_uids), None) or self.uids.derive_tracking_uid(first_id)
        rendering = self._choose_most_presentable(lesion.current)
        features = [self._write_view(view, uid) for view in lesion.views]
        if lesion.pair is None:
            (feature,) = features
        else:
            # Composite features stand before single image findings (TID 4004 rows 5 and 6).
            features.sort(key=lambda item: item.is_named(concepts.SINGLE_IMAGE_FINDING))
            tracking = Tracking("+".join(current.finding.id for current in lesion.current), uid)
            model = self.contents.reading.model
            feature = write_over_views(model, features, lesion.pair, rendering, tracking)
        return _write_impression(rendering, [*self._write_body(lesion), feature])

    def _write_view(self, view: ReportedLesionView, lesion_uid: str) -> TreeItem:
        rendering = self._choose_most_presentable(view.current)
        written = {
            current.ref: self._write_finding(current, self._choose_rendering(current), lesion_uid)
            for current in view.current
        }
        for prior in view.prior:
            # No more presentable than what it becomes a part of (PS3.4 O.2).
            of_prior = min(rendering, self._choose_rendering(prior), key=_rank_presentability)
            written[prior.ref] = self._write_finding(prior, of_prior, lesion_uid)
        if not view.matches:
            (single,) = written.values()
            return single.item
        first = view.current[0].finding
        tracking = Tracking(first.id, first.lesion_uid or lesion_uid)
        return write_over_time(self.contents.reading.model, view, written, rendering, tracking)

    def _write_body(self, lesion: ReportedLesion) -> list[TreeItem]:
        """Return the body of an impression (TID 4002): changes, a line for people, algorithm."""
        if not lesion.changes and not any(current.finding.shown for current in lesion.current):
            return []
        reading = self.contents.reading
        lines = [
            describe_with_figures(reading, current.image, current.finding)
            for current in lesion.current
        ]
        part, parameters = AlgorithmPart.CLUSTERS, []
        if lesion.changes:
            part = AlgorithmPart.COMPARISON
            parameters = [explain_change(*recheck) for recheck in find_rechecks(reading, lesion)]
        return [
            *(tree.code(concepts.IMPRESSION, change.code) for change in lesion.changes),
            tree.text(concepts.IMPRESSION_DESCRIPTION, to_ascii(join_statements(*lines))),
            *identify_algorithm(reading.model, part, parameters),
        ]

    def _write_missing(self, missing: MissingFinding) -> TreeItem:
        prior, study_uid = missing.prior, missing.prior.ref.study_uid
        uid = self.uids.derive_tracking_uid(prior.finding.id, study_uid)
        items = (
            tree.text(concepts.IMPRESSION_DESCRIPTION, describe_missing(missing)),
            *identify_algorithm(self.contents.reading.model, AlgorithmPart.COMPARISON),
            self._write_finding(prior, NOT_FOR_PRESENTATION, uid).item,
        )
        return _write_impression(NOT_FOR_PRESENTATION, items)

    def _write_quality(self, image: ImageReading) -> TreeItem:
        return _write_impression(NOT_FOR_PRESENTATION, [self._writer(image).write_quality()])

    def _write_finding(
        self, written: ImageFinding, rendering: Rendering, lesion_uid: str
    ) -> WrittenFinding:
        finding, name = written.finding, written.finding.id
        if written.ref.study_uid != self.contents.reading.study_uid:
            # The Tracking Identifier of a prior's finding has its date before its name.
            day = written.image.mammogram.study_date
            name = f"{day:%Y%m%d} {name}" if day else f"prior {name}"
        tracking = Tracking(name, finding.lesion_uid or lesion_uid)
        return self._writer(written.image).write(finding, rendering, tracking)

    def _writer(self, image: ImageReading) -> FindingWriter:
        return FindingWriter(self.contents, image, self.entries[image.sop_instance_uid])

    def _choose_rendering(self, image_finding: ImageFinding) -> Rendering:
        return choose_rendering(image_finding.finding, self.contents.points)

    def _choose_most_presentable(self, findings: Iterable[ImageFinding]) -> Rendering:
        return max(map(self._choose_rendering, findings), key=_rank_presentability)


def _write_impression(rendering: Rendering, items: Iterable[TreeItem]) -> TreeItem:
    impression = tree.container(concepts.INDIVIDUAL_IMPRESSION)
    intent = tree.code(concepts.RENDERING_INTENT, rendering.intent.code)
    impression.add(Relation.HAS_CONCEPT_MOD, intent)
    impression.add_all(Relation.CONTAINS, items)
    return impression


def _rank_presentability(rendering: Rendering) -> tuple[int, int]:
    """Return what orders renderings; of optional marks, a lower rank shows sooner."""
    return _PRESENTABLE.index(rendering.intent), -rendering.rank
