"""Results under the validators of the field: dciodvfy (dicom3tools) and dsrdump (DCMTK).

None of them knows TID 4000 well; what they do check is header, evidence, references and value
types. The template itself is checked by `secondread.report.check` and, in the acceptance
tests, by PixelMed.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest

from secondread.reasons import Outcome
from secondread.report.compose import compose, to_bytes
from secondread.report.result import Occasion, ResultObject
from secondread.settings import ObjectKind
from tests.report_documents import (
    NOT_ELIGIBLE_AS_FAILED,
    PROFILES,
    SHOWN,
    SOURCES,
    about,
    not_eligible,
    written,
)
from tests.unit.report.readings import (
    AT,
    NODE,
    UIDS,
    by_uid,
    cluster,
    read,
    situations,
    study,
)


def complaints(path: Path) -> list[str]:
    """Everything that dciodvfy has to say besides the name of the IOD."""
    run = subprocess.run(["dciodvfy", "-new", path], capture_output=True, timeout=60, check=False)
    lines = (run.stdout + run.stderr).decode(errors="replace").splitlines()
    return [
        line
        for line in lines
        if line not in {"MammographyCADSR", "SCImage"}
        # True, and what a site that sets SRT asks for.
        and not line.endswith("CodingSchemeDesignator is deprecated = <SRT>")
        # Identity and dates are the images'; where they lack them, so do the results.
        and not line.endswith("would be needed to build DICOMDIR")
    ]


def dsrdump(path: Path) -> str:
    """The tree as DCMTK reads it; fails on anything that it finds wrong."""
    run = subprocess.run(["dsrdump", "+Pl", path], capture_output=True, timeout=60, check=False)
    known = ("W: Check for template constraints not yet supported",)
    said = [
        line
        for line in run.stderr.decode(errors="replace").splitlines()
        if line not in known
        # DCMTK 3.6.7 without the character set library; the results keep the images' set.
        and "does not support this Specific Character Set" not in line
        and "unsupported SpecificCharacterSet" not in line
    ]
    assert (run.returncode, said) == (0, [])
    return run.stdout.decode(errors="replace")


def assert_valid(objects: Iterator[tuple[ResultObject, Path]]) -> None:
    seen = 0
    for result, path in objects:
        assert complaints(path) == []
        if result.kind is ObjectKind.CAD_SR:
            dsrdump(path)
        seen += 1
    assert seen


@pytest.mark.peer("dciodvfy", "dsrdump")
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("situation", situations())
def test_every_situation_passes_the_validators(
    tmp_path: Path, situation: str, profile: str
) -> None:
    assert_valid(written(tmp_path, *situations()[situation], PROFILES[profile]))


@pytest.mark.peer("dciodvfy", "dsrdump")
def test_a_later_revision_passes_the_validators(tmp_path: Path) -> None:
    assert_valid(written(tmp_path, *situations()["findings"], later=True))


@pytest.mark.peer("dciodvfy", "dsrdump")
@pytest.mark.parametrize(
    "attributes",
    SOURCES.values(),
    ids=SOURCES.keys(),
)
def test_results_about_images_of_many_kinds_pass_the_validators(
    tmp_path: Path, attributes: dict[str, object]
) -> None:
    assert_valid(written(tmp_path, *about(attributes)))


@pytest.mark.peer("dciodvfy", "dsrdump")
def test_a_not_eligible_study_as_cad_failed_passes_the_validators(tmp_path: Path) -> None:
    document, notice = written(tmp_path, *not_eligible(), NOT_ELIGIBLE_AS_FAILED)
    assert complaints(document[1]) == []
    assert "No algorithms succeeded" in dsrdump(document[1])
    # A notice about no side: Laterality is empty because it is unknown, and dciodvfy asks back.
    (question,) = complaints(notice[1])
    assert question.startswith("Warning - </Laterality")


@pytest.mark.peer("dsrdump")
def test_dcmtk_reads_the_tree_as_it_was_meant(tmp_path: Path) -> None:
    (_, path), *_ = written(tmp_path, *situations()["partial with marks"])
    tree = dsrdump(path)
    assert '(129769006,SCT,"Calcification Cluster")' in tree
    assert '<has properties NUM:(,,"Number of calcifications")="3" (1,UCUM,"no units")>' in tree
    assert '<has properties SCOORD:(,,"Center")=(POINT,300.5/420.5)>' in tree
    assert "<selected from 1.2.2>" in tree
    assert "Partially Succeeded" in tree


@pytest.mark.peer("dciodvfy", "dsrdump")
def test_results_about_real_mammograms_pass_the_validators(tmp_path: Path, exams: Path) -> None:
    paths = sorted((exams / "a-ffdm-cc").glob("*.dcm"))
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]
    images = [
        read(
            ds,
            *(
                cluster(n, (1200 + 300.0 * n, 1500.5), label=f"{ds.ImageLaterality}CC")
                for n in (1, 2)
            ),
        )
        for ds in headers
    ]
    sizes = {str(ds.SOPInstanceUID): (int(ds.Rows), int(ds.Columns)) for ds in headers}
    reading = study(Outcome.FINDINGS, *images)
    results = compose(
        reading,
        by_uid(*headers),
        lambda uid: np.full(sizes[uid], 60, dtype=np.uint8),
        NODE,
        UIDS,
        Occasion(AT, None),
        SHOWN,
    )
    assert len(results) == 3
    for result in results:
        path = tmp_path / f"{result.kind}-{result.index}.dcm"
        path.write_bytes(to_bytes(result.dataset))
        assert complaints(path) == []
        assert result.dataset.PatientID == headers[0].PatientID
