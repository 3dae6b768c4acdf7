"""The detector in a process of its own, with limits of time and memory, restarted as needed.

Decoders and runtimes are C code fed with bytes from outside: what crashes or eats memory there
must cost one image, never the worker. `DetectorChild` is the worker's side; the child is
``python -m secondread.detect.child``.

The two speak JSON, one object a line, over two pipes that only they know, so that nothing a
library prints can be taken for an answer. The child ends when its request pipe does (the parent
has gone, in whatever way), and Linux kills it with its parent even inside C code.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from secondread import metrics
from secondread.detect.marks import Detection
from secondread.detect.serving import MEMORY_EXIT, serve_requests
from secondread.errors import DetectorDiedError, InputError, ModelError, TransientError
from secondread.geometry import PointPx
from secondread.log import get_logger
from secondread.reasons import Reason
from secondread.settings import DetectSettings

if TYPE_CHECKING:
    from secondread.detect.places import PlaceShares

log = get_logger(__name__)

_STANDARD_ERROR = 2  # where what a library prints belongs
START_SECONDS = 60.0
"""How long a child may take to load its model."""


class DetectorLimitError(DetectorDiedError):
    """The child was lost over an image.

    Parameters
    ----------
    reason
        ``TIME_LIMIT``, ``MEMORY_LIMIT``, or ``DETECTOR_DIED`` for everything else.
    detail
        What was seen, for people.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason.sentence}: {detail}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Running:
    process: subprocess.Popen[bytes]
    requests: int
    replies: int

    def close(self) -> int:
        """Kill the child if it still runs, and return its exit status."""
        for descriptor in (self.requests, self.replies):
            os.close(descriptor)
        self.process.kill()
        return self.process.wait()


