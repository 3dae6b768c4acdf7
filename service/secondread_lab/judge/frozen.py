"""The frozen record of the test exams: a fingerprint of each view that figures were measured on.

The exams themselves are simulated anew each time and then deleted. So that nobody unknowingly
compares figures of two different sets, the record holds a digest of every exam's specification and
a fingerprint of every view: a summary of its truth rows and a few statistics of its pixels. Pixels
may differ in last bits between processors, so fingerprints are compared within tolerances.

``python -m secondread_lab.judge.frozen write`` makes the record (about 25 minutes of processor time
for the full set), ``check`` simulates the exams again and prints the differences.
"""

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, is_dataclass
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from secondread.files import write_whole
from secondread_lab.judge.population import SEED, PlannedExam, SetName, plan_exams
from secondread_lab.simulate.exam import SimulatedView, simulate_views
from secondread_lab.simulate.spec import FORMER_NAMES, ExamSpec
from secondread_lab.simulate.truth import TruthRow

GENERATOR = 1
"""Version of the generator of the test exams; raised with every new record."""

RECORD = "frozen.csv"
"""Name of the record, beside this module."""

KINDS = ("cluster", "calcification", "vascular", "skin", "metal")

_WINDOW_PX = 1024
"""Side of the window of pixels that is measured, at the chest wall in the middle rows."""
_BANDS_PX = (1.5, 3.0, 6.0)
_PERCENTILES = (10.0, 50.0, 90.0, 99.0)

_TOLERANCES = {"counts": 0.0, "centre": 0.1, "cnr": 0.02, "grey": 2.0, "detail": 0.005}
"""Tolerated differences: none of counts, in pixels, a share, in grey levels, a share."""
_RELATIVE = frozenset({"cnr", "detail"})


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The recorded properties of one view."""

    counts: tuple[float, ...]
    """Rows and columns of the image, and its truth rows of each of `KINDS`."""
    centre: tuple[float, ...]
    """Mean column and row of the truth rows' middles; zeros without any."""
    cnr: tuple[float, ...]
    """Mean contrast-to-noise ratio of the calcifications; zero without any."""
    grey: tuple[float, ...]
    """Percentiles of the stored values in the window, in levels of a 12-bit image."""
    detail: tuple[float, ...]
    """Standard deviations of the octave bands of the window, in the same levels."""

    def list_differences(self, other: "Fingerprint") -> tuple[str, ...]:
        """Return the differences beyond the tolerances, in words."""
        differences = []
        for name, tolerance in _TOLERANCES.items():
            for number, (mine, theirs) in enumerate(
                zip(getattr(self, name), getattr(other, name), strict=True)
            ):
                allowed = tolerance * abs(mine) if name in _RELATIVE else tolerance
                if abs(mine - theirs) > allowed + _ROUNDING:
                    differences.append(f"{name}[{number}] is {theirs:g}, recorded {mine:g}")
        return tuple(differences)


_ROUNDING = 0.011
"""Numbers are recorded to two decimals."""


def take_fingerprint(view: SimulatedView) -> Fingerprint:
    """Return the fingerprint of a view's first instance."""
    _, ds = view.instances[0]
    rows = [row for row in view.rows if row.sop_instance_uid == ds.SOPInstanceUID]
    placed = [_find_middle(row) for row in rows if row.x0 is not None]
    cnr = [row.cnr for row in rows if row.kind == "calcification" and row.cnr is not None]
    kinds = Counter(row.kind for row in rows)
    stored = np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, ds.Columns)
    side = "left" if view.identity.laterality.letter == "L" else "right"
    window = _cut_window(stored, side) * np.float32(4096.0 / 2**ds.BitsStored)
    return Fingerprint(
        counts=(float(ds.Rows), float(ds.Columns), *(float(kinds[kind]) for kind in KINDS)),
        centre=_round_values(np.mean(placed, axis=0) if placed else np.zeros(2)),
        cnr=_round_values([sum(cnr) / max(len(cnr), 1)]),
        grey=_round_values(np.percentile(window, _PERCENTILES)),
        detail=_round_values(_measure_bands(window)),
    )


def digest_spec(spec: ExamSpec) -> str:
    """Return a short digest of a specification; exams of equal digests should be equal."""
    return sha256(_describe_value(spec).encode()).hexdigest()[:12]


def _describe_value(value: object) -> str:
    """Return the text of a specification, without fields that have their default.

    A field that is added later, with a default that changes nothing, does not change a digest.
    """
    if isinstance(value, tuple):
        return f"({','.join(map(_describe_value, value))})"
    if not is_dataclass(value):
        return repr(value)
    values = ((field.name, getattr(value, field.name), field.default) for field in fields(value))
    body = ",".join(
        f"{name}={_describe_value(now)}" for name, now, default in values if now != default
    )
    name = type(value).__name__
    return f"{FORMER_NAMES.get(name, name)}({body})"


def _find_middle(row: TruthRow) -> tuple[float, float]:
    corners = (row.x0, row.x1, row.y0, row.y1)
    x0, x1, y0, y1 = (0.0 if value is None else value for value in corners)
    return 0.5 * (x0 + x1), 0.5 * (y0 + y1)


