"""How uvicorn serves the application: what the application cannot bound by itself."""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

# Above what the application refuses in words, so that only what never ends is cut off without them.
MOST_UNFINISHED_HEADER_BYTES = 32 * 1024
# One client opens a thousand connections with ease, and beyond this number everybody gets 503. As many unfinished
# headers are 125 MiB, which a container of 512 MiB has to spare; what holds connections open, the proxy closes.
MOST_CONNECTIONS = 4000
# Longer than any browser takes over a slow line; a proxy in front may be stricter.
HEAD_SECONDS = 20.0


class TimedHeads(H11Protocol):
    """Closes a connection on which no whole head of a request arrives in time.

    uvicorn has no such limit. The time runs on while the head comes byte by byte.
    """

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_watching()

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._stop_watching()
        elif self._waiting is None:
            self._waiting = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_watching(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


SERVER_ENVIRONMENT = {
    # httptools keeps unfinished headers without any limit; it is not among the locked packages.
    "UVICORN_HTTP": "api.serving:TimedHeads",
    "UVICORN_H11_MAX_INCOMPLETE_EVENT_SIZE": str(MOST_UNFINISHED_HEADER_BYTES),
    # The product has no WebSocket, and uvicorn logs the address and the query of each upgrade.
    "UVICORN_WS": "none",
    "UVICORN_LIMIT_CONCURRENCY": str(MOST_CONNECTIONS),
    # Its lines are JSON before the application is loaded too, and when it cannot be.
    "UVICORN_LOG_CONFIG": "api/uvicorn_logging.json",
}
"""Options of `uvicorn api.main:app`, as the variables that it reads.

Dockerfile and `make run` set them.
"""
