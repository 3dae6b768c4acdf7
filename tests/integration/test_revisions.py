"""What comes after the report: each correction makes a revision that names its predecessor."""

from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from secondread.accept.classify import classify
from secondread.accept.dispositions import Disposition
from secondread.assemble.patient_key import PatientKey
from secondread.codes import View
from secondread.reasons import Outcome, Reason
from secondread.report.readback.cad_reader import read_cad_report
from secondread.settings import ObjectKind
from secondread.track.states import Cause, StudyState
from secondread.track.summaries import StudyDetail, StudyFilter
from secondread.track.values import TreatmentRecord
from secondread.watch.study_page import arrange_study
from tests.worlds.builders import coded, detection, header, view_sequence
from tests.worlds.node_world import (
    CLUSTER,
    LAST_YEAR,
    NOW,
    OLD,
    OTHER,
    NodeWorld,
    PatientWorld,
    make_dataset,
)

STUDY = "1.2.3"


@pytest.fixture
def world(tmp_path: Path) -> NodeWorld:
    return NodeWorld(tmp_path)


def image(number: int, side: str, view: View, **attributes: object) -> Dataset:
    """An image whose UID can be used again."""
    values = {
        "SOPInstanceUID": f"1.2.3.4.{number}",
        "ImageLaterality": side,
        "ViewCodeSequence": view_sequence(view),
    }
    return header(**(values | attributes))


def exam(world: NodeWorld, **attributes: object) -> list[str]:
    """Send four views; the third, LCC, holds a cluster."""
    uids = [
        world.deliver(image(number, side, view, **attributes))
        for number, (side, view) in enumerate(
            (side, view) for side in "RL" for view in (View.CC, View.MLO)
        )
    ]
    world.answers[uids[2]] = detection(uids[2], *CLUSTER)
    return uids


def note(title: str, *uids: str, study_uid: str = STUDY) -> Dataset:
    """A rejection note as IHE's Imaging Object Change Management writes it."""
    ds = header(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.88.59", Modality="KO", StudyInstanceUID=study_uid
    )
    ds.ConceptNameCodeSequence = Sequence([coded(title, "DCM", "Rejected")])
    series, study = Dataset(), Dataset()
    series.SeriesInstanceUID, study.StudyInstanceUID = "1.2.3.4", study_uid
    series.ReferencedSOPSequence = Sequence([_reference(uid) for uid in uids])
    study.ReferencedSeriesSequence = Sequence([series])
    ds.CurrentRequestedProcedureEvidenceSequence = Sequence([study])
    return ds


