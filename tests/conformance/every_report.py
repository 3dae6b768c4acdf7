"""Every validator over all objects of the golden set: `make conformance`, many minutes.

The set: the golden exams under two profiles, every situation under every profile, images of many
kinds, simulated exams that the node has read, and real ones where they are at hand. What comes of
the golden exams is summarized in `service/docs/validation.md`, a section of the conformance
statement: make that anew with `secondread conformance` after a run.
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
from tests.golden_set import DOZEN, PROFILES, golden_exams, write
from tests.pixelmed import FALSE_ALARMS, validate
from tests.report_documents import cad_srs
from tests.validators import dciodvfy, dcmpschk, dsrdump

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.peer("pixelmed", "java", "dciodvfy", "dsrdump", "dcmpschk"),
]

SECONDS = 2 * 3600
SIMULATED_EXAMS = 3
LARGEST_BYTES = 250_000
"""The validator runs out of 8 GB of memory over larger reports (295 kB, some fifty findings)."""
SUMMARY = ROOT / "service" / "docs" / "validation.md"
OTHER_PROFILE = next(name for name in PROFILES if name)
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
    by_template = [
        (name, path)
        for name, kind, path in made
        if kind is ObjectKind.CAD_SR and _is_for_pixelmed(name)
    ]
    told = validate((path for _, path in by_template), SECONDS)

    found = {
        "dciodvfy": {name: dciodvfy(path) for name, _, path in made},
        "dsrdump": {name: dsrdump(path) for name, kind, path in made if kind in DOCUMENTS},
        "dcmpschk": {
            name: dcmpschk(path) for name, kind, path in made if kind is ObjectKind.PRESENTATION
        },
        "PixelMed": {name: told[path] for name, path in by_template},
    }

    wrong = {
        validator: {name: said for name, said in answers.items() if said}
        for validator, answers in found.items()
    }
    assert wrong == {validator: {} for validator in found}
    counts = {validator: len(answers) for validator, answers in found.items()}
    summary = summarized(Counter(kind.value for _, kind, _ in made), counts)
    SUMMARY.write_text(summary, encoding="utf-8")
    print(summary)


def _is_for_pixelmed(name: str) -> bool:
    """Whether the slow validator gets it: all exams once, a dozen under every profile."""
    exam = name.rpartition(": ")[0]
    return not exam.endswith(OTHER_PROFILE) or exam.removesuffix(f", {OTHER_PROFILE}") in DOZEN


CHECKED = {
    "dciodvfy": "dicom3tools: modules, values, evidence of every object",
    "dsrdump": "DCMTK: content trees of structured reports",
    "dcmpschk": "DCMTK: presentation states",
    "PixelMed": "DicomSRValidator: templates of Mammography CAD SRs",
}


def summarized(kinds: Counter[str], counts: dict[str, int]) -> str:
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
        f"PixelMed, which takes minutes for a large one, was given {counts['PixelMed']} of the "
        f"{kinds[ObjectKind.CAD_SR.value]} CAD SRs.",
        "",
        "The exams: " + "; ".join(exams) + ".",
        "",
        "Not counted as faults are these alarms of PixelMed (20220618), which the text of PS3.16 "
        "contradicts:",
        "",
        *(f"- {alarm.fault}: {alarm.why}" for alarm in FALSE_ALARMS),
        "",
    ]
    return "\n".join(lines)


def secondread(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "secondread", *map(str, arguments)], check=True)


def reports_on(images: list[Path], out: Path) -> dict[str, Path]:
    """Read images and return the CAD SRs on them."""
    secondread("read", *images, "--out", out)
    return {
        f"{out.name}: {path.relative_to(out)}": path
        for path in sorted(out.rglob("*.dcm"))
        if pydicom.dcmread(path, stop_before_pixels=True).Modality == "SR"
    }


def simulated(folder: Path) -> dict[str, list[Path]]:
    """Return the CC views of simulated exams; on all views, reports are too large."""
    secondread("simulate", "--out", folder, "--exams", SIMULATED_EXAMS, "--pitch-mm", 0.1)
    return {exam.name: sorted(exam.glob("current/?CC.dcm")) for exam in sorted(folder.iterdir())}


def real() -> dict[str, list[Path]]:
    """Return the images of the real exams, where they are at hand."""
    folders = sorted(EXAMS.iterdir()) if EXAMS.is_dir() else []
    return {folder.name: images for folder in folders if (images := sorted(folder.glob("*.dcm")))}


def test_every_report_follows_its_template(tmp_path: Path) -> None:
    files = cad_srs(tmp_path / "readings")
    for name, images in {**simulated(tmp_path / "simulated"), **real()}.items():
        files |= reports_on(images, tmp_path / "read" / name)
    too_large = [name for name, path in files.items() if path.stat().st_size > LARGEST_BYTES]
    for name in too_large:
        del files[name]

    found = validate(files.values(), SECONDS)

    print(f"{len(files)} reports validated; too large: {too_large}")
    wrong = {name: found[path] for name, path in files.items() if found[path]}
    assert wrong == {}
