"""The workers that fetch priors, put together: archives, queue, and where C-GET delivers to."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

from secondread.accept.application_entity import configure_process
from secondread.accept.intake import Intake
from secondread.accept.refusal_counts import RefusalLog
from secondread.accept.store_requests import RetrievalReceiver
from secondread.app.node import Node
from secondread.audit import Record, record_nothing
from secondread.clock import Clock, utc_now
from secondread.followup.priors import PriorRule
from secondread.send.fetch import FetchWiring, FetchWorker
from secondread.send.prior_query import PriorWindow, find_priors
from secondread.send.report_query import find_reports
from secondread.send.retrieve import RetrieveAnswer, WantedStudy, retrieve_from_archive
from secondread.send.workers import DestinationWorkers
from secondread.settings import PriorSourceSettings, PriorsSettings, RetrieveMethod
from secondread.track.change_rights import ChangeRights
from secondread.track.prior_choice import FetchRules


@contextmanager
def run_fetcher(
    node: Node, worker: str, record: Record = record_nothing
) -> Iterator[DestinationWorkers]:
    """Fetch priors in threads of their own, which it gives; the `with` block stops them.

    Parameters
    ----------
    node, worker
        The node, and the name of this process.
    record
        Takes the events of the audit trail.
    """
    sources = node.settings.priors.active_sources
    with ExitStack() as stack:
        if any(source.retrieve is RetrieveMethod.GET for source in sources):
            stack.enter_context(configure_process(node.archive.spool))
        wiring = wire_fetcher(node, worker, record=record)
        workers = [FetchWorker(source, wiring) for source in sources]
        seconds, marks = node.settings.work.poll_seconds, node.tracker.commit_marks
        fetchers = DestinationWorkers("fetch", workers, seconds, marks.read)
        fetchers.start()
        try:
            yield fetchers
        finally:
            fetchers.ask_to_stop()


def wire_fetcher(
    node: Node, worker: str, clock: Clock = utc_now, record: Record = record_nothing
) -> FetchWiring:
    """Return what the fetch workers of one worker process work with."""
    settings = node.settings
    # To the ledger it is a receiver of its own, whose open associations end when it starts again.
    ledger = node.tracker.open_ledger(
        f"fetch-{worker}", settings.assemble, ChangeRights.from_settings(settings)
    )
    ledger.record_receiver_start(clock())
    title = settings.node.ae_title
    minimum_free_bytes = settings.receive.minimum_free_bytes
    intake = Intake(node.archive, ledger, RefusalLog(), clock, minimum_free_bytes)
    receiver = RetrievalReceiver(intake, title)

    def retrieve_study(
        source: PriorSourceSettings, wanted: WantedStudy, cancelled: Callable[[], bool]
    ) -> RetrieveAnswer:
        return retrieve_from_archive(source, title, wanted, receiver, cancelled)

    return FetchWiring(
        queue=node.tracker.open_fetch_requests(FetchRules.from_settings(settings)),
        alarms=node.tracker.alarms,
        find_priors=find_priors,
        find_reports=find_reports,
        retrieve_study=retrieve_study,
        window=_make_window(settings.priors),
        clock=clock,
        worker=worker,
        calling_ae_title=title,
        record=record,
    )


def _make_window(priors: PriorsSettings) -> PriorWindow:
    youngest, oldest = timedelta(priors.minimum_age_days), timedelta(priors.maximum_age_days)
    return PriorWindow(PriorRule(youngest, priors.count), oldest)
