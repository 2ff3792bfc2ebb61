import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta

import pyotp
import pytest
from cryptography.exceptions import InvalidTag
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.access_notices import PostgresAccessNotices
from mipres.database.accounts import PostgresAccounts
from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import session_factory
from mipres.database.link_statements import lock_account
from mipres.database.lockouts import LoginLockouts
from mipres.database.own_account import PostgresOwnAccounts
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.second_factors import Holder, SecondFactors, reseal
from mipres.database.second_steps import SecondSteps
from mipres.database.sessions import PostgresSessions, SecondStepNeededError
from mipres.database.tables import AccountRow, RecoveryCodeRow, SecondFactorRow, SessionRow
from mipres.domain.applications import Application
from mipres.domain.lockout import FREE_FAILURES, STRANGERS_LIMIT, Origin
from mipres.domain.second_factor import SECOND_STEP_FOR, SETUP_FOR, Proof, guarded_factor, methods_of
from mipres.keys import SecretBox, UnknownBoxKeyError
from tests.database.stored_accounts import give_password, register
from tests.fakes import FakeClock

OLD, NEW = b"o" * 32, b"n" * 32
HERE = Origin(network="190.24.15.0/24")
STEP = timedelta(seconds=30)
MIPRES = Application.MIPRES


def box(active: str = "k1", **keys: bytes) -> SecretBox:
    return SecretBox(keys or {"k1": OLD}, active=active, purpose="second-factor")


@pytest.fixture
def factors(
    engine: AsyncEngine, lockouts: LoginLockouts, audit: PostgresAuditTrail, clock: FakeClock
) -> SecondFactors:
    return SecondFactors(engine, box=box(), keys=[b"hide"], lockouts=lockouts, audit=audit, clock=clock)


@pytest.fixture
async def holder(engine: AsyncEngine, accounts: PostgresAccounts, links: PostgresPasswordLinks) -> Holder:
    account_id = await register(accounts)
    await give_password(accounts, links, account_id)
    async with engine.connect() as connection:
        login = await connection.scalar(select(AccountRow.login).where(AccountRow.id == account_id))
    return Holder(login=str(login), account_id=account_id, amr=methods_of(Proof.PASSWORD, Proof.CODE))


def code(secret: str, clock: FakeClock) -> str:
    return pyotp.TOTP(secret).at(clock.now())


async def with_codes(factors: SecondFactors, holder: Holder, clock: FakeClock) -> tuple[str, tuple[str, ...]]:
    """Set codes up; the next code is one that was not used yet."""
    secret = await factors.begin_codes(holder)
    codes = await factors.confirm_codes(holder, code(secret, clock))
    assert codes is not None
    clock.advance(STEP)
    return secret, codes


async def test_codes_are_set_up_by_a_right_code_only(
    factors: SecondFactors, holder: Holder, clock: FakeClock
) -> None:
    secret = await factors.begin_codes(holder)
    assert await factors.begin_codes(holder) == secret, "two tabs show one secret"
    assert not (await factors.of(holder)).is_set_up
    assert await factors.confirm_codes(holder, "000000") is None
    assert not (await factors.of(holder)).is_set_up
    typed = code(secret, clock)
    codes = await factors.confirm_codes(holder, f"{typed[:3]} {typed[3:]}")
    assert codes is not None
    assert (len(set(codes)), {len(item) for item in codes}) == (10, {12})
    found = await factors.of(holder)
    assert (found.has_codes, found.recovery_codes_left) == (True, 10)
    assert await factors.confirm_codes(holder, typed) is None, "the secret waits no more"


async def test_of_two_sessions_that_set_the_first_factor_up_one_does(
    factors: SecondFactors, holder: Holder, clock: FakeClock
) -> None:
    """Both have shown the password alone, before either was done."""
    both = [replace(holder, amr=methods_of(Proof.PASSWORD))] * 2
    secret = await factors.begin_codes(holder)
    typed = code(secret, clock)
    taken = await asyncio.gather(*(factors.confirm_codes(each, typed) for each in both))
    assert sorted(codes is None for codes in taken) == [False, True]
    other = await factors.begin_codes(holder)
    assert await factors.confirm_codes(both[1], code(other, clock)) is None
    assert await factors.renew_recovery_codes(both[1]) == ()
    await factors.remove_codes(both[1])
    assert (await factors.of(holder)).recovery_codes_left == 10
    assert (await factors.of(holder)).has_codes


