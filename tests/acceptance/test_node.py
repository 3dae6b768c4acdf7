"""The whole node as a hospital would run it, with DCMTK as the world around it."""

import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pydicom
import pytest

from secondread.reasons import Outcome, Reason
from secondread.settings import DestinationMode
from secondread.track.states import DeliveryState, StudyState
from secondread_lab.simulate.exam import ExamFiles
from tests.acceptance.conftest import NodeProcess, Pacs, until
from tests.worlds.marked_patients import find_markers, list_marked_names, mark_patient

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.peer("storescu", "storescp", "echoscu", "dciodvfy", "dsrdump"),
]


def data_set_of(path: Path) -> bytes:
    """The encoded data set after the file meta information, which each program writes anew."""
    with path.open("rb") as file:
        meta = pydicom.filereader.read_file_meta_info(path)
        file.seek(128 + 4 + 12 + int(meta.FileMetaInformationGroupLength))
        return file.read()


def get(node: NodeProcess, path: str) -> tuple[int, str]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{node.web_port}{path}",
        headers={"Authorization": f"Bearer {node.web_token()}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def test_an_exam_comes_back_as_a_valid_report_and_captures_in_its_own_study(
    node: NodeProcess, pacs: Pacs, exam: ExamFiles, study_uid: str
) -> None:
    node.start()

    sent = node.push(*exam.current)
    assert sent.returncode == 0, sent.stdout + sent.stderr
    until(lambda: node.has_sent(study_uid), "the results")

    detail = node.detail(study_uid)
    assert detail is not None
    assert detail.summary.outcome is Outcome.FINDINGS
    objects = [pydicom.dcmread(path) for path in pacs.files().values()]
    assert {ds.StudyInstanceUID for ds in objects} == {study_uid}
    assert {ds.Modality for ds in objects} == {"SR", "OT"}
    for path in pacs.files().values():
        told = subprocess.run(
            ["dciodvfy", "-new", path], capture_output=True, text=True, check=False
        )
        assert "Error" not in told.stderr + told.stdout, f"{path}: {told.stderr}"
    (report,) = [f for f in pacs.files().values() if pydicom.dcmread(f).Modality == "SR"]
    dump = subprocess.run(["dsrdump", report], capture_output=True, text=True, check=False)
    assert dump.returncode == 0, dump.stderr
    assert "Calcification Cluster" in dump.stdout
    assert node.stop() == 0
    assert "Simulated" not in node.log.read_text()
    assert "SIM-0" not in node.log.read_text()


def test_real_mammograms_in_jpeg_2000_come_back_as_a_report_in_their_study(
    node: NodeProcess, pacs: Pacs, exams: Path
) -> None:
    images = sorted((exams / "c-ffdm-4view").glob("*.dcm"))
    study = str(pydicom.dcmread(images[0], stop_before_pixels=True).StudyInstanceUID)
    node.start()

    sent = node.push(*images, propose="-xv")
    assert sent.returncode == 0, sent.stdout + sent.stderr
    until(lambda: node.has_sent(study), "the results")

    detail = node.detail(study)
    assert detail is not None
    assert {image.label for image in detail.images} == {"RCC", "RMLO", "LCC", "LMLO"}
    # They are of 8 bits: read, with that doubt stated.
    assert all(image.reasons == (Reason.EIGHT_BITS,) for image in detail.images)
    assert {pydicom.dcmread(f).StudyInstanceUID for f in pacs.files().values()} == {study}


def test_a_power_cut_in_the_middle_of_a_study_costs_nothing(
    node: NodeProcess, pacs: Pacs, exam: ExamFiles, study_uid: str
) -> None:
    node.start()
    assert node.push(*exam.current[:2]).returncode == 0

    def is_reading() -> bool:
        detail = node.detail(study_uid)
        return detail is not None and detail.summary.state is StudyState.READING

    until(is_reading, "the reading to begin")
    node.kill()
    node.start()
    until(lambda: node.has_sent(study_uid), "the results after the restart")
    node.kill()
    node.start()

    received = pacs.files()
    outbox = node.outbox(study_uid)
    assert received.keys() == outbox.keys()
    assert len(list(pacs.folder.iterdir())) == len(received), "an object came twice"
    for uid, path in received.items():
        assert data_set_of(path) == data_set_of(outbox[uid])
    detail = node.detail(study_uid)
    assert detail is not None
    assert [revision.number for revision in detail.revisions] == [1]


