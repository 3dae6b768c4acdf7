"""Every validator over all objects of the golden set: a part of `make conformance`.

The set: the golden exams under two profiles, every situation under every profile, images of many
kinds, simulated exams that the node has read, and real ones where they are at hand. What comes of
the golden exams is summarized in `service/docs/validation.md`, a section of the conformance
statement.
"""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from secondread.settings import ObjectKind
from tests.conftest import EXAMS, ROOT
from tests.peers.pixelmed import complaints, silenced, tell, validate
from tests.peers.pixelmed_alarms import FALSE_ALARMS, FalseAlarm
from tests.peers.validators import dciodvfy, dcmpschk, dsrdump
from tests.worlds.golden_set import PROFILES, golden_exams, write
from tests.worlds.report_documents import cad_srs

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.peer("pixelmed", "saxon", "java", "dciodvfy", "dsrdump", "dcmpschk"),
]

SECONDS = 3600
SIMULATED_EXAMS = 3
SUMMARY = ROOT / "service" / "docs" / "validation.md"
DOCUMENTS = {ObjectKind.CAD_SR, ObjectKind.TID1500}


def golden_objects(folder: Path) -> Iterator[tuple[str, ObjectKind, Path]]:
    """Write what is made of every golden exam; yield name, kind and file."""
    for profile_name, profile in PROFILES.items():
        for name, exam in golden_exams().items():
            full = f"{name}, {profile_name}" if profile_name else name
            place = folder / f"{len(list(folder.iterdir()))}"
            for result, path in write(place, exam, profile):
                yield f"{full}: {result.kind} {result.index}", result.kind, path


def test_every_object_of_the_golden_set_is_accepted(tmp_path: Path) -> None:
    made = list(golden_objects(tmp_path))
    by_template = [path for _, kind, path in made if kind is ObjectKind.CAD_SR]
    pixelmed = {
        path: (messages, pydicom.dcmread(path))
        for path, messages in tell(by_template, SECONDS).items()
    }

    faults = {
        "dciodvfy": {name: dciodvfy(path) for name, _, path in made},
        "dsrdump": {name: dsrdump(path) for name, kind, path in made if kind in DOCUMENTS},
        "dcmpschk": {
            name: dcmpschk(path) for name, kind, path in made if kind is ObjectKind.PRESENTATION
        },
        "PixelMed": {
            name: complaints(*pixelmed[path]) for name, _, path in made if path in pixelmed
        },
    }

    wrong = {
        validator: {name: messages for name, messages in by_object.items() if messages}
        for validator, by_object in faults.items()
    }
    assert wrong == {validator: {} for validator in faults}
    counts = {validator: len(by_object) for validator, by_object in faults.items()}
    alarms = Counter(alarm for answer in pixelmed.values() for alarm in set(silenced(*answer)))
    assert [alarm for alarm in FALSE_ALARMS if not alarms[alarm]] == []
    summary = format_summary(Counter(kind.value for _, kind, _ in made), counts, alarms)
    SUMMARY.write_text(summary, encoding="utf-8")
    print(summary)


CHECKED = {
    "dciodvfy": "dicom3tools: modules, values, evidence of every object",
    "dsrdump": "DCMTK: content trees of structured reports",
    "dcmpschk": "DCMTK: presentation states",
    "PixelMed": "DicomSRValidator: templates of Mammography CAD SRs",
}


def format_summary(kinds: Counter[str], counts: dict[str, int], alarms: Counter[FalseAlarm]) -> str:
    """Return the section of the conformance statement: without a fault, or it is not written."""
    exams = golden_exams()
    lines = [
        f"The golden set has {len(exams)} exams; under {len(PROFILES)} profiles they give "
        f"{kinds.total()} objects: "
        + ", ".join(f"{number} `{kind}`" for kind, number in sorted(kinds.items()))
        + ". All were accepted:",
        "",
        "| validator | checks | objects | accepted |",
        "| --- | --- | --- | --- |",
        *(
            f"| {validator} | {CHECKED[validator]} | {number} | {number} |"
            for validator, number in counts.items()
        ),
        "",
        "The exams: " + "; ".join(exams) + ".",
        "",
        "Not counted as faults are these alarms of PixelMed (20220618), each at its row and place "
        "only, and where the words leave it open only after a look at the document:",
        "",
        "| alarm | CAD SRs | why it is none |",
        "| --- | --- | --- |",
        *(f"| {alarm.words} | {alarms[alarm]} | {alarm.why} |" for alarm in FALSE_ALARMS),
        "",
        "Which faults each validator finds is in [fault-table.md](fault-table.md).",
        "",
    ]
    return "\n".join(lines)


def run_secondread(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "secondread", *map(str, arguments)], check=True)


def read_images(images: list[Path], out: Path) -> dict[str, Path]:
    """Read images and return the CAD SRs on them."""
    run_secondread("read", *images, "--out", out)
    return {
        f"{out.name}: {path.relative_to(out)}": path
        for path in sorted(out.rglob("*.dcm"))
        if pydicom.dcmread(path, stop_before_pixels=True).Modality == "SR"
    }


def simulate_exams(folder: Path) -> dict[str, list[Path]]:
    """Return the current images of simulated exams."""
    run_secondread("simulate", "--out", folder, "--exams", SIMULATED_EXAMS, "--pitch-mm", 0.1)
    return {exam.name: sorted(exam.glob("current/*.dcm")) for exam in sorted(folder.iterdir())}


def list_real_exams() -> dict[str, list[Path]]:
    """Return the images of the real exams, where they are at hand."""
    folders = sorted(EXAMS.iterdir()) if EXAMS.is_dir() else []
    return {folder.name: images for folder in folders if (images := sorted(folder.glob("*.dcm")))}


def test_every_report_follows_its_template(tmp_path: Path) -> None:
    files = cad_srs(tmp_path / "readings")
    for name, images in {**simulate_exams(tmp_path / "simulated"), **list_real_exams()}.items():
        files |= read_images(images, tmp_path / "read" / name)

    complaints_by_file = validate(files.values(), SECONDS)

    largest = max(path.stat().st_size for path in files.values())
    print(f"{len(files)} reports validated, the largest of {largest} bytes")
    wrong = {
        name: complaints_by_file[path] for name, path in files.items() if complaints_by_file[path]
    }
    assert wrong == {}
