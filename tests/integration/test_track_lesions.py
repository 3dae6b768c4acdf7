"""Lesions in the tracker: recorded with a result, found again by image, and over the years."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from secondread.assemble.patient_key import PatientKey
from secondread.errors import InputError
from secondread.geometry import PointPx
from secondread.reasons import ImageStatus
from secondread.track.values import RecordedFinding, RecordedImage, RecordedPriorFinding
from tests.worlds.track_world import STUDY, World, finding, mammogram, reading

PRIOR = f"{STUDY}.77"
PATIENT = PatientKey("P1", "")
IMAGE, PRIOR_IMAGE = f"{STUDY}.1", f"{PRIOR}.1"
BOX = [[10, 20], [30, 20], [30, 40], [10, 20]]


def entry(lesion: str, number: int = 1, **document: Any) -> RecordedFinding:
    values = {
        "outline": BOX,
        "calcifications": 7,
        "long_axis_mm": 5.5,
        "change": "more",
        **document,
    }
    return replace(finding(number, tracking_uid=lesion), document=values)


def of_prior(lesion: str, missed: str | None = None) -> RecordedPriorFinding:
    finding_in_prior = replace(
        entry(lesion, calcifications=4, change=None), sop_instance_uid=PRIOR_IMAGE
    )
    return RecordedPriorFinding(PRIOR, "LCC", missed, finding_in_prior)


@pytest.fixture
def followed(world: World) -> World:
    """A woman with a prior that is held and a study, both read."""
    world.send_study(study=PRIOR, date="20251122")
    world.read_study(PRIOR)
    world.send_study()
    return world


def read(
    world: World, *findings: RecordedFinding, priors: tuple[RecordedPriorFinding, ...] = ()
) -> None:
    world.later(150)
    images = [RecordedImage(IMAGE, "LCC", ImageStatus.READ)]
    result = reading(world.claimed(), findings=findings, images=images)
    world.record(replace(result, prior_findings=priors))


def test_a_lesion_is_first_seen_in_the_prior_that_shows_it(followed: World) -> None:
    read(followed, entry("2.25.7"), priors=(of_prior("2.25.7"),))

    (lesion,) = followed.tracker.lesions.list_for_patient(PATIENT)
    assert lesion.lesion == "2.25.7"
    seen = [
        (sighting.study_uid, sighting.calcifications, sighting.priority, sighting.change)
        for sighting in lesion.sightings
    ]
    assert seen == [(PRIOR, 4, 9.9, ""), (STUDY, 7, 9.9, "increased in number")]
    with followed.tracker.database.begin_read() as session:
        assert session.scalars(text("SELECT first_study_uid FROM lesions")).all() == [PRIOR]


def test_what_is_missed_has_its_word_in_the_study_that_misses_it(followed: World) -> None:
    read(followed, priors=(of_prior("2.25.7", "gone"),))

    (lesion,) = followed.tracker.lesions.list_for_study(STUDY)
    assert [(absence.study_uid, absence.word) for absence in lesion.absences] == [(STUDY, "gone")]
    assert [sighting.study_uid for sighting in lesion.sightings] == [PRIOR]


def test_only_the_latest_revision_of_a_study_counts(followed: World) -> None:
    read(followed, entry("2.25.7"), priors=(of_prior("2.25.7"),))
    followed.arrive(mammogram("RXCCL"))
    read(followed, entry("2.25.8"))

    assert [lesion.lesion for lesion in followed.tracker.lesions.list_for_patient(PATIENT)] == [
        "2.25.8"
    ]


def test_what_earlier_readings_saw_in_an_image_is_known_latest_first(followed: World) -> None:
    read(followed, entry("2.25.7"), priors=(of_prior("2.25.6"),))
    followed.arrive(mammogram("RXCCL"))
    read(followed, entry("2.25.8"))

    readings = followed.tracker.lesions.find_in_images({IMAGE, PRIOR_IMAGE})

    assert [{mark.lesion for mark in findings} for findings in readings] == [
        {"2.25.8"},
        {"2.25.7", "2.25.6"},
    ]
    assert readings[0][0].outline[1] == PointPx(30, 20)
    assert followed.tracker.lesions.find_in_images(()) == ()


def test_a_finding_without_an_outline_is_known_nowhere(followed: World) -> None:
    read(followed, entry("2.25.7", outline=None), entry("2.25.8", 2))

    assert [
        [known.lesion for known in known_findings]
        for known_findings in followed.tracker.lesions.find_in_images({IMAGE})
    ] == [["2.25.8"]]


def test_a_repeat_of_the_record_changes_nothing(followed: World) -> None:
    followed.later(150)
    claimed = followed.claimed()
    result = replace(
        reading(claimed, findings=[entry("2.25.7")]), prior_findings=(of_prior("2.25.7"),)
    )
    followed.record(result)
    followed.record(result)

    with followed.tracker.database.begin_read() as session:
        assert session.scalar(text("SELECT count(*) FROM prior_findings")) == 1
        rows = session.execute(
            text("SELECT study_uid, read_for_study_uid, priority FROM v_lesions ORDER BY study_uid")
        ).all()
    assert [tuple(row) for row in rows] == [(STUDY, STUDY, 9.9), (PRIOR, STUDY, 9.9)]


def test_another_patients_lesions_are_not_hers(followed: World) -> None:
    read(followed, entry("2.25.7"))
    followed.arrive(mammogram("LCC", "1.9.9", patient="P2"))

    assert followed.tracker.lesions.list_for_patient(PatientKey("P2", "")) == ()
    assert followed.tracker.lesions.list_for_study("1.9.9") == ()
    with pytest.raises(InputError, match="not known"):
        followed.tracker.lesions.list_for_patient(PatientKey("P3", ""))


def test_the_last_category_of_a_breast_counts_and_an_empty_one_withdraws_it(
    followed: World,
) -> None:
    read(followed, entry("2.25.7"))
    lesions = followed.tracker.lesions
    categories = []
    for category in ("3", "4A", ""):
        lesions.record_assessment(STUDY, "L", category, followed.later(1), "someone")
        categories.append(dict(lesions.list_for_patient(PATIENT)[0].categories))

    assert categories == [{STUDY: "3"}, {STUDY: "4A"}, {}]
    for study, side, category in ((STUDY, "B", "2"), (STUDY, "L", "9"), ("1.9", "L", "2")):
        with pytest.raises(InputError):
            lesions.record_assessment(study, side, category, followed.now, "someone")
