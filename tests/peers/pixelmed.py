"""PixelMed's validator of structured reports, the one that knows the rows of TID 4000."""

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from tests.peers.pixelmed_alarms import FALSE_ALARMS, FalseAlarm

JAR = Path("/usr/share/java/pixelmed.jar")
PROGRAM = Path(__file__).parent / "ValidateReports.java"

SAXON = Path("/usr/share/java/Saxon-HE.jar")
_BY_SAXON = "-Djavax.xml.transform.TransformerFactory=net.sf.saxon.TransformerFactoryImpl"

# The compiled templates recurse: a report with fifty findings overflows the usual stack.
_ROOM = ("-Xmx4g", "-Xss512m")
# A short run: what the second compiler and parallel collectors cost is never earned back.
_SHORT = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")

# The validator ends with these whatever it found; what is missing was not validated.
_ENDED = ("Root Template Validation Complete", "IOD validation complete")


def complaints(told: str, document: Dataset) -> list[str]:
    """Pick out of the validator's words on one document what is wrong with it."""
    lines = told.splitlines()
    return [
        *(line for line in _alarms(lines) if not _known(line, document)),
        *(f"missing: {end}" for end in _ENDED if end not in lines),
    ]


def silenced(told: str, document: Dataset) -> list[FalseAlarm]:
    """Return the known false alarms among the validator's words on one document."""
    return [alarm for line in _alarms(told.splitlines()) for alarm in _known(line, document)]


def _alarms(lines: Iterable[str]) -> Iterator[str]:
    """Yield what is no mere statement; of forbidden relationships no line says "Error"."""
    for line in lines:
        if line.startswith(("Error", "Warning")) or "illegal relationship" in line.lower():
            yield line


def _known(line: str, document: Dataset) -> list[FalseAlarm]:
    return [alarm for alarm in FALSE_ALARMS if alarm.is_in(line, document)]


def tell(paths: Iterable[Path], seconds: float) -> dict[Path, str]:
    """Return what the validator says of each document; one Java process is asked about all.

    Raises
    ------
    subprocess.CalledProcessError
        The validator broke off.
    subprocess.TimeoutExpired
        It took longer than `seconds`.
    """
    files = [str(path) for path in paths]
    run = subprocess.run(
        ["java", *_ROOM, *_SHORT, _BY_SAXON, "-cp", f"{JAR}:{SAXON}", str(PROGRAM), *files],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=seconds,
    )
    told = dict(re.findall(r"(?ms)^##### ([^\n]*)\n(.*?)(?=^##### |\Z)", run.stdout))
    return {Path(file): told.get(file, "") for file in files}


def validate(paths: Iterable[Path], seconds: float) -> dict[Path, list[str]]:
    """Return the complaints about each document (`tell`)."""
    return {
        path: complaints(told, pydicom.dcmread(path)) for path, told in tell(paths, seconds).items()
    }
