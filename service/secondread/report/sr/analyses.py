"""What was made of several images: Summary of Analyses and its parts (TID 4016, 4018).

An analysis relates images (PS3.17 E.1). Three are told of:

- *temporal correlation*: each pair of a current and a prior image that was laid on each other
  succeeded; a pair that could not be, and a prior that was wanted and could not be had, failed.
  Where a prior has no image of a view, and where none is known of, nothing was attempted.
- *spatial collocation*, where both views of a breast show a cluster, or one was recognised in
  both.
- *image quality analysis*, where it failed: an image that was read with doubts. Detection did run
  on it, so the detections succeeded; that all algorithms succeeded cannot be said, for what they
  did not find there may be there. Where every image passes, its values are parameters of the
  detections, and no analysis is told of.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from secondread.assemble.mammogram import Mammogram
from secondread.codes import AnalysisType, Laterality, ResultStatus
from secondread.findings.changes import StudyComparison, ViewComparison
from secondread.findings.finding import ImageReading, StudyReading
from secondread.followup.finding_position import find_nipple_axes
from secondread.followup.lesion_identity import SAME_LESION
from secondread.followup.registration.frame import find_frame
from secondread.reasons import ImageStatus, Reason
from secondread.report import concepts
from secondread.report.sr import tree
from secondread.report.sr.composite_feature import identify_comparison, identify_correlation
from secondread.report.sr.detections import identify_quality_gates
from secondread.report.sr.reported_lesions import ReportedLesion
from secondread.report.sr.tree import Relation, TreeItem
from secondread.report.sr.wording import join_sentences

_WANTED = frozenset(
    {
        Reason.PRIOR_QUERY_FAILED,
        Reason.PRIOR_MOVE_REFUSED,
        Reason.PRIOR_NOT_RECEIVED,
        Reason.PRIOR_TIMED_OUT,
        Reason.PRIOR_FOREIGN,
        Reason.PRIOR_FILES_LOST,
        Reason.PRIOR_NOT_COMPARABLE,
    }
)
"""Reasons for no comparison that are a failure; with others there was nothing to compare with."""


@dataclass(frozen=True, slots=True)
class PerformedAnalysis:
    """One analysis of some images."""

    analysis: AnalysisType
    succeeded: bool
    images: tuple[str, ...]
    """SOP Instance UIDs, all of them in the library."""
    remarks: tuple[str, ...]
    """What came of it, as Algorithm Parameters."""


def list_analyses(
    reading: StudyReading, found: Sequence[ReportedLesion], library: Iterable[str]
) -> tuple[PerformedAnalysis, ...]:
    """Return the analyses of a reading, each at most once with success and once with failure.

    Parameters
    ----------
    reading
        What was read.
    found
        Its lesions, as the report holds them.
    library
        SOP Instance UIDs of the images in the Image Library.
    """
    if not any(image.status.was_read for image in reading.images):
        return ()
    made = (
        *_temporal(reading, frozenset(library)),
        *_collocation(reading, found),
        *_quality(reading),
    )
    return tuple(one for one in made if one.images)


def determine_analysis_status(performed: Sequence[PerformedAnalysis]) -> ResultStatus:
    """Return the status of the analyses (CID 6042)."""
    succeeded = {one.succeeded for one in performed}
    if not succeeded:
        return ResultStatus.NOT_ATTEMPTED
    if succeeded == {True}:
        return ResultStatus.SUCCEEDED
    return ResultStatus.PARTIALLY_SUCCEEDED if True in succeeded else ResultStatus.FAILED


def build_analysis_summary(
    reading: StudyReading, performed: Sequence[PerformedAnalysis], entries: Mapping[str, TreeItem]
) -> TreeItem:
    """Return the Summary of Analyses with its containers (TID 4000 rows 8 and 9)."""
    summary = tree.code(concepts.ANALYSIS_SUMMARY, determine_analysis_status(performed).code)
    for concept, succeeded in (
        (concepts.SUCCESSFUL_ANALYSES, True),
        (concepts.FAILED_ANALYSES, False),
    ):
        chosen = [one for one in performed if one.succeeded is succeeded]
        if chosen:
            part = summary.add(Relation.INFERRED_FROM, tree.container(concept))
            for one in chosen:
                part.add(Relation.CONTAINS, _item(reading, one, entries))
    return summary


def _item(
    reading: StudyReading, one: PerformedAnalysis, entries: Mapping[str, TreeItem]
) -> TreeItem:
    algorithm = {
        AnalysisType.TEMPORAL: identify_comparison,
        AnalysisType.COLLOCATION: identify_correlation,
        AnalysisType.IMAGE_QUALITY: identify_quality_gates,
    }[one.analysis]
    item = tree.code(concepts.ANALYSIS_PERFORMED, one.analysis.code)
    for child in algorithm(reading.model, one.remarks):
        item.add(Relation.HAS_PROPERTIES, child)
    for uid in one.images:
        item.refer_to(Relation.HAS_PROPERTIES, entries[uid])
    return item


def _temporal(reading: StudyReading, library: frozenset[str]) -> tuple[PerformedAnalysis, ...]:
    sides: dict[bool, tuple[dict[str, None], dict[str, None]]] = {True: ({}, {}), False: ({}, {})}
    names = {image.mammogram.sop_instance_uid: image.name for image in reading.images}
    for comparison in reading.comparisons:
        for view in comparison.views:
            if view.prior_sop_instance_uid is not None:
                images, remarks = sides[not view.why_not]
                both = (view.sop_instance_uid, view.prior_sop_instance_uid)
                images |= dict.fromkeys(uid for uid in both if uid in library)
                told = f"{names[view.sop_instance_uid]} {_against(comparison)}: {_told(view)}"
                remarks[told] = None
    not_had = _not_had(reading)
    if not_had:
        # Of a prior that is not here, it is the current images that wanted the comparison.
        images, remarks = sides[False]
        images |= dict.fromkeys(_read(reading))
        remarks |= dict.fromkeys(not_had)
    return tuple(
        PerformedAnalysis(AnalysisType.TEMPORAL, succeeded, tuple(images), tuple(remarks))
        for succeeded, (images, remarks) in sides.items()
    )


def _against(comparison: StudyComparison) -> str:
    day = comparison.prior_date.isoformat() if comparison.prior_date else "unknown date"
    return f"against the prior of {day} ({comparison.basis})"


def _told(view: ViewComparison) -> str:
    if view.why_not:
        return f"not compared, {view.why_not}"
    unit = "same unit" if view.same_unit else "another unit or processing, wider limits"
    error = "" if view.error_mm is None else f", laid on it with an error of {view.error_mm:g} mm"
    return f"compared{error}, {unit}"


def _not_had(reading: StudyReading) -> tuple[str, ...]:
    """Say of each prior that was wanted why it is not here to be compared."""
    held = {comparison.prior_study_uid for comparison in reading.comparisons}
    said = []
    for prior in reading.priors:
        if prior.study_uid not in held and not prior.compared and prior.reason in _WANTED:
            day = prior.study_date.isoformat() if prior.study_date else "unknown date"
            said.append(f"prior of {day}: {prior.why_not}")
    said += [reason.sentence for reason in reading.reasons if reason in _WANTED]
    return tuple(dict.fromkeys(said))


def _read(reading: StudyReading) -> tuple[str, ...]:
    return tuple(
        image.mammogram.sop_instance_uid for image in reading.images if image.status.was_read
    )


def _collocation(
    reading: StudyReading, found: Sequence[ReportedLesion]
) -> tuple[PerformedAnalysis, ...]:
    """Correlation of the two views: where it joined some, or both of a breast show a cluster."""
    joined = [lesion for lesion in found if lesion.pair is not None]
    done = {seen.ref.sop_instance_uid: None for lesion in joined for seen in lesion.current}
    failed: dict[str, None] = {}
    for side in (Laterality.RIGHT, Laterality.LEFT):
        images = [i for i in reading.images if i.mammogram.laterality is side and i.shown_findings]
        above, oblique = (
            [i for i in images if is_view(i.mammogram)] for is_view in (_is_cc, _is_mlo)
        )
        if above and oblique:
            into = done if _placed(above) and _placed(oblique) else failed
            into |= dict.fromkeys(i.mammogram.sop_instance_uid for i in (*above, *oblique))
    said = f"clusters recognised in both views={len(joined)}; least confidence={SAME_LESION:g}"
    why_not = "the nipple or the pixel spacing is not known in one of the views"
    return (
        PerformedAnalysis(AnalysisType.COLLOCATION, True, tuple(done), (said,)),
        PerformedAnalysis(AnalysisType.COLLOCATION, False, tuple(failed), (why_not,)),
    )


def _placed(images: Sequence[ImageReading]) -> bool:
    frames = [(image, find_frame(image)) for image in images]
    return any(frame is not None and find_nipple_axes(image, frame) for image, frame in frames)


def _is_cc(mammogram: Mammogram) -> bool:
    return mammogram.view is not None and mammogram.view.is_cc_like


def _is_mlo(mammogram: Mammogram) -> bool:
    return mammogram.view is not None and mammogram.view.is_mlo_like


def _quality(reading: StudyReading) -> tuple[PerformedAnalysis, ...]:
    doubtful = [i for i in reading.images if i.status is ImageStatus.FLAGGED]
    uids = tuple(image.mammogram.sop_instance_uid for image in doubtful)
    remarks = tuple(
        f"{image.name} read with doubts: {join_sentences(image.reasons)}" for image in doubtful
    )
    return (PerformedAnalysis(AnalysisType.IMAGE_QUALITY, False, uids, remarks),)
