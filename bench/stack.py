"""One fresh product for one run of the benchmarks: free ports, a folder that goes away, real durability."""

import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.data_directory import DataDirectory
from dev.postgres import QUIET, start_postgres
from dev.probes import LOOPBACK, free_port, http_ok
from dev.process import Console, Part, Supervisor, supervisor_of
from dev.stack import Stack
from mipres.settings import Settings, load_settings, variable

PORTS = ("api_port", "temporal_port", "temporal_ui_port", "smtp_port", "mail_ui_port", "registry_port")
# As a production server is set up: every commit is on disk before it is answered, and statements are counted.
DATABASE_OPTIONS: Mapping[str, str] = {
    **QUIET,
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "all",
    "max_connections": "200",
}


# Every visitor comes from one address and has one key, which is just what the limits are there to slow down.
_ONE_VISITOR: Mapping[str, object] = {"rate_limits": "off"}


@dataclass(frozen=True, kw_only=True)
class BenchStack:
    """The running product, and the way to start more programs beside it."""

    settings: Settings
    supervisor: Supervisor
    admin_database_url: str

    @property
    def registries_port(self) -> int:
        return self.settings.registry_port

    async def start_program(self, name: str, module: str, **settings: object) -> None:
        """Start a program of this package beside the product, and wait until it says that it is ready."""
        command = (sys.executable, "-m", module)
        await self.supervisor.start(
            Part(name=name, command=command, environment=self._told(settings), ready_line=READY_LINE)
        )

    async def start_api(self, name: str, application: str, *options: str, **settings: object) -> int:
        """Start one more API process as the product's own is started; its port."""
        port = free_port()
        server = ("uvicorn", application, *options, "--host", LOOPBACK, "--port", str(port))
        limits = ("--no-access-log", "--timeout-graceful-shutdown", "1", "--log-level", "warning")
        part = Part(
            name=name,
            command=(sys.executable, "-m", *server, *limits),
            environment=self._told(settings),
            is_ready=http_ok(port, "/health/live"),
            stop_seconds=2.0,
        )
        await self.supervisor.start(part)
        return port

    def _told(self, settings: Mapping[str, object]) -> dict[str, str]:
        """The stack's environment with some settings, or plain variables in capitals, put over it."""
        named = {name if name.isupper() else variable(name): str(value) for name, value in settings.items()}
        return {**os.environ, "PYTHONUNBUFFERED": "1", **named}


READY_LINE = "banco listo"
"""What each program of this package prints when it can be measured."""


@asynccontextmanager
async def fresh_stack(**settings: object) -> AsyncIterator[BenchStack]:
    """Start everything that `make run` starts; `settings` go beside the defaults. All of it ends with the block."""
    with open_directory() as directory, (data := DataDirectory(path=directory / "data")).held():
        async with supervisor_of(Console(quiet=True)) as supervisor:
            yield await _start(supervisor, data, settings)


@contextmanager
def open_directory() -> Iterator[Path]:
    """A temporary directory that any account can walk to: PostgreSQL drops root."""
    with tempfile.TemporaryDirectory(prefix="registro-mipres-bench-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


async def _start(supervisor: Supervisor, data: DataDirectory, settings: Mapping[str, object]) -> BenchStack:
    secrets = data.secrets()
    database_url = await start_postgres(
        supervisor,
        data.cluster,
        port=free_port(),
        password=secrets[variable("postgres_password")],
        options=DATABASE_OPTIONS,
    )
    told = {**{port: free_port() for port in PORTS}, **_ONE_VISITOR, "database_url": database_url, **settings}
    _configure(data, {**secrets, **{variable(field): str(value) for field, value in told.items()}})
    loaded = load_settings()
    await Stack(settings=loaded, data=data).start(supervisor)
    return BenchStack(
        settings=loaded,
        supervisor=supervisor,
        admin_database_url=database_url.replace("+asyncpg", ""),
    )


def _configure(data: DataDirectory, variables: Mapping[str, str]) -> None:
    """Say it in the environment, where the launcher, its children and ours all read it.

    A shell's own settings would make it another product than the one that is measured.
    """
    for name in [name for name in os.environ if name.startswith(variable(""))]:
        del os.environ[name]
    os.environ.update(variables)
    os.environ[variable("data_dir")] = str(data.path)
    os.environ[variable("public_url")] = f"http://{LOOPBACK}:{variables[variable('api_port')]}"
