"""What both development servers need to serve HTTP.

A listening socket, and an end on a signal.
"""

import asyncio
import errno
import signal
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import uvicorn
import uvloop
from starlette.types import ASGIApp

# A client that never closes its connection must not hold up the end of the process.
GRACEFUL_SECONDS = 1
BACKLOG = 2048


class PortUnavailableError(Exception):
    """A port cannot be listened on. The text is the Spanish line to show."""


def open_listener(host: str, port: int, *, option: str) -> socket.socket:
    """Listen on a port; 0 takes a free one.

    Raises:
        PortUnavailableError: if the port is taken or not allowed; `option` is what the user can change.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off (40 ms an answer) only for sockets that name their protocol, which
    # those of `socket.create_server` do not.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            message = f"El puerto {port} de {host} ya está en uso. Elija otro con {option}."
        else:
            message = (
                f"No se pudo abrir el puerto {port} de {host} ({error.strerror}). Elija otro con {option}."
            )
        raise PortUnavailableError(message) from error
    return listener


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


async def serve(
    app: ASGIApp,
    listener: socket.socket,
    *,
    stopping: asyncio.Event,
    protocol: type[asyncio.Protocol] | None = None,
) -> None:
    """Serve until `stopping` is set."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=protocol or "auto",
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACEFUL_SECONDS,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait((serving, stop), return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    stop.cancel()
    await serving


def run(program: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run a program that ends when its event is set, by SIGINT and SIGTERM too."""

    async def until_signalled() -> None:
        stopping = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        await program(stopping)

    uvloop.run(until_signalled())
