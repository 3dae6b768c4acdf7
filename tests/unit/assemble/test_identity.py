"""Whose images are: judged over what the headers of two studies, or of one, say."""

import pytest
from pydicom.dataset import Dataset

from secondread.assemble.completed_headers import complete_headers
from secondread.assemble.identity import (
    ClaimedIdentity,
    collect_identities,
    find_shared_ids,
    has_several_patients,
    judge_identities,
)
from secondread.assemble.mammogram import Mammogram
from secondread.assemble.person import IdentityMatch
from secondread.reasons import Reason
from tests.worlds.builders import header

ANNA = {"PatientName": "Alpha^Anna", "PatientBirthDate": "19500301"}
BERTA = {"PatientName": "Beta^Berta", "PatientBirthDate": "19710203"}
NOBODY = {"PatientName": "ANONYMOUS", "PatientBirthDate": ""}


def mammogram(**attributes: object) -> Mammogram:
    return Mammogram.from_dataset(header(**attributes))


def claim(**attributes: object) -> tuple[ClaimedIdentity, ...]:
    return collect_identities([mammogram(**attributes)])


def test_one_woman_under_one_id_is_compared() -> None:
    assert judge_identities(claim(**ANNA), claim(**ANNA)) is IdentityMatch.SAME
    assert judge_identities(claim(**ANNA), claim(**NOBODY)) is IdentityMatch.SAME


def test_another_birth_date_under_one_id_is_a_doubt() -> None:
    assert judge_identities(claim(**ANNA), claim(**BERTA)) is IdentityMatch.IN_DOUBT


def test_ids_that_a_person_made_one_patient_are_not_doubted() -> None:
    other = claim(PatientID="P2", **BERTA)
    assert judge_identities(claim(**ANNA), other) is IdentityMatch.SAME


def test_of_several_names_in_a_study_the_one_that_agrees_counts() -> None:
    renamed = collect_identities(
        [mammogram(**ANNA), mammogram(**{**ANNA, "PatientName": "Gamma^Anna"})]
    )
    before = claim(**{**ANNA, "PatientName": "Gamma^Anna"})
    assert judge_identities(renamed, before) is IdentityMatch.SAME
    assert judge_identities(claim(**ANNA), before) is IdentityMatch.SURNAME_DIFFERS


def test_an_id_under_which_studies_contradict_each_other_is_shared() -> None:
    studies = [claim(**ANNA), claim(**BERTA), claim(PatientID="P2", **ANNA)]
    (shared,) = find_shared_ids(studies)
    assert shared.patient_id == "P1"
    assert not find_shared_ids([claim(**ANNA), claim(**NOBODY), claim(**ANNA)])


def test_a_shared_id_proves_nothing_by_itself() -> None:
    studies = [claim(**ANNA), claim(**BERTA), claim(**NOBODY)]
    shared = find_shared_ids(studies)
    assert judge_identities(claim(**NOBODY), claim(**NOBODY), shared) is IdentityMatch.IN_DOUBT
    assert judge_identities(claim(**ANNA), claim(**NOBODY), shared) is IdentityMatch.IN_DOUBT
    assert judge_identities(claim(**ANNA), claim(**ANNA), shared) is IdentityMatch.SAME


@pytest.mark.parametrize("patient_id", ["ANONYMOUS", "Unknown", "XXXXXX", "0000000", "no ID"])
def test_an_id_that_stands_for_nobody_proves_nothing_by_itself(patient_id: str) -> None:
    nobody, anna = claim(PatientID=patient_id, **NOBODY), claim(PatientID=patient_id, **ANNA)
    assert judge_identities(nobody, nobody) is IdentityMatch.IN_DOUBT
    assert judge_identities(anna, anna) is IdentityMatch.SAME


def test_what_a_person_confirmed_is_not_doubted_and_shares_no_id() -> None:
    anna, corrected, berta = (
        claim(**ANNA),
        claim(**{**ANNA, "PatientBirthDate": "19500103"}),
        (claim(**BERTA)),
    )
    confirmed = {*anna, *corrected}
    assert judge_identities(anna, corrected, (), confirmed) is IdentityMatch.SAME
    assert not find_shared_ids([anna, corrected], confirmed)
    # Who comes later is doubted anew.
    assert judge_identities(anna, berta, (), confirmed) is IdentityMatch.IN_DOUBT
    assert find_shared_ids([anna, corrected, berta], confirmed)


def test_a_study_is_of_several_patients_by_id_issuer_or_birth_date() -> None:
    assert has_several_patients([mammogram(**ANNA), mammogram(**BERTA)])
    assert has_several_patients([mammogram(), mammogram(PatientID="P2")])
    assert has_several_patients([mammogram(), mammogram(IssuerOfPatientID="ELSEWHERE")])


def test_what_only_some_images_say_makes_no_other_patient() -> None:
    assert not has_several_patients([mammogram(), mammogram(PatientID="")])
    assert not has_several_patients([mammogram(), mammogram(IssuerOfPatientID="")])
    assert not has_several_patients([mammogram(**ANNA), mammogram(**NOBODY)])
    assert not has_several_patients([mammogram(**ANNA), mammogram(**{**ANNA, "PatientName": "X"})])


def complete(*headers: Dataset) -> tuple[list[Dataset], list[Mammogram], tuple[Reason, ...]]:
    mammograms = [Mammogram.from_dataset(ds) for ds in headers]
    completed, images, reasons = complete_headers(
        {str(ds.SOPInstanceUID): ds for ds in headers}, mammograms
    )
    return list(completed.values()), images, reasons


def test_an_image_gets_the_id_and_the_date_that_its_study_has() -> None:
    bare = header(PatientID="", IssuerOfPatientID="", StudyDate="")
    headers, images, reasons = complete(header(), bare)

    assert {image.patient.patient_id for image in images} == {"P1"}
    assert {image.patient.issuer for image in images} == {"HOSPITAL"}
    assert {str(image.study_date) for image in images} == {"2026-01-05"}
    assert {(ds.PatientID, ds.StudyDate) for ds in headers} == {("P1", "20260105")}
    assert reasons == (Reason.PATIENT_ID_FROM_OTHERS, Reason.STUDY_DATE_FROM_OTHERS)
    assert bare.PatientID == ""  # as it came


def test_nothing_is_taken_over_from_a_study_that_contradicts_itself() -> None:
    other_day = header(StudyDate="20251231")
    _, images, reasons = complete(header(), other_day, header(StudyDate=""))
    assert [image.study_date for image in images][2] is None
    assert reasons == ()

    _, images, reasons = complete(header(**ANNA), header(PatientID="", **BERTA))
    assert images[1].patient.patient_id == ""
    assert reasons == ()


def test_a_study_that_says_everything_is_left_as_it_is() -> None:
    headers = header(), header()
    completed, _, reasons = complete(*headers)
    assert all(a is b for a, b in zip(completed, headers, strict=True))
    assert reasons == ()
