"""Signs of readiness on loopback, and whether a port is free."""

import asyncio
import contextlib
import itertools
import os
import socket
from collections.abc import Awaitable, Callable

LOOPBACK = "127.0.0.1"
ANSWER_SECONDS = 5.0
LOWEST_PORT, PORTS = 10_000, 20_000
PORTS_A_PROCESS = 100

_port_numbers = itertools.count()


def http_ok(port: int, path: str) -> Callable[[], Awaitable[bool]]:
    """Probe that is true once `path` answers 200."""

    async def probe() -> bool:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return b" 200 " in await _status_line(port, path)
        except (OSError, TimeoutError):
            return False

    return probe


async def _status_line(port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode())
        return await reader.readline()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def free_port() -> int:
    """Find a port that is not in use.

    Two processes that search in the same moment find different ports, because each begins in a block of its
    own. All blocks lie below the ports that the kernel takes for outgoing connections.
    """
    for number in _port_numbers:
        port = LOWEST_PORT + (os.getpid() * PORTS_A_PROCESS + number) % PORTS
        with contextlib.suppress(OSError), socket.create_server((LOOPBACK, port)):
            return port
    raise AssertionError("the numbers never end")


def taken(ports: dict[str, int]) -> list[str]:
    """The names whose port is in use, by another program or an earlier name."""
    return [name for name, error in _refusals(ports).items() if not isinstance(error, PermissionError)]


def not_allowed(ports: dict[str, int]) -> list[str]:
    """The names whose port only an administrator may listen on."""
    return [name for name, error in _refusals(ports).items() if isinstance(error, PermissionError)]


def _refusals(ports: dict[str, int]) -> dict[str, OSError]:
    refused = {}
    with contextlib.ExitStack() as held:
        for name, port in ports.items():
            try:
                held.enter_context(socket.create_server((LOOPBACK, port)))
            except OSError as error:
                refused[name] = error
    return refused
