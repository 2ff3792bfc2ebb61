import uuid
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.captcha.challenges import CaptchaChallenges, Place
from mipres.database import grants
from mipres.database.accounts import PostgresAccounts
from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import session_factory
from mipres.database.erasures import Erasures
from mipres.database.limits import PostgresLimits
from mipres.database.lockouts import LoginLockouts
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.retention import (
    CAPTCHA_ANSWERS,
    CLOCKS,
    CLOSED_LINKS,
    ERASURES,
    UNFINISHED_ACCOUNTS,
    PostgresRetention,
)
from mipres.database.sessions import ABSOLUTE_LIMIT, IDLE_LIMIT, PostgresSessions
from mipres.database.tables import AccountRow, Base, ConsentRow, PasswordLinkRow, ProfileRow
from mipres.domain.applications import Application
from mipres.domain.limits import CAPTCHAS
from mipres.domain.links import LinkPurpose, LinkState
from mipres.domain.lockout import KEPT_FOR
from tests.database.stored_accounts import LIFETIME, RADICADO, give_password, issue, register
from tests.fakes import HERE, FakeClock

SECOND = timedelta(seconds=1)


@pytest.fixture
def retention(engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock) -> PostgresRetention:
    return PostgresRetention(engine, audit=audit, clock=clock)


async def count(engine: AsyncEngine, table: type[Base]) -> int:
    async with engine.connect() as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


async def test_an_account_without_a_password_goes_after_thirty_days_with_all_that_is_its_own(
    retention: PostgresRetention, accounts: PostgresAccounts, clock: FakeClock, engine: AsyncEngine
) -> None:
    await issue(accounts, await register(accounts))
    clock.advance(UNFINISHED_ACCOUNTS - SECOND)
    assert (await retention.purge())["accounts"] == 0
    clock.advance(SECOND)
    assert (await retention.purge())["accounts"] == 1
    for table in (AccountRow, ProfileRow, ConsentRow, PasswordLinkRow):
        assert await count(engine, table) == 0
    assert sum((await retention.purge()).values()) == 0


async def test_an_account_that_still_has_a_way_in_stays(
    retention: PostgresRetention, accounts: PostgresAccounts, clock: FakeClock
) -> None:
    account_id = await register(accounts)
    clock.advance(UNFINISHED_ACCOUNTS)
    await issue(accounts, account_id)
    assert (await retention.purge())["accounts"] == 0
    clock.advance(LIFETIME)
    assert (await retention.purge())["accounts"] == 1


async def test_an_account_in_use_stays_for_ever_and_its_old_links_do_not(
    retention: PostgresRetention,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    clock: FakeClock,
    engine: AsyncEngine,
) -> None:
    await give_password(accounts, links, await register(accounts))
    clock.advance(LIFETIME + CLOSED_LINKS - SECOND)
    assert (await retention.purge())["password_links"] == 0
    clock.advance(SECOND)
    assert (await retention.purge())["password_links"] == 1
    clock.advance(timedelta(days=4000))
    await retention.purge()
    assert await count(engine, AccountRow) == 1
    assert await count(engine, ConsentRow) == 1


async def test_sessions_captchas_locks_and_counts_go_when_they_are_over(
    retention: PostgresRetention,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    audit: PostgresAuditTrail,
    clock: FakeClock,
    engine: AsyncEngine,
) -> None:
    account_id: uuid.UUID = await register(accounts)
    await give_password(accounts, links, account_id, "hash")
    sessions = PostgresSessions(engine, audit=audit, clock=clock)
    assert await sessions.open(account_id, Application.MIPRES, verified_hash="hash") is not None
    challenges = CaptchaChallenges(engine, key=b"k" * 32, clock=clock)
    place = Place(form="/registro/otro", visit="v")
    await challenges.redeem(challenges.new(place), "x", place)
    await LoginLockouts(engine, key=b"k" * 32, clock=clock).begin("CC1", HERE)
    await PostgresLimits(engine, key=b"k" * 32, clock=clock).take(CAPTCHAS, "10.0.0.1")
    assert sum((await retention.purge()).values()) == 0

    clock.advance(CAPTCHAS.window)
    assert (await retention.purge())["rate_limits"] == 1
    clock.advance(IDLE_LIMIT)
    assert (await retention.purge())["sessions"] == 1
    clock.advance(CAPTCHA_ANSWERS)
    assert (await retention.purge())["captcha_answers"] == 1
    clock.advance(timedelta(days=1))
    removed = await retention.purge()
    assert (removed["login_origins"], removed["login_guards"]) == (1, 0)
    clock.advance(KEPT_FOR)
    assert (await retention.purge())["login_guards"] == 1


