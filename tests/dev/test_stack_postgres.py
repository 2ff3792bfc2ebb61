import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from dev.postgres import QUIET, embedded_postgres_server
from dev.process import LaunchError
from tests.dev.programs import gone


@pytest.fixture
def directory(open_directory: Path, request: pytest.FixtureRequest) -> Path:
    return open_directory / str(request.node.name)


async def ask(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""), ssl=False)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


@asynccontextmanager
async def somebody_else(owner: int) -> AsyncIterator[int]:
    """A program of the account that owns the cluster."""
    process = await asyncio.create_subprocess_exec("sleep", "600", cwd="/", user=owner)
    try:
        yield process.pid
    finally:
        process.kill()
        await process.wait()


async def test_committed_rows_survive_a_kill_and_a_stale_lock(directory: Path) -> None:
    async with embedded_postgres_server(directory, options=QUIET) as url:
        await ask(url, "CREATE TABLE kept AS SELECT 42 AS x")
        assert await ask(url, "SHOW fsync") == "on"
        lock = directory / "postmaster.pid"
        server = psutil.Process(int(lock.read_text().splitlines()[0]))
        owner, backends = server.uids().effective, server.children()
        server.kill()
        assert gone([server, *backends])
    async with somebody_else(owner) as pid:
        # As in a container that starts again: the lock's id is another program of the same account by now.
        lock.write_text("\n".join([str(pid), *lock.read_text().splitlines()[1:]]) + "\n")
        async with embedded_postgres_server(directory, options=QUIET) as url:
            assert await ask(url, "SELECT x FROM kept") == 42


async def test_server_stops_with_its_children(directory: Path) -> None:
    async with embedded_postgres_server(directory) as url:
        server = psutil.Process(int((directory / "postmaster.pid").read_text().splitlines()[0]))
        family = [server, *server.children()]
        assert await ask(url, "SELECT lower('ÑÁÉ')") == "ñáé"
    assert gone(family)
    assert not (directory / "postmaster.pid").exists()


async def test_wrong_password_is_refused_and_told(directory: Path) -> None:
    async with embedded_postgres_server(directory, password="right") as url:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await ask(url.replace("right", "wrong"), "SELECT 1")
    with pytest.raises(LaunchError, match="make reset"):
        async with embedded_postgres_server(directory, password="wrong"):
            pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another account")
async def test_root_runs_the_server_as_an_account_without_privileges(directory: Path) -> None:
    async with embedded_postgres_server(directory):
        server = psutil.Process(int((directory / "postmaster.pid").read_text().splitlines()[0]))
        assert server.uids().effective != 0
