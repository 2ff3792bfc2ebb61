"""An OpenTelemetry collector that keeps whatever it is sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response


@dataclass(kw_only=True)
class Collector:
    """`bodies` is what came over the wire, byte by byte."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)

    def spans(self) -> list[tuple[str, Span]]:
        """Every span with the name of its process."""
        found = []
        for body in list(self.bodies):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                names = {one.key: one.value.string_value for one in resource.resource.attributes}
                found += [
                    (names["service.name"], span) for scope in resource.scope_spans for span in scope.spans
                ]
        return found

    def take(self, request: Request) -> Response:
        self.bodies.append(request.get_data())
        return Response(status=200)


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()
    with HTTPServer(host="127.0.0.1", port=0) as server:
        server.expect_request("/v1/traces", method="POST").respond_with_handler(collector.take)
        collector.url = server.url_for("").rstrip("/")
        yield collector
