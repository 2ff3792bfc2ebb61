import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher, Type, extract_parameters
from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.accounts import PostgresAccounts
from mipres.database.audit import PostgresAuditTrail
from mipres.database.credentials import Authenticated, Hasher, PostgresCredentials
from mipres.database.lockouts import LoginLockouts
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.tables import AccountRow
from mipres.domain.access import AccessCause
from mipres.domain.accounts import ProfileFacts
from mipres.domain.applications import Application
from mipres.domain.documents import parse_document
from mipres.domain.lockout import Origin
from tests.database.registrations import DELEGATE, DOCTOR, PLACEMENT, SOCIAL_SERVICE, registration
from tests.database.stored_accounts import give_password, issue, register
from tests.fakes import HERE, FakeClock

WITHOUT_PASSWORD = replace(DOCTOR, document=parse_document("CC", "1020304051"))
OTHER = replace(DOCTOR, document=parse_document("CC", "1020304052"))
WITH_OTHER_PASSWORD = OTHER.document.login
LOGIN, PASSWORD = "CC1020304050", "Clave-ñandú-2026"


@pytest.fixture
def credentials(
    engine: AsyncEngine, hasher: Hasher, lockouts: LoginLockouts, audit: PostgresAuditTrail, clock: FakeClock
) -> PostgresCredentials:
    return PostgresCredentials(engine, hasher=hasher, lockouts=lockouts, audit=audit, clock=clock)


async def enter(credentials: PostgresCredentials, login: str, password: str) -> Authenticated | None:
    return (await credentials.authenticate(login, password, Application.MIPRES, origin=HERE)).account


async def test_the_right_password_opens_the_applications_of_the_profiles(
    credentials: PostgresCredentials, accounts: PostgresAccounts, links: PostgresPasswordLinks, hasher: Hasher
) -> None:
    account_id = await register(accounts)
    await give_password(accounts, links, account_id, await hasher.hash(PASSWORD))

    found = await enter(credentials, LOGIN, PASSWORD)

    assert found is not None
    assert (found.account_id, set(found.applications)) == (account_id, {Application.MIPRES})


async def test_a_delegate_who_is_a_professional_too_belongs_to_both_applications(
    credentials: PostgresCredentials, accounts: PostgresAccounts, links: PostgresPasswordLinks, hasher: Hasher
) -> None:
    account_id = await register(accounts)
    await accounts.register(registration(DELEGATE, radicado="RM-000000000002"))
    await give_password(accounts, links, account_id, await hasher.hash(PASSWORD))

    found = await enter(credentials, LOGIN, PASSWORD)

    assert found is not None
    assert found.applications == set(Application)


async def test_a_placement_opens_nothing_after_its_last_day_in_bogota(
    credentials: PostgresCredentials,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    hasher: Hasher,
    clock: FakeClock,
) -> None:
    facts = ProfileFacts(placement=PLACEMENT)
    account_id = (await accounts.register(registration(SOCIAL_SERVICE, facts=facts))).account_id
    await give_password(accounts, links, account_id, await hasher.hash(PASSWORD))
    midnight = datetime(2027, 6, 1, 5, tzinfo=UTC)

    clock.time = midnight - timedelta(seconds=1)
    last_day = await enter(credentials, LOGIN, PASSWORD)
    clock.time = midnight
    after = await enter(credentials, LOGIN, PASSWORD)

    assert last_day is not None
    assert after is not None
    assert set(last_day.applications) == {Application.MIPRES}
    assert last_day.access.closed(last_day.today) == ()
    assert not after.applications
    (ended,) = after.access.closed(after.today)
    assert (ended.site_name, ended.last_day) == ("Hospital de Ejemplo", PLACEMENT.end)
    assert ended.cause(after.today) is AccessCause.PLACEMENT_OVER


