"""Which of the given studies are current, which are priors, and which are in doubt."""

from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from secondread.assemble.mammogram import Mammogram
from secondread.codes import View
from secondread.errors import SettingsError
from secondread.offline.input_files import InputFiles
from secondread.offline.reading_plan import ReadingPlan, plan_reading
from secondread.reasons import Reason
from tests.worlds.builders import header, view_sequence

ANNA = {"PatientName": "Alpha^Anna", "PatientBirthDate": "19500301"}
BERTA = {"PatientName": "Beta^Berta", "PatientBirthDate": "19710203"}


def study(uid: str, day: str, **attributes: object) -> Dataset:
    """One image of a study."""
    values: dict[str, object] = {"StudyInstanceUID": uid, "StudyDate": day}
    return header(**{**values, **ANNA, **attributes})


def gather(*headers: Dataset) -> InputFiles:
    studies: dict[str, dict[str, Path]] = {}
    for ds in headers:
        studies.setdefault(str(ds.StudyInstanceUID), {})[str(ds.SOPInstanceUID)] = Path("x")
    by_uid = {str(ds.SOPInstanceUID): ds for ds in headers}
    mammograms = {uid: Mammogram.from_dataset(ds) for uid, ds in by_uid.items()}
    return InputFiles(studies, by_uid, mammograms, ())


def list_priors(plan: ReadingPlan) -> dict[str, list[str]]:
    return {uid: [prior.study_uid for prior in priors] for uid, priors in plan.priors.items()}


def list_doubtful(plan: ReadingPlan) -> dict[str, list[str]]:
    return {
        uid: [s.study_uid for s in studies] for uid, studies in plan.doubtful.items() if studies
    }


def test_the_newest_study_is_compared_with_those_before() -> None:
    plan = plan_reading(
        gather(study("1.1", "20240101"), study("1.2", "20250101"), study("1.3", "20260101"))
    )
    assert list_priors(plan) == {"1.3": ["1.2", "1.1"]}
    assert plan.identity["1.3"] == ()


def test_a_study_between_the_nearest_and_the_oldest_is_the_prior_of_another() -> None:
    days = ("20220101", "20230101", "20240101", "20250101")
    plan = plan_reading(gather(*(study(f"1.{n}", day) for n, day in enumerate(days))))
    assert list_priors(plan) == {"1.3": ["1.2", "1.0"]}


def test_two_studies_of_one_day_are_both_current() -> None:
    plan = plan_reading(
        gather(
            study("1.1", "20260101", ImageLaterality="L"),
            study("1.2", "20260101", ImageLaterality="R"),
            study("1.0", "20250101", ImageLaterality="R"),
        )
    )
    assert list_priors(plan) == {"1.1": [], "1.2": ["1.0"]}


@pytest.mark.parametrize(
    "earlier",
    [
        {"StudyDate": "20251201"},
        {"StudyDate": ""},
        {"ViewCodeSequence": view_sequence(View.MLO)},
    ],
    ids=["a few weeks before", "without a date", "of another view"],
)
def test_a_study_that_is_nobodys_prior_is_current(earlier: dict[str, object]) -> None:
    plan = plan_reading(gather(study("1.1", "20240101", **earlier), study("1.2", "20260101")))
    assert list_priors(plan) == {"1.1": [], "1.2": []}


def test_of_two_women_under_one_id_each_is_read_and_nothing_compared() -> None:
    plan = plan_reading(gather(study("1.1", "20240101"), study("1.2", "20260101", **BERTA)))

    assert list_priors(plan) == {"1.1": [], "1.2": []}
    assert list_doubtful(plan) == {"1.2": ["1.1"]}
    assert plan.identity == {
        "1.1": (Reason.IDENTITY_IN_DOUBT,),
        "1.2": (Reason.IDENTITY_IN_DOUBT,),
    }
    assert {patient.patient_id for patient in plan.shared_ids} == {"P1"}


def test_under_an_id_of_several_a_woman_is_compared_with_herself() -> None:
    plan = plan_reading(
        gather(
            study("1.1", "20240101"),
            study("1.2", "20250101", **BERTA),
            study("1.3", "20260101"),
            study("1.4", "20260101", PatientName="ANONYMOUS", PatientBirthDate=""),
        )
    )
    assert list_priors(plan) == {"1.2": [], "1.3": ["1.1"], "1.4": []}
    assert list_doubtful(plan)["1.4"] == ["1.2", "1.1"]
    assert Reason.IDENTITY_IN_DOUBT in plan.identity["1.3"]


def test_a_surname_that_changed_is_told_and_costs_nothing() -> None:
    plan = plan_reading(
        gather(study("1.1", "20240101", PatientName="Gamma^Anna"), study("1.2", "20260101"))
    )
    assert list_priors(plan) == {"1.2": ["1.1"]}
    assert plan.identity["1.2"] == (Reason.SURNAME_DIFFERS,)


def test_a_prior_by_request_is_compared_and_its_doubt_told() -> None:
    files = gather(study("1.1", "20240101", **BERTA), study("1.2", "20260101"))
    plan = plan_reading(files, ["1.1"])
    assert list_priors(plan) == {"1.2": ["1.1"]}
    assert Reason.IDENTITY_IN_DOUBT in plan.identity["1.2"]
    with pytest.raises(SettingsError, match=r"1\.9"):
        plan_reading(files, ["1.9"])


def test_studies_without_a_patient_id_are_compared_with_nothing() -> None:
    plan = plan_reading(
        gather(study("1.1", "20240101", PatientID=""), study("1.2", "20260101", PatientID=""))
    )
    assert list_priors(plan) == {"1.1": [], "1.2": []}
