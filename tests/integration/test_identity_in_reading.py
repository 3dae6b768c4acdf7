"""Whose images are, through a whole reading: what is compared, and what every result tells."""

from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from secondread.assemble.mammogram import Mammogram
from secondread.assemble.patient_key import PatientKey
from secondread.codes import Laterality
from secondread.errors import InputError
from secondread.findings.treatment import Procedure, Treatment
from secondread.reasons import Outcome, Reason
from secondread.settings import ObjectKind
from secondread.track.treatments import encode_treatment
from tests.unit.followup import breasts
from tests.unit.followup.breasts import Lie
from tests.worlds.builders import header
from tests.worlds.node_world import LAST_YEAR, NOW, OLD, PatientWorld, make_dataset

ANNA = {"PatientName": "Alpha^Anna", "PatientBirthDate": "19500301"}
BERTA = {"PatientName": "Beta^Berta", "PatientBirthDate": "19710203"}


class WomenWorld(PatientWorld):
    """A node that exams of several women come to under one ID."""

    person: dict[str, str] = ANNA

    def deliver_view(self, lie: Lie, spots: list[breasts.Spot]) -> str:
        ds = make_dataset(lie)
        for keyword, value in self.person.items():
            setattr(ds, keyword, value)
        uid = self.deliver(ds)
        self.answers[uid] = breasts.detection(lie, Mammogram.from_dataset(ds), spots)
        return uid

    def read_after(self, before: dict[str, str], now: dict[str, str]) -> None:
        """Hold a prior of one woman, and read an exam of another."""
        self.person = before
        self.hold_prior((LAST_YEAR, OLD))
        self.person = now
        self.read_view(NOW, OLD)


@pytest.fixture
def world(tmp_path: Path) -> WomenWorld:
    return WomenWorld(tmp_path)


def test_another_womans_exam_is_not_compared_and_the_doubt_is_told(world: WomenWorld) -> None:
    world.read_after(ANNA, BERTA)

    assert world.list_changes() == ["None"]
    assert Reason.IDENTITY_IN_DOUBT in world.list_reasons()
    report = str(world.read_cad_sr(1).to_json())
    assert f"Prior of 2025-01-05 not compared: {Reason.IDENTITY_IN_DOUBT.sentence}" in report
    assert LAST_YEAR.study not in report  # nothing of another woman is evidence
    (alarm,) = world.node.tracker.node_queries.list_alarms()
    assert alarm.kind == "identity-in-doubt"
    assert not {"P1", "Alpha", "Beta"} & {*alarm.subject.split(), *alarm.detail.split()}


def test_the_same_woman_under_another_surname_is_compared_and_that_is_told(
    world: WomenWorld,
) -> None:
    world.read_after({**ANNA, "PatientName": "Gamma^Anna"}, ANNA)

    assert world.list_changes() == ["unchanged"]
    assert Reason.SURNAME_DIFFERS in world.list_reasons()
    assert "prior's surname is another" in str(world.read_cad_sr(1).to_json())


def test_lesions_of_two_women_under_one_id_are_never_one(world: WomenWorld) -> None:
    world.person = ANNA
    world.read_view(LAST_YEAR, OLD)
    world.person = BERTA
    world.read_view(NOW, OLD)

    assert world.list_changes() == ["None"]
    assert not world.list_lesions() & world.list_lesions(LAST_YEAR.study)
    with pytest.raises(InputError, match="several people"):
        world.list_histories()


def test_treatments_under_an_id_of_several_women_are_not_told_of_any(world: WomenWorld) -> None:
    treatment = Treatment(Procedure.LUMPECTOMY, Laterality.LEFT)
    world.node.tracker.treatments.add_treatment(
        PatientKey("P1", "HOSPITAL"), encode_treatment(treatment), world.now
    )
    world.read_after(ANNA, BERTA)

    assert {Reason.TREATMENT_UNKNOWN, Reason.IDENTITY_IN_DOUBT} <= {*world.list_reasons()}
    assert "lumpectomy" not in str(world.read_cad_sr(1).to_json())


def read_study(world: WomenWorld, *headers: Dataset) -> list[Dataset]:
    """Read a study and return its result objects."""
    for ds in headers:
        world.deliver(ds)
    world.read_due()
    return [
        pydicom.dcmread(world.node.archive.resolve_path(entry.path))
        for entry in world.list_objects(1)
    ]


@pytest.mark.parametrize("lacking", [0, 1])
@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"PatientID": "", "IssuerOfPatientID": ""}, Reason.PATIENT_ID_FROM_OTHERS),
        ({"StudyDate": ""}, Reason.STUDY_DATE_FROM_OTHERS),
    ],
)
def test_what_one_image_lacks_comes_from_the_others_and_is_told(
    world: WomenWorld, attributes: dict[str, str], reason: Reason, lacking: int
) -> None:
    of_image: list[dict[str, str]] = [{}, {}]
    of_image[lacking] = attributes
    objects = read_study(
        world,
        header(ImageLaterality="R", **of_image[0]),
        header(ImageLaterality="L", **of_image[1]),
    )

    assert world.get_outcome()[1] is Outcome.NO_FINDINGS
    assert reason in world.list_reasons()
    assert {(ds.PatientID, ds.StudyDate) for ds in objects} == {("P1", "20260105")}
    (report,) = (ds for ds in objects if ds.Modality == "SR")
    assert reason.sentence[1:] in str(report.to_json())
    assert [entry.kind for entry in world.list_objects(1)] == [ObjectKind.CAD_SR]