def _reference(uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2"
    item.ReferencedSOPInstanceUID = uid
    return item


def reject(world: NodeWorld, title: str, *uids: str, study_uid: str = STUDY) -> None:
    ds = note(title, *uids, study_uid=study_uid)
    disposition = classify(ds, is_own=False)
    assert disposition is Disposition.REJECTION_NOTE
    world.deliver(ds, disposition)


def detail(world: NodeWorld) -> StudyDetail:
    found = world.node.tracker.study_queries.find_detail(STUDY)
    assert found is not None
    return found


def is_of(world: NodeWorld, patient_id: str) -> bool:
    """Whether the tracker has the study under a patient."""
    whose = StudyFilter(patient=PatientKey(patient_id, "HOSPITAL"))
    return bool(world.node.tracker.study_queries.list_studies(matching=whose))


def captures(world: NodeWorld, revision: int) -> list[Dataset]:
    return [
        pydicom.dcmread(world.node.archive.resolve_path(entry.path))
        for entry in world.list_objects(revision)
        if entry.kind is ObjectKind.CAPTURE
    ]


def images_of(world: NodeWorld, revision: int) -> set[str]:
    """Return the images that a revision's report is about."""
    return {image.sop_instance_uid for image in read_cad_report(world.read_cad_sr(revision)).images}


def check_is_current(world: NodeWorld, revision: int, cause: Cause) -> None:
    """Report, captures and tracker agree which report stands, and what it replaces."""
    latest, before = detail(world).revisions[:2]
    assert (latest.number, latest.cause) == (revision, cause)
    assert latest.predecessor == before.number
    view = arrange_study(detail(world))
    assert view.current_revision == revision
    assert {row.item.revision for row in view.current} == {revision}
    assert read_cad_report(world.read_cad_sr(revision)).replaces == (
        str(world.read_cad_sr(before.number).SOPInstanceUID),
    )
    assert (
        world.read_cad_sr(revision).SOPInstanceUID
        != world.read_cad_sr(before.number).SOPInstanceUID
    )
    for capture in captures(world, revision):
        assert "This replaces the report of 2026-01-05 " in capture.ImageComments
        assert capture.SeriesInstanceUID != captures(world, before.number)[0].SeriesInstanceUID
    assert not any("replaces" in str(capture.ImageComments) for capture in captures(world, 1))


def test_a_late_image_is_read_in_a_revision_of_its_own(world: NodeWorld) -> None:
    uids = exam(world)
    world.read_due()
    late = world.deliver(image(7, "L", View.ML))

    world.read_due()

    check_is_current(world, 2, Cause.LATE_INSTANCE)
    assert images_of(world, 2) == {*uids, late}


def test_a_retake_is_read_beside_the_image_that_it_repeats(world: NodeWorld) -> None:
    uids = exam(world)
    world.read_due()
    again = world.deliver(image(8, "L", View.CC, AcquisitionTime="102500"))
    world.answers[again] = detection(again, *CLUSTER)

    world.read_due()

    check_is_current(world, 2, Cause.LATE_INSTANCE)
    assert images_of(world, 2) == {*uids, again}


def test_a_retake_whose_first_image_is_rejected_makes_one_revision_without_it(
    world: NodeWorld,
) -> None:
    uids = exam(world)
    world.read_due()
    again = world.deliver(image(8, "L", View.CC, AcquisitionTime="102500"))
    world.answers[again] = detection(again, *CLUSTER)
    reject(world, "113001", uids[2])

    world.read_due()

    check_is_current(world, 2, Cause.LATE_INSTANCE)
    assert images_of(world, 2) == {uids[0], uids[1], uids[3], again}
    assert [f.sop_instance_uid for f in read_cad_report(world.read_cad_sr(2)).findings] == [again]


def test_a_corrected_header_takes_the_place_of_the_first_one(world: NodeWorld) -> None:
    exam(world)
    wrong = image(9, "R", View.ML)
    world.deliver(wrong)
    world.read_due()
    world.deliver(image(9, "L", View.ML))

    world.read_due()

    check_is_current(world, 2, Cause.CORRECTED_INSTANCE)
    (first,) = [i for i in read_cad_report(world.read_cad_sr(1)).images if i.view is View.ML]
    (second,) = [i for i in read_cad_report(world.read_cad_sr(2)).images if i.view is View.ML]
    assert (first.label, second.label) == ("RML", "LML")
    assert first.sop_instance_uid == second.sop_instance_uid


def test_a_repeat_of_the_same_bytes_makes_no_revision(world: NodeWorld) -> None:
    exam(world)
    world.read_due()

    exam(world)

    assert world.get_outcome()[0] is StudyState.REPORTED
    assert len(detail(world).revisions) == 1


def test_a_study_sent_again_under_another_patient_belongs_to_that_one(world: NodeWorld) -> None:
    exam(world, PatientID="P9")
    world.read_due()
    for number, (side, view) in enumerate(
        (side, view) for side in "RL" for view in (View.CC, View.MLO)
    ):
        # Of two and two, those of the first patient came first.
        assert is_of(world, "P9") is (number <= 2)
        world.deliver(image(number, side, view, PatientID="P1"))

    world.read_due()

    assert is_of(world, "P1")
    check_is_current(world, 2, Cause.CORRECTED_INSTANCE)
    assert world.read_cad_sr(2).PatientID == "P1"
    assert not world.node.tracker.node_queries.list_alarms()


def test_of_a_study_sent_again_in_part_under_another_patient_the_rest_is_read(
    world: NodeWorld,
) -> None:
    uids = exam(world, PatientID="P9")
    world.read_due()
    world.deliver(image(0, "R", View.CC, PatientID="P1"))

    world.read_due()

    assert is_of(world, "P9")
    check_is_current(world, 2, Cause.CORRECTED_INSTANCE)
    assert images_of(world, 2) == set(uids[1:])
    assert world.read_cad_sr(2).PatientID == "P9"
    assert [alarm.kind for alarm in world.node.tracker.node_queries.list_alarms()] == [
        "patient-mismatch"
    ]


@pytest.mark.parametrize("title", ["113001", "113037", "113038"])
def test_a_rejected_image_is_dropped_and_the_rest_read_again(world: NodeWorld, title: str) -> None:
    uids = exam(world)
    world.read_due()
    reject(world, title, uids[2])

    world.read_due()

    check_is_current(world, 2, Cause.REJECTION)
    assert images_of(world, 2) == {uids[0], uids[1], uids[3]}
    assert read_cad_report(world.read_cad_sr(2)).findings == ()
    assert [i.sop_instance_uid for i in detail(world).images if i.rejected] == [uids[2]]
    assert Reason.VIEWS_MISSING in detail(world).revisions[0].reasons


def test_expired_retention_drops_images_and_leaves_the_report_as_it_is(world: NodeWorld) -> None:
    uids = exam(world)
    world.read_due()

    reject(world, "113039", *uids)

    assert all(image.rejected for image in detail(world).images)
    assert world.get_outcome()[:2] == (StudyState.REPORTED, Outcome.FINDINGS)
    assert len(detail(world).revisions) == 1


def test_a_late_image_leaves_the_finding_of_an_image_that_has_merely_expired(
    world: NodeWorld,
) -> None:
    uids = exam(world)
    world.read_due()
    reject(world, "113039", *uids[1:3])  # one of them holds the cluster
    late = world.deliver(image(7, "L", View.ML))

    world.read_due()

    check_is_current(world, 2, Cause.LATE_INSTANCE)
    assert images_of(world, 2) == {*uids, late}
    (finding,) = read_cad_report(world.read_cad_sr(2)).findings
    assert finding.sop_instance_uid == uids[2]
    by_uid = {result.sop_instance_uid: result for result in detail(world).images}
    assert {uid for uid in by_uid if Reason.IMAGE_EXPIRED in by_uid[uid].reasons} == {*uids[1:3]}
    assert world.get_outcome()[1] is Outcome.FINDINGS
    assert "retention of the image has expired since it was read" in world.read_cad_sr(2).to_json()


def test_of_images_that_expired_one_that_turns_out_to_be_wrong_is_dropped(
    world: NodeWorld,
) -> None:
    uids = exam(world)
    world.read_due()
    reject(world, "113039", *uids)
    reject(world, "113001", uids[2])

    world.read_due()

    check_is_current(world, 2, Cause.REJECTION)
    assert images_of(world, 2) == {uids[0], uids[1], uids[3]}


def test_what_expired_is_read_again_for_a_person(world: NodeWorld) -> None:
    uids = exam(world)
    world.read_due()
    reject(world, "113039", *uids)
    assert world.node.tracker.studies.request_reading(STUDY, "radiologist", world.now)

    world.read_due()

    assert images_of(world, 2) == set(uids)
    assert world.get_outcome()[1] is Outcome.FINDINGS


def test_what_expired_and_is_sent_again_counts_again(world: NodeWorld) -> None:
    uids = exam(world)
    world.read_due()
    reject(world, "113039", *uids)

    exam(world)

    assert [image.rejected for image in detail(world).images] == [False] * len(uids)
    # Nothing about the report was wrong at any time.
    assert world.get_outcome()[:2] == (StudyState.REPORTED, Outcome.FINDINGS)

    studies = world.node.tracker.studies
    assert studies.request_reading(STUDY, "radiologist", world.now)
    world.read_due()

    inputs = studies.list_inputs(STUDY, 2)
    assert sorted(instance.sop_instance_uid for instance in inputs) == sorted(uids)


def test_what_expired_before_it_was_read_and_is_sent_again_is_read(world: NodeWorld) -> None:
    uids = exam(world)
    reject(world, "113039", *uids)
    exam(world)

    world.read_due()

    assert images_of(world, 1) == set(uids)


def test_what_was_rejected_and_is_sent_again_stays_out(world: NodeWorld) -> None:
    uids = exam(world)
    world.read_due()
    reject(world, "113001", uids[2])
    exam(world)
    world.deliver(image(2, "L", View.CC, StationName="CORRECTED"))

    world.read_due()

    assert images_of(world, 2) == {uids[0], uids[1], uids[3]}


def test_what_expired_and_turns_out_to_be_wrong_makes_a_revision(world: NodeWorld) -> None:
    uids = exam(world)
    world.read_due()
    reject(world, "113039", uids[2])
    reject(world, "113038", uids[2])
    world.deliver(image(2, "L", View.CC))

    world.read_due()

    check_is_current(world, 2, Cause.REJECTION)
    assert images_of(world, 2) == {uids[0], uids[1], uids[3]}


def test_a_new_treatment_does_not_replace_a_report_whose_images_have_expired(
    world: NodeWorld,
) -> None:
    uids = exam(world)
    world.read_due()
    reject(world, "113039", *uids)

    treatment = TreatmentRecord(side="L", procedure="lumpectomy")
    assert world.node.tracker.treatments.add_treatment(
        PatientKey("P1", "HOSPITAL"), treatment, world.now
    )

    assert world.get_outcome()[:2] == (StudyState.REPORTED, Outcome.FINDINGS)


@pytest.mark.parametrize("title", ["113001", "113037", "113038"])
def test_a_study_that_is_rejected_whole_says_so_in_a_notice(world: NodeWorld, title: str) -> None:
    uids = exam(world)
    world.read_due()
    reject(world, title, *uids)

    world.read_due()

    assert world.get_outcome()[:2] == (StudyState.REPORTED, Outcome.NOT_ELIGIBLE)
    assert world.get_outcome()[2][0] is Reason.ALL_REJECTED
    (notice,) = captures(world, 2)
    assert "every image was withdrawn by a rejection note" in notice.ImageComments.lower()
    assert "replaces the report of 2026-01-05" in notice.ImageComments
    assert [entry.kind for entry in world.list_objects(2)] == [ObjectKind.CAPTURE]
    assert arrange_study(detail(world)).current_revision == 2


def test_what_comes_after_a_whole_rejection_replaces_the_last_report_that_stood(
    world: NodeWorld,
) -> None:
    uids = exam(world)
    world.read_due()
    reject(world, "113001", *uids)
    world.read_due()
    again = world.deliver(image(8, "L", View.CC))

    world.read_due()

    # The notice in between could replace no CAD SR: an empty one cannot be written.
    assert read_cad_report(world.read_cad_sr(3)).replaces == (
        str(world.read_cad_sr(1).SOPInstanceUID),
    )
    assert images_of(world, 3) == {again}
    assert [revision.predecessor for revision in detail(world).revisions] == [2, 1, None]


@pytest.fixture
def patient_world(tmp_path: Path) -> PatientWorld:
    return PatientWorld(tmp_path)


@pytest.mark.parametrize("title", ["113001", "113038"])
def test_a_study_is_read_again_when_its_prior_is_withdrawn(
    patient_world: PatientWorld, title: str
) -> None:
    (prior,) = patient_world.hold_prior((LAST_YEAR, OLD))
    patient_world.read_view(NOW, OLD + OTHER)
    assert patient_world.list_changes() == ["new", "unchanged"]
    reject(patient_world, title, prior, study_uid=LAST_YEAR.study)

    patient_world.read_due()

    check_is_current(patient_world, 2, Cause.PRIOR_CHANGED)
    assert patient_world.list_changes() == ["None", "None"]
    assert Reason.NO_COMPARISON in patient_world.list_reasons()


def test_a_study_is_read_again_when_its_prior_is_corrected(patient_world: PatientWorld) -> None:
    patient_world.hold_prior((LAST_YEAR, OLD))
    patient_world.read_view(NOW, OLD + OTHER)
    known = patient_world.node.tracker.study_queries.find_detail(LAST_YEAR.study)
    assert known is not None
    corrected = make_dataset(LAST_YEAR)
    corrected.SOPInstanceUID = known.images[0].sop_instance_uid
    corrected.ImageLaterality = "R"
    patient_world.deliver(corrected)

    patient_world.read_due()

    check_is_current(patient_world, 2, Cause.PRIOR_CHANGED)
    assert patient_world.list_changes() == ["None", "None"]


def test_expired_retention_of_a_prior_revises_nothing(patient_world: PatientWorld) -> None:
    (prior,) = patient_world.hold_prior((LAST_YEAR, OLD))
    patient_world.read_view(NOW, OLD)

    reject(patient_world, "113039", prior, study_uid=LAST_YEAR.study)

    assert patient_world.get_outcome()[0] is StudyState.REPORTED


def test_a_prior_whose_images_expired_is_compared_by_what_was_reported_of_it(
    patient_world: PatientWorld,
) -> None:
    prior = patient_world.read_view(LAST_YEAR, OLD)
    reject(patient_world, "113039", prior, study_uid=LAST_YEAR.study)

    patient_world.read_view(NOW, OLD + OTHER)

    assert patient_world.list_changes() == ["new", "unchanged"]
    lines = [str(finding.document["line"]) for finding in patient_world.list_findings()]
    assert all("(prior report" in line for line in lines)


def test_a_prior_that_was_not_compared_with_revises_nothing_when_it_is_withdrawn(
    patient_world: PatientWorld,
) -> None:
    patient_world.read_view(NOW, OLD)
    (prior,) = patient_world.hold_prior((LAST_YEAR, OLD))
    patient_world.read_due()  # it came late: the second revision is compared with it
    other = patient_world.deliver(make_dataset(LAST_YEAR))
    reject(patient_world, "113001", other, study_uid=LAST_YEAR.study)

    assert prior != other
    assert patient_world.get_outcome()[0] is StudyState.REPORTED
