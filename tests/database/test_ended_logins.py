"""What ends a login into applications, and what of it they still have to hear."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import delete, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database import grants
from mipres.database.accounts import PostgresAccounts
from mipres.database.address_changes import PostgresAddressChanges
from mipres.database.audit import PostgresAuditTrail
from mipres.database.credentials import Hasher, PostgresCredentials
from mipres.database.ended_logins import PostgresEndedLogins
from mipres.database.engine import session_factory
from mipres.database.grants import Asked, TokenKind
from mipres.database.lockouts import LoginLockouts
from mipres.database.own_account import PostgresOwnAccounts
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.retention import OIDC_TOKENS, PostgresRetention
from mipres.database.sessions import IDLE_LIMIT, PostgresSessions
from mipres.database.tables import AccountRow, OidcGrantRow, ProfileRow
from mipres.domain.applications import Application
from mipres.domain.audit import operator
from mipres.domain.clients import LogoutAnswer
from mipres.domain.documents import parse_document
from mipres.domain.eligibility import BOGOTA, today_in_bogota
from mipres.domain.links import LinkPurpose
from mipres.support.accounts import Decision, SupportAccounts
from mipres.support.joins import SupportJoins
from tests.database.registrations import DOCTOR, registration
from tests.database.stored_accounts import give_password, issue, register
from tests.fakes import HERE, FakeClock

ACTOR, REASON, PROOF = operator("ana"), "robaron el celular de la persona", "SOL-2026-118"
MIPRES = Application.MIPRES

End = Callable[[str, str], Awaitable[None]]


class Doors:
    """Sessions of one person, and the applications that they let the person into."""

    def __init__(
        self, engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock, account_id: uuid.UUID
    ) -> None:
        self._open, self._clock, self.account_id = session_factory(engine), clock, account_id
        self.sessions = PostgresSessions(engine, audit=audit, clock=clock)
        self.own = PostgresOwnAccounts(engine, audit=audit, clock=clock)
        lockouts = LoginLockouts(engine, key=b"k" * 32, clock=clock)
        self.decided = SupportAccounts(engine, lockouts=lockouts, audit=audit, clock=clock)
        self.ended = PostgresEndedLogins(engine, audit=audit, clock=clock)

    async def log_in(self, *, verified_hash: str = "hash") -> str:
        token = await self.sessions.open(self.account_id, MIPRES, verified_hash=verified_hash)
        assert token is not None
        return token

    async def enter(self, cookie: str, client_id: str = "app", *, uses_code: bool = True) -> str:
        """Let the session into an application; the access token that it got."""
        asked = Asked(
            client_id=client_id,
            redirect_uri="https://app.example/volver",
            scope="openid",
            nonce=None,
            code_challenge="c" * 43,
        )
        code, access, now = grants.new_value(), grants.new_value(), self._clock.now()
        async with self._open.begin() as session:
            login = await session.run_sync(lambda db: grants.login_of(db, cookie, now=now))
            assert login is not None
            await session.run_sync(lambda db: grants.open_grant(db, login, asked, code=code, now=now))
        if uses_code:
            async with self._open.begin() as session:
                grant = await session.run_sync(
                    lambda db: grants.claim_code(db, code, client_id, now=now, events=[])
                )
                assert grant is not None
                await session.run_sync(
                    lambda db: grants.store_token(
                        db, grant.id, TokenKind.ACCESS, access, scope="openid", now=now
                    )
                )
        return access

    async def revoke(self, access: str, client_id: str = "app") -> None:
        async with self._open.begin() as session:
            await session.run_sync(lambda db: grants.end_family(db, access, client_id, now=self._clock.now()))

    async def waiting(self) -> list[str]:
        """The applications that still have to hear, once for each session."""
        await self.ended.pass_over(silent=("without-address",))
        return [login.client_id for login in await self.ended.waiting(limit=9)]


@pytest.fixture
async def doors(
    engine: AsyncEngine,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    audit: PostgresAuditTrail,
    clock: FakeClock,
) -> Doors:
    account_id = await register(accounts)
    await give_password(accounts, links, account_id)
    return Doors(engine, audit, clock, account_id)


@pytest.fixture
def credentials(
    engine: AsyncEngine, hasher: Hasher, lockouts: LoginLockouts, audit: PostgresAuditTrail, clock: FakeClock
) -> PostgresCredentials:
    return PostgresCredentials(engine, hasher=hasher, lockouts=lockouts, audit=audit, clock=clock)


@pytest.fixture
def joins(
    engine: AsyncEngine, changes: PostgresAddressChanges, audit: PostgresAuditTrail, clock: FakeClock
) -> SupportJoins:
    return SupportJoins(engine, changes=changes, audit=audit, clock=clock)


@pytest.fixture
def end(
    engine: AsyncEngine,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    joins: SupportJoins,
    doors: Doors,
) -> End:
    """End the login of a cookie in one of the ways that there are."""

    async def new_password(cookie: str) -> None:
        user = await doors.sessions.user_of(cookie, MIPRES)
        assert user is not None
        assert await doors.own.change_password(user, verified_hash="hash", password_hash="new")

    async def recovery(_cookie: str) -> None:
        link = await issue(accounts, doors.account_id, "r", purpose=LinkPurpose.RECOVER)
        await links.set_password(link.token, "new")

    async def suspension(_cookie: str) -> None:
        await doors.decided.decide(Decision.SUSPEND, doors.account_id, reason=REASON, actor=ACTOR)

    async def end_sessions(_cookie: str) -> None:
        await doors.decided.decide(Decision.END_SESSIONS, doors.account_id, reason=REASON, actor=ACTOR)

    async def others(cookie: str) -> None:
        user = await doors.sessions.user_of(cookie, MIPRES)
        assert user is not None
        assert await doors.own.end_other_sessions(user) == 0

    async def join(_cookie: str) -> None:
        newer = replace(DOCTOR, document=parse_document("CE", "987654"))
        lasting = (await accounts.register(registration(newer, radicado="RM-000000000009"))).account_id
        await joins.join(doors.account_id, lasting, reason=REASON, proof=PROOF, actor=ACTOR)

    async def erasure(_cookie: str) -> None:
        async with engine.begin() as connection:
            await connection.execute(delete(AccountRow).where(AccountRow.id == doors.account_id))

    async def logout(cookie: str) -> None:
        await doors.sessions.end(cookie)

    ways = (logout, new_password, recovery, suspension, end_sessions, others, join, erasure)
    by_name = {way.__name__: way for way in ways}

    async def by(way: str, cookie: str) -> None:
        await by_name[way](cookie)

    return by


@pytest.mark.parametrize(
    "way", ["logout", "new_password", "recovery", "suspension", "end_sessions", "join", "erasure"]
)
async def test_whatever_ends_a_login_is_to_be_told_once_to_each_application(
    way: str, doors: Doors, end: End
) -> None:
    cookie = await doors.log_in()
    for client_id in ("app", "app", "other"):
        await doors.enter(cookie, client_id)
    assert await doors.waiting() == []
    await end(way, cookie)
    logins = await doors.ended.waiting(limit=9)
    assert [login.client_id for login in logins] == ["app", "other"]
    assert {login.account_id for login in logins} == {doors.account_id}
    assert len({login.session_id for login in logins}) == 1
    await doors.ended.settle(logins[0], LogoutAnswer.ACCEPTED)
    assert await doors.waiting() == ["other"]


async def test_an_account_without_a_password_has_no_open_grant(doors: Doors, engine: AsyncEngine) -> None:
    cookie = await doors.log_in()
    await doors.enter(cookie)
    async with engine.begin() as connection:
        await connection.execute(update(AccountRow).values(password_hash=None))
    assert await doors.waiting() == ["app"]
    # So a first password, which looks for no grant, leaves none open.
    with pytest.raises(IntegrityError, match="without a password"):
        await doors.enter(cookie)
    with pytest.raises(IntegrityError, match="without a password"):
        async with engine.begin() as connection:
            await connection.execute(update(OidcGrantRow).values(ended_at=None))


async def test_a_stronger_hash_of_the_same_password_ends_no_login(
    doors: Doors, end: End, engine: AsyncEngine, credentials: PostgresCredentials
) -> None:
    older = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1).hash("Clave-2026")
    async with engine.begin() as connection:
        await connection.execute(update(AccountRow).values(password_hash=older))
    cookie = await doors.log_in(verified_hash=older)
    await doors.enter(cookie)
    entered = (await credentials.authenticate("CC1020304050", "Clave-2026", MIPRES, origin=HERE)).account
    assert entered is not None
    assert entered.verified_hash != older
    assert await doors.waiting() == []
    await end("recovery", cookie)
    assert await doors.waiting() == ["app"]


async def test_another_session_of_the_person_goes_on(doors: Doors) -> None:
    first, second = await doors.log_in(), await doors.log_in()
    await doors.enter(first)
    await doors.enter(second, "other")
    await doors.sessions.end(first)
    assert await doors.waiting() == ["app"]


@pytest.mark.parametrize(
    "way", ["suspension", "end_sessions", "others", "new_password", "recovery", "erasure"]
)
async def test_a_session_that_has_run_out_ends_no_login_and_all_that_ends_the_access_still_does(
    way: str, doors: Doors, end: End, engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock
) -> None:
    await doors.enter(await doors.log_in())
    clock.advance(IDLE_LIMIT)
    cookie = await doors.log_in()
    assert (await PostgresRetention(engine, audit=audit, clock=clock).purge())["sessions"] == 1
    assert await doors.waiting() == []
    await end(way, cookie)
    assert await doors.waiting() == ["app"]


async def test_who_leaves_a_session_that_has_run_out_leaves_its_applications(
    doors: Doors, clock: FakeClock
) -> None:
    cookie = await doors.log_in()
    await doors.enter(cookie)
    clock.advance(IDLE_LIMIT)
    await doors.sessions.end(cookie)
    assert await doors.waiting() == ["app"]


@pytest.mark.parametrize("column", ["support_suspended_at", "sanctioned_at", "ended_at"])
async def test_a_profile_that_is_taken_away_ends_what_applications_know_of_it(
    column: str, doors: Doors, engine: AsyncEngine
) -> None:
    cookie = await doors.log_in()
    await doors.enter(cookie)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE profiles SET updated_at = now()"))
    assert await doors.waiting() == []
    async with engine.begin() as connection:
        await connection.execute(text(f"UPDATE profiles SET {column} = now()"))
    assert await doors.waiting() == ["app"]


SANCTION_THAT_IS_OVER = "sanctioned_at = now(), sanctioned_until = current_date - 3"


@pytest.mark.parametrize(
    ("before", "change", "ends"),
    [
        (SANCTION_THAT_IS_OVER, "sanctioned_until = NULL", True),
        (SANCTION_THAT_IS_OVER, "sanctioned_until = current_date + 9", True),
        (SANCTION_THAT_IS_OVER, "sanctioned_at = NULL, sanctioned_until = NULL", False),
        ("ends_on = current_date + 9", "ends_on = current_date - 3", True),
        ("ends_on = current_date + 9", "ends_on = current_date + 5", False),
        ("ends_on = current_date - 3", "ended_at = now()", False),
        ("support_suspended_at = now()", "sanctioned_at = now()", False),
        ("sanctioned_at = now()", "sanctioned_until = current_date + 9", False),
        ("ended_at = now()", "ended_at = NULL", False),
    ],
)
async def test_a_login_ends_with_each_change_that_takes_a_profile_its_force(
    before: str, change: str, doors: Doors, engine: AsyncEngine, *, ends: bool
) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(f"UPDATE profiles SET {before}"))
    cookie = await doors.log_in()
    await doors.enter(cookie)
    async with engine.begin() as connection:
        await connection.execute(text(f"UPDATE profiles SET {change}"))
    assert await doors.waiting() == (["app"] if ends else [])


async def test_a_login_ends_with_the_last_day_of_a_profile(
    doors: Doors, engine: AsyncEngine, clock: FakeClock
) -> None:
    last_day = today_in_bogota(clock.now())
    async with engine.begin() as connection:
        await connection.execute(update(ProfileRow).values(ends_on=last_day))
    await doors.enter(await doors.log_in())
    midnight = datetime.combine(last_day + timedelta(days=1), time(), BOGOTA)
    clock.advance(midnight - clock.now() - timedelta(seconds=1))
    await doors.ended.end_with_last_days()
    assert await doors.waiting() == []
    clock.advance(timedelta(seconds=1))
    await doors.ended.end_with_last_days()
    (login,) = await doors.ended.waiting(limit=9)
    assert login.ended_at == clock.now()
    await doors.ended.settle(login, LogoutAnswer.ACCEPTED)
    # Who gets in again has another profile.
    await doors.enter(await doors.log_in())
    await doors.ended.end_with_last_days()
    assert await doors.waiting() == []


async def test_a_round_that_comes_late_still_ends_what_is_over(
    doors: Doors, engine: AsyncEngine, clock: FakeClock
) -> None:
    async with engine.begin() as connection:
        await connection.execute(update(ProfileRow).values(ends_on=today_in_bogota(clock.now())))
    await doors.enter(await doors.log_in())
    clock.advance(grants.REFRESH_LIFETIME)
    await doors.ended.end_with_last_days()
    assert await doors.waiting() == ["app"]


async def test_who_cannot_be_told_or_never_heard_of_the_session_is_passed_over(doors: Doors) -> None:
    cookie = await doors.log_in()
    await doors.enter(cookie, "without-address")
    await doors.enter(cookie, "other", uses_code=False)
    await doors.sessions.end(cookie)
    assert len(await doors.ended.waiting(limit=9)) == 2
    assert await doors.waiting() == []


async def test_an_application_is_not_told_what_it_did_itself(doors: Doors) -> None:
    cookie = await doors.log_in()
    await doors.revoke(await doors.enter(cookie))
    await doors.sessions.end(cookie)
    assert await doors.waiting() == []


async def test_many_logouts_of_one_application_leave_room_for_the_others(
    doors: Doors, clock: FakeClock
) -> None:
    for client_id in ("app", "app", "app", "other"):
        clock.advance(timedelta(seconds=1))
        cookie = await doors.log_in()
        await doors.enter(cookie, client_id)
        await doors.sessions.end(cookie)
    found = await doors.ended.waiting(limit=1)
    assert [login.client_id for login in found] == ["app", "app", "other"]
    newest, oldest, _ = found
    assert newest.ended_at > oldest.ended_at


async def test_what_was_tried_in_vain_waits_behind_what_came_later(doors: Doors, clock: FakeClock) -> None:
    async def end_another() -> None:
        cookie = await doors.log_in()
        await doors.enter(cookie)
        await doors.sessions.end(cookie)

    await end_another()
    await end_another()
    newer, older = await doors.ended.waiting(limit=9)
    await doors.ended.put_off(newer)
    assert await doors.ended.waiting(limit=9) == [older, newer]
    clock.advance(timedelta(seconds=30))
    await doors.ended.put_off(older)
    await end_another()
    latest, *tried = await doors.ended.waiting(limit=9)
    assert tried == [newer, older]
    assert latest.ended_at > newer.ended_at


async def test_what_ended_after_the_list_was_read_has_its_own_turn(doors: Doors, end: End) -> None:
    """After a new password the same session may enter again, and be ended again."""
    cookie = await doors.log_in()
    access = await doors.enter(cookie)
    await end("new_password", cookie)
    (login,) = await doors.ended.waiting(limit=9)
    await doors.ended.settle(
        replace(login, ended_at=login.ended_at - timedelta(seconds=1)), LogoutAnswer.ACCEPTED
    )
    assert await doors.waiting() == ["app"]
    await doors.ended.settle(login, LogoutAnswer.ACCEPTED)
    await doors.revoke(access)
    assert await doors.waiting() == []


async def test_a_purge_leaves_what_is_still_to_be_told(
    doors: Doors, engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock
) -> None:
    retention = PostgresRetention(engine, audit=audit, clock=clock)
    cookie = await doors.log_in()
    await doors.enter(cookie)
    await doors.sessions.end(cookie)
    clock.advance(2 * OIDC_TOKENS)
    await retention.purge()
    await retention.purge()
    (login,) = await doors.ended.waiting(limit=9)
    await doors.ended.settle(login, LogoutAnswer.ACCEPTED)
    assert (await retention.purge())["oidc_grants"] == 1
