"""Guesses from elsewhere: they stay bounded, and the owner gets in."""

from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.accounts import PostgresAccounts
from mipres.database.audit import PostgresAuditTrail
from mipres.database.credentials import Hasher, LoginResult, PostgresCredentials
from mipres.database.lockouts import LoginLockouts
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.retention import PostgresRetention
from mipres.database.sessions import PostgresSessions
from mipres.domain.applications import Application
from mipres.domain.links import LinkPurpose
from mipres.domain.lockout import (
    CAPTCHA_AFTER,
    FREE_FAILURES,
    HARD_LIMIT,
    KEPT_FOR,
    STRANGERS_LIMIT,
    Gate,
    Origin,
)
from tests.database.stored_accounts import give_password, issue, register
from tests.fakes import FakeClock

LOGIN, UNKNOWN, PASSWORD = "CC1020304050", "CC70999900", "Clave-ñandú-2026"
HOME = Origin(network="198.51.100.0/24")
KNOWN = Origin(network="198.51.100.0/24", device="the owner's browser")


def elsewhere(number: int) -> Origin:
    """One of many networks, none of which is locked before its tenth failure."""
    return Origin(network=f"10.0.{number // (FREE_FAILURES - 1)}.0/24")


class Door:
    """The login of one product."""

    def __init__(self, credentials: PostgresCredentials) -> None:
        self._credentials = credentials

    async def enter(
        self, origin: Origin, password: str = PASSWORD, *, login: str = LOGIN, is_human: bool = False
    ) -> LoginResult:
        return await self._credentials.authenticate(
            login, password, Application.MIPRES, origin=origin, is_human=is_human
        )

    async def guess(self, times: int, login: str = LOGIN) -> list[LoginResult]:
        """Guess from many networks, with all the captchas that are asked for."""
        guesses = [
            await self.enter(elsewhere(number), "equivocada", login=login, is_human=True)
            for number in range(times)
        ]
        assert not any(result.account for result in guesses)
        return guesses


@pytest.fixture
def credentials(
    engine: AsyncEngine, hasher: Hasher, lockouts: LoginLockouts, audit: PostgresAuditTrail, clock: FakeClock
) -> PostgresCredentials:
    return PostgresCredentials(engine, hasher=hasher, lockouts=lockouts, audit=audit, clock=clock)


@pytest.fixture
async def door(
    credentials: PostgresCredentials, accounts: PostgresAccounts, links: PostgresPasswordLinks, hasher: Hasher
) -> Door:
    await give_password(accounts, links, await register(accounts), await hasher.hash(PASSWORD))
    return Door(credentials)


async def test_ten_wrong_passwords_lock_their_network_alone(door: Door) -> None:
    stranger = Origin(network="192.0.2.0/24")
    for _ in range(FREE_FAILURES):
        await door.enter(stranger, "equivocada")
    assert (await door.enter(stranger)).account is None
    assert (await door.enter(HOME)).account


async def test_beyond_the_backstop_a_captcha_is_asked_and_a_known_browser_needs_none(door: Door) -> None:
    guesses = await door.guess(60)
    assert [result.asks_captcha for result in guesses].index(True) == CAPTCHA_AFTER - 1
    asked = await door.enter(HOME)
    assert (asked.account, asked.is_unjudged, asked.is_closed) == (None, True, False)
    assert (await door.enter(HOME, is_human=True)).account
    assert not (await door.enter(HOME)).is_unjudged
    await door.guess(60)
    assert (await door.enter(KNOWN)).account


async def test_an_attempt_without_the_captcha_is_not_counted(door: Door, lockouts: LoginLockouts) -> None:
    await door.guess(CAPTCHA_AFTER)
    for _ in range(HARD_LIMIT):
        assert (await door.enter(HOME, "equivocada")).is_unjudged
    assert (await door.enter(HOME, is_human=True)).account


