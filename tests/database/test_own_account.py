import uuid
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.access_notices import PostgresAccessNotices
from mipres.database.accounts import PostgresAccounts
from mipres.database.audit import PostgresAuditTrail
from mipres.database.own_account import PostgresOwnAccounts
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.retention import KNOWN_BROWSERS, PostgresRetention
from mipres.database.sessions import LoggedInUser, PostgresSessions, Visitor
from mipres.database.tables import AccountRow, KnownBrowserRow
from mipres.domain.accounts import ProfileFacts
from mipres.domain.applications import Application
from mipres.domain.links import LinkPurpose, LinkState
from tests.database.registrations import DELEGATE, PLACEMENT, SOCIAL_SERVICE, registration
from tests.database.stored_accounts import give_password, issue, register
from tests.fakes import FakeClock

MIPRES, ADMINISTRATION = Application.MIPRES, Application.ADMINISTRATION
HOME = Visitor(device="Firefox en Linux", network="190.24.15.0/24", browser="casa")
WORK = Visitor(device="Edge en Windows", network="190.24.16.0/24", browser="trabajo")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def sessions(engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock) -> PostgresSessions:
    return PostgresSessions(engine, audit=audit, clock=clock)


@pytest.fixture
def own(engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock) -> PostgresOwnAccounts:
    return PostgresOwnAccounts(engine, audit=audit, clock=clock)


@pytest.fixture
def notices(engine: AsyncEngine, clock: FakeClock) -> PostgresAccessNotices:
    return PostgresAccessNotices(engine, clock=clock)


@pytest.fixture
async def account_id(accounts: PostgresAccounts, links: PostgresPasswordLinks) -> uuid.UUID:
    account_id = await register(accounts)
    await give_password(accounts, links, account_id)
    return account_id


async def entered(
    sessions: PostgresSessions,
    account_id: uuid.UUID,
    visitor: Visitor = HOME,
    application: Application = MIPRES,
) -> tuple[str, LoggedInUser]:
    token = await sessions.open(account_id, application, verified_hash="hash", visitor=visitor)
    assert token is not None
    user = await sessions.user_of(token, application)
    assert user is not None
    return token, user


async def test_the_owner_knows_the_open_sessions_again(
    sessions: PostgresSessions, own: PostgresOwnAccounts, account_id: uuid.UUID, clock: FakeClock
) -> None:
    await entered(sessions, account_id, WORK)
    began = clock.now()
    clock.advance(MINUTE)
    _, user = await entered(sessions, account_id)
    listed = (await own.of(user)).sessions
    assert [(item.device, item.network, item.is_this) for item in listed] == [
        ("Firefox en Linux", "190.24.15.0/24", True),
        ("Edge en Windows", "190.24.16.0/24", False),
    ]
    assert (listed[1].since, user.previous_login_at) == (began, began)
    clock.advance(timedelta(minutes=14, seconds=59))
    assert len((await own.of(user)).sessions) == 1


async def test_the_first_login_has_none_before_it(sessions: PostgresSessions, account_id: uuid.UUID) -> None:
    _, user = await entered(sessions, account_id)
    assert user.previous_login_at is None


async def test_a_look_without_activity_keeps_no_session_alive(
    sessions: PostgresSessions, account_id: uuid.UUID, clock: FakeClock
) -> None:
    token, _ = await entered(sessions, account_id)
    clock.advance(timedelta(minutes=14))
    assert await sessions.user_of(token, MIPRES, is_active=False) is not None
    clock.advance(MINUTE)
    assert await sessions.user_of(token, MIPRES, is_active=False) is None


async def test_profiles_of_both_applications_are_shown(
    sessions: PostgresSessions, own: PostgresOwnAccounts, accounts: PostgresAccounts, account_id: uuid.UUID
) -> None:
    await accounts.register(registration(DELEGATE))
    facts = ProfileFacts(placement=PLACEMENT)
    await accounts.register(registration(SOCIAL_SERVICE, radicado="RM-000000000002", facts=facts))
    _, user = await entered(sessions, account_id, application=ADMINISTRATION)
    profiles = (await own.of(user)).profiles
    assert {(item.user_type.value, item.ends_on) for item in profiles} == {
        ("professional", None),
        ("delegate", None),
        ("social_service", PLACEMENT.end),
    }