def test_a_pacs_that_is_down_gets_its_results_when_it_is_back(
    node: NodeProcess, pacs: Pacs, exam: ExamFiles, study_uid: str
) -> None:
    pacs.stop()
    node.start()
    assert node.push(exam.current[0]).returncode == 0

    def has_tried() -> bool:
        detail = node.detail(study_uid)
        return detail is not None and any(
            d.attempts >= 2 for o in detail.outbox_objects for d in o.deliveries
        )

    until(has_tried, "two attempts")
    pacs.start()
    until(lambda: node.has_sent(study_uid), "the results")


def test_in_shadow_nothing_leaves_and_everything_is_seen(
    tmp_path: Path, pacs: Pacs, exam: ExamFiles, study_uid: str
) -> None:
    node = NodeProcess(tmp_path, pacs.port, mode="shadow")
    try:
        node.start()
        assert node.push(exam.current[0]).returncode == 0

        def is_reported() -> bool:
            detail = node.detail(study_uid)
            return detail is not None and detail.summary.state is StudyState.REPORTED

        until(is_reported, "the reading")
        until(lambda: get(node, "/readyz")[0] == 200, "readiness")

        detail = node.detail(study_uid)
        assert detail is not None
        states = {d.state for o in detail.outbox_objects for d in o.deliveries}
        assert states == {DeliveryState.SHADOW}
        status, page = get(node, f"/studies/{study_uid}")
        assert status == 200
        assert "would be sent" in page.lower()
        assert "Simulated^Exam" not in page

        node.tracker().destinations.set_mode(
            "pacs", DestinationMode.LIVE, "test", detail.summary.last_arrived_at
        )
        time.sleep(2)  # twenty polls of the worker that would send
        assert pacs.files() == {}
    finally:
        node.kill()


def test_an_unknown_peer_is_refused_and_shown_with_the_line_that_lets_it_in(
    node: NodeProcess, exam: ExamFiles
) -> None:
    node.start()

    sent = node.push(exam.current[0], ae_title="STRANGER")

    assert sent.returncode != 0
    assert "Calling AE Title Not Recognized" in sent.stdout + sent.stderr
    until(
        lambda: "ae_title = &#34;STRANGER&#34;" in get(node, "/refusals")[1], "the refusal's page"
    )
    metrics = get(node, "/metrics")[1]
    assert Reason.CALLING_AE_UNKNOWN.value in metrics


def test_no_process_of_a_node_writes_what_a_header_says(
    node: NodeProcess, pacs: Pacs, exam: ExamFiles, tmp_path: Path
) -> None:
    marked = mark_patient(pydicom.dcmread(exam.current[0]))
    marked.PatientAge = "079Y"  # as a report may repeat it
    path = tmp_path / "image.dcm"
    marked.save_as(path)
    half = tmp_path / "half.dcm"
    half.write_bytes(path.read_bytes()[:2000])
    node.start()

    assert node.push(path, ae_title="STRANGER").returncode != 0
    node.push(half)
    assert node.push(path).returncode == 0
    until(lambda: node.has_sent(str(marked.StudyInstanceUID)), "the results")
    pages = [get(node, f"/{name}")[1] for name in ("", "node", "refusals", "metrics")]
    # A study's page says which unit made it.
    page = get(node, f"/studies/{marked.StudyInstanceUID}")[1]
    assert "MQZSTATION" in page
    pages.append(page.replace("MQZSTATION", ""))
    assert node.stop() == 0

    assert find_markers("\n".join([*pages, node.log.read_text()])) == []
    assert list(list_marked_names(tmp_path)) == []
    assert "Mqz" in str(pydicom.dcmread(next(iter(pacs.files().values()))).PatientName)
    tracker = node.tracker()
    audited = {(row.kind, row.user) for row in tracker.audit_messages.list_newest(1000)}
    tracker.close()
    assert {("seen", "first"), ("caller-refused", "STRANGER"), ("stopped", "worker-0")} <= audited