async def test_a_known_browser_has_its_own_lock(door: Door, clock: FakeClock) -> None:
    for _ in range(FREE_FAILURES):
        await door.enter(KNOWN, "equivocada")
    assert (await door.enter(KNOWN)).account is None
    clock.advance(timedelta(minutes=1))
    assert (await door.enter(KNOWN)).account


async def test_no_password_is_checked_after_a_hundred_failures_in_a_row(
    door: Door, hasher: Hasher, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str | None] = []
    verify = hasher.verify

    async def noted(password_hash: str | None, password: str) -> bool:
        checked.append(password_hash)
        return await verify(password_hash, password)

    monkeypatch.setattr(hasher, "verify", noted)
    turns = await door.guess(HARD_LIMIT)
    assert [turn.is_closed for turn in turns] == [False] * STRANGERS_LIMIT + [True] * 10
    for _ in range(FREE_FAILURES):
        assert not (await door.enter(KNOWN, "equivocada")).is_closed
    clock.advance(KEPT_FOR * 2)
    for origin in (HOME, KNOWN, Origin(network="192.0.2.0/24", device="another browser")):
        result = await door.enter(origin, is_human=True)
        assert (result.account, result.is_closed) == (None, True)


async def test_strangers_leave_the_owners_browser_its_share(door: Door) -> None:
    await door.guess(HARD_LIMIT)
    assert (await door.enter(HOME, is_human=True)).is_closed
    assert (await door.enter(KNOWN)).account
    assert (await door.enter(HOME)).account


async def test_an_unknown_login_gets_the_same_answers(door: Door) -> None:
    assert await door.guess(HARD_LIMIT) == await door.guess(HARD_LIMIT, UNKNOWN)
    assert await door.enter(HOME) == await door.enter(HOME, login=UNKNOWN)


async def test_a_password_set_by_recovery_opens_it_and_the_attacker_starts_again(
    door: Door, accounts: PostgresAccounts, links: PostgresPasswordLinks, hasher: Hasher
) -> None:
    await door.guess(HARD_LIMIT)
    account_id = await register(accounts)
    link = await issue(accounts, account_id, "enlace-2", purpose=LinkPurpose.RECOVER)
    await links.set_password(link.token, await hasher.hash(PASSWORD))
    await door.guess(60)
    assert (await door.enter(KNOWN)).account
    assert (await door.enter(HOME)).account


async def test_unlocking_clears_every_count(door: Door, lockouts: LoginLockouts) -> None:
    await door.guess(HARD_LIMIT)
    for _ in range(FREE_FAILURES):
        await door.enter(KNOWN, "equivocada")
    assert await lockouts.lift(LOGIN)
    for origin in (KNOWN, elsewhere(0)):
        turn = await lockouts.begin(LOGIN, origin)
        assert (turn.gate, turn.asks_captcha) == (Gate.OPEN, False)


async def test_what_a_hundred_failures_closed_no_time_opens(
    door: Door,
    engine: AsyncEngine,
    audit: PostgresAuditTrail,
    clock: FakeClock,
) -> None:
    await door.guess(HARD_LIMIT)
    clock.advance(KEPT_FOR * 2)
    await PostgresRetention(engine, audit=audit, clock=clock).purge()
    assert (await door.enter(HOME, is_human=True)).is_closed


async def test_a_success_is_recorded_with_its_session_only(
    door: Door, engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock
) -> None:
    sessions = PostgresSessions(engine, audit=audit, clock=clock)
    account = (await door.enter(HOME)).account
    assert account is not None

    async def events() -> list[str]:
        return [entry.type for entry in await audit.entries(login=LOGIN) if entry.type.startswith("login")]

    assert await events() == []
    assert await sessions.open(account.account_id, Application.MIPRES, verified_hash="another") is None
    assert await events() == ["login_failed"]
    await sessions.open(account.account_id, Application.MIPRES, verified_hash=account.verified_hash)
    assert await events() == ["login_failed", "login_succeeded"]
