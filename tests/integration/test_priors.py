"""Priors are fetched from an archive and kept for the reading, whatever the archive does."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from secondread.accept.application_entity import configure_process
from secondread.accept.scp import Receiver
from secondread.app.coordinator import SWEEP_SECONDS, Coordinator
from secondread.app.fetching import wire_fetcher
from secondread.codes import View
from secondread.findings.cad_report import ReportOrigin
from secondread.reasons import Outcome, Reason
from secondread.report.readback.cad_reader import read_cad_report
from secondread.send.fetch import ALARM_KIND, FetchWorker
from secondread.send.fetch_queue import FetchKind
from secondread.send.outbox import never_cancelled
from secondread.settings import PeerSettings, PriorsSettings, RetrieveMethod
from secondread.track.states import FetchState, StudyState
from secondread.track.summaries import FetchRequestSummary, StudyDetail
from secondread.watch.prior_reports import read_prior_reports
from secondread.workflow.inputs import GatheredPriors, gather_inputs, gather_priors
from secondread.workflow.order import READ, run_reading
from tests.integration.test_cad_reports import acme
from tests.integration.test_coordinator import FakeEngine
from tests.peers.prior_peer import PriorPeer, serving
from tests.worlds.builders import header, view_sequence
from tests.worlds.node_world import NodeWorld, run_step

CURRENT, PRIOR = "1.2.3", "1.2.9"
RETRIEVALS = [RetrieveMethod.MOVE, RetrieveMethod.GET]


def image(study: str = PRIOR, side: str = "L", view: View = View.CC, **values: object) -> Dataset:
    """An image of an earlier study, with pixels."""
    usual: dict[str, object] = {
        "StudyInstanceUID": study,
        "SeriesInstanceUID": f"{study}.{ord(side)}.{len(view.name)}",
        "StudyDate": "20250105",
        "AcquisitionDate": "20250105",
        "ImageLaterality": side,
        "ViewCodeSequence": view_sequence(view),
        "Rows": 8,
        "Columns": 8,
    }
    ds = header(**{**usual, **values})
    ds.SamplesPerPixel, ds.PixelRepresentation = 1, 0
    ds.PixelData = b"\0" * 128
    return ds


def prior_exam(study: str = PRIOR, date: str = "20250105") -> list[Dataset]:
    return exam_of(study, StudyDate=date, AcquisitionDate=date)


def exam_of(study: str = PRIOR, **values: object) -> list[Dataset]:
    return [image(study, side, view, **values) for side in "RL" for view in (View.CC, View.MLO)]


class Node(NodeWorld):
    """A node with a receiver that listens, and a worker that is led step by step."""

    def __init__(self, folder: Path, peer: PriorPeer, stack: ExitStack) -> None:
        super().__init__(folder)
        self.peer, self.stack = peer, stack
        self.engine = FakeEngine()
        receive = self.settings.receive.model_copy(
            update={"host": "127.0.0.1", "port": 0, "minimum_free_bytes": 0}
        )
        # The receiver believes the Move Originator of the archives that are asked.
        priors = PriorsSettings.model_validate({"sources": [peer.source(RetrieveMethod.MOVE)]})
        update = {
            "receive": receive,
            "peers": (PeerSettings(ae_title="ARCHIVE"),),
            "priors": priors,
        }
        self.settings = self.settings.model_copy(update=update)
        self.node = type(self.node)(
            self.settings, self.node.tracker, self.node.archive, self.node.installation_id
        )
        ledger = self.node.tracker.open_ledger("receive", self.settings.assemble)
        receiver = Receiver(
            self.settings, self.node.archive, ledger, self.node.tracker.proofs, lambda: self.now
        )
        peer.destination = ("127.0.0.1", receiver.start())
        stack.callback(receiver.stop, 1.0)
        stack.enter_context(configure_process(self.node.archive.spool))

    def ask(
        self, retrieve: RetrieveMethod = RetrieveMethod.MOVE, *others: PriorPeer, **values: object
    ) -> "Node":
        """Settle how the archive is asked; `values` are settings of `[priors]`, or the source's.

        Further archives are asked too, in the same way.
        """
        named = {key: values.pop(key) for key in list(values) if key in PriorsSettings.model_fields}
        sources = [
            self.peer.source(retrieve, **values),
            *(
                other.source(retrieve, name=f"archive-{number}", **values)
                for number, other in enumerate(others, start=2)
            ),
        ]
        priors = PriorsSettings.model_validate({"sources": sources, **named})
        self.settings = self.settings.model_copy(update={"priors": priors})
        self.node = type(self.node)(
            self.settings, self.node.tracker, self.node.archive, self.node.installation_id
        )
        self.worker = Coordinator(
            self.node, self.engine, "w0", "m", lambda: self.now, self.count_seconds
        )
        self.workers = [
            FetchWorker(source, wire_fetcher(self.node, "w0", lambda: self.now))
            for source in priors.sources
        ]
        return self

    def come(self) -> "Node":
        """The current exam comes, and is due."""
        self.deliver_exam()
        self.wait(30)
        return self

    def count_seconds(self) -> float:
        """Return the test's own time, for the coordinator's sweeps too."""
        return self.now.timestamp()

    def wait(self, seconds: float) -> None:
        """Time passes, and the worker looks what is due."""
        self.now += timedelta(seconds=seconds)
        self.worker.step()

    def fetch(self, attempts: int = 10) -> None:
        """The workers do what is due, in turns."""
        for _ in range(attempts):
            waits = [worker.step(never_cancelled) for worker in self.workers]
            if all(wait is None for wait in waits):
                break
        self.worker.step()

    def read_claimed(self) -> None:
        _, study_uid, revision = self.engine.submitted[-1]
        run_reading(self.steps, run_step, study_uid, revision)

    def detail(self, study_uid: str = CURRENT) -> StudyDetail:
        found = self.node.tracker.study_queries.find_detail(study_uid)
        assert found is not None
        return found

    def state(self, study_uid: str = CURRENT) -> StudyState:
        return self.detail(study_uid).summary.state

    def requests(self, kind: FetchKind) -> list[FetchRequestSummary]:
        return [request for request in self.detail().fetch_requests if request.kind is kind]

    def priors(self, revision: int = 1) -> GatheredPriors:
        tracker, archive = self.node.tracker, self.node.archive
        return gather_priors(tracker, archive, gather_inputs(tracker, archive, CURRENT, revision))

    def reasons(self) -> tuple[Reason, ...]:
        return self.get_outcome()[2]

    def alarms(self) -> list[str]:
        return [alarm.kind for alarm in self.node.tracker.node_queries.list_alarms()]


@pytest.fixture
def peer() -> Iterator[PriorPeer]:
    with serving(PriorPeer(prior_exam())) as peer:
        yield peer


@pytest.fixture
def node(tmp_path: Path, peer: PriorPeer) -> Iterator[Node]:
    with ExitStack() as stack:
        yield Node(tmp_path, peer, stack)


@pytest.mark.parametrize("retrieve", RETRIEVALS)
def test_a_study_waits_for_its_prior_and_is_read_with_it_as_soon_as_it_is_in(
    node: Node, retrieve: RetrieveMethod
) -> None:
    node.ask(retrieve).come()
    assert node.state() is StudyState.AWAITING_PRIORS
    assert node.engine.submitted == []

    node.fetch()
    assert node.engine.submitted == [(READ, CURRENT, 1)]

    (prior,) = node.priors().usable
    assert prior.study_uid == PRIOR
    assert len(prior.paths) == len(prior.to_read) == 4
    assert all(path.is_file() for path in prior.paths.values())
    assert node.state(PRIOR) is StudyState.HELD
    assert node.detail(PRIOR).summary.hold_reason is Reason.FETCHED_AS_PRIOR


def test_the_archive_is_asked_by_patient_issuer_modality_and_window(
    node: Node, peer: PriorPeer
) -> None:
    node.ask(maximum_age_days=1000).come().fetch()

    asked = peer.queries[0]
    assert (asked.PatientID, asked.IssuerOfPatientID) == ("P1", "HOSPITAL")
    assert asked.ModalitiesInStudy == "MG"
    assert asked.StudyDate == "20230411-20250707"


@pytest.mark.parametrize("knows_images", [True, False])
def test_the_nearest_and_the_oldest_with_the_same_views_are_fetched(
    node: Node, peer: PriorPeer, knows_images: bool
) -> None:
    peer.knows_images = knows_images
    peer.held = [
        *prior_exam("1.2.20", "20190105"),
        *prior_exam("1.2.22", "20220105"),
        *prior_exam("1.2.24", "20240105"),
        *prior_exam("1.2.25", "20251201"),  # five weeks before: a work-up
    ]
    if knows_images:
        # Nearer, and no image in the detector's scope.
        peer.held.append(image("1.2.30", StudyDate="20250601", ImageType=["X", "Y", "TOMO_2D"]))

    node.ask().come().fetch()

    assert {request.prior_study_uid for request in node.requests(FetchKind.RETRIEVE)} == {
        "1.2.20",
        "1.2.24",
    }
    assert [prior.study_uid for prior in node.priors().usable] == ["1.2.24", "1.2.20"]
    assert {keys.QueryRetrieveLevel for keys in peer.retrievals} == {
        "SERIES" if knows_images else "STUDY"
    }


def report_of(study: str = PRIOR, **values: object) -> Dataset:
    """Another maker's CAD report of an earlier study, in a series of its own."""
    ds = acme()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, f"{study}.8"
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize("retrieve", RETRIEVALS)
def test_other_makers_cad_reports_of_a_prior_are_fetched_with_it_and_shown(
    node: Node, peer: PriorPeer, retrieve: RetrieveMethod
) -> None:
    peer.held.append(report_of())

    node.ask(retrieve).come().fetch()
    node.read_claimed()

    assert len(node.priors().usable[0].paths) == 4
    (found,) = read_prior_reports(node.node.tracker, node.node.archive, CURRENT)
    assert found.report is not None
    assert (found.report.origin, found.report.mark_counts) == (ReportOrigin.FOREIGN, {"LCC": 2})
    assert node.detail().findings == ()
    assert node.state(PRIOR) is StudyState.HELD