@pytest.mark.parametrize(
    ("login", "password"),
    [
        (LOGIN, "Clave-ñandú-2027"),
        (LOGIN, PASSWORD.lower()),
        (LOGIN, f"{PASSWORD} "),
        (LOGIN, ""),
        ("CC1020304051", PASSWORD),
        ("cc1020304050", PASSWORD),
        ("", PASSWORD),
        ("' OR 1=1 --", PASSWORD),
        ("CC1020304050\x00", PASSWORD),
        ("\ud800", PASSWORD),
        ("x" * 10_000, "x" * 10_000),
    ],
)
async def test_another_login_or_password_opens_nothing(
    credentials: PostgresCredentials,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    hasher: Hasher,
    login: str,
    password: str,
) -> None:
    await give_password(accounts, links, await register(accounts), await hasher.hash(PASSWORD))
    assert await enter(credentials, login, password) is None


async def test_an_account_without_a_password_opens_nothing(
    credentials: PostgresCredentials, accounts: PostgresAccounts
) -> None:
    await register(accounts)
    for password in ("", "None", PASSWORD):
        assert await enter(credentials, LOGIN, password) is None


async def test_whoever_waits_for_a_hash_keeps_no_connection(
    engine: AsyncEngine,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    credentials: PostgresCredentials,
    hasher: Hasher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await give_password(accounts, links, await register(accounts), await hasher.hash(PASSWORD))
    kept: list[str] = []

    async def verify(_hash: str | None, _password: str) -> bool:
        kept.append(engine.pool.status())
        return True

    monkeypatch.setattr(hasher, "verify", verify)
    assert await enter(credentials, LOGIN, PASSWORD)
    assert "Current Checked out connections: 0" in kept[0]


async def test_a_hash_is_argon2id_with_the_parameters_of_owasp() -> None:
    parameters = extract_parameters(await Hasher().hash(PASSWORD))
    assert parameters.type is Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19_456, 2, 1)
    assert (parameters.salt_len, parameters.hash_len) == (16, 32)


async def test_one_password_has_two_hashes(hasher: Hasher) -> None:
    first, second = await asyncio.gather(hasher.hash(PASSWORD), hasher.hash(PASSWORD))
    assert first != second
    assert await hasher.verify(first, PASSWORD)
    assert await hasher.verify(second, PASSWORD)


async def test_without_a_hash_a_real_one_is_computed_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked: list[str] = []

    def matches(password_hash: str, _password: str) -> bool:
        checked.append(password_hash)
        return True

    monkeypatch.setattr("mipres.database.credentials._matches", matches)
    assert not await Hasher().verify(None, PASSWORD)
    assert extract_parameters(checked[0]).memory_cost == 19_456


# ---- Failures in a row


async def fail(credentials: PostgresCredentials, times: int, login: str = LOGIN) -> list[bool]:
    """Fail so often; whether each time the person had to hear of a lock."""
    results = [
        await credentials.authenticate(login, "Otra-clave-1", Application.MIPRES, origin=HERE)
        for _ in range(times)
    ]
    assert [result.account for result in results] == [None] * times
    return [result.tell_lock for result in results]


async def with_password(accounts: PostgresAccounts, links: PostgresPasswordLinks, hasher: Hasher) -> None:
    await give_password(accounts, links, await register(accounts), await hasher.hash(PASSWORD))


async def test_ten_failures_lock_even_the_right_password_for_a_minute(
    credentials: PostgresCredentials,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    hasher: Hasher,
    clock: FakeClock,
) -> None:
    await with_password(accounts, links, hasher)
    assert await fail(credentials, 9) == [False] * 9
    assert await enter(credentials, LOGIN, PASSWORD)
    assert await fail(credentials, 10) == [False] * 9 + [True]
    assert await enter(credentials, LOGIN, PASSWORD) is None
    clock.advance(timedelta(seconds=59))
    assert await enter(credentials, LOGIN, PASSWORD) is None
    clock.advance(timedelta(seconds=1))
    assert await enter(credentials, LOGIN, PASSWORD)


