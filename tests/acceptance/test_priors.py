"""A PACS that holds the priors: the current exam alone comes to the node, and is compared.

Orthanc is that PACS where it can misbehave as needed; otherwise an archive of this repository is.
"""

import io
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from typer.testing import CliRunner

from secondread.cli.commands import app
from secondread.findings.cad_report import ReportOrigin
from secondread.reasons import Outcome, Reason
from secondread.track.states import FetchState, StudyState
from secondread.track.summaries import StudyDetail
from secondread.watch.prior_reports import read_prior_reports
from secondread.workflow.inputs import GatheredPriors, gather_inputs, gather_priors
from secondread_lab.simulate.exam import ExamFiles
from tests.acceptance.conftest import NodeProcess, until
from tests.conftest import ROOT
from tests.peers.orthanc_peer import Orthanc
from tests.peers.prior_peer import PriorPeer, serving
from tests.worlds.foreign_cad import CENTER, MASS, foreign, mark, shape

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.peer("Orthanc", "storescu", "echoscu"),
]

NEW, MORE, SAME = "129721008", "129726003", "129723006"
"""CID 6003: new finding, increase in number of calcifications, no significant changes."""
BASELINE = ROOT / "models" / "calcification" / "baseline" / "manifest.toml"
"""The analytic model: artificial pictures are its trade."""


@pytest.fixture
def exam(pair_exam: ExamFiles) -> ExamFiles:
    return pair_exam


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    peer = Orthanc(tmp_path / "orthanc")
    yield peer
    peer.kill()


@pytest.fixture
def retrieve() -> str:
    return "move"


@pytest.fixture
def wait_seconds() -> float:
    return 600


@pytest.fixture
def node(
    tmp_path: Path, orthanc: Orthanc, retrieve: str, wait_seconds: float
) -> Iterator[NodeProcess]:
    process = NodeProcess(tmp_path, orthanc.port, pacs_ae_title=orthanc.ae_title)
    process.add(source(orthanc.ae_title, orthanc.port, retrieve, wait_seconds))
    # Without the script that forwards: Orthanc holds the prior from before there was a node.
    orthanc.configure(process.port, LuaScripts=[])
    yield process
    process.kill()


def source(ae_title: str, port: int, retrieve: str = "move", wait_seconds: float = 600) -> str:
    return f"""
[detect]
manifest = "{BASELINE}"
[priors]
wait_seconds = {wait_seconds}
[[priors.sources]]
name = "pacs"
ae_title = "{ae_title}"
host = "127.0.0.1"
port = {port}
retrieve = "{retrieve}"
timeout_seconds = 5
maximum_pause_seconds = 1
"""


def study_of(path: Path) -> str:
    return str(pydicom.dcmread(path, stop_before_pixels=True).StudyInstanceUID)


def is_read(node: NodeProcess, study_uid: str, revision: int = 1) -> bool:
    detail = node.detail(study_uid)
    return (
        detail is not None
        and detail.summary.state is StudyState.REPORTED
        and detail.summary.revision == revision
    )


def detail_of(node: NodeProcess, study_uid: str) -> StudyDetail:
    detail = node.detail(study_uid)
    assert detail is not None
    return detail


def fetch_states(node: NodeProcess, study_uid: str) -> list[FetchState]:
    return [one.state for one in detail_of(node, study_uid).fetch_requests]


def changes(node: NodeProcess, study_uid: str) -> set[str]:
    found = detail_of(node, study_uid).findings
    return {str(finding.document["change"]) for finding in found if finding.shown}


def priors(node: NodeProcess, study_uid: str) -> GatheredPriors:
    """Return the priors that the first reading was given."""
    from secondread.accept.archive import Archive

    archive, tracker = Archive(node.settings.node.data_dir), node.tracker()
    try:
        return gather_priors(tracker, archive, gather_inputs(tracker, archive, study_uid, 1))
    finally:
        tracker.close()


def report(node: NodeProcess, study_uid: str) -> Dataset:
    """Return the newest CAD SR as it lies in the outbox."""
    for path in node.outbox(study_uid).values():
        ds = pydicom.dcmread(path)
        if ds.Modality == "SR":
            return ds
    raise AssertionError("there is no report")


