"""The runtime of Temporal's SDK.

Where its lines go, and the metrics of a worker process.
"""

import logging
from ipaddress import IPv4Address, IPv6Address

from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from mipres.domain.errors import MipresError

TIME_TO_OUTCOME = "mipres_time_to_outcome"
MAIL_DELAY = "mipres_mail_delay"
_MAIL_DELAY_SECONDS = (0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400)
# From an answer that comes while the person looks to one that a registry held up for days.
_TIME_TO_OUTCOME_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400, 259200)


class MetricsPortTakenError(MipresError):
    """Metrics cannot be served where they were asked for."""


def core_lines_through_python() -> None:
    """Let the SDK's core speak through Python's logging in every client."""
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=_core_lines())), error_if_already_set=False)


def runtime_with_metrics(host: IPv4Address | IPv6Address, port: int) -> Runtime:
    """The SDK's runtime, serving its metrics and ours at `/metrics` of a port.

    Port 0 serves none.

    Raises:
        MetricsPortTakenError: the port is taken or not allowed.
    """
    if not port:
        return Runtime(telemetry=TelemetryConfig(logging=_core_lines()))
    address = f"[{host}]:{port}" if isinstance(host, IPv6Address) else f"{host}:{port}"
    metrics = PrometheusConfig(
        bind_address=address,
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
        histogram_bucket_overrides={
            TIME_TO_OUTCOME: _TIME_TO_OUTCOME_SECONDS,
            MAIL_DELAY: _MAIL_DELAY_SECONDS,
        },
    )
    try:
        return Runtime(
            telemetry=TelemetryConfig(metrics=metrics, logging=_core_lines(), attach_service_name=False)
        )
    except ValueError as error:
        raise MetricsPortTakenError(
            f"No se pueden servir métricas en {address} (MIPRES_METRICS_HOST, MIPRES_METRICS_PORT): "
            "el puerto está en uso o la dirección no es de esta máquina."
        ) from error


def _core_lines() -> LoggingConfig:
    """Hand the lines of the SDK's core to Python's logging; by itself it writes plain text."""
    return LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
        forwarding=LogForwardingConfig(logger=logging.getLogger("temporalio.core")),
    )
