"""The overview of an exam: what hangs where, and what is said beside it."""

from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset

from secondread.codes import Change, Laterality
from secondread.findings.changes import StudyComparison, ViewComparison
from secondread.findings.finding import ImageReading, StudyReading
from secondread.reasons import Outcome, Reason
from secondread.report.pages.breast_panel import Flips, choose_flips
from secondread.report.pages.captures import make_overview
from secondread.report.pages.cards import Card
from secondread.report.pages.compared_marks import without_prior
from secondread.report.pages.drawing import BACKGROUND, WARNING
from secondread.report.pages.exam_hanging import hang_exam
from secondread.report.pages.overview_cards import list_overview_cards
from secondread.report.result import Authorship
from secondread.settings import ProfileSettings
from tests.unit.report.followed import make_followed_study
from tests.unit.report.readings import (
    FIRST_OCCASION,
    FOUR_VIEWS,
    NODE,
    UIDS,
    index_by_uid,
    make_cluster,
    make_grey_display,
    make_header,
    make_image_reading,
    make_refused_image,
    make_study_reading,
)

BY = Authorship(NODE, UIDS, FIRST_OCCASION, ProfileSettings())
HEADERS = {label: make_header(label) for label in FOUR_VIEWS}


def make_exam(**findings: int) -> StudyReading:
    """Four views with so many findings each."""
    images = [
        make_image_reading(
            HEADERS[label],
            *(
                make_cluster(
                    n + 1, (150.5 + 90 * n, 300.5 + 70 * n), label=label, suspicion=10.0 * n
                )
                for n in range(findings.get(label, 0))
            ),
        )
        for label in FOUR_VIEWS
    ]
    return make_study_reading(Outcome.FINDINGS, *images)


def make_pages(reading: StudyReading, sources: dict[str, Dataset] | None = None) -> list[Dataset]:
    sources = sources or index_by_uid(*HEADERS.values())
    results = make_overview(reading, sources, make_grey_display, BY)
    assert [result.index for result in results] == list(range(len(results)))
    return [result.dataset for result in results]


def make_page(reading: StudyReading, sources: dict[str, Dataset] | None = None) -> Dataset:
    (page,) = make_pages(reading, sources)
    return page


def list_cards(reading: StudyReading) -> list[Card]:
    return list_overview_cards(reading, hang_exam(reading), make_grey_display)


def list_names(reading: StudyReading) -> list[list[str]]:
    return [[slot.name for slot in row] for row in hang_exam(reading).rows]


def test_right_hangs_beside_left_and_cranio_caudal_over_oblique() -> None:
    assert list_names(make_exam(LCC=1)) == [["R CC", "L CC"], ["R MLO", "L MLO"]]


def test_of_a_unilateral_exam_only_the_side_is_there() -> None:
    reading = make_exam(LCC=1)
    left = replace(reading, images=tuple(i for i in reading.images if find_side(i) == "L"))
    assert list_names(left) == [["L CC"], ["L MLO"]]


def find_side(image: ImageReading) -> str:
    laterality = image.mammogram.laterality
    assert isinstance(laterality, Laterality)
    return laterality.letter


def test_what_is_missing_or_was_not_read_says_why() -> None:
    reading = replace(
        make_study_reading(
            Outcome.PARTIAL,
            make_image_reading(HEADERS["LCC"], make_cluster()),
            make_refused_image(HEADERS["RCC"], Reason.IMPLANT),
        ),
        missing_views=("RMLO", "LMLO"),
    )
    ((rcc, lcc),) = hang_exam(reading).rows
    assert lcc.image is not None
    assert "implant" in rcc.why_not
    assert make_page(reading).Rows == 1400
    missing = replace(reading, missing_views=("RCC",), images=reading.images[:1])
    assert hang_exam(missing).rows[0][0].why_not == "not received"


def test_a_row_of_views_of_which_none_came_takes_no_room() -> None:
    reading = make_exam(LCC=1)
    cc = replace(reading, images=tuple(i for i in reading.images if i.label.endswith("CC")))
    assert list_names(cc) == [["R CC", "L CC"]]