def reports_back(orthanc: Orthanc, study_uid: str) -> list[Dataset]:
    """Return the CAD SRs that Orthanc was sent."""
    found: list[Dataset] = []
    for identifier in orthanc.instances(study_uid).values():
        with urllib.request.urlopen(orthanc.url(f"/instances/{identifier}/file"), timeout=30) as it:
            ds = pydicom.dcmread(io.BytesIO(it.read()))
        if ds.Modality == "SR":
            found.append(ds)
    return found


def others_report(exam: ExamFiles, folder: Path) -> Path:
    """Write another maker's CAD report of the prior, with two marks."""
    image = pydicom.dcmread(exam.prior[0], stop_before_pixels=True)
    ds = foreign(*[mark(MASS, shape(CENTER, "POINT", 10, row)) for row in (20, 40)])
    ds.StudyInstanceUID, ds.SeriesInstanceUID = image.StudyInstanceUID, "1.5.8"
    ds.PatientID, ds.IssuerOfPatientID = image.PatientID, image.IssuerOfPatientID
    ds.Modality, ds.StudyDate = "SR", image.StudyDate
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.save_as(folder / "other.dcm", enforce_file_format=True)
    return folder / "other.dcm"


def others_marks(node: NodeProcess, study_uid: str) -> list[dict[str, int]]:
    """Return the marks by view of the other makers' reports that the node has of the priors."""
    from secondread.accept.archive import Archive

    tracker = node.tracker()
    try:
        found = read_prior_reports(tracker, Archive(node.settings.node.data_dir), study_uid)
    finally:
        tracker.close()
    reports = [one.report for one in found if one.report is not None]
    return [dict(one.mark_counts) for one in reports if one.origin is ReportOrigin.FOREIGN]


def differential_impressions(sr: Dataset) -> set[str]:
    """Return the codes of CID 6003 that a report holds."""
    codes = {str(item.CodeValue) for item in walked(sr) if "CodeValue" in item}
    return codes & {NEW, MORE, SAME}


def walked(ds: Dataset) -> Iterator[Dataset]:
    for item in ds.get("ContentSequence", ()):
        if "ConceptCodeSequence" in item:
            yield item.ConceptCodeSequence[0]
        yield from walked(item)


def impression(sr: Dataset) -> str:
    texts = [str(i.TextValue) for part in sr.ContentSequence for i in texts_of(part)]
    return " ".join(texts)


def texts_of(ds: Dataset) -> list[Dataset]:
    return [i for i in ds.get("ContentSequence", ()) if i.get("ValueType") == "TEXT"]


@pytest.mark.parametrize("retrieve", ["move", "get"])
def test_the_node_fetches_the_prior_and_says_in_the_report_what_changed(
    orthanc: Orthanc, node: NodeProcess, exam: ExamFiles, study_uid: str, tmp_path: Path
) -> None:
    orthanc.start()
    assert orthanc.push(*exam.prior, others_report(exam, tmp_path)).returncode == 0
    node.start()

    assert node.push(*exam.current).returncode == 0
    until(lambda: is_read(node, study_uid) and node.has_sent(study_uid), "the reading")
    until(lambda: others_marks(node, study_uid) == [{"LCC": 2}], "the other maker's report")
    # A request is done a moment after the last of what it asked for has come.
    until(lambda: fetch_states(node, study_uid) == [FetchState.DONE] * 2, "the ends of the fetches")

    prior_uid = study_of(exam.prior[0])
    (prior,) = priors(node, study_uid).usable
    assert prior.study_uid == prior_uid
    detail, held = detail_of(node, study_uid), detail_of(node, prior_uid)
    assert (held.summary.state, held.summary.hold_reason) == (
        StudyState.HELD,
        Reason.FETCHED_AS_PRIOR,
    )
    assert held.revisions == ()
    (revision,) = detail.revisions
    assert revision.outcome is Outcome.FINDINGS
    assert Reason.NO_COMPARISON not in revision.reasons
    assert changes(node, study_uid) >= {"new", "more", "unchanged"}
    (sr,) = reports_back(orthanc, study_uid)
    assert differential_impressions(sr) == {NEW, MORE, SAME}

    picture = tmp_path / "timeline.png"
    patient = f"{prior.headers[next(iter(prior.headers))].PatientID}^^^SIMULATED"
    said = CliRunner().invoke(
        app,
        ["patients", "timeline", patient, "--out", str(picture), "--settings", str(node.file)],
    )
    assert said.exit_code == 0, said.output
    with Image.open(picture) as drawn:
        assert drawn.width > 1000


