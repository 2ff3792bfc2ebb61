"""A second API and a second worker beside those of the running product."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import httpx2

from dev.probes import free_port, http_ok
from mipres.settings.names import variable
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]


@dataclass(kw_only=True)
class Second:
    """Another process of the product beside those of the stack."""

    process: Process
    url: str = ""

    def browser(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.url, trust_env=False, follow_redirects=True, timeout=30)

    async def stop(self) -> int:
        """Ask it to stop, and its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.process.wait()

    async def kill(self) -> None:
        """End it with `kill -9`."""
        self.process.kill()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.process.wait()


@asynccontextmanager
async def started(data_dir: Path, *command: str, **told: str) -> AsyncIterator[tuple[Process, asyncio.Event]]:
    """A process, and whether it has said that it is ready."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MIPRES_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *command),
        cwd=ROOT,
        env={
            **own,
            "MIPRES_DATA_DIR": str(data_dir),
            # On one machine each process needs a port of its own; the rest they have in common.
            "MIPRES_METRICS_PORT": str(free_port()),
            **{variable(name): value for name, value in told.items()},
        },
        stdin=DEVNULL,
        stdout=PIPE,
    )
    ready = asyncio.Event()
    said = asyncio.create_task(_listen(process, ready))
    try:
        yield process, ready
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await said


async def _listen(process: Process, ready: asyncio.Event) -> None:
    # Without somebody who reads, a full pipe would stop the process.
    assert process.stdout is not None
    async for line in process.stdout:
        if b"worker listo" in line:
            ready.set()


@asynccontextmanager
async def second_api(
    data_dir: Path, *, host: str = "127.0.0.1", public: bool = False, **told: str
) -> AsyncIterator[Second]:
    """Start another API; the given settings win over those of the product.

    Args:
        host: The name in its address, one of loopback's.
        public: Whether it takes this address for the one that people know.
    """
    port = free_port()
    url = f"http://{host}:{port}"
    if public:
        told = {**told, "public_url": url}
    command = ("-m", "uvicorn", "api.main:app", "--host", "127.0.0.1", "--port", str(port))
    options = (
        "--no-server-header",
        "--no-access-log",
        "--log-level",
        "warning",
        "--timeout-graceful-shutdown",
        "10",
    )
    async with started(data_dir, *command, *options, **told) as (process, _):
        is_ready = http_ok(port, "/health/ready")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await is_ready():
                await asyncio.sleep(0.03)
        yield Second(process=process, url=url)


@asynccontextmanager
async def second_worker(data_dir: Path) -> AsyncIterator[Second]:
    async with started(data_dir, "worker.py") as (process, ready):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await ready.wait()
        yield Second(process=process)


class Alternating(httpx2.AsyncHTTPTransport):
    """Sends each request to the next of several APIs, as a proxy does."""

    def __init__(self, ports: tuple[int, ...]) -> None:
        super().__init__()
        self._next: Callable[[], int] = cycle(ports).__next__

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.url = request.url.copy_with(port=self._next())
        return await super().handle_async_request(request)
