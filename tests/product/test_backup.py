"""Both databases are backed up, restored elsewhere, and found whole."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from temporalio.client import Client

from dev.postgres_binaries import find_postgres_bin
from dev.probes import free_port
from dev.process import SILENT, supervisor_of
from dev.temporal_server import temporal_server
from mipres.clock import SystemClock
from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import create_engine
from tests.product.conftest import Product
from tests.product.storage import audit_keys_of

ROOT = Path(__file__).parents[2]
BACKUP = ROOT / "deploy" / "backup"
TABLES = ("accounts", "profiles", "consents", "password_links", "audit_entries")


def libpq(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.username
    return {
        "PATH": f"{find_postgres_bin()}:{os.environ['PATH']}",
        "PGHOST": parts.hostname,
        "PGPORT": str(parts.port),
        "PGUSER": parts.username,
        "PGPASSWORD": parts.password or "",
    }


def run(script: str, environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(BACKUP / script), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def copy_temporal(data_dir: Path, target: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dev.temporal_backup", str(target)]
    environment = {**os.environ, "MIPRES_DATA_DIR": str(data_dir)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def database_of(product: Product) -> str:
    password = product.stack.secret("POSTGRES_PASSWORD")
    return f"postgresql+asyncpg://mipres:{password}@127.0.0.1:{product.stack.ports['POSTGRES_PORT']}/mipres"


async def counts(url: str) -> dict[str, int]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""), ssl=False)
    found = {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}
    await connection.close()
    return found


@pytest.fixture
async def restored(product: Product, postgres_url: str, tmp_path: Path) -> AsyncIterator[tuple[str, str]]:
    """The product's database as backed up, and a URL of its copy elsewhere."""
    await product.complete(await product.new_professional())
    administrator = await asyncpg.connect(postgres_url.replace("+asyncpg", ""), ssl=False)
    await administrator.execute("CREATE DATABASE restored")
    source = database_of(product)
    environment = {**libpq(source), "HOME": str(tmp_path)}
    saved = run("backup.sh", environment, str(tmp_path / "saved"), "mipres")
    assert saved.returncode == 0, saved.stderr
    (tmp_path / "saved" / "mipres.dump").rename(tmp_path / "saved" / "restored.dump")
    done = run("restore.sh", libpq(postgres_url), str(tmp_path / "saved"), "restored")
    assert done.returncode == 0, done.stderr
    yield source, f"{postgres_url.rpartition('/')[0]}/restored"
    await administrator.execute("DROP DATABASE restored WITH (FORCE)")
    await administrator.close()


async def test_the_product_s_database_comes_back_whole(
    product: Product, restored: tuple[str, str], tmp_path: Path, postgres_url: str
) -> None:
    source, copy = restored
    found = await counts(copy)
    assert found == await counts(source)
    assert found["accounts"] > 0
    engine = create_engine(copy)
    trail = PostgresAuditTrail(engine, keys=audit_keys_of(product), clock=SystemClock())
    verdict = await trail.verify()
    await engine.dispose()
    assert (verdict.problem, verdict.checked) == (None, found["audit_entries"])
    # A database that holds something is not restored over.
    again = run("restore.sh", libpq(postgres_url), str(tmp_path / "saved"), "restored")
    assert again.returncode != 0


async def test_temporal_s_file_is_copied_while_it_runs(product: Product, open_directory: Path) -> None:
    radicado = await product.complete(await product.new_professional())
    target, port = open_directory / "temporal-copy.db", free_port()
    copying = copy_temporal(product.stack.data_dir, target)
    assert copying.returncode == 0, copying.stderr
    async with supervisor_of(SILENT) as supervisor:
        await supervisor.start(temporal_server(port=port, ui_port=free_port(), database=target))
        client = await Client.connect(f"127.0.0.1:{port}")
        description = await client.get_workflow_handle(f"registration/{radicado}").describe()
    assert description.status is not None
    assert description.status.name == "COMPLETED"


def test_a_failed_backup_leaves_no_file_that_looks_whole(product: Product, tmp_path: Path) -> None:
    failed = run("backup.sh", libpq(database_of(product)), str(tmp_path / "saved"), "absent")
    assert failed.returncode != 0
    assert list((tmp_path / "saved").glob("*.dump")) == []


def test_a_copy_of_a_temporal_that_is_not_there_is_refused_in_one_line(tmp_path: Path) -> None:
    copying = copy_temporal(tmp_path / "absent", tmp_path / "copy.db")
    assert copying.returncode == 1
    assert copying.stderr.startswith("No se pudo copiar ")
    assert len(copying.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
