"""Progress of long steps on the console."""

import sys
import time


def report_progress(line: str) -> None:
    """Write a line with the time of day to the standard error."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()
