"""Traces of the processes, for an OpenTelemetry collector where there is one.

What leaves is chosen here, by name: span names, types, ids and route patterns. Whatever a library notes
beside that (addresses, messages of errors, stack traces) stays in the process.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status, Tracer
from temporalio.contrib.opentelemetry import TracingInterceptor

ALLOWED_ATTRIBUTES = frozenset(
    {
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "temporalActivityID",
        "temporalActivityType",
        "temporalRunID",
        "temporalUpdateID",
        "temporalWorkflowID",
    }
)
# A collector that is away must hold up neither the work nor the end of the process.
_EXPORT_SECONDS = 2
_BATCH_MILLISECONDS = 1000


class DiscreetExporter(SpanExporter):
    """Passes on what is allowed of each span, and nothing else."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._inner.export([_discreet(span) for span in spans])

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)


@dataclass(frozen=True, kw_only=True)
class Tracing:
    """A process's way to the collector."""

    provider: TracerProvider

    @property
    def tracer(self) -> Tracer:
        return self.provider.get_tracer("registro-mipres")

    def interceptor(self) -> TracingInterceptor:
        """Carries a trace from client to workflow to activity, as two random numbers."""
        return TracingInterceptor(self.tracer)

    def close(self) -> None:
        """Send what is left. Blocks for some seconds at most."""
        self.provider.shutdown()


def tracing_to(endpoint: str, *, service: str) -> Tracing:
    """Traces to a collector's OTLP over HTTP."""
    return tracing_through(
        OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=_EXPORT_SECONDS), service=service
    )


def tracing_through(exporter: SpanExporter, *, service: str) -> Tracing:
    provider = TracerProvider(resource=Resource({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(DiscreetExporter(exporter), schedule_delay_millis=_BATCH_MILLISECONDS)
    )
    return Tracing(provider=provider)


def _discreet(span: ReadableSpan) -> ReadableSpan:
    attributes = {
        name: value for name, value in (span.attributes or {}).items() if name in ALLOWED_ATTRIBUTES
    }
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        links=span.links,
        kind=span.kind,
        # Its description would be the message of an error.
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
