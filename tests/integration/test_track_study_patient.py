"""Images of another patient in a study: set aside, shown, and put back by correction."""

import pytest
from pydicom.dataset import Dataset

from secondread.accept.ledger import RecordOutcome
from secondread.assemble.due import DueRules
from secondread.assemble.patient_key import PatientKey
from secondread.track.change_rights import ChangeRights, Sender
from secondread.track.prior_choice import FETCH_NOTHING
from secondread.track.states import Cause
from secondread.track.values import Severity
from tests.worlds.track_world import FOUR_VIEWS, STUDY, World, mammogram, reading, rejection_note

STRANGER = Sender("VIEWER", "10.0.0.9")
PACS = Sender("PACS", "10.0.0.5")
ONE, TWO = PatientKey("P1", ""), PatientKey("P2", "")
STRAY = str(mammogram("LXCCL").SOPInstanceUID)


def stray(patient: str = "P2", view: str = "LXCCL", issuer: str = "") -> Dataset:
    ds = mammogram(view, patient=patient)
    ds.IssuerOfPatientID = issuer
    return ds


def set_aside(world: World) -> set[str]:
    detail = world.tracker.study_queries.find_detail(STUDY)
    assert detail is not None
    return {i.sop_instance_uid for i in detail.images if i.set_aside and i.current}


def inputs(world: World) -> set[str]:
    return {i.sop_instance_uid for i in world.tracker.studies.list_current_inputs(STUDY)}


def alarms(world: World) -> list[tuple[str, Severity]]:
    return [(a.kind, a.severity) for a in world.tracker.node_queries.list_alarms()]


WARNED = [("patient-mismatch", Severity.WARNING)]


@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_stray_image_is_set_aside_wherever_it_comes(world: World, place: int) -> None:
    headers = [mammogram(view) for view in FOUR_VIEWS]
    headers.insert(place, stray())
    for header in headers:
        assert world.arrive(header) is RecordOutcome.NEW
    world.hang_up()

    assert set_aside(world) == {STRAY}
    assert world.studies_of(ONE) == {STUDY}
    assert alarms(world) == WARNED
    world.later(20)
    claimed = world.claimed()
    used = world.tracker.studies.list_inputs(STUDY, claimed.number)
    assert {i.sop_instance_uid for i in used} == inputs(world)
    assert len(used) == 4
    (left_out,) = world.tracker.studies.list_set_aside(STUDY, claimed.number)
    assert left_out.sop_instance_uid == STRAY


def test_a_stray_image_completes_no_view_set(world: World) -> None:
    world.send_study(("RCC", "LCC", "RMLO"))
    world.arrive(stray(view="LMLO"))
    world.hang_up()
    world.later(30)
    assert world.due() == []


def test_of_two_patients_with_as_many_images_the_first_is_taken_and_that_is_critical(
    world: World,
) -> None:
    world.arrive(mammogram("RCC", patient="P2"))
    world.arrive(mammogram("LCC", patient="P1"))
    assert world.studies_of(TWO) == {STUDY}
    assert set_aside(world) == {str(mammogram("LCC").SOPInstanceUID)}
    assert alarms(world) == [("patient-mismatch", Severity.CRITICAL)]
    world.arrive(mammogram("RMLO", patient="P1"))
    assert world.studies_of(ONE) == {STUDY}
    assert alarms(world) == WARNED


def test_two_issuers_are_two_patients(world: World) -> None:
    for view in FOUR_VIEWS:
        world.arrive(stray("P1", view, "HERE"))
    world.arrive(stray("P1", issuer="ELSEWHERE"))
    world.arrive(stray("P1", "RXCCL"))
    assert set_aside(world) == {STRAY}
    assert world.studies_of(PatientKey("P1", "HERE")) == {STUDY}


def test_an_image_without_an_id_is_the_studys(world: World) -> None:
    world.send_study()
    world.arrive(stray(""))
    assert set_aside(world) == set()
    assert alarms(world) == []


def test_a_peer_that_merely_adds_takes_no_study_over(world: World) -> None:
    world.send_study(("RCC", "LCC"))
    for view in ("RMLO", "LMLO", "LXCCL", "RXCCL"):
        world.arrive(stray(view=view), sender=STRANGER)
    assert world.studies_of(ONE) == {STUDY}
    assert len(inputs(world)) == 2


def test_the_archive_has_a_say_in_whose_a_study_is(world: World) -> None:
    world.rights = ChangeRights(everything=frozenset({"PACS"}))
    world.send_study(("RCC",))
    for view in ("LCC", "RMLO", "LMLO"):
        world.arrive(stray(view=view), sender=PACS)
    assert world.studies_of(TWO) == {STUDY}
    assert set_aside(world) == {str(mammogram("RCC").SOPInstanceUID)}


