"""What was made of several images: Summary of Analyses and its parts (TID 4016, 4018).

An analysis relates images (PS3.17 E.1). Three are reported:

- *temporal correlation*: each pair of a current and a prior image that could be registered
  succeeded; a pair that could not, and a prior that was wanted and not obtained, failed. Where a
  prior has no image of a view, and where no prior is known, nothing was attempted.
- *spatial collocation*, where both views of a breast show a cluster, or one was recognised in
  both.
- *image quality analysis*, where it failed: an image that was read with doubts. Detection did run
  on it, so the detections succeeded; but a report must not state that all algorithms succeeded,
  for what they did not find there may exist. Where every image passes, its values are parameters
  of the detections, and no such analysis is reported.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from secondread.codes import AnalysisType, Laterality
from secondread.findings.changes import ViewComparison
from secondread.findings.finding import ImageReading, ModelIdentity, StudyReading
from secondread.findings.view_pair import ViewPair
from secondread.followup.finding_position import find_nipple_axes
from secondread.followup.lesion_identity import SAME_LESION
from secondread.followup.registration.frame import find_frame
from secondread.reasons import ImageStatus, Reason
from secondread.report import concepts
from secondread.report.sr import tree
from secondread.report.sr.algorithms import AlgorithmPart, combine_successes, identify_algorithm
from secondread.report.sr.report_contents import ReportContents
from secondread.report.sr.tree import Relation, TreeItem
from secondread.report.sr.wording import format_day, join_sentences

_WANTED = frozenset(
    {
        Reason.PRIOR_QUERY_FAILED,
        Reason.PRIOR_MOVE_REFUSED,
        Reason.PRIOR_NOT_RECEIVED,
        Reason.PRIOR_TIMED_OUT,
        Reason.PRIOR_FOREIGN,
        Reason.PRIOR_FILES_LOST,
        Reason.PRIOR_NOT_COMPARABLE,
        Reason.IDENTITY_IN_DOUBT,
    }
)
"""Reasons for no comparison that are a failure; with others there was nothing to compare with."""

_ALGORITHMS = {
    AnalysisType.TEMPORAL: AlgorithmPart.COMPARISON,
    AnalysisType.COLLOCATION: AlgorithmPart.CORRELATION,
    AnalysisType.IMAGE_QUALITY: AlgorithmPart.GATES,
}


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
    contents: ReportContents, library: Iterable[str]
) -> tuple[PerformedAnalysis, ...]:
    """Return the analyses of a reading, each at most once with success and once with failure.

    Parameters
    ----------
    contents
        What was read, and what of it the report holds.
    library
        SOP Instance UIDs of the images in the Image Library.
    """
    if not any(image.status.was_read for image in contents.reading.images):
        return ()
    analyses = (
        *_list_temporal(contents, frozenset(library)),
        *_list_collocations(contents),
        *_list_doubts(contents),
    )
    return tuple(analysis for analysis in analyses if analysis.images)


def build_analysis_summary(
    model: ModelIdentity, performed: Sequence[PerformedAnalysis], entries: Mapping[str, TreeItem]
) -> TreeItem:
    """Return the Summary of Analyses with its containers (TID 4000 rows 8 and 9)."""
    status = combine_successes(analysis.succeeded for analysis in performed)
    summary = tree.code(concepts.ANALYSIS_SUMMARY, status.code)
    for concept, succeeded in (
        (concepts.SUCCESSFUL_ANALYSES, True),
        (concepts.FAILED_ANALYSES, False),
    ):
        alike = [analysis for analysis in performed if analysis.succeeded is succeeded]
        if alike:
            part = summary.add(Relation.INFERRED_FROM, tree.container(concept))
            items = [_write_analysis(model, analysis, entries) for analysis in alike]
            part.add_all(Relation.CONTAINS, items)
    return summary


def _write_analysis(
    model: ModelIdentity, performed: PerformedAnalysis, entries: Mapping[str, TreeItem]
) -> TreeItem:
    item = tree.code(concepts.ANALYSIS_PERFORMED, performed.analysis.code)
    algorithm = identify_algorithm(model, _ALGORITHMS[performed.analysis], performed.remarks)
    item.add_all(Relation.HAS_PROPERTIES, algorithm)
    for uid in performed.images:
        item.refer_to(Relation.HAS_PROPERTIES, entries[uid])
    return item


def _list_temporal(
    contents: ReportContents, library: frozenset[str]
) -> tuple[PerformedAnalysis, ...]:
    reading = contents.reading
    names = {image.sop_instance_uid: image.name for image in reading.images}
    # Dictionaries for their order: of success and failure, the images and the remarks.
    images: dict[bool, dict[str, None]] = {True: {}, False: {}}
    remarks: dict[bool, dict[str, None]] = {True: {}, False: {}}
    for comparison in reading.comparisons:
        against = f"against the prior of {format_day(comparison.prior_date)} ({comparison.basis})"
        for view in comparison.views:
            uid, prior_uid = view.sop_instance_uid, view.prior_sop_instance_uid
            if prior_uid is not None:
                succeeded = not view.why_not
                images[succeeded] |= dict.fromkeys(u for u in (uid, prior_uid) if u in library)
                remarks[succeeded][f"{names[uid]} {against}: {_describe_comparison(view)}"] = None
    if unavailable := _list_unavailable_priors(reading):
        # Of a prior that is not here, it is the current images that wanted the comparison.
        read = [image.sop_instance_uid for image in reading.images if image.status.was_read]
        images[False] |= dict.fromkeys(read)
        remarks[False] |= dict.fromkeys(unavailable)
    return tuple(
        PerformedAnalysis(
            AnalysisType.TEMPORAL, success, tuple(images[success]), tuple(remarks[success])
        )
        for success in (True, False)
    )


def _describe_comparison(view: ViewComparison) -> str:
    if view.why_not:
        return f"not compared, {view.why_not}"
    unit = "same unit" if view.same_unit else "another unit or processing, wider limits"
    error = "" if view.error_mm is None else f", laid on it with an error of {view.error_mm:g} mm"
    return f"compared{error}, {unit}"


def _list_unavailable_priors(reading: StudyReading) -> tuple[str, ...]:
    """Return for each prior that was wanted why it is not here to be compared."""
    compared = {comparison.prior_study_uid for comparison in reading.comparisons}
    lines = [
        f"prior of {format_day(prior.study_date)}: {prior.why_not}"
        for prior in reading.priors
        if prior.study_uid not in compared and not prior.compared and prior.reason in _WANTED
    ]
    lines += [reason.sentence for reason in reading.reasons if reason in _WANTED]
    return tuple(dict.fromkeys(lines))


def _list_collocations(contents: ReportContents) -> tuple[PerformedAnalysis, ...]:
    """Correlation of the two views: where it joined some, or both of a breast show a cluster."""
    joined = [lesion for lesion in contents.lesions if isinstance(lesion.pair, ViewPair)]
    succeeded = {item.ref.sop_instance_uid: None for lesion in joined for item in lesion.current}
    failed: dict[str, None] = {}
    for laterality in (Laterality.RIGHT, Laterality.LEFT):
        images = [
            image
            for image in contents.reading.images
            if image.mammogram.laterality is laterality and image.shown_findings
        ]
        cc = [i for i in images if i.mammogram.view is not None and i.mammogram.view.is_cc_like]
        mlo = [i for i in images if i.mammogram.view is not None and i.mammogram.view.is_mlo_like]
        if cc and mlo:
            can_be_located = all(any(map(_has_nipple_axes, view)) for view in (cc, mlo))
            uids = succeeded if can_be_located else failed
            uids |= dict.fromkeys(image.sop_instance_uid for image in (*cc, *mlo))
    remark = f"clusters recognised in both views={len(joined)}; least confidence={SAME_LESION:g}"
    why_not = "the nipple or the pixel spacing is not known in one of the views"
    return (
        PerformedAnalysis(AnalysisType.COLLOCATION, True, tuple(succeeded), (remark,)),
        PerformedAnalysis(AnalysisType.COLLOCATION, False, tuple(failed), (why_not,)),
    )


def _has_nipple_axes(image: ImageReading) -> bool:
    frame = find_frame(image)
    return frame is not None and bool(find_nipple_axes(image, frame))


def _list_doubts(contents: ReportContents) -> tuple[PerformedAnalysis, ...]:
    doubtful = [image for image in contents.reading.images if image.status is ImageStatus.FLAGGED]
    uids = tuple(image.sop_instance_uid for image in doubtful)
    remarks = tuple(
        f"{image.name} read with doubts: {join_sentences(image.reasons)}" for image in doubtful
    )
    return (PerformedAnalysis(AnalysisType.IMAGE_QUALITY, False, uids, remarks),)
