"""Orthanc as the PACS that holds the priors: the current exam alone comes to the node."""

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from secondread.reasons import Reason
from secondread.simulate.exam import ExamFiles
from secondread.track.states import FetchState, StudyState
from secondread.workflow.material import Priors, gather, gather_priors
from tests.acceptance.conftest import NodeProcess, until
from tests.acceptance.orthanc_peer import Orthanc

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.peer("Orthanc", "storescu", "echoscu"),
]


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    peer = Orthanc(tmp_path / "orthanc")
    yield peer
    peer.kill()


@pytest.fixture
def node(tmp_path: Path, orthanc: Orthanc, retrieve: str) -> Iterator[NodeProcess]:
    process = NodeProcess(tmp_path, orthanc.port, pacs_ae_title=orthanc.ae_title)
    process.add(
        f"""
[priors]
wait_seconds = 600
[[priors.sources]]
name = "orthanc"
ae_title = "{orthanc.ae_title}"
host = "127.0.0.1"
port = {orthanc.port}
retrieve = "{retrieve}"
"""
    )
    yield process
    process.kill()


def study_of(path: Path) -> str:
    return str(pydicom.dcmread(path, stop_before_pixels=True).StudyInstanceUID)


def is_read(node: NodeProcess, study_uid: str) -> bool:
    detail = node.detail(study_uid)
    return detail is not None and detail.summary.state is StudyState.REPORTED


def priors(node: NodeProcess, study_uid: str) -> Priors:
    """Return the priors that the first reading was given."""
    from secondread.accept.archive import Archive

    archive, tracker = Archive(node.settings.node.data_dir), node.tracker()
    try:
        return gather_priors(tracker, archive, gather(tracker, archive, study_uid, 1))
    finally:
        tracker.close()


@pytest.mark.parametrize("retrieve", ["move", "get"])
def test_the_node_fetches_the_prior_and_reads_the_exam_with_it(
    orthanc: Orthanc, node: NodeProcess, exam: ExamFiles, study_uid: str
) -> None:
    # Without the script that forwards: Orthanc holds the prior from before there was a node.
    orthanc.configure(node.port, LuaScripts=[])
    orthanc.start()
    assert orthanc.push(*exam.prior).returncode == 0
    node.start()

    assert node.push(*exam.current).returncode == 0
    until(lambda: is_read(node, study_uid), "the reading")

    prior_uid = study_of(exam.prior[0])
    (prior,) = priors(node, study_uid).usable
    assert prior.study_uid == prior_uid
    assert len(prior.selection.to_read) == len(exam.prior)
    detail, held = node.detail(study_uid), node.detail(prior_uid)
    assert detail is not None
    assert held is not None
    assert [one.state for one in detail.priors] == [FetchState.DONE, FetchState.DONE]
    assert [revision.number for revision in detail.revisions] == [1]
    assert held.summary.state is StudyState.HELD
    assert held.summary.hold_reason is Reason.FETCHED_AS_PRIOR
    assert held.revisions == ()


@pytest.mark.parametrize("retrieve", ["move"])
def test_a_pacs_that_does_not_let_the_node_retrieve_holds_nothing_up(
    orthanc: Orthanc, node: NodeProcess, exam: ExamFiles, study_uid: str
) -> None:
    orthanc.configure(node.port, LuaScripts=[])
    orthanc.forbid("AllowMove")
    orthanc.start()
    assert orthanc.push(*exam.prior).returncode == 0
    node.start()

    assert node.push(*exam.current).returncode == 0
    until(lambda: is_read(node, study_uid), "the reading")

    (prior,) = priors(node, study_uid).studies
    assert prior.study_uid == study_of(exam.prior[0])
    assert prior.reason in {Reason.PRIOR_MOVE_REFUSED, Reason.PRIOR_NOT_RECEIVED}
