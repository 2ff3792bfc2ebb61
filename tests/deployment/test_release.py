"""The steps of deploy/kubernetes/README.md with local processes.

First start, new build, drain, roll back.

Each process runs the command and the environment of its manifest. Only what a machine without a cluster
cannot have is put in its place: addresses, and registries over plain http, which production refuses.
"""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine
from temporalio.client import Client

from dev.probes import LOOPBACK, free_port, http_ok
from dev.process import SILENT, Part, Supervisor, supervisor_of
from mipres.database.engine import alembic_config
from mipres.temporal.names import registration_workflow_id
from tests.deployment.image import default_command, environment, run_in
from tests.deployment.manifests import container

OLD, NEW = "0.1.0", "0.2.0"
PATIENCE_SECONDS = 60.0


@dataclass(kw_only=True)
class Cluster:
    """What the manifests start, as processes of this machine."""

    tree: Path
    supervisor: Supervisor
    secrets: Mapping[str, Mapping[str, str]]
    addresses: Mapping[str, str]
    api: httpx2.AsyncClient
    simulator: httpx2.AsyncClient
    temporal: Client

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

    async def submit(self, number: str) -> httpx2.Response:
        person = {
            "document": {"type": "CC", "number": number},
            "given_names": "Pepa",
            "surnames": "Canaria",
            "email": f"p{number}@ejemplo.test",
            "rethus": {
                "professions": [{"code": "01", "name": "MEDICINA", "registration": "76-1234"}],
                "sanctions": [],
            },
        }
        (await self.simulator.post("/_control/people", json=[person])).raise_for_status()
        body = {
            "user_type": "professional",
            "document": person["document"],
            "professional_registration": "76-1234",
            "data_terms_accepted": True,
        }
        return await self.api.post("/api/v1/registrations", json=body)

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


@pytest.fixture
async def cluster(
    bare_temporal: str, databases: int, image_tree: Path, generated: dict[str, str], tmp_path: Path
) -> AsyncIterator[Cluster]:
    """A machine with an empty Temporal, empty databases, registries and mail."""
    ports = {name: free_port() for name in ("api", "registry", "smtp", "mail")}
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
    applications = tmp_path / "clients.json"
    applications.write_text("[]")
    addresses = {
        "MIPRES_ENVIRONMENT": "development",
        "MIPRES_OIDC_CLIENTS_FILE": str(applications),
        "MIPRES_OIDC_KEYS_FILE": "",
        "MIPRES_DATA_DIR": str(tmp_path / "data"),
        "MIPRES_TEMPORAL_ADDRESS": bare_temporal,
        # The server of this test has no certificate; an empty value counts as none.
        **dict.fromkeys((f"MIPRES_TEMPORAL_TLS_{part}" for part in ("CERT", "KEY", "CA")), ""),
        "MIPRES_PUBLIC_URL": f"http://localhost:{ports['api']}",
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
            command=(sys.executable, "-m", "dev.mail_catcher", *mail_ports, "--dir", str(tmp_path / "mail")),
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
            supervisor=supervisor,
            secrets=secrets,
            addresses=addresses,
            api=await stack.enter_async_context(client(ports["api"], {"Authorization": f"Bearer {key}"})),
            simulator=await stack.enter_async_context(client(ports["registry"], {})),
            temporal=await Client.connect(bare_temporal, namespace="registro"),
        )
        yield found


async def start_api(cluster: Cluster) -> None:
    port = str(cluster.api.base_url.port)
    command = [port if word == "8000" else word for word in default_command()]
    await cluster.supervisor.start(
        Part(
            name="api",
            command=(sys.executable, "-m", *command),
            environment=environment(cluster.settings("api", OLD)),
            directory=cluster.tree,
            is_ready=http_ok(int(port), "/health/live"),
        )
    )


