"""``/metrics``: the counters of all processes, and gauges read from SQL when they are asked for."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from secondread.clock import Clock
from secondread.errors import TransientError
from secondread.settings import Settings
from secondread.watch.health import is_silent
from secondread.watch.sources import Archive, Tracker

_ALL_REFUSALS = 5000
"""More rows than the tracker keeps."""


class NodeGauges(Collector):
    """The gauges of the node, as they are at the moment of asking."""

    def __init__(
        self, tracker: Tracker, archive: Archive, settings: Settings, clock: Clock
    ) -> None:
        self._tracker = tracker
        self._archive = archive
        self._settings = settings
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Give all gauges; those from SQL are left out while the database is away."""
        try:
            asked = [*self._studies(), *self._deliveries(), *self._node()]
            answers = 1.0
        except TransientError:
            asked, answers = [], 0.0
        yield from asked
        yield _gauge("database_answers", "Whether the tracker's database answers.", answers)
        try:
            free = float(self._archive.measure_free_bytes())
        except OSError:
            free = 0.0
        yield _gauge("archive_free_bytes", "Bytes that the archive can still take.", free)

    def _studies(self) -> Iterator[Metric]:
        counts = self._tracker.node_queries.count_all(self._clock())
        states = _family("studies", "Studies, by state.", ["state"])
        for state, number in counts.studies.items():
            states.add_metric([state.value], number)
        yield states
        words = "Studies, by the outcome of their latest finished reading."
        outcomes = _family("study_outcomes", words, ["outcome"])
        for outcome, number in counts.outcomes.items():
            outcomes.add_metric([outcome.value], number)
        yield outcomes
        words = "Studies that are due and wait for a worker."
        yield _gauge("studies_due", words, counts.due_studies)
        deliveries = _family(
            "deliveries", "Result objects, by destination and state.", ["destination", "state"]
        )
        for (destination, delivery), number in counts.deliveries.items():
            deliveries.add_metric([destination, delivery.value], number)
        yield deliveries
        words = "Queries for priors and priors wanted, by archive and state."
        priors = _family("prior_requests", words, ["source", "state"])
        for (source, fetch), number in sorted(counts.priors.items()):
            priors.add_metric([source, fetch.value], number)
        yield priors

    def _deliveries(self) -> Iterator[Metric]:
        now = self._clock()
        words = "Seconds that the oldest undelivered result object waits; 0 where none does."
        oldest = _family("delivery_oldest_seconds", words, ["destination"])
        words = "Seconds since the oldest undelivered object was stored and owes its proof; or 0."
        unproven = _family("proof_oldest_seconds", words, ["destination"])
        for one in self._tracker.node_queries.list_destinations():
            oldest.add_metric([one.name], _age(one.oldest_waiting_at, now))
            unproven.add_metric([one.name], _age(one.oldest_unproven_at, now))
        yield oldest
        yield unproven

    def _node(self) -> Iterator[Metric]:
        queries = self._tracker.node_queries
        alarms = _family("alarms", "Alarms that are raised, by kind.", ["kind"])
        for kind, number in sorted(Counter(alarm.kind for alarm in queries.list_alarms()).items()):
            alarms.add_metric([kind], number)
        yield alarms
        words = "Refusals that the tracker knows of, by what was refused and why."
        refused = _family("refusals_recorded", words, ["what", "reason"])
        totals: Counter[tuple[str, str]] = Counter()
        for row in queries.list_refusals(_ALL_REFUSALS):
            totals[str(row.what), row.reason.value] += row.count
        for (what, reason), number in sorted(totals.items()):
            refused.add_metric([what, reason], number)
        yield refused
        yield self._processes()

    def _processes(self) -> Metric:
        now, beat = self._clock(), self._settings.work.heartbeat_seconds
        family = _family(
            "processes", "Processes, by kind and whether they live.", ["kind", "state"]
        )
        numbers: Counter[tuple[str, str]] = Counter()
        for process in self._tracker.node_queries.list_processes():
            state = "silent" if is_silent(process, now, beat) else "alive"
            numbers[process.kind, state] += 1
        for (kind, state), number in sorted(numbers.items()):
            family.add_metric([kind, state], number)
        return family


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else (now - since).total_seconds()


def _family(name: str, words: str, labels: list[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"secondread_{name}", words, labels=labels)


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"secondread_{name}", words, value=value)


def render_metrics(gauges: Collector) -> bytes:
    """Return the counters and the gauges in Prometheus' text format.

    Under ``PROMETHEUS_MULTIPROC_DIR`` the counters are those of all processes that share it,
    else those of this process.
    """
    registry = CollectorRegistry()
    try:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        counters = generate_latest(registry)
    except ValueError:  # the variable is not set, or names no folder
        counters = generate_latest(REGISTRY)
    asked = CollectorRegistry()
    asked.register(gauges)
    return counters + generate_latest(asked)


def make_metrics_route(gauges: Collector) -> Route:
    """Return the route ``/metrics``."""

    def metrics(_: Request) -> Response:
        return Response(render_metrics(gauges), media_type=CONTENT_TYPE_LATEST)

    return Route("/metrics", metrics)
