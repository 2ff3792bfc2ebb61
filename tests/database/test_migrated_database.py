"""Each test gets an empty database with the schema of the migrations."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.migrated_database import MigratedDatabase

ONE_ROW = "INSERT INTO login_guards (login_hash, failures, failed_at) VALUES ('h', 1, now())"


async def ask(database: MigratedDatabase, statement: str) -> object:
    engine = create_async_engine(database.url)
    async with engine.begin() as connection:
        result = await connection.execute(text(statement))
        found = result.scalar() if result.returns_rows else None
    await engine.dispose()
    return found


async def marker(database: MigratedDatabase) -> object:
    """What tells one clone from the next."""
    return await ask(database, "SELECT oid FROM pg_database WHERE datname = current_database()")


async def test_rows_are_deleted_and_the_database_stays(migrated_database: MigratedDatabase) -> None:
    await migrated_database.empty()
    before = await marker(migrated_database)
    await ask(migrated_database, ONE_ROW)
    await migrated_database.empty()
    assert await ask(migrated_database, "SELECT count(*) FROM login_guards") == 0
    assert await marker(migrated_database) == before


@pytest.mark.parametrize(
    "change",
    [
        "DROP INDEX ix_accounts_login",
        "DROP TABLE accounts CASCADE",
        "ALTER TABLE accounts ALTER COLUMN email DROP NOT NULL",
        "ALTER TABLE audit_entries DISABLE TRIGGER audit_entries_append_only",
        "CREATE TABLE left_behind AS SELECT 1 AS one",
    ],
)
async def test_a_changed_schema_makes_a_new_clone(migrated_database: MigratedDatabase, change: str) -> None:
    await migrated_database.empty()
    before = await marker(migrated_database)
    await ask(migrated_database, change)
    await migrated_database.empty()
    assert await marker(migrated_database) != before
    assert await ask(migrated_database, "SELECT count(*) FROM accounts") == 0
