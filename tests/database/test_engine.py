"""Connections that die while they rest are replaced unseen."""

import asyncio
import os
import signal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database import engine as database
from mipres.database.failures import database_fault
from tests.patience import PATIENCE_SECONDS

PID = text("SELECT pg_backend_pid()")


async def process_id(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return int((await connection.execute(PID)).scalar_one())


async def test_a_question_opens_no_transaction(engine: AsyncEngine) -> None:
    begun = text("SELECT now()")
    async with database.reading_factory(engine)() as session:
        first, second = [(await session.execute(begun)).scalar_one() for _ in range(2)]
    # In a transaction the clock stands still.
    assert first != second
    async with database.session_factory(engine)() as session:
        first, second = [(await session.execute(begun)).scalar_one() for _ in range(2)]
    assert first == second


async def test_a_statement_alone_is_its_own_transaction_and_the_next_is_as_usual(database_url: str) -> None:
    engine = database.create_engine(database_url, pool_size=1)
    assert await database.run_alone(engine, text("CREATE TABLE alone AS SELECT 1 AS one"), {}) == ()
    assert await database.run_alone(engine, text("SELECT * FROM alone WHERE one = :one"), {"one": 1}) == [
        (1,)
    ]
    async with engine.connect() as connection:
        await connection.execute(text("DROP TABLE alone"))
        await connection.rollback()
    assert await database.run_alone(engine, text("SELECT one FROM alone"), {}) == [(1,)]
    await database.run_alone(engine, text("DROP TABLE alone"), {})
    await engine.dispose()


async def test_a_statement_alone_that_is_given_up_frees_its_place(database_url: str) -> None:
    engine = database.create_engine(database_url, pool_size=1)
    waits = text("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'")
    watcher = database.create_engine(database_url)
    sleeping = asyncio.create_task(database.run_alone(engine, text("SELECT pg_sleep(600)"), {}))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await database.run_alone(watcher, waits, {}) == [(0,)]:
            pass
        sleeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sleeping
        assert await database.run_alone(engine, text("SELECT 1"), {}) == [(1,)]
    await watcher.dispose()
    await engine.dispose()


async def kill(url: str, pid: int) -> None:
    other = database.create_engine(url)
    async with other.connect() as connection:
        await connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    await other.dispose()


async def test_a_connection_that_died_at_rest_is_replaced(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "RESTED_SECONDS", 0.0)
    engine = database.create_engine(database_url, pool_size=1)
    before = await process_id(engine)
    await kill(database_url, before)
    assert await process_id(engine) != before
    await engine.dispose()


async def test_a_server_that_stands_still_is_given_up(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(database, "CLOSE_SECONDS", 0.2)
    engine = database.create_engine(database_url, pool_size=1, statement_seconds=0.1)
    stopped = await process_id(engine)
    os.kill(stopped, signal.SIGSTOP)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(TimeoutError):
                await process_id(engine)
            # The pool has room for one: the next question gets another process of the server.
            assert await process_id(engine) != stopped
    finally:
        os.kill(stopped, signal.SIGCONT)
        await engine.dispose()


async def test_a_server_that_accepts_and_says_nothing_is_given_up_by_a_migration_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr(database, "CONNECT_SECONDS", 0.1)
    listener = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(TimeoutError):
            await database.migrate(f"postgresql+asyncpg://nobody@127.0.0.1:{port}/none")


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("SELECT pg_sleep(5)", "QueryCanceledError, SQLSTATE 57014"),
        ("SELECT pg_advisory_lock(4711)", "LockNotAvailableError, SQLSTATE 55P03"),
    ],
)
async def test_the_server_ends_what_takes_too_long_and_says_why(
    database_url: str, engine: AsyncEngine, statement: str, fault: str
) -> None:
    """A statement that only this side gives up goes on and holds its locks."""
    bounded = database.create_engine(database_url, statement_seconds=0.4, lock_seconds=0.1)
    async with engine.connect() as holder:
        await holder.execute(text("SELECT pg_advisory_lock(4711)"))
        async with bounded.connect() as connection:
            with pytest.raises(DBAPIError) as caught:
                await connection.execute(text(statement))
    assert database_fault(caught.value) == fault
    await bounded.dispose()


async def test_a_connection_that_was_just_used_is_not_asked(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "RESTED_SECONDS", 60.0)
    engine = database.create_engine(database_url, pool_size=1)
    asked: list[object] = []
    ping = engine.dialect.do_ping

    def counted(connection: object) -> bool:
        asked.append(connection)
        return ping(connection)  # type: ignore[arg-type]

    monkeypatch.setattr(engine.dialect, "do_ping", counted)
    first = await process_id(engine)
    assert await process_id(engine) == first
    assert asked == []
    monkeypatch.setattr(database, "RESTED_SECONDS", 0.0)
    assert await process_id(engine) == first
    assert len(asked) == 1
    await engine.dispose()
