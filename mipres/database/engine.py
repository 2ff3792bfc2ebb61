"""The engine and the migrations. One engine a process."""

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Executable, Row, event, make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from mipres.database.tls import FILES, tls_of

RESTED_SECONDS = 1.0
"""A restart takes longer, so a connection that survived one has rested."""
CONNECT_SECONDS = 5.0
STATEMENT_SECONDS = 30.0
LOCK_SECONDS = 10.0
# The server says why it ends a statement, so it gets to speak before this side gives up.
ANSWER_SECONDS = 2.0
CLOSE_SECONDS = 2.0
_FREE_SINCE = "free_since"
AnyRow = Row[*tuple[Any, ...]]
Transaction = AsyncSession | AsyncConnection
"""What runs statements.

A session where rows become objects; else a connection, for a third less time.
"""
_ALONE: Final = {"isolation_level": "AUTOCOMMIT"}
MIGRATIONS = Path(__file__).resolve().parent / "migrations"


class _BoundedConnection(asyncpg.Connection):  # type: ignore[misc]
    """Ends in time also where the server stands still.

    By itself it waits for the answer to its cancellation.
    """

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's form.
        try:
            async with asyncio.timeout(timeout or CLOSE_SECONDS):
                await super().close(timeout=timeout)
        except TimeoutError:
            self.terminate()


def create_engine(
    url: str,
    *,
    pool_size: int = 10,
    statement_seconds: float = STATEMENT_SECONDS,
    lock_seconds: float = LOCK_SECONDS,
) -> AsyncEngine:
    """Return the engine of a process.

    Args:
        url: Address of the database.
        pool_size: Connections that it holds at most.
        statement_seconds: After this time the server ends a statement with SQLSTATE 57014.
        lock_seconds: After this time the server ends a wait for a lock with SQLSTATE 55P03.
    """
    address, given = address_of(url)
    engine = create_async_engine(
        address,
        pool_size=pool_size,
        max_overflow=0,
        # A statement that is its own transaction has nothing to roll back.
        skip_autocommit_rollback=True,
        hide_parameters=True,
        connect_args={
            **given,
            "command_timeout": statement_seconds + ANSWER_SECONDS,
            "connection_class": _BoundedConnection,
            "server_settings": {
                **given["server_settings"],
                "statement_timeout": f"{round(statement_seconds * 1000)}ms",
                "lock_timeout": f"{round(lock_seconds * 1000)}ms",
            },
        },
    )
    _ask_rested_connections(engine)
    return engine


def address_of(url: str) -> tuple[URL, dict[str, Any]]:
    """Split an address into SQLAlchemy's part and asyncpg's arguments for the rest."""
    address = make_url(url)
    options = {name: str(value) for name, value in address.query.items()}
    own = {name: options.pop(name) for name in ("sslmode", *FILES) if name in options}
    server = {name: options.pop(name) for name in ("application_name", "options") if name in options}
    encryption = tls_of(own)
    arguments: dict[str, Any] = {"timeout": CONNECT_SECONDS, "server_settings": server}
    return address.set(query=options), arguments if encryption is None else {**arguments, "ssl": encryption}


def _ask_rested_connections(engine: AsyncEngine) -> None:
    """Replace a connection that died while it rested, before it is used again.

    SQLAlchemy's own way asks at every turn, in three round trips: twice as many statements as the
    product needs. A connection that was in use a moment ago is trusted.
    """
    dialect = engine.dialect

    @event.listens_for(engine.sync_engine, "checkin")
    def note(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info[_FREE_SINCE] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def ask(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
        if time.monotonic() - record.info.get(_FREE_SINCE, math.inf) < RESTED_SECONDS:
            return
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error:
            raise DisconnectionError from None


def session_factory(engine: AsyncEngine) -> async_sessionmaker:  # type: ignore[type-arg]
    return async_sessionmaker(engine, expire_on_commit=False)


def reading_factory(engine: AsyncEngine) -> async_sessionmaker:  # type: ignore[type-arg]
    """Sessions that only ask.

    Each statement stands for itself, without the BEGIN and ROLLBACK of a transaction.
    """
    return async_sessionmaker(engine.execution_options(**_ALONE), expire_on_commit=False)


async def run_alone(
    engine: AsyncEngine, statement: Executable, values: Mapping[str, object]
) -> Sequence[AnyRow]:
    """Run one statement that is its own transaction; its rows.

    One step into SQLAlchemy takes a third less time than one for the connection, one for the statement and
    one for the end.
    """

    def run(_session: Session) -> Sequence[AnyRow]:
        with engine.sync_engine.connect() as connection:
            result = connection.execution_options(**_ALONE).execute(statement, values)
            return result.all() if result.returns_rows else ()

    # Sessions have the documented way to run a function so; none is needed.
    return await AsyncSession().run_sync(run)


def alembic_config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    return config


@cache
def _scripts() -> ScriptDirectory:
    # A release is not edited while it runs.
    return ScriptDirectory.from_config(alembic_config(""))


def newest_revision() -> str | None:
    """The one that this release migrates to."""
    return _scripts().get_current_head()


def known_revisions() -> frozenset[str]:
    """Every revision that this release has."""
    return frozenset(script.revision for script in _scripts().walk_revisions())


async def migrate(url: str) -> str | None:
    """Bring the schema to the newest revision.

    Returns the schema's revision where a newer release made it: migrations only expand, so there is
    nothing to do; None otherwise.
    """
    revision = await _revision_at(url)
    if revision is not None and revision not in known_revisions():
        return revision
    # Alembic drives its own event loop, so it needs a thread without one.
    await asyncio.to_thread(command.upgrade, alembic_config(url), "head")
    return None


async def _revision_at(url: str) -> str | None:
    address, arguments = address_of(url)
    engine = create_async_engine(address, poolclass=NullPool, connect_args=arguments)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(
                lambda sync: MigrationContext.configure(sync).get_current_revision()
            )
    finally:
        await engine.dispose()
