"""Several detector children, which read images side by side."""

import queue
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from secondread.detect.child import DetectorChild
from secondread.detect.marks import Detection, PlaceShares
from secondread.geometry import PointPx
from secondread.settings import DetectSettings


class DetectorPool:
    """Detector children of which each call takes one that is free, and waits where none is.

    A child has one image at a time, so that whatever becomes of it over that image is that image's
    doing, and costs no other. A child is started when it is first needed: fewer are where images
    come one by one. Safe to call from several threads. Use it as a context manager.

    Parameters
    ----------
    settings
        Model, threads and limits, the latter for each child by itself.
    size
        How many children there are at most.
    """

    def __init__(self, settings: DetectSettings, size: int) -> None:
        self.size = size
        self._stack = ExitStack()
        # The one that was used last comes first: it runs, and what it holds is in the cache.
        self._free: queue.LifoQueue[DetectorChild] = queue.LifoQueue()
        self.children = tuple(
            self._stack.enter_context(DetectorChild(settings)) for _ in range(size)
        )
        for child in reversed(self.children):
            self._free.put(child)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def detect(
        self, path: Path, display_to: Path, overrides: frozenset[str] = frozenset()
    ) -> Detection:
        """Read one Part 10 file; see `DetectorChild.detect`."""
        with self._take_child() as child:
            return child.detect(path, display_to, overrides)

    def write_display(self, path: Path, display_to: Path) -> None:
        """Write an image's picture alone; see `DetectorChild.write_display`."""
        with self._take_child() as child:
            child.write_display(path, display_to)

    def score_places(self, path: Path, points: Sequence[PointPx]) -> PlaceShares | None:
        """Score places of an image; see `DetectorChild.score_places`."""
        with self._take_child() as child:
            return child.score_places(path, points)

    @property
    def is_free(self) -> bool:
        """Whether a child has nothing to do at this moment."""
        return not self._free.empty()

    @contextmanager
    def _take_child(self) -> Iterator[DetectorChild]:
        child = self._free.get()
        try:
            yield child
        finally:
            self._free.put(child)