async def test_one_session_is_ended_or_all_the_others(
    sessions: PostgresSessions, own: PostgresOwnAccounts, audit: PostgresAuditTrail, account_id: uuid.UUID
) -> None:
    tokens = [(await entered(sessions, account_id, visitor)) for visitor in (WORK, WORK, WORK, HOME)]
    mine = tokens[-1][1]
    assert await own.end_session(mine, tokens[0][1].session_id) == 1
    assert await own.end_session(mine, tokens[0][1].session_id) == 0
    assert await sessions.user_of(tokens[0][0], MIPRES) is None
    assert await sessions.user_of(tokens[1][0], MIPRES) is not None
    assert await own.end_other_sessions(mine) == 2
    assert await sessions.user_of(tokens[-1][0], MIPRES) is not None
    told = [(entry.type, entry.details) for entry in await audit.entries()][-2:]
    assert told == [("sessions_ended", {"sessions": 1}), ("sessions_ended", {"sessions": 2})]


async def test_nobody_ends_the_session_of_another(
    sessions: PostgresSessions,
    own: PostgresOwnAccounts,
    account_id: uuid.UUID,
) -> None:
    token, user = await entered(sessions, account_id)
    stranger = LoggedInUser(
        session_id=uuid.uuid4(),
        previous_login_at=None,
        account_id=uuid.uuid4(),
        login="CC1",
        full_name="",
        application=MIPRES,
        profiles=(),
        amr=("pwd",),
        authenticated_at=user.authenticated_at,
        proven_at=user.proven_at,
    )
    assert await own.end_session(stranger, user.session_id) == 0
    assert await own.end_other_sessions(stranger) == 0
    assert await sessions.user_of(token, MIPRES) is not None


async def test_a_changed_password_ends_the_other_sessions_and_the_links(  # noqa: PLR0913, PLR0917 - fixtures.
    sessions: PostgresSessions,
    own: PostgresOwnAccounts,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    audit: PostgresAuditTrail,
    notices: PostgresAccessNotices,
    account_id: uuid.UUID,
    clock: FakeClock,
) -> None:
    recovery = await issue(accounts, account_id, "r", purpose=LinkPurpose.RECOVER)
    other, _ = await entered(sessions, account_id, WORK, MIPRES)
    old, user = await entered(sessions, account_id, WORK)
    token = await own.change_password(user, verified_hash="hash", password_hash="new")
    assert token is not None
    assert await sessions.user_of(old, MIPRES) is None, "a copy of the cookie opens nothing"
    again = await sessions.user_of(token, MIPRES)
    assert again is not None
    assert again.session_id == user.session_id
    assert await sessions.user_of(other, MIPRES) is None
    assert await sessions.was_ended_by_new_password(other)
    assert (await links.link(recovery.token)).state is LinkState.SUPERSEDED
    entry = (await audit.entries())[-1]
    assert (entry.type, entry.actor, entry.details) == ("password_set", "citizen", {"purpose": "own_account"})
    (notice,) = await notices.waiting(limit=9)
    assert (notice.mail, notice.contact.password_set_at) == ("password_changed", clock.now())


async def test_what_changed_since_the_password_was_verified_changes_nothing(
    sessions: PostgresSessions,
    own: PostgresOwnAccounts,
    links: PostgresPasswordLinks,
    accounts: PostgresAccounts,
    engine: AsyncEngine,
    account_id: uuid.UUID,
) -> None:
    token, user = await entered(sessions, account_id)
    assert await own.change_password(user, verified_hash="older", password_hash="new") is None
    await sessions.end(token)
    assert await own.change_password(user, verified_hash="hash", password_hash="new") is None
    async with engine.connect() as connection:
        assert await connection.scalar(select(AccountRow.password_hash)) == "hash"


async def test_only_a_browser_that_is_new_beside_another_is_mailed_about(
    sessions: PostgresSessions, notices: PostgresAccessNotices, account_id: uuid.UUID
) -> None:
    await entered(sessions, account_id, HOME)
    await entered(sessions, account_id, HOME)
    await entered(sessions, account_id, Visitor())
    assert await notices.waiting(limit=9) == []
    await entered(sessions, account_id, WORK)
    await entered(sessions, account_id, WORK)
    await entered(sessions, account_id, HOME)
    (notice,) = await notices.waiting(limit=9)
    assert (notice.mail, notice.about) == ("new_browser", None)


async def test_a_browser_is_forgotten_with_its_cookie(
    sessions: PostgresSessions,
    engine: AsyncEngine,
    audit: PostgresAuditTrail,
    account_id: uuid.UUID,
    clock: FakeClock,
) -> None:
    await entered(sessions, account_id)
    async with engine.connect() as connection:
        kept = (await connection.execute(select(KnownBrowserRow.browser_hash))).scalar_one()
    assert (len(kept), b"casa" in kept) == (32, False)
    retention = PostgresRetention(engine, audit=audit, clock=clock)
    clock.advance(KNOWN_BROWSERS - MINUTE)
    assert (await retention.purge())["known_browsers"] == 0
    clock.advance(MINUTE)
    assert (await retention.purge())["known_browsers"] == 1
