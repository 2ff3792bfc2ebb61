"""A whole product on free ports and in a folder of its own.

For tests, benchmarks and the chaos run.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from api.serving import SERVER_ENVIRONMENT
from dev.data_directory import DataDirectory
from dev.postgres import DATABASE, QUIET, USER
from dev.probes import LOOPBACK, free_port, http_ok
from dev.process import Console, LaunchError, Part, Supervisor, supervisor_of
from dev.stack import Stack
from mipres.settings.model import Settings
from mipres.settings.names import PREFIX, variable

PORTS = (
    *("api_port", "temporal_port", "temporal_ui_port", "postgres_port"),
    *("smtp_port", "mail_ui_port", "registry_port", "metrics_port"),
)
READY_LINE = "programa listo"
"""What a program that is started beside the product prints when it is ready."""
# A server whose predecessor was killed may find its port still in use for a moment.
RESTARTS = 20
RESTART_PAUSE_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class PrivateStack:
    """A running product, its parts, and the way to start more programs beside it.

    Attributes:
        lines: What its parts have printed so far.
    """

    stack: Stack
    supervisor: Supervisor
    lines: list[str]

    @property
    def settings(self) -> Settings:
        return self.stack.settings

    @property
    def data_dir(self) -> Path:
        return self.stack.data.path

    @property
    def ports(self) -> Mapping[str, int]:
        """Ports by the name of their setting, without its prefix."""
        return {name.upper(): getattr(self.settings, name) for name in PORTS}

    @property
    def database_url(self) -> str:
        """Address of the database for asyncpg."""
        return f"postgresql://{USER}:{self.secret('POSTGRES_PASSWORD')}@{LOOPBACK}:{self.ports['POSTGRES_PORT']}/{DATABASE}"

    def url(self, port: str) -> str:
        return f"http://{LOOPBACK}:{self.ports[port]}"

    def secret(self, name: str) -> str:
        """A secret that was generated for this stack."""
        return self.stack.data.secrets()[f"{PREFIX}{name}"]

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Any]:
        """A connection to the database."""
        connection = await asyncpg.connect(self.database_url, ssl=False)
        try:
            yield connection
        finally:
            await connection.close()

    async def crash(self, part: str) -> None:
        """End a part with `kill -9`."""
        await self.supervisor.crash(part)

    async def restart(self, part: str) -> None:
        """Start a part that was ended.

        Raises:
            LaunchError: it does not start, however often it is tried.
        """
        for _ in range(RESTARTS):
            try:
                await self.stack.start_again(self.supervisor, part)
            except LaunchError:
                await asyncio.sleep(RESTART_PAUSE_SECONDS)
            else:
                return
        raise LaunchError(f"{part} no volvió a iniciar.")

    async def start_program(self, name: str, module: str, **settings: object) -> None:
        """Start a Python module beside the product and wait until it prints READY_LINE."""
        await self.supervisor.start(
            Part(
                name=name,
                command=(sys.executable, "-m", module),
                environment=self.environment(settings),
                ready_line=READY_LINE,
            )
        )

    async def start_api(self, name: str, application: str, *options: str, **settings: object) -> int:
        """Start one more API process as the product's own is started; its port."""
        port = free_port()
        server = ("uvicorn", application, *options, "--host", LOOPBACK, "--port", str(port))
        limits = ("--no-access-log", "--timeout-graceful-shutdown", "1", "--log-level", "warning")
        await self.supervisor.start(
            Part(
                name=name,
                command=(sys.executable, "-m", *server, *limits),
                environment={**SERVER_ENVIRONMENT, **self.environment(settings)},
                is_ready=http_ok(port, "/health/live"),
                stop_seconds=2.0,
            )
        )
        return port

    def environment(self, settings: Mapping[str, object]) -> dict[str, str]:
        """The product's environment.

        `settings`, or plain variables in capitals, go before it.
        """
        own = {name if name.isupper() else variable(name): str(value) for name, value in settings.items()}
        return {**self.stack.environment, **self.stack.data.secrets(), "PYTHONUNBUFFERED": "1", **own}


@asynccontextmanager
async def private_stack(
    *,
    database_options: Mapping[str, str] = QUIET,
    prepare: Callable[[DataDirectory], Awaitable[None]] | None = None,
    **settings: object,
) -> AsyncIterator[PrivateStack]:
    """Start everything that `make run` starts, and stop and delete it after the block.

    Args:
        database_options: How PostgreSQL is set up.
        prepare: Fills the empty data directory before anything starts.
        settings: Settings of the product that differ from those of `make run`.
    """
    lines: list[str] = []
    with open_directory() as directory, (data := DataDirectory(path=directory / "data")).held():
        if prepare is not None:
            await prepare(data)
        data.secrets()
        stack = _stack(data, settings, database_options)
        async with supervisor_of(Console(write=lines.append)) as supervisor:
            await stack.start(supervisor)
            yield PrivateStack(stack=stack, supervisor=supervisor, lines=lines)


@contextmanager
def open_directory() -> Iterator[Path]:
    """A temporary directory that any account can reach: PostgreSQL drops root."""
    with tempfile.TemporaryDirectory(prefix="registro-mipres-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name)


def _stack(data: DataDirectory, settings: Mapping[str, object], database_options: Mapping[str, str]) -> Stack:
    # The settings of the shell would make it another product than the one that is tested or measured.
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    ports = {port: free_port() for port in PORTS}
    own: dict[str, Any] = {
        "data_dir": data.path,
        **ports,
        "public_url": f"http://{LOOPBACK}:{ports['api_port']}",
        # Everybody comes from one address and with one key, which is what the limits slow down.
        "rate_limits": "off",
        **settings,
    }
    variables = {variable(name): str(value) for name, value in own.items()}
    return Stack(
        settings=Settings(**own),
        data=data,
        environment={**os.environ, **variables},
        database_options=database_options,
    )
