"""Whose study it is, where its images name several patients."""

from datetime import date

import pytest

from secondread.assemble.birth_date import BirthRange
from secondread.assemble.identity import ClaimedIdentity
from secondread.assemble.patient_key import PatientKey
from secondread.assemble.person import Person
from secondread.assemble.study_patient import PatientSplit, split_by_patient


def claim(
    patient_id: str, issuer: str = "", *, name: str = "", born: date | None = None
) -> ClaimedIdentity:
    birth = None if born is None else BirthRange(born, born, is_stated=True)
    return ClaimedIdentity(PatientKey(patient_id, issuer), Person(name, birth))


ONE, TWO = claim("P1"), claim("P2")


def test_images_of_one_patient_are_all_the_studys() -> None:
    split = split_by_patient([ONE, ONE, ONE])
    assert split == PatientSplit(PatientKey("P1", ""), (0, 1, 2), (), is_tie=False)


@pytest.mark.parametrize("stray", range(4))
def test_a_stray_image_is_set_aside_wherever_it_came(stray: int) -> None:
    claims = [ONE] * 4
    claims[stray] = TWO
    split = split_by_patient(claims)
    assert split.patient == ONE.patient
    assert split.others == (stray,)
    assert not split.is_tie


def test_of_equal_numbers_the_patient_that_came_first_is_taken_and_the_tie_is_known() -> None:
    split = split_by_patient([TWO, ONE, ONE, TWO])
    assert (split.patient, split.others, split.is_tie) == (TWO.patient, (1, 2), True)


def test_images_without_an_id_are_the_studys_and_decide_nothing() -> None:
    split = split_by_patient([claim(""), claim(""), TWO, ONE, ONE])
    assert (split.patient, split.others) == (ONE.patient, (2,))


def test_a_study_without_any_id_has_no_patient() -> None:
    split = split_by_patient([claim(""), claim("")])
    assert split == PatientSplit(None, (0, 1), (), is_tie=False)


def test_nothing_is_split_where_nothing_came() -> None:
    assert split_by_patient([]).own == ()


def test_an_issuer_that_some_images_lack_is_that_of_the_others() -> None:
    split = split_by_patient([ONE, ONE, claim("P1", "HOSPITAL")])
    assert (split.patient, split.others) == (PatientKey("P1", "HOSPITAL"), ())


def test_two_issuers_are_two_patients_also_beside_images_without_one() -> None:
    here, elsewhere = claim("P1", "HERE"), claim("P1", "ELSEWHERE")
    split = split_by_patient([ONE, here, here, elsewhere])
    assert (split.patient, split.others) == (here.patient, (3,))


def test_under_one_id_birth_dates_that_contradict_are_two_patients() -> None:
    older, younger = claim("P1", born=date(1950, 3, 1)), claim("P1", born=date(1971, 9, 9))
    split = split_by_patient([older, younger, older, ONE])
    assert split.others == (1,)


def test_images_without_a_vote_never_take_a_study_over() -> None:
    split = split_by_patient([ONE, TWO, TWO, TWO], [True, False, False, False])
    assert (split.patient, split.others, split.is_tie) == (ONE.patient, (1, 2, 3), False)


def test_images_without_a_vote_decide_where_there_is_no_other() -> None:
    split = split_by_patient([ONE, TWO, TWO], [False, False, False])
    assert split.patient == TWO.patient


def test_very_many_patients_take_no_time_that_grows_with_their_square() -> None:
    split = split_by_patient([*(claim(f"X{number}") for number in range(5000)), ONE, ONE])
    assert split.own == (5000, 5001)
