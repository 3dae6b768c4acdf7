"""What a revision is made from, read again from the archive at each step: files are the truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from secondread import log
from secondread.accept.archive import Archive
from secondread.assemble.identity import identity_of, is_mixed
from secondread.assemble.mammogram import Mammogram
from secondread.assemble.scope import Selection, select
from secondread.errors import HeaderError
from secondread.track.tracker import Tracker
from secondread.track.values import ClaimedRevision

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Material:
    """A revision's instances and what is known of them together."""

    claimed: ClaimedRevision
    paths: Mapping[str, Path]
    headers: Mapping[str, Dataset]
    selection: Selection
    invalid: tuple[str, ...]
    """Instances whose header makes no sense."""
    is_mixed: bool
    """Whether the images are of more than one patient."""


def gather(tracker: Tracker, archive: Archive, study_uid: str, revision: int) -> Material:
    """Read the headers of a revision's instances."""
    paths: dict[str, Path] = {}
    headers: dict[str, Dataset] = {}
    mammograms: list[Mammogram] = []
    invalid: list[str] = []
    for instance in tracker.studies.reading_inputs(study_uid, revision):
        path = archive.path_of(instance.path)
        header = pydicom.dcmread(path, stop_before_pixels=True)
        try:
            mammogram = Mammogram.from_dataset(header)
        except HeaderError as error:
            # The value itself may say who the patient is.
            _log.warning("header_invalid", study_uid=study_uid, keyword=error.keyword)
            invalid.append(instance.sop_instance_uid)
            continue
        paths[instance.sop_instance_uid] = path
        headers[instance.sop_instance_uid] = header
        mammograms.append(mammogram)
    return Material(
        claimed=tracker.studies.claimed(study_uid, revision),
        paths=paths,
        headers=headers or _any_header(tracker, archive, study_uid),
        selection=select(mammograms),
        invalid=tuple(invalid),
        is_mixed=is_mixed(mammograms),
    )


def _any_header(tracker: Tracker, archive: Archive, study_uid: str) -> dict[str, Dataset]:
    """Return what says whose study it is, where no image is left to be read.

    Every image may have been withdrawn, or have a header that makes no sense; the result
    that says so belongs to the same patient and study all the same.
    """
    detail = tracker.study_queries.detail(study_uid)
    for image in detail.images if detail is not None else ():
        path = archive.path_of(image.path)
        header = identity_of(pydicom.dcmread(path, stop_before_pixels=True))
        if header is not None:
            return {image.sop_instance_uid: header}
    return {}
