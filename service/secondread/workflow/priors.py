"""The priors of a revision as readings: which of their images are read, and what came of it.

Nothing here raises over a prior: what cannot be compared is a reason in the result.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from secondread import log
from secondread.assemble.mammogram import Mammogram
from secondread.assemble.scope import Selection
from secondread.detect.marks import Detection
from secondread.findings.finding import PriorStudy, StudyReading
from secondread.followup.applied import followed_up, not_compared
from secondread.followup.reported import against
from secondread.followup.second_look import Looked
from secondread.reading import Circumstances, Reader, read_study
from secondread.reasons import Reason
from secondread.workflow.material import Material, PriorMaterial, Priors

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class PriorReadings:
    """What a study is compared with."""

    detections: Mapping[str, Detection] = field(default_factory=dict)
    """The detector's answers about its priors' images, by SOP Instance UID."""
    read: tuple[StudyReading, ...] = ()
    """Readings of its priors' images, the latest first."""
    reported: tuple[StudyReading, ...] = ()
    """What is known of priors whose images are not at hand."""
    looks: tuple[Looked, ...] | None = None
    """What was seen in its priors' pixels at a second look; None where nobody was to look."""
    given_up: tuple[str, ...] = ()
    """Study Instance UIDs of priors that something broke over."""


def partners(material: Material, prior: PriorMaterial) -> tuple[Mammogram, ...]:
    """Return the images of a prior whose view the study has too, in reading order.

    The others would take their time and be compared with nothing.
    """
    own = {_view(m) for m in material.selection.to_read} - {None}
    return tuple(m for m in prior.selection.to_read if _view(m) in own)


def images_to_read(material: Material, priors: Priors) -> dict[str, Path]:
    """Return the files of the priors' images that are to be compared, by SOP Instance UID."""
    return {
        m.sop_instance_uid: prior.paths[m.sop_instance_uid]
        for prior in priors.usable
        for m in partners(material, prior)
    }


def as_known(material: Material, priors: Priors) -> tuple[PriorStudy, ...]:
    """Return the priors as the reading knows of them before anything was compared."""
    return tuple(
        PriorStudy(
            prior.study_uid,
            prior.study_date,
            compared=False,
            reason=prior.reason or _why_not(material, prior),
            said=prior.said,
        )
        for prior in priors.studies
    )


def earlier_readings(
    material: Material, priors: Priors, detections: Mapping[str, Detection], reader: Reader
) -> tuple[StudyReading, ...]:
    """Return the readings of the priors that have a view to compare, the latest first.

    Parameters
    ----------
    material, priors
        The revision's.
    detections
        One answer for each image of `images_to_read`.
    reader
        What the study itself is read with.
    """
    found = []
    for prior in priors.usable:
        shared = partners(material, prior)
        if shared:
            selection = Selection(shared, ())
            circumstances = Circumstances(revision=1, cause="prior")
            found.append(read_study(prior.study_uid, selection, detections, reader, circumstances))
    return tuple(found)


def compared(reading: StudyReading, priors: PriorReadings) -> StudyReading:
    """Return a reading with what follow-up says; without a comparison where that breaks.

    What goes wrong in laying exams on each other costs the comparison, never the second read.
    """
    known = (*priors.read, *priors.reported)
    if not known:
        return not_compared(followed_up(reading, ()), priors.given_up)
    try:
        return against(followed_up(reading, priors.read, priors.looks), priors.reported)
    except Exception as error:  # noqa: BLE001  (whatever it is, it must not cost the reading)
        _log.error(
            "comparison_broke",
            study_uid=reading.study_uid,
            error=f"{type(error).__name__}: {error}",
        )
        return not_compared(followed_up(reading, ()), [one.study_uid for one in known])


def _view(mammogram: Mammogram) -> tuple[str, str] | None:
    if mammogram.laterality is None or mammogram.view is None:
        return None
    return mammogram.laterality.letter, mammogram.view.name


def _why_not(material: Material, prior: PriorMaterial) -> Reason:
    return Reason.NO_COMPARISON if partners(material, prior) else Reason.PRIOR_OUT_OF_SCOPE
