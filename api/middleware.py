"""What every request passes: trace, access log, headers, limits."""

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping
from http import HTTPStatus

import structlog
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, StatusCode, Tracer
from python_multipart.multipart import parse_options_header
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import ApiMetrics
from mipres.logs import bind_radicado, bind_trace

log = structlog.get_logger()

_MULTIPART, _UTF_8 = b"multipart/form-data", b"utf-8"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BASE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
        "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "accelerometer=(), bluetooth=(), camera=(), display-capture=(), fullscreen=(), geolocation=(), gyroscope=(), "
        "hid=(), magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-create=(self), "
        "publickey-credentials-get=(self), screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=()"
    ),
    "Cache-Control": "no-store",
}
_HSTS = "max-age=31536000; includeSubDomains"


class SecurityHeaders:
    """ASGI middleware: adds the headers above where the route sets no others.

    Args:
        app: The application.
        https: Whether the public address is https; only then is HSTS sent.
    """

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._headers = BASE_HEADERS | ({"Strict-Transport-Security": _HSTS} if https else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class RequestLimits:
    """ASGI middleware: limits what a request may send, and for how long.

    Args:
        app: The application.
        most: Bytes that a body may have.
        larger: Beginnings of paths whose bodies may have more.
        most_headers: Bytes that all headers may have together; the server itself knows no such limit.
        patience_seconds: How long a body may take to arrive; otherwise a few bytes a minute hold a connection for ever.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        most: int,
        larger: Mapping[str, int] | None = None,
        most_headers: int,
        patience_seconds: float,
    ) -> None:
        self._app = app
        self._most = most
        self._larger = larger or {}
        self._most_headers = most_headers
        self._patience = patience_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if refusal := self._refusal(scope):
            # Nothing behind this middleware may read such headers, not even to refuse them.
            await refusal(scope, receive, send)
            return
        most = next(
            (most for start, most in self._larger.items() if scope["path"].startswith(start)), self._most
        )
        await self._app(scope, self._measured(receive, most), send)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = scope["headers"]
        if sum(len(name) + len(value) for name, value in headers) > self._most_headers:
            return PlainTextResponse(
                "Solicitud no válida: el navegador envió demasiados datos de cabecera.",
                status_code=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            )
        if [name for name, _ in headers].count(b"host") != 1:
            # A proxy and the product could each believe another of two.
            return PlainTextResponse(
                "Solicitud no válida: la cabecera Host debe estar una sola vez.",
                status_code=HTTPStatus.BAD_REQUEST,
            )
        if any(_has_other_letters(value) for name, value in headers if name == b"content-type"):
            return PlainTextResponse(
                "Solicitud no válida: el formulario debe llegar en UTF-8.",
                status_code=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            )
        return None

    def _measured(self, receive: Receive, most: int) -> Receive:
        left, deadline, is_complete = most, asyncio.get_running_loop().time() + self._patience, False

        async def receive_some() -> Message:
            nonlocal left, is_complete
            try:
                # Once the body is here, the application only waits for the client to go away.
                async with asyncio.timeout_at(None if is_complete else deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(HTTPStatus.REQUEST_TIMEOUT) from None
            left -= len(message.get("body", b""))
            is_complete = not message.get("more_body", False)
            # The client's own Content-Length proves nothing, so bytes count as they come.
            if left < 0:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        return receive_some


def _has_other_letters(content_type: bytes) -> bool:
    """Whether a form names a charset of its own.

    No browser does, and the library that reads the form believes any codec of Python: some fail in ways that it
    does not expect, and some make texts that cannot be written anywhere.
    """
    kind, options = parse_options_header(content_type)
    return kind == _MULTIPART and options.get(b"charset", _UTF_8).lower() != _UTF_8


class AccessLog:
    """ASGI middleware, outermost, so that it logs and counts every answer.

    It logs the route and not the path, because paths carry link tokens.
    """

    def __init__(self, app: ASGIApp, *, metrics: ApiMetrics) -> None:
        self._app = app
        self._metrics = metrics
        # uvicorn's own lines repeat the whole path.
        logging.getLogger("uvicorn.access").disabled = True
        logging.getLogger("uvicorn.error").addFilter(_is_not_of_a_websocket)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500
        bind_trace(fallback=uuid.uuid4().hex)

        async def send_and_remember(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_remember)
        finally:
            bind_radicado(scope.get("path_params", {}).get("radicado", ""))
            seconds, method, route = time.perf_counter() - started, method_of(scope), route_of(scope)
            log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 1))
            self._metrics.answered(method, route, status, seconds=seconds)


def _is_not_of_a_websocket(record: logging.LogRecord) -> bool:
    """Keep uvicorn's line about an upgrade out: it repeats address, path and query."""
    return "WebSocket" not in str(record.msg)


def method_of(scope: Scope) -> str:
    """Return the method; any word can stand there, so unknown ones become one."""
    return scope["method"] if scope["method"] in _METHODS else "OTHER"


def route_of(scope: Scope) -> str:
    """Return the pattern of the route, which holds no token and no document."""
    route = scope.get("route")
    return getattr(route, "path", "(none)")


class RequestTracing:
    """ASGI middleware: every request begins a trace of its own, named by its route.

    A trace that the client names is ignored, because it could carry anything into the product's own traces.
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

            async def send_and_remember(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= HTTPStatus.INTERNAL_SERVER_ERROR:
                        span.set_status(StatusCode.ERROR)
                await send(message)

            try:
                await self._app(scope, receive, send_and_remember)
            finally:
                span.update_name(f"{method} {route_of(scope)}")
                span.set_attribute("http.route", route_of(scope))
