from datetime import UTC, datetime, timedelta

import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.accounts import PostgresAccounts
from mipres.database.address_changes import PostgresAddressChanges
from mipres.database.audit import PostgresAuditTrail
from mipres.database.clock import DatabaseClock
from mipres.database.erasures import Erasures
from mipres.domain.links import LinkPurpose
from mipres.keys import LinkTokens
from tests.conftest import AUDIT_KEYS
from tests.database.registrations import registration

DAY = timedelta(days=1)


def a_day_behind() -> datetime:
    return datetime.now(UTC) - DAY


@pytest.mark.parametrize("skew", [-DAY, timedelta(0), DAY])
async def test_the_time_is_the_databases_however_wrong_the_machine_is(
    engine: AsyncEngine, skew: timedelta
) -> None:
    clock = DatabaseClock(engine, machine=lambda: datetime.now(UTC) + skew)
    async with engine.connect() as connection:
        at_the_server: datetime = await connection.scalar(text("SELECT clock_timestamp()"))
    assert abs(clock.now() - at_the_server) < timedelta(seconds=2)


async def test_a_worker_a_day_behind_issues_links_that_live(engine: AsyncEngine) -> None:
    clock = DatabaseClock(engine, machine=a_day_behind)
    audit = PostgresAuditTrail(engine, keys=AUDIT_KEYS, clock=clock)
    accounts = PostgresAccounts(
        engine,
        tokens=LinkTokens(b"k" * 32),
        audit=audit,
        erasures=Erasures(engine, key=b"e" * 32, clock=clock),
        changes=PostgresAddressChanges(
            engine, tokens=LinkTokens(b"c" * 32), audit=audit, wait=timedelta(hours=24), clock=clock
        ),
        clock=clock,
    )
    account = await accounts.register(registration())
    link = await accounts.issue_link(
        account.account_id,
        reference="RM-0123456789AB",
        purpose=LinkPurpose.CREATE,
        lifetime=timedelta(hours=1),
        issue_key="enlace-1",
    )
    assert link is not None
    async with engine.connect() as connection:
        left = await connection.scalar(text("SELECT max(expires_at) - clock_timestamp() FROM password_links"))
    assert timedelta(minutes=59) < left < timedelta(minutes=61)


async def test_clocks_that_differ_are_told_to_whoever_operates(engine: AsyncEngine) -> None:
    with structlog.testing.capture_logs() as logs:
        DatabaseClock(engine, machine=a_day_behind)
        async with engine.connect():
            pass
    [warning] = [entry for entry in logs if entry["event"] == "clocks_differ"]
    assert abs(warning["database_is_ahead_by_seconds"] - DAY.total_seconds()) < 5


async def test_clocks_that_agree_are_not_worth_a_line(engine: AsyncEngine) -> None:
    with structlog.testing.capture_logs() as logs:
        DatabaseClock(engine)
        async with engine.connect():
            pass
    assert [entry for entry in logs if entry["event"] == "clocks_differ"] == []
