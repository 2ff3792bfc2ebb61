"""One log line a request: method, route, status, time. The route, not the path: paths carry link tokens."""

import logging
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import ApiMetrics

log = structlog.get_logger()

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class AccessLog:
    """ASGI middleware, outermost, so that every answer is logged and counted."""

    def __init__(self, app: ASGIApp, *, metrics: ApiMetrics) -> None:
        self._app = app
        self._metrics = metrics
        # uvicorn's own lines repeat the whole path.
        logging.getLogger("uvicorn.access").disabled = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            seconds, method, route = time.perf_counter() - started, method_of(scope), route_of(scope)
            log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 1))
            self._metrics.answered(method, route, status, seconds=seconds)


def method_of(scope: Scope) -> str:
    """The request's method; any word can stand there, so unknown ones become one."""
    return scope["method"] if scope["method"] in _METHODS else "OTHER"


def route_of(scope: Scope) -> str:
    """The pattern of the route, which holds no token and no number of anybody."""
    route = scope.get("route")
    return getattr(route, "path", "(none)")
