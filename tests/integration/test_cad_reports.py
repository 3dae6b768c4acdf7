"""CAD reports beside a prior: shown as whose they are, on the study's page and in findings.json."""

from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from secondread.accept.classify import classify
from secondread.accept.dispositions import Disposition
from secondread.codes import View
from secondread.dicom_files import read_document
from secondread.findings.cad_report import ReportOrigin
from secondread.offline.findings_document import encode_findings
from secondread.offline.input_files import gather_files
from secondread.offline.reading_plan import plan_reading
from secondread.reasons import Outcome
from secondread.watch import prior_reports
from secondread.watch.application import make_app
from secondread.watch.prior_reports import read_prior_reports
from secondread.workflow.order import run_reading
from tests.unit.report.readings import make_image_reading, make_study_reading
from tests.worlds.builders import detection, header, view_sequence
from tests.worlds.foreign_cad import CENTER, MASS, foreign, mark, shape
from tests.worlds.node_world import CLUSTER, NodeWorld, run_step
from tests.worlds.watch_world import Browser, let_in

STUDY, PRIOR = "1.2.3", "1.2.2"
THEN = {
    "StudyInstanceUID": PRIOR,
    "SeriesInstanceUID": "1.2.2.4",
    "StudyDate": "20250104",
    "AcquisitionDate": "20250104",
}


@pytest.fixture
def world(tmp_path: Path) -> NodeWorld:
    return NodeWorld(tmp_path)


def acme() -> Dataset:
    """Another maker's report of the prior, with two marks."""
    ds = foreign(*[mark(MASS, shape(CENTER, "POINT", 10, row)) for row in (20, 40)])
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.StudyInstanceUID, ds.SeriesInstanceUID = PRIOR, "1.2.2.8"
    ds.PatientID, ds.IssuerOfPatientID = "P1", "HOSPITAL"
    ds.Modality, ds.StudyDate = "SR", "20250104"
    return ds


def read_prior(world: NodeWorld) -> None:
    """Read the prior as a study of its own, as the node did a year ago."""
    _, left = (
        world.deliver(header(ImageLaterality=side, ViewCodeSequence=view_sequence(View.CC), **THEN))
        for side in "RL"
    )
    world.answers[left] = detection(left, *CLUSTER)
    claimed = world.claim()
    run_reading(world.steps, run_step, claimed.study_uid, claimed.number)


def test_own_and_others_reports_of_a_prior_are_shown_as_whose_they_are(world: NodeWorld) -> None:
    read_prior(world)
    report = acme()
    disposition = classify(report, is_own=False)
    assert disposition is Disposition.OTHER_CAD_SR
    world.deliver(report, disposition)
    world.deliver_exam()
    world.read_due()

    found = read_prior_reports(world.node.tracker, world.node.archive, STUDY)
    page = Browser(
        make_app(world.node.tracker, world.node.archive, world.settings, lambda: world.now),
        let_in(world.node.tracker),
    )

    said = {one.report.origin: one.report for one in found if one.report is not None}
    assert {one.study_uid for one in found} == {PRIOR}
    assert said[ReportOrigin.OWN].mark_counts == {"RCC": 0, "LCC": 1}
    assert said[ReportOrigin.FOREIGN].mark_counts == {"LCC": 2}
    text = " ".join(page.get(f"/studies/{STUDY}").text.split())
    assert "CAD of Acme" in text
    assert "LCC 2" in text
    assert "this node&#39;s report" in text
    # A mark of theirs is none of ours: nothing of it is in the findings.
    detail = world.node.tracker.study_queries.find_detail(STUDY)
    assert detail is not None
    assert detail.findings == ()
    assert world.get_outcome()[1] is Outcome.NO_FINDINGS


def test_a_report_that_cannot_be_read_is_named_with_the_fault(world: NodeWorld) -> None:
    report = acme()
    report.ConceptNameCodeSequence[0].CodeMeaning = "Chest CAD Report"
    report.ConceptNameCodeSequence[0].CodeValue = "112000"
    read_prior(world)
    world.deliver(report, Disposition.OTHER_CAD_SR)
    world.deliver_exam()
    world.read_due()

    page = Browser(
        make_app(world.node.tracker, world.node.archive, world.settings, lambda: world.now),
        let_in(world.node.tracker),
    )

    text = " ".join(page.get(f"/studies/{STUDY}").text.split())
    assert "not readable: 1: another template than TID 4000: (112000, DCM)" in text


def test_findings_json_holds_the_reports_of_the_prior(tmp_path: Path) -> None:
    current, prior = header(), header(**THEN)
    damaged = acme()
    damaged.SOPInstanceUID = "1.5.10"
    damaged.ConceptNameCodeSequence[0].CodeValue = "112000"
    for number, ds in enumerate((current, prior, acme(), damaged)):
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    inputs = gather_files([tmp_path])
    reading = make_study_reading(
        Outcome.NO_FINDINGS, make_image_reading(pydicom.dcmread(tmp_path / "0.dcm"))
    )

    document = encode_findings(inputs, [replace(reading, study_uid=STUDY)], plan_reading(inputs))

    (entry,) = document["studies"]
    assert entry["cad_reports"] == [
        {
            "study_uid": PRIOR,
            "sop_instance_uid": "1.5.9",
            "title": "CAD of Acme",
            "origin": "foreign",
            "manufacturer": "Acme",
            "date": "2024-06-05",
            "marks": {"LCC": 2},
            "not_readable": [],
        },
        {
            "study_uid": PRIOR,
            "sop_instance_uid": "1.5.10",
            "not_readable": ["1: another template than TID 4000: (112000, DCM)"],
        },
    ]


@pytest.mark.usefixtures("_unreadable")
def test_a_report_that_breaks_its_reader_costs_its_line_of_the_page(world: NodeWorld) -> None:
    read_prior(world)
    world.deliver(acme(), Disposition.OTHER_CAD_SR)
    world.deliver_exam()
    world.read_due()

    app = make_app(world.node.tracker, world.node.archive, world.settings, lambda: world.now)
    page = Browser(app, let_in(world.node.tracker)).get(f"/studies/{STUDY}")

    assert page.status_code == 200
    assert "not readable: not understood" in " ".join(page.text.split())


@pytest.fixture
def _unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every report break its reader in a way that nobody foresaw."""

    def broken(*_: object) -> None:
        raise RecursionError("Doe^Jane")

    monkeypatch.setattr(prior_reports, "read_cad_report_file", broken)


def test_of_very_many_reports_of_a_prior_the_last_ones_are_read(world: NodeWorld) -> None:
    read_prior(world)
    for number in range(15):
        report = acme()
        report.SOPInstanceUID = f"1.5.{number + 10}"
        world.deliver(report, Disposition.OTHER_CAD_SR)
    world.deliver_exam()
    files = world.node.tracker.cad_reports.list_for_priors(STUDY)
    received = [file for file in files if file.path.startswith("instances/")]
    uids = [read_document(world.node.archive.resolve_path(f.path)).SOPInstanceUID for f in received]
    assert uids == [f"1.5.{number + 10}" for number in range(5, 15)]