async def test_a_lock_doubles_up_to_a_quarter_of_an_hour_and_no_failure_makes_it_longer(
    credentials: PostgresCredentials,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    hasher: Hasher,
    clock: FakeClock,
) -> None:
    await with_password(accounts, links, hasher)
    await fail(credentials, 9)
    for minutes in (1, 2, 4, 8, 15, 15):
        await fail(credentials, 1)
        clock.advance(timedelta(minutes=minutes) - timedelta(seconds=1))
        # Failures of a locked login are not counted.
        await fail(credentials, 3)
        clock.advance(timedelta(seconds=1))
    assert await enter(credentials, LOGIN, PASSWORD)
    assert await fail(credentials, 9) == [False] * 9
    assert await enter(credentials, LOGIN, PASSWORD)


async def test_failures_of_another_day_are_forgotten(
    credentials: PostgresCredentials, clock: FakeClock
) -> None:
    await fail(credentials, 9)
    clock.advance(timedelta(days=1))
    assert await fail(credentials, 1) == [False]


async def test_the_person_is_told_once_a_day(lockouts: LoginLockouts, clock: FakeClock) -> None:
    own = Origin(network="203.0.113.0/24", device="a browser of the owner")
    turns = [await lockouts.begin(LOGIN, own) for _ in range(10)]
    assert [turn.is_worth_telling for turn in turns] == [False] * 9 + [True]
    told = []
    for _ in range(50):
        clock.advance(timedelta(minutes=30))
        told.append((await lockouts.begin(LOGIN, own)).is_worth_telling)
    assert told.count(True) == 1


async def test_attempts_of_the_same_moment_are_counted_one_by_one(
    credentials: PostgresCredentials, accounts: PostgresAccounts, links: PostgresPasswordLinks, hasher: Hasher
) -> None:
    await with_password(accounts, links, hasher)
    wrong = [
        credentials.authenticate(LOGIN, f"Otra-clave-{n}", Application.MIPRES, origin=HERE) for n in range(14)
    ]
    results = await asyncio.gather(*wrong)
    assert [result.tell_lock for result in results].count(True) == 1
    assert await enter(credentials, LOGIN, PASSWORD) is None


async def test_lifting_opens_at_once(
    credentials: PostgresCredentials,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    hasher: Hasher,
    lockouts: LoginLockouts,
) -> None:
    await with_password(accounts, links, hasher)
    await fail(credentials, 11)
    assert await lockouts.lift(LOGIN.lower())
    assert not await lockouts.lift(LOGIN)
    assert await enter(credentials, LOGIN, PASSWORD)


async def test_a_login_in_other_letters_is_the_same_login(lockouts: LoginLockouts) -> None:
    turns = [await lockouts.begin(login, HERE) for login in ("cc1", "Cc1", "CC1", "cC1") * 3]
    assert [turn.locks for turn in turns] == [False] * 9 + [True] + [False] * 2
    assert [turn.is_locked for turn in turns] == [False] * 10 + [True] * 2


@pytest.fixture
def costly_credentials(
    engine: AsyncEngine, lockouts: LoginLockouts, audit: PostgresAuditTrail, clock: FakeClock
) -> PostgresCredentials:
    return PostgresCredentials(engine, hasher=Hasher(), lockouts=lockouts, audit=audit, clock=clock)


