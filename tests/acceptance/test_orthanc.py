"""A stock Orthanc with the configuration in `orthanc/` between a mammography unit and the node."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from secondread.track.states import DeliveryState, StudyState
from secondread_lab.simulate.exam import ExamFiles
from tests.acceptance.conftest import NodeProcess, Pacs, until
from tests.peers.orthanc_peer import CONFIGURATION, Orthanc
from tests.peers.postgres_server import PostgresServer
from tests.worlds.track_world import rejection_note

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.peer("Orthanc", "storescu", "echoscu", "findscu"),
]

BACKENDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.peer("postgres"))]


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    peer = Orthanc(tmp_path / "orthanc")
    yield peer
    peer.kill()


@pytest.fixture
def database_url() -> str:
    """SQLite; a test on several databases parametrizes it."""
    return ""


@pytest.fixture
def node(tmp_path: Path, orthanc: Orthanc, database_url: str) -> Iterator[NodeProcess]:
    process = NodeProcess(
        tmp_path, orthanc.port, pacs_ae_title=orthanc.ae_title, database_url=database_url
    )
    # Delivered is what Orthanc has taken responsibility for: it has to be allowed to be asked.
    by_commitment = process.file.read_text().replace(
        "initial_mode", 'proof = "commitment"\ninitial_mode'
    )
    process.file.write_text(by_commitment)
    orthanc.configure(process.port)
    yield process
    process.kill()


def results_are_back(orthanc: Orthanc, node: NodeProcess, study_uid: str) -> bool:
    detail = node.detail(study_uid)
    return (
        detail is not None
        and detail.summary.state is StudyState.REPORTED
        and bool(detail.outbox_objects)
        and {o.sop_instance_uid for o in detail.outbox_objects}
        <= orthanc.instances(study_uid).keys()
    )


def delivery_states(node: NodeProcess, study_uid: str) -> set[DeliveryState]:
    detail = node.detail(study_uid)
    assert detail is not None
    return {delivery.state for result in detail.outbox_objects for delivery in result.deliveries}


def foreign_capture(like: Path, folder: Path) -> Path:
    """Write another maker's secondary capture into the study of an image."""
    ds = pydicom.dcmread(like)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.SeriesInstanceUID = generate_uid()
    path = folder / "capture.dcm"
    ds.save_as(path)
    return path


def write_note(study_uid: str, image: Path, file: Path) -> Path:
    """Write a rejection note of a study of the patient of an image."""
    note = rejection_note(["1.2.3"], study_uid)
    note.PatientID = pydicom.dcmread(image, stop_before_pixels=True).PatientID
    note.file_meta = FileMetaDataset()
    note.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    note.save_as(file, enforce_file_format=True)
    return file


class TestRoundTrip:
    """The same exam with the node on each database."""

    @pytest.fixture(params=BACKENDS)
    def database_url(self, request: pytest.FixtureRequest) -> str:
        if request.param == "sqlite":
            return ""
        server: PostgresServer = request.getfixturevalue("postgres_server")
        return server.create()

    def test_the_results_come_back_into_the_same_study_and_nothing_goes_round_again(
        self,
        orthanc: Orthanc,
        node: NodeProcess,
        exam: ExamFiles,
        study_uid: str,
        tmp_path: Path,
    ) -> None:
        orthanc.start()
        node.start()

        sent = orthanc.push(*exam.current[:2])
        assert sent.returncode == 0, sent.stdout + sent.stderr
        until(lambda: results_are_back(orthanc, node, study_uid), "the results in Orthanc")

        study = orthanc.study(study_uid)
        series = orthanc.get(f"/studies/{study}/series")
        assert {s["MainDicomTags"]["Modality"] for s in series} == {"MG", "SR", "OT"}
        assert orthanc.get("/studies") == [study]
        images = {
            str(pydicom.dcmread(p, stop_before_pixels=True).SOPInstanceUID)
            for p in exam.current[:2]
        }
        assert orthanc.instances(study_uid).keys() == images | node.outbox(study_uid).keys()
        until(lambda: delivery_states(node, study_uid) == {DeliveryState.DELIVERED}, "commitment")

        # Three times something more comes to the study, and it rests again.
        jobs = len(orthanc.sent_jobs())
        for _ in range(3):
            events = orthanc.changes("StableStudy", study)
            assert orthanc.push(foreign_capture(exam.current[0], tmp_path)).returncode == 0
            assert orthanc.push(*exam.current[:2]).returncode == 0
            until(lambda n=events: orthanc.changes("StableStudy", study) > n, "a stable study")  # type: ignore[misc]

        assert orthanc.changes("StableStudy", study) >= 3
        assert len(orthanc.sent_jobs()) == jobs
        detail = node.detail(study_uid)
        assert detail is not None
        assert [revision.number for revision in detail.revisions] == [1]
        assert {image.sop_instance_uid for image in detail.images} == images


