"""Results under the validators of the field: dciodvfy (dicom3tools) and dsrdump (DCMTK).

None of them knows TID 4000 well; what they do check is header, evidence, references and value
types. The template itself is checked by `secondread.report.check` and, in the acceptance tests,
by PixelMed.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from secondread.reasons import Outcome
from secondread.report.compose import compose_results
from secondread.report.encoding import encode_file
from secondread.report.result import Authorship, Occasion, ResultObject
from tests.peers.validators import dsrdump, faults, tree_of
from tests.unit.report.followed import make_followed_study, make_mixed_study
from tests.unit.report.readings import (
    NODE,
    UIDS,
    WRITTEN_AT,
    index_by_uid,
    make_cluster,
    make_image_reading,
    make_situations,
    make_study_reading,
)
from tests.worlds.golden_set import DOZEN, golden_exams, write
from tests.worlds.report_documents import (
    DIALECTS,
    NOT_ELIGIBLE_AS_FAILED,
    PROFILES,
    SHOWN,
    SOURCES,
    Situation,
    about,
    not_eligible,
    written,
)


def assert_valid(objects: Iterator[tuple[ResultObject, Path]]) -> None:
    seen = 0
    for result, path in objects:
        assert faults(result, path) == []
        seen += 1
    assert seen


@pytest.mark.peer("dciodvfy", "dsrdump", "dcmpschk")
@pytest.mark.parametrize("name", DOZEN)
def test_everything_that_is_made_of_a_golden_exam_passes_the_validators(
    tmp_path: Path, name: str
) -> None:
    assert_valid(write(tmp_path, golden_exams()[name]))


def test_the_dozen_is_of_the_golden_set() -> None:
    assert set(DOZEN) <= golden_exams().keys()


@pytest.mark.peer("dciodvfy", "dsrdump")
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("situation", make_situations())
def test_every_situation_passes_the_validators(
    tmp_path: Path, situation: str, profile: str
) -> None:
    assert_valid(written(tmp_path, *make_situations()[situation], PROFILES[profile]))


@pytest.mark.peer("dciodvfy", "dsrdump")
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("situation", [make_followed_study, make_mixed_study])
def test_changes_and_doubts_pass_the_validators(
    tmp_path: Path, situation: Callable[[], Situation], dialect: str
) -> None:
    assert_valid(written(tmp_path, *situation(), DIALECTS[dialect]))


@pytest.mark.peer("dciodvfy", "dsrdump")
def test_a_later_revision_passes_the_validators(tmp_path: Path) -> None:
    assert_valid(written(tmp_path, *make_situations()["findings"], later=True))


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
    assert_valid(iter((document, notice)))
    assert "No algorithms succeeded" in tree_of(document[1])


@pytest.mark.peer("dsrdump")
def test_dcmtk_reads_the_tree_as_it_was_meant(tmp_path: Path) -> None:
    (_, path), *_ = written(tmp_path, *make_situations()["partial with marks"])
    assert dsrdump(path) == []
    tree = tree_of(path)
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
        make_image_reading(
            ds,
            *(
                make_cluster(n, (1200 + 300.0 * n, 1500.5), label=f"{ds.ImageLaterality}CC")
                for n in (1, 2)
            ),
        )
        for ds in headers
    ]
    sizes = {str(ds.SOPInstanceUID): (int(ds.Rows), int(ds.Columns)) for ds in headers}
    reading = make_study_reading(Outcome.FINDINGS, *images)
    reading = replace(reading, study_uid=str(headers[0].StudyInstanceUID))
    results = compose_results(
        reading,
        index_by_uid(*headers),
        lambda uid: np.full(sizes[uid], 60, dtype=np.uint8),
        Authorship(NODE, UIDS, Occasion(WRITTEN_AT, None), SHOWN),
    )
    assert [result.kind.value for result in results] == ["cad-sr", *3 * ["capture"]]
    for result in results:
        path = tmp_path / f"{result.kind}-{result.index}.dcm"
        path.write_bytes(encode_file(result.dataset))
        assert faults(result, path) == []
        assert result.dataset.PatientID == headers[0].PatientID
