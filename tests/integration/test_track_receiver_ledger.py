"""Intake: what an arriving instance changes, and when its study is due."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from secondread.accept.dispositions import Disposition
from secondread.accept.ledger import OutboxFile, RecordOutcome
from secondread.assemble.due import DueRules, DueTimes
from secondread.assemble.patient_key import PatientKey
from secondread.errors import InputError
from secondread.reasons import Reason
from secondread.track.receiver_ledger import ReceiverLedger
from secondread.track.states import Cause
from secondread.track.summaries import StudyDetail
from secondread.track.tables import Base
from secondread.track.tracker import Tracker
from secondread.track.values import TreatmentRecord
from tests.worlds.track_world import (
    SETTINGS,
    START,
    STUDY,
    World,
    association,
    mammogram,
    other_cad_sr,
    reading,
    rejection_note,
    stored,
)


def detail(world: World, study: str = STUDY) -> StudyDetail:
    study_detail = world.tracker.study_queries.find_detail(study)
    assert study_detail is not None
    return study_detail


def test_a_study_is_due_when_its_views_are_in_and_the_settle_time_has_passed(world: World) -> None:
    world.send_study()
    world.later(19)
    assert world.due() == []
    world.later(1)
    assert world.due() == [STUDY]


def test_an_open_association_that_delivered_to_the_study_keeps_it_waiting(world: World) -> None:
    for view in ("RCC", "LCC", "RMLO", "LMLO"):
        world.arrive(mammogram(view))
    world.later(30)
    assert world.due() == []
    world.hang_up()
    assert world.due() == [STUDY]


def test_an_open_association_for_another_study_keeps_nothing_waiting(world: World) -> None:
    world.send_study()
    world.arrive(mammogram("RCC", "1.2.3.4"))
    world.later(30)
    assert world.due() == [STUDY]


def test_without_the_expected_views_the_quiet_time_decides(world: World) -> None:
    world.send_study(("RCC", "LCC"))
    world.later(119)
    assert world.due() == []
    world.later(1)
    assert world.due() == [STUDY]


def test_a_peer_that_never_hangs_up_cannot_keep_a_study_for_ever(world: World) -> None:
    world.arrive(mammogram("RCC"))
    world.later(120)
    assert world.due() == [STUDY]


def test_each_arrival_sets_the_times_anew(world: World) -> None:
    world.send_study(("RCC",))
    world.later(100)
    world.send_study(("LCC",))
    world.later(100)
    assert world.due() == []


def test_one_breast_is_complete_after_a_mastectomy(world: World) -> None:
    gone = TreatmentRecord(side="L", procedure="mastectomy", source="csv")
    world.tracker.treatments.add_treatment(PatientKey("P1", ""), gone, world.now)
    world.send_study(("RCC", "RMLO"))
    world.later(20)
    assert world.due() == [STUDY]


def test_one_breast_is_complete_when_the_prior_had_only_that_one(world: World) -> None:
    world.send_study(("LCC", "LMLO"), "1.2.3.1", date="20251101")
    world.send_study(("LCC", "LMLO"))
    world.later(20)
    assert STUDY in world.due()


def test_images_outside_the_scope_do_not_complete_a_view_set(world: World) -> None:
    for view in ("RCC", "LCC", "RMLO", "LMLO"):
        header = mammogram(view)
        header.EstimatedRadiographicMagnificationFactor = "1.8"
        world.arrive(header)
    world.hang_up()
    world.later(30)
    assert world.due() == []


def test_for_processing_images_do_not_complete_a_view_set(world: World) -> None:
    for view in ("RCC", "LCC", "RMLO", "LMLO"):
        header = mammogram(view)
        header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2.1"
        world.arrive(header)
    world.hang_up()
    world.later(30)
    assert world.due() == []


def test_the_same_bytes_again_change_nothing(world: World) -> None:
    world.send_study()
    world.later(10)
    assert world.arrive(mammogram("RCC")) is RecordOutcome.REPEATED
    world.hang_up()
    world.later(10)
    assert world.due() == [STUDY]
    assert detail(world).summary.images == 4


def test_other_bytes_under_the_same_uid_are_both_kept_and_flagged(world: World) -> None:
    world.arrive(mammogram("RCC"))
    assert world.arrive(mammogram("RCC"), content="second") is RecordOutcome.CONFLICTING
    images = detail(world).images
    assert [image.current for image in images] == [False, True]
    assert all(image.conflict for image in images)
    world.later(120)
    inputs = world.tracker.studies.list_inputs(STUDY, world.claimed().number)
    assert [image.path for image in inputs] == [images[1].path]


def test_a_uid_of_another_study_takes_no_image_out_of_it(world: World) -> None:
    world.arrive(mammogram("RCC"))
    thief = mammogram("RCC", "1.2.9")
    thief.SOPInstanceUID = mammogram("RCC").SOPInstanceUID
    assert world.arrive(thief, content="stolen") is RecordOutcome.CONFLICTING
    assert [image.current for image in detail(world).images] == [True]


def test_a_header_that_makes_no_sense_is_kept_with_its_reason(world: World) -> None:
    header = mammogram("RCC")
    instance = stored(header, world.now)
    del header.SeriesInstanceUID
    assert world.ledger.record_instance(instance, header) is RecordOutcome.NEW
    assert [image.scope_reason for image in detail(world).images] == [Reason.HEADER_INVALID]


def test_a_uid_that_is_too_long_is_refused_and_leaves_nothing(world: World) -> None:
    header = mammogram("RCC")
    instance = replace(stored(header, world.now), series_uid="1." + "2" * 63)
    with pytest.raises(InputError):
        world.ledger.record_instance(instance, header)
    assert world.tracker.study_queries.list_studies() == []


def test_what_the_archive_should_hold_is_listed_page_by_page(world: World) -> None:
    world.send_study()
    first = world.tracker.node_queries.list_expected_files(limit=3)
    rest = world.tracker.node_queries.list_expected_files(after=first[-1].id, limit=3)
    assert (len(first), len(rest)) == (3, 1)
    assert len({file.path for file in first + rest}) == 4
    assert all(file.size_bytes == 27_300_000 for file in first + rest)


def test_a_report_of_another_maker_makes_nothing_due(world: World) -> None:
    header = other_cad_sr()
    kind = Disposition.OTHER_CAD_SR
    assert (
        world.ledger.record_instance(stored(header, world.now, kind), header) is RecordOutcome.NEW
    )
    world.later(1000)
    assert world.due() == []


def test_a_rejected_image_is_not_read(world: World) -> None:
    world.send_study()
    rejected = str(mammogram("RCC").SOPInstanceUID)
    assert world.arrive_note(rejection_note([rejected])) is RecordOutcome.NEW
    world.later(150)
    inputs = world.tracker.studies.list_inputs(STUDY, world.claimed().number)
    assert len(inputs) == 3
    assert rejected not in [image.sop_instance_uid for image in inputs]


def test_a_rejection_after_the_report_makes_a_revision_of_its_own(world: World) -> None:
    world.send_study()
    world.read_study()
    world.arrive_note(rejection_note([str(mammogram("RCC").SOPInstanceUID)]))
    world.hang_up()
    world.later(120)
    claimed = world.claimed()
    assert (claimed.number, claimed.cause, claimed.predecessor) == (2, Cause.REJECTION, 1)


def test_a_note_that_comes_before_its_image_withdraws_it_too(world: World) -> None:
    world.arrive_note(rejection_note([str(mammogram("RCC").SOPInstanceUID)]))
    world.arrive(mammogram("RCC"))
    world.hang_up()
    assert [image.rejected for image in detail(world).images] == [True]
    world.later(1000)
    assert world.due() == []


def test_a_note_withdraws_nothing_of_another_study(world: World) -> None:
    world.send_study()
    world.arrive_note(rejection_note([str(mammogram("RCC").SOPInstanceUID)], "1.2.7"))
    assert not any(image.rejected for image in detail(world).images)


def test_a_note_repeated_makes_no_further_revision(world: World) -> None:
    world.send_study()
    note = rejection_note([str(mammogram("RCC").SOPInstanceUID)])
    world.arrive_note(note)
    world.read_study()
    assert world.arrive_note(note) is RecordOutcome.REPEATED
    assert world.arrive_note(rejection_note([str(mammogram("RCC").SOPInstanceUID)], number=2))
    assert world.state() == "reported"


def test_a_late_image_makes_the_next_revision(world: World) -> None:
    world.send_study(("RCC", "RMLO", "LCC"))
    world.read_study()
    world.arrive(mammogram("LMLO"))
    world.hang_up()
    assert world.state() == "assembling"
    world.later(20)
    claimed = world.claimed()
    assert (claimed.number, claimed.cause) == (2, Cause.LATE_INSTANCE)


def test_a_repeat_after_the_report_reopens_nothing(world: World) -> None:
    world.send_study()
    world.read_study()
    assert world.arrive(mammogram("RCC")) is RecordOutcome.REPEATED
    assert world.state() == "reported"


def test_an_image_after_the_late_window_is_kept_and_told_but_not_read(world: World) -> None:
    world.send_study(("RCC", "RMLO", "LCC"))
    world.read_study()
    world.later(timedelta(days=8).total_seconds())
    assert world.arrive(mammogram("LMLO")) is RecordOutcome.NEW
    assert world.state() == "reported"
    assert [image.late for image in detail(world).images] == [False, False, False, True]
    assert [alarm.kind for alarm in world.tracker.node_queries.list_alarms()] == ["late-instance"]


def test_what_nobody_would_read_raises_no_alarm_after_the_late_window(world: World) -> None:
    world.send_study()
    world.read_study()
    world.later(timedelta(days=8).total_seconds())
    magnified = mammogram("LCC")
    magnified.SOPInstanceUID = f"{STUDY}.99"
    magnified.EstimatedRadiographicMagnificationFactor = "1.8"
    assert world.arrive(magnified) is RecordOutcome.NEW
    assert world.state() == "reported"
    assert world.tracker.node_queries.list_alarms() == []


def test_an_image_that_comes_while_the_study_is_read_makes_the_next_revision(
    world: World,
) -> None:
    world.send_study(("RCC", "RMLO", "LCC"))
    world.later(150)
    claimed = world.claimed()
    world.arrive(mammogram("LMLO"))
    world.hang_up()
    assert world.state() == "reading"
    assert world.claim() is None
    assert len(world.tracker.studies.list_inputs(STUDY, claimed.number)) == 3
    world.record(reading(claimed))
    assert world.state() == "assembling"
    world.later(20)
    second = world.claimed()
    assert (second.number, second.cause) == (2, Cause.LATE_INSTANCE)
    assert len(world.tracker.studies.list_inputs(STUDY, 2)) == 4


def test_a_held_study_stays_held_whatever_comes(world: World) -> None:
    world.send_study(("RCC",))
    world.later(120)
    assert world.tracker.studies.hold_study(STUDY, Reason.PRIOR_ONLY_BY_AGE, world.now)
    world.send_study(("LCC", "RMLO", "LMLO"))
    world.later(1000)
    assert world.due() == []
    assert world.state() == "held"


def test_a_receiver_that_starts_again_forgets_what_it_had_open(world: World) -> None:
    world.arrive(mammogram("RCC"))
    for view in ("LCC", "RMLO", "LMLO"):
        world.arrive(mammogram(view))
    world.later(30)
    assert world.due() == []
    world.ledger.record_receiver_start(world.now)
    assert world.due() == [STUDY]


def test_a_receiver_that_starts_leaves_the_associations_of_another(world: World) -> None:
    for view in ("RCC", "LCC", "RMLO", "LMLO"):
        world.arrive(mammogram(view))
    world.later(30)
    other = world.tracker.open_ledger("receive-1", SETTINGS)
    other.record_receiver_start(world.now)
    assert world.due() == []


def test_opening_and_closing_may_be_repeated(world: World) -> None:
    for _ in range(2):
        world.ledger.record_association_start(association())
    for _ in range(2):
        world.ledger.record_association_end(association().association_id, world.now)


def test_an_object_of_the_outbox_is_known_as_own(world: World) -> None:
    world.send_study()
    world.later(150)
    made = world.record(reading(world.claimed()))
    own = world.ledger.find_own(made[0].sop_instance_uid)
    assert own == OutboxFile(made[0].path, made[0].sha256)
    assert world.ledger.find_own(str(mammogram("RCC").SOPInstanceUID)) is None


def test_images_without_a_patient_id_have_no_priors(world: World) -> None:
    for study, date in (("1.2.3.1", "20251101"), ("1.2.3.2", "20261101")):
        world.arrive(mammogram("RCC", study, patient="", date=date))
    world.later(150)
    claimed = world.claimed("1.2.3.2")
    assert world.tracker.studies.get_priors("1.2.3.2", claimed.number).studies == ()


def test_priors_are_the_same_patients_earlier_studies_latest_first(world: World) -> None:
    for study, date in (("1.2.3.1", "20241101"), ("1.2.3.2", "20251101"), ("1.2.3.3", "20271101")):
        world.arrive(mammogram("RCC", study, date=date))
    world.arrive(mammogram("LCC", "1.2.3.4", patient="P2", date="20251101"))
    world.send_study()
    world.later(150)
    priors = world.tracker.studies.get_priors(STUDY, world.claimed().number).studies
    assert [prior.study_uid for prior in priors] == ["1.2.3.2", "1.2.3.1"]
    assert [image.sop_instance_uid for image in priors[0].instances] == [
        mammogram("RCC", "1.2.3.2").SOPInstanceUID
    ]


def test_instants_come_back_aware_and_exact(world: World, tracker: Tracker) -> None:
    world.now = START + timedelta(microseconds=7)
    world.arrive(mammogram("RCC"))
    summary = tracker.study_queries.list_studies()[0]
    assert summary.first_arrived_at == world.now
    assert summary.first_arrived_at.utcoffset() == timedelta(0)


def test_a_transaction_that_breaks_off_leaves_nothing(world: World) -> None:
    class BrokenRules(DueRules):
        def find_due_times(self, *_: object) -> DueTimes:
            raise RuntimeError("killed")

    broken = ReceiverLedger(world.tracker.database, "receive-0", BrokenRules())
    header = mammogram("RCC")
    with pytest.raises(RuntimeError, match="killed"):
        broken.record_instance(stored(header, world.now), header)
    assert world.tracker.study_queries.list_studies() == []
    assert world.arrive(header) is RecordOutcome.NEW


def test_the_identity_of_a_patient_stands_in_one_table_only(world: World, tracker: Tracker) -> None:
    world.arrive(mammogram("RCC", patient="SECRET-4711"))
    world.arrive(mammogram("LCC", patient="OTHER-4711"))
    with tracker.database.begin_read() as session:
        tables = [table for table in _tables() if table != "patients"]
        for table in tables:
            rows = session.execute(text(f"SELECT * FROM {table}")).all()
            assert "4711" not in repr(rows), table


def _tables() -> list[str]:
    return list(Base.metadata.tables)
