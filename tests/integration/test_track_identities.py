"""One Patient ID, several people: what the tracker compares, and whose treatments it gives."""

from datetime import date

import pytest
from pydicom.dataset import Dataset

from secondread.assemble.due import DueRules
from secondread.assemble.identity import ClaimedIdentity
from secondread.assemble.mammogram import Mammogram
from secondread.assemble.patient_key import PatientKey
from secondread.reasons import Reason
from secondread.track.prior_choice import FETCH_NOTHING
from secondread.track.values import RevisionPriors, TreatmentRecord
from tests.worlds.track_world import STUDY, World, mammogram

ANNA = {"PatientName": "Alpha^Anna", "PatientBirthDate": "19500301"}
BERTA = {"PatientName": "Beta^Berta", "PatientBirthDate": "19710203"}
NOBODY = {"PatientName": "ANONYMOUS", "PatientBirthDate": ""}
BEFORE, LONG_BEFORE = "1.2.826.0.1.3680043.10.2", "1.2.826.0.1.3680043.10.3"
KEY = PatientKey("P1", "")


def image(person: dict[str, str], study: str, day: str, view: str = "RCC") -> Dataset:
    ds = mammogram(view, study, date=day)
    for keyword, value in person.items():
        setattr(ds, keyword, value)
    return ds


def send(world: World, person: dict[str, str], study: str = STUDY, day: str = "20261122") -> None:
    world.arrive(image(person, study, day))
    world.hang_up()


def read_priors(world: World, study: str = STUDY) -> RevisionPriors:
    revision = world.read_study(study)
    return world.tracker.studies.get_priors(study, revision.number)


def explain(priors: RevisionPriors) -> dict[str, Reason | None]:
    return {prior.study_uid: prior.reason for prior in priors.studies}


def test_the_same_woman_is_compared_with(world: World) -> None:
    send(world, ANNA, BEFORE, "20251001")
    send(world, {**ANNA, "PatientName": "ALPHA^ANNA^^"})
    assert explain(read_priors(world)) == {BEFORE: None}


def test_a_surname_that_differs_costs_nothing(world: World) -> None:
    send(world, {**ANNA, "PatientName": "Gamma^Anna"}, BEFORE, "20251001")
    send(world, ANNA)
    assert explain(read_priors(world)) == {BEFORE: None}


def test_another_birth_date_under_the_id_is_in_doubt_and_not_compared(world: World) -> None:
    send(world, ANNA, BEFORE, "20251001")
    send(world, BERTA)
    priors = read_priors(world)

    assert explain(priors) == {BEFORE: Reason.IDENTITY_IN_DOUBT}
    assert priors.studies[0].instances == ()
    assert world.tracker.studies.find_views(STUDY).priors == []


def test_under_a_shared_id_only_who_states_the_same_is_compared(world: World) -> None:
    send(world, ANNA, LONG_BEFORE, "20241001")
    send(world, BERTA, BEFORE, "20251001")
    send(world, ANNA)
    assert explain(read_priors(world)) == {
        LONG_BEFORE: None,
        BEFORE: Reason.IDENTITY_IN_DOUBT,
    }


def test_under_a_shared_id_who_states_nothing_is_not_compared(world: World) -> None:
    send(world, ANNA, LONG_BEFORE, "20241001")
    send(world, BERTA, BEFORE, "20251001")
    send(world, NOBODY)
    assert set(explain(read_priors(world)).values()) == {Reason.IDENTITY_IN_DOUBT}


def test_studies_that_state_nobody_are_compared_as_long_as_nothing_contradicts(
    world: World,
) -> None:
    send(world, NOBODY, BEFORE, "20251001")
    send(world, NOBODY)
    assert explain(read_priors(world)) == {BEFORE: None}


def test_cad_reports_of_another_woman_are_not_beside_a_study(world: World) -> None:
    send(world, ANNA, BEFORE, "20251001")
    world.read_study(BEFORE)
    send(world, BERTA)
    assert world.tracker.cad_reports.list_for_priors(STUDY) == []


def record_treatment(world: World) -> None:
    treatment = TreatmentRecord("L", "mastectomy", date(2020, 1, 1))
    world.tracker.treatments.add_treatment(KEY, treatment, world.now)


def test_treatments_under_a_shared_id_are_nobodys(world: World) -> None:
    record_treatment(world)
    send(world, ANNA, BEFORE, "20251001")
    assert len(world.tracker.treatments.list_for_study(BEFORE)) == 1
    assert world.tracker.studies.find_views(BEFORE).mastectomy_sides == {"L"}

    send(world, BERTA)
    for study in (STUDY, BEFORE):
        assert world.tracker.treatments.list_for_study(study) == []
        assert world.tracker.studies.find_views(study).mastectomy_sides == frozenset()


def test_what_was_corrected_no_longer_speaks(world: World) -> None:
    send(world, ANNA, BEFORE, "20251001")
    world.arrive(image({**ANNA, "PatientBirthDate": "19710203"}, STUDY, "20261122"))
    world.arrive(image(ANNA, STUDY, "20261122"), content="corrected")
    world.hang_up()
    assert explain(read_priors(world)) == {BEFORE: None}


def test_a_merge_by_a_person_overrides_the_doubt(world: World) -> None:
    other = mammogram("RCC", BEFORE, patient="P2", date="20251001")
    other.PatientName, other.PatientBirthDate = "Alpha^Anna", "19500103"
    world.arrive(other)
    send(world, ANNA)
    rules = DueRules()
    world.tracker.patients.merge_patients(
        PatientKey("P2", ""), KEY, "a", world.now, rules, FETCH_NOTHING
    )
    assert explain(read_priors(world)) == {BEFORE: None}


def test_a_person_confirms_an_id_and_the_doubt_ends(world: World) -> None:
    send(world, {**ANNA, "PatientBirthDate": "19500103"}, BEFORE, "20251001")
    record_treatment(world)
    send(world, ANNA)
    assert set(explain(read_priors(world)).values()) == {Reason.IDENTITY_IN_DOUBT}
    (alarm,) = world.tracker.node_queries.list_alarms()
    assert alarm.kind == "identity-in-doubt"
    assert "P1" not in alarm.subject + alarm.detail

    result = world.tracker.patients.confirm_patient(KEY, "a", world.now, DueRules(), FETCH_NOTHING)
    assert result.identities == 2
    assert result.due_studies == (STUDY,)
    assert world.tracker.node_queries.list_alarms() == []
    assert len(world.tracker.treatments.list_for_study(STUDY)) == 1
    world.later(200)
    assert explain(read_priors(world)) == {BEFORE: None}


def test_who_comes_under_a_confirmed_id_is_held_against_it_anew(world: World) -> None:
    send(world, ANNA, BEFORE, "20251001")
    world.tracker.patients.confirm_patient(KEY, "a", world.now, DueRules(), FETCH_NOTHING)
    send(world, BERTA)
    assert explain(read_priors(world)) == {BEFORE: Reason.IDENTITY_IN_DOUBT}


@pytest.mark.parametrize(
    "person", [ANNA, NOBODY, {**ANNA, "PatientBirthDate": "1950"}, {"PatientAge": "076Y"}]
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR DA")
def test_what_is_stated_comes_back_as_it_was(world: World, person: dict[str, str]) -> None:
    send(world, person)
    world.tracker.patients.confirm_patient(KEY, "a", world.now, DueRules(), FETCH_NOTHING)
    stated = Mammogram.from_dataset(image(person, STUDY, "20261122"))
    known = world.tracker.patients.load_known_identities(STUDY)
    assert known.confirmed == {ClaimedIdentity(KEY, stated.person)}
