"""Who notices which fault: our check, DCMTK, dicom3tools and PixelMed over the table of faults.

A part of ``make conformance``. Writes ``service/docs/fault-table.md``: the rates by family, and a
line for each fault. Of each validator counts what it says of the faulty document and not of the
valid one.
"""

import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from secondread.report.check.cad_sr_check import check_against_reading, check_cad_sr
from secondread.report.encoding import encode_file
from tests.conftest import ROOT
from tests.peers.pixelmed import validate
from tests.worlds.faulty_reports import BASES, FAMILIES, FAULTS, PROFILES, build_faulty, build_valid

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.peer("pixelmed", "saxon", "java", "dsrdump", "dciodvfy"),
    pytest.mark.filterwarnings("ignore"),
]

SECONDS = 3600
NAMES = ("our check", "dsrdump", "dciodvfy", "PixelMed")
TABLE = ROOT / "service" / "docs" / "fault-table.md"

Answers = dict[str, bool]
"""Whether a validator noticed a fault; one that cannot be asked is not there."""


def notices(name: str, ds: Dataset) -> bool:
    planted = FAULTS[name]
    faults = check_cad_sr(ds)
    if planted.with_findings:
        faults += check_against_reading(ds, *BASES[planted.base](), PROFILES[planted.base])
    return any(planted.says in fault.message for fault in faults)


def run_dsrdump(path: Path) -> set[str]:
    run = subprocess.run(["dsrdump", path], capture_output=True, timeout=60, check=False)
    lines = run.stderr.decode(errors="replace").splitlines()
    return {f"status {run.returncode}", *(line for line in lines if line[:2] in {"E:", "W:", "F:"})}


def run_dciodvfy(path: Path) -> set[str]:
    run = subprocess.run(["dciodvfy", "-new", path], capture_output=True, timeout=60, check=False)
    return set((run.stdout + run.stderr).decode(errors="replace").splitlines())


def write_files(folder: Path) -> dict[str, Path]:
    """Write the valid documents and the faulty ones; pydicom itself refuses to write some."""
    files = {}
    for number, name in enumerate((*BASES, *FAULTS)):
        ds = build_valid(name) if name in BASES else build_faulty(name)
        files[name] = folder / f"{number:03d}.dcm"
        try:
            files[name].write_bytes(encode_file(ds))
        except (ValueError, AttributeError, TypeError):
            del files[name]
    return files


def find_noticers(files: dict[str, Path]) -> dict[str, Answers]:
    """Return for each fault who noticed it."""
    validators = {"dsrdump": run_dsrdump, "dciodvfy": run_dciodvfy}
    usual = {name: {base: run(files[base]) for base in BASES} for name, run in validators.items()}
    complaints = validate(files.values(), SECONDS)
    answers = {}
    for name, planted in FAULTS.items():
        answers[name] = {"our check": notices(name, build_faulty(name))}
        if name in files:
            for validator, run in validators.items():
                answers[name][validator] = bool(run(files[name]) - usual[validator][planted.base])
            answers[name]["PixelMed"] = bool(complaints[files[name]])
    assert all(complaints[files[base]] == [] for base in BASES)
    return answers


def _share(validator: str, answers: Iterable[Answers]) -> str:
    noticed = [answer[validator] for answer in answers if validator in answer]
    return f"{sum(noticed)}/{len(noticed)}"


def _row(label: str, cells: Iterable[str]) -> str:
    return "| " + " | ".join((label, *cells)) + " |"


def _head(label: str) -> list[str]:
    return [_row(label, NAMES), _row("---", ["---"] * len(NAMES))]


def _total(label: str, answers: list[Answers]) -> str:
    return _row(label, (_share(validator, answers) for validator in NAMES))


def format_table(answers: dict[str, Answers]) -> str:
    """Return the answers as text, rates first."""
    by_document = [a for name, a in answers.items() if not FAULTS[name].with_findings]
    lines = [
        "# Who notices which fault of a CAD SR",
        "",
        f"Written by `make conformance`. {len(FAULTS)} times one fault was planted in a valid "
        "Mammography CAD SR: one of every kind of item, or one of a followed-up exam. `our check` "
        "is the one that each report passes before it leaves; the others are DCMTK's `dsrdump`, "
        "dicom3tools' `dciodvfy` and PixelMed's `DicomSRValidator`. A fault is noticed where a "
        "validator says more than of the valid document. The last family needs the findings that "
        "the document was made from, or the headers of the images, which only our check is given.",
        "",
        *_head("family of faults"),
        *(
            _total(family, [answers[name] for name in faults])
            for family, faults in FAMILIES.items()
        ),
        _total("all that the document alone can tell", by_document),
        _total("all", list(answers.values())),
        "",
        "Each fault; `n/a`: no file can hold it.",
    ]
    marks = {True: "yes", False: "-", None: "n/a"}
    for family, faults in FAMILIES.items():
        lines += ["", *_head(family)]
        lines += [_row(name, (marks[answers[name].get(v)] for v in NAMES)) for name in faults]
    return "\n".join([*lines, ""])


def test_our_check_notices_every_fault(tmp_path: Path) -> None:
    answers = find_noticers(write_files(tmp_path))

    assert [name for name, answer in answers.items() if not answer["our check"]] == []
    TABLE.write_text(format_table(answers), encoding="utf-8")
    print(f"\n{TABLE.name}: {len(answers)} faults")
