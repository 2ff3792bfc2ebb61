"""What deploy/kubernetes/README.md starts, as processes of this machine.

Each process runs the command and the environment of its manifest. Only what a machine without a cluster
cannot have is put in its place: addresses, and registries over plain http, which production refuses.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy.ext.asyncio import create_async_engine
from temporalio.client import Client

from dev.citizen import Citizen, create_password, link_in, log_in
from dev.postgres import THROWAWAY_PASSWORD, USER, embedded_postgres_server
from dev.postgres_binaries import find_postgres_bin
from dev.probes import LOOPBACK, free_port, http_ok
from dev.process import SILENT, Part, Supervisor, supervisor_of
from mipres.temporal.names import registration_workflow_id
from tests.deployment.composed import DEPLOY
from tests.deployment.image import default_command, environment, run_in
from tests.deployment.manifests import container
from tests.patience import PATIENCE_SECONDS


@dataclass(kw_only=True)
class Cluster:
    """What the manifests start, as processes of this machine."""

    tree: Path
    secrets: Mapping[str, Mapping[str, str]]
    addresses: Mapping[str, str]
    api: httpx2.AsyncClient
    simulator: httpx2.AsyncClient
    mail: httpx2.AsyncClient
    temporal: Client
    apis: Supervisor

    def settings(self, name: str, build: str) -> dict[str, str]:
        """The environment of a workload, with this machine's addresses."""
        return {
            **container(name, build=build, secrets=self.secrets).environment,
            **self.addresses,
            "MIPRES_METRICS_PORT": "0",
        }

    async def job(self, name: str, build: str, *arguments: str) -> None:
        """Run a Job to its end, as `kubectl wait --for=condition=complete` would."""
        failure = await self.failure_of(name, build, *arguments)
        assert failure is None, failure

    async def failure_of(self, name: str, build: str, *arguments: str) -> str | None:
        """Run a Job; what it says when it fails."""
        done = await self.run(name, build, *arguments)
        return done.stderr if done.returncode else None

    async def run(self, name: str, build: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = container(name, build=build, secrets=self.secrets).command
        assert command[0] == "python"
        return await asyncio.to_thread(
            run_in, self.tree, *command[1:], *arguments, settings=self.settings(name, build)
        )

    async def change_schema(self, *statements: str) -> None:
        """Do as a migration does, with the owner's role."""
        engine = create_async_engine(self.secrets["owner-secrets"]["MIPRES_DATABASE_URL"])
        async with engine.begin() as connection:
            for statement in statements:
                await connection.exec_driver_sql(statement)
        await engine.dispose()

    async def lives(self, name: str, build: str) -> bool:
        """Run a workload's liveness probe."""
        probe = container(name, build=build, secrets=self.secrets).probe
        assert probe[0] == "python"
        done = await asyncio.to_thread(run_in, self.tree, *probe[1:], settings=self.settings(name, build))
        return done.returncode == 0

    async def start_worker(self, build: str) -> Supervisor:
        """Start the Deployment of a build; the supervisor that stops it."""
        name = f"worker-{build.replace('.', '-')}"
        command = container(name, build=build, secrets=self.secrets).command
        supervisor = Supervisor(SILENT)
        await supervisor.start(
            Part(
                name=name,
                command=(sys.executable, *command[1:]),
                environment=environment(self.settings(name, build)),
                directory=self.tree,
                ready_line="worker listo",
                stop_seconds=15.0,
            )
        )
        return supervisor

    async def start_api(self, build: str) -> None:
        """Start the build's API, give it the visitors, and stop the one before."""
        port, former = free_port(), self.apis
        command = [str(port) if word == "8000" else word for word in default_command()]
        self.apis = Supervisor(SILENT)
        await self.apis.start(
            Part(
                name="api",
                command=(sys.executable, "-m", *command),
                environment=environment(self.settings("api", build)),
                directory=self.tree,
                is_ready=http_ok(port, "/health/ready"),
                stop_seconds=15.0,
            )
        )
        self.api.base_url = httpx2.URL(f"http://{LOOPBACK}:{port}")
        await former.stop()

    async def submit(self, citizen: Citizen) -> httpx2.Response:
        await self.let_registries_know(citizen)
        return await self.api.post("/api/v1/registrations", json=citizen.request())

    async def let_registries_know(self, citizen: Citizen) -> None:
        (await self.simulator.post("/_control/people", json=[citizen.record()])).raise_for_status()

    async def registers(self, citizen: Citizen) -> str:
        """Submit and get the link at once; the radicado."""
        answer = await self.submit(citizen)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["radicado"])

    async def logs_in(self, citizen: Citizen) -> None:
        """Create a password with the link in the mail, and log in with it."""
        link = await self._link_of(citizen)
        async with httpx2.AsyncClient(
            base_url=self.api.base_url, trust_env=False, follow_redirects=True, timeout=60
        ) as browser:
            created = await create_password(browser, link)
            assert created.is_success, created.text
            page = await log_in(browser, citizen.login)
        assert page.url.path == "/inicio/mipres", page.text

    async def _link_of(self, citizen: Citizen) -> str:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for mail in (await self.mail.get("/api/v1/messages")).json()["messages"]:
                    text = (await self.mail.get(f"/api/v1/message/{mail['ID']}")).json()["Text"]
                    if mail["To"][0]["Address"] == citizen.email and (link := link_in(text)):
                        return link
                await asyncio.sleep(0.2)

    async def rethus(self, mode: str) -> None:
        """Have ReTHUS answer (`up`) or not (`down`)."""
        (await self.simulator.put("/_control/rethus", json={"mode": mode})).raise_for_status()

    async def reaches(self, radicado: str, stage: str) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                view = (await self.api.get(f"/api/v1/registrations/{radicado}")).raise_for_status().json()
                if view["stage"] == stage:
                    return
                await asyncio.sleep(0.2)

    async def build_of(self, radicado: str) -> str:
        """The build that took the registration's last task."""
        description = await self.temporal.get_workflow_handle(registration_workflow_id(radicado)).describe()
        versioning = description.raw_description.workflow_execution_info.versioning_info
        return versioning.deployment_version.build_id