def test_a_stray_image_after_the_report_makes_no_revision(world: World) -> None:
    world.send_study()
    world.read_study()
    world.arrive(stray())
    assert world.state() == "reported"
    assert alarms(world) == WARNED


def test_an_image_that_is_sent_again_with_another_header_counts(world: World) -> None:
    world.send_study()
    world.arrive(stray())
    world.read_study()

    assert world.arrive(stray("P1"), content="corrected") is RecordOutcome.CONFLICTING

    assert STRAY in inputs(world)
    assert alarms(world) == []
    world.hang_up()
    world.later(150)
    claimed = world.claimed()
    assert (claimed.number, claimed.cause) == (2, Cause.CORRECTED_INSTANCE)


def test_an_image_that_is_sent_again_under_another_patient_is_taken_out(world: World) -> None:
    world.send_study()
    world.read_study()
    world.arrive(stray(view="RCC"), content="other")
    world.hang_up()
    world.later(150)
    claimed = world.claimed()
    assert (claimed.number, claimed.cause) == (2, Cause.CORRECTED_INSTANCE)
    assert len(world.tracker.studies.list_inputs(STUDY, 2)) == 3


def test_images_count_again_when_a_person_makes_two_ids_one_patient(world: World) -> None:
    world.send_study()
    world.arrive(stray())
    world.hang_up()
    world.read_study()

    result = world.tracker.patients.merge_patients(
        TWO, ONE, "someone", world.now, DueRules(), FETCH_NOTHING
    )

    assert result.due_studies == (STUDY,)
    assert STRAY in inputs(world)
    assert alarms(world) == []
    world.later(150)
    claimed = world.claimed()
    assert (claimed.number, claimed.cause) == (2, Cause.CORRECTED_INSTANCE)
    world.record(reading(claimed))
    # What comes under the merged ID later is the patient's as well.
    world.arrive(stray(view="RXCCL"))
    assert len(inputs(world)) == 6


def test_a_stray_image_that_is_rejected_leaves_no_alarm(world: World) -> None:
    world.send_study()
    world.arrive(stray())
    world.arrive_note(rejection_note([STRAY]))
    assert alarms(world) == []
    assert len(inputs(world)) == 4


def test_expired_images_still_say_whose_the_study_is(world: World) -> None:
    world.send_study()
    world.arrive(stray())
    world.read_study()
    world.arrive_note(rejection_note(sorted(inputs(world)), title="113039"))
    assert world.studies_of(ONE) == {STUDY}
    assert set_aside(world) == {STRAY}


def test_a_stray_image_is_nobodys_prior(world: World) -> None:
    earlier = "1.2.3.1"
    for view in FOUR_VIEWS:
        world.arrive(mammogram(view, earlier, date="20251101"))
    odd = mammogram("LXCCL", earlier, patient="P2", date="20251101")
    world.arrive(odd)
    world.send_study()
    world.later(150)
    (prior,) = world.tracker.studies.get_priors(STUDY, world.claimed().number).studies
    assert len(prior.instances) == 4
    assert str(odd.SOPInstanceUID) not in {i.sop_instance_uid for i in prior.instances}


def test_who_sent_a_note_before_the_images_has_no_say_in_whose_they_are(world: World) -> None:
    world.arrive_note(rejection_note(["1.2.3.4"]), STRANGER)
    world.send_study(("RCC", "LCC"))
    for view in ("RMLO", "LMLO", "LXCCL"):
        world.arrive(stray(view=view), sender=STRANGER)
    assert world.studies_of(ONE) == {STUDY}
    assert world.tracker.study_queries.list_studies()[0].peer == "MODALITY"


def test_images_count_again_when_a_person_confirms_that_both_birth_dates_are_hers(
    world: World,
) -> None:
    headers = [mammogram(view) for view in (*FOUR_VIEWS, "LXCCL")]
    for header in headers:
        header.PatientName, header.PatientBirthDate = "Alpha^Anna", "19500301"
    headers[-1].PatientBirthDate = "19710203"
    for header in headers:
        world.arrive(header)
    world.hang_up()
    assert set_aside(world) == {STRAY}
    world.read_study()

    result = world.tracker.patients.confirm_patient(
        ONE, "someone", world.now, DueRules(), FETCH_NOTHING
    )

    assert result.due_studies == (STUDY,)
    assert STRAY in inputs(world)
    assert "patient-mismatch" not in {kind for kind, _ in alarms(world)}


def test_after_the_late_window_images_that_count_again_make_no_revision(world: World) -> None:
    world.send_study()
    world.arrive(stray())
    world.hang_up()
    world.read_study()
    world.later(30 * 86400)
    result = world.tracker.patients.merge_patients(
        TWO, ONE, "someone", world.now, DueRules(), FETCH_NOTHING
    )
    assert result.due_studies == ()
    assert STRAY in inputs(world)
    assert world.state() == "reported"
