"""`make run`: the whole product on loopback, each part awaited, until Ctrl-C.

PostgreSQL with its migrations, Temporal, the registry simulator and the mail catcher start together; then
the worker and the API. A part whose address is configured is somebody else's and is not started.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from api.serving import SERVER_ENVIRONMENT
from dev.data_directory import (
    DataDirectory,
    DataDirectoryBusyError,
    DataDirectoryUnusableError,
    write_private,
)
from dev.postgres import QUIET, start_postgres
from dev.probes import LOOPBACK, free_port, http_ok, not_allowed, taken
from dev.process import ROOT, Console, LaunchError, Part, Supervisor, supervise
from dev.process_records import ProcessRecords
from dev.temporal_server import temporal_server
from dev.terminal import follow_an_interrupted_make, foreground_of_its_own
from mipres.arguments import Arguments
from mipres.domain.clients import Client
from mipres.settings.loading import load_settings
from mipres.settings.model import Settings
from mipres.settings.names import PREFIX, variable

PYTHON = sys.executable
APPLICATION_PORTS = {"administracion": "administration_app_port", "mipres": "mipres_app_port"}
"""Settings of the ports where the demonstration applications listen, by client."""
_HELP = "Inicia todo el producto en esta máquina, hasta Ctrl-C. docs/deployment.md tiene sus variables."
REGISTRY_ADDRESSES = frozenset({"miseguridadsocial_url", "rethus_url", "sso_url"})


@dataclass(frozen=True, kw_only=True)
class Stack:
    """What to start, and with which settings.

    Attributes:
        environment: What its parts inherit.
        database_options: How PostgreSQL is set up, when it is one of the parts.
        shows_applications: Whether the manual's two applications run beside the product.
    """

    settings: Settings
    data: DataDirectory
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    shows_applications: bool = False
    database_options: Mapping[str, str] = field(default_factory=lambda: QUIET)

    async def start(self, supervisor: Supervisor) -> None:
        """Start all parts, in the order of their needs."""
        postgres_port = self.settings.postgres_port or free_port()
        environment = self._parts_environment(postgres_port)
        write_private(self.data.stack_file, _settings_in(environment))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._start_database(supervisor, postgres_port, environment))
            for part in self._servers(environment):
                group.create_task(supervisor.start(part))
        async with asyncio.TaskGroup() as group:
            for part in (*self._applications(environment), *self._demonstrations(environment)):
                group.create_task(supervisor.start(part))

    async def start_again(self, supervisor: Supervisor, name: str) -> None:
        """Start one part that has ended, beside those that run."""
        port = self.settings.postgres_port
        environment = self._parts_environment(port)
        if name == "postgres":
            await self._start_database(supervisor, port, environment)
            return
        for part in (*self._servers(environment), *self._applications(environment)):
            if part.name == name:
                await supervisor.start(part)

    def ports(self) -> dict[str, int]:
        """Ports that the parts to start will listen on, by setting.

        0 finds itself a free one.
        """
        fields = ["api_port"]
        if self._embeds("database_url") and self.settings.postgres_port:
            fields.append("postgres_port")
        if self._embeds("temporal_address"):
            fields += ["temporal_port", "temporal_ui_port"]
        if self._embeds(*REGISTRY_ADDRESSES):
            fields.append("registry_port")
        if self._embeds("smtp_url"):
            fields += ["smtp_port", "mail_ui_port"]
        if self.settings.metrics_port:
            fields.append("metrics_port")
        if self.shows_applications:
            fields += APPLICATION_PORTS.values()
        return {variable(field): getattr(self.settings, field) for field in fields}

    def _embeds(self, *addresses: str) -> bool:
        """Whether an address of these was left to the launcher."""
        return not self.settings.model_fields_set.issuperset(addresses)

    def _parts_environment(self, postgres_port: int) -> dict[str, str]:
        """What every part inherits.

        The environment, and the files that it names, go before the secrets that were generated.
        """
        return {
            **self.data.with_secrets(self.environment),
            "PYTHONUNBUFFERED": "1",
            variable("environment"): "development",
            variable("data_dir"): str(self.data.path),
            variable("postgres_port"): str(postgres_port),
            variable("demonstrations"): str(self.shows_applications).lower(),
        }

    async def _start_database(
        self, supervisor: Supervisor, port: int, environment: Mapping[str, str]
    ) -> None:
        if self._embeds("database_url"):
            password = environment[variable("postgres_password")]
            await start_postgres(
                supervisor, self.data.cluster, port=port, password=password, options=self.database_options
            )
        command = (PYTHON, "-m", "mipres.cli", "migrate")
        await supervisor.run(Part(name="migraciones", command=command, environment=environment))

    def _servers(self, environment: Mapping[str, str]) -> list[Part]:
        """Parts that need no other part."""
        settings, parts = self.settings, []
        if self._embeds("temporal_address"):
            database = self.data.path / "temporal.db"
            parts.append(
                temporal_server(
                    port=settings.temporal_port, ui_port=settings.temporal_ui_port, database=database
                )
            )
        if self._embeds(*REGISTRY_ADDRESSES):
            parts.append(_registry_simulator(settings.registry_port, self.data.path, environment))
        if self._embeds("smtp_url"):
            parts.append(_mail_catcher(settings, self.data.path, environment))
        return parts

    def _demonstrations(self, environment: Mapping[str, str]) -> list[Part]:
        """The manual's applications, which know the product by OpenID Connect alone."""
        settings = self.settings
        clients = settings.oidc_clients if self.shows_applications else {}
        return [
            demonstration(clients[name], getattr(settings, port), settings.public_url, environment)
            for name, port in APPLICATION_PORTS.items()
            if name in clients
        ]

    def _applications(self, environment: Mapping[str, str]) -> list[Part]:
        """The product itself."""
        port = self.settings.api_port
        server = ("uvicorn", "api.main:app", "--host", LOOPBACK, "--port", str(port), "--no-server-header")
        # An access log would keep the tokens of password links.
        limits = (
            "--no-access-log",
            "--no-proxy-headers",
            "--timeout-graceful-shutdown",
            "1",
            "--log-level",
            "warning",
        )
        return [
            Part(
                name="worker",
                command=(PYTHON, "worker.py"),
                environment=environment,
                ready_line="worker listo",
                stop_seconds=2.0,
            ),
            Part(
                name="api",
                command=(PYTHON, "-m", *server, *limits),
                environment={**SERVER_ENVIRONMENT, **environment},
                address=self.settings.public_url,
                is_ready=http_ok(port, "/health/dependencies"),
                stop_seconds=2.0,
            ),
        ]


