"""Replacing and rejecting images: who may, what becomes of it where one may not, who is told."""

from dataclasses import replace

import pytest

from secondread.accept.dispositions import Disposition
from secondread.accept.ledger import RecordOutcome
from secondread.track.change_rights import ChangeRights, Sender
from secondread.track.states import Cause
from secondread.track.summaries import ImageSummary, RefusedChange, StudyDetail
from secondread.track.values import StudyChange
from tests.worlds.track_world import (
    MODALITY,
    STUDY,
    World,
    association_of,
    mammogram,
    rejection_note,
    stored,
)

RCC = str(mammogram("RCC").SOPInstanceUID)
PACS = Sender("PACS", "10.0.0.5")
STRANGER = Sender("VIEWER", "10.0.0.9")
MOVED = Sender(MODALITY.peer, "10.0.0.77")
EXPIRED = "113039"


@pytest.fixture(autouse=True)
def _pacs_may(world: World) -> None:
    world.rights = ChangeRights(everything=frozenset({"PACS"}))


def detail(world: World) -> StudyDetail:
    study_detail = world.tracker.study_queries.find_detail(STUDY)
    assert study_detail is not None
    return study_detail


def image_of(world: World, uid: str = RCC) -> ImageSummary:
    """Return the version of an image that counts."""
    (image,) = [i for i in detail(world).images if i.sop_instance_uid == uid and i.current]
    return image


def alarms(world: World) -> list[str]:
    return [alarm.kind for alarm in world.tracker.node_queries.list_alarms()]


def inputs(world: World) -> set[str]:
    return {i.sop_instance_uid for i in world.tracker.studies.list_current_inputs(STUDY)}


@pytest.mark.parametrize("sender", [MODALITY, PACS])
def test_the_first_sender_and_the_archive_replace_an_image(world: World, sender: Sender) -> None:
    world.send_study()
    before = image_of(world).path
    assert world.arrive(mammogram("RCC"), content="b", sender=sender) is RecordOutcome.CONFLICTING
    assert image_of(world).path != before
    assert alarms(world) == []


@pytest.mark.parametrize("sender", [STRANGER, MOVED])
def test_another_peer_or_its_like_elsewhere_replaces_nothing(world: World, sender: Sender) -> None:
    world.send_study()
    world.read_study()
    before = image_of(world).path

    outcome = world.arrive(mammogram("RCC"), content="b", sender=sender)

    assert outcome is RecordOutcome.NOT_PERMITTED
    assert image_of(world).path == before
    assert world.state() == "reported"
    assert detail(world).refused_changes == (
        RefusedChange(StudyChange.REPLACE, *sender, RCC, world.now),
    )
    (alarm,) = world.tracker.node_queries.list_alarms()
    assert (alarm.kind, alarm.subject) == ("change-not-permitted", STUDY)
    who_what_when = f"{sender.peer} at {sender.address} tried to replace 1 image on 2026-11-22 10:"
    assert alarm.detail.startswith(who_what_when)


def test_a_peer_whose_addresses_are_listed_may_call_from_any_of_them(world: World) -> None:
    world.rights = ChangeRights(located=frozenset({MODALITY.peer}))
    world.send_study()
    assert world.arrive(mammogram("RCC"), content="b", sender=MOVED) is RecordOutcome.CONFLICTING


def test_a_peer_that_may_change_nothing_adds_and_repeats_all_the_same(world: World) -> None:
    world.rights = ChangeRights(nothing=frozenset({MODALITY.peer}))
    world.send_study()
    assert world.arrive(mammogram("RCC"), content="b") is RecordOutcome.NOT_PERMITTED
    assert world.arrive(mammogram("RCC")) is RecordOutcome.REPEATED
    world.arrive_note(rejection_note([RCC]))
    assert len(inputs(world)) == 4


def test_anybody_adds_to_a_study(world: World) -> None:
    world.send_study(("RCC", "RMLO", "LCC"))
    assert world.arrive(mammogram("LMLO"), sender=STRANGER) is RecordOutcome.NEW
    assert len(inputs(world)) == 4
    assert alarms(world) == []


