"""Reading a folder of a site's own exams for `secondread calibrate`, nothing left out silently."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from secondread.assemble.mammogram import Mammogram
from secondread.assemble.scope import select_images
from secondread.codes import MarkClass
from secondread.detect.child import detect_with_retries
from secondread.detect.marks import Detection
from secondread.offline import InputFiles
from secondread.reading import Reader, StudyContext, read_study
from secondread.reasons import ImageStatus, Reason
from secondread_lab.judge.site_calibration import LOOKS_REAL, ViewScores

Detect = Callable[[Path], Detection]
"""Reads an image file."""


@dataclass(frozen=True, slots=True)
class LocalView:
    """What became of one file of the folder."""

    path: Path
    label: str
    """Side and view; empty where the header does not say."""
    status: ImageStatus | None
    """None for what is outside the detector's scope, or no mammogram at all."""
    reasons: tuple[Reason, ...]
    detail: str
    scores: ViewScores | None
    """None where it was not read."""

    @property
    def looks_real(self) -> bool:
        """Whether a cluster in it is so certain that a person should look."""
        return self.scores is not None and max(self.scores.certainties, default=0.0) >= LOOKS_REAL


def read_views(
    inputs: InputFiles,
    detect: Detect,
    reader: Reader,
    progress: Callable[[str], None],
    attempts: int,
) -> Iterator[LocalView]:
    """Read every study of a folder as an exam of its own, by the path that the node takes.

    Parameters
    ----------
    inputs
        The files, `offline.gather`.
    detect
        The detector.
    reader
        Calibration and rule of the model, without a site's calibration.
    progress
        Is told the name of each image before it is read.
    attempts
        How often an image may kill the detector.

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
            scores = ViewScores(_make_pseudonym(image.mammogram), study_uid, certainties)
            yield LocalView(
                paths[image.mammogram.sop_instance_uid],
                image.mammogram.label,
                image.status,
                image.reasons,
                image.detail,
                scores if image.status.was_read else None,
            )


def _make_pseudonym(mammogram: Mammogram) -> str:
    who = mammogram.patient
    # Without an ID nobody can say whose image it is; those of one study are the same woman's.
    person = f"{who.issuer}|{who.patient_id}" if who.patient_id else mammogram.study_uid
    return hashlib.sha256(person.encode()).hexdigest()[:16]
