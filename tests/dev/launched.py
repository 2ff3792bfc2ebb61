"""The launcher of `make run` as a process, on free ports, in its own folder."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import psutil

from dev.probes import free_port
from tests.patience import PATIENCE_SECONDS

PORTS = (
    "API_PORT",
    "TEMPORAL_PORT",
    "TEMPORAL_UI_PORT",
    "POSTGRES_PORT",
    "SMTP_PORT",
    "MAIL_UI_PORT",
    "REGISTRY_PORT",
    "ADMINISTRATION_APP_PORT",
    "MIPRES_APP_PORT",
)


class LaunchedProduct:
    """A running launched. `lines` is what it and its parts have printed so far."""

    def __init__(self, process: asyncio.subprocess.Process, ports: Mapping[str, int], data_dir: Path) -> None:
        self.process = process
        self.ports = ports
        self.data_dir = data_dir
        self.lines: list[str] = []
        self.ready = asyncio.Event()
        self._listener = asyncio.create_task(self._listen())

    async def until_listo(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            waiting = asyncio.create_task(self.ready.wait())
            await asyncio.wait((waiting, self._listener), return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
        assert self.ready.is_set(), "\n".join(self.lines)

    async def end(self) -> None:
        """Stop it, if it still runs, and wait for its last words."""
        if self.process.returncode is None:
            self.process.terminate()
        await self.process.wait()
        await self._listener

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def url(self, port: str) -> str:
        return f"http://127.0.0.1:{self.ports[port]}"

    async def status(self, port: str, path: str) -> int:
        async with httpx2.AsyncClient(trust_env=False) as client:
            return (await client.get(f"{self.url(port)}{path}")).status_code

    async def _listen(self) -> None:
        # Without somebody who reads, a full pipe would stop the whole product.
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip())
            if self.lines[-1] == "listo":
                self.ready.set()


def free_ports() -> dict[str, int]:
    chosen = {name: free_port() for name in PORTS}
    assert len(set(chosen.values())) == len(PORTS)
    return chosen


async def launch(data_dir: Path, ports: Mapping[str, int], **settings: str) -> asyncio.subprocess.Process:
    """Start the launched; settings are given without their prefix."""
    told = {f"MIPRES_{name}": str(value) for name, value in {**ports, **settings}.items()}
    own = {name: value for name, value in os.environ.items() if not name.startswith("MIPRES_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dev.stack"),
        env={**own, **told, "MIPRES_DATA_DIR": str(data_dir)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


@asynccontextmanager
async def running(
    data_dir: Path, ports: Mapping[str, int], **settings: str
) -> AsyncIterator[LaunchedProduct]:
    launched = LaunchedProduct(await launch(data_dir, ports, **settings), ports, data_dir)
    try:
        await launched.until_listo()
        yield launched
    finally:
        await launched.end()
