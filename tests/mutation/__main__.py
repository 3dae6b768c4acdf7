"""`python -m tests.mutation`: 100,000 changed inputs; exit 1 where one of them is not answered.

A run is named by its seed and goes on with ``--first`` where it was stopped. Inputs that failed are
in the folder of ``--failures``, each beside its traceback; ``--only`` tries one of them again.
"""

import argparse
import faulthandler
import json
import random
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from secondread import log
from tests.mutation.soak import BLOCK, Soak

MOST_MEGABYTES = 600
"""Of one process."""
_LONGEST_BLOCK_SECONDS = 900


def main() -> int:
    """Run the cases in as many processes as were asked for, and sum up."""
    options = _parse_arguments()
    if options.part is not None:
        _run_part(options)
        return 0
    if options.only is not None:
        return _run_alone(options)
    print(f"seed {options.seed}, cases {options.first} to {options.first + options.cases - 1}")
    with ThreadPoolExecutor(options.jobs) as pool:
        parts = list(pool.map(lambda part: _watch_part(options, part), range(options.jobs)))
    return _sum_up(options, parts)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--failures", type=Path, default=Path("mutation-failures"))
    parser.add_argument("--only", type=int, help="number of the one case to try")
    parser.add_argument("--part", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.first -= options.first % BLOCK
    return options


def _run_alone(options: argparse.Namespace) -> int:
    """Run one case; print what it raised, and return the exit status."""
    with _open_soak(options) as soak:
        soak.run_alone(options.only)
        failures = soak.tally.failures
    for failure in failures:
        print(failure)
    return 1 if failures else 0


@contextmanager
def _open_soak(options: argparse.Namespace) -> Iterator[Soak]:
    # As in the processes of a node: libraries' warnings quote values.
    warnings.simplefilter("ignore")
    log.configure_logging("mutation", "critical")
    with (
        tempfile.TemporaryDirectory(prefix="mutation-") as folder,
        Soak(options.seed, Path(folder) / "work", options.failures) as soak,
    ):
        yield soak


def _run_part(options: argparse.Namespace) -> None:
    """Run every block of this part; print the tally so far after each, as a line of JSON."""
    last = options.first + options.cases
    with _open_soak(options) as soak:
        step = BLOCK * options.jobs
        for first in range(options.first + BLOCK * options.part, last, step):
            # What hangs ends the part, with the stacks of all threads in its log.
            faulthandler.dump_traceback_later(_LONGEST_BLOCK_SECONDS, exit=True)
            soak.run_block(first)
            print(json.dumps({"next": first + step, **soak.tally.as_json()}), flush=True)
    faulthandler.cancel_dump_traceback_later()


def _watch_part(options: argparse.Namespace, part: int) -> dict[str, Any]:
    """Run a part in a process of its own; return its last tally, and how it ended."""
    command = [sys.executable, "-m", "tests.mutation", f"--part={part}"]
    command += [f"--{name}={getattr(options, name)}" for name in _HANDED_ON]
    tally: dict[str, Any] = {"next": options.first}
    shown_at = time.monotonic()
    options.failures.mkdir(parents=True, exist_ok=True)
    with (
        (options.failures / f"part-{part}.log").open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            tally = json.loads(line)
            if time.monotonic() - shown_at > 30:
                shown_at = time.monotonic()
                failures = len(tally["failures"])
                print(
                    f"part {part}: next {tally['next']}, failures of {failures} kinds", flush=True
                )
    if process.returncode:
        print(f"part {part} ended with {process.returncode}; see its log", flush=True)
        tally.setdefault("failures", {})[
            f"part {part} ended with {process.returncode} near case {tally['next']}"
        ] = 1
    return tally


_HANDED_ON = ("cases", "seed", "first", "jobs", "failures")


def _sum_up(options: argparse.Namespace, parts: list[dict[str, Any]]) -> int:
    """Print what came of the parts; return the exit status."""
    totals = {
        name: sum((Counter(part.get(name, {})) for part in parts), Counter())
        for name in ("cases", "answers", "failures")
    }
    peaks: dict[str, float] = {}
    for part in parts:
        for process, megabytes in part.get("megabytes", {}).items():
            peaks[process] = max(megabytes, peaks.get(process, 0.0))
            if megabytes > MOST_MEGABYTES:
                totals["failures"][f"{process}: {megabytes:.0f} MB"] += 1
    print(f"seed {options.seed}: {totals['cases'].total()} cases")
    for name, counts in totals.items():
        for what, number in sorted(counts.items()):
            print(f"  {name}: {number} {what}")
    for process, megabytes in sorted(peaks.items()):
        print(f"  memory of {process}: {megabytes:.0f} MB at most")
    slowest = max(part.get("slowest_seconds", 0.0) for part in parts)
    print(f"  slowest check: {slowest:.1f} s of processor time")
    if totals["failures"]:
        print(f"inputs that failed: {options.failures}")
    return 1 if totals["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
