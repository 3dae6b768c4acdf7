from dataclasses import replace
from datetime import UTC, date, datetime

from secondread.followup.timeline import LesionAbsence, Sighting, build_histories

FIRST = Sighting(
    lesion="2.25.1",
    study_uid="1.1",
    study_date=date(2024, 1, 5),
    sop_instance_uid="1.1.1",
    label="LCC",
    finding_id="LCC-1",
    kind="cluster",
    calcifications=5,
    long_axis_mm=6.0,
    morphology="",
    certainty=80.0,
    suspicion=None,
    shown=True,
    change="",
    read_at=datetime(2024, 1, 5, 12, tzinfo=UTC),
    model_digest="a",
)
READ_AGAIN = replace(FIRST, calcifications=6, read_at=datetime(2026, 1, 5, tzinfo=UTC))
SECOND = replace(
    FIRST,
    study_uid="1.2",
    study_date=date(2026, 1, 5),
    sop_instance_uid="1.2.1",
    calcifications=9,
    read_at=READ_AGAIN.read_at,
)


def test_of_several_readings_of_an_image_the_latest_counts() -> None:
    (history,) = build_histories([SECOND, READ_AGAIN, FIRST], [], {})

    assert [sighting.calcifications for sighting in history.sightings] == [6, 9]
    assert history.first_seen == date(2024, 1, 5)


def test_parts_that_one_reading_found_in_an_image_are_all_kept() -> None:
    part = replace(READ_AGAIN, finding_id="LCC-2", calcifications=3)

    (history,) = build_histories([FIRST, READ_AGAIN, part], [], {})

    assert sorted(sighting.calcifications for sighting in history.sightings) == [3, 6]


def test_lesions_stand_in_the_order_in_which_they_were_first_seen() -> None:
    later = replace(SECOND, lesion="2.25.0")
    undated = replace(SECOND, lesion="2.25.9", study_date=None)

    found = build_histories([later, FIRST, undated], [], {})

    assert [history.lesion for history in found] == ["2.25.9", "2.25.1", "2.25.0"]


def test_a_lesion_of_which_nothing_is_known_but_that_it_is_missing_has_no_history() -> None:
    gone = LesionAbsence("2.25.7", "1.2", date(2026, 1, 5), "LCC", "gone")

    assert build_histories([], [gone], {}) == ()


def test_a_category_belongs_to_the_lesions_of_its_breast() -> None:
    right = replace(FIRST, lesion="2.25.2", label="RCC", sop_instance_uid="1.1.2")

    left, other = build_histories([FIRST, right], [], {("1.1", "L"): "2", ("1.1", "R"): "4B"})

    assert (left.categories, other.categories) == ({"1.1": "2"}, {"1.1": "4B"})
    assert (left.sides, other.sides) == ("L", "R")


def test_a_lesion_that_was_shown_in_any_exam_was_shown() -> None:
    faint = replace(FIRST, shown=False)

    assert [history.was_shown for history in build_histories([faint], [], {})] == [False]
    assert [history.was_shown for history in build_histories([faint, SECOND], [], {})] == [True]
