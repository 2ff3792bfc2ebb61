"""One span a request, named by its route."""

from http import HTTPStatus

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, StatusCode, Tracer
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access_log import method_of, route_of


class RequestTracing:
    """ASGI middleware: every request begins a trace of its own.

    What a client says of a trace is not believed: it could carry anything into ours.
    """

    def __init__(self, app: ASGIApp, *, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = method_of(scope)
        with self._tracer.start_as_current_span(
            method, context=Context(), kind=SpanKind.SERVER, attributes={"http.request.method": method}
        ) as span:

            async def send_and_note(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= HTTPStatus.INTERNAL_SERVER_ERROR:
                        span.set_status(StatusCode.ERROR)
                await send(message)

            try:
                await self._app(scope, receive, send_and_note)
            finally:
                span.update_name(f"{method} {route_of(scope)}")
                span.set_attribute("http.route", route_of(scope))
