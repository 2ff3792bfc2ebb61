"""What an API process counts, and Temporal's figures, as Prometheus reads them."""

from collections.abc import Iterator
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.temporal_gauges import Figures, TemporalGauges
from mipres.domain.submissions import UserType

# No outcome: Temporal gave no answer, and nothing was accepted.
UNAVAILABLE = "unavailable"
BY_MAIL = "by_mail"


class Fallback(StrEnum):
    """Why a status came from the search attributes and not from the workflow itself."""

    UNANSWERED = "unanswered"
    QUERY_FAILED = "query_failed"
    UNREADABLE = "unreadable"


class ApiMetrics:
    """Counts in one registry a process. Labels hold nothing of a person."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._submissions = self._counter(
            "mipres_submissions",
            "Submitted forms and API calls by what they were answered",
            "user_type",
            "channel",
            "outcome",
        )
        self._requests = self._counter(
            "mipres_http_requests", "Answered requests", "method", "route", "status"
        )
        self._fallbacks = self._counter(
            "mipres_status_fallbacks",
            "Statuses that came from the search attributes, by why the workflow itself could not answer",
            "cause",
        )
        self._seconds = Histogram(
            "mipres_http_request_duration_seconds",
            "From a request to its answer",
            ["route"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self._registry,
        )
        # From zero on, so that the first fallback is an increase.
        for cause in Fallback:
            self._fallbacks.labels(cause)
        ProcessCollector(registry=self._registry)

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(name, documentation, labels, registry=self._registry)

    def submitted(self, user_type: UserType, channel: str, outcome: str) -> None:
        """Count one submission; `outcome` is its code, UNAVAILABLE or BY_MAIL."""
        self._submissions.labels(user_type.value, channel, outcome).inc()

    def answered(self, method: str, route: str, status: int, *, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def fell_back(self, cause: Fallback) -> None:
        self._fallbacks.labels(cause).inc()

    async def text(self, gauges: TemporalGauges) -> bytes:
        """Render everything; Temporal is asked first where its figures are not fresh."""
        figures = await gauges.figures()
        # A registry of its own, so that scrapes at the same time do not mix their figures.
        current = CollectorRegistry()
        current.register(_FiguresCollector(figures))
        return generate_latest(self._registry) + generate_latest(current)


class _FiguresCollector(Collector):
    def __init__(self, figures: Figures | None) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        figures = self._figures
        yield GaugeMetricFamily(
            "mipres_temporal_up", "Whether Temporal answered this process", 0 if figures is None else 1
        )
        if figures is None:
            return
        yield _by("stage", "mipres_registrations_running", "Running registrations by stage", figures.running)
        yield _by(
            "waiting_on",
            "mipres_registrations_waiting",
            "Registrations by what they wait for: a registry, database, mail or mail_address",
            figures.waiting,
        )
        yield GaugeMetricFamily(
            "mipres_registrations_stuck", "Registrations that have waited for over 10 minutes", figures.stuck
        )
        yield GaugeMetricFamily(
            "mipres_oldest_stuck_seconds",
            "How long the oldest of them has waited, to the minute; 0 without any",
            figures.oldest_stuck_seconds,
        )
        yield GaugeMetricFamily(
            "mipres_workflows_broken", "Workflows whose code cannot follow their history", figures.broken
        )
        yield GaugeMetricFamily(
            "mipres_reviews_stopped",
            "Reviews of access that their guard stopped and that wait for support",
            figures.reviews_stopped,
        )
        yield _by("task_queue", "mipres_queue_pollers", "Workers that ask a queue for work", figures.pollers)


def _by(label: str, name: str, documentation: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=[label])
    for value, figure in values.items():
        family.add_metric([value], figure)
    return family
