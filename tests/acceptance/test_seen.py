"""Results as others show and keep them: DCMTK's renderer, Orthanc's web viewer, two archives."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from PIL import Image

from secondread.report.pages.drawing import MARK
from secondread.report.result import ResultObject
from secondread.settings import ObjectKind, Proof
from secondread.track.states import DeliveryState
from secondread_lab.simulate.exam import ExamFiles
from tests.acceptance.conftest import until
from tests.acceptance.test_proof import are, deliveries, node_with
from tests.peers.chromium_peer import draw_page
from tests.peers.orthanc_peer import Orthanc
from tests.peers.ports import free_port
from tests.worlds.golden_set import golden_exams, write

pytestmark = [pytest.mark.acceptance, pytest.mark.peer("storescu")]

Picture = npt.NDArray[np.uint8]
VIEWER = "/usr/share/orthanc/plugins/libOrthancWebViewer.so"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[ResultObject, Path]]:
    """Objects of every kind: an overview, captures, a presentation state, both reports."""
    exam = golden_exams()["both views and a prior"]
    return list(write(tmp_path_factory.mktemp("results"), exam))


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    peer = Orthanc(tmp_path / "orthanc")
    yield peer
    peer.kill()


def captures(results: list[tuple[ResultObject, Path]]) -> list[tuple[Picture, Path]]:
    return [
        (result.dataset.pixel_array, path)
        for result, path in results
        if result.kind is ObjectKind.CAPTURE
    ]


@pytest.mark.peer("dcmj2pnm")
def test_dcmtk_renders_captures_as_they_were_drawn(
    results: list[tuple[ResultObject, Path]], tmp_path: Path
) -> None:
    for drawn, path in captures(results):
        rendered = tmp_path / f"{path.stem}.ppm"
        subprocess.run(["dcmj2pnm", "--write-raw-pnm", path, rendered], check=True)
        assert np.array_equal(np.asarray(Image.open(rendered)), drawn)


@pytest.mark.peer("Orthanc", "chromium", "orthanc-webviewer")
def test_orthancs_web_viewer_shows_the_overview(
    orthanc: Orthanc, results: list[tuple[ResultObject, Path]], tmp_path: Path
) -> None:
    # Without a path, the viewer keeps its cache in the folder that the tests run in.
    cache = {"CachePath": str(tmp_path / "viewer")}
    orthanc.configure(free_port(), Plugins=[VIEWER], WebViewer=cache)
    orthanc.start()
    drawn, path = captures(results)[0]
    assert orthanc.push(path).returncode == 0
    (series,) = orthanc.get("/series")
    file = tmp_path / "seen.png"
    page = orthanc.url(f"/web-viewer/app/viewer.html?series={series}")
    draw_page(lambda: page, file, (1800, 1400), "--virtual-time-budget=30000")

    seen = np.asarray(Image.open(file).convert("RGB"))
    assert likeness(seen, drawn) > 0.85
    assert (abs(seen.astype(int) - MARK) < 30).all(axis=2).sum() > 200


def likeness(seen: Picture, drawn: Picture) -> float:
    """Return the best correlation of a page's middle, at any size, with a part of what is seen.

    Of the middle, because the viewer writes over corners; at a quarter of the size, for speed.
    """
    small = cv2.resize(seen, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    part = drawn[200:1200, 100:1700]
    found = []
    for scale in np.arange(0.7, 1.0, 0.005) / 4:
        piece = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        found.append(float(cv2.matchTemplate(small, piece, cv2.TM_CCOEFF_NORMED).max()))
    return max(found)


def test_a_page_is_unlike_another_one(results: list[tuple[ResultObject, Path]]) -> None:
    (overview, _), (view, _), *_ = captures(results)
    assert likeness(overview, overview) > 0.85
    assert likeness(view, overview) < 0.6


def assert_equal(returned: Path | bytes, original: Path) -> None:
    source = pydicom.dcmread(original)
    if isinstance(returned, bytes):
        got = pydicom.dcmread(pydicom.filebase.DicomBytesIO(returned))
    else:
        got = pydicom.dcmread(returned)
    assert got == source


@pytest.mark.peer("Orthanc")
def test_orthanc_gives_back_what_it_was_given(
    orthanc: Orthanc, results: list[tuple[ResultObject, Path]]
) -> None:
    orthanc.configure(free_port())
    orthanc.start()
    assert orthanc.push(*(path for _, path in results)).returncode == 0
    held = orthanc.instances(str(results[0][0].dataset.StudyInstanceUID))
    assert held.keys() == {result.sop_instance_uid for result, _ in results}
    for result, path in results:
        assert_equal(orthanc.file(held[result.sop_instance_uid]), path)


@pytest.mark.peer("dcmqrscp", "getscu")
def test_dcmqrscp_gives_back_what_it_was_given(
    results: list[tuple[ResultObject, Path]], tmp_path: Path
) -> None:
    port, folder, back = free_port(), tmp_path / "archive", tmp_path / "back"
    folder.mkdir()
    back.mkdir()
    configuration = tmp_path / "dcmqrscp.cfg"
    configuration.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 131072\nMaxAssociations = 16\n"
        "HostTable BEGIN\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nDCMQRSCP {folder} RW (50, 1024mb) ANY\nAETable END\n"
    )
    archive = subprocess.Popen(
        ["dcmqrscp", "-c", str(configuration)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    to = ("-aec", "DCMQRSCP", "127.0.0.1", str(port))
    study = results[0][0].dataset.StudyInstanceUID
    try:
        until(lambda: _ran("echoscu", *to), "the archive")
        assert _ran("storescu", "-xs", "-R", *to, *(str(path) for _, path in results))
        assert _ran(
            *("getscu", "-S", "-od", str(back), *to),
            *("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}"),
        )
    finally:
        archive.kill()
        archive.wait()
    returned = {str(pydicom.dcmread(path).SOPInstanceUID): path for path in back.iterdir()}
    assert returned.keys() == {result.sop_instance_uid for result, _ in results}
    for result, path in results:
        assert_equal(returned[result.sop_instance_uid], path)


def _ran(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


@pytest.mark.peer("Orthanc", "echoscu")
def test_orthanc_commits_to_every_kind_of_object(
    orthanc: Orthanc, tmp_path: Path, exam: ExamFiles, study_uid: str
) -> None:
    node = node_with(tmp_path, Proof.COMMITMENT, orthanc.port, orthanc.ae_title)
    with node.file.open("a") as file:
        kinds = ", ".join(f'"{kind.value}"' for kind in ObjectKind)
        file.write(f"[destinations.profile]\nobjects = [{kinds}]\n")
    orthanc.configure(node.port)
    orthanc.start()
    node.start()
    try:
        assert node.push(exam.current[0]).returncode == 0
        until(
            lambda: are(DeliveryState.DELIVERED, deliveries(node, study_uid)),
            "the proof of delivery",
        )
        detail = node.detail(study_uid)
        assert detail is not None
        kinds_sent = {item.kind for item in detail.outbox_objects}
        assert {ObjectKind.CAD_SR, ObjectKind.TID1500} <= kinds_sent
        assert orthanc.instances(study_uid).keys() == node.outbox(study_uid).keys()
    finally:
        node.kill()