def make_repeated(*suspicions: float) -> StudyReading:
    """Return an exam of left cranio-caudal views that came one after the other, and an oblique."""
    return make_study_reading(
        Outcome.FINDINGS,
        *(
            make_image_reading(
                make_header("LCC", SOPInstanceUID=f"1.2.3.9{number}"),
                make_cluster(suspicion=suspicion),
            )
            for number, suspicion in enumerate(suspicions)
        ),
        make_image_reading(HEADERS["LMLO"], make_cluster(suspicion=5.0)),
    )


def list_hung(reading: StudyReading) -> list[list[str]]:
    return [
        [slot.image.sop_instance_uid if slot.image else slot.name for slot in row]
        for row in hang_exam(reading).rows
    ]


def test_of_a_view_that_came_twice_both_hang_beside_each_other() -> None:
    oblique = str(HEADERS["LMLO"].SOPInstanceUID)
    reading = make_repeated(10.0, 30.0)
    assert list_hung(reading) == [["1.2.3.90", "1.2.3.91"], [oblique, ""]]
    assert [slot.is_repeat for slot in hang_exam(reading).rows[0]] == [False, True]


def test_of_a_view_that_came_often_the_two_to_look_at_first_hang() -> None:
    assert list_hung(make_repeated(10.0, 30.0, 20.0))[0] == ["1.2.3.91", "1.2.3.92"]
    assert len(list_cards(make_repeated(10.0, 30.0, 20.0))) == 4


def test_views_taken_otherwise_do_not_hang_as_second_images() -> None:
    spread = make_header("LXCCL")
    reading = make_study_reading(
        Outcome.FINDINGS,
        make_image_reading(HEADERS["LCC"], make_cluster()),
        make_image_reading(spread, make_cluster()),
    )
    assert len(hang_exam(reading).rows[0]) == 1


def test_findings_of_images_that_do_not_hang_have_cards() -> None:
    spread = make_header("LXCCL", SOPInstanceUID="1.2.3.99")
    reading = make_study_reading(
        Outcome.FINDINGS,
        make_image_reading(HEADERS["LCC"], make_cluster()),
        make_image_reading(spread, make_cluster()),
    )
    hanging = hang_exam(reading)
    assert [slot.name for row in hanging.rows for slot in row if slot.image] == ["L CC"]
    assert sorted(card.views for card in list_cards(reading)) == ["CC", "XCCL"]


def test_cards_stand_by_falling_priority() -> None:
    figures = [card.figure for card in list_cards(make_exam(LCC=3, RMLO=2))]
    assert figures == [f"priority {n}" for n in (16, 8, 8, 0, 0)]


def test_a_lesion_of_both_views_has_one_card_with_its_number_once() -> None:
    reading, _ = make_followed_study()
    cards = list_overview_cards(reading, hang_exam(reading), make_grey_display)
    both = next(card for card in cards if "," in card.views)
    assert [badge.number for badge in both.badges] == ["L 2"]
    assert set(both.views.split(", ")) == {"CC", "MLO"}
    assert both.facts.count("calcifications") == 2


def test_what_is_gone_comes_last_with_its_picture_beside_the_place_now() -> None:
    reading, _ = make_followed_study()
    cards = list_overview_cards(reading, hang_exam(reading), make_grey_display)
    gone = [card.facts.startswith("Gone") for card in cards]
    assert gone == sorted(gone)
    assert any(gone)
    assert all(len(card.pictures) == 2 for card in cards)


def test_new_has_the_same_colour_in_overview_and_view() -> None:
    reading, _ = make_followed_study()
    cards = list_overview_cards(reading, hang_exam(reading), make_grey_display)
    (new,) = (card for card in cards if "NEW" in card.context)
    finding = next(f for _, f in reading.list_shown() if f.change is Change.NEW)
    assert new.badges[0].color == without_prior(finding).color == WARNING


