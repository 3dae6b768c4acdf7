"""The benchmarks, all or some of them; each prints ratios against a peer or a limit of its own run.

    python -m tests.bench [PART ...] [--out FOLDER]        parts: detect growth reading ...

Into the folder go the figures of each part that has them as JSON (``growth.json``), beside the load
of the machine before and after it, and curves as PNG. A part by itself, with options of its own:
``python -m tests.bench.bench_growth --help``.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.curves import draw_growth

_FOLDER = Path(__file__).parent
_PARTS = tuple(sorted(path.stem.removeprefix("bench_") for path in _FOLDER.glob("bench_*.py")))


def run_part(part: str, out: Path) -> bool:
    """Run one part as a process of its own; return whether it came to its end."""
    script = _FOLDER / f"bench_{part}.py"
    command = [sys.executable, "-m", f"tests.bench.{script.stem}"]
    if '"--json"' in script.read_text(encoding="utf-8"):
        command += ["--json", str(out / f"{part}.json")]
    load, started = os.getloadavg(), time.monotonic()
    print(f"== {part}, load {load[0]:.1f}", flush=True)
    is_done = subprocess.run(command, check=False).returncode == 0
    circumstances = {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "load_before": load,
        "load_after": os.getloadavg(),
        "seconds": round(time.monotonic() - started),
        "came_to_its_end": is_done,
    }
    text = json.dumps(circumstances, indent=1) + "\n"
    (out / f"{part}-circumstances.json").write_text(text, encoding="utf-8")
    return is_done


def main() -> None:
    """Run the parts that are asked for, and draw their curves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(_PARTS)}")
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(_PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    failed = [part for part in arguments.parts or _PARTS if not run_part(part, arguments.out)]
    growth = arguments.out / "growth.json"
    if growth.is_file():
        draw_growth(json.loads(growth.read_text(encoding="utf-8")), arguments.out / "growth.png")
    if failed:
        sys.exit(f"did not come to their end: {', '.join(failed)}")


if __name__ == "__main__":
    main()
