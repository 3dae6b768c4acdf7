"""Objects beside the images: stored, shown, removed for their age, and of no use to a reading."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from secondread.accept.dispositions import Disposition
from secondread.accept.ledger import RecordOutcome
from secondread.errors import InputError
from secondread.reasons import Reason
from secondread.track.operations import OWN_ALTERED
from secondread.track.states import StudyState
from tests.worlds.track_world import START, STUDY, World, mammogram, stored


def capture(study: str = STUDY, patient: str = "P1") -> Dataset:
    """Return a scanned worksheet."""
    ds = mammogram("LCC", study, patient=patient)
    ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.SOPInstanceUID = f"{study}.5.1"
    ds.Modality = "OT"
    return ds


def arrive(
    world: World, header: Dataset, *, content: str = "first", is_altered: bool = False
) -> RecordOutcome:
    instance = stored(header, world.now, Disposition.NOT_ANALYSED, content=content)
    return world.ledger.record_instance(replace(instance, is_altered=is_altered), header)


def remove_all(
    world: World, days: float = 30, remove_file: Callable[[str], None] = lambda path: None
) -> int:
    objects, limit = world.tracker.other_objects, world.now - timedelta(days=days)
    return sum(
        objects.remove(item, limit, remove_file, world.now)
        for item in objects.list_arrived_before(limit, 100)
    )


def show(world: World, study: str = STUDY) -> tuple[StudyState, int, list[Disposition]]:
    detail = world.tracker.study_queries.find_detail(study)
    assert detail is not None
    return (
        detail.summary.state,
        detail.summary.images,
        [item.disposition for item in detail.other_objects],
    )


def test_a_study_of_captures_alone_waits_for_nothing_and_shows_them(world: World) -> None:
    assert arrive(world, capture()) is RecordOutcome.NEW
    world.hang_up()
    world.later(1e6)
    assert show(world) == (StudyState.WITHOUT_IMAGES, 0, [Disposition.NOT_ANALYSED])
    assert world.due() == []
    with pytest.raises(InputError, match="no image"):
        world.tracker.studies.request_reading(STUDY, "jane", world.now)


def test_images_that_come_after_a_capture_are_read(world: World) -> None:
    arrive(world, capture())
    world.send_study()
    world.later(20)
    assert world.due() == [STUDY]
    claimed = world.claimed()
    assert len(world.tracker.studies.list_inputs(STUDY, claimed.number)) == 4


def test_a_capture_does_not_stand_for_a_view_nor_put_off_a_reading(world: World) -> None:
    world.send_study(views=("RCC", "LCC", "RMLO"))
    world.later(19)
    arrive(world, capture())
    world.hang_up()
    world.later(1)
    assert world.due() == []  # a view is missing, whatever the capture's header says
    world.later(100)
    assert world.due() == [STUDY]  # the quiet time counts from the last image


def test_a_capture_after_the_report_makes_no_revision(world: World) -> None:
    world.send_study()
    world.read_study()
    arrive(world, capture())
    world.hang_up()
    world.later(1e5)
    assert world.due() == []
    assert show(world) == (StudyState.REPORTED, 4, [Disposition.NOT_ANALYSED])


def test_a_capture_under_another_name_does_not_change_the_patient_of_a_study(world: World) -> None:
    arrive(world, capture(patient="P2"))
    world.send_study()
    assert world.tracker.node_queries.list_alarms() == []
    world.later(20)
    world.claimed()
    assert arrive(world, capture(patient="P3"), content="second") is RecordOutcome.CONFLICTING
    assert world.tracker.node_queries.list_alarms() == []


def test_a_capture_takes_no_images_place_whatever_its_uid(world: World) -> None:
    world.send_study()
    impostor = capture()
    impostor.SOPInstanceUID = mammogram("LCC").SOPInstanceUID
    arrive(world, impostor)
    world.hang_up()
    world.later(20)
    claimed = world.claimed()
    assert len(world.tracker.studies.list_inputs(STUDY, claimed.number)) == 4


def test_a_prior_that_is_asked_for_is_held_though_a_capture_of_it_came_first(world: World) -> None:
    arrive(world, capture())
    image = replace(stored(mammogram("LCC"), world.now), was_requested=True)
    world.ledger.record_instance(image, mammogram("LCC"))
    detail = world.tracker.study_queries.find_detail(STUDY)
    assert detail is not None
    assert (detail.summary.state, detail.summary.hold_reason) == (
        StudyState.HELD,
        Reason.FETCHED_AS_PRIOR,
    )


def test_captures_are_removed_for_their_age_and_images_never(world: World) -> None:
    removed: list[str] = []
    world.send_study()
    arrive(world, capture())
    world.hang_up()
    path = stored(capture(), START).relative_path
    world.later(30 * 86400 - 1)
    assert remove_all(world, remove_file=removed.append) == 0
    world.later(2)
    assert remove_all(world, remove_file=removed.append) == 1
    assert removed == [path]
    assert show(world)[1:] == (4, [])
    assert remove_all(world, remove_file=removed.append) == 0


def test_a_capture_that_comes_again_stays_for_as_long_again(world: World) -> None:
    arrive(world, capture())
    world.later(20 * 86400)
    assert arrive(world, capture()) is RecordOutcome.REPEATED
    world.later(20 * 86400)
    assert remove_all(world) == 0
    world.later(11 * 86400)
    assert remove_all(world) == 1


def test_one_that_came_again_since_it_was_listed_is_left_alone(world: World) -> None:
    arrive(world, capture())
    world.later(31 * 86400)
    limit = world.now - timedelta(days=30)
    (item,) = world.tracker.other_objects.list_arrived_before(limit, 100)
    arrive(world, capture())
    assert not world.tracker.other_objects.remove(item, limit, pytest.fail, world.now)


def test_a_file_that_cannot_be_removed_keeps_its_row(world: World) -> None:
    def fail(_: str) -> None:
        raise OSError("read-only")

    arrive(world, capture())
    world.later(31 * 86400)
    with pytest.raises(OSError, match="read-only"):
        remove_all(world, remove_file=fail)
    assert show(world)[2] == [Disposition.NOT_ANALYSED]


def test_own_objects_that_come_back_altered_raise_an_alarm_until_they_are_removed(
    world: World,
) -> None:
    arrive(world, capture(), is_altered=True)
    (alarm,) = world.tracker.node_queries.list_alarms()
    assert (alarm.kind, alarm.subject) == (OWN_ALTERED, "MODALITY")
    detail = world.tracker.study_queries.find_detail(STUDY)
    assert detail is not None
    assert [item.is_altered for item in detail.other_objects] == [True]
    world.later(31 * 86400)
    assert remove_all(world) == 1
    assert world.tracker.node_queries.list_alarms() == []
