"""Images are read before their study is complete, where a detector has nothing else to do.

A study waits for its last images, and then for the settle time; by then most of its images can have
been read. What is found goes into the cache of the reading that the study will have, under the
file's digest, and is used by it if the file is among those that the reading is made from. Nothing
else comes of it: no state changes, no image is given up, and whatever goes wrong here happens again
in the reading, which deals with it.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from pydicom.uid import DigitalMammographyXRayImageStorageForProcessing

from secondread import log
from secondread.assemble.mammogram import Mammogram
from secondread.assemble.scope import select_images
from secondread.dicom_files import read_header
from secondread.errors import InputError, describe_without_quoting
from secondread.track.commit_marks import ReadMark
from secondread.track.values import DueStudy, InputInstance
from secondread.workflow.revision_reader import ReadingTools

_log = log.get_logger(__name__)

FIRST_REVISION: Final = 1
_MOST_STUDIES: Final = 8
"""How many studies are looked at, those first that are due next."""
_MOST_KNOWN: Final = 10_000
_BUSY_SECONDS: Final = 0.05
"""How often to look whether a detector is free."""
_TROUBLE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class ImageAhead:
    """An image that may be read."""

    study_uid: str
    file_digest: str
    path: Path


class ReadAhead:
    """Finds images to read ahead, each once, and reads them; several threads may.

    Parameters
    ----------
    tools
        What readings work with.
    may_be_read
        Whether the intake rules would have a study read.
    read_mark
        Returns what differs from what it returned before, if the tracker may have changed.
    """

    def __init__(
        self, tools: ReadingTools, may_be_read: Callable[[DueStudy], bool], read_mark: ReadMark
    ) -> None:
        self._tools = tools
        self._may_be_read = may_be_read
        self._read_mark = read_mark
        self._guard = threading.Lock()
        self._mark: object = None
        self._found: deque[ImageAhead] = deque()
        self._known: dict[str, None] = {}

    def take(self) -> ImageAhead | None:
        """Return the next image that nobody has taken; None where there is none.

        Raises
        ------
        TransientError
            The tracker does not answer.
        """
        with self._guard:
            if not self._found:
                mark = self._read_mark()
                if mark != self._mark:
                    self._found.extend(self._find_images())
                    self._mark = mark
            return self._found.popleft() if self._found else None

    def read(self, image: ImageAhead) -> None:
        """Have an image's answer cached.

        Raises
        ------
        SecondreadError, OSError
            It could not be read now.
        """
        cache = self._tools.open_cache(image.study_uid, FIRST_REVISION)
        cache.read_ahead(image.file_digest, image.path)

    def _find_images(self) -> Iterable[ImageAhead]:
        studies = self._tools.tracker.studies
        for study in studies.list_unread(_MOST_STUDIES):
            if not self._may_be_read(study):
                continue
            for instance in studies.list_current_inputs(study.study_uid):
                if instance.sha256 in self._known:
                    continue
                self._remember(instance.sha256)
                path = self._tools.archive.resolve_path(instance.path)
                if _is_in_scope(instance, path):
                    yield ImageAhead(study.study_uid, instance.sha256, path)

    def _remember(self, file_digest: str) -> None:
        self._known[file_digest] = None
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]


def _is_in_scope(instance: InputInstance, path: Path) -> bool:
    """Whether a reading would read an image, as far as it can be told without the others."""
    # Mostly the image of the same exposure for people comes too, and is the one that is read.
    if instance.sop_class_uid == DigitalMammographyXRayImageStorageForProcessing:
        return False
    try:
        return bool(select_images([Mammogram.from_dataset(read_header(path))]).to_read)
    except (InputError, OSError):
        return False


def run_read_ahead(
    ahead: ReadAhead, is_free: Callable[[], bool], stop: threading.Event, poll_seconds: float
) -> None:
    """Read ahead while a detector is free, until asked to stop.

    Parameters
    ----------
    ahead
        Finds the images and reads them.
    is_free
        Whether a detector has nothing to do.
    stop
        Ends it.
    poll_seconds
        How often to look for images.
    """
    while not stop.is_set():
        pause = _BUSY_SECONDS
        try:
            if is_free():
                image = ahead.take()
                if image is not None:
                    ahead.read(image)
                    continue
                pause = poll_seconds
        except Exception as error:  # noqa: BLE001  (whatever it is, the reading will meet it)
            _log.warning("read_ahead_broke", error=describe_without_quoting(error))
            pause = _TROUBLE_SECONDS
        stop.wait(pause)


class ReadAheadThreads:
    """Threads that read ahead, one for each detector; they run in its `with` block.

    Parameters
    ----------
    ahead, is_free, poll_seconds
        As `run_read_ahead` takes them.
    count
        How many.
    """

    def __init__(
        self, ahead: ReadAhead, is_free: Callable[[], bool], poll_seconds: float, count: int
    ) -> None:
        self._stop = threading.Event()
        run = partial(run_read_ahead, ahead, is_free, self._stop, poll_seconds)
        # A daemon: what it reads when the process ends is read again.
        self._threads = [
            threading.Thread(target=run, name=f"ahead-{number}", daemon=True)
            for number in range(count)
        ]

    def __enter__(self) -> None:
        """Start."""
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        """Have them begin nothing more; the image that one reads is not waited for."""
        self._stop.set()
