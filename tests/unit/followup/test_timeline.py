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
    priority=None,
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


def test_new_and_growing_lesions_come_first_and_gone_ones_last_each_by_priority() -> None:
    def make(lesion: str, change: str, priority: float | None) -> Sighting:
        return replace(SECOND, lesion=lesion, change=change, priority=priority)

    gone = replace(FIRST, lesion="gone", change="new", priority=90.0)
    sightings = [
        gone,
        make("unchanged, 40", "unchanged", 40.0),
        make("unrated", "", None),
        make("unchanged, 60", "decreased in number", 60.0),
        replace(make("outside", "", 5.0), study_uid="1.1", study_date=FIRST.study_date),
        make("new", "new", 10.0),
        make("grown", "increased in size", 20.0),
        replace(make("grown", "unchanged", 1.0), label="LMLO", sop_instance_uid="1.2.2"),
    ]
    absences = [
        LesionAbsence("gone", "1.2", SECOND.study_date, "LCC", "gone"),
        LesionAbsence("outside", "1.2", SECOND.study_date, "LCC", "not-in-field-of-view"),
    ]

    found = build_histories(sightings, absences, {})

    assert [history.lesion for history in found] == [
        "grown",
        "new",
        "unchanged, 60",
        "unchanged, 40",
        "outside",
        "unrated",
        "gone",
    ]


def test_what_is_seen_again_after_it_was_gone_is_not_gone() -> None:
    again = replace(SECOND, study_uid="1.3", study_date=date(2027, 1, 5))
    absence = LesionAbsence(FIRST.lesion, "1.2", date(2026, 1, 5), "LCC", "gone")

    (history,) = build_histories([FIRST, again], [absence], {})

    assert not history.is_gone


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
