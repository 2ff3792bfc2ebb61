"""What an API process counts, and what Temporal and database say of themselves."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from http import HTTPStatus

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.temporal_gauges import Figures, QueueFigures, TemporalGauges
from mipres.database.fitness import DatabaseFitness, DatabaseLook
from mipres.database.milestones import Milestone
from mipres.domain.outcomes import OutcomeStatus, Refusal
from mipres.domain.submissions import UserType
from mipres.temporal.codec import Fault
from mipres.version import BUILD, VERSION

# No outcome: Temporal gave no answer, and nothing was promised.
UNAVAILABLE = "unavailable"
BY_MAIL = "by_mail"
WATCHING = "watching"
"""The person chose to wait for a registry: no late answer."""
CHANNELS = ("web", "api")
OUTCOMES = (
    *(status.value for status in OutcomeStatus if status is not OutcomeStatus.REFUSED),
    *(refusal.value for refusal in Refusal),
    *(UNAVAILABLE, BY_MAIL, WATCHING),
)
"""Every answer that a submission can get."""
_FAILURES = (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE)
"""The errors that the product itself answers with."""


class Fallback(StrEnum):
    """Why a status came from the search attributes and not from the workflow itself."""

    UNANSWERED = "unanswered"
    QUERY_FAILED = "query_failed"
    UNREADABLE = "unreadable"


class ApiMetrics:
    """Counts in one registry a process. Labels hold nothing of a person.

    Every counter begins at 0 for each value that its labels are known to take: Prometheus sees no increase in
    the first figure of a series, and a first burst would pass unseen.

    Args:
        build: This process's build; None where its settings name none: then that of the image.
    """

    def __init__(self, *, build: str | None = None) -> None:
        # When each series began: as many lines again, and nothing asks for them.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # The library does not annotate it.
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
        self._refused_payloads = self._counter(
            "mipres_payloads_refused", "Payloads that the product did not write for their workflow", "fault"
        )
        self._seconds = Histogram(
            "mipres_http_request_duration_seconds",
            "From a request to its answer",
            ["route"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self._registry,
        )
        self._begin_at_zero()
        self._show_build(build or BUILD)
        ProcessCollector(registry=self._registry)

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(name, documentation, labels, registry=self._registry)

    def _begin_at_zero(self) -> None:
        for user_type in UserType:
            for channel in CHANNELS:
                for outcome in OUTCOMES:
                    self._submissions.labels(user_type.value, channel, outcome)
        for cause in Fallback:
            self._fallbacks.labels(cause)
        for fault in Fault:
            self._refused_payloads.labels(fault.value)

    def _show_build(self, build: str) -> None:
        info = Gauge(
            "mipres_build_info", "The release and the build", ["version", "build"], registry=self._registry
        )
        info.labels(VERSION, build).set(1)

    def expect(self, routes: Iterable[tuple[str, str]]) -> None:
        """Begin at 0 for the failures of each method and pattern of a route."""
        for method, route in routes:
            for status in _FAILURES:
                self._requests.labels(method, route, str(status.value))

    def submitted(self, user_type: UserType, channel: str, outcome: str) -> None:
        """Count one submission; `outcome` is one of OUTCOMES."""
        self._submissions.labels(user_type.value, channel, outcome).inc()

    def answered(self, method: str, route: str, status: int, *, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def fell_back(self, cause: Fallback) -> None:
        self._fallbacks.labels(cause).inc()

    def payload_refused(self, fault: Fault) -> None:
        self._refused_payloads.labels(fault.value).inc()

    async def text(self, gauges: TemporalGauges, database: DatabaseFitness) -> bytes:
        """Render everything; Temporal and database are asked first."""
        figures, look = await asyncio.gather(gauges.figures(), database.look())
        # A registry of its own, so that scrapes at the same time do not mix their figures.
        current = CollectorRegistry()
        current.register(_FiguresCollector(figures))
        current.register(_LookCollector(look))
        return generate_latest(self._registry) + generate_latest(current)


class _FiguresCollector(Collector):
    def __init__(self, figures: Figures | None) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        figures = self._figures
        yield _one("mipres_temporal_up", "Whether Temporal answered this process", figures is not None)
        if figures is None:
            return
        yield from _of_registrations(figures)
        yield _one(
            "mipres_workflows_broken", "Workflows whose code cannot follow their history", figures.broken
        )
        yield _one(
            "mipres_reviews_stopped",
            "Reviews of access that their guard stopped and that wait for support",
            figures.reviews_stopped,
        )
        yield _one(
            "mipres_last_purge_timestamp_seconds",
            "When the last purge ended; 0 for never",
            figures.purged_at.timestamp() if figures.purged_at else 0,
        )
        yield from _of_queues(figures.queues)


def _of_registrations(figures: Figures) -> Iterator[Metric]:
    yield _by("stage", "mipres_registrations_running", "Running registrations by stage", figures.running)
    yield _by(
        "waiting_on",
        "mipres_registrations_waiting",
        "Registrations by what they wait for: a registry, database, mail or mail_address",
        figures.waiting,
    )
    yield _one(
        "mipres_oldest_checking_seconds",
        "How long the oldest registration without an answer has waited for it, to the minute; 0 without any",
        figures.oldest_checking_seconds,
    )
    yield _one(
        "mipres_registrations_unseen",
        "Registrations without an answer for over 15 minutes that count as stuck nowhere",
        figures.unseen,
    )
    yield _one(
        "mipres_registrations_stuck", "Registrations that have waited for over 10 minutes", figures.stuck
    )
    yield _one(
        "mipres_oldest_stuck_seconds",
        "How long the oldest of them has waited, to the minute; 0 without any",
        figures.oldest_stuck_seconds,
    )


def _of_queues(queues: Mapping[str, QueueFigures]) -> Iterator[Metric]:
    def by_queue(name: str, documentation: str, figure: str) -> Metric:
        return _by(
            "task_queue", name, documentation, {queue: getattr(at, figure) for queue, at in queues.items()}
        )

    yield by_queue("mipres_queue_pollers", "Workers that ask a queue for work", "pollers")
    yield by_queue(
        "mipres_queue_pollers_served", "Those of them that get work: their build is current", "served"
    )
    yield by_queue("mipres_queue_backlog", "Tasks that wait for a worker", "backlog")
    yield by_queue(
        "mipres_queue_backlog_age_seconds", "How long the oldest of them has waited", "backlog_age_seconds"
    )


class _LookCollector(Collector):
    def __init__(self, look: DatabaseLook) -> None:
        self._look = look

    def collect(self) -> Iterator[Metric]:
        look = self._look
        yield _one("mipres_database_up", "Whether the database answered this process", look.is_up)
        if not look.is_up:
            return
        yield _one("mipres_database_writable", "Whether the database takes changes", look.is_writable)
        yield _one("mipres_schema_fits", "Whether the schema is one of this code", look.is_migrated)
        revision = {look.revision: 1} if look.revision else {}
        yield _by("revision", "mipres_schema_revision", "The revision of the schema", revision)
        for milestone, documentation in _MILESTONES.items():
            reached_at = look.milestones.get(milestone)
            yield _one(
                f"mipres_last_{milestone}_timestamp_seconds",
                f"{documentation}; 0 for never",
                reached_at.timestamp() if reached_at else 0,
            )


_MILESTONES = {
    Milestone.BACKUP: "When deploy/backup/backup.sh last ended",
    Milestone.AUDIT_VERIFICATION: "When the audit trail was last verified and found whole",
}


def _one(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, float(value))


def _by(label: str, name: str, documentation: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=[label])
    for value, figure in values.items():
        family.add_metric([value], figure)
    return family
