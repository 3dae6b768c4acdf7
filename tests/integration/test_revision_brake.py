"""What cannot change a result makes no revision; what can, makes one."""

from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from prometheus_client import REGISTRY
from pydicom.dataset import Dataset
from sqlalchemy import update

from secondread.accept.classify import classify
from secondread.app.coordinator import Coordinator
from secondread.codes import View
from secondread.reasons import Outcome, Reason
from secondread.track.states import Cause, StudyState
from secondread.track.tables import RevisionRow
from secondread.track.values import TreatmentRecord
from secondread.workflow.order import run_reading
from tests.integration.test_coordinator import FakeEngine
from tests.integration.test_revisions import exam, image, note
from tests.worlds.builders import header, view_sequence
from tests.worlds.node_world import (
    LAST_YEAR,
    NOW,
    OLD,
    PATIENT,
    YEARS_AGO,
    NodeWorld,
    PatientWorld,
    make_dataset,
    run_step,
)

STUDY = "1.2.3"
PROCESSING = "1.2.840.10008.5.1.4.1.1.1.2.1"
TOMOSYNTHESIS = "1.2.840.10008.5.1.4.1.1.13.1.3"


@pytest.fixture
def world(tmp_path: Path) -> PatientWorld:
    return PatientWorld(tmp_path)


def read_what_is_due(world: NodeWorld) -> list[tuple[str, int]]:
    """Let a worker look at what is due after the quiet time; return the readings it makes."""
    world.now += timedelta(seconds=300)
    engine = FakeEngine()
    Coordinator(world.node, engine, "w0", "m", lambda: world.now).step()
    for _, study_uid, number in engine.submitted:
        run_reading(world.steps, run_step, study_uid, number)
    return [(study_uid, number) for _, study_uid, number in engine.submitted]


def check_report_stands(world: NodeWorld, cause: Cause) -> None:
    """A worker looks, makes no revision, and says so."""
    detail = world.node.tracker.study_queries.find_detail(STUDY)
    assert detail is not None
    labels, name = {"cause": cause.value}, "secondread_revisions_spared_total"
    before = REGISTRY.get_sample_value(name, labels) or 0.0
    with structlog.testing.capture_logs() as captured:
        assert read_what_is_due(world) == []
    (event,) = [entry for entry in captured if entry["event"] == "revision_spared"]
    assert (event["study_uid"], event["cause"]) == (STUDY, cause.value)
    assert event["revision"] == len(detail.revisions)
    assert REGISTRY.get_sample_value(name, labels) == before + 1
    assert world.get_outcome()[0] is StudyState.REPORTED
    after = world.node.tracker.study_queries.find_detail(STUDY)
    assert after is not None
    assert [r.number for r in after.revisions] == [r.number for r in detail.revisions]
    assert world.node.tracker.studies.list_due(world.now + timedelta(days=1), 10) == []


def outside(**attributes: object) -> Dataset:
    return header(**({"ImageLaterality": "L"} | attributes))


OUTSIDE: dict[str, dict[str, object]] = {
    "tomosynthesis": {"SOPClassUID": TOMOSYNTHESIS},
    "synthesized": {"ImageType": ["DERIVED", "PRIMARY", "GENERATED_2D"]},
    "magnified": {"EstimatedRadiographicMagnificationFactor": "1.8"},
    "spot": {"ViewCodeSequence": view_sequence(View.CC, ("399055006", "SCT"))},
}


@pytest.mark.parametrize("kind", OUTSIDE)
def test_what_is_outside_the_scope_and_comes_late_makes_none(
    world: PatientWorld, kind: str
) -> None:
    exam(world)
    assert read_what_is_due(world) == [(STUDY, 1)]
    ds = outside(**OUTSIDE[kind])
    world.deliver(ds, classify(ds, is_own=False))

    check_report_stands(world, Cause.LATE_INSTANCE)


def test_what_is_outside_the_scope_and_is_withdrawn_makes_none(world: PatientWorld) -> None:
    exam(world)
    tomosynthesis = world.deliver(outside(**OUTSIDE["tomosynthesis"]))
    read_what_is_due(world)
    ds = note("113001", tomosynthesis)
    world.deliver(ds, classify(ds, is_own=False))

    check_report_stands(world, Cause.REJECTION)


def test_what_has_merely_expired_counts_as_it_did(world: PatientWorld) -> None:
    uids = exam(world)
    read_what_is_due(world)
    ds = note("113039", *uids[:2])
    world.deliver(ds, classify(ds, is_own=False))
    world.deliver(outside(**OUTSIDE["tomosynthesis"]))

    check_report_stands(world, Cause.LATE_INSTANCE)


def test_what_comes_during_the_reading_is_weighed_after_it(world: PatientWorld) -> None:
    exam(world)
    claimed = world.claim()
    world.deliver(outside(**OUTSIDE["tomosynthesis"]))
    run_reading(world.steps, run_step, claimed.study_uid, claimed.number)

    check_report_stands(world, Cause.LATE_INSTANCE)


def test_a_late_image_beside_a_late_tomosynthesis_makes_one(world: PatientWorld) -> None:
    exam(world)
    read_what_is_due(world)
    world.deliver(outside(**OUTSIDE["tomosynthesis"]))
    world.deliver(image(7, "L", View.ML))

    assert read_what_is_due(world) == [(STUDY, 2)]


