"""What a revision is made from, read again from the archive at each step: files are the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from secondread import log
from secondread.accept.archive import Archive
from secondread.assemble.identity import drop_invalid_attributes, has_several_patients
from secondread.assemble.mammogram import Mammogram
from secondread.assemble.scope import ImageSelection, select_images
from secondread.errors import HeaderError
from secondread.reasons import Reason
from secondread.track.tracker import Tracker
from secondread.track.values import ClaimedRevision, PriorInputs

_log = log.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RevisionInputs:
    """A revision's instances and what is known of them together."""

    claimed: ClaimedRevision
    paths: Mapping[str, Path]
    digests: Mapping[str, str]
    """SHA-256 of each file, by SOP Instance UID."""
    headers: Mapping[str, Dataset]
    selection: ImageSelection
    invalid: tuple[str, ...]
    """Instances whose header makes no sense."""
    is_mixed: bool
    """Whether the images are of more than one patient."""
    is_withdrawn: bool
    """Whether there were images, and a rejection note withdrew every one of them."""


def gather_inputs(
    tracker: Tracker, archive: Archive, study_uid: str, revision: int
) -> RevisionInputs:
    """Read the headers of a revision's instances."""
    paths: dict[str, Path] = {}
    digests: dict[str, str] = {}
    headers: dict[str, Dataset] = {}
    mammograms: list[Mammogram] = []
    invalid: list[str] = []
    for instance in tracker.studies.list_inputs(study_uid, revision):
        path = archive.resolve_path(instance.path)
        header = pydicom.dcmread(path, stop_before_pixels=True)
        try:
            mammogram = Mammogram.from_dataset(header)
        except HeaderError as error:
            # The value itself may say who the patient is.
            _log.warning("header_invalid", study_uid=study_uid, keyword=error.keyword)
            invalid.append(instance.sop_instance_uid)
            continue
        paths[instance.sop_instance_uid] = path
        digests[instance.sop_instance_uid] = instance.sha256
        headers[instance.sop_instance_uid] = header
        mammograms.append(mammogram)
    mammograms = _by_patient(tracker, mammograms)
    return RevisionInputs(
        claimed=tracker.studies.get_claimed(study_uid, revision),
        paths=paths,
        digests=digests,
        headers=headers or _any_header(tracker, archive, study_uid),
        selection=select_images(mammograms),
        invalid=tuple(invalid),
        is_mixed=has_several_patients(mammograms),
        is_withdrawn=not mammograms and not invalid and _is_withdrawn(tracker, study_uid),
    )


@dataclass(frozen=True, slots=True)
class PriorImages:
    """One prior of a revision: its images, or why there is nothing of it to compare with."""

    study_uid: str
    study_date: date | None
    reason: Reason | None
    """None where there are images to compare with."""
    archive_reasons: tuple[tuple[str, Reason], ...]
    """What each archive said, where none of several sent it."""
    paths: Mapping[str, Path]
    """In the archive, by SOP Instance UID."""
    digests: Mapping[str, str]
    """SHA-256 of each of these files."""
    headers: Mapping[str, Dataset]
    """By SOP Instance UID."""
    selection: ImageSelection
    """Which of them are in the detector's scope, in reading order."""


@dataclass(frozen=True, slots=True)
class GatheredPriors:
    """The priors of a revision, latest first, those that could not be had last."""

    studies: tuple[PriorImages, ...]
    reason: Reason | None
    """Why there are none; None where there are some."""

    @property
    def usable(self) -> tuple[PriorImages, ...]:
        """Those with images to compare with."""
        return tuple(prior for prior in self.studies if prior.reason is None)

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of their images' files, by SOP Instance UID."""
        return {uid: sha256 for prior in self.usable for uid, sha256 in prior.digests.items()}

    @property
    def headers(self) -> dict[str, Dataset]:
        """Those of their images, by SOP Instance UID."""
        return {uid: ds for prior in self.usable for uid, ds in prior.headers.items()}


def gather_priors(tracker: Tracker, archive: Archive, material: RevisionInputs) -> GatheredPriors:
    """Read the headers of a revision's priors, as they were chosen when it was claimed.

    Files have the last word on whose images they are: a prior that names another patient, or
    another issuer of the patient's ID, than the revision's images do is not used.
    """
    claimed = material.claimed
    recorded = tracker.studies.get_priors(claimed.study_uid, claimed.number)
    own = material.selection.to_read
    studies = tuple(_prior(tracker, archive, one, own) for one in recorded.studies)
    return GatheredPriors(studies, recorded.reason)


def _by_patient(tracker: Tracker, mammograms: Sequence[Mammogram]) -> list[Mammogram]:
    """Return the headers as they read with one ID for a patient whose IDs were merged."""
    whose = {
        key: tracker.patients.find_canonical_key(key) for key in {m.patient for m in mammograms}
    }
    return [replace(m, patient=whose[m.patient]) for m in mammograms]


def _prior(
    tracker: Tracker, archive: Archive, recorded: PriorInputs, own: Sequence[Mammogram]
) -> PriorImages:
    paths: dict[str, Path] = {}
    headers: dict[str, Dataset] = {}
    mammograms: list[Mammogram] = []
    is_lost = False
    for instance in recorded.instances:
        path = archive.resolve_path(instance.path)
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True)
            mammograms.append(Mammogram.from_dataset(header))
        except Exception:  # noqa: BLE001  (a broken file may make pydicom raise anything)
            # Named by its study alone: a header's value may say who the patient is.
            _log.warning("prior_not_readable", prior_study_uid=recorded.study_uid)
            is_lost = True
            continue
        paths[instance.sop_instance_uid] = path
        headers[instance.sop_instance_uid] = header
    mammograms = _by_patient(tracker, mammograms)
    selection = select_images(mammograms)
    reason = recorded.reason
    if reason is None and has_several_patients([*own, *mammograms]):
        reason = Reason.PRIOR_FOREIGN
    if reason is None and not selection.to_read:
        reason = Reason.PRIOR_FILES_LOST if is_lost else Reason.PRIOR_OUT_OF_SCOPE
    digests = {one.sop_instance_uid: one.sha256 for one in recorded.instances}
    named = (recorded.study_uid, recorded.study_date, reason, recorded.archive_reasons)
    return PriorImages(*named, paths, digests, headers, selection)


def _is_withdrawn(tracker: Tracker, study_uid: str) -> bool:
    detail = tracker.study_queries.find_detail(study_uid)
    return detail is not None and any(image.rejected for image in detail.images)


def _any_header(tracker: Tracker, archive: Archive, study_uid: str) -> dict[str, Dataset]:
    """Return what says whose study it is, where no image is left to be read.

    Every image may have been withdrawn, or have a header that makes no sense; the result
    that says so belongs to the same patient and study all the same.
    """
    detail = tracker.study_queries.find_detail(study_uid)
    for image in detail.images if detail is not None else ():
        path = archive.resolve_path(image.path)
        header = drop_invalid_attributes(pydicom.dcmread(path, stop_before_pixels=True))
        if header is not None:
            return {image.sop_instance_uid: header}
    return {}
