"""The validators of the field over one file each: what each says that is not known to be no fault.

None of them knows TID 4000 well; what they check is header, evidence, references, value types.
The template is checked by `secondread.report.check` and by PixelMed (`tests.peers.pixelmed`).
"""

import subprocess
from pathlib import Path

from secondread.report.result import ResultObject
from secondread.settings import ObjectKind

_NAMES = {"MammographyCADSR", "ComprehensiveSR", "SCImage", "GrayscaleSoftcopyPresentationState"}

# Ends of lines of dciodvfy that are no faults.
_NO_FAULTS = (
    # True, and what a site that sets SRT asks for.
    "CodingSchemeDesignator is deprecated = <SRT>",
    # A private scheme, as PS3.16 8.2 has them; the object identifies it.
    "Unrecognized defined term = <99SECONDREAD>",
    # Identity and dates are the images'; where they lack them, so do the results.
    "would be needed to build DICOMDIR",
)


def _run(*command: str | Path) -> tuple[int, list[str], str]:
    """Return a program's status, its lines on standard error, and its standard output."""
    run = subprocess.run(command, capture_output=True, timeout=120, check=False)
    told = run.stderr.decode(errors="replace").splitlines()
    return run.returncode, told, run.stdout.decode(errors="replace")


def dciodvfy(path: Path) -> list[str]:
    """What dicom3tools has to say besides the name of the IOD."""
    _, errors, output = _run("dciodvfy", "-new", path)
    return [
        line
        for line in (*output.splitlines(), *errors)
        if line not in _NAMES and not line.endswith(_NO_FAULTS)
    ]


def tree_of(path: Path) -> str:
    """The content tree of a structured report as DCMTK reads it."""
    return _run("dsrdump", "+Pl", path)[2]


def dsrdump(path: Path) -> list[str]:
    """What DCMTK finds wrong with a structured report."""
    status, errors, _ = _run("dsrdump", "+Pl", path)
    known = ("W: Check for template constraints not yet supported",)
    said = [line for line in errors if line not in known and not _of_character_set(line)]
    return [*said, *([f"status {status}"] if status else [])]


def dcmpschk(path: Path) -> list[str]:
    """What DCMTK finds wrong with a presentation state."""
    _, errors, _ = _run("dcmpschk", path)
    lines = [line for line in errors if line not in {"E: ", ""} and "Testing:" not in line]
    # Its checker of values does not know UTF-8 (DCMTK 3.6.7), and lists the name as one fault.
    if any("PatientName" in line for line in lines) and b"ISO_IR 192" in path.read_bytes():
        lines = [line for line in lines if not line.startswith("E: ") and "Test failed" not in line]
    # Where the images name no patient, so do the results.
    if any("patientName absent or empty" in line for line in lines):
        lines = [
            line
            for line in lines
            if "patientName absent or empty" not in line and "Test failed" not in line
        ]
    return [line for line in lines if line != "W: Test passed."]


def faults(result: ResultObject, path: Path) -> list[str]:
    """What any of the validators for its kind finds wrong with a result."""
    found = dciodvfy(path)
    if result.kind in {ObjectKind.CAD_SR, ObjectKind.TID1500}:
        found += dsrdump(path)
    if result.kind is ObjectKind.PRESENTATION:
        found += dcmpschk(path)
    return found


def _of_character_set(line: str) -> bool:
    # DCMTK 3.6.7 without the character set library; the results keep the images' set.
    return (
        "does not support this Specific Character Set" in line
        or "unsupported SpecificCharacterSet" in line
    )