def test_equal_bytes_from_another_peer_are_a_harmless_repeat(world: World) -> None:
    world.send_study()
    assert world.arrive(mammogram("RCC"), sender=STRANGER) is RecordOutcome.REPEATED
    assert alarms(world) == []
    # A repeat gives no right to what others sent.
    outcome = world.arrive(mammogram("RCC"), content="b", sender=STRANGER)
    assert outcome is RecordOutcome.NOT_PERMITTED


def test_what_a_stranger_tried_counts_once_the_archive_sends_the_same(world: World) -> None:
    world.send_study()
    world.read_study()
    world.arrive(mammogram("RCC"), content="b", sender=STRANGER)

    assert world.arrive(mammogram("RCC"), content="b", sender=PACS) is RecordOutcome.CONFLICTING

    assert detail(world).refused_changes == ()
    world.hang_up(PACS)
    world.hang_up(STRANGER)
    world.later(150)
    claimed = world.claimed()
    assert (claimed.number, claimed.cause) == (2, Cause.CORRECTED_INSTANCE)


def test_a_strangers_version_repeated_by_itself_stays_without_effect(world: World) -> None:
    world.send_study()
    before = image_of(world).path
    for _ in range(2):
        world.arrive(mammogram("RCC"), content="b", sender=STRANGER)
    assert image_of(world).path == before
    assert len(detail(world).refused_changes) == 1


@pytest.mark.parametrize("sender", [MODALITY, PACS])
def test_the_first_sender_and_the_archive_reject_an_image(world: World, sender: Sender) -> None:
    world.send_study()
    world.arrive_note(rejection_note([RCC]), sender)
    assert RCC not in inputs(world)
    assert alarms(world) == []


@pytest.mark.parametrize("title", ["113001", EXPIRED])
def test_a_strangers_note_rejects_nothing_and_is_shown(world: World, title: str) -> None:
    world.send_study()
    world.read_study()
    uids = sorted(inputs(world))

    world.arrive_note(rejection_note(uids, title=title), STRANGER)

    assert sorted(inputs(world)) == uids
    assert world.state() == "reported"
    assert alarms(world) == ["change-not-permitted"]
    tried = detail(world).refused_changes
    assert {change.sop_instance_uid for change in tried} == set(uids)
    assert {(change.change, change.peer) for change in tried} == {(StudyChange.REJECT, "VIEWER")}


def test_a_note_counts_for_the_images_of_its_sender_alone(world: World) -> None:
    world.send_study(("RCC", "RMLO"))
    world.arrive(mammogram("LCC"), sender=STRANGER)
    lcc = str(mammogram("LCC").SOPInstanceUID)
    world.arrive_note(rejection_note([RCC, lcc]), STRANGER)
    assert RCC in inputs(world)
    assert lcc not in inputs(world)


def test_the_archive_forwards_a_note_that_a_stranger_sent_before(world: World) -> None:
    world.send_study()
    world.read_study()
    note = rejection_note([RCC])
    world.arrive_note(note, STRANGER)
    assert RCC in inputs(world)

    assert world.arrive_note(note, PACS) is RecordOutcome.REPEATED

    assert RCC not in inputs(world)
    assert world.state() == "assembling"


def test_a_note_that_comes_first_counts_only_if_its_sender_sends_the_image(world: World) -> None:
    world.arrive_note(rejection_note([RCC]), STRANGER)
    world.send_study()
    assert RCC in inputs(world)
    assert alarms(world) == ["change-not-permitted"]


def test_of_two_notes_before_the_image_that_of_its_sender_counts(world: World) -> None:
    world.arrive_note(rejection_note([RCC]), STRANGER)
    world.arrive_note(rejection_note([RCC], number=2))
    world.send_study()
    assert RCC not in inputs(world)
    assert [change.peer for change in detail(world).refused_changes] == ["VIEWER"]


def test_the_archives_note_counts_before_the_image_comes(world: World) -> None:
    world.arrive_note(rejection_note([RCC]), PACS)
    world.send_study()
    assert RCC not in inputs(world)


