"""Cases by the ten thousand, each from the run's seed and its own number.

Numbers come in blocks, whose cases share a folder and a detector. What fails in a block is tried
alone, so that the folder of failures holds single files to replay; what fails only in company is
kept as the whole block.
"""

import resource
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from random import Random
from shutil import rmtree
from typing import Any, Final

from secondread.detect.child import DetectorChild
from secondread.settings import DetectSettings
from tests.mutation.cases import (
    draw_file,
    draw_image_of_report,
    draw_report,
    draw_request,
    make_report,
    write_good_file,
)
from tests.mutation.files import OfflineWorld
from tests.mutation.mutations import LARGE, write_meta
from tests.mutation.node import IntakeWorld, Request
from tests.mutation.reports import FORMS, PagesWorld, check_explain, check_read_back
from tests.mutation.seeds import list_images
from tests.mutation.sessions import check_node, draw_session, hold_session
from tests.unit.accept.fakes import running_node

BLOCK: Final = 40
"""Cases of a block: of each, so many are of a kind."""
_REPORTS, _FILES, _REQUESTS, _SESSIONS = 16, 10, 10, 4
_BLOCKS_OF_A_NODE: Final = 25
"""Then a new node begins: a tracker that grows makes every case slower than the one before."""
_SLOW_SECONDS: Final = 30.0
"""Of processor time for one check."""


