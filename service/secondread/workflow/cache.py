"""The detector's answers: cached between the steps of a reading, and stored for years.

The cache's files are not flushed to the disk, so a power cut may leave empty or broken ones under
their final names. Such a file counts as missing, and costs one more reading of its image.

A stored answer is what is left of a prior without its files. It holds all marks, shown or not, and
where nipple, skin and muscle are, so that with the model that gave it a prior can be compared as
if its images had been read again. A report alone has the shown marks at best.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt

from secondread import __version__, log
from secondread.accept.archive import Archive
from secondread.detect.child import (
    DetectorLimitError,
    DetectorStartError,
    detect_with_retries,
)
from secondread.detect.marks import Detection
from secondread.errors import InputError, StorageFullError, TransientError
from secondread.files import write_whole
from secondread.reading import FileDetector, Reader
from secondread.reasons import Reason
from secondread.track.results import Results

_log = log.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ReadingCache:
    """What one reading keeps between its steps."""

    folder: Path
    detector: FileDetector
    overrides: frozenset[str]
    attempts: int
    """How often an image may kill the detector before it is given up."""
    maker: str
    """`digest_maker`: what another model or other settings have answered is not theirs."""

    def get_detection(self, instance_uid: str, file_digest: str, path: Path) -> Detection:
        """Return the answer about an image: the one cached by an earlier step, or a fresh one.

        One that another thread is about to give is waited for.

        Raises
        ------
        TransientError
            The image's file cannot be read at this time, or nothing can be written.
        """
        cached = self._get_path(file_digest, "json")
        with _hold(cached):
            detection = _load_detection(cached)
            if detection is None:
                detect = partial(self._detect, file_digest, path)
                detection = detect_with_retries(instance_uid, detect, self.attempts)
                _write_detection(cached, detection)
        return detection

    def read_ahead(self, file_digest: str, path: Path) -> None:
        """Have the answer about an image cached before its reading has begun.

        Raises
        ------
        DetectorLimitError
            The image has killed the detector. That it is given up is its reading's to decide.
        ModelError, TransientError
            As `detect.child.DetectorChild.detect`.
        """
        cached = self._get_path(file_digest, "json")
        with _hold(cached):
            if self._is_first(file_digest) and _load_detection(cached) is None:
                _write_detection(cached, self._detect(file_digest, path))

    def _is_first(self, file_digest: str) -> bool:
        """Return whether no other worker has begun to read an image ahead, and keep others off."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._get_path(file_digest, "ahead").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _detect(self, file_digest: str, path: Path) -> Detection:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.detector.detect(path, self._get_path(file_digest, "npy"), self.overrides)

    def get_prior_detection(
        self, instance_uid: str, file_digest: str, path: Path, stored: Detection | None = None
    ) -> Detection:
        """Return the same about an image of a prior, with its picture cached, whatever happens.

        Nothing waits for a prior's file to come back: that it is lost is an answer. `stored` is
        the answer about it from another reading, where there is one: then it is not read again.
        """
        try:
            detection = stored or self.get_detection(instance_uid, file_digest, path)
            if detection.status.was_read:
                self.get_display(file_digest, path)
        except (DetectorStartError, StorageFullError):
            raise  # which is not the prior's fault
        except (TransientError, FileNotFoundError) as error:
            return Detection.from_failure(
                instance_uid, Reason.PRIOR_FILES_LOST, type(error).__name__
            )
        except DetectorLimitError as error:
            return Detection.from_failure(instance_uid, error.reason, str(error))
        return detection

    def get_display(self, file_digest: str, path: Path) -> npt.NDArray[np.uint8]:
        """Return an image as people look at it.

        Raises
        ------
        FileNotFoundError
            The image's pixels could not be decoded.
        """
        cached = self._get_path(file_digest, "npy")
        picture = _load_picture(cached)
        if picture is None:
            # The answer was stored by another reading, or the picture was lost.
            self.folder.mkdir(parents=True, exist_ok=True)
            self.detector.write_display(path, cached)
            picture = np.load(cached, mmap_mode="r")
        return picture

    def _get_path(self, file_digest: str, suffix: str) -> Path:
        name = sha256(f"{self.maker} {file_digest}".encode()).hexdigest()[:32]
        return self.folder / f"{name}.{suffix}"


_locks: WeakValueDictionary[Path, threading.Lock] = WeakValueDictionary()
_locks_guard = threading.Lock()


@contextmanager
def _hold(path: Path) -> Iterator[None]:
    """Have one thread of the process at a time make a file."""
    with _locks_guard:
        lock = _locks.setdefault(path, threading.Lock())
    with lock:
        yield


def _write_detection(path: Path, detection: Detection) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_whole(path) as part:
        part.write_text(json.dumps(detection.as_json()), encoding="utf-8")


def _load_detection(path: Path) -> Detection | None:
    try:
        return Detection.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, LookupError, TypeError, ValueError):
        return None


def _load_picture(path: Path) -> npt.NDArray[np.uint8] | None:
    try:
        picture: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r")
    except (FileNotFoundError, EOFError, ValueError):
        return None
    return picture


@dataclass(frozen=True, slots=True)
class AnswerStore:
    """The detector's answers that are stored in the archive."""

    results: Results
    archive: Archive

    def write(self, detections: Mapping[str, Detection]) -> dict[str, str]:
        """Write the answers that count; return where each is stored, by SOP Instance UID."""
        return {
            uid: self.archive.write_bytes(
                json.dumps(detection.as_json(), sort_keys=True).encode(), "answers"
            ).relative_path
            for uid, detection in detections.items()
            if detection.status.was_read
        }

    def find(self, file_digest: str, maker_digest: str) -> Detection | None:
        """Return the answer about a file from another reading; None without one."""
        path = self.results.find_answer_path(file_digest, maker_digest)
        return None if path is None else self._load(path)

    def list_for_study(self, study_uid: str) -> dict[str, Detection]:
        """Return the answers about a study's images, by SOP Instance UID."""
        paths = self.results.list_answer_paths(study_uid)
        answers = {uid: self._load(path) for uid, path in paths.items()}
        return {uid: detection for uid, detection in answers.items() if detection is not None}

    def _load(self, path: str) -> Detection | None:
        try:
            values = json.loads(self.archive.resolve_path(path).read_text(encoding="utf-8"))
            return Detection.from_json(values)
        except (InputError, OSError, LookupError, TypeError, ValueError):
            _log.warning("answer_not_readable", path=path)
            return None


def digest_maker(settings_digest: str, reader: Reader) -> str:
    """Return the digest of all that an answer depends on besides the file."""
    parts = (__version__, reader.model.digest, settings_digest)
    return sha256(" ".join(parts).encode()).hexdigest()
