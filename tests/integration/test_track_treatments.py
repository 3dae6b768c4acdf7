"""Treatments and merged patients in the tracker: audit, revisions, and whose a study is."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from secondread.assemble.due import DueRules
from secondread.assemble.patient_key import PatientKey
from secondread.errors import InputError
from secondread.reasons import Reason
from secondread.track.patients import MergeResult
from secondread.track.prior_choice import FETCH_NOTHING
from secondread.track.states import Cause
from secondread.track.tables import PatientMergeRow, TreatmentChangeRow
from secondread.track.values import TreatmentRecord
from tests.worlds.track_world import STUDY, World, mammogram, reading

PATIENT, OTHER = PatientKey("P1", ""), PatientKey("P2", "")
SURGERY = TreatmentRecord("L", "lumpectomy", date(2024, 5, 1), site="2 o'clock", source="record")


def add(world: World, treatment: TreatmentRecord = SURGERY, patient: PatientKey = PATIENT) -> bool:
    return world.tracker.treatments.add_treatment(patient, treatment, world.now, "someone")


def merge(world: World, merged: PatientKey = OTHER, into: PatientKey = PATIENT) -> MergeResult:
    rules = DueRules()
    return world.tracker.patients.merge_patients(
        merged, into, "someone", world.now, rules, FETCH_NOTHING
    )


def send_other(world: World, study: str = "1.2.3.4", date: str = "20241101") -> None:
    for view in ("LCC", "LMLO"):
        world.arrive(mammogram(view, study, patient="P2", date=date))
    world.hang_up()


def test_a_new_treatment_makes_one_revision_of_a_recently_reported_study(world: World) -> None:
    world.send_study()
    world.read_study()
    world.later(3600)
    assert add(world)
    assert add(world, TreatmentRecord("L", "radiotherapy", date(2024, 6, 1), source="record"))
    assert world.due() == []
    world.later(20)
    assert world.due() == [STUDY]
    claimed = world.claimed()
    assert (claimed.cause, claimed.number) == (Cause.TREATMENT_CHANGED, 2)
    world.record(reading(claimed))
    assert world.state() == "reported"


def test_a_treatment_that_is_known_already_changes_nothing(world: World) -> None:
    add(world)
    world.send_study()
    world.read_study()
    assert not add(world)
    world.later(60)
    assert world.due() == []


def test_a_study_that_was_reported_before_the_late_window_is_left_as_it_is(world: World) -> None:
    world.send_study()
    world.read_study()
    world.later(timedelta(days=7, minutes=1).total_seconds())
    add(world)
    world.later(60)
    assert (world.state(), world.due()) == ("reported", [])


def test_a_treatment_after_the_day_of_a_study_does_not_concern_it(world: World) -> None:
    world.send_study()
    world.read_study()
    add(world, TreatmentRecord("L", "lumpectomy", date(2026, 12, 1), source="record"))
    world.later(60)
    assert world.due() == []


def test_a_treatment_that_comes_during_a_reading_makes_the_next_revision(world: World) -> None:
    world.send_study()
    world.later(20)
    claimed = world.claimed()
    add(world)
    world.record(reading(claimed))
    world.later(20)
    assert world.claimed().cause is Cause.TREATMENT_CHANGED


def test_a_record_frees_a_study_that_was_held_for_want_of_one(world: World) -> None:
    world.send_study()
    world.later(20)
    assert world.tracker.studies.hold_study(STUDY, Reason.NOT_TREATED, world.now)
    add(world)
    world.later(20)
    due = world.tracker.studies.list_due(world.now, 5)
    assert [(study.study_uid, study.treated, study.exempt) for study in due] == [
        (STUDY, True, False)
    ]
    assert world.claimed().cause is Cause.FIRST


def test_a_record_does_not_free_what_is_held_for_another_reason(world: World) -> None:
    world.send_study()
    world.later(20)
    world.tracker.studies.hold_study(STUDY, Reason.PRIOR_ONLY_BY_PEER, world.now)
    add(world)
    assert world.state() == "held"


def test_a_study_before_the_operation_is_not_one_of_a_treated_patient(world: World) -> None:
    add(world, TreatmentRecord("L", "lumpectomy", date(2026, 12, 1), source="record"))
    world.send_study()
    world.later(20)
    assert world.tracker.studies.list_due(world.now, 5)[0].treated is None


def test_two_views_are_complete_after_a_mastectomy_and_not_before_it(world: World) -> None:
    add(world, TreatmentRecord("L", "mastectomy", date(2025, 3, 1), source="record"))
    world.send_study(("RCC", "RMLO"))
    world.send_study(("RCC", "RMLO"), "1.2.3.5", date="20250201")
    world.later(20)
    assert world.due() == [STUDY]


def test_what_is_removed_leaves_its_trace_and_makes_a_revision(world: World) -> None:
    add(world)
    world.send_study()
    world.read_study()
    listed = world.tracker.treatments.list_treatments(10, PATIENT)
    assert [(row.patient, row.treatment) for row in listed] == [(PATIENT, SURGERY)]
    world.tracker.treatments.remove_treatment(listed[0].number, world.now, "someone else")
    assert world.tracker.treatments.list_for_study(STUDY) == []
    world.later(20)
    assert world.claimed().cause is Cause.TREATMENT_CHANGED
    with world.tracker.database.begin_read() as session:
        rows = session.scalars(select(TreatmentChangeRow).order_by(TreatmentChangeRow.id)).all()
        assert [(row.added, row.changed_by) for row in rows] == [
            (True, "someone"),
            (False, "someone else"),
        ]
    with pytest.raises(InputError, match="no treatment"):
        world.tracker.treatments.remove_treatment(listed[0].number, world.now, "someone")


def test_merged_patients_share_treatments_and_priors(world: World) -> None:
    send_other(world)
    world.send_study()
    add(world, patient=OTHER)
    assert world.tracker.treatments.list_for_study(STUDY) == []
    assert merge(world) == MergeResult(studies=1, treatments=1, due_studies=())
    assert world.tracker.treatments.list_for_study(STUDY) == [SURGERY]
    assert len(world.tracker.studies.find_views(STUDY).priors) == 1
    world.later(150)
    claimed = world.claimed()
    priors = world.tracker.studies.get_priors(STUDY, claimed.number)
    assert [prior.study_uid for prior in priors.studies] == ["1.2.3.4"]


def test_images_under_the_merged_id_are_the_same_patients_from_then_on(world: World) -> None:
    send_other(world)
    world.send_study()
    merge(world)
    send_other(world, "1.2.3.6", date="20251101")
    assert world.studies_of(PATIENT) == {STUDY, "1.2.3.4", "1.2.3.6"}
    assert world.tracker.patients.find_canonical_key(OTHER) == PATIENT
    assert world.tracker.patients.find_canonical_key(PatientKey("P9", "")) == PatientKey("P9", "")
    world.arrive(mammogram("RCC", "1.2.3.6", patient="P1", date="20251101"))
    assert world.tracker.node_queries.count_all(world.now).alarms == 0


def test_a_merge_revises_a_reported_study_whose_treatments_or_priors_it_changes(
    world: World,
) -> None:
    world.send_study()
    world.read_study()
    send_other(world)
    merged = merge(world)
    assert merged.due_studies == (STUDY,)
    world.later(20)
    assert STUDY in world.due()


def test_merging_is_written_down_and_not_done_twice(world: World) -> None:
    send_other(world)
    world.send_study()
    merge(world)
    with world.tracker.database.begin_read() as session:
        row = session.scalars(select(PatientMergeRow)).one()
        assert (row.studies, row.treatments, row.merged_by) == (1, 0, "someone")
    for merged, into, why in (
        (OTHER, PATIENT, "merged already"),
        (PATIENT, OTHER, "one patient already"),
        (PatientKey("P3", ""), PATIENT, "first patient is not known"),
        (PATIENT, PatientKey("P1", "ELSEWHERE"), "second patient is not known"),
    ):
        with pytest.raises(InputError, match=why):
            merge(world, merged, into)
    summary = world.tracker.patients.list_patients(10)
    assert [(row.key, row.merged_into, row.studies) for row in summary] == [
        (PATIENT, None, 2),
        (OTHER, PATIENT, 0),
    ]


def test_a_chain_of_merges_ends_in_one_patient(world: World) -> None:
    send_other(world)
    world.send_study()
    world.arrive(mammogram("LCC", "1.2.3.7", patient="P3"))
    third = PatientKey("P3", "")
    merge(world, third, OTHER)
    merge(world, OTHER, PATIENT)
    assert world.tracker.patients.find_canonical_key(third) == PATIENT
    assert len(world.studies_of(third)) == 3


def test_the_same_treatment_of_both_ids_is_kept_once(world: World) -> None:
    send_other(world)
    world.send_study()
    add(world)
    add(world, patient=OTHER)
    merge(world)
    assert world.tracker.treatments.list_for_study(STUDY) == [SURGERY]