def test_a_pacs_that_does_not_let_the_node_retrieve_leaves_the_reason_in_the_report(
    orthanc: Orthanc, node: NodeProcess, exam: ExamFiles, study_uid: str
) -> None:
    orthanc.forbid("AllowMove")
    orthanc.start()
    assert orthanc.push(*exam.prior).returncode == 0
    node.start()

    assert node.push(*exam.current).returncode == 0
    until(lambda: is_read(node, study_uid), "the reading")

    (prior,) = priors(node, study_uid).studies
    assert prior.study_uid == study_of(exam.prior[0])
    assert prior.reason in {Reason.PRIOR_MOVE_REFUSED, Reason.PRIOR_NOT_RECEIVED}
    assert changes(node, study_uid) == {"None"}
    assert prior.reason.sentence in impression(report(node, study_uid))


def test_a_pacs_without_priors_leaves_the_reason_in_the_report(
    orthanc: Orthanc, node: NodeProcess, exam: ExamFiles, study_uid: str
) -> None:
    orthanc.start()
    node.start()

    assert node.push(*exam.current).returncode == 0
    until(lambda: is_read(node, study_uid), "the reading")

    (revision,) = detail_of(node, study_uid).revisions
    assert revision.reasons[-2:] == (Reason.NO_COMPARISON, Reason.PRIOR_NOT_FOUND)
    assert Reason.PRIOR_NOT_FOUND.sentence in impression(report(node, study_uid)).lower()


@pytest.mark.parametrize("wait_seconds", [3])
def test_a_pacs_that_is_slow_is_not_waited_for_and_its_prior_makes_a_revision(
    orthanc: Orthanc, node: NodeProcess, exam: ExamFiles, study_uid: str
) -> None:
    orthanc.start()
    assert orthanc.push(*exam.prior).returncode == 0
    node.start()
    orthanc.signal(signal.SIGSTOP)

    assert node.push(*exam.current).returncode == 0
    until(lambda: is_read(node, study_uid), "the reading")
    (revision,) = detail_of(node, study_uid).revisions
    assert revision.reasons[-2] is Reason.NO_COMPARISON
    assert revision.reasons[-1] in {Reason.PRIOR_TIMED_OUT, Reason.PRIOR_QUERY_FAILED}
    first = report(node, study_uid)
    assert revision.reasons[-1].sentence in impression(first).lower()
    assert changes(node, study_uid) == {"None"}

    orthanc.signal(signal.SIGCONT)
    until(lambda: is_read(node, study_uid, 2) and node.has_sent(study_uid), "the revision")

    second, _ = sorted(
        reports_back(orthanc, study_uid), key=lambda ds: ds.SOPInstanceUID == first.SOPInstanceUID
    )
    assert detail_of(node, study_uid).revisions[0].cause.value == "late-prior"
    replaced = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    (told,) = replaced.ReferencedSOPSequence
    assert told.ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert differential_impressions(second) == {NEW, MORE, SAME}


def test_a_pacs_that_sends_another_patients_images_leaves_the_reason_in_the_report(
    tmp_path: Path, exam: ExamFiles, study_uid: str
) -> None:
    held: list[Dataset] = [pydicom.dcmread(path) for path in exam.prior]
    foreign: list[Dataset] = [pydicom.dcmread(path) for path in exam.prior]
    for ds in foreign:
        ds.PatientID = "ANOTHER"
    with serving(PriorPeer(held, sent_instead=foreign)) as peer:
        node = NodeProcess(tmp_path, peer.port, mode="shadow", pacs_ae_title="ARCHIVE")
        node.add(source("ARCHIVE", peer.port))
        peer.destination = ("127.0.0.1", node.port)
        try:
            node.start()
            assert node.push(*exam.current).returncode == 0
            until(lambda: is_read(node, study_uid), "the reading")

            (prior,) = priors(node, study_uid).studies
            assert prior.reason is Reason.PRIOR_FOREIGN
            assert changes(node, study_uid) == {"None"}
            assert Reason.PRIOR_FOREIGN.sentence in impression(report(node, study_uid))
        finally:
            node.kill()