def _registry_simulator(port: int, directory: Path, environment: Mapping[str, str]) -> Part:
    state = str(directory / "registries.json")
    return Part(
        name="registros",
        command=(PYTHON, "-m", "dev.registry_simulator", "--port", str(port), "--state", state),
        environment=environment,
        address=f"http://{LOOPBACK}:{port}",
        is_ready=http_ok(port, "/_control/calls"),
        discreet=True,
    )


def demonstration(client: Client, port: int, issuer: str, environment: Mapping[str, str]) -> Part:
    known = ("--client-id", client.client_id, "--name", client.client_name, "--issuer", issuer)
    return Part(
        name=client.client_id,
        command=(PYTHON, "-m", "dev.demo_application", *known, "--port", str(port)),
        environment=environment,
        address=f"http://localhost:{port}",
        is_ready=http_ok(port, "/"),
        discreet=True,
    )


def _mail_catcher(settings: Settings, directory: Path, environment: Mapping[str, str]) -> Part:
    ports = ("--smtp-port", str(settings.smtp_port), "--ui-port", str(settings.mail_ui_port))
    return Part(
        name="correo",
        command=(PYTHON, "-m", "dev.mail_catcher", *ports, "--dir", str(directory / "mail")),
        environment=environment,
        address=f"http://{LOOPBACK}:{settings.mail_ui_port}, SMTP en {LOOPBACK}:{settings.smtp_port}",
        is_ready=http_ok(settings.mail_ui_port, "/api/v1/messages"),
        discreet=True,
    )


def _settings_in(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(PREFIX)}


def _refuse_ports(stack: Stack) -> None:
    ports = stack.ports()
    lines = [
        f"El puerto {ports[name]} ({name}) ya está en uso: libérelo o defina {name} con otro puerto."
        for name in taken(ports)
    ]
    lines += [
        f"El puerto {ports[name]} ({name}) es solo para administradores: defina {name} con uno desde 1024."
        for name in not_allowed(ports)
    ]
    if lines:
        raise LaunchError("\n".join(lines))


def _launch(data: DataDirectory) -> int:
    records = ProcessRecords(path=data.path / "stack.pids")
    with data.usable():
        records.end_leftovers()
        # Left by a launcher that was killed: its addresses are no longer true.
        data.stack_file.unlink(missing_ok=True)
        data.secrets()
    settings = load_settings()
    if settings.environment != "development":
        raise LaunchError(f"{variable('environment')}: `make run` es solo para desarrollo.")
    stack = Stack(settings=settings, data=data, shows_applications=True)
    _refuse_ports(stack)
    try:
        return asyncio.run(_supervise(stack, records))
    finally:
        data.stack_file.unlink(missing_ok=True)


async def _supervise(stack: Stack, records: ProcessRecords) -> int:
    following = asyncio.create_task(follow_an_interrupted_make())
    try:
        return await supervise(stack.start, Console(), records=records)
    finally:
        following.cancel()


def main() -> int:
    """Run until a signal to stop; the process's exit code."""
    Arguments(prog="make run", description=_HELP, usage="make run").parse_args()
    os.chdir(ROOT)
    data = DataDirectory(path=Path(os.environ.get(variable("data_dir")) or ".data").absolute())
    try:
        with data.held(), foreground_of_its_own():
            return _launch(data)
    except DataDirectoryUnusableError as error:
        name = variable("data_dir")
        print(
            f"No se puede escribir en {data.path} ({error}): defina {name} con otro directorio.",
            file=sys.stderr,
        )
    except DataDirectoryBusyError:
        print(f"Ya hay un `make run` en marcha sobre {data.path}.", file=sys.stderr)
    except LaunchError as error:
        print(error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
