"""Proof of delivery from archives that hospitals run: Orthanc and DCMTK's dcmqrscp."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from secondread.cli.commands import app
from secondread.settings import Proof, load_settings
from secondread.track.states import DeliveryState
from secondread.track.summaries import DeliverySummary
from secondread_lab.simulate.exam import ExamFiles
from tests.acceptance.conftest import NodeProcess, until
from tests.peers.orthanc_peer import Orthanc
from tests.peers.ports import free_port

pytestmark = [pytest.mark.acceptance, pytest.mark.peer("storescu", "echoscu")]


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    peer = Orthanc(tmp_path / "orthanc")
    yield peer
    peer.kill()


def node_with(folder: Path, proof: Proof, port: int, ae_title: str) -> NodeProcess:
    """A node whose destination has to prove what it holds, and is no peer that may send."""
    node = NodeProcess(folder, port, pacs_ae_title=ae_title)
    text = node.file.read_text()
    as_peer = f'[[peers]]\nae_title = "{ae_title}"\nmaximum_age_days = -1\n'
    assert as_peer in text
    node.file.write_text(
        f'{text.replace(as_peer, "")}proof = "{proof.value}"\n'
        "commitment_seconds = 20\nquery_seconds = 1\n"
    )
    node.settings = load_settings(node.file, {})
    return node


@pytest.fixture
def node(request: pytest.FixtureRequest, tmp_path: Path, orthanc: Orthanc) -> Iterator[NodeProcess]:
    """A node whose destination is Orthanc, which proves what it holds as the test asks."""
    process = node_with(tmp_path, request.param, orthanc.port, orthanc.ae_title)
    orthanc.configure(process.port)
    yield process
    process.kill()


def deliveries(node: NodeProcess, study_uid: str) -> list[DeliverySummary]:
    detail = node.detail(study_uid)
    return (
        [] if detail is None else [way for item in detail.outbox_objects for way in item.deliveries]
    )


def are(state: DeliveryState, ways: list[DeliverySummary]) -> bool:
    return bool(ways) and {way.state for way in ways} == {state}


def command(node: NodeProcess, *arguments: str) -> str:
    wide = {"COLUMNS": "250"}
    return CliRunner().invoke(app, [*arguments, "--settings", str(node.file)], env=wide).output


@pytest.mark.peer("Orthanc")
@pytest.mark.parametrize("node", [Proof.COMMITMENT, Proof.QUERY], indirect=True, ids=str)
def test_orthanc_proves_that_it_holds_the_results(
    orthanc: Orthanc, node: NodeProcess, exam: ExamFiles, study_uid: str
) -> None:
    (destination,) = node.settings.destinations
    orthanc.start()
    node.start()
    told = command(node, "check")
    assert f"proof {destination.proof.value}" in told
    assert "FAILED" not in told

    assert node.push(exam.current[0]).returncode == 0
    until(
        lambda: are(DeliveryState.DELIVERED, deliveries(node, study_uid)), "the proof of delivery"
    )

    ways = deliveries(node, study_uid)
    assert {(way.proof, way.attempts) for way in ways} == {(destination.proof, 1)}
    assert orthanc.instances(study_uid).keys() == node.outbox(study_uid).keys()
    assert destination.proof.value in command(node, "studies", "show", study_uid)


@pytest.mark.peer("Orthanc")
@pytest.mark.parametrize("node", [Proof.COMMITMENT], indirect=True, ids=str)
def test_a_report_that_orthanc_brings_to_a_node_that_was_away_is_asked_for_again(
    orthanc: Orthanc, node: NodeProcess, exam: ExamFiles, study_uid: str
) -> None:
    node.file.write_text(
        node.file.read_text().replace("commitment_seconds = 20", "commitment_seconds = 2")
    )
    # Orthanc knows another port, so its first reports go nowhere.
    orthanc.configure(free_port())
    orthanc.start()
    node.start()
    assert node.push(exam.current[0]).returncode == 0
    until(
        lambda: any(way.proof_asked >= 2 for way in deliveries(node, study_uid)),
        "the second request",
    )
    assert are(DeliveryState.STORED, deliveries(node, study_uid))

    node.kill()
    orthanc.stop()
    orthanc.configure(node.port)
    orthanc.start()
    node.start()
    until(
        lambda: are(DeliveryState.DELIVERED, deliveries(node, study_uid)), "the proof of delivery"
    )
    assert {way.attempts for way in deliveries(node, study_uid)} == {1}


@pytest.fixture
def archive_port(tmp_path: Path) -> Iterator[int]:
    """DCMTK's archive with the title DCMQRSCP; it answers queries, and commits to nothing."""
    port, folder = free_port(), tmp_path / "dcmqrscp"
    folder.mkdir()
    configuration = tmp_path / "dcmqrscp.cfg"
    configuration.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 131072\nMaxAssociations = 16\n"
        "HostTable BEGIN\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nDCMQRSCP {folder} RW (50, 1024mb) ANY\nAETable END\n"
    )
    process = subprocess.Popen(
        ["dcmqrscp", "-c", str(configuration)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield port
    process.kill()
    process.wait()


@pytest.mark.peer("dcmqrscp")
def test_dcmtk_shows_the_results_when_it_is_queried(
    archive_port: int, tmp_path: Path, exam: ExamFiles, study_uid: str
) -> None:
    node = node_with(tmp_path, Proof.QUERY, archive_port, "DCMQRSCP")
    try:
        node.start()
        assert node.push(exam.current[0]).returncode == 0
        until(
            lambda: are(DeliveryState.DELIVERED, deliveries(node, study_uid)),
            "the proof of delivery",
        )
        assert {way.proof for way in deliveries(node, study_uid)} == {Proof.QUERY}
    finally:
        node.kill()
