"""Which lesions a reading's findings are, and the pictures that are kept of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from secondread.accept.archive import Archive
from secondread.findings.comparison import FindingRef
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.followup.correlation import correlate
from secondread.followup.identity import lesion_uids, recognized, tracked
from secondread.followup.view_changes import reference
from secondread.report.crop import crop_png
from secondread.report.uids import derived_uid
from secondread.track.lesions import Lesions

Display = Callable[[str], npt.NDArray[np.uint8]]
"""Gives an image as people look at it, by SOP Instance UID."""


def with_lesions(
    reading: StudyReading,
    lesions: Lesions,
    installation_id: str,
    reported: Sequence[StudyReading] = (),
) -> StudyReading:
    """Return a reading whose findings, and its priors' findings, say which lesion they are.

    A lesion that is seen for the first time gets an identifier that no other reading gives,
    because findings' names are those of one reading.
    """

    def mint(ref: FindingRef) -> str:
        of_reading = (installation_id, reading.study_uid, str(reading.revision), "lesion")
        return derived_uid(*of_reading, ref.study_uid, ref.sop_instance_uid, ref.finding_id)

    readings = (reading, *reading.earlier, *reported)
    images = {image.mammogram.sop_instance_uid for one in readings for image in one.images}
    known = recognized(readings, lesions.known_in(images))
    pairs = correlate(reading)
    return tracked(reading, lesion_uids(reading, reading.comparisons, pairs, known, mint))


def shown_lesions(reading: StudyReading) -> frozenset[str]:
    """Return the lesions that are shown in the study or were in one of its priors."""
    return frozenset(
        finding.lesion
        for one in (reading, *reading.earlier)
        for image in one.images
        for finding in image.shown
        if finding.lesion is not None
    )


def keep_crops(
    reading: StudyReading, display: Display, archive: Archive
) -> Mapping[FindingRef, str]:
    """Write a picture of each finding that is a shown lesion; return where each lies."""
    return {
        reference(image, finding): archive.put_bytes(
            crop_png(display(image.mammogram.sop_instance_uid), finding.outline, spacing), "crops"
        ).relative_path
        for image, finding in _of_interest(reading)
        if (spacing := image.mammogram.spacing) is not None
    }


def _of_interest(reading: StudyReading) -> Iterator[tuple[ImageReading, Finding]]:
    shown = shown_lesions(reading)
    for one in (reading, *reading.earlier):
        for image in one.images:
            for finding in image.findings:
                if finding.lesion in shown:
                    yield image, finding
