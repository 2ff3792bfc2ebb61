"""A product of its own whose parts can be killed one by one, and its neighbours."""

import asyncio
import itertools
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import httpx2
from temporalio.client import Client

from dev.data_directory import DataDirectory
from dev.probes import LOOPBACK, free_port
from dev.process import Console, LaunchError, Supervisor
from dev.stack import Stack
from mipres import composition
from mipres.settings import DATABASE_NAME, DEVELOPMENT_KEY, load_settings, variable
from mipres.temporal.connection import connect

T = TypeVar("T")

PARTS = ("api", "worker", "temporal", "postgres", "correo", "registros")
PORTS = (
    *("api_port", "temporal_port", "temporal_ui_port", "postgres_port"),
    *("smtp_port", "mail_ui_port", "registry_port"),
)
PAUSE_SECONDS = 0.1
# What a restart may need while the machine is busy, and what a lost task needs to be noticed.
PATIENCE_SECONDS = 90.0
# A server whose predecessor was killed may find its place still taken for a moment.
RESTARTS = 20
# Whatever a program that is being killed or started may answer instead of what was asked.
NO_ANSWER = (
    httpx2.HTTPError,
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # What asyncpg makes of an answer that stops in its middle.
    asyncpg.InternalClientError,
)


class NotYetError(Exception):
    """What is waited for has not come about."""


@dataclass(kw_only=True)
class Town:
    """The running product, and clients of all that a citizen or an investigator looks at."""

    stack: Stack
    supervisor: Supervisor
    api: httpx2.AsyncClient
    mail: httpx2.AsyncClient
    registries: httpx2.AsyncClient
    temporal: Client
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(80_000_001))

    def next_number(self) -> str:
        """A document number that nobody has used yet."""
        return str(next(self._numbers))

    async def crash(self, part: str) -> None:
        """`kill -9`."""
        await self.supervisor.crash(part)

    async def restart(self, part: str) -> None:
        for _ in range(RESTARTS):
            try:
                await self.stack.start_again(self.supervisor, part)
            except LaunchError:
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return
        raise LaunchError(f"{part} no volvió a iniciar.")

    async def set_registry(self, name: str, **behaviour: object) -> None:
        await patiently(lambda: _put(self.registries, f"/_control/{name}", behaviour))

    async def set_mail(self, mode: str) -> None:
        await patiently(lambda: _put(self.mail, "/_control", {"mode": mode}))

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Any]:
        settings = self.stack.settings
        password = settings.postgres_password
        connection = await asyncpg.connect(
            host=LOOPBACK,
            port=settings.postgres_port,
            user="mipres",
            password=password.get_secret_value() if password else "",
            database=DATABASE_NAME,
            ssl=False,
        )
        try:
            yield connection
        finally:
            await connection.close()

    async def count(self, statement: str, *values: object) -> int:
        """The number that a statement yields."""

        async def ask() -> int:
            async with self.database() as connection:
                return int(await connection.fetchval(statement, *values))

        return await patiently(ask)


async def patiently(ask: Callable[[], Awaitable[T]], *, seconds: float = PATIENCE_SECONDS) -> T:
    """The answer, asked for again while there is none.

    Raises:
        NotYetError: there was none in time.
    """
    limit = time.monotonic() + seconds
    while True:
        try:
            return await ask()
        except (*NO_ANSWER, NotYetError) as error:
            if time.monotonic() > limit:
                raise NotYetError(str(error)) from error
        await asyncio.sleep(PAUSE_SECONDS)


async def _put(client: httpx2.AsyncClient, path: str, body: object) -> None:
    (await client.put(path, json=body)).raise_for_status()


@asynccontextmanager
async def open_town() -> AsyncIterator[Town]:
    """Everything on free ports and in a folder that is gone afterwards."""
    with _place() as directory:
        _tell_environment(directory)
        data = DataDirectory(path=directory)
        data.secrets()
        async with _running(Stack(settings=load_settings(), data=data)) as town:
            yield town


@contextmanager
def _place() -> Iterator[Path]:
    """A folder that any account can walk to, because PostgreSQL drops root."""
    with tempfile.TemporaryDirectory(prefix="registro-mipres-caos-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name)


def _tell_environment(directory: Path) -> None:
    """The parts learn their settings as in `make run`: from the environment of their launcher."""
    for name in [name for name in os.environ if name.startswith("MIPRES_")]:
        del os.environ[name]
    os.environ[variable("data_dir")] = str(directory)
    # Many people register from one address here.
    os.environ[variable("rate_limits")] = "off"
    os.environ |= {variable(port): str(free_port()) for port in PORTS}
    os.environ[variable("public_url")] = f"http://{LOOPBACK}:{os.environ[variable('api_port')]}"


@asynccontextmanager
async def _running(stack: Stack) -> AsyncIterator[Town]:
    supervisor, settings = Supervisor(Console(quiet=True)), stack.settings
    async with AsyncExitStack() as exits:
        exits.push_async_callback(supervisor.stop)
        await stack.start(supervisor)

        async def client(port: int, **options: Any) -> httpx2.AsyncClient:
            address = f"http://{LOOPBACK}:{port}"
            made = httpx2.AsyncClient(base_url=address, trust_env=False, timeout=30, **options)
            return await exits.enter_async_context(made)

        key = {"Authorization": f"Bearer {DEVELOPMENT_KEY}"}
        yield Town(
            stack=stack,
            supervisor=supervisor,
            api=await client(settings.api_port, headers=key),
            mail=await client(settings.mail_ui_port),
            registries=await client(settings.registry_port),
            temporal=await connect(composition.temporal_connection(settings), identity="caos", lazy=True),
        )
