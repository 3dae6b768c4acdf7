"""What a worker leaves behind when it crashes or hangs: whether that was its own doing.

A worker that is killed from outside, by a person or a power cut, leaves nothing. One that crashes
in C code, or hangs in a step until its time is up, has the interpreter write where it was into a
file (`faulthandler`), as its last act and without Python's help: lines of code, no values. So the
next worker of that name, or whoever takes over, knows which of the two it was.
"""

import faulthandler
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import IO


class FaultRecord:
    """The file of one worker; written to while its `with` block runs.

    Parameters
    ----------
    folder
        Where all workers' files are.
    worker
        Name of the worker.
    step_seconds
        How long a step may take; 0: as long as it likes.
    """

    def __init__(self, folder: Path, worker: str, step_seconds: float = 0.0) -> None:
        # A name is free text, and no path.
        self._path = folder / f"{sha256(worker.encode()).hexdigest()[:16]}.fault"
        self._step_seconds = step_seconds
        self._file: IO[str] | None = None

    @property
    def has_fault(self) -> bool:
        """Whether the last worker of that name ended by a fault of its own."""
        try:
            return self._path.stat().st_size > 0
        except OSError:
            return False

    def clear(self) -> None:
        """Forget the fault: it has been counted."""
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> "FaultRecord":
        """Begin anew: from now on faults are written down."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("w", encoding="ascii")
        faulthandler.enable(self._file, all_threads=False)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop; the file is left for whoever comes next."""
        faulthandler.disable()
        if self._file is not None:
            self._file.close()
            self._file = None

    @contextmanager
    def watch_step(self) -> Iterator[None]:
        """End the process, with the fault written down, if the block takes longer than it may."""
        if self._file is None or not self._step_seconds:
            yield
            return
        faulthandler.dump_traceback_later(self._step_seconds, exit=True, file=self._file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
