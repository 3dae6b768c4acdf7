"""Results under the validators of the field: dciodvfy (dicom3tools) and dsrdump (DCMTK).

None of them knows TID 4000 well; what they do check is header, evidence, references and value
types. The template itself is checked by `secondread.report.check` and, by hand, with PixelMed.
"""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from secondread.findings.finding import LeftOut, StudyReading
from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.report.compose import compose, to_bytes
from secondread.report.result import Occasion, ResultObject
from secondread.settings import ObjectKind, ProfileSettings
from tests.unit.report.readings import (
    AT,
    NODE,
    STUDY,
    UIDS,
    by_uid,
    cluster,
    grey,
    read,
    refused,
    situations,
    source,
    study,
)

SHOWN = ProfileSettings(objects=(ObjectKind.CAD_SR, ObjectKind.CAPTURE))
PROFILES = {
    "SCT": SHOWN,
    "SRT, all findings, MG": SHOWN.model_copy(
        update={"snomed_codes": "SRT", "findings": "all", "capture_modality": "MG"}
    ),
}


def written(
    folder: Path,
    reading: StudyReading,
    sources: dict[str, Dataset],
    profile: ProfileSettings = SHOWN,
    *,
    later: bool = False,
) -> Iterator[tuple[ResultObject, Path]]:
    occasion = Occasion(AT, (STUDY, "1.2.3.5", "1.2.3.6") if later else None)
    for result in compose(reading, sources, grey, NODE, UIDS, occasion, profile):
        path = folder / f"{result.kind}-{result.index}.dcm"
        path.write_bytes(to_bytes(result.dataset))
        yield result, path


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


SOURCES: dict[str, dict[str, object]] = {
    "MONOCHROME1": {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
    "8 bits": {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7},
    "For Processing": {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.2.1",
        "PresentationIntentType": "FOR PROCESSING",
    },
    "with a time zone": {"TimezoneOffsetFromUTC": "+0900", "InstitutionName": "Clinic"},
    "lossy": {"LossyImageCompression": "01", "LossyImageCompressionRatio": "10"},
    "no spacing": {"ImagerPixelSpacing": None, "PatientOrientation": "", "ContentTime": ""},
    "no identity": {"PatientID": "", "PatientName": "", "StudyDate": "", "StudyTime": ""},
    "UTF-8": {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "Wang^XiaoDong=王^小东"},
    "Japanese": {
        "SpecificCharacterSet": ["", "ISO 2022 IR 87"],
        "PatientName": "Yamada^Tarou=山田^太郎",
    },
    "Greek": {"SpecificCharacterSet": "ISO_IR 126", "PatientName": "Διονυσιος^Α"},
}


@pytest.mark.peer("dciodvfy", "dsrdump")
@pytest.mark.parametrize(
    "attributes",
    SOURCES.values(),
    ids=SOURCES.keys(),
)
def test_results_about_images_of_many_kinds_pass_the_validators(
    tmp_path: Path, attributes: dict[str, object]
) -> None:
    ds = source("LCC", **attributes)
    other = source("LMLO", **attributes)
    reading = study(
        Outcome.PARTIAL,
        read(ds, cluster(), status=ImageStatus.FLAGGED, reasons=(Reason.EIGHT_BITS,)),
        refused(other),
        reasons=(Reason.SOME_IMAGES_REFUSED,),
    )
    assert_valid(written(tmp_path, reading, by_uid(ds, other)))


@pytest.mark.peer("dciodvfy", "dsrdump")
def test_a_not_eligible_study_as_cad_failed_passes_the_validators(tmp_path: Path) -> None:
    ds = source("LCC", SOPClassUID="1.2.840.10008.5.1.4.1.1.13.1.3", NumberOfFrames=40)
    reading = replace(
        study(Outcome.NOT_ELIGIBLE, reasons=(Reason.NOTHING_IN_SCOPE,)),
        left_out=(LeftOut(str(ds.SOPInstanceUID), "LCC", Reason.TOMOSYNTHESIS),),
    )
    profile = SHOWN.model_copy(update={"not_eligible_as_failed_sr": True})
    document, notice = written(tmp_path, reading, by_uid(ds), profile)
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
