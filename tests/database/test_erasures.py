"""What was submitted before an erasure writes nothing after it."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from mipres.database.accounts import PostgresAccounts
from mipres.database.engine import session_factory
from mipres.database.erasures import Erasures
from mipres.database.tables import AccountRow, ErasureRow
from mipres.domain.errors import PersonErasedError
from tests.database.registrations import CONSENT, DOCTOR, registration
from tests.fakes import FakeClock
from tests.patience import PATIENCE_SECONDS

LOGIN = DOCTOR.document.login
ROUNDS = 5


async def erase(engine: AsyncEngine, erasures: Erasures) -> None:
    async with session_factory(engine).begin() as session:
        await erasures.record_in(session, LOGIN)
        await session.execute(delete(AccountRow).where(AccountRow.login == LOGIN))


async def test_a_submission_of_before_creates_nothing_again(
    engine: AsyncEngine, accounts: PostgresAccounts, erasures: Erasures, clock: FakeClock
) -> None:
    await accounts.register(registration())
    clock.advance(timedelta(seconds=1))
    await erase(engine, erasures)
    for radicado in ("RM-000000000001", "RM-000000000002"):
        with pytest.raises(PersonErasedError):
            await accounts.register(registration(radicado=radicado))
    assert await accounts.find(DOCTOR.document) is None
    assert await erasures.covers(LOGIN, submitted_at=CONSENT.accepted_at)


async def test_a_submission_of_later_is_a_new_registration(
    engine: AsyncEngine, accounts: PostgresAccounts, erasures: Erasures, clock: FakeClock
) -> None:
    await erase(engine, erasures)
    later = clock.now() + timedelta(milliseconds=1)
    assert not await erasures.covers(LOGIN, submitted_at=later)
    await accounts.register(registration(consent=replace(CONSENT, accepted_at=later)))
    # An attempt of the old one, on another worker, does not touch the new account either.
    with pytest.raises(PersonErasedError):
        await accounts.register(registration())
    assert await accounts.find(DOCTOR.document) is not None


async def test_an_erasure_counts_for_one_person_only(
    engine: AsyncEngine, accounts: PostgresAccounts, erasures: Erasures
) -> None:
    await erase(engine, erasures)
    other = replace(DOCTOR, document=replace(DOCTOR.document, number="1020304051"))
    assert (await accounts.register(registration(other))).login == other.document.login


async def test_a_registration_in_the_middle_of_an_erasure_waits_for_its_end(
    engine: AsyncEngine, accounts: PostgresAccounts, erasures: Erasures
) -> None:
    sessions = session_factory(engine)
    for _ in range(ROUNDS):
        async with sessions.begin() as erasing:
            await erasures.record_in(erasing, LOGIN)
            registering = asyncio.create_task(accounts.register(registration()))
            await somebody_waits(sessions())
            await erasing.execute(delete(AccountRow).where(AccountRow.login == LOGIN))
        with pytest.raises(PersonErasedError):
            await registering
        assert await accounts.find(DOCTOR.document) is None
        async with sessions.begin() as session:
            await session.execute(delete(ErasureRow))


async def test_an_erasure_in_the_middle_of_a_registration_removes_what_it_creates(
    engine: AsyncEngine, accounts: PostgresAccounts, erasures: Erasures
) -> None:
    sessions = session_factory(engine)
    async with sessions.begin() as registering:
        await erasures.hold_in(registering, LOGIN)
        erasing = asyncio.create_task(erase(engine, erasures))
        await somebody_waits(sessions())
        await accounts._store(registering, registration())
    await erasing
    assert await accounts.find(DOCTOR.document) is None


async def test_the_row_names_no_one(engine: AsyncEngine, erasures: Erasures) -> None:
    await erase(engine, erasures)
    async with session_factory(engine)() as session:
        row = (await session.scalars(select(ErasureRow))).one()
    assert len(row.person) == 32
    assert LOGIN.encode() not in row.person


async def somebody_waits(session: AsyncSession) -> None:
    """Return once a session waits for a person's lock."""
    async with asyncio.timeout(PATIENCE_SECONDS), session:
        while not await session.scalar(
            text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        ):
            pass


async def test_an_erasure_outlives_a_rotation_of_the_secret(
    engine: AsyncEngine, erasures: Erasures, clock: FakeClock
) -> None:
    await erase(engine, erasures)
    rotated = Erasures(engine, key=b"n" * 32, older_keys=(b"e" * 32,), clock=clock)
    assert await rotated.covers(LOGIN, submitted_at=clock.now())
    assert not await rotated.covers("CC70999001", submitted_at=clock.now())
