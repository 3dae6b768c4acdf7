"""The files that an offline reading is given, in studies."""

import mimetypes
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset

from secondread.assemble.completed_headers import complete_headers
from secondread.assemble.identity import ClaimedIdentity, collect_identities
from secondread.assemble.mammogram import Mammogram
from secondread.assemble.scope import ImageSelection, select_images
from secondread.assemble.study_patient import split_by_patient
from secondread.dicom_files import read_header
from secondread.errors import DataSetError, HeaderError, SettingsError
from secondread.followup.priors import EarlierStudy
from secondread.reasons import Reason

_MAY_BE_DICOM = {None, "application/dicom"}
"""Types of files by their names, as `mimetypes` knows them; most DICOM files have none."""


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    """A file that was given and could not even be opened as an image."""

    path: Path
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class StrayFile:
    """An image of another patient than its study's."""

    path: Path
    mammogram: Mammogram


@dataclass(frozen=True, slots=True)
class InputFiles:
    """The files given, in studies, and those that are no readable DICOM."""

    studies: Mapping[str, Mapping[str, Path]]
    """Path by SOP Instance UID, by Study Instance UID."""
    headers: Mapping[str, Dataset]
    mammograms: Mapping[str, Mammogram]
    unreadable: tuple[UnreadableFile, ...]
    other_files: tuple[Path, ...] = ()
    """Files of a folder that are of another kind by name and content: tables, pictures, texts."""
    completed: Mapping[str, tuple[Reason, ...]] = field(default_factory=dict)
    """What images were given of their study's other images, by Study Instance UID."""
    strays: Mapping[str, tuple[StrayFile, ...]] = field(default_factory=dict)
    """What is set aside of each study; not among its files."""

    @property
    def paths(self) -> dict[str, Path]:
        """Path by SOP Instance UID, of all studies."""
        return {uid: path for study in self.studies.values() for uid, path in study.items()}

    def list_images(self, study_uid: str) -> list[Mammogram]:
        """Return the images of a study."""
        return [self.mammograms[uid] for uid in self.studies[study_uid]]

    def collect_identities(self, study_uid: str) -> tuple[ClaimedIdentity, ...]:
        """Return what the images of a study say of whose they are."""
        return collect_identities(self.list_images(study_uid))

    def get_any(self, study_uid: str) -> Mammogram:
        """Return the first image of a study, for what all its images have in common."""
        return self.mammograms[next(iter(self.studies[study_uid]))]

    def select_images(self, study_uid: str) -> ImageSelection:
        """Return which images of a study are read."""
        return select_images(self.list_images(study_uid))

    def describe_study(self, study_uid: str) -> EarlierStudy:
        """Return what the choice of priors needs of a study."""
        views = self.select_images(study_uid).views
        return EarlierStudy(study_uid, self.get_any(study_uid).study_date, views)


def gather_files(paths: Sequence[Path]) -> InputFiles:
    """Read the header of every file; folders are searched through, and all their files answered.

    Raises
    ------
    SettingsError
        A path does not exist, or there is no file to answer for.
    """
    studies: dict[str, dict[str, Path]] = defaultdict(dict)
    headers: dict[str, Dataset] = {}
    mammograms: dict[str, Mammogram] = {}
    unreadable: list[UnreadableFile] = []
    other_files: list[Path] = []
    given = {path.resolve() for path in paths}
    for path in _list_files(paths):
        try:
            header = _read_header(path)
            mammogram = Mammogram.from_dataset(header)
        except DataSetError as error:
            if path not in given and mimetypes.guess_type(path)[0] not in _MAY_BE_DICOM:
                other_files.append(path)
                continue
            unreadable.append(UnreadableFile(path, Reason.DATA_SET_INVALID, str(error)))
            continue
        except HeaderError as error:
            unreadable.append(UnreadableFile(path, Reason.HEADER_INVALID, str(error)))
            continue
        uid = mammogram.sop_instance_uid
        if uid in mammograms:
            unreadable.append(
                UnreadableFile(path, Reason.SUPERSEDED, "same SOP Instance UID again")
            )
            continue
        headers[uid], mammograms[uid] = header, mammogram
        studies[mammogram.study_uid][uid] = path
    if not studies and not unreadable:
        raise SettingsError(f"{', '.join(map(str, paths))}: no DICOM file in it")
    strays = {uid: _set_strays_aside(files, headers, mammograms) for uid, files in studies.items()}
    completed = {uid: _complete_study(files, headers, mammograms) for uid, files in studies.items()}
    return InputFiles(
        studies, headers, mammograms, tuple(unreadable), tuple(other_files), completed, strays
    )


def _set_strays_aside(
    files: dict[str, Path], headers: dict[str, Dataset], mammograms: dict[str, Mammogram]
) -> tuple[StrayFile, ...]:
    """Take the images of other patients out of a study; return them."""
    images = [mammograms[uid] for uid in files]
    split = split_by_patient([ClaimedIdentity(m.patient, m.person) for m in images])
    strays = []
    for uid in [images[position].sop_instance_uid for position in split.others]:
        strays.append(StrayFile(files.pop(uid), mammograms.pop(uid)))
        del headers[uid]
    return tuple(strays)


def _complete_study(
    uids: Iterable[str], headers: dict[str, Dataset], mammograms: dict[str, Mammogram]
) -> tuple[Reason, ...]:
    """Give the images of a study in place what its other images say; return what is to be told."""
    of_study = {uid: headers[uid] for uid in uids}
    completed, images, reasons = complete_headers(of_study, [mammograms[uid] for uid in of_study])
    headers.update(completed)
    mammograms.update((image.sop_instance_uid, image) for image in images)
    return reasons


def _list_files(paths: Sequence[Path]) -> Iterator[Path]:
    for given in paths:
        path = given.resolve()
        if path.is_dir():
            yield from (entry for entry in sorted(path.rglob("*")) if not entry.is_dir())
        elif path.exists():
            yield path
        else:
            raise SettingsError(f"{given}: no such file or folder")


def _read_header(path: Path) -> Dataset:
    """Return the header of a file; what cannot be opened is a `DataSetError` too."""
    if not path.is_file():
        raise DataSetError("not a regular file")
    try:
        return read_header(path)
    except OSError as error:
        raise DataSetError(f"cannot be opened: {error.strerror}") from None
