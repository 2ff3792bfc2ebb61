"""backup.sh and restore.sh between two servers with the product's accounts."""

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from dev.postgres import THROWAWAY_PASSWORD, USER, embedded_postgres_server
from dev.postgres_binaries import find_postgres_bin
from dev.probes import LOOPBACK
from tests.deployment.composed import DEPLOY
from tests.deployment.image import run_in

BACKUP = DEPLOY / "backup"
ROLES = ("registro", "registro_app", "temporal")
ADMINISTRATORS = {"PGHOST": LOOPBACK, "PGUSER": USER, "PGPASSWORD": THROWAWAY_PASSWORD}


async def run(
    script: str, directory: Path, *databases: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{find_postgres_bin()}:{os.environ['PATH']}", **ADMINISTRATORS, **variables}
    return await asyncio.to_thread(
        subprocess.run,
        ["sh", str(BACKUP / script), str(directory), *databases],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


async def connect(port: int | str, user: str, password: str, database: str) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=LOOPBACK, port=int(port), user=user, password=password, database=database, ssl=False
    )


@pytest.fixture
async def saved(
    databases: int, image_tree: Path, composed: dict[str, Any], generated: dict[str, str], tmp_path: Path
) -> Path:
    """A directory with the migrated product's database and one of Temporal's."""
    service = composed["migrate"]
    url = service["environment"]["MIPRES_DATABASE_URL"].replace("postgresql:5432", f"{LOOPBACK}:{databases}")
    settings = {**service["environment"], "MIPRES_DATABASE_URL": url}
    migrated = await asyncio.to_thread(run_in, image_tree, *service["command"][1:], settings=settings)
    assert migrated.returncode == 0, migrated.stderr
    done = await run("backup.sh", tmp_path / "saved", "temporal", "registro", PGPORT=str(databases))
    assert done.returncode == 0, done.stderr
    return tmp_path / "saved"


@pytest.fixture
async def empty_server(tmp_path: Path, open_directory: Path, generated: dict[str, str]) -> AsyncIterator[str]:
    """Port of a server with the accounts and without their databases."""
    directory = open_directory / tmp_path.name
    async with embedded_postgres_server(directory) as url:
        port = url.rpartition(":")[2].partition("/")[0]
        administrator = await connect(port, USER, THROWAWAY_PASSWORD, "postgres")
        for role in ROLES:
            password = generated[f"{role.upper()}_DB_PASSWORD"]
            await administrator.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
        await administrator.close()
        yield port


async def test_absent_databases_come_back_with_their_owners_and_closed_to_others(
    saved: Path, empty_server: str, generated: dict[str, str]
) -> None:
    done = await run("restore.sh", saved, "temporal", "registro", PGPORT=empty_server)
    assert done.returncode == 0, done.stderr
    administrator = await connect(empty_server, USER, THROWAWAY_PASSWORD, "postgres")
    rows = await administrator.fetch("SELECT datname, pg_get_userbyid(datdba) AS owner FROM pg_database")
    await administrator.close()
    owners = {row["datname"]: row["owner"] for row in rows}
    assert (owners["registro"], owners["temporal"]) == ("registro", "temporal")
    secret = generated["TEMPORAL_DB_PASSWORD"]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connect(empty_server, "temporal", secret, "registro")
    # The processes' account works on the tables, and a migration to come belongs to their owner.
    app = await connect(empty_server, "registro_app", generated["REGISTRO_APP_DB_PASSWORD"], "registro")
    assert await app.fetchval("SELECT count(*) FROM accounts") == 0
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute("DELETE FROM audit_entries")
    owner = await connect(empty_server, "registro", generated["REGISTRO_DB_PASSWORD"], "registro")
    await owner.execute("CREATE TABLE of_the_next_release (id int)")
    assert await app.fetchval("SELECT count(*) FROM of_the_next_release") == 0
    for connection in (app, owner):
        await connection.close()


async def test_a_database_that_holds_something_is_not_restored_over(saved: Path, databases: int) -> None:
    done = await run("restore.sh", saved, "registro", PGPORT=str(databases))
    assert done.returncode != 0


def stand_in(directory: Path, name: str, release: int) -> None:
    """A program of another release: it knows its version and nothing else."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text(f'#!/bin/sh\necho "{name} (PostgreSQL) {release}.1"\n', encoding="utf-8")
    path.chmod(0o755)


def release_here() -> int:
    said = subprocess.run(
        [find_postgres_bin() / "postgres", "--version"], capture_output=True, text=True, check=True
    )
    return int(said.stdout.split()[2].partition(".")[0])


@pytest.fixture
def older_first(tmp_path: Path) -> Mapping[str, str]:
    """A PATH on which an older pg_dump comes before the others."""
    stand_in(tmp_path / "older", "pg_dump", release_here() - 1)
    return {"PATH": f"{tmp_path / 'older'}:{find_postgres_bin()}:{os.environ['PATH']}"}


async def test_a_backup_takes_the_pg_dump_of_the_server_s_release(
    databases: int, tmp_path: Path, older_first: Mapping[str, str]
) -> None:
    programs = tmp_path / "versions" / str(release_here())
    programs.mkdir(parents=True)
    (programs / "bin").symlink_to(find_postgres_bin())
    variables = {**older_first, "POSTGRES_VERSIONS": str(tmp_path / "versions")}
    done = await run("backup.sh", tmp_path / "saved", "temporal", PGPORT=str(databases), **variables)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "saved" / "temporal.dump").stat().st_size > 0


async def test_without_it_the_backup_says_what_to_install(
    databases: int, tmp_path: Path, older_first: Mapping[str, str]
) -> None:
    variables = {**older_first, "POSTGRES_VERSIONS": str(tmp_path / "none")}
    done = await run("backup.sh", tmp_path / "saved", "temporal", PGPORT=str(databases), **variables)
    assert done.returncode != 0
    here = release_here()
    assert done.stderr == (
        f"pg_dump is of release {here - 1} and the server of {here}: install postgresql-client-{here}\n"
    )
    assert not list((tmp_path / "saved").glob("*.dump"))


async def test_a_backup_is_written_down_for_monitoring(saved: Path, databases: int) -> None:
    assert (saved / "registro.dump").exists()
    connection = await connect(databases, USER, THROWAWAY_PASSWORD, "registro")
    written = "SELECT now() - reached_at < interval '1 hour' FROM milestones WHERE name = 'backup'"
    assert await connection.fetchval(written)
    await connection.close()


def aged(directory: Path, name: str, *, days: float) -> Path:
    """A backup of some days ago."""
    made = directory / name
    made.mkdir(parents=True)
    then = time.time() - days * 86_400
    os.utime(made, (then, then))
    return made


def names_below(directory: Path) -> set[str]:
    """Every file, and every directory that holds none."""
    return {path.name for path in directory.rglob("*") if path.is_file() or not any(path.iterdir())}


async def test_a_backup_by_the_clock_deletes_what_is_older_than_it_keeps(
    databases: int, tmp_path: Path
) -> None:
    kept = aged(tmp_path, "2026-01-07T0317Z", days=6)
    aged(tmp_path, "2026-01-01T0317Z", days=8)
    others = aged(tmp_path, "by-hand", days=400)
    done = await run("scheduled.sh", tmp_path, "temporal", PGPORT=str(databases), KEEP_DAYS="7")
    assert done.returncode == 0, done.stderr
    assert names_below(tmp_path) == {kept.name, others.name, "temporal.dump"}


@pytest.mark.parametrize("days", ["0", "-1", "siete", "7d", "08"])
async def test_a_clock_that_would_keep_nothing_is_refused(databases: int, tmp_path: Path, days: str) -> None:
    old = aged(tmp_path, "2026-01-01T0317Z", days=8)
    done = await run("scheduled.sh", tmp_path, "temporal", PGPORT=str(databases), KEEP_DAYS=days)
    assert (done.returncode, done.stderr) == (2, f"KEEP_DAYS={days}: use a number of days from 1 on\n")
    assert names_below(tmp_path) == {old.name}


async def test_a_backup_by_the_clock_that_fails_deletes_nothing(databases: int, tmp_path: Path) -> None:
    old = aged(tmp_path, "2026-01-01T0317Z", days=8)
    done = await run("scheduled.sh", tmp_path, "absent", PGPORT=str(databases))
    assert done.returncode != 0
    assert old.exists()