def test_a_series_that_holds_other_documents_too_is_left(node: Node, peer: PriorPeer) -> None:
    text = report_of(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", SOPInstanceUID="1.5.10")
    peer.held += [report_of(), text]

    node.ask().come().fetch()

    assert {keys.SeriesInstanceUID for keys in peer.retrievals} == {
        str(ds.SeriesInstanceUID) for ds in prior_exam()
    }


def test_an_archive_that_breaks_over_reports_costs_no_prior(node: Node, peer: PriorPeer) -> None:
    peer.held.append(report_of())
    peer.knows_reports = False

    node.ask().come()
    pauses = [node.workers[0].step(never_cancelled) for _ in range(3)]
    node.worker.step()

    assert pauses == [0.0, 0.0, None]
    assert node.engine.submitted == [(READ, CURRENT, 1)]
    assert len(node.priors().usable[0].paths) == 4


def test_what_the_node_holds_is_not_fetched_again(node: Node, peer: PriorPeer) -> None:
    for ds in prior_exam():
        node.deliver(ds)

    node.ask().come().fetch()

    assert peer.retrievals == []
    assert [prior.study_uid for prior in node.priors().usable] == [PRIOR]


def test_without_an_archive_nothing_waits_and_the_reading_says_so(node: Node) -> None:
    node.ask(fetch=False).come()
    node.read_claimed()

    assert node.reasons()[-2:] == (Reason.NO_COMPARISON, Reason.PRIORS_OFF)


def test_an_archive_with_nothing_is_believed_at_once(node: Node, peer: PriorPeer) -> None:
    peer.held = []

    node.ask().come().fetch()
    node.read_claimed()

    assert node.reasons()[-2:] == (Reason.NO_COMPARISON, Reason.PRIOR_NOT_FOUND)


def test_a_query_that_fails_holds_the_reading_up_for_the_wait_and_no_longer(
    node: Node, peer: PriorPeer
) -> None:
    peer.find_status = 0xC001
    node.ask(wait_seconds=600).come().fetch(1)
    assert node.state() is StudyState.AWAITING_PRIORS

    node.wait(590)
    assert node.engine.submitted == []
    node.wait(20)
    node.read_claimed()

    assert node.reasons()[-2:] == (Reason.NO_COMPARISON, Reason.PRIOR_QUERY_FAILED)
    assert "C001" in (node.requests(FetchKind.QUERY)[0].detail or "")


def test_an_archive_of_implicit_vr_that_leaves_numbers_empty_is_understood(tmp_path: Path) -> None:
    with ExitStack() as stack:
        peer = stack.enter_context(serving(PriorPeer(prior_exam(), is_implicit=True)))
        node = Node(tmp_path, peer, stack)
        node.ask().come().fetch()

        (prior,) = node.priors().usable
        assert prior.study_uid == PRIOR


def test_an_answer_that_breaks_the_code_that_reads_it_is_a_failed_query(
    node: Node, peer: PriorPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> None:
        raise TypeError("it quotes an answer: DOE^JANE")

    monkeypatch.setattr("secondread.send.prior_query._read_study", stumble)
    node.ask(wait_seconds=600).come().fetch(1)

    (query,) = node.requests(FetchKind.QUERY)
    assert (query.state, query.reason) == (FetchState.WANTED, Reason.PRIOR_QUERY_FAILED)
    assert "TypeError at test_priors.py" in (query.detail or "")
    assert "DOE" not in (query.detail or "")
    node.wait(620)
    assert node.engine.submitted == [(READ, CURRENT, 1)]


def test_an_archive_that_answers_without_end_is_left(node: Node, peer: PriorPeer) -> None:
    def without_end(_: Dataset) -> list[Dataset]:
        return [Dataset() for _ in range(500)]

    peer.offered = without_end
    node.ask().come().fetch(1)

    (query,) = node.requests(FetchKind.QUERY)
    assert (query.state, query.reason) == (FetchState.WANTED, Reason.PRIOR_QUERY_FAILED)


def test_a_refused_move_is_not_waited_for(node: Node, peer: PriorPeer) -> None:
    peer.destination = None

    node.ask().come().fetch(2)
    node.read_claimed()

    (wanted,) = node.requests(FetchKind.RETRIEVE)
    assert (wanted.state, wanted.reason) == (FetchState.REFUSED, Reason.PRIOR_MOVE_REFUSED)
    assert "destination" in (wanted.detail or "")
    (prior,) = node.priors().studies
    assert (prior.study_uid, prior.reason) == (PRIOR, Reason.PRIOR_MOVE_REFUSED)


@pytest.fixture
def second(node: Node) -> Iterator[PriorPeer]:
    """Another archive that holds the same prior, and sends it."""
    with serving(PriorPeer(prior_exam(), destination=node.peer.destination)) as peer:
        yield peer


def test_what_one_archive_refuses_another_is_asked_for(
    node: Node, peer: PriorPeer, second: PriorPeer
) -> None:
    peer.destination = None

    node.ask(RetrieveMethod.MOVE, second).come().fetch(20)

    assert second.retrievals
    assert node.state() is StudyState.READING
    node.read_claimed()
    (prior,) = node.priors().studies
    assert (prior.study_uid, prior.reason, len(prior.paths)) == (PRIOR, None, 4)
    # The first one need not be asked again for what is here.
    node.wait(30)
    assert {request.state for request in node.requests(FetchKind.RETRIEVE)} == {FetchState.DONE}


def test_another_archive_is_not_asked_for_what_the_first_one_sends(
    node: Node, second: PriorPeer
) -> None:
    node.ask(RetrieveMethod.MOVE, second).come().fetch(20)

    assert second.queries
    assert not second.retrievals
    assert [request.source for request in node.requests(FetchKind.RETRIEVE)] == ["archive"]


def test_a_prior_that_every_archive_refuses_is_named_with_what_each_said(
    node: Node, peer: PriorPeer, second: PriorPeer
) -> None:
    peer.destination = second.destination = None

    node.ask(RetrieveMethod.MOVE, second).come().fetch(20)
    node.read_claimed()

    wanted = {request.source: request for request in node.requests(FetchKind.RETRIEVE)}
    assert {request.state for request in wanted.values()} == {FetchState.REFUSED}
    (prior,) = node.priors().studies
    assert prior.reason is Reason.PRIOR_MOVE_REFUSED
    assert prior.archive_reasons == (
        ("archive", Reason.PRIOR_MOVE_REFUSED),
        ("archive-2", Reason.PRIOR_MOVE_REFUSED),
    )
    said = read_cad_report(node.read_cad_sr(1)).impression
    for name in wanted:
        assert f"the archive refused to send the prior ({name})" in said


def test_a_prior_that_comes_late_makes_a_revision_with_that_cause(
    node: Node, peer: PriorPeer
) -> None:
    node.ask(wait_seconds=0).come()
    node.read_claimed()
    assert node.priors().usable == ()

    node.fetch()
    node.wait(30)

    assert node.engine.submitted == [(READ, CURRENT, 1), (READ, CURRENT, 2)]
    assert node.detail().revisions[0].cause.value == "late-prior"
    assert len(node.priors(2).usable) == 1
    node.read_claimed()
    node.wait(30)
    assert len(node.engine.submitted) == 2


def test_a_prior_that_comes_after_the_late_window_changes_nothing(node: Node) -> None:
    node.ask(wait_seconds=0, give_up_hours=1000).come()
    node.read_claimed()

    node.wait(8 * 86400)
    node.fetch()
    node.wait(30)

    assert node.state() is StudyState.REPORTED
    assert node.requests(FetchKind.RETRIEVE)[0].state is FetchState.DONE


def test_a_prior_that_somebody_pushes_late_makes_a_revision_too(node: Node) -> None:
    node.ask(fetch=False).come()
    node.read_claimed()

    for ds in prior_exam():
        node.deliver(ds)
    node.wait(30)  # held back by its age
    node.wait(30)

    assert node.engine.submitted[-1] == (READ, CURRENT, 2)
    assert node.detail().revisions[0].cause.value == "late-prior"


@pytest.mark.parametrize("retrieve", RETRIEVALS)
@pytest.mark.parametrize("other", [{"PatientID": "P2"}, {"IssuerOfPatientID": "ELSEWHERE"}])
def test_another_patients_images_are_kept_and_never_used(
    node: Node, peer: PriorPeer, retrieve: RetrieveMethod, other: dict[str, object]
) -> None:
    peer.sent_instead = exam_of(PRIOR, **other)

    node.ask(retrieve).come().fetch()
    node.read_claimed()

    assert [prior.reason for prior in node.priors().studies] == [Reason.PRIOR_FOREIGN]
    assert node.alarms() == ["prior-of-another-patient"]
    assert node.state(PRIOR) is StudyState.HELD


def test_another_patients_image_among_the_right_ones_is_set_aside_in_a_prior_too(
    node: Node, peer: PriorPeer
) -> None:
    peer.sent_instead = [*prior_exam(), image(PatientID="P2")]

    node.ask().come().fetch()

    (prior,) = node.priors().usable
    assert len(prior.headers) == 4
    assert {str(ds.PatientID) for ds in prior.headers.values()} == {"P1"}
    assert node.alarms() == ["patient-mismatch"]


@pytest.mark.parametrize("is_told", [True, False])
def test_an_exam_of_another_birth_date_is_told_and_not_used(
    node: Node, peer: PriorPeer, is_told: bool
) -> None:
    peer.held = exam_of(PRIOR, PatientBirthDate="19710203")
    if not is_told:
        (peer.sent_instead, peer.held) = (peer.held, exam_of(PRIOR))
    node.ask()
    for side in "RL":
        node.deliver(header(ImageLaterality=side, PatientBirthDate="19500301"))
    node.wait(30)
    node.wait(200)
    node.fetch()
    node.read_claimed()

    assert bool(peer.retrievals) is not is_told
    assert [prior.reason for prior in node.priors().studies] == [Reason.IDENTITY_IN_DOUBT]
    assert Reason.IDENTITY_IN_DOUBT in node.reasons()
    assert "identity-in-doubt" in node.alarms()


@pytest.mark.parametrize("retrieve", RETRIEVALS)
def test_a_study_that_nobody_asked_for_is_kept_apart(
    node: Node, peer: PriorPeer, retrieve: RetrieveMethod
) -> None:
    peer.sent_instead = [
        image("1.2.77", StudyDate="20260105", PatientID="P3"),  # new enough to be read
        image(CURRENT, StudyDate="20260105", PatientID="P3"),
    ]

    node.ask(retrieve).come().fetch(2)
    node.wait(600)
    node.read_claimed()

    assert node.alarms() == ["prior-not-asked-for", "prior-not-asked-for"]
    assert node.state("1.2.77") is StudyState.HELD
    assert node.get_outcome()[1] is Outcome.NO_FINDINGS
    assert node.detail().revisions[0].inputs == 4


@pytest.mark.parametrize("retrieve", RETRIEVALS)
def test_what_fails_among_the_images_is_asked_for_again_and_then_done_without(
    node: Node, peer: PriorPeer, retrieve: RetrieveMethod
) -> None:
    peer.withheld, peer.knows_images = 1, False

    node.ask(retrieve).come().fetch(2)
    assert node.requests(FetchKind.RETRIEVE)[0].state is FetchState.WANTED
    node.wait(6)
    node.fetch(1)

    (prior,) = node.priors().usable
    assert len(prior.paths) == 3


def test_a_slow_archive_is_left_when_the_attempt_is_over_and_what_came_is_used(
    node: Node, peer: PriorPeer
) -> None:
    peer.delay, peer.knows_images = 0.6, False
    node.ask(RetrieveMethod.GET, attempt_seconds=1.5).come()

    node.fetch(2)
    (wanted,) = node.requests(FetchKind.RETRIEVE)
    assert (wanted.state, wanted.reason) == (FetchState.WANTED, Reason.PRIOR_TIMED_OUT)
    node.wait(600)

    (prior,) = node.priors().usable
    assert 1 <= len(prior.paths) < 4


def test_a_retrieval_without_end_is_cut(node: Node, peer: PriorPeer) -> None:
    peer.is_endless, peer.knows_images = True, False
    node.ask(RetrieveMethod.GET, attempt_seconds=1.0).come()

    node.fetch(2)

    assert node.requests(FetchKind.RETRIEVE)[0].reason is Reason.PRIOR_TIMED_OUT


def test_a_promise_without_images_is_not_believed(node: Node, peer: PriorPeer) -> None:
    peer.sent_instead = []

    node.ask().come().fetch(2)

    (wanted,) = node.requests(FetchKind.RETRIEVE)
    assert (wanted.state, wanted.reason) == (FetchState.WANTED, Reason.PRIOR_NOT_RECEIVED)


def test_images_that_come_by_themselves_after_all_settle_the_prior(
    node: Node, peer: PriorPeer
) -> None:
    peer.sent_instead = []
    node.ask().come().fetch(2)

    for ds in prior_exam():
        node.deliver(ds)
    node.wait(30)
    node.wait(SWEEP_SECONDS)

    assert node.requests(FetchKind.RETRIEVE)[0].state is FetchState.DONE
    assert node.engine.submitted == [(READ, CURRENT, 1)]
    assert node.state(PRIOR) is StudyState.HELD


def test_an_archive_that_is_down_raises_one_alarm_and_is_given_up_at_last(
    node: Node, peer: PriorPeer
) -> None:
    node.ask(port=1, give_up_hours=1).come()

    for _ in range(12):
        node.fetch(1)
        node.wait(600)

    assert node.alarms() == [ALARM_KIND]
    (query,) = node.requests(FetchKind.QUERY)
    assert (query.state, query.reason) == (FetchState.GAVE_UP, Reason.PRIOR_QUERY_FAILED)


def test_a_person_who_asks_has_a_waiting_study_read_at_once(node: Node) -> None:
    node.ask().come()
    assert node.state() is StudyState.AWAITING_PRIORS

    node.node.tracker.studies.request_reading(CURRENT, "somebody", node.now)
    node.wait(1)

    assert node.engine.submitted == [(READ, CURRENT, 1)]


def test_a_person_who_asks_again_has_the_archive_asked_again(node: Node, peer: PriorPeer) -> None:
    held, peer.held = peer.held, []
    node.ask().come().fetch()
    node.read_claimed()
    peer.held = held

    node.node.tracker.studies.request_reading(CURRENT, "somebody", node.now)
    node.wait(1)
    node.fetch()

    assert len(node.priors(2).usable) == 1


def test_an_image_that_comes_while_its_study_waits_is_read_with_it(node: Node) -> None:
    node.ask().come()

    node.deliver(header(AcquisitionTime="111111"))
    assert node.state() is StudyState.ASSEMBLING
    node.wait(30)
    assert node.state() is StudyState.AWAITING_PRIORS
    node.fetch()

    assert node.detail().revisions[0].inputs == 5


def test_a_worker_that_dies_in_the_middle_loses_its_request_to_another(node: Node) -> None:
    node.ask().come()
    queue = wire_fetcher(node.node, "w1", lambda: node.now).queue
    lost = queue.claim_request("archive", "w1", node.now, 60)
    assert lost is not None

    node.fetch()
    assert node.state() is StudyState.AWAITING_PRIORS
    node.wait(61)
    node.fetch()
    queue.record_answer(lost, (), node.now)  # the dead one speaks

    assert len(node.priors().usable) == 1


def test_a_study_without_a_patient_id_has_no_priors_and_does_not_wait(node: Node) -> None:
    node.ask()
    node.deliver(header(PatientID=None))
    node.wait(200)
    node.read_claimed()

    assert node.reasons()[-1] is Reason.PRIORS_NOT_SEARCHABLE


def test_a_prior_whose_files_are_lost_is_named_with_that(node: Node) -> None:
    node.ask().come().fetch()
    for path in node.priors().usable[0].paths.values():
        path.unlink()

    assert [prior.reason for prior in node.priors().studies] == [Reason.PRIOR_FILES_LOST]
