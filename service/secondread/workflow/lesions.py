"""Which lesions a reading's findings are, and the pictures that are kept of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from secondread.accept.archive import Archive
from secondread.findings.changes import FindingRef
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.followup.lesion_identity import add_lesions, assign_lesions, recognize_lesions
from secondread.report.pages.crop import encode_crop
from secondread.report.sr.uids import derive_uid
from secondread.track.lesions import Lesions

Display = Callable[[str], npt.NDArray[np.uint8]]
"""Gives an image as people look at it, by SOP Instance UID."""


def track_lesions(
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
        return derive_uid(*of_reading, ref.study_uid, ref.sop_instance_uid, ref.finding_id)

    readings = (reading, *reading.prior_readings, *reported)
    images = {image.mammogram.sop_instance_uid for one in readings for image in one.images}
    known = recognize_lesions(readings, lesions.find_in_images(images))
    return add_lesions(
        reading, assign_lesions(reading, reading.comparisons, reading.view_pairs, known, mint)
    )


def find_shown_lesions(reading: StudyReading) -> frozenset[str]:
    """Return the lesions that are shown in the study or were in one of its priors."""
    return frozenset(
        finding.lesion_uid
        for one in (reading, *reading.prior_readings)
        for image in one.images
        for finding in image.shown_findings
        if finding.lesion_uid is not None
    )


def store_crops(
    reading: StudyReading, display: Display, archive: Archive
) -> Mapping[FindingRef, str]:
    """Write a picture of each finding that is a shown lesion; return where each lies."""
    return {
        image.refer_to(finding): archive.write_bytes(
            encode_crop(display(image.mammogram.sop_instance_uid), finding.outline, spacing),
            "crops",
        ).relative_path
        for image, finding in _of_interest(reading)
        if (spacing := image.mammogram.spacing) is not None
    }


def _of_interest(reading: StudyReading) -> Iterator[tuple[ImageReading, Finding]]:
    shown = find_shown_lesions(reading)
    for one in (reading, *reading.prior_readings):
        for image in one.images:
            for finding in image.findings:
                if finding.lesion_uid in shown:
                    yield image, finding
