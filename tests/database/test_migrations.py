import asyncio

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Inspector, inspect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from typer.testing import CliRunner

from bench.plans import fill
from mipres.cli.app import app
from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import alembic_config, migrate
from mipres.database.tables import Base
from mipres.domain.audit import PRODUCT, AuditEvent, AuditEventType

BEFORE_THE_HEAD = "0020"
AS_THE_RELEASE_BEFORE = """
    INSERT INTO audit_entries (number, occurred_at, type, actor, details, previous_seal, seal)
    SELECT last_number + 1, now(), 'made_up', 'bench', '{}', last_seal, sha256(last_seal)
    FROM lock_audit_head(647737702)
"""

ROWS = 20


async def alembic(url: str, step: str) -> None:
    config = alembic_config(url)
    run = command.downgrade if step in {"base", BEFORE_THE_HEAD} else command.upgrade
    await asyncio.to_thread(run, config, step)


async def tables_of(engine: AsyncEngine) -> set[str]:
    async with engine.connect() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    return set(names) - {"alembic_version"}


async def test_the_tables_and_the_migrations_agree(database_url: str) -> None:
    # Raises when `alembic revision --autogenerate` would find something to do.
    await asyncio.to_thread(command.check, alembic_config(database_url))


def test_there_is_one_newest_revision() -> None:
    assert len(ScriptDirectory.from_config(alembic_config("")).get_heads()) == 1


async def test_each_migration_goes_down_and_up_again_with_rows_in_the_tables(
    database_url: str, engine: AsyncEngine
) -> None:
    tables, config = await tables_of(engine), alembic_config(database_url)
    assert tables == set(Base.metadata.tables)
    await fill(engine, ROWS)

    newest_first = list(ScriptDirectory.from_config(config).walk_revisions())
    for script in newest_first[:-1]:
        for run, step in ((command.downgrade, "-1"), (command.upgrade, "+1"), (command.downgrade, "-1")):
            await asyncio.to_thread(run, config, step)
        assert await accounts_in(engine) == ROWS, script.revision
    await alembic(database_url, "head")
    assert (await tables_of(engine), await accounts_in(engine)) == (tables, ROWS)
    await asyncio.to_thread(command.check, config)

    await alembic(database_url, "base")
    assert await tables_of(engine) == set()
    await alembic(database_url, "head")
    assert await tables_of(engine) == tables


async def accounts_in(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return int((await connection.exec_driver_sql("SELECT count(*) FROM accounts")).scalar_one())


async def test_writers_of_both_releases_go_on_with_the_trail(
    database_url: str, engine: AsyncEngine, audit: PostgresAuditTrail
) -> None:
    event = AuditEvent(type=AuditEventType.RETRY_ASKED, actor=PRODUCT)
    await audit.record(event)
    await alembic(database_url, BEFORE_THE_HEAD)
    async with engine.begin() as connection:
        await connection.exec_driver_sql(AS_THE_RELEASE_BEFORE)
    await alembic(database_url, "head")
    await audit.record(event)
    async with engine.begin() as connection:
        await connection.exec_driver_sql(AS_THE_RELEASE_BEFORE)
    await audit.record(event)
    async with engine.connect() as connection:
        follows = "lag(seal) OVER (ORDER BY number) = previous_seal"
        rows = await connection.exec_driver_sql(
            f"SELECT number, {follows} FROM audit_entries ORDER BY number"
        )
        assert [tuple(row) for row in rows] == [(1, None), *((number, True) for number in range(2, 6))]


async def test_a_schema_of_a_newer_release_is_left_as_it_is(
    database_url: str, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine.begin() as newer_release:
        await newer_release.exec_driver_sql("ALTER TABLE accounts ADD COLUMN of_tomorrow text")
        await newer_release.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    monkeypatch.setenv("MIPRES_SECRET_KEY", "s" * 32)
    monkeypatch.setenv("MIPRES_PAYLOAD_KEYS", "uno:" + "A" * 43 + "=")
    monkeypatch.setenv("MIPRES_DATABASE_URL", database_url)
    result = await asyncio.to_thread(CliRunner().invoke, app, ["migrate"])
    assert (result.exit_code, result.stdout) == (0, ""), result.output
    assert ("Advertencia" in result.stderr, "9999" in result.stderr) == (True, True)
    async with engine.connect() as connection:
        found = await connection.exec_driver_sql("SELECT version_num FROM alembic_version")
        assert found.scalar_one() == "9999"


async def test_a_migration_waits_for_the_one_that_runs(database_url: str, engine: AsyncEngine) -> None:
    await alembic(database_url, "base")
    async with engine.connect() as other_process:
        # The number stands in every release that may run beside the next one, so it must never change.
        await other_process.exec_driver_sql("SELECT pg_advisory_lock(647737701)")
        migration = asyncio.create_task(migrate(database_url))
        while not migration.done() and not await somebody_waits(other_process):
            pass
        assert not migration.done()
        assert await tables_of(engine) == set()
        await other_process.exec_driver_sql("SELECT pg_advisory_unlock_all()")
        await migration
    assert await tables_of(engine) == set(Base.metadata.tables)


async def somebody_waits(connection: AsyncConnection) -> bool:
    statement = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    return bool((await connection.exec_driver_sql(statement)).scalar_one())


async def test_every_timestamp_has_a_zone(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        rows = await connection.exec_driver_sql(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND data_type = 'timestamp without time zone'"
        )
        assert rows.all() == []


async def test_every_table_has_a_primary_key(engine: AsyncEngine) -> None:
    def without_a_key(connection: Connection) -> list[str]:
        inspector: Inspector = inspect(connection)
        names = inspector.get_table_names()
        return [name for name in names if not inspector.get_pk_constraint(name)["constrained_columns"]]

    async with engine.connect() as connection:
        assert await connection.run_sync(without_a_key) == []


@pytest.mark.parametrize("table", sorted(set(Base.metadata.tables) - {"accounts"}))
def test_what_belongs_to_an_account_goes_with_it(table: str) -> None:
    for key in Base.metadata.tables[table].foreign_keys:
        assert key.ondelete == "CASCADE"
