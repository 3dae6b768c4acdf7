"""The detector in a process of its own, with limits of time and memory, restarted as needed.

Decoders and runtimes are C code fed with bytes from outside: what crashes or eats memory there
must cost one image, never the worker. `DetectorChild` is the worker's side; the child is
``python -m secondread.detect.child``.

The two exchange JSON, one object a line, over two pipes of their own, so that nothing a library
prints can be taken for an answer. The child ends when its request pipe does (the parent has gone,
in whatever way), and Linux kills it with its parent even inside C code.
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
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from secondread import metrics
from secondread.detect.child_loop import MEMORY_EXIT, ServingOptions, serve_requests
from secondread.detect.marks import Detection, PlaceShares
from secondread.errors import (
    DetectorDiedError,
    InputError,
    ModelError,
    StorageFullError,
    TransientError,
)
from secondread.geometry import PointPx
from secondread.log import get_logger
from secondread.reasons import Reason
from secondread.settings import DetectSettings

_log = get_logger(__name__)

_KILLS = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_STANDARD_ERROR = 2  # takes what a library prints
MOST_START_FACTOR = 8
"""Up to how many times longer than the settings say a start may take, after slow ones."""

KILLS_TOLERATED = 10
"""How many children in a row may be killed from outside over one image. The image is not to blame,
but what the kernel kills for want of memory looks the same, and may be the image's fault."""


