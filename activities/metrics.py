"""What a worker counts while it works, through the SDK's meter.

Its `/metrics` shows it beside the SDK's own.

Labels name registries, templates and kinds of failure. Never anything of a person.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum

from temporalio import activity
from temporalio.common import MetricCounter, MetricHistogramTimedelta, MetricMeter

from mipres.domain.clients import LogoutAnswer
from mipres.domain.stages import REGISTRIES
from mipres.telemetry import MAIL_DELAY
from mipres.temporal.codec import Fault
from mipres.version import BUILD, VERSION


class MailFailure(StrEnum):
    """Why the mail server did not take a message."""

    NOT_ACCEPTED = "not_accepted"
    """It is tried again."""
    PROBABLY_DELIVERED = "probably_delivered"
    """It is tried again hours later."""
    ADDRESS_REJECTED = "address_rejected"
    """For good."""


class WorkerMetrics:
    """The counters of one process, each at 0 for every label value that is known.

    Prometheus sees no increase in the first figure of a series, and a first burst would pass unseen.

    Args:
        meter: The process's.
        templates: Names of the mails.
        build: This worker's build; None where its settings name none: then that of the image.
    """

    def __init__(self, meter: MetricMeter, *, templates: Iterable[str], build: str | None) -> None:
        self.meter = meter
        self.registry_failures = self._counter(
            "mipres_registry_failures",
            "Calls to a registry that ended without a usable answer",
            [{"registry": registry.value} for registry in REGISTRIES],
        )
        self.database_failures = self._counter(
            "mipres_database_failures", "Activities that the database did not answer", [{}]
        )
        self.mails_sent = self._counter(
            "mipres_mails_sent",
            "Messages that the mail server took",
            [{"template": template} for template in templates],
        )
        self.mail_failures = self._counter(
            "mipres_mail_failures",
            "Messages that the mail server did not take",
            [{"kind": kind.value} for kind in MailFailure],
        )
        self.logouts_announced = self._counter(
            "mipres_application_logouts",
            "Ended sessions that an application was notified of, or will never hear of, by its last answer",
            [{"answer": answer.value} for answer in LogoutAnswer],
        )
        self.payloads_refused = self._counter(
            "mipres_payloads_refused",
            "Payloads that the product did not write for their workflow",
            [{"fault": fault.value} for fault in Fault],
        )
        self.mail_delay: MetricHistogramTimedelta = meter.create_histogram_timedelta(
            MAIL_DELAY, "From the moment at which a mail was due until the mail server took it"
        )
        meter.create_gauge("mipres_build_info", "The release and the build").set(
            1, {"version": VERSION, "build": build or BUILD}
        )

    def payload_refused(self, fault: Fault) -> None:
        self.payloads_refused.add(1, {"fault": fault.value})

    def _counter(self, name: str, description: str, known: Iterable[Mapping[str, str]]) -> MetricCounter:
        counter = self.meter.create_counter(name, description)
        for labels in known:
            counter.add(0, labels)
        return counter


# A process has one: an activity's own meter would add its type to the labels, and no series could begin at 0.
_of_this_process: WorkerMetrics | None = None


def count_with(metrics: WorkerMetrics) -> None:
    """Count there from now on; without it nothing is counted."""
    global _of_this_process  # noqa: PLW0603 - one a process.
    _of_this_process = metrics


def registry_failed(registry: str) -> None:
    if _of_this_process:
        _of_this_process.registry_failures.add(1, {"registry": registry})


def database_failed() -> None:
    if _of_this_process:
        _of_this_process.database_failures.add(1)


def mail_sent(template: str) -> None:
    """Count a mail, and how long after its activity was asked for it was taken."""
    if _of_this_process:
        _of_this_process.mails_sent.add(1, {"template": template})
        _of_this_process.mail_delay.record(datetime.now(UTC) - activity.info().scheduled_time)


def mail_failed(kind: MailFailure) -> None:
    if _of_this_process:
        _of_this_process.mail_failures.add(1, {"kind": kind.value})


def logout_announced(answer: LogoutAnswer) -> None:
    """Count the end of an application's notice."""
    if _of_this_process:
        _of_this_process.logouts_announced.add(1, {"answer": answer.value})