@pytest.mark.parametrize("number", [5, 9, 20])
def test_pictures_of_many_findings_stay_legible_on_as_many_pages_as_they_need(number: int) -> None:
    labels = [FOUR_VIEWS[n % 4] for n in range(number)]
    reading = make_exam(**{label: labels.count(label) for label in FOUR_VIEWS})
    assert len(make_pages(reading)) <= 1 + number // 5


PRIOR_STUDY = "1.2.826.0.1.3680043.10.2"


def make_exam_with_prior() -> tuple[StudyReading, dict[str, Dataset]]:
    old = make_header(
        "LCC", SOPInstanceUID="1.2.9", StudyInstanceUID=PRIOR_STUDY, StudyDate="20250105"
    )
    reading = make_exam(LCC=1)
    uid = HEADERS["LCC"].SOPInstanceUID
    view = ViewComparison(uid, "1.2.9", same_unit=True, error_mm=1.0, aligned=True)
    earlier = replace(
        make_study_reading(Outcome.FINDINGS, make_image_reading(old, make_cluster())),
        study_uid=PRIOR_STUDY,
    )
    comparison = StudyComparison(PRIOR_STUDY, None, "prior re-read", (view,), ())
    reading = replace(reading, comparisons=(comparison,), prior_readings=(earlier,))
    return reading, index_by_uid(*HEADERS.values(), old)


def test_a_prior_hangs_beside_the_view_that_it_was_held_against() -> None:
    reading, sources = make_exam_with_prior()
    hanging = hang_exam(reading)
    assert hanging.has_priors
    assert [slot.prior is not None for row in hanging.rows for slot in row] == [
        False,
        True,
        False,
        False,
    ]
    ds = make_page(reading, sources)
    assert ds.StudyInstanceUID == reading.study_uid
    cited = {item.ReferencedSOPInstanceUID for item in ds.SourceImageSequence}
    assert cited == {h.SOPInstanceUID for h in HEADERS.values()}


@pytest.mark.parametrize("number", [1, 3, 8, 30])
def test_however_many_findings_the_margins_stay_empty(number: int) -> None:
    labels = [FOUR_VIEWS[n % 4] for n in range(number)]
    reading = make_exam(**{label: labels.count(label) for label in FOUR_VIEWS})
    for page in make_pages(reading):
        array = page.pixel_array
        for margin in (array[:, :36], array[:, -36:], array[:20], array[-14:]):
            assert (margin == np.array(BACKGROUND, np.uint8)).all()


def test_an_overview_has_no_identity_and_no_scale_for_calipers() -> None:
    ds = make_page(make_exam(LCC=1))
    other = [make_header(label, PatientName="Else^Somebody", PatientID="2") for label in FOUR_VIEWS]
    assert make_page(make_exam(LCC=1), index_by_uid(*other)).PixelData == ds.PixelData
    assert ds.BurnedInAnnotation == "NO"
    assert "PixelSpacing" not in ds
    assert ds.ImageLaterality == "B"


def make_view(label: str, orientation: list[str] | None) -> ImageReading:
    return make_image_reading(make_header(label, PatientOrientation=orientation or ""))


@pytest.mark.parametrize(
    ("label", "orientation", "expected"),
    [
        ("LCC", ["A", "R"], Flips()),
        ("LCC", ["P", "L"], Flips(mirrored=True, upside_down=True)),
        ("RCC", ["P", "L"], Flips()),
        ("RCC", ["A", "R"], Flips(mirrored=True, upside_down=True)),
        ("LMLO", ["A", "FR"], Flips()),
        ("LMLO", ["P", "HL"], Flips(mirrored=True, upside_down=True)),
        ("RMLO", ["P", "FL"], Flips()),
        ("RMLO", ["A", "F"], Flips(mirrored=True)),
        ("RMLO", None, Flips()),
    ],
)
def test_views_are_hung_back_to_back(
    label: str, orientation: list[str] | None, expected: Flips
) -> None:
    assert choose_flips(make_view(label, orientation)) == expected