def test_a_node_that_is_away_for_a_while_gets_everything_when_it_is_back(
    orthanc: Orthanc, node: NodeProcess, exam: ExamFiles, study_uid: str
) -> None:
    orthanc.start()
    node.start()
    assert orthanc.push(exam.current[0]).returncode == 0
    until(lambda: node.detail(study_uid) is not None, "the first image at the node")

    node.kill()
    assert orthanc.push(exam.current[1]).returncode == 0
    until(lambda: "Failure" in orthanc.sent_jobs(), "a try in vain")
    orthanc.kill()
    orthanc.start()
    node.start()

    def is_read_whole() -> bool:
        detail = node.detail(study_uid)
        latest = max(detail.revisions, key=lambda r: r.number, default=None) if detail else None
        return latest is not None and latest.inputs == 2

    until(is_read_whole, "a reading of all images")
    until(lambda: results_are_back(orthanc, node, study_uid), "the results in Orthanc")


@pytest.mark.peer("storescp")
def test_notes_go_with_their_mammograms_and_an_anonymized_copy_does_not(
    orthanc: Orthanc, pacs: Pacs, exam: ExamFiles, study_uid: str, tmp_path: Path
) -> None:
    orthanc.configure(pacs.port)  # any SCP will do
    orthanc.start()
    note = write_note(study_uid, exam.current[0], tmp_path / "note.dcm")
    elsewhere = write_note("1.2.3.4", exam.current[0], tmp_path / "elsewhere.dcm")
    assert orthanc.push(exam.current[0], note, elsewhere).returncode == 0
    original, other = orthanc.study(study_uid), orthanc.study("1.2.3.4")

    copy = orthanc.post(f"/studies/{original}/anonymize", b"{}")["ID"]
    until(lambda: orthanc.changes("StableStudy", copy) > 0, "the copy to be stable")
    until(lambda: orthanc.changes("StableStudy", other) > 0, "the other study to be stable")
    until(lambda: len(list(pacs.folder.iterdir())) >= 2, "the image and its note")
    orthanc.stop()  # only when the script has dealt with all events
    orthanc.start()

    assert "Secondread" in orthanc.get(f"/studies/{original}/metadata")
    assert "Secondread" not in orthanc.get(f"/studies/{copy}/metadata")
    assert "Secondread" not in orthanc.get(f"/studies/{other}/metadata")
    sent = [pydicom.dcmread(path, stop_before_pixels=True) for path in pacs.files().values()]
    assert {str(ds.StudyInstanceUID) for ds in sent} == {study_uid}
    assert sorted(ds.Modality for ds in sent) == ["KO", "MG"]


def test_the_script_takes_no_event_that_hands_over_a_whole_report() -> None:
    # Orthanc pushes the content on Lua's stack without asking for room: see the script's comment.
    script = (CONFIGURATION / "secondread.lua").read_text()
    taken = set(re.findall(r"(?m)^function (\w+)", script))
    assert "OnStableSeries" in taken
    assert not taken & {
        "OnStoredInstance",
        "ReceivedInstanceFilter",
        "ReceivedInstanceCStoreFilter",
    }


def test_only_the_peers_that_are_listed_may_store_and_search(
    orthanc: Orthanc, node: NodeProcess, exam: ExamFiles, study_uid: str
) -> None:
    orthanc.start()
    assert node.settings.node.ae_title == "SECONDREAD"

    def found(ae_title: str) -> bool:
        told = subprocess.run(
            [
                *("findscu", "-v", "-S", "-aet", ae_title, "-aec", orthanc.ae_title),
                *("127.0.0.1", str(orthanc.port), "-k", "QueryRetrieveLevel=STUDY"),
                *("-k", f"StudyInstanceUID={study_uid}"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        return "Find Response: 1 (Pending)" in told.stdout + told.stderr

    assert orthanc.push(exam.current[0], ae_title="STRANGER").returncode != 0
    assert orthanc.get("/studies") == []
    assert orthanc.push(exam.current[0]).returncode == 0
    assert found("SECONDREAD")
    assert not found("STRANGER")


@pytest.mark.parametrize("key", ["UserMetadata", "DicomModalities"])
def test_a_configuration_that_lacks_an_entry_is_told_and_forwards_nothing(
    orthanc: Orthanc, node: NodeProcess, exam: ExamFiles, key: str
) -> None:
    orthanc.configure(node.port, **{key: {}, "DicomAlwaysAllowStore": True})
    orthanc.start()
    assert orthanc.push(exam.current[0]).returncode == 0
    orthanc.stop()

    log = orthanc.log.read_text()
    assert "nothing is forwarded" in log
    assert key in log
    assert "Error while processing Lua events" not in log
