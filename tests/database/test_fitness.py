"""What one look at the database finds, also where it stands still."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database import fitness
from mipres.database.engine import alembic_config, create_engine
from mipres.database.fitness import DatabaseFitness
from mipres.database.milestones import Milestone, Milestones
from mipres.domain.fitness import Fitness
from tests.fakes import FakeClock

FITS = {"database": Fitness.OK, "schema": Fitness.OK, "writable": Fitness.OK}


@asynccontextmanager
async def engine_of(url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def own(engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """A database with nothing in it but the mark of its newest migration."""
    name = f"fitness_{uuid.uuid4().hex}"
    outside = engine.execution_options(isolation_level="AUTOCOMMIT")
    await run(outside, f"CREATE DATABASE {name}")
    newest = ScriptDirectory.from_config(alembic_config("")).get_current_head()
    async with engine_of(engine.url.set(database=name).render_as_string(hide_password=False)) as inside:
        await run(inside, "CREATE TABLE alembic_version (version_num text)")
        await run(inside, f"INSERT INTO alembic_version VALUES ('{newest}')")
        yield inside
    await run(outside, f"DROP DATABASE {name}")


async def run(engine: AsyncEngine, statement: str) -> None:
    async with engine.connect() as connection:
        await connection.execute(text(statement))
        await connection.commit()


async def test_a_migrated_database_fits(engine: AsyncEngine) -> None:
    assert (await DatabaseFitness(engine).look()).checks == FITS


async def test_a_database_that_is_gone_is_down(unused_tcp_port: int) -> None:
    async with engine_of(f"postgresql+asyncpg://nobody@127.0.0.1:{unused_tcp_port}/none") as engine:
        assert (await DatabaseFitness(engine).look()).checks == {"database": Fitness.DOWN}


async def test_a_server_that_refuses_the_connection_itself_is_down(engine: AsyncEngine) -> None:
    absent = engine.url.set(database="absent").render_as_string(hide_password=False)
    async with engine_of(absent) as refused:
        assert (await DatabaseFitness(refused).look()).checks == {"database": Fitness.DOWN}


async def test_a_database_that_stands_still_is_down_and_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitness, "LOOK_SECONDS", 0.05)
    connections: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: connections.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, engine_of(f"postgresql+asyncpg://nobody@127.0.0.1:{port}/none") as engine:
        looks = DatabaseFitness(engine)
        assert [(await looks.look()).checks for _ in range(3)] == [{"database": Fitness.DOWN}] * 3
        assert len(connections) == 1
        connections[0].close()


@pytest.mark.parametrize("statement", ["DROP TABLE alembic_version", "DELETE FROM alembic_version"])
async def test_a_database_that_was_never_migrated_does_not_fit(own: AsyncEngine, statement: str) -> None:
    await run(own, statement)
    assert (await DatabaseFitness(own).look()).checks == FITS | {"schema": Fitness.UNFIT}


async def test_a_schema_of_a_later_version_fits(own: AsyncEngine) -> None:
    await run(own, "UPDATE alembic_version SET version_num = '9999'")
    assert (await DatabaseFitness(own).look()).checks == FITS


async def test_a_schema_of_an_earlier_version_does_not_fit(own: AsyncEngine) -> None:
    looks = DatabaseFitness(own)
    looks._known |= {"0000"}
    await run(own, "UPDATE alembic_version SET version_num = '0000'")
    assert (await looks.look()).checks == FITS | {"schema": Fitness.UNFIT}


async def test_a_database_that_takes_no_writes_does_not_fit(own: AsyncEngine) -> None:
    await run(own, f"ALTER DATABASE {own.url.database} SET default_transaction_read_only = on")
    await own.dispose()
    assert (await DatabaseFitness(own).look()).checks == FITS | {"writable": Fitness.UNFIT}


async def test_a_look_names_the_revision_and_what_was_done_last(
    engine: AsyncEngine, clock: FakeClock
) -> None:
    await Milestones(engine, clock=clock).reach(Milestone.BACKUP)
    clock.advance(timedelta(hours=1))
    await Milestones(engine, clock=clock).reach(Milestone.BACKUP)
    look = await DatabaseFitness(engine).look()
    assert (look.is_up, look.is_migrated, look.is_writable) == (True, True, True)
    assert look.revision == ScriptDirectory.from_config(alembic_config("")).get_current_head()
    assert look.milestones == {Milestone.BACKUP: clock.now()}


async def test_an_older_schema_has_no_milestones(own: AsyncEngine) -> None:
    look = await DatabaseFitness(own).look()
    assert (look.is_up, look.milestones) == (True, {})