class DetectorLimitError(DetectorDiedError):
    """The child was lost over an image.

    Parameters
    ----------
    reason
        ``TIME_LIMIT``, ``MEMORY_LIMIT``, or ``DETECTOR_DIED`` for everything else.
    detail
        What happened, for people.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason.sentence}: {detail}")
        self.reason = reason


class DetectorStartError(TransientError):
    """The child did not start, or not in time: the machine is in trouble, and no image to blame."""


class DetectorKilledError(DetectorLimitError):
    """The child was killed over an image by somebody else."""


@dataclass(frozen=True, slots=True)
class _ChildProcess:
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
        self._child: _ChildProcess | None = None
        self._start_factor = 1
        # "Killed with its parent" means with the parent's *thread* that started it (prctl(2)),
        # so that is always this one, which lives as long as this object.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="detector-starter")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the child; None while no child runs."""
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
        reply = self._request(
            {
                "detect": _absolute(path),
                "display_to": None if display_to is None else _absolute(display_to),
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
        self._request({"render": _absolute(path), "display_to": _absolute(display_to)})

    def score_places(self, path: Path, points: Sequence[PointPx]) -> PlaceShares | None:
        """Return how surely places of an image are calcifications, see `Detector.score_places`.

        Raises
        ------
        InputError
            The file is not an image that can be decoded.
        DetectorLimitError, ModelError, TransientError
            As `detect`.
        """
        places = [[round(point.col, 2), round(point.row, 2)] for point in points]
        reply = self._request({"score": _absolute(path), "places": places})
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

    def _request(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send the child a request of `child_loop`, and return its reply.

        A child that somebody killed is replaced, and asked again.
        """
        for _ in range(KILLS_TOLERATED):
            with contextlib.suppress(DetectorKilledError):
                return self._request_once(request)
        return self._request_once(request)

    def _request_once(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            child = self._ensure_child()
            seconds = self._settings.view_seconds
            deadline = time.monotonic() + seconds
            # A broken pipe means that it died since it was checked; reading the reply shows that.
            with contextlib.suppress(BrokenPipeError):
                _write_until(deadline, child.requests, json.dumps(request).encode() + b"\n")
            reply = self._read_reply(child, seconds, deadline)
        if "os_error" in reply:
            kind = StorageFullError if reply["is_full"] else TransientError
            raise kind(f"detector: {reply['os_error']}")
        if "model_error" in reply:
            raise ModelError(reply["model_error"])
        return reply

    def _ensure_child(self) -> _ChildProcess:
        if self._child is not None and self._child.process.poll() is not None:
            # It died while idle, so no image is to blame for it.
            self._child.close()
            self._child = None
        if self._child is None:
            self._child = self._start()
        return self._child

    def _start(self) -> _ChildProcess:
        try:
            child = self._starter.submit(_start_child, self._settings).result()
        except OSError as error:
            raise DetectorStartError(f"detector: does not start: {error.strerror}") from error
        seconds = self._settings.start_seconds * self._start_factor
        try:
            hello = self._read_reply(child, seconds, time.monotonic() + seconds)
        except DetectorLimitError as error:
            if error.reason is Reason.TIME_LIMIT:
                self._start_factor = min(2 * self._start_factor, MOST_START_FACTOR)
            raise DetectorStartError(f"detector: did not start: {error}") from error
        self._start_factor = 1
        if "model_error" in hello:
            child.close()
            raise ModelError(hello["model_error"])
        return child

    def _read_reply(self, child: _ChildProcess, seconds: float, deadline: float) -> dict[str, Any]:
        line = _read_line_until(deadline, child.replies)
        if line is not None and line.endswith(b"\n"):
            reply: dict[str, Any] = json.loads(line)
            return reply
        self._child = None
        if line is not None:  # the pipe ended: let the child finish dying, for its exit status
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(timeout=5)
        error = _explain_death(child.close(), timed_out=line is None, seconds=seconds)
        metrics.DETECTOR_DEATHS.labels(reason=error.reason.value).inc()
        _log.warning("detector_died", reason=error.reason.value, detail=str(error))
        raise error


def _absolute(path: Path) -> str:
    return str(path.resolve())


def _write_until(deadline: float, descriptor: int, line: bytes) -> None:
    """Write a line, or as much of it as is taken until then: a long one does not fit a pipe."""
    while line and _wait_until(deadline, descriptor, select.POLLOUT):
        line = line[os.write(descriptor, line[: select.PIPE_BUF]) :]


def _read_line_until(deadline: float, descriptor: int) -> bytes | None:
    """Return a line, what came of it before the pipe's end, or None when the time is up."""
    line = bytearray()
    while not line.endswith(b"\n"):
        if not _wait_until(deadline, descriptor, select.POLLIN):
            return None
        part = os.read(descriptor, 65536)
        if not part:
            break
        line += part
    return bytes(line)


def _wait_until(deadline: float, descriptor: int, event: int) -> bool:
    """Return whether a pipe is ready before the time is up."""
    poll = select.poll()
    poll.register(descriptor, event)
    return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))


def _explain_death(status: int, *, timed_out: bool, seconds: float) -> DetectorLimitError:
    if timed_out:
        return DetectorLimitError(Reason.TIME_LIMIT, f"{seconds:g} s")
    if status == MEMORY_EXIT:
        return DetectorLimitError(Reason.MEMORY_LIMIT, "an allocation failed")
    if status < 0:
        kind = DetectorKilledError if -status in _KILLS else DetectorLimitError
        return kind(Reason.DETECTOR_DIED, signal.Signals(-status).name)
    return DetectorLimitError(Reason.DETECTOR_DIED, f"exit status {status}")


def _start_child(settings: DetectSettings) -> _ChildProcess:
    request_read, request_write = os.pipe()
    reply_read, reply_write = os.pipe()
    package_root = str(Path(__file__).resolve().parents[2])
    search_path = os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH"))))
    options = ServingOptions(
        requests=request_read,
        replies=reply_write,
        parent=os.getpid(),
        threads=settings.threads,
        memory_bytes=settings.memory_bytes,
        manifest=_absolute(settings.manifest) if settings.manifest else None,
    )
    # No warnings, since those of pydicom quote values of the header.
    python = (sys.executable, "-W", "ignore", "-m", "secondread.detect.child")
    try:
        process = subprocess.Popen(  # noqa: S603  (this interpreter, arguments of our own)
            [*python, json.dumps(asdict(options))],
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
    return _ChildProcess(process, request_write, reply_read)


def detect_with_retries(
    sop_instance_uid: str, detect: Callable[[], Detection], attempts: int
) -> Detection:
    """Read an image, and give it up when it has killed the detector too often.

    Parameters
    ----------
    sop_instance_uid
        Of the image.
    detect
        Reads it; a `DetectorLimitError` costs one attempt, the next has a new child.
    attempts
        How many there are, at least 1.

    Returns
    -------
    Detection
        The detector's, or a failed one with the reason of the last death.
    """
    answer = Detection.from_failure(sop_instance_uid, Reason.DETECTOR_DIED)
    for attempt in range(1, attempts + 1):
        try:
            return detect()
        except DetectorLimitError as error:
            answer = Detection.from_failure(sop_instance_uid, error.reason, str(error))
            _log.error(
                "detector_died", sop_instance_uid=sop_instance_uid, attempt=attempt, why=str(error)
            )
    return answer


if __name__ == "__main__":
    serve_requests(ServingOptions(**json.loads(sys.argv[1])))