class DetectorChild:
    """Reads images in a child process, one at a time, and starts a new one when that is lost.

    Safe to call from several threads, which then wait for each other. Use it as a context
    manager, or call `close`.

    Parameters
    ----------
    settings
        Model, threads and limits.
    """

    def __init__(self, settings: DetectSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._child: _Running | None = None
        # "Killed with its parent" means with the parent's *thread* that started it (prctl(2)),
        # so that is always this one, which lives as long as this object.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="detector-starter")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the child; None while there is none."""
        return None if self._child is None else self._child.process.pid

    def detect(
        self,
        path: Path,
        display_to: Path | None = None,
        overrides: frozenset[str] = frozenset(),
    ) -> Detection:
        """Read one Part 10 file; see `Detector.detect`.

        Parameters
        ----------
        path
            The file.
        display_to
            Where the image's grey levels for people go, as a ``.npy`` file of uint8, whole or
            not at all. Not written where the pixels were not decoded.
        overrides
            Names of gates that do not refuse this time, or ``all``.

        Raises
        ------
        DetectorLimitError
            The child ran out of time or memory over this image, or died. The next call starts
            another; how often an image may be tried is the caller's to decide.
        ModelError
            The child cannot load the model.
        TransientError
            The file cannot be read, or the display cannot be written.
        """
        reply = self._answer(
            {
                "detect": _whole(path),
                "display_to": None if display_to is None else _whole(display_to),
                "overrides": sorted(overrides),
            }
        )
        detection = Detection.from_json(reply["detection"])
        metrics.VIEW_SECONDS.observe(detection.seconds)
        return detection

    def write_display(self, path: Path, display_to: Path) -> None:
        """Write the picture that `detect` writes, without looking for anything in the image.

        Raises
        ------
        DetectorLimitError, ModelError, TransientError
            As `detect`.
        """
        self._answer({"show": _whole(path), "display_to": _whole(display_to)})

    def score_places(self, path: Path, points: Sequence[PointPx]) -> "PlaceShares | None":
        """Return what the rescoring graph says of places of an image, see `Detector.score_places`.

        Raises
        ------
        InputError
            The file is no image that can be decoded.
        DetectorLimitError, ModelError, TransientError
            As `detect`.
        """
        places = [[round(point.col, 2), round(point.row, 2)] for point in points]
        reply = self._answer({"look_at": _whole(path), "places": places})
        if "input_error" in reply:
            raise InputError(reply["input_error"])
        shares = reply["shares"]
        return None if shares is None else tuple(shares)

    def close(self) -> None:
        """End the child. A later call to `detect` is an error."""
        with self._lock:
            if self._child is not None:
                self._child.close()
                self._child = None
            self._starter.shutdown()

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask the child about a file, in the words of `serving`."""
        with self._lock:
            reply = self._asked(self._started(), request)
        if "os_error" in reply:
            raise TransientError(f"detector: {reply['os_error']}")
        if "model_error" in reply:
            raise ModelError(reply["model_error"])
        return reply

    def _started(self) -> _Running:
        if self._child is not None and self._child.process.poll() is not None:
            # It went while idle, over no image: nobody is to blame, and nobody is told.
            self._child.close()
            self._child = None
        if self._child is None:
            child = self._starter.submit(_start, self._settings).result()
            self._child = child
            hello = self._reply(child, START_SECONDS, time.monotonic() + START_SECONDS)
            if "model_error" in hello:
                self._child = None
                child.close()
                raise ModelError(hello["model_error"])
        return self._child

    def _asked(self, child: _Running, request: dict[str, Any]) -> dict[str, Any]:
        seconds = self._settings.view_seconds
        deadline = time.monotonic() + seconds
        # A broken pipe means that it died between the look and the write; the reply says so.
        with contextlib.suppress(BrokenPipeError):
            _write_until(deadline, child.requests, json.dumps(request).encode() + b"\n")
        return self._reply(child, seconds, deadline)

    def _reply(self, child: _Running, seconds: float, deadline: float) -> dict[str, Any]:
        line = _line_until(deadline, child.replies)
        if line is not None and line.endswith(b"\n"):
            reply: dict[str, Any] = json.loads(line)
            return reply
        self._child = None
        if line is not None:  # the pipe ended: let the child finish dying, for its exit status
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(timeout=5)
        error = _cause(child.close(), timed_out=line is None, seconds=seconds)
        metrics.DETECTOR_DEATHS.labels(reason=error.reason.value).inc()
        log.warning("detector_died", reason=error.reason.value, detail=str(error))
        raise error


def _whole(path: Path) -> str:
    return str(path.resolve())


def _write_until(deadline: float, descriptor: int, line: bytes) -> None:
    """Write a line, or as much of it as is taken until then: a pipe holds no long one."""
    while line:
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            return
        line = line[os.write(descriptor, line[: select.PIPE_BUF]) :]


def _line_until(deadline: float, descriptor: int) -> bytes | None:
    """Return a line, what came of it before the pipe's end, or None when the time is up."""
    line = bytearray()
    while not line.endswith(b"\n"):
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            return None
        part = os.read(descriptor, 65536)
        if not part:
            break
        line += part
    return bytes(line)


def _cause(status: int, *, timed_out: bool, seconds: float) -> DetectorLimitError:
    if timed_out:
        return DetectorLimitError(Reason.TIME_LIMIT, f"{seconds:g} s")
    if status == MEMORY_EXIT:
        return DetectorLimitError(Reason.MEMORY_LIMIT, "an allocation failed")
    if status < 0:
        return DetectorLimitError(Reason.DETECTOR_DIED, signal.Signals(-status).name)
    return DetectorLimitError(Reason.DETECTOR_DIED, f"exit status {status}")


def _start(settings: DetectSettings) -> _Running:
    request_read, request_write = os.pipe()
    reply_read, reply_write = os.pipe()
    package_root = str(Path(__file__).resolve().parents[2])
    search_path = os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH"))))
    command = [
        # pydicom's warnings quote values of the header.
        *(sys.executable, "-W", "ignore", "-m", "secondread.detect.child"),
        *("--requests", str(request_read)),
        *("--replies", str(reply_write)),
        *("--parent", str(os.getpid())),
        *("--threads", str(settings.threads)),
        *("--memory", str(settings.memory_bytes)),
        *(("--manifest", str(settings.manifest.resolve())) if settings.manifest else ()),
    ]
    try:
        process = subprocess.Popen(  # noqa: S603  (this interpreter, arguments of our own)
            command,
            stdin=subprocess.DEVNULL,
            stdout=_STANDARD_ERROR,
            pass_fds=(request_read, reply_write),
            # The child finds this very package, however the parent found it.
            env={**os.environ, "PYTHONPATH": search_path},
        )
    except OSError:
        os.close(request_write)
        os.close(reply_read)
        raise
    finally:
        os.close(request_read)
        os.close(reply_write)
    return _Running(process, request_write, reply_read)


if __name__ == "__main__":
    serve_requests(sys.argv[1:])