async def test_a_login_that_began_before_the_first_factor_asks_for_it(
    factors: SecondFactors, holder: Holder, clock: FakeClock, engine: AsyncEngine, audit: PostgresAuditTrail
) -> None:
    """The password was right before; the session would open after."""
    sessions = PostgresSessions(engine, audit=audit, clock=clock)
    assert holder.account_id
    await with_codes(factors, holder, clock)
    for proofs, opens in (
        ((Proof.PASSWORD,), False),
        ((Proof.PASSWORD, Proof.CODE), True),
        ((Proof.PASSKEY,), True),
    ):
        opening = sessions.open(holder.account_id, MIPRES, verified_hash="hash", proofs=proofs)
        if opens:
            assert await opening
        else:
            with pytest.raises(SecondStepNeededError):
                await opening


async def test_a_session_that_opens_while_the_others_are_ended_is_ended_too(
    holder: Holder, clock: FakeClock, engine: AsyncEngine, audit: PostgresAuditTrail
) -> None:
    sessions = PostgresSessions(engine, audit=audit, clock=clock)
    own = PostgresOwnAccounts(engine, audit=audit, clock=clock)
    assert holder.account_id
    token = await sessions.open(holder.account_id, MIPRES, verified_hash="hash") or ""
    user = await sessions.user_of(token, MIPRES)
    assert user is not None
    async with session_factory(engine).begin() as opening:
        await lock_account(opening, holder.account_id)
        ending = asyncio.create_task(own.end_other_sessions(user))
        await waits_for_a_row(engine)
        assert not ending.done()
        row = (await opening.scalars(select(SessionRow))).one()
        copy = {column.key: getattr(row, column.key) for column in SessionRow.__table__.columns}
        opening.add(SessionRow(**{**copy, "id": uuid.uuid4(), "id_hash": b"another"}))
    assert await ending == 1


@pytest.mark.parametrize("is_cut_off", [False, True])
async def test_the_first_factor_and_the_end_of_the_other_sessions_are_one(  # noqa: PLR0913 - fixtures.
    factors: SecondFactors,
    holder: Holder,
    clock: FakeClock,
    engine: AsyncEngine,
    audit: PostgresAuditTrail,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_cut_off: bool,
) -> None:
    sessions = PostgresSessions(engine, audit=audit, clock=clock)
    assert holder.account_id
    tokens = [await sessions.open(holder.account_id, MIPRES, verified_hash="hash") or "" for _ in range(2)]
    user = await sessions.user_of(tokens[0], MIPRES)
    assert user is not None
    here = replace(holder, amr=user.amr, session_id=user.session_id)
    right = code(await factors.begin_codes(here), clock)
    with monkeypatch.context() as patched:
        if is_cut_off:
            # What is written last fails, as when the process ends there.
            patched.setattr(PostgresAuditTrail, "record_in", cut_off)
            with pytest.raises(ConnectionResetError):
                await factors.confirm_codes(here, right)
        else:
            assert await factors.confirm_codes(here, right)
    assert (await factors.of(holder)).is_set_up is not is_cut_off
    live = [await sessions.user_of(token, MIPRES) is not None for token in tokens]
    assert live == [True, is_cut_off]
    if not is_cut_off:
        [*_, changed, ended] = await audit.entries(login=holder.login)
        assert (changed.type, ended.type, ended.details) == (
            "second_factor_changed",
            "sessions_ended",
            {"sessions": 1},
        )
        # Another factor beside the first ends nothing.
        await sessions.open(holder.account_id, MIPRES, verified_hash="hash", proofs=(Proof.PASSKEY,))
        more = await factors.begin_codes(replace(here, amr=holder.amr))
        clock.advance(STEP)
        assert await factors.confirm_codes(replace(here, amr=holder.amr), code(more, clock)) == ()
        async with engine.connect() as connection:
            assert await connection.scalar(select(func.count()).select_from(SessionRow)) == 2


