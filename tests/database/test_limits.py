import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.limits import NoLimits, PostgresLimits
from mipres.database.tables import RateLimitRow
from mipres.domain import limits as domain
from mipres.domain.limits import Limit
from tests.fakes import FakeClock

SECOND = timedelta(seconds=1)
THREE = Limit(name="three", most=3, window=timedelta(minutes=1))
ALL = [limit for limit in vars(domain).values() if isinstance(limit, Limit)]


@pytest.fixture
def limits(engine: AsyncEngine, clock: FakeClock) -> PostgresLimits:
    return PostgresLimits(engine, key=b"k" * 32, clock=clock)


@pytest.mark.parametrize("limit", ALL, ids=lambda limit: limit.name)
async def test_the_last_one_passes_one_more_waits_and_time_mends_it(
    limits: PostgresLimits, clock: FakeClock, limit: Limit
) -> None:
    for _ in range(limit.most):
        assert await limits.take(limit, "10.0.0.1") == timedelta(0)
    assert await limits.take(limit, "10.0.0.1") == limit.window
    clock.advance(limit.window - SECOND)
    assert await limits.take(limit, "10.0.0.1") == SECOND
    clock.advance(SECOND)
    assert await limits.take(limit, "10.0.0.1") == timedelta(0)


async def test_relaxed_limits_allow_a_multiple(engine: AsyncEngine, clock: FakeClock) -> None:
    relaxed = PostgresLimits(engine, key=b"k" * 32, clock=clock, generosity=2)
    for _ in range(2 * THREE.most):
        assert not await relaxed.take(THREE, "x")
    assert await relaxed.take(THREE, "x")


async def test_every_subject_and_every_limit_is_counted_for_itself(limits: PostgresLimits) -> None:
    for _ in range(4):
        await limits.take(THREE, "10.0.0.1")
    other = Limit(name="other", most=3, window=THREE.window)
    assert await limits.take(THREE, "10.0.0.2") == timedelta(0)
    assert await limits.take(other, "10.0.0.1") == timedelta(0)
    assert await limits.take(THREE, "10.0.0.1") > timedelta(0)


async def test_requests_of_the_same_moment_are_counted_one_by_one(limits: PostgresLimits) -> None:
    waits = await asyncio.gather(*(limits.take(THREE, "10.0.0.1") for _ in range(12)))
    assert sorted(bool(wait) for wait in waits) == [False] * 3 + [True] * 9


async def test_processes_count_together(engine: AsyncEngine, clock: FakeClock) -> None:
    one, two = (PostgresLimits(engine, key=b"k" * 32, clock=clock) for _ in range(2))
    for process in (one, two, one):
        assert not await process.take(THREE, "x")
    assert await two.take(THREE, "x")


async def test_a_success_begins_anew(limits: PostgresLimits) -> None:
    for _ in range(4):
        await limits.take(THREE, "x")
    await limits.forget(THREE, "x")
    assert not await limits.take(THREE, "x")


async def test_no_address_is_stored(limits: PostgresLimits, engine: AsyncEngine) -> None:
    await limits.take(THREE, "10.0.0.1")
    await limits.take(THREE, "10.0.0.2 \ud800")
    async with engine.connect() as connection:
        stored = (await connection.execute(select(RateLimitRow))).all()
    assert {len(row.subject_hash) for row in stored} == {32}
    assert "10.0.0" not in str(stored)


async def test_a_large_number_of_attempts_is_no_number_too_large(
    limits: PostgresLimits, engine: AsyncEngine
) -> None:
    for _ in range(6):
        await limits.take(THREE, "x")
    async with engine.connect() as connection:
        assert (await connection.execute(select(RateLimitRow.times))).scalar_one() == THREE.most + 1


async def test_without_limits_everything_passes() -> None:
    off = NoLimits()
    for _ in range(5):
        assert not await off.take(THREE, "x")
    await off.forget(THREE, "x")


def test_names_are_distinct_and_fit() -> None:
    assert len({limit.name for limit in ALL}) == len(ALL) > 10
    assert all(len(limit.name) <= 40 for limit in ALL)


@pytest.mark.parametrize("counted", [1, 2, 3, 5])
async def test_what_was_counted_under_an_older_key_counts_on(
    engine: AsyncEngine, clock: FakeClock, limits: PostgresLimits, counted: int
) -> None:
    for _ in range(counted):
        await limits.take(THREE, "10.0.0.1")
    clock.advance(10 * SECOND)
    rotated = PostgresLimits(engine, key=b"n" * 32, older_keys=(b"k" * 32,), clock=clock)
    allowed = 0
    while not (wait := await rotated.take(THREE, "10.0.0.1")):
        allowed += 1
    assert (allowed, wait) == (max(3 - counted, 0), THREE.window - 10 * SECOND)
    # A process that was not given the new key yet counts on with the old one.
    back = PostgresLimits(engine, key=b"k" * 32, older_keys=(b"n" * 32,), clock=clock)
    assert await back.take(THREE, "10.0.0.1")
    await rotated.forget(THREE, "10.0.0.1")
    assert not await rotated.take(THREE, "10.0.0.1")


async def test_a_window_of_an_older_key_that_is_over_counts_no_more(
    engine: AsyncEngine, clock: FakeClock, limits: PostgresLimits
) -> None:
    for _ in range(4):
        await limits.take(THREE, "10.0.0.1")
    clock.advance(THREE.window)
    rotated = PostgresLimits(engine, key=b"n" * 32, older_keys=(b"k" * 32,), clock=clock)
    assert not await rotated.take(THREE, "10.0.0.1")
