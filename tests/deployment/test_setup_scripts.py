import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import asyncpg
import pytest
from temporalio.service import RPCError, RPCStatusCode

from deploy import current_build, temporal_setup, worker_health
from deploy.temporal_setup import until_set_up
from dev.probes import LOOPBACK, free_port
from dev.process import SILENT, Part, supervisor_of
from dev.temporal_server import find_temporal
from mipres.temporal.connection import TemporalConnection
from mipres.temporal.names import SEARCH_ATTRIBUTES
from tests.conftest import ACTIVE_PAYLOAD_KEY, PAYLOAD_KEYS
from tests.deployment.bare_temporal import bare_temporal_server
from tests.deployment.composed import DEPLOY, ROOT
from tests.deployment.image import environment, run_in
from tests.patience import PATIENCE_SECONDS

NAMESPACE = "compose"
SCRIPTS = sorted(DEPLOY.rglob("*.sh"))


@pytest.fixture(scope="module")
async def temporal_address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A server of this module's own, without the product's namespaces."""
    async with bare_temporal_server(tmp_path_factory.mktemp("temporal")) as address:
        yield address


@pytest.fixture(scope="module")
async def prepared(temporal_address: str) -> str:
    """The address, after the set-up ran against a server that was still starting."""
    assert await set_up(temporal_address) is None
    return temporal_address


async def set_up(
    address: str, *, namespace: str = NAMESPACE, days: int = 90, patience: float = PATIENCE_SECONDS
) -> str | None:
    """What `python -m deploy.temporal_setup` says of a namespace.

    None when all is there.
    """
    connection = TemporalConnection(
        address=address, namespace=namespace, payload_keys=PAYLOAD_KEYS, active_payload_key=ACTIVE_PAYLOAD_KEY
    )
    return await until_set_up(
        connection, retention=timedelta(days=days), patience=timedelta(seconds=patience)
    )


async def temporal(address: str, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(str(find_temporal()), *arguments, "--address", address), stdout=asyncio.subprocess.PIPE
    )
    out, _error = await process.communicate()
    assert process.returncode == 0
    return out.decode()


async def attributes(address: str, namespace: str) -> dict[str, str]:
    listed = await temporal(address, "operator", "search-attribute", "list", "--namespace", namespace)
    return {words[0]: words[1] for line in listed.splitlines() if len(words := line.split()) == 2}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_is_posix_and_can_be_run(script: Path) -> None:
    assert script.read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0
    assert os.access(script, os.X_OK)


async def test_namespace_gets_its_retention_and_the_workflows_attributes(prepared: str) -> None:
    described = await temporal(prepared, "operator", "namespace", "describe", "--namespace", NAMESPACE)
    assert "2160h0m0s" in described
    found = await attributes(prepared, NAMESPACE)
    wanted = {key.name: key.indexed_value_type.name.replace("_", "") for key in SEARCH_ATTRIBUTES}
    assert {name: found[name].upper() for name in wanted} == wanted


async def test_a_second_run_changes_only_what_was_asked(prepared: str) -> None:
    before = await attributes(prepared, NAMESPACE)
    assert await set_up(prepared, days=30) is None
    assert await attributes(prepared, NAMESPACE) == before
    described = await temporal(prepared, "operator", "namespace", "describe", "--namespace", NAMESPACE)
    assert "720h0m0s" in described
    assert await set_up(prepared) is None


async def test_an_attribute_of_another_type_is_refused_at_once(prepared: str) -> None:
    other = ("--namespace", "default", "--name", "UserType", "--type", "Int")
    await temporal(prepared, "operator", "search-attribute", "create", *other)
    complaint = await set_up(prepared, namespace="default")
    assert complaint == (
        "espacio de nombres default: ya existen con otro tipo los atributos UserType: quítelos primero."
    )


async def test_a_server_that_never_comes_is_named_in_the_end(
    image_tree: Path, composed: dict[str, Any]
) -> None:
    away = f"{LOOPBACK}:{free_port()}"
    settings = {**composed["temporal-setup"]["environment"], "MIPRES_TEMPORAL_ADDRESS": away}
    command = composed["temporal-setup"]["command"][1:]
    done = await asyncio.to_thread(run_in, image_tree, *command, "--patience-seconds", "2", settings=settings)
    assert done.returncode == 1
    assert done.stderr == f"temporal-setup: Temporal no responde en {away}.\n"


async def test_worker_is_healthy_while_it_polls(
    prepared: str, image_tree: Path, composed: dict[str, Any]
) -> None:
    settings = {
        **composed["worker"]["environment"],
        "MIPRES_TEMPORAL_ADDRESS": prepared,
        # Compose's own port may be taken on this machine.
        "MIPRES_METRICS_PORT": "0",
        "MIPRES_TEMPORAL_NAMESPACE": NAMESPACE,
    }
    check = composed["worker"]["healthcheck"]["test"]
    assert check[:2] == ["CMD", "python"]
    before = await asyncio.to_thread(run_in, image_tree, *check[2:], settings=settings)
    assert (before.returncode, before.stderr) == (1, "El worker no está pidiendo trabajo a Temporal.\n")
    worker = Part(
        name="worker",
        command=(sys.executable, *composed["worker"]["command"][1:]),
        environment=environment(settings),
        directory=image_tree,
        ready_line="worker listo",
        stop_seconds=10.0,
    )
    async with supervisor_of(SILENT) as supervisor:
        await supervisor.start(worker)
        async with asyncio.timeout(PATIENCE_SECONDS):
            # The first poll may still be on its way; each check takes a while of its own.
            while (
                done := await asyncio.to_thread(run_in, image_tree, *check[2:], settings=settings)
            ).returncode:
                assert "no está pidiendo trabajo" in done.stderr


async def test_a_worker_says_which_attributes_are_missing_and_how_to_get_them(
    prepared: str, image_tree: Path, composed: dict[str, Any]
) -> None:
    namespace = "sin-atributos"
    await temporal(prepared, "operator", "namespace", "create", "--namespace", namespace)
    settings = {
        **composed["worker"]["environment"],
        "MIPRES_TEMPORAL_ADDRESS": prepared,
        # Compose's own port may be taken on this machine.
        "MIPRES_METRICS_PORT": "0",
        "MIPRES_TEMPORAL_NAMESPACE": namespace,
    }
    for name, kind in (("UserType", "Keyword"), ("StuckSince", "Keyword")):
        wrong = ("--namespace", namespace, "--name", name, "--type", kind)
        await temporal(prepared, "operator", "search-attribute", "create", *wrong)
    done = await asyncio.to_thread(run_in, image_tree, "worker.py", settings=settings)
    assert done.returncode != 0
    assert done.stderr == ""
    [written] = done.stdout.splitlines()
    line = json.loads(written)["event"]
    assert f"espacio de nombres {namespace}" in line
    assert "RegistrationStage (Keyword), WaitingOn (KeywordList), StuckSince (Datetime)" in line
    command = line.partition("Regístrelos con: temporal ")[2].split()
    assert command[:3] == ["operator", "search-attribute", "create"]
    # What is of another type has to be removed first, and by a person.
    remove = ("--namespace", namespace, "--name", "StuckSince", "--yes")
    await temporal(prepared, "operator", "search-attribute", "remove", *remove)
    await temporal(prepared, *command)
    found = await attributes(prepared, namespace)
    assert (found["WaitingOn"], found["StuckSince"]) == ("KeywordList", "Datetime")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RPCError("no key", RPCStatusCode.UNAUTHENTICATED, b""), "MIPRES_TEMPORAL_API_KEY"),
        (RuntimeError("Failed client connect: dns error"), "MIPRES_TEMPORAL_ADDRESS"),
        (RPCError("too old", RPCStatusCode.UNIMPLEMENTED, b""), "UNIMPLEMENTED: too old"),
    ],
)
async def test_each_program_of_the_manifests_says_why_temporal_gives_no_answer(
    monkeypatch: pytest.MonkeyPatch, composed: dict[str, Any], error: Exception, said: str
) -> None:
    """The SDK's own words name no setting, and may be a paragraph of Rust."""

    async def fails(*_given: object, **_named: object) -> NoReturn:
        raise error

    for name, value in environment(composed["worker"]["environment"]).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MIPRES_WORKER_DEPLOYMENT", "registro")
    monkeypatch.setenv("MIPRES_WORKER_BUILD", "1")
    monkeypatch.setattr(worker_health, "last_poll", fails)
    monkeypatch.setattr(temporal_setup, "set_up", fails)
    monkeypatch.setattr(current_build, "queues_without", fails)
    short = timedelta(seconds=0.2)
    for complaint in (
        await worker_health.complaint(),
        await set_up("temporal:7233", patience=short.total_seconds()),
        await current_build.run(short),
    ):
        assert complaint is not None
        assert said in complaint
        assert "client connect" not in complaint


