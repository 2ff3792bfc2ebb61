"""A database of its own for each test, and a person in it."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.adapters.accounts import PostgresAccounts
from mipres.adapters.audit import PostgresAuditTrail
from mipres.adapters.database import create_engine
from mipres.adapters.lockouts import LoginLockouts
from mipres.adapters.tokens import LinkTokens
from tests.fakes import FakeClock


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def audit(engine: AsyncEngine, clock: FakeClock) -> PostgresAuditTrail:
    return PostgresAuditTrail(engine, key=b"a" * 32, clock=clock)


@pytest.fixture
def lockouts(engine: AsyncEngine, clock: FakeClock) -> LoginLockouts:
    return LoginLockouts(engine, key=b"l" * 32, clock=clock)


@pytest.fixture
def accounts(
    engine: AsyncEngine, audit: PostgresAuditTrail, lockouts: LoginLockouts, clock: FakeClock
) -> PostgresAccounts:
    return PostgresAccounts(engine, tokens=LinkTokens(b"k" * 32), audit=audit, lockouts=lockouts, clock=clock)
