"""Alembic's entry: run migrations over asyncpg, at the caller's address."""

import asyncio

from alembic import context
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

from mipres.database.engine import address_of
from mipres.database.tables import Base

# Two processes that start at once must not both migrate; the number only has to be this product's own.
_MIGRATION_LOCK = 6_477_377_01


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata, compare_server_default=True)
    with context.begin_transaction():
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        context.run_migrations()


async def _run() -> None:
    address, arguments = address_of(context.config.attributes["url"])
    engine = create_async_engine(address, poolclass=pool.NullPool, connect_args=arguments)
    async with engine.connect() as connection:
        await connection.run_sync(_migrate)
        await connection.commit()
    await engine.dispose()


asyncio.run(_run())