def test_worker_without_a_server_is_unhealthy(image_tree: Path, composed: dict[str, Any]) -> None:
    away = {"MIPRES_TEMPORAL_ADDRESS": f"{LOOPBACK}:{free_port()}"}
    done = run_in(
        image_tree, "-m", "deploy.worker_health", settings={**composed["worker"]["environment"], **away}
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Temporal no responde")


async def connect(port: int, user: str, password: str, database: str) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=LOOPBACK, port=port, user=user, password=password, database=database, ssl=False
    )


async def test_each_owner_enters_its_own_databases_alone(databases: int, generated: dict[str, str]) -> None:
    own = {"registro": {"registro"}, "temporal": {"temporal", "temporal_visibility"}}
    for user, allowed in own.items():
        password = generated[f"{user.upper()}_DB_PASSWORD"]
        for database in ("registro", "temporal", "temporal_visibility"):
            if database not in allowed:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connect(databases, user, password, database)
                continue
            connection = await connect(databases, user, password, database)
            # Temporal's visibility schema begins with this extension, and its owner is no superuser.
            await connection.execute("CREATE EXTENSION IF NOT EXISTS btree_gin")
            await connection.execute("CREATE TABLE probe (id int); DROP TABLE probe")
            await connection.close()


async def test_migrations_run_from_the_image_as_the_product_s_account(
    databases: int, image_tree: Path, composed: dict[str, Any], generated: dict[str, str]
) -> None:
    service = composed["migrate"]
    url = service["environment"]["MIPRES_DATABASE_URL"].replace("postgresql:5432", f"{LOOPBACK}:{databases}")
    settings = {**service["environment"], "MIPRES_DATABASE_URL": url}
    for _time in range(2):
        done = await asyncio.to_thread(run_in, image_tree, *service["command"][1:], settings=settings)
        assert done.returncode == 0, done.stderr
    connection = await connect(databases, "registro", generated["REGISTRO_DB_PASSWORD"], "registro")
    assert await connection.fetchval("SELECT count(*) FROM alembic_version") == 1
    await connection.close()


