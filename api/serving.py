"""How uvicorn serves the application: what the application cannot bound by itself."""

# Above what the application refuses in words, so that only what never ends is cut off without them.
MOST_UNFINISHED_HEADER_BYTES = 32 * 1024
MOST_CONNECTIONS = 1000

SERVER_ENVIRONMENT = {
    # httptools keeps unfinished headers without any limit.
    "UVICORN_HTTP": "h11",
    "UVICORN_H11_MAX_INCOMPLETE_EVENT_SIZE": str(MOST_UNFINISHED_HEADER_BYTES),
    # The product has no WebSocket, and uvicorn logs the address and the query of each upgrade.
    "UVICORN_WS": "none",
    "UVICORN_LIMIT_CONCURRENCY": str(MOST_CONNECTIONS),
}
"""Options of `uvicorn api.main:app`, as the variables that it reads.

Dockerfile and `make run` set them.
"""
