"""How uvicorn serves the application: what the application cannot bound by itself."""

# Above what the application refuses in words, so that only what never ends is cut off without them.
MOST_UNFINISHED_HEADER_BYTES = 32 * 1024
# One client opens a thousand connections with ease, and beyond this number everybody gets 503. As many unfinished
# headers are 125 MiB, which a container of 512 MiB has to spare; what holds connections open, the proxy closes.
MOST_CONNECTIONS = 4000

SERVER_ENVIRONMENT = {
    # httptools keeps unfinished headers without any limit; it is not among the locked packages.
    "UVICORN_HTTP": "h11",
    "UVICORN_H11_MAX_INCOMPLETE_EVENT_SIZE": str(MOST_UNFINISHED_HEADER_BYTES),
    # The product has no WebSocket, and uvicorn logs the address and the query of each upgrade.
    "UVICORN_WS": "none",
    "UVICORN_LIMIT_CONCURRENCY": str(MOST_CONNECTIONS),
}
"""Options of `uvicorn api.main:app`, as the variables that it reads.

Dockerfile and `make run` set them.
"""
