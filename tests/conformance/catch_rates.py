"""Who notices which fault: our check, DCMTK, dicom3tools and PixelMed over the table of faults.

``python -m pytest -s tests/conformance/catch_rates.py`` prints a table with a line for each fault
and the rates below it, in an hour or two. Of each validator counts what it says of the faulty
document and not of the valid one.
"""

import subprocess
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from secondread.report.check import check_against, check_cad_sr
from secondread.report.compose import to_bytes
from tests.faulty_reports import BASES, FAULTS, PROFILES, faulty, valid
from tests.pixelmed import validate

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.peer("pixelmed", "java", "dsrdump", "dciodvfy"),
    pytest.mark.filterwarnings("ignore"),
]

SECONDS = 4 * 3600
NAMES = ("check", "dsrdump", "dciodvfy", "PixelMed")


def of_check(name: str, ds: Dataset) -> bool:
    planted = FAULTS[name]
    faults = check_cad_sr(ds)
    if planted.with_findings:
        faults += check_against(ds, *BASES[planted.base](), PROFILES[planted.base])
    return any(planted.says in fault.message for fault in faults)


def of_dsrdump(path: Path) -> set[str]:
    run = subprocess.run(["dsrdump", path], capture_output=True, timeout=60, check=False)
    lines = run.stderr.decode(errors="replace").splitlines()
    return {f"status {run.returncode}", *(line for line in lines if line[:2] in {"E:", "W:", "F:"})}


def of_dciodvfy(path: Path) -> set[str]:
    run = subprocess.run(["dciodvfy", "-new", path], capture_output=True, timeout=60, check=False)
    return set((run.stdout + run.stderr).decode(errors="replace").splitlines())


def written(folder: Path) -> dict[str, Path]:
    """Write the valid documents and the faulty ones; pydicom itself refuses to write some."""
    files = {}
    for number, name in enumerate((*BASES, *FAULTS)):
        ds = valid(name) if name in BASES else faulty(name)
        files[name] = folder / f"{number:03d}.dcm"
        try:
            files[name].write_bytes(to_bytes(ds))
        except (ValueError, AttributeError, TypeError):
            del files[name]
    return files


def rates(files: dict[str, Path]) -> dict[str, dict[str, bool]]:
    """Return for each fault who noticed it."""
    said = {"dsrdump": of_dsrdump, "dciodvfy": of_dciodvfy}
    usual = {
        validator: {base: tell(files[base]) for base in BASES} for validator, tell in said.items()
    }
    complaints = validate(files.values(), SECONDS)
    found = {}
    for name, planted in FAULTS.items():
        found[name] = {"check": of_check(name, faulty(name))}
        if name in files:
            for validator, tell in said.items():
                found[name][validator] = bool(tell(files[name]) - usual[validator][planted.base])
            found[name]["PixelMed"] = bool(complaints[files[name]])
    assert all(complaints[files[base]] == [] for base in BASES)
    return found


def table(found: dict[str, dict[str, bool]]) -> str:
    """Return the answers as text; a fault that no file can hold has no answers of the others."""
    width = max(map(len, found))
    lines = [f"{'fault':{width}}  " + "  ".join(f"{name:8}" for name in NAMES)]
    for name, answers in found.items():
        marks = (
            {True: "yes", False: "-", None: "n/a"}[answers.get(validator)] for validator in NAMES
        )
        told = " (with the findings)" if FAULTS[name].with_findings else ""
        lines.append(f"{name:{width}}  " + "  ".join(f"{mark:8}" for mark in marks) + told)
    for only, label in ((False, "of the document alone"), (True, "with the findings")):
        chosen = [answers for name, answers in found.items() if FAULTS[name].with_findings is only]
        caught = (
            f"{sum(one.get(validator, False) for one in chosen)}/"
            f"{sum(validator in one for one in chosen)}"
            for validator in NAMES
        )
        lines.append(f"{label:{width}}  " + "  ".join(f"{share:8}" for share in caught))
    return "\n".join(lines)


def test_our_check_notices_every_fault(tmp_path: Path) -> None:
    found = rates(written(tmp_path))

    print("\n" + table(found))
    assert [name for name, answers in found.items() if not answers["check"]] == []
