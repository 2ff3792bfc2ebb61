import hashlib
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.accounts import PostgresAccounts
from mipres.database.audit import PostgresAuditTrail
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.sessions import ABSOLUTE_LIMIT, IDLE_LIMIT, PostgresSessions
from mipres.database.tables import SessionRow
from mipres.domain.access import AccessState
from mipres.domain.accounts import ProfileFacts
from mipres.domain.applications import Application
from mipres.domain.links import LinkPurpose
from mipres.domain.submissions import UserType
from tests.database.registrations import DELEGATE, PLACEMENT, SOCIAL_SERVICE, registration
from tests.database.stored_accounts import give_password, issue, register
from tests.fakes import FakeClock

SECOND = timedelta(seconds=1)
# PLACEMENT ends with the 31st of May; Bogotá is five hours behind.
MIDNIGHT_AFTER_THE_PLACEMENT = datetime(2027, 6, 1, 5, tzinfo=UTC)
MIPRES, ADMINISTRATION = Application.MIPRES, Application.ADMINISTRATION


@pytest.fixture
def sessions(engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock) -> PostgresSessions:
    return PostgresSessions(engine, audit=audit, clock=clock)


@pytest.fixture
async def account_id(accounts: PostgresAccounts, links: PostgresPasswordLinks) -> uuid.UUID:
    account_id = await register(accounts)
    await give_password(accounts, links, account_id)
    return account_id


async def opened(sessions: PostgresSessions, account_id: uuid.UUID, application: Application) -> str:
    token = await sessions.open(account_id, application, verified_hash="hash")
    assert token is not None
    return token


async def test_a_login_with_the_password_before_a_new_one_gets_no_session(
    sessions: PostgresSessions,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    audit: PostgresAuditTrail,
    account_id: uuid.UUID,
) -> None:
    """The new password falls between the check of the old one and the session."""
    recovery = await issue(accounts, account_id, "r", purpose=LinkPurpose.RECOVER)
    await links.set_password(recovery.token, "new")
    assert await sessions.open(account_id, MIPRES, verified_hash="hash") is None
    assert (await audit.entries())[-1].details == {"application": "mipres", "cause": "password_changed"}
    assert await sessions.open(account_id, MIPRES, verified_hash="new") is not None


async def test_an_unknown_account_opens_no_session(sessions: PostgresSessions) -> None:
    assert await sessions.open(uuid.uuid4(), MIPRES, verified_hash="hash") is None


async def test_an_open_session_is_the_persons(sessions: PostgresSessions, account_id: uuid.UUID) -> None:
    user = await sessions.user_of(await opened(sessions, account_id, MIPRES), MIPRES)
    assert user is not None
    assert (user.account_id, user.login, user.full_name) == (
        account_id,
        "CC1020304050",
        "Ana María Ruiz Gómez",
    )
    assert [profile.user_type for profile in user.profiles] == [UserType.PROFESSIONAL]


async def test_a_session_shows_the_profiles_of_its_application_only(
    sessions: PostgresSessions, accounts: PostgresAccounts, account_id: uuid.UUID
) -> None:
    await accounts.register(registration(DELEGATE))
    user = await sessions.user_of(await opened(sessions, account_id, ADMINISTRATION), ADMINISTRATION)
    assert user is not None
    assert [(profile.user_type, profile.entity_nit) for profile in user.profiles] == [
        (UserType.DELEGATE, "900123456")
    ]


async def test_a_placement_ends_the_session_that_it_opened(
    sessions: PostgresSessions, accounts: PostgresAccounts, links: PostgresPasswordLinks, clock: FakeClock
) -> None:
    facts = ProfileFacts(placement=PLACEMENT)
    account_id = (await accounts.register(registration(SOCIAL_SERVICE, facts=facts))).account_id
    await give_password(accounts, links, account_id)
    clock.time = MIDNIGHT_AFTER_THE_PLACEMENT - SECOND
    token = await opened(sessions, account_id, MIPRES)
    user = await sessions.user_of(token, MIPRES)
    assert user is not None
    assert [(item.site_name, item.ends_on, item.state) for item in user.profiles] == [
        ("Hospital de Ejemplo", PLACEMENT.end, AccessState.IN_FORCE)
    ]
    clock.advance(SECOND)
    assert await sessions.user_of(token, MIPRES) is None


