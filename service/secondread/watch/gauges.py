"""``/metrics``: the counters of all processes, and gauges read from SQL when they are asked for."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
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

from secondread.accept.archive import Archive
from secondread.certificates import find_earliest_expiry, list_certificate_uses
from secondread.clock import Clock
from secondread.errors import SettingsError, TransientError
from secondread.settings import Settings
from secondread.track.tracker import Tracker
from secondread.watch.health import is_silent

_ALL_REFUSALS = 5000
"""More rows than the tracker keeps."""


class NodeGauges(Collector):
    """The gauges of the node, as they are when Prometheus asks."""

    def __init__(
        self, tracker: Tracker, archive: Archive, settings: Settings, clock: Clock
    ) -> None:
        self._tracker = tracker
        self._archive = archive
        self._settings = settings
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Yield all gauges; those from SQL are left out while the database is away."""
        try:
            metrics = [
                *self._collect_studies(),
                *self._collect_deliveries(),
                *self._collect_node(),
            ]
            answers = 1.0
        except TransientError:
            metrics, answers = [], 0.0
        yield from metrics
        yield _make_gauge("database_answers", "Whether the tracker's database answers.", answers)
        try:
            free = float(self._archive.measure_free_bytes())
        except OSError:
            free = 0.0
        yield from self._collect_certificates()
        yield _make_gauge("archive_free_bytes", "Bytes that the archive can still take.", free)

    def _collect_certificates(self) -> Iterator[Metric]:
        """Yield when certificates expire, without those whose files this process cannot read."""
        now = self._clock()
        values = []
        for use in list_certificate_uses(self._settings):
            with suppress(SettingsError):
                left = find_earliest_expiry(use.file) - now
                values.append(((use.user, use.role), left.total_seconds()))
        words = "Seconds until the first certificate of a file expires; below 0 when it has."
        yield _make_family("certificate_expiry_seconds", words, ["user", "file"], values)

    def _collect_studies(self) -> Iterator[Metric]:
        now = self._clock()
        counts = self._tracker.node_queries.count_all(now)
        states = {(state.value,): number for state, number in counts.studies.items()}
        yield _make_family("studies", "Studies, by state.", ["state"], states.items())
        words = "Studies, by the outcome of their latest finished reading."
        outcomes = {(outcome.value,): number for outcome, number in counts.outcomes.items()}
        yield _make_family("study_outcomes", words, ["outcome"], outcomes.items())
        words = "Studies that are due and wait for a worker."
        yield _make_gauge("studies_due", words, counts.due_studies)
        words = "Seconds that the oldest of them has been due; 0 where none is."
        yield _make_gauge("due_oldest_seconds", words, _compute_age(counts.oldest_due_at, now))
        words = "Result objects, by destination and state."
        deliveries = {(name, state.value): n for (name, state), n in counts.deliveries.items()}
        yield _make_family("deliveries", words, ["destination", "state"], deliveries.items())
        words = "Queries for priors and priors wanted, by archive and state."
        requests = {(name, state.value): n for (name, state), n in counts.priors.items()}
        yield _make_family("prior_requests", words, ["source", "state"], sorted(requests.items()))

    def _collect_deliveries(self) -> Iterator[Metric]:
        now = self._clock()
        destinations = self._tracker.node_queries.list_destinations()
        words = "Seconds that the oldest undelivered result object waits; 0 where none does."
        ages = {(row.name,): _compute_age(row.oldest_waiting_at, now) for row in destinations}
        yield _make_family("delivery_oldest_seconds", words, ["destination"], ages.items())
        words = "Seconds since the oldest undelivered object was stored and owes its proof; or 0."
        ages = {(row.name,): _compute_age(row.oldest_unproven_at, now) for row in destinations}
        yield _make_family("proof_oldest_seconds", words, ["destination"], ages.items())

    def _collect_node(self) -> Iterator[Metric]:
        queries = self._tracker.node_queries
        open_alarms = (alarm for alarm in queries.list_alarms() if alarm.dismissed_at is None)
        alarms = Counter((alarm.kind,) for alarm in open_alarms)
        words = "Alarms that are raised and that nobody has dismissed, by kind."
        yield _make_family("alarms", words, ["kind"], sorted(alarms.items()))
        refusals: Counter[tuple[str, str]] = Counter()
        for row in queries.list_refusals(_ALL_REFUSALS):
            refusals[row.kind.value, row.reason.value] += row.count
        words = "Refusals that the tracker knows of, by what was refused and why."
        labels = ["what", "reason"]
        yield _make_family("refusals_recorded", words, labels, sorted(refusals.items()))
        now, beat = self._clock(), self._settings.work.heartbeat_seconds
        processes = Counter(
            (process.kind, "silent" if is_silent(process, now, beat) else "alive")
            for process in queries.list_processes()
        )
        words = "Processes, by kind and whether they live."
        yield _make_family("processes", words, ["kind", "state"], sorted(processes.items()))


def _compute_age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())


def _make_family(
    name: str, words: str, labels: list[str], values: Iterable[tuple[tuple[str, ...], float]]
) -> Metric:
    family = GaugeMetricFamily(f"secondread_{name}", words, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family


def _make_gauge(name: str, words: str, value: float) -> Metric:
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
    gauge_registry = CollectorRegistry()
    gauge_registry.register(gauges)
    return counters + generate_latest(gauge_registry)


def make_metrics_route(gauges: Collector) -> Route:
    """Return the route ``/metrics``."""

    def metrics(_: Request) -> Response:
        return Response(render_metrics(gauges), media_type=CONTENT_TYPE_LATEST)

    return Route("/metrics", metrics)
