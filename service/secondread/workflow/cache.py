"""The detector's answers between the steps of a reading: kept once, and made again where lost.

These files are not flushed to the disk, so a power cut may leave empty or broken ones under their
final names. Such a file counts as none, and costs one more reading of its image.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from secondread.detect.child import DetectorLimitError, detect_with_retries
from secondread.detect.marks import Detection
from secondread.errors import TransientError
from secondread.files import write_whole
from secondread.reasons import Reason

DetectImage = Callable[[Path, Path, frozenset[str]], Detection]
"""Reads an image file, writes its display array to the second path, overriding the gates named."""

RenderImage = Callable[[Path, Path], None]
"""Writes the display array alone."""


@dataclass(frozen=True, slots=True)
class ReadingCache:
    """What one reading keeps between its steps."""

    folder: Path
    detect: DetectImage
    show: RenderImage
    overrides: frozenset[str]
    attempts: int
    """How often an image may kill the detector before it is given up."""

    def get_detection(self, instance_uid: str, path: Path) -> Detection:
        """Return the answer about an image: the one kept by an earlier step, or a fresh one.

        Raises
        ------
        TransientError
            The image's file cannot be read at this time, or nothing can be written.
        """
        kept = self.folder / f"{_name(instance_uid)}.json"
        detection = _read_kept(kept)
        if detection is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            detect = partial(self.detect, path, self._display(instance_uid), self.overrides)
            detection = detect_with_retries(instance_uid, detect, self.attempts)
            with write_whole(kept) as part:
                part.write_text(json.dumps(detection.as_json()), encoding="utf-8")
        return detection

    def get_prior_detection(
        self, instance_uid: str, path: Path, known: Detection | None = None
    ) -> Detection:
        """Return the same about an image of a prior, with its picture kept, whatever happens.

        Nothing waits for a prior's file to come back: that it is lost is an answer. `known` is
        the answer about it from another reading, where there is one: then it is not read again.
        """
        try:
            detection = known or self.get_detection(instance_uid, path)
            if detection.status.was_read:
                self.get_display(instance_uid, path)
        except (TransientError, FileNotFoundError) as error:
            return Detection.from_failure(
                instance_uid, Reason.PRIOR_FILES_LOST, type(error).__name__
            )
        except DetectorLimitError as error:
            return Detection.from_failure(instance_uid, error.reason, str(error))
        return detection

    def get_display(self, instance_uid: str, path: Path) -> npt.NDArray[np.uint8]:
        """Return an image as people look at it.

        Raises
        ------
        FileNotFoundError
            The image's pixels could not be decoded.
        """
        kept = self._display(instance_uid)
        picture = _open_kept(kept)
        if picture is None:
            # The answer was known, and the picture is not there or was lost.
            self.folder.mkdir(parents=True, exist_ok=True)
            self.show(path, kept)
            picture = np.load(kept, mmap_mode="r")
        return picture

    def _display(self, instance_uid: str) -> Path:
        return self.folder / f"{_name(instance_uid)}.npy"


def _name(uid: str) -> str:
    # From a digest, as everything that becomes a path.
    return sha256(uid.encode()).hexdigest()[:32]


def _read_kept(path: Path) -> Detection | None:
    try:
        return Detection.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, LookupError, TypeError, ValueError):
        return None


def _open_kept(path: Path) -> npt.NDArray[np.uint8] | None:
    try:
        picture: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r")
    except (FileNotFoundError, EOFError, ValueError):
        return None
    return picture
