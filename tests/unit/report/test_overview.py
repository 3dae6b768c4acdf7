"""The overview of an exam: what hangs where, and what is said beside it."""

from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset

from secondread.codes import Laterality
from secondread.findings.comparison import StudyComparison, ViewComparison
from secondread.findings.finding import ImageReading, StudyReading
from secondread.reasons import Outcome, Reason
from secondread.report.breast_panel import Hanging, hung
from secondread.report.capture import overview
from secondread.report.drawing import PAGE
from secondread.report.exam_hanging import hang
from secondread.report.header import Authorship
from secondread.report.overview_legend import legend_lines
from secondread.settings import ProfileSettings
from tests.unit.report.readings import (
    FIRST,
    FOUR_VIEWS,
    NODE,
    UIDS,
    by_uid,
    cluster,
    grey,
    read,
    refused,
    source,
    study,
)

BY = Authorship(NODE, UIDS, FIRST, ProfileSettings())
HEADERS = {label: source(label) for label in FOUR_VIEWS}


def exam(**findings: int) -> StudyReading:
    """Four views with so many findings each."""
    images = [
        read(
            HEADERS[label],
            *(
                cluster(n + 1, (150.5 + 90 * n, 300.5 + 70 * n), label=label, suspicion=10.0 * n)
                for n in range(findings.get(label, 0))
            ),
        )
        for label in FOUR_VIEWS
    ]
    return study(Outcome.FINDINGS, *images)


def page(reading: StudyReading, sources: dict[str, Dataset] | None = None) -> Dataset:
    return overview(reading, sources or by_uid(*HEADERS.values()), grey, BY).dataset


def names(reading: StudyReading) -> list[list[str]]:
    return [[slot.name for slot in row] for row in hang(reading).rows]


def test_right_hangs_beside_left_and_cranio_caudal_over_oblique() -> None:
    assert names(exam(LCC=1)) == [["R CC", "L CC"], ["R MLO", "L MLO"]]


def test_of_a_unilateral_exam_only_the_side_is_there() -> None:
    reading = exam(LCC=1)
    left = replace(reading, images=tuple(i for i in reading.images if side(i) == "L"))
    assert names(left) == [["L CC"], ["L MLO"]]


def side(image: ImageReading) -> str:
    laterality = image.mammogram.laterality
    assert isinstance(laterality, Laterality)
    return laterality.letter


def test_what_is_missing_or_was_not_read_says_why() -> None:
    reading = replace(
        study(
            Outcome.PARTIAL,
            read(HEADERS["LCC"], cluster()),
            refused(HEADERS["RCC"], Reason.IMPLANT),
        ),
        missing_views=("RMLO", "LMLO"),
    )
    (rcc, lcc), (rmlo, lmlo) = hang(reading).rows
    assert lcc.image is not None
    assert "implant" in rcc.why_not
    assert rmlo.why_not == lmlo.why_not == "not received"
    assert page(reading).Rows == 1400


def test_of_a_view_that_came_twice_the_one_with_more_findings_hangs() -> None:
    again = source("LCC", SOPInstanceUID="1.2.3.99")
    reading = study(
        Outcome.FINDINGS, read(HEADERS["LCC"]), read(again, cluster(), cluster(2, (500.5, 500.5)))
    )
    hanging = hang(reading)
    image = hanging.rows[0][-1].image
    assert image is not None
    assert image.mammogram.sop_instance_uid == "1.2.3.99"
    assert hanging.further == ()


def test_further_images_with_findings_are_told() -> None:
    again = source("LCC", SOPInstanceUID="1.2.3.99")
    reading = study(Outcome.FINDINGS, read(HEADERS["LCC"], cluster()), read(again, cluster()))
    assert len(hang(reading).further) == 1
    lines = legend_lines(reading, hang(reading), 600)
    assert sorted(line.entries[0].number for line in lines) == ["L CC (2) 1", "L CC 1"]


def test_findings_stand_by_falling_suspicion() -> None:
    reading = exam(LCC=3, RMLO=2)
    lines = legend_lines(reading, hang(reading), 600)
    assert [line.suspicion for line in lines] == [f"suspicion {n}" for n in (20, 10, 10, 0, 0)]


PRIOR_STUDY = "1.2.826.0.1.3680043.10.2"


def with_prior() -> tuple[StudyReading, dict[str, Dataset]]:
    old = source("LCC", SOPInstanceUID="1.2.9", StudyInstanceUID=PRIOR_STUDY, StudyDate="20250105")
    reading = exam(LCC=1)
    uid = HEADERS["LCC"].SOPInstanceUID
    view = ViewComparison(uid, "1.2.9", same_unit=True, error_mm=1.0, aligned=True)
    earlier = replace(study(Outcome.FINDINGS, read(old, cluster())), study_uid=PRIOR_STUDY)
    comparison = StudyComparison(PRIOR_STUDY, None, "prior re-read", (view,), ())
    reading = replace(reading, comparisons=(comparison,), earlier=(earlier,))
    return reading, by_uid(*HEADERS.values(), old)


def test_a_prior_hangs_beside_the_view_that_it_was_held_against() -> None:
    reading, sources = with_prior()
    hanging = hang(reading)
    assert hanging.with_priors
    assert [slot.prior is not None for row in hanging.rows for slot in row] == [
        False,
        True,
        False,
        False,
    ]
    ds = page(reading, sources)
    assert ds.StudyInstanceUID == reading.study_uid
    cited = {item.ReferencedSOPInstanceUID for item in ds.SourceImageSequence}
    assert cited == {h.SOPInstanceUID for h in HEADERS.values()}


@pytest.mark.parametrize("number", [1, 3, 8, 30])
def test_however_many_findings_the_margins_stay_empty(number: int) -> None:
    labels = [FOUR_VIEWS[n % 4] for n in range(number)]
    reading = exam(**{label: labels.count(label) for label in FOUR_VIEWS})
    array = page(reading).pixel_array
    for margin in (array[:, :36], array[:, -36:], array[:20], array[-14:]):
        assert (margin == np.array(PAGE, np.uint8)).all()


def test_an_overview_has_no_identity_and_no_scale_for_calipers() -> None:
    ds = page(exam(LCC=1))
    other = [source(label, PatientName="Else^Somebody", PatientID="2") for label in FOUR_VIEWS]
    assert page(exam(LCC=1), by_uid(*other)).PixelData == ds.PixelData
    assert ds.BurnedInAnnotation == "NO"
    assert "PixelSpacing" not in ds
    assert ds.ImageLaterality == "B"


def picture(label: str, orientation: list[str] | None) -> ImageReading:
    return read(source(label, PatientOrientation=orientation or ""))


@pytest.mark.parametrize(
    ("label", "orientation", "expected"),
    [
        ("LCC", ["A", "R"], Hanging()),
        ("LCC", ["P", "L"], Hanging(mirrored=True, upside_down=True)),
        ("RCC", ["P", "L"], Hanging()),
        ("RCC", ["A", "R"], Hanging(mirrored=True, upside_down=True)),
        ("LMLO", ["A", "FR"], Hanging()),
        ("LMLO", ["P", "HL"], Hanging(mirrored=True, upside_down=True)),
        ("RMLO", ["P", "FL"], Hanging()),
        ("RMLO", ["A", "F"], Hanging(mirrored=True)),
        ("RMLO", None, Hanging()),
    ],
)
def test_views_are_hung_back_to_back(
    label: str, orientation: list[str] | None, expected: Hanging
) -> None:
    assert hung(picture(label, orientation)) == expected