def test_a_right_that_is_given_later_counts_when_the_note_is_sent_again(world: World) -> None:
    world.send_study()
    note = rejection_note([RCC])
    world.arrive_note(note, STRANGER)
    world.rights = ChangeRights(everything=frozenset({"VIEWER"}))
    world.arrive_note(note, STRANGER)
    assert RCC not in inputs(world)


def test_an_expiry_that_was_lifted_is_not_carried_out_again(world: World) -> None:
    world.send_study()
    note = rejection_note([RCC], title=EXPIRED)
    world.arrive_note(note, PACS)
    assert RCC not in inputs(world)
    world.arrive(mammogram("RCC"))
    assert RCC in inputs(world)

    for sender in (PACS, MODALITY):
        world.arrive_note(note, sender)

    assert RCC in inputs(world)


def test_a_rejection_after_an_expiry_lasts(world: World) -> None:
    world.send_study()
    world.arrive_note(rejection_note([RCC], title=EXPIRED), PACS)
    world.arrive_note(rejection_note([RCC], number=2), PACS)
    world.arrive_note(rejection_note([RCC], number=3, title=EXPIRED), PACS)
    world.arrive(mammogram("RCC"))
    assert RCC not in inputs(world)


def test_a_note_of_thousands_of_instances_is_carried_out(world: World) -> None:
    world.send_study()
    uids = [f"1.2.3.{number}" for number in range(1, 1200)]
    world.arrive_note(rejection_note([*uids, RCC]))
    assert RCC not in inputs(world)


def test_a_person_clears_the_alarm_and_what_was_tried_stays_listed(world: World) -> None:
    world.send_study()
    world.arrive(mammogram("RCC"), content="b", sender=STRANGER)

    cleared = world.tracker.alarms.acknowledge(STUDY, "someone", world.now)

    assert cleared == ("change-not-permitted",)
    assert alarms(world) == []
    assert len(detail(world).refused_changes) == 1
    assert world.tracker.alarms.acknowledge(STUDY, "someone", world.now) == ()
    # A further attempt is news.
    world.arrive(mammogram("RCC"), content="c", sender=STRANGER)
    assert alarms(world) == ["change-not-permitted"]


def test_the_alarm_names_the_latest_attempt(world: World) -> None:
    world.send_study()
    world.arrive(mammogram("RCC"), content="b", sender=STRANGER)
    world.arrive_note(rejection_note([RCC]), MOVED)
    (alarm,) = world.tracker.node_queries.list_alarms()
    assert alarm.detail.startswith("MODALITY at 10.0.0.77 tried to reject 1 image")


def test_what_an_archive_sent_unasked_counts_once_the_unit_sends_it(world: World) -> None:
    world.send_study(("LCC", "RMLO", "LMLO"))
    header = mammogram("RCC")
    unasked = replace(stored(header, world.now), was_requested=True)
    world.ledger.record_instance(unasked, header)
    assert RCC not in inputs(world)

    assert world.arrive(header) is RecordOutcome.NEW

    assert RCC in inputs(world)
    # The unit is its first sender now.
    assert world.arrive(header, content="corrected") is RecordOutcome.CONFLICTING


def test_a_note_under_the_uid_of_an_image_takes_no_place(world: World) -> None:
    world.send_study()
    note = rejection_note(["1.2.3.4"])
    note.SOPInstanceUID = RCC
    over = association_of(STRANGER)
    instance = stored(note, world.now, Disposition.REJECTION_NOTE, content="n", sent_over=over)
    assert world.ledger.record_instance(instance, note) is RecordOutcome.NOT_PERMITTED
    assert len(inputs(world)) == 4
    assert alarms(world) == ["change-not-permitted"]


def test_a_change_that_counts_later_settles_from_then_on(world: World) -> None:
    world.send_study()
    world.read_study()
    world.arrive(mammogram("RCC"), content="b", sender=STRANGER)
    world.hang_up(STRANGER)
    world.later(3600)
    world.arrive(mammogram("RCC"), content="b", sender=PACS)
    world.hang_up(PACS)
    assert world.due() == []
    world.later(20)
    assert world.due() == [STUDY]