async def test_the_manifests_register_upgrade_drain_and_roll_back(cluster: Cluster) -> None:
    await cluster.job("temporal-setup-0-1-0", OLD)
    await cluster.job("migrate-0-1-0", OLD)
    # Without workers no build becomes current, and the Job says why.
    alone = await cluster.failure_of("current-0-1-0", OLD, "--patience-seconds", "2")
    assert alone is not None
    assert alone.startswith("current-build: registro.0.1.0 no es la versión actual: ningún worker de 0.1.0")
    old_worker = await cluster.start_worker(OLD)
    await cluster.job("current-0-1-0", OLD)
    assert await cluster.lives("worker-0-1-0", OLD)
    await start_api(cluster)

    first = await cluster.submit("70000001")
    assert first.status_code == 201, first.text
    assert await cluster.build_of(first.json()["radicado"]) == OLD

    # A registration is under way while the next build starts beside the old one and becomes current.
    (await cluster.simulator.put("/_control/rethus", json={"mode": "down"})).raise_for_status()
    under_way = asyncio.create_task(cluster.submit("70000002"))
    new_worker = await cluster.start_worker(NEW)
    await cluster.job("migrate-0-2-0", NEW)
    await cluster.job("current-0-2-0", NEW)
    await old_worker.stop()
    radicado = (await under_way).json()["radicado"]
    await cluster.reaches(radicado, "waiting_registry")
    (await cluster.simulator.put("/_control/rethus", json={"mode": "up"})).raise_for_status()
    await cluster.reaches(radicado, "awaiting_password")
    assert await cluster.build_of(radicado) == NEW
    assert await cluster.build_of((await cluster.submit("70000003")).json()["radicado"]) == NEW

    # Back to the build before: its Deployment again, its Job again.
    old_worker = await cluster.start_worker(OLD)
    await cluster.job("current-0-1-0", OLD)
    await new_worker.stop()
    last = await cluster.submit("70000004")
    assert last.status_code == 201, last.text
    assert await cluster.build_of(last.json()["radicado"]) == OLD
    await old_worker.stop()


async def test_the_build_before_goes_on_over_a_newer_schema(cluster: Cluster) -> None:
    await cluster.job("temporal-setup-0-1-0", OLD)
    await cluster.job("migrate-0-1-0", OLD)
    worker = await cluster.start_worker(OLD)
    await cluster.job("current-0-1-0", OLD)
    await start_api(cluster)
    for_password = (await cluster.submit("70000006")).json()["radicado"]
    (await cluster.simulator.put("/_control/rethus", json={"mode": "down"})).raise_for_status()
    for_registry = (await cluster.submit("70000007")).json()["radicado"]
    await cluster.reaches(for_registry, "waiting_registry")

    newest = ScriptDirectory.from_config(alembic_config("")).get_current_head()
    await cluster.change_schema(
        "ALTER TABLE accounts ADD COLUMN of_tomorrow text", "UPDATE alembic_version SET version_num = '9999'"
    )
    warned = await cluster.run("migrate-0-1-0", OLD)
    assert (warned.returncode, "Advertencia" in warned.stderr) == (0, True), warned.stderr
    (await cluster.simulator.put("/_control/rethus", json={"mode": "up"})).raise_for_status()
    for radicado in (for_password, for_registry):
        await cluster.reaches(radicado, "awaiting_password")
    assert (await cluster.submit("70000008")).status_code == 201

    # As the newer release leaves it, which then migrates again and finds its own revision.
    await cluster.change_schema(
        "ALTER TABLE accounts DROP COLUMN of_tomorrow", f"UPDATE alembic_version SET version_num = '{newest}'"
    )
    again = await cluster.run("migrate-0-2-0", NEW)
    assert (again.returncode, "Advertencia" in again.stderr) == (0, False), again.stderr
    assert (await cluster.submit("70000009")).status_code == 201
    await worker.stop()


async def test_without_a_current_build_submissions_wait(cluster: Cluster) -> None:
    """Show what the Job is there for: workers that run, and submissions that wait."""
    await cluster.job("temporal-setup-0-1-0", OLD)
    await cluster.job("migrate-0-1-0", OLD)
    cluster.addresses = {**cluster.addresses, "MIPRES_SUBMIT_WAIT_SECONDS": "1"}
    worker = await cluster.start_worker(NEW)
    await start_api(cluster)
    waiting = await cluster.submit("70000005")
    assert waiting.status_code == 202, waiting.text
    await cluster.job("current-0-2-0", NEW)
    await cluster.reaches(waiting.json()["radicado"], "awaiting_password")
    await worker.stop()