async def cut_off(*_args: object, **_more: object) -> None:
    raise ConnectionResetError


async def waits_for_a_row(engine: AsyncEngine) -> None:
    """Return once a transaction of another waits for a lock."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with engine.connect() as connection:
        while not await connection.scalar(waiting):
            await connection.commit()


async def test_a_secret_is_seen_by_one_session(
    factors: SecondFactors, holder: Holder, clock: FakeClock
) -> None:
    """A stranger who knows the password has looked first."""
    stranger, owner = (
        replace(holder, session_id=uuid.uuid4(), amr=methods_of(Proof.PASSWORD)) for _ in range(2)
    )
    seen, own = await factors.begin_codes(stranger), await factors.begin_codes(owner)
    assert seen != own
    assert await factors.confirm_codes(stranger, code(own, clock)) is None
    assert await factors.confirm_codes(owner, code(seen, clock)) is None
    assert await factors.confirm_codes(owner, code(own, clock))
    clock.advance(STEP)
    assert (await factors.check(holder, code(seen, clock), HERE)).proof is None
    assert (await factors.check(holder, code(own, clock), HERE)).proof is Proof.CODE


async def test_a_secret_that_waited_too_long_is_replaced(
    factors: SecondFactors, holder: Holder, clock: FakeClock
) -> None:
    secret = await factors.begin_codes(holder)
    clock.advance(SETUP_FOR)
    assert await factors.confirm_codes(holder, code(secret, clock)) is None
    assert await factors.begin_codes(holder) != secret


async def test_a_code_is_right_once_and_none_before_it_ever_again(
    factors: SecondFactors, holder: Holder, clock: FakeClock
) -> None:
    secret = await factors.begin_codes(holder)
    setting_up = code(secret, clock)
    assert await factors.confirm_codes(holder, setting_up)
    assert (await factors.check(holder, setting_up, HERE)).proof is None, "used to set it up"
    clock.advance(2 * STEP)
    earlier, now = pyotp.TOTP(secret).at(clock.now() - STEP), code(secret, clock)
    assert (await factors.check(holder, now, HERE)).proof is Proof.CODE
    assert (await factors.check(holder, now, HERE)).proof is None
    assert (await factors.check(holder, earlier, HERE)).proof is None
    clock.advance(STEP)
    assert (await factors.check(holder, code(secret, clock), HERE)).proof is Proof.CODE


async def test_of_the_same_code_in_two_tabs_one_counts(
    factors: SecondFactors, holder: Holder, clock: FakeClock
) -> None:
    secret, codes = await with_codes(factors, holder, clock)
    for typed in (code(secret, clock), codes[0]):
        checks = await asyncio.gather(*(factors.check(holder, typed, HERE) for _ in range(4)))
        assert sum(item.proof is not None for item in checks) == 1


@pytest.mark.parametrize(("steps", "is_taken"), [(-2, False), (-1, True), (1, True), (2, False)])
async def test_a_clock_may_be_a_step_off(
    factors: SecondFactors, holder: Holder, clock: FakeClock, steps: int, *, is_taken: bool
) -> None:
    secret, _ = await with_codes(factors, holder, clock)
    clock.advance(5 * STEP)
    typed = pyotp.TOTP(secret).at(clock.now() + steps * STEP)
    assert ((await factors.check(holder, typed, HERE)).proof is Proof.CODE) == is_taken


async def test_a_recovery_code_works_once_however_it_is_typed(
    factors: SecondFactors, holder: Holder, clock: FakeClock, engine: AsyncEngine
) -> None:
    _, codes = await with_codes(factors, holder, clock)
    typed = f" {codes[3][:4]}-{codes[3][4:8]} {codes[3][8:]}".lower().replace("0", "o").replace("1", "l")
    assert (await factors.check(holder, typed, HERE)).proof is Proof.RECOVERY_CODE
    assert (await factors.check(holder, codes[3], HERE)).proof is None
    assert (await factors.of(holder)).recovery_codes_left == 9
    async with engine.connect() as connection:
        stored = (await connection.scalars(select(RecoveryCodeRow.code_hash))).all()
    assert not any(item.encode() in each for each in stored for item in codes)


async def test_a_new_list_ends_the_old_one(factors: SecondFactors, holder: Holder, clock: FakeClock) -> None:
    assert await factors.renew_recovery_codes(holder) == ()
    _, old = await with_codes(factors, holder, clock)
    new = await factors.renew_recovery_codes(holder)
    assert (await factors.check(holder, old[0], HERE)).proof is None
    assert (await factors.check(holder, new[0], HERE)).proof is Proof.RECOVERY_CODE


async def test_a_list_is_known_until_another_replaces_it(
    factors: SecondFactors, holder: Holder, clock: FakeClock
) -> None:
    _, old = await with_codes(factors, holder, clock)
    await factors.check(holder, old[0], HERE)
    assert await factors.has_list(holder, old)
    new = await factors.renew_recovery_codes(holder)
    assert (await factors.has_list(holder, old), await factors.has_list(holder, new)) == (False, True)
    await factors.remove_codes(holder)
    assert not await factors.has_list(holder, new)


async def test_recovery_codes_go_with_the_last_factor(
    factors: SecondFactors, holder: Holder, clock: FakeClock
) -> None:
    secret, codes = await with_codes(factors, holder, clock)
    await factors.remove_codes(holder)
    found = await factors.of(holder)
    assert (found.is_set_up, found.recovery_codes_left) == (False, 0)
    for typed in (code(secret, clock), codes[0]):
        assert (await factors.check(holder, typed, HERE)).proof is None


async def test_wrong_codes_lock_and_a_right_one_does_not_help(
    factors: SecondFactors, holder: Holder, clock: FakeClock, lockouts: LoginLockouts
) -> None:
    secret, _ = await with_codes(factors, holder, clock)
    for _ in range(FREE_FAILURES - 1):
        assert not (await factors.check(holder, "000000", HERE)).is_locked
    assert (await factors.check(holder, "000000", HERE)).is_locked
    held = await factors.check(holder, code(secret, clock), HERE)
    assert (held.proof, held.is_locked) == (None, True)
    assert not await lockouts.lift(holder.login), "a right password does not lift it"
    clock.advance(timedelta(minutes=1))
    assert (await factors.check(holder, code(secret, clock), HERE)).proof is Proof.CODE
    assert not await lockouts.lift(guarded_factor(holder.login)), "a right code lifts it"


async def test_who_guesses_codes_is_told_of_to_the_person_and_closed_out_at_last(
    factors: SecondFactors, holder: Holder, clock: FakeClock, engine: AsyncEngine
) -> None:
    secret, _ = await with_codes(factors, holder, clock)
    notices = PostgresAccessNotices(engine, clock=clock)
    titles = []
    for guess in range(STRANGERS_LIMIT):
        checked = await factors.check(holder, "000000", Origin(network=f"network {guess // 9}"))
        assert not checked.is_closed
        titles = [notice.words.title for notice in await notices.waiting(limit=99)]
        assert len(titles) == (2 if guess == STRANGERS_LIMIT - 1 else 1)
    assert "Escribieron su contraseña" in titles[-1]
    closed = await factors.check(holder, code(secret, clock), Origin(network="another"))
    assert (closed.proof, closed.is_closed) == (None, True)


async def test_each_change_is_mailed_and_written_down(
    factors: SecondFactors,
    holder: Holder,
    clock: FakeClock,
    engine: AsyncEngine,
    audit: PostgresAuditTrail,
) -> None:
    _, codes = await with_codes(factors, holder, clock)
    await factors.check(holder, codes[0], HERE)
    await factors.renew_recovery_codes(holder)
    await factors.remove_codes(holder)
    waiting = await PostgresAccessNotices(engine, clock=clock).waiting(limit=10)
    titles = [notice.words.title for notice in waiting]
    assert len(titles) == 4
    assert "pide ahora también un código" in titles[0]
    entries = list(await audit.entries(login=holder.login))
    changes = [entry.details["change"] for entry in entries if entry.type == "second_factor_changed"]
    assert changes == ["codes_added", "recovery_code_used", "recovery_codes_renewed", "codes_removed"]
    assert (await audit.verify()).is_intact


async def test_secrets_are_encrypted_and_follow_the_keys(
    factors: SecondFactors, holder: Holder, clock: FakeClock, engine: AsyncEngine
) -> None:
    secret, _ = await with_codes(factors, holder, clock)
    assert await reseal(engine, box()) == 0
    both = box("k2", k1=OLD, k2=NEW)
    assert (await reseal(engine, both), await reseal(engine, both)) == (1, 0)
    async with engine.connect() as connection:
        row = (await connection.execute(select(SecondFactorRow.id, SecondFactorRow.code_secret))).one()
    assert secret.encode() not in row.code_secret
    assert box("k2", k2=NEW).open(row.code_secret, row=row.id).decode() == secret
    with pytest.raises(UnknownBoxKeyError):
        box().open(row.code_secret, row=row.id)
    with pytest.raises(InvalidTag):
        both.open(row.code_secret, row=uuid.uuid4())


@pytest.fixture
def steps(engine: AsyncEngine, clock: FakeClock) -> SecondSteps:
    return SecondSteps(engine, clock=clock)


async def test_a_second_step_stands_for_minutes_and_for_one_password(
    steps: SecondSteps, holder: Holder, clock: FakeClock
) -> None:
    assert holder.account_id
    token = await steps.begin(holder.account_id, MIPRES, verified_hash="hash")
    found = await steps.of(token, MIPRES)
    assert found is not None
    assert (found.login, found.verified_hash) == (holder.login, "hash")
    assert await steps.of(token, Application.ADMINISTRATION) is None
    assert await steps.of("another", MIPRES) is None
    other = await steps.begin(holder.account_id, MIPRES, verified_hash="older")
    assert await steps.of(other, MIPRES) is None, "the password changed meanwhile"
    assert [await steps.end(token), await steps.end(token)] == [True, False]
    late = await steps.begin(holder.account_id, MIPRES, verified_hash="hash")
    clock.advance(SECOND_STEP_FOR)
    assert await steps.of(late, MIPRES) is None


async def test_a_session_says_how_its_person_was_authenticated(
    engine: AsyncEngine, audit: PostgresAuditTrail, holder: Holder, clock: FakeClock
) -> None:
    sessions = PostgresSessions(engine, audit=audit, clock=clock)
    assert holder.account_id
    token = await sessions.open(holder.account_id, MIPRES, verified_hash="hash")
    user = await sessions.user_of(token or "", MIPRES)
    assert user is not None
    assert (user.amr, user.authenticated_at) == (("pwd",), clock.now())
    clock.advance(timedelta(minutes=5))
    token, renewed_at = await sessions.prove(user, Proof.PASSWORD), clock.now()
    clock.advance(timedelta(minutes=5))
    proven = await sessions.prove(user, Proof.CODE)
    assert await sessions.user_of(token or "", MIPRES) is None, "the old value of the cookie is over"
    user = await sessions.user_of(proven or "", MIPRES)
    assert user is not None
    shown = ("pwd", "otp", "mfa"), renewed_at
    assert (user.amr, user.authenticated_at, user.proven_at) == (*shown, clock.now())
    clock.advance(timedelta(minutes=5))
    again = await sessions.user_of(await sessions.prove(user, Proof.PASSWORD) or "", MIPRES)
    assert again is not None
    assert (again.amr, again.authenticated_at, again.proven_at) == (*shown, clock.now())
