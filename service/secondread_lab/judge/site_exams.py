"""Reading a folder of a site's own exams for `secondread calibrate`, every file accounted for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from secondread.assemble.scope import select_images
from secondread.codes import MarkClass
from secondread.detect.child import detect_with_retries
from secondread.detect.marks import Detection
from secondread.offline.input_files import InputFiles
from secondread.reading import Reader, StudyContext, read_study
from secondread.reasons import ImageStatus, Reason
from secondread_lab.judge.records import make_pseudonym
from secondread_lab.judge.site_calibration import LOOKS_REAL, ViewScores

Detect = Callable[[Path], Detection]
"""Reads an image file."""


@dataclass(frozen=True, slots=True)
class LocalView:
    """The result for one file of the folder."""

    path: Path
    label: str
    """Side and view; empty where the header does not have them."""
    status: ImageStatus | None
    """None for a file that is outside the detector's scope, or not a mammogram."""
    reasons: tuple[Reason, ...]
    detail: str
    scores: ViewScores | None
    """None where the file was not read."""

    @property
    def looks_real(self) -> bool:
        """Whether a person should look at it, since it has a very certain cluster."""
        return self.scores is not None and max(self.scores.certainties, default=0.0) >= LOOKS_REAL


def read_views(
    inputs: InputFiles,
    detect: Detect,
    reader: Reader,
    progress: Callable[[str], None],
    attempts: int,
) -> Iterator[LocalView]:
    """Read every study of a folder as an exam of its own, as the node does.

    Parameters
    ----------
    inputs
        The files, from `offline.input_files.gather_files`.
    detect
        The detector.
    reader
        Calibration and rule of the model, without a site calibration.
    progress
        Called with the name of each image before it is read.
    attempts
        How often an image is tried where it kills the detector.

    Yields
    ------
    LocalView
        One for every file given.
    """
    for unread in inputs.unreadable:
        yield LocalView(unread.path, "", None, (unread.reason,), unread.detail, None)
    for study_uid, paths in inputs.studies.items():
        selection = select_images(inputs.mammograms[uid] for uid in paths)
        for mammogram, reason in selection.left_out:
            path = paths[mammogram.sop_instance_uid]
            yield LocalView(path, mammogram.label, None, (reason,), "", None)
        detections = {}
        for mammogram in selection.to_read:
            uid = mammogram.sop_instance_uid
            progress(f"{mammogram.label} {paths[uid].name}")
            detections[uid] = detect_with_retries(uid, partial(detect, paths[uid]), attempts)
        reading = read_study(
            study_uid, selection, detections, reader, StudyContext(1, "calibration")
        )
        for image in reading.images:
            certainties = tuple(
                f.certainty for f in image.findings if f.mark_class is MarkClass.CLUSTER
            )
            scores = ViewScores(make_pseudonym(image.mammogram), study_uid, certainties)
            yield LocalView(
                paths[image.mammogram.sop_instance_uid],
                image.mammogram.label,
                image.status,
                image.reasons,
                image.detail,
                scores if image.status.was_read else None,
            )
