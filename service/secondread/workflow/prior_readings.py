"""The priors of a revision as readings: which of their images are read, and what came of it.

Nothing here raises over a prior: what cannot be compared is a reason in the result.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from secondread import log
from secondread.assemble.mammogram import Mammogram
from secondread.assemble.scope import ImageSelection
from secondread.detect.marks import Detection
from secondread.findings.finding import PriorStudy, StudyReading
from secondread.followup.comparison import compare_with_priors
from secondread.followup.follow_up import follow_up, mark_not_compared
from secondread.followup.recheck import RecheckedFinding
from secondread.followup.reported_priors import add_reported_priors
from secondread.reading import Reader, StudyContext, read_study
from secondread.reasons import Reason
from secondread.workflow.inputs import GatheredPriors, PriorImages, RevisionInputs

_log = log.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PriorReadings:
    """What a study is compared with."""

    detections: Mapping[str, Detection] = field(default_factory=dict)
    """The detector's answers about its priors' images, by SOP Instance UID."""
    read: tuple[StudyReading, ...] = ()
    """Readings of its priors' images, the latest first."""
    reported: tuple[StudyReading, ...] = ()
    """What is known of priors whose images are not at hand."""
    rechecks: tuple[RecheckedFinding, ...] | None = None
    """What was seen in its priors' pixels at a second look; None where nobody was to look."""
    given_up: tuple[str, ...] = ()
    """Study Instance UIDs of priors that something broke over."""


def select_shared_views(material: RevisionInputs, prior: PriorImages) -> tuple[Mammogram, ...]:
    """Return the images of a prior whose view the study has too, in reading order.

    The others would take their time and be compared with nothing.
    """
    own = {_view(m) for m in material.selection.to_read} - {None}
    return tuple(m for m in prior.selection.to_read if _view(m) in own)


def select_prior_images(material: RevisionInputs, priors: GatheredPriors) -> dict[str, Path]:
    """Return the files of the priors' images that are to be compared, by SOP Instance UID."""
    return {
        m.sop_instance_uid: prior.paths[m.sop_instance_uid]
        for prior in priors.usable
        for m in select_shared_views(material, prior)
    }


def describe_priors(material: RevisionInputs, priors: GatheredPriors) -> tuple[PriorStudy, ...]:
    """Return the priors as the reading knows of them before anything was compared."""
    return tuple(
        PriorStudy(
            prior.study_uid,
            prior.study_date,
            compared=False,
            reason=prior.reason or _why_not(material, prior),
            archive_reasons=prior.archive_reasons,
        )
        for prior in priors.studies
    )


def read_priors(
    material: RevisionInputs,
    priors: GatheredPriors,
    detections: Mapping[str, Detection],
    reader: Reader,
) -> tuple[StudyReading, ...]:
    """Return the readings of the priors that have a view to compare, the latest first.

    Parameters
    ----------
    material, priors
        The revision's.
    detections
        One answer for each image of `select_prior_images`.
    reader
        What the study itself is read with.
    """
    found = []
    for prior in priors.usable:
        shared = select_shared_views(material, prior)
        if shared:
            selection = ImageSelection(shared, ())
            circumstances = StudyContext(revision=1, cause="prior")
            found.append(read_study(prior.study_uid, selection, detections, reader, circumstances))
    return tuple(found)


def compare_safely(reading: StudyReading, priors: PriorReadings) -> StudyReading:
    """Return a reading with what follow-up says; without a comparison where that breaks.

    What goes wrong in laying exams on each other costs the comparison, never the second read.
    """
    known = (*priors.read, *priors.reported)
    if not known:
        return mark_not_compared(follow_up(reading, ()), priors.given_up)
    try:
        comparisons = compare_with_priors(reading, priors.read)
        return add_reported_priors(
            follow_up(reading, comparisons, priors.rechecks), priors.reported
        )
    except Exception as error:  # noqa: BLE001  (whatever it is, it must not cost the reading)
        _log.error(
            "comparison_broke",
            study_uid=reading.study_uid,
            error=f"{type(error).__name__}: {error}",
        )
        return mark_not_compared(follow_up(reading, ()), [one.study_uid for one in known])


def _view(mammogram: Mammogram) -> tuple[str, str] | None:
    if mammogram.laterality is None or mammogram.view is None:
        return None
    return mammogram.laterality.letter, mammogram.view.name


def _why_not(material: RevisionInputs, prior: PriorImages) -> Reason:
    return (
        Reason.NO_COMPARISON if select_shared_views(material, prior) else Reason.PRIOR_OUT_OF_SCOPE
    )
