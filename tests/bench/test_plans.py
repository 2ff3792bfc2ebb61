"""PostgreSQL finds every row that the product asks for by an index."""

import pytest
from sqlalchemy import text

from bench.plans import explain_everything, explained, fill
from mipres.database.engine import create_engine

# Enough that an index is cheaper than reading the table; `python -m bench.plans` takes a million.
ROWS = 20_000


async def test_no_statement_reads_a_table_from_end_to_end(database_url: str) -> None:
    plans = await explained(database_url, ROWS)
    assert len(plans) > 30
    assert {plan.statement: plan.scanned for plan in plans if plan.is_a_mistake} == {}


@pytest.mark.parametrize("index", ["ix_accounts_login", "ix_profiles_radicado"])
async def test_a_missing_index_is_noticed(database_url: str, index: str) -> None:
    engine = create_engine(database_url)
    await fill(engine, ROWS // 4)
    async with engine.begin() as connection:
        await connection.execute(text(f"DROP INDEX {index}"))
    scanned = {table for plan in await explain_everything(engine) for table in plan.scanned}
    await engine.dispose()
    assert index.split("_")[1] in scanned