async def test_the_processes_account_writes_everything_and_changes_no_trail(
    databases: int, image_tree: Path, composed: dict[str, Any], generated: dict[str, str]
) -> None:
    service = composed["migrate"]
    url = service["environment"]["MIPRES_DATABASE_URL"].replace("postgresql:5432", f"{LOOPBACK}:{databases}")
    settings = {**service["environment"], "MIPRES_DATABASE_URL": url}
    migrated = await asyncio.to_thread(run_in, image_tree, *service["command"][1:], settings=settings)
    assert migrated.returncode == 0, migrated.stderr
    connection = await connect(databases, "registro_app", generated["REGISTRO_APP_DB_PASSWORD"], "registro")
    rights = await connection.fetch(
        "SELECT table_name, array_agg(privilege_type::text) AS granted"
        " FROM information_schema.role_table_grants WHERE grantee = current_user GROUP BY table_name"
    )
    everything = {"SELECT", "INSERT", "UPDATE", "DELETE"}
    granted = {row["table_name"]: set(row["granted"]) for row in rights}
    assert granted.pop("audit_entries") == {"SELECT", "INSERT"}
    assert granted.pop("audit_head") == {"SELECT"}
    await connection.execute("SELECT number FROM audit_head FOR UPDATE")
    assert all(table == everything for table in granted.values())
    assert {"accounts", "staff", "sessions"} <= set(granted)
    for statement in (
        "UPDATE audit_entries SET actor = 'nobody'",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
        "UPDATE audit_head SET number = number + 1",
        "DELETE FROM audit_head",
        "DROP TRIGGER audit_entries_append_only ON audit_entries",
        "ALTER TABLE audit_entries DISABLE TRIGGER ALL",
        "CREATE TABLE mine (id int)",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()


async def schema_calls(tmp_path: Path) -> list[str]:
    """What setup-schema.sh asks of a `temporal-sql-tool` that only takes note."""
    tool, notes = tmp_path / "temporal-sql-tool", tmp_path / "calls"
    tool.write_text(f'#!/bin/sh\necho "$*" >>{notes}\n', encoding="utf-8")
    tool.chmod(0o755)
    values = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "POSTGRES_SEEDS": "postgresql",
        "DB_PORT": "5432",
        "POSTGRES_USER": "temporal",
        "SQL_PASSWORD": "not-to-be-shown",
    }
    command = ["sh", str(DEPLOY / "temporal" / "setup-schema.sh")]
    await asyncio.to_thread(subprocess.run, command, env=values, check=True)
    return notes.read_text(encoding="utf-8").splitlines()


async def test_schema_of_both_databases_is_set_up_and_then_updated(tmp_path: Path) -> None:
    calls = await schema_calls(tmp_path)
    common = "--plugin postgres12 --ep postgresql -p 5432 -u temporal --db"
    where = "-d /etc/temporal/schema/postgresql/v12"
    assert calls == [
        f"{common} temporal setup-schema -v 0.0",
        f"{common} temporal update-schema {where}/temporal/versioned",
        f"{common} temporal_visibility setup-schema -v 0.0",
        f"{common} temporal_visibility update-schema {where}/visibility/versioned",
    ]


def test_scripts_live_where_compose_and_the_documentation_look_for_them() -> None:
    assert {str(script.relative_to(ROOT)) for script in SCRIPTS} == {
        "deploy/backup/backup.sh",
        "deploy/backup/programs.sh",
        "deploy/backup/restore.sh",
        "deploy/backup/scheduled.sh",
        "deploy/kubernetes/for-build.sh",
        "deploy/make-env.sh",
        "deploy/postgres/create-databases.sh",
        "deploy/temporal/setup-schema.sh",
    }