async def test_another_profile_keeps_the_session_and_shows_the_ended_one(
    sessions: PostgresSessions, accounts: PostgresAccounts, account_id: uuid.UUID, clock: FakeClock
) -> None:
    facts = ProfileFacts(placement=PLACEMENT)
    await accounts.register(registration(SOCIAL_SERVICE, radicado="RM-000000000002", facts=facts))
    clock.time = MIDNIGHT_AFTER_THE_PLACEMENT
    user = await sessions.user_of(await opened(sessions, account_id, MIPRES), MIPRES)
    assert user is not None
    assert {profile.user_type: profile.state for profile in user.profiles} == {
        UserType.PROFESSIONAL: AccessState.IN_FORCE,
        UserType.SOCIAL_SERVICE: AccessState.ENDED,
    }


async def test_a_session_of_one_application_opens_no_other(
    sessions: PostgresSessions, account_id: uuid.UUID
) -> None:
    token = await opened(sessions, account_id, MIPRES)
    assert await sessions.user_of(token, ADMINISTRATION) is None
    assert await sessions.user_of(token, MIPRES) is not None


async def test_fifteen_idle_minutes_end_a_session(
    sessions: PostgresSessions, account_id: uuid.UUID, clock: FakeClock
) -> None:
    token = await opened(sessions, account_id, MIPRES)
    clock.advance(IDLE_LIMIT - SECOND)
    assert await sessions.user_of(token, MIPRES) is not None
    clock.advance(IDLE_LIMIT - SECOND)
    assert await sessions.user_of(token, MIPRES) is not None
    clock.advance(IDLE_LIMIT)
    assert await sessions.user_of(token, MIPRES) is None


async def test_twelve_hours_end_a_session_however_busy(
    sessions: PostgresSessions, account_id: uuid.UUID, clock: FakeClock
) -> None:
    token = await opened(sessions, account_id, MIPRES)
    end = clock.now() + ABSOLUTE_LIMIT
    while clock.now() < end - IDLE_LIMIT:
        clock.advance(IDLE_LIMIT - SECOND)
        assert await sessions.user_of(token, MIPRES) is not None
    clock.time = end - SECOND
    assert await sessions.user_of(token, MIPRES) is not None
    clock.time = end
    assert await sessions.user_of(token, MIPRES) is None


async def test_the_limits_are_those_that_the_security_page_promises() -> None:
    assert (timedelta(minutes=15), timedelta(hours=12)) == (IDLE_LIMIT, ABSOLUTE_LIMIT)


async def test_a_session_that_was_ended_stays_ended_and_others_go_on(
    sessions: PostgresSessions, account_id: uuid.UUID
) -> None:
    first, second = await opened(sessions, account_id, MIPRES), await opened(sessions, account_id, MIPRES)
    await sessions.end(first)
    await sessions.end(first)
    assert await sessions.user_of(first, MIPRES) is None
    assert await sessions.user_of(second, MIPRES) is not None


@pytest.mark.parametrize("token", ["", "x", "ñ", "' OR 1=1 --", "\x00"])
async def test_another_value_is_no_session(
    sessions: PostgresSessions, account_id: uuid.UUID, token: str
) -> None:
    await opened(sessions, account_id, MIPRES)
    assert await sessions.user_of(token, MIPRES) is None


@pytest.mark.parametrize(("door", "idle"), [(MIPRES, IDLE_LIMIT), (ADMINISTRATION, 0 * SECOND)])
async def test_a_login_takes_over_no_session_that_has_run_out_or_is_of_another_door(
    sessions: PostgresSessions,
    account_id: uuid.UUID,
    engine: AsyncEngine,
    clock: FakeClock,
    door: Application,
    idle: timedelta,
) -> None:
    former = await opened(sessions, account_id, door)
    clock.advance(idle)
    assert await sessions.open(account_id, MIPRES, verified_hash="hash", former=former)
    async with engine.connect() as connection:
        found = (await connection.execute(select(SessionRow.id_hash, SessionRow.application))).all()
    assert sorted(row.application for row in found) == sorted([door, MIPRES])
    assert hashlib.sha256(former.encode()).digest() in {row.id_hash for row in found}


async def test_only_a_hash_of_the_cookie_is_stored(
    sessions: PostgresSessions, account_id: uuid.UUID, engine: AsyncEngine
) -> None:
    token = await opened(sessions, account_id, MIPRES)
    async with engine.connect() as connection:
        stored = (await connection.execute(select(SessionRow.id_hash))).scalar_one()
    assert stored == hashlib.sha256(token.encode()).digest()
    assert len(token) >= 43


async def test_leaving_is_written_down_once(
    sessions: PostgresSessions, account_id: uuid.UUID, audit: PostgresAuditTrail
) -> None:
    token = await opened(sessions, account_id, MIPRES)
    await sessions.end(token)
    await sessions.end(token)
    entries = [entry for entry in await audit.entries(login="CC1020304050") if entry.type == "logout"]
    assert [entry.details["application"] for entry in entries] == ["mipres"]