def test_a_late_image_of_another_patient_makes_none(world: PatientWorld) -> None:
    exam(world)
    read_what_is_due(world)
    world.deliver(image(7, "L", View.ML, PatientID="P9"))

    assert read_what_is_due(world) == []
    assert world.get_outcome()[1] is Outcome.FINDINGS


def test_a_late_processing_image_of_an_exposure_that_was_read_makes_none(
    world: PatientWorld,
) -> None:
    exam(world)
    read_what_is_due(world)
    world.deliver(
        image(7, "L", View.CC, SOPClassUID=PROCESSING, PresentationIntentType="FOR PROCESSING")
    )

    check_report_stands(world, Cause.LATE_INSTANCE)


def test_a_late_processing_image_of_another_exposure_makes_one(world: PatientWorld) -> None:
    exam(world)
    read_what_is_due(world)
    raw = image(7, "L", View.CC, SOPClassUID=PROCESSING, AcquisitionTime="102500")
    raw.PresentationIntentType = "FOR PROCESSING"
    world.deliver(raw)

    assert read_what_is_due(world) == [(STUDY, 2)]


def record(world: NodeWorld, side: str, procedure: str = "lumpectomy") -> None:
    treatment = TreatmentRecord(side, procedure)
    assert world.node.tracker.treatments.add_treatment(PATIENT, treatment, world.now)


def test_a_treatment_of_a_breast_that_the_study_does_not_show_makes_none(
    world: PatientWorld,
) -> None:
    world.read_view(NOW, OLD)  # of the left breast
    record(world, "R")

    check_report_stands(world, Cause.TREATMENT_CHANGED)


def test_a_treatment_of_a_breast_that_it_shows_makes_one(world: PatientWorld) -> None:
    world.read_view(NOW, OLD)
    record(world, "L")

    assert read_what_is_due(world) == [(STUDY, 2)]


def test_a_mastectomy_of_the_other_breast_makes_one_where_its_views_were_missed(
    world: PatientWorld,
) -> None:
    world.read_view(NOW, OLD)
    assert Reason.VIEWS_MISSING in world.list_reasons()
    record(world, "R", "mastectomy")

    assert read_what_is_due(world) == [(STUDY, 2)]


def test_a_treatment_that_is_taken_back_at_once_makes_none(world: PatientWorld) -> None:
    exam(world)
    read_what_is_due(world)
    record(world, "L")
    treatments = world.node.tracker.treatments
    (known,) = treatments.list_treatments(10)
    treatments.remove_treatment(known.number, world.now, "radiologist")

    check_report_stands(world, Cause.TREATMENT_CHANGED)


def test_a_late_prior_that_is_not_compared_makes_none(world: PatientWorld) -> None:
    world.hold_prior((LAST_YEAR, OLD))
    world.hold_prior((YEARS_AGO, OLD))
    world.read_view(NOW, OLD)
    between = type(LAST_YEAR)(study="1.2.7", date="20240105")
    world.hold_prior((between, OLD))

    # It lies between the nearest and the oldest, and two are compared: it is not even due.
    assert read_what_is_due(world) == []
    assert world.get_outcome()[0] is StudyState.REPORTED


def test_a_late_image_of_a_prior_that_is_not_compared_makes_none(world: PatientWorld) -> None:
    world.hold_prior((LAST_YEAR, OLD))
    world.read_view(NOW, OLD)
    late = make_dataset(LAST_YEAR)
    late.ImageType = ["DERIVED", "PRIMARY", "GENERATED_2D"]
    world.deliver(late)
    world.now += timedelta(seconds=300)
    reason = Reason.PRIOR_ONLY_BY_AGE
    assert world.node.tracker.studies.hold_study(LAST_YEAR.study, reason, world.now)

    check_report_stands(world, Cause.LATE_PRIOR)


def test_a_late_image_of_a_prior_that_is_compared_makes_one(world: PatientWorld) -> None:
    world.hold_prior((LAST_YEAR, OLD))
    world.read_view(NOW, OLD)
    world.deliver_view(LAST_YEAR, OLD)
    world.now += timedelta(seconds=300)
    reason = Reason.PRIOR_ONLY_BY_AGE
    assert world.node.tracker.studies.hold_study(LAST_YEAR.study, reason, world.now)

    assert read_what_is_due(world) == [(STUDY, 2)]


def test_a_person_always_gets_the_reading_that_was_asked_for(world: PatientWorld) -> None:
    exam(world)
    read_what_is_due(world)
    assert world.node.tracker.studies.request_reading(STUDY, "radiologist", world.now)
    world.deliver(outside(**OUTSIDE["tomosynthesis"]))

    assert read_what_is_due(world) == [(STUDY, 2)]


def test_a_reading_that_was_given_up_is_tried_anew_whatever_comes(world: PatientWorld) -> None:
    exam(world)
    claimed = world.claim()
    world.node.tracker.studies.give_up(STUDY, claimed.number, "it broke", world.now)
    world.deliver(outside(**OUTSIDE["tomosynthesis"]))

    assert read_what_is_due(world) == [(STUDY, 2)]


def test_a_revision_from_before_the_brake_is_made_once_more(world: PatientWorld) -> None:
    exam(world)
    read_what_is_due(world)
    with world.node.tracker.database.begin_write() as session:
        session.execute(update(RevisionRow).values(basis_digest=None))
    world.deliver(outside(**OUTSIDE["tomosynthesis"]))

    assert read_what_is_due(world) == [(STUDY, 2)]