@dataclass
class Tally:
    """What came of a run so far."""

    cases: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    """C-STORE statuses of the data sets."""
    failures: Counter[str] = field(default_factory=Counter)
    """By kind and by what was raised where."""
    slowest_seconds: float = 0.0
    megabytes: dict[str, float] = field(default_factory=dict)
    """Peak memory of this process and of the detector's."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class Soak:
    """One process's part of a run.

    Parameters
    ----------
    seed
        Of the run.
    folder
        For files between cases; removed at the end.
    failures
        Where inputs that failed are kept.
    """

    def __init__(self, seed: int, folder: Path, failures: Path) -> None:
        self.tally = Tally()
        self._seed = seed
        self._folder = folder
        self._failures = failures
        self._stack = ExitStack()

    def __enter__(self) -> "Soak":
        self._folder.mkdir(parents=True)
        self._failures.mkdir(parents=True, exist_ok=True)
        self._detector = self._stack.enter_context(DetectorChild(DetectSettings()))
        self._good = write_good_file(list_images()[0], 10**9)
        self._image = self._folder / "image.dcm"
        self._image.write_bytes(write_good_file(list_images()[0], 1))
        (self._folder / "pages").mkdir()
        self._pages = PagesWorld(self._folder / "pages")
        self._offline = OfflineWorld(self._folder / "offline", self._detector, self._good)
        (self._folder / "receiver").mkdir()
        node = running_node(self._folder / "receiver", acse_seconds=0.5, network_seconds=1)
        self._receiver = self._stack.enter_context(node)
        self._blocks = 0
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        rmtree(self._folder, ignore_errors=True)

    def run_block(self, first: int) -> None:
        """Try the cases with the numbers of one block; `first` is a multiple of `BLOCK`."""
        if self._blocks % _BLOCKS_OF_A_NODE == 0:
            self._start_node()
        self._blocks += 1
        numbers = iter(range(first, first + BLOCK))
        for _ in range(_REPORTS):
            self._try_report(next(numbers))
        self._try_files([next(numbers) for _ in range(_FILES)])
        self._try_requests([next(numbers) for _ in range(_REQUESTS)])
        for _ in range(_SESSIONS):
            self._try_session(next(numbers))
        self._attempt("session", first, lambda: check_node(self._receiver, self._receiver.archive))
        self._measure_memory()

    def run_alone(self, number: int) -> None:
        """Try one case again, without the others of its block."""
        self._start_node()
        place = number % BLOCK
        if place < _REPORTS:
            self._try_report(number)
        elif place < _REPORTS + _FILES:
            self._try_files([number])
        elif place < BLOCK - _SESSIONS:
            self._try_requests([number])
        else:
            self._try_session(number)

    def _start_node(self) -> None:
        folder = self._folder / "node"
        rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self._node = IntakeWorld(folder, self._detector)

    def _random(self, number: int) -> Random:
        return Random(f"{self._seed}:{number}")

    def _attempt(self, kind: str, number: int, check: Callable[[], object]) -> bool:
        """Run one check; return whether it held, and count what it raised."""
        started = time.process_time()
        try:
            check()
        except Exception as error:  # noqa: BLE001  (whatever it is, it is what is looked for)
            place = " < ".join(
                f"{Path(frame.filename).name}:{frame.lineno}"
                for frame in reversed(traceback.extract_tb(error.__traceback__)[-3:])
            )
            self.tally.failures[f"{kind}: {type(error).__name__} {error!s:.80} at {place}"] += 1
            (self._failures / f"{kind}-{number}.txt").write_text(traceback.format_exc())
            return False
        seconds = time.process_time() - started
        self.tally.slowest_seconds = max(self.tally.slowest_seconds, seconds)
        if seconds > _SLOW_SECONDS:
            self.tally.failures[f"{kind}: {seconds:.0f} s of processor time"] += 1
            return False
        return True

    def _keep(self, kind: str, number: int, data: bytes) -> None:
        (self._failures / f"{kind}-{number}.dcm").write_bytes(data)

    def _try_report(self, number: int) -> None:
        random = self._random(number)
        report = self._folder / "report.dcm"
        report.write_bytes(draw_report(random, LARGE))
        form = random.choice((*FORMS, "read back", "page", "changed image"))
        if form == "changed image":
            self._try_image_of_report(number, random)
            return
        checks: dict[str, Callable[[], object]] = {
            "read back": lambda: check_read_back(report),
            "page": lambda: self._check_page(report),
        }
        check = checks.get(form, lambda: check_explain(report, self._image, form))
        self.tally.cases[f"report, {form}"] += 1
        if not self._attempt(f"report {form}", number, check):
            self._keep(f"report {form}", number, report.read_bytes())

    def _try_image_of_report(self, number: int, random: Random) -> None:
        report, image = self._folder / "good-report.dcm", self._folder / "changed.dcm"
        report.write_bytes(make_report())
        image.write_bytes(draw_image_of_report(random, LARGE))
        self.tally.cases["report, changed image"] += 1
        if not self._attempt("image", number, lambda: check_explain(report, image, "png")):
            self._keep("image", number, image.read_bytes())

    def _check_page(self, report: Path) -> None:
        copy = self._folder / "pages" / report.name
        copy.write_bytes(report.read_bytes())
        self._pages.check(copy)

    def _try_files(self, numbers: Sequence[int]) -> None:
        files = {number: draw_file(self._random(number), number, LARGE) for number in numbers}
        self.tally.cases["file"] += len(files)
        if self._attempt("files", numbers[0], lambda: self._offline.check(list(files.values()))):
            return
        alone = [
            number
            for number, data in files.items()
            if not self._attempt("file", number, partial(self._offline.check, [data]))
        ]
        for number in alone or numbers:
            self._keep("file", number, files[number])

    def _try_requests(self, numbers: Sequence[int]) -> None:
        requests = {number: draw_request(self._random(number), number, LARGE) for number in numbers}
        self.tally.cases["data set"] += len(requests)
        if self._attempt("data sets", numbers[0], lambda: self._send(list(requests.values()))):
            return
        alone = []
        for number, request in requests.items():
            self._start_node()
            if not self._attempt("data set", number, partial(self._send, [request])):
                alone.append(number)
        self._start_node()
        for number in alone or numbers:
            encoded = requests[number].encoded
            self._keep("data set", number, write_meta(encoded.transfer_syntax) + encoded.data)

    def _send(self, requests: Sequence[Request]) -> None:
        answers = self._node.check(requests)
        self.tally.answers.update(answer.name for answer in answers)

    def _try_session(self, number: int) -> None:
        said = draw_session(self._random(number))
        self.tally.cases["session"] += 1
        if not self._attempt("session", number, lambda: hold_session(self._receiver.port, said)):
            self._keep("session", number, said)

    def _measure_memory(self) -> None:
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        peaks = {"this process": own}
        if self._detector.pid is not None:
            status = Path(f"/proc/{self._detector.pid}/status").read_text(encoding="ascii")
            (peak,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
            peaks["detector"] = int(peak.split()[1]) / 1024
        for name, megabytes in peaks.items():
            self.tally.megabytes[name] = max(megabytes, self.tally.megabytes.get(name, 0.0))