def _cut_window(stored: npt.NDArray[np.uint16], chest_wall: str) -> npt.NDArray[np.float32]:
    top = max((stored.shape[0] - _WINDOW_PX) // 2, 0)
    columns = slice(0, _WINDOW_PX) if chest_wall == "left" else slice(-_WINDOW_PX, None)
    return stored[top : top + _WINDOW_PX, columns].astype(np.float32)


def _measure_bands(window: npt.NDArray[np.float32]) -> list[float]:
    smooth = [window, *(cv2.GaussianBlur(window, (0, 0), sigma) for sigma in _BANDS_PX)]
    return [float((fine - coarse).std()) for fine, coarse in pairwise(smooth)]


def _round_values(values: Iterable[float] | npt.NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(value), 2) for value in values)


@dataclass(frozen=True, slots=True)
class RecordedView:
    """One line of the record."""

    exam: str
    view: str
    spec: str
    """`digest_spec` of the exam."""
    fingerprint: Fingerprint


_HEADER = (
    "generator", "seed", "exam", "view", "spec", "rows", "columns", *KINDS,
    "column_mean", "row_mean", "cnr_mean", *(f"p{p:g}" for p in _PERCENTILES),
    *(f"band{n}" for n in range(len(_BANDS_PX))),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FrozenRecord:
    """The frozen record."""

    generator: int
    seed: int
    views: tuple[RecordedView, ...]

    def find_view(self, exam: str, view: str) -> RecordedView | None:
        """Return the line of a view, for example ``("exam-0017", "LCC")``; None without one."""
        return next((e for e in self.views if e.exam == exam and e.view == view), None)

    def list_differences(self, exam: PlannedExam, view: SimulatedView) -> tuple[str, ...]:
        """Return the differences of a new view from the recorded one, in words."""
        recorded = self.find_view(exam.name, view.identity.label)
        if recorded is None:
            return ("not in the record",)
        if recorded.spec != digest_spec(exam.spec):
            return (f"specification is {digest_spec(exam.spec)}, recorded {recorded.spec}",)
        return recorded.fingerprint.list_differences(take_fingerprint(view))


def read_record(path: Path | None = None) -> FrozenRecord:
    """Return the record in this package, or that of another file."""
    text = (files(__package__) / RECORD if path is None else path).read_text(encoding="ascii")
    lines = list(csv.DictReader(text.splitlines()))
    first = lines[0]
    return FrozenRecord(int(first["generator"]), int(first["seed"]), tuple(map(_parse_view, lines)))


def _parse_view(cells: dict[str, str]) -> RecordedView:
    numbers = [float(cells[name]) for name in _HEADER[5:]]
    sizes = (2 + len(KINDS), 2, 1, len(_PERCENTILES), len(_BANDS_PX))
    ends = np.cumsum((0, *sizes))
    parts = [tuple(numbers[begin:end]) for begin, end in pairwise(ends.tolist())]
    return RecordedView(cells["exam"], cells["view"], cells["spec"], Fingerprint(*parts))


def write_record(path: Path, entries: Iterable[RecordedView], seed: int = SEED) -> None:
    """Write a record, each line as soon as its view is simulated."""
    with path.open("w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_HEADER)
        for view in entries:
            mark = view.fingerprint
            numbers = (*mark.counts, *mark.centre, *mark.cnr, *mark.grey, *mark.detail)
            cells = (
                f"{number:g}" if number == int(number) else f"{number:.2f}" for number in numbers
            )
            writer.writerow((GENERATOR, seed, view.exam, view.view, view.spec, *cells))
            file.flush()


def record_exam(exam: PlannedExam) -> tuple[RecordedView, ...]:
    """Simulate an exam and return its lines of the record."""
    digest = digest_spec(exam.spec)
    return tuple(
        RecordedView(exam.name, view.identity.label, digest, take_fingerprint(view))
        for view in simulate_views(exam.spec)
    )


def _record_exams(exams: Sequence[PlannedExam], processes: int) -> Iterator[RecordedView]:
    with ProcessPoolExecutor(processes, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        for entries in pool.map(record_exam, exams):
            yield from entries


def _write(name: SetName, processes: int) -> int:
    path = Path(__file__).parent / RECORD
    with write_whole(path) as part:
        write_record(part, _record_exams(plan_exams(name), processes))
    return 0


def _check(name: SetName, processes: int) -> int:
    record, wrong = read_record(), 0
    for entry in _record_exams(plan_exams(name), processes):
        recorded = record.find_view(entry.exam, entry.view)
        if recorded is None or recorded.spec != entry.spec:
            differences: tuple[str, ...] = ("not in the record as it is now specified",)
        else:
            differences = recorded.fingerprint.list_differences(entry.fingerprint)
        for difference in differences:
            wrong += 1
            sys.stdout.write(f"{entry.exam} {entry.view}: {difference}\n")
    sys.stdout.write(f"{wrong} differences from generator {record.generator}\n")
    return 1 if wrong else 0


_COMMANDS: dict[str, Callable[[SetName, int], int]] = {"write": _write, "check": _check}


def main(arguments: Sequence[str]) -> int:
    """Write the record of a set, or check the set against it; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m secondread_lab.judge.frozen")
    parser.add_argument("command", choices=sorted(_COMMANDS))
    parser.add_argument("--set", dest="name", choices=("full", "daily"), default="full")
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args(arguments)
    return _COMMANDS[chosen.command](chosen.name, chosen.processes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
