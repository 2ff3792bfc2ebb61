"""Structured logs on standard output, one JSON object a line, UTC.

And the metrics of a worker process.
"""

import logging
import sys

import structlog
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

OWN_LOGGERS = ("api", "activities", "mipres", "workflows", "temporalio.workflow", "uvicorn.error", "alembic")


class MetricsPortTakenError(MipresError):
    """Metrics cannot be served where they were asked for."""


def runtime_with_metrics(host: str, port: int) -> Runtime | None:
    """The SDK's runtime, serving its metrics and ours at `/metrics` of a port.

    None for port 0.

    Raises:
        MetricsPortTakenError: the port is taken or not allowed.
    """
    if not port:
        return None
    metrics = PrometheusConfig(
        bind_address=f"{host}:{port}",
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
            f"No se pueden servir métricas en {host}:{port} (MIPRES_METRICS_HOST, MIPRES_METRICS_PORT): "
            "el puerto está en uso o la dirección no es de esta máquina."
        ) from error


def _core_lines() -> LoggingConfig:
    """Hand the lines of the SDK's core to Python's logging; by itself it writes plain text."""
    return LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
        forwarding=LogForwardingConfig(logger=logging.getLogger("temporalio.core")),
    )


def configure_logging() -> None:
    """Send structlog and the standard library's loggers through one JSON renderer."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _name_the_registration],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # No tracebacks: they repeat values. The place of an error is logged by name.
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries tell addresses and values at INFO (an HTTP client every URL, with the document in it),
    # so only what is known to be harmless may speak there.
    root.setLevel(logging.WARNING)
    for name in OWN_LOGGERS:
        logging.getLogger(name).setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


def _name_the_registration(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Add the radicado (or reference) and the activity to a line of the SDK."""
    said = vars(event["_record"])
    context = said.get("temporal_activity") or said.get("temporal_workflow") or {}
    if workflow_id := context.get("workflow_id"):
        event["radicado"] = workflow_id.rpartition("/")[2]
    for name in ("activity_id", "attempt"):
        if name in context:
            event[name] = context[name]
    return event
