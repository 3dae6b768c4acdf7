"""Inside the detector's child process: take requests from one pipe, put answers into the other.

A request is ``detect`` (with ``display_to`` and ``overrides``), ``render`` (with ``display_to``) or
``score`` (with ``places``), each with the path of a file. This side loads no model, no decoder
and no runtime before `serve_requests` is called, so that importing it costs the parent nothing.
"""

import ctypes
import errno
import io
import json
import logging
import os
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secondread.errors import InputError, ModelError, describe_without_quoting
from secondread.files import write_whole
from secondread.geometry import PointPx
from secondread.guard import forbid_core_dumps

if TYPE_CHECKING:
    from secondread.detect.detector import Detector
    from secondread.detect.pixels import Display

MEMORY_EXIT = 70
"""Exit status for a failed allocation."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True, slots=True)
class ServingOptions:
    """What the parent passes to its child, as JSON on the command line."""

    requests: int
    """Descriptor of the pipe that requests come from; `replies` is that of the other one."""
    replies: int
    parent: int
    """Process id."""
    threads: int
    memory_bytes: int
    manifest: str | None


def serve_requests(options: ServingOptions) -> None:
    """Answer requests until their pipe ends; leave at once when memory runs out."""
    from secondread.detect.detector import is_out_of_memory

    # An interrupt at the terminal is the parent's to handle; it ends this process by the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    forbid_core_dumps()
    logging.lastResort = None  # what decoders log quotes what they stumbled over
    _die_with_parent(options.parent)
    try:
        _answer_all(options)
    except Exception as error:  # noqa: BLE001  (its traceback could quote a header)
        if is_out_of_memory(error):
            os._exit(MEMORY_EXIT)  # nothing may be allocated any more, not even to clean up
        # Its parent logs the status.
        sys.stderr.write(f"detector: {describe_without_quoting(error)}\n")
        sys.exit(1)


def _answer_all(options: ServingOptions) -> None:
    from secondread.detect.detector import Detector
    from secondread.detect.manifest import load_manifest

    with (
        os.fdopen(options.requests, encoding="utf-8") as requests,
        os.fdopen(options.replies, "w", encoding="utf-8") as replies,
    ):
        try:
            manifest = load_manifest(Path(options.manifest) if options.manifest else None)
            detector = Detector(manifest, options.threads)
        except ModelError as error:
            _send(replies, {"model_error": str(error)})
            return
        limit_memory(options.memory_bytes)
        _send(replies, {"ready": True})
        for line in requests:
            _send(replies, _answer(detector, json.loads(line)))


def _answer(detector: "Detector", request: dict[str, Any]) -> dict[str, Any]:
    from secondread.detect.detector import is_out_of_memory

    try:
        if "score" in request:
            points = [PointPx(column, row) for column, row in request["places"]]
            return {"shares": detector.score_places(Path(request["score"]), points)}
        if "render" in request:
            detection, display = None, detector.render_display(Path(request["render"]))
        else:
            overrides = frozenset(request["overrides"])
            detection, display = detector.detect(Path(request["detect"]), overrides)
        if request["display_to"] is not None and display is not None:
            _write_display(Path(request["display_to"]), display)
    except OSError as error:
        words = f"{type(error).__name__}: {error}"
        return {"os_error": words, "is_full": error.errno in _FULL}
    except ModelError as error:
        return {"model_error": str(error)}
    except InputError as error:
        return {"input_error": str(error)}
    except Exception as error:
        if is_out_of_memory(error):
            raise
        # The image is at fault, as in `Detector.detect`, and no reason to lose the loaded model.
        return {"input_error": describe_without_quoting(error)}
    return {"detection": detection.as_json() if detection else None}


def _write_display(path: Path, display: "Display") -> None:
    import numpy as np

    with write_whole(path) as part, part.open("wb") as file:
        np.save(file, display, allow_pickle=False)


def _send(replies: io.TextIOBase, message: dict[str, Any]) -> None:
    replies.write(json.dumps(message) + "\n")
    replies.flush()


def limit_memory(beyond_bytes: int) -> None:
    """Limit the address space to its present size and this much more (Linux)."""
    if sys.platform != "linux":
        return
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + beyond_bytes
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _die_with_parent(parent: int) -> None:
    """Have the kernel kill this process with the parent's thread that started it (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it went before the line above
        os._exit(0)