@asynccontextmanager
async def created_databases(directory: Path, generated: Mapping[str, str]) -> AsyncIterator[int]:
    """Run a server on which create-databases.sh ran as in the image; its port."""
    async with embedded_postgres_server(directory) as url:
        port = url.rpartition(":")[2].partition("/")[0]
        values = {
            "PATH": f"{find_postgres_bin()}:{os.environ['PATH']}",
            "POSTGRES_USER": USER,
            "PGHOST": LOOPBACK,
            "PGPORT": port,
            "PGPASSWORD": THROWAWAY_PASSWORD,
            **generated,
        }
        command = ["sh", str(DEPLOY / "postgres" / "create-databases.sh")]
        done = await asyncio.to_thread(
            subprocess.run, command, env=values, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        yield int(port)


@asynccontextmanager
async def open_cluster(
    *, temporal: str, databases: int, image_tree: Path, generated: Mapping[str, str], directory: Path
) -> AsyncIterator[Cluster]:
    """Start registries and mail beside an empty Temporal and empty databases."""
    ports = {name: free_port() for name in ("public", "registry", "smtp", "mail")}
    key, token = generated["MIPRES_API_KEYS"], generated["REGISTRY_TOKEN"]
    registries = f"http://{LOOPBACK}:{ports['registry']}"

    def database(user: str) -> str:
        password = generated[f"{user.upper()}_DB_PASSWORD"]
        return f"postgresql+asyncpg://{user}:{password}@{LOOPBACK}:{databases}/registro"

    secrets: dict[str, dict[str, str]] = {
        "secrets": {
            **{name: generated[name] for name in ("MIPRES_SECRET_KEY", "MIPRES_PAYLOAD_KEYS")},
            "MIPRES_API_KEYS": key,
            "MIPRES_DATABASE_URL": database("registro_app"),
            "MIPRES_SMTP_URL": f"smtp://{LOOPBACK}:{ports['smtp']}",
            **{f"MIPRES_{name}_TOKEN": token for name in ("MISEGURIDADSOCIAL", "RETHUS", "SSO")},
        },
        "owner-secrets": {"MIPRES_DATABASE_URL": database("registro")},
    }
    applications = directory / "clients.json"
    applications.write_text("[]")
    addresses = {
        "MIPRES_ENVIRONMENT": "development",
        "MIPRES_OIDC_CLIENTS_FILE": str(applications),
        "MIPRES_OIDC_KEYS_FILE": "",
        "MIPRES_DATA_DIR": str(directory / "data"),
        "MIPRES_TEMPORAL_ADDRESS": temporal,
        # The server of this test has no certificate; an empty value counts as none.
        **dict.fromkeys((f"MIPRES_TEMPORAL_TLS_{part}" for part in ("CERT", "KEY", "CA")), ""),
        "MIPRES_PUBLIC_URL": f"http://localhost:{ports['public']}",
        "MIPRES_MISEGURIDADSOCIAL_URL": f"{registries}/miseguridadsocial",
        "MIPRES_RETHUS_URL": f"{registries}/rethus",
        "MIPRES_SSO_URL": f"{registries}/sso",
        "MIPRES_SUBMIT_WAIT_SECONDS": "20",
    }
    async with AsyncExitStack() as stack:
        supervisor = await stack.enter_async_context(supervisor_of(SILENT))
        simulator = Part(
            name="registros",
            command=(sys.executable, "-m", "dev.registry_simulator", "--port", str(ports["registry"])),
            environment=environment({"MIPRES_SIMULATOR_TOKEN": token}),
            is_ready=http_ok(ports["registry"], "/_control/calls"),
        )
        mail_ports = ("--smtp-port", str(ports["smtp"]), "--ui-port", str(ports["mail"]))
        mail = Part(
            name="correo",
            command=(sys.executable, "-m", "dev.mail_catcher", *mail_ports, "--dir", str(directory / "mail")),
            is_ready=http_ok(ports["mail"], "/api/v1/messages"),
        )
        for part in (simulator, mail):
            await supervisor.start(part)

        def client(port: int, headers: dict[str, str]) -> Any:
            return httpx2.AsyncClient(
                base_url=f"http://{LOOPBACK}:{port}", headers=headers, trust_env=False, timeout=60
            )

        found = Cluster(
            tree=image_tree,
            secrets=secrets,
            addresses=addresses,
            api=await stack.enter_async_context(client(ports["public"], {"Authorization": f"Bearer {key}"})),
            simulator=await stack.enter_async_context(client(ports["registry"], {})),
            mail=await stack.enter_async_context(client(ports["mail"], {})),
            temporal=await Client.connect(temporal, namespace="registro"),
            apis=Supervisor(SILENT),
        )
        try:
            yield found
        finally:
            await found.apis.stop()