async def test_every_kind_of_failure_takes_the_same_work(
    engine: AsyncEngine,
    costly_credentials: PostgresCredentials,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hasher = Hasher()
    await with_password(accounts, links, hasher)
    await accounts.register(registration(WITHOUT_PASSWORD, radicado="RM-000000000003"))
    await fail(costly_credentials, 11)
    work: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        work.append(statement)

    def matches(password_hash: str, password: str) -> bool:
        work.append(f"hash of {extract_parameters(password_hash).memory_cost}")
        return _matches(password_hash, password)

    from mipres.database.credentials import _matches

    monkeypatch.setattr("mipres.database.credentials._matches", matches)
    event.listen(engine.sync_engine, "before_cursor_execute", note)
    done = {}
    attempts = {
        "unknown": ("CC70999900", PASSWORD),
        "wrong password": (WITH_OTHER_PASSWORD, "Otra-clave-1"),
        "no password yet": (WITHOUT_PASSWORD.document.login, PASSWORD),
        "locked, wrong password": (LOGIN, "Otra-clave-1"),
        "locked, right password": (LOGIN, PASSWORD),
    }
    other = (await accounts.register(registration(OTHER, radicado="RM-000000000004"))).account_id
    await links.set_password((await issue(accounts, other, "enlace-2")).token, await hasher.hash(PASSWORD))
    for kind, (login, password) in attempts.items():
        # The first attempt opens the row that counts; from the second on all are alike.
        for _ in range(2):
            work.clear()
            assert await enter(costly_credentials, login, password) is None
        done[kind] = list(work)
    counted = done.pop("unknown")
    assert "hash of 19456" in counted
    for kind, statements in done.items():
        if kind.startswith("locked"):
            # Not counted: two short updates less, each of one row by its key.
            assert [s for s in counted if not s.startswith("UPDATE login_")] == statements, kind
        else:
            assert statements == counted, kind


async def test_every_attempt_is_in_the_trail_with_its_cause_and_nothing_personal(
    credentials: PostgresCredentials,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    hasher: Hasher,
    audit: PostgresAuditTrail,
) -> None:
    await with_password(accounts, links, hasher)
    await enter(credentials, LOGIN, PASSWORD)
    await credentials.authenticate(LOGIN, PASSWORD, Application.ADMINISTRATION, origin=HERE)
    await fail(credentials, 11)
    entries = [entry for entry in await audit.entries(login=LOGIN) if entry.type.startswith("login")]
    assert [(entry.type, entry.details["cause"]) for entry in entries] == [
        ("login_failed", "password_right"),
        *[("login_failed", "wrong_credentials")] * 9,
        ("login_locked", "wrong_credentials"),
        ("login_failed", "locked"),
    ]
    assert LOGIN not in str(entries)


async def test_an_older_hash_is_made_anew_at_the_next_login(
    costly_credentials: PostgresCredentials,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    engine: AsyncEngine,
) -> None:
    weaker = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash(PASSWORD)
    await give_password(accounts, links, await register(accounts), weaker)

    async def stored() -> str:
        async with engine.connect() as connection:
            return str((await connection.execute(select(AccountRow.password_hash))).scalar_one())

    assert await enter(costly_credentials, LOGIN, "Otra-clave-1") is None
    assert await stored() == weaker
    assert await enter(costly_credentials, LOGIN, PASSWORD)
    fresh = await stored()
    assert extract_parameters(fresh).memory_cost == 19_456
    assert await enter(costly_credentials, LOGIN, PASSWORD)
    assert await stored() == fresh


async def test_two_logins_that_renew_one_hash_both_stand(
    engine: AsyncEngine,
    credentials: PostgresCredentials,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    hasher: Hasher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    older = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1).hash(PASSWORD)
    await give_password(accounts, links, await register(accounts), older)
    both, renewed = asyncio.Barrier(2), hasher.hash

    async def renewed_by_both(password: str) -> str:
        await both.wait()
        return await renewed(password)

    monkeypatch.setattr(hasher, "hash", renewed_by_both)
    entered = await asyncio.gather(*(enter(credentials, LOGIN, PASSWORD) for _ in range(2)))
    async with engine.connect() as connection:
        standing = await connection.scalar(select(AccountRow.password_hash))
    assert [found and found.verified_hash for found in entered] == [standing] * 2


async def test_a_lock_outlives_a_rotation_of_the_secret(
    engine: AsyncEngine, lockouts: LoginLockouts, clock: FakeClock
) -> None:
    for _ in range(10):
        await lockouts.begin(LOGIN, HERE)
    rotated = LoginLockouts(engine, key=b"n" * 32, older_keys=(b"l" * 32,), clock=clock)
    assert (await rotated.begin(LOGIN, HERE)).is_locked
    # Nine more failures do not count from the beginning.
    clock.advance(timedelta(minutes=1))
    assert (await rotated.begin(LOGIN, HERE)).locks
    assert await rotated.lift(LOGIN)
    assert not (await rotated.begin(LOGIN, HERE)).locks