async def test_a_session_that_a_password_ended_is_known_for_half_a_day(
    retention: PostgresRetention,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    audit: PostgresAuditTrail,
    clock: FakeClock,
    engine: AsyncEngine,
) -> None:
    account_id = await register(accounts)
    await give_password(accounts, links, account_id, "hash")
    sessions = PostgresSessions(engine, audit=audit, clock=clock)
    token = await sessions.open(account_id, Application.MIPRES, verified_hash="hash")
    link = await issue(accounts, account_id, "r", purpose=LinkPurpose.RECOVER)
    await links.set_password(link.token, "new")
    assert (await retention.purge())["ended_sessions"] == 0
    clock.advance(ABSOLUTE_LIMIT)
    assert (await retention.purge())["ended_sessions"] == 1
    assert not await sessions.was_ended_by_new_password(token or "")


async def test_an_erasure_is_kept_for_as_long_as_a_history(
    retention: PostgresRetention, erasures: Erasures, engine: AsyncEngine, clock: FakeClock
) -> None:
    async with session_factory(engine).begin() as session:
        await erasures.record_in(session, "CC1020304050")
    assert (await retention.purge())["erasures"] == 0
    clock.advance(ERASURES)
    assert (await retention.purge())["erasures"] == 1


async def test_a_link_whose_run_is_gone_is_expired_once_and_the_trail_records_it(
    retention: PostgresRetention,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    audit: PostgresAuditTrail,
    clock: FakeClock,
) -> None:
    account_id = await register(accounts)
    await issue(accounts, account_id, "older")
    link = await issue(accounts, account_id, "newer")
    open_links = await retention.open_links()
    assert list(open_links.values()) == [RADICADO]

    assert await retention.close_links([*open_links]) == 1
    assert await retention.close_links([*open_links]) == 0
    assert (await links.link(link.token)).state is LinkState.EXPIRED
    assert await retention.open_links() == {}
    recorded = [entry.type for entry in await audit.entries(reference=RADICADO)]
    assert recorded.count("link_expired") == 1


async def test_a_link_whose_time_is_over_needs_no_closing(
    retention: PostgresRetention, accounts: PostgresAccounts, clock: FakeClock
) -> None:
    await issue(accounts, await register(accounts))
    clock.advance(LIFETIME)
    assert await retention.open_links() == {}


async def test_a_used_assertion_is_known_until_none_could_take_it(
    retention: PostgresRetention, clock: FakeClock, engine: AsyncEngine
) -> None:
    end = clock.now() + timedelta(minutes=5)

    async def counts(client_id: str, jti: str) -> bool:
        async with session_factory(engine).begin() as session:
            claimed: bool = await session.run_sync(
                lambda db: grants.claim_assertion(db, client_id, jti, expires_at=end, events=[])
            )
            return claimed

    first = [await counts("app", "one"), await counts("other", "one"), await counts("app", "two")]
    assert (first, await counts("app", "one")) == ([True] * 3, False)
    clock.advance(timedelta(minutes=5))
    assert (await retention.purge())["oidc_assertions"] == 0
    assert not await counts("app", "one")
    clock.advance(CLOCKS)
    assert (await retention.purge())["oidc_assertions"] == 3 + 1, "and that one was replayed"
