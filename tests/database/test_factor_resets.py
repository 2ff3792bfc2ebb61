"""A reset of a second factor waits, and its person can stop it."""

import uuid
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.access_notices import PostgresAccessNotices
from mipres.database.accounts import PostgresAccounts
from mipres.database.address_changes import PostgresAddressChanges
from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import session_factory
from mipres.database.factor_resets import PostgresFactorResets, waiting_reset
from mipres.database.lockouts import LoginLockouts
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.second_factors import Holder, SecondFactors
from mipres.database.sessions import PostgresSessions
from mipres.database.tables import AccountRow
from mipres.domain.address_changes import ChangeState
from mipres.domain.applications import Application
from mipres.domain.audit import CITIZEN, PRODUCT, operator
from mipres.domain.errors import LinkNotUsableError
from mipres.domain.factor_resets import RESET_WAIT, ResetRefusedError
from mipres.domain.second_factor import Proof
from mipres.keys import LinkTokens, SecretBox
from tests.database.registrations import ANA, DOCTOR
from tests.database.stored_accounts import RADICADO, give_password, register
from tests.fakes import FakeClock

LOGIN, ACTOR, REASON = "CC1020304050", operator("ana"), "la persona perdió el teléfono"
ASKED = {"reason": REASON, "actor": ACTOR}
OTHER = "otra@ejemplo.test"


@pytest.fixture
def factors(
    engine: AsyncEngine, lockouts: LoginLockouts, audit: PostgresAuditTrail, clock: FakeClock
) -> SecondFactors:
    box = SecretBox({"k1": b"o" * 32}, active="k1", purpose="second-factor")
    return SecondFactors(engine, box=box, keys=[b"hide"], lockouts=lockouts, audit=audit, clock=clock)


@pytest.fixture
def resets(
    engine: AsyncEngine, lockouts: LoginLockouts, audit: PostgresAuditTrail, clock: FakeClock
) -> PostgresFactorResets:
    tokens = LinkTokens(b"r" * 32)
    return PostgresFactorResets(engine, tokens=tokens, lockouts=lockouts, audit=audit, clock=clock)


@pytest.fixture
async def account_id(accounts: PostgresAccounts, links: PostgresPasswordLinks) -> uuid.UUID:
    account_id = await register(accounts)
    await give_password(accounts, links, account_id)
    return account_id


@pytest.fixture
async def holder(factors: SecondFactors, account_id: uuid.UUID, clock: FakeClock) -> Holder:
    holder = Holder(login=LOGIN, account_id=account_id)
    secret = await factors.begin_codes(holder)
    assert await factors.confirm_codes(holder, pyotp.TOTP(secret).at(clock.now()))
    return holder


def owner(holder: Holder) -> uuid.UUID:
    assert holder.account_id is not None
    return holder.account_id


async def asked(resets: PostgresFactorResets, account_id: uuid.UUID) -> uuid.UUID:
    found = await resets.ask(account_id, **ASKED)
    assert found is not None
    return found[0]


async def notified(resets: PostgresFactorResets, reset_id: uuid.UUID) -> str:
    """Do what the step does that mails the notice; the token in it."""
    reset = await resets.prepare(reset_id)
    assert reset is not None
    await resets.mark_notified(reset_id)
    return reset.token


async def told(audit: PostgresAuditTrail) -> list[tuple[str, str, object]]:
    entries = await audit.entries(login=LOGIN)
    return [
        (entry.type, entry.actor, entry.details.get("cause"))
        for entry in entries
        if entry.type.startswith("factor_reset")
    ]


async def test_a_day_after_the_notice_the_factor_and_the_sessions_go(
    resets: PostgresFactorResets,
    factors: SecondFactors,
    holder: Holder,
    engine: AsyncEngine,
    audit: PostgresAuditTrail,
    clock: FakeClock,
) -> None:
    account_id = owner(holder)
    sessions = PostgresSessions(engine, audit=audit, clock=clock)
    verified = await _hash_of(engine, account_id)
    opened = await sessions.open(
        account_id, Application.MIPRES, verified_hash=verified, proofs=(Proof.PASSWORD, Proof.CODE)
    )
    assert opened
    reset_id = await asked(resets, account_id)
    clock.advance(timedelta(days=3))
    assert (await resets.carry_out(reset_id)).remaining == RESET_WAIT, "no one was notified yet"
    token = await notified(resets, reset_id)
    clock.advance(RESET_WAIT - timedelta(seconds=1))
    assert (await resets.carry_out(reset_id)).remaining == timedelta(seconds=1)
    assert (await factors.of(holder)).is_set_up
    clock.advance(timedelta(seconds=1))
    assert (await resets.carry_out(reset_id)).remaining is None
    found = await factors.of(holder)
    assert (found.is_set_up, found.recovery_codes_left) == (False, 0)
    async with engine.connect() as connection:
        assert (await connection.exec_driver_sql("SELECT count(*) FROM sessions")).scalar() == 0
    notices = await PostgresAccessNotices(engine, clock=clock).waiting(limit=10)
    assert notices[-1].words.title == "Soporte quitó el segundo factor de su cuenta"
    assert await told(audit) == [("factor_reset_asked", ACTOR, None), ("factor_reset_done", PRODUCT, None)]
    with pytest.raises(LinkNotUsableError):
        await resets.stop(token)
    assert (await resets.view(token)).state is ChangeState.APPLIED


async def _hash_of(engine: AsyncEngine, account_id: uuid.UUID) -> str:
    async with session_factory(engine)() as session:
        account = await session.get_one(AccountRow, account_id)
        return str(account.password_hash)


async def test_the_person_stops_it_for_good(
    resets: PostgresFactorResets,
    factors: SecondFactors,
    holder: Holder,
    account_id: uuid.UUID,
    audit: PostgresAuditTrail,
    clock: FakeClock,
) -> None:
    reset_id = await asked(resets, account_id)
    token = await notified(resets, reset_id)
    assert (await resets.view(token)).login_hint != LOGIN
    assert await resets.stop(token) == reset_id
    clock.advance(2 * RESET_WAIT)
    progress = await resets.carry_out(reset_id)
    assert (progress.remaining, progress.is_stopped) == (None, True)
    assert (await factors.of(holder)).is_set_up
    assert (await told(audit))[1:] == [("factor_reset_stopped", CITIZEN, None)]
    with pytest.raises(LinkNotUsableError):
        await resets.stop(token)
    assert await asked(resets, account_id) != reset_id


async def test_support_cancels_one_that_waits_and_no_other(
    resets: PostgresFactorResets, holder: Holder, account_id: uuid.UUID, audit: PostgresAuditTrail
) -> None:
    reset_id = await asked(resets, account_id)
    await notified(resets, reset_id)
    assert await resets.cancel(account_id, **ASKED) == reset_id
    assert await resets.prepare(reset_id) is None
    assert not (await resets.carry_out(reset_id)).is_stopped
    assert (await told(audit))[1:] == [("factor_reset_withdrawn", ACTOR, "support")]
    with pytest.raises(ResetRefusedError, match="ningún restablecimiento"):
        await resets.cancel(account_id, **ASKED)


async def test_asked_twice_is_one_reset_whose_clock_goes_on(
    resets: PostgresFactorResets, holder: Holder, account_id: uuid.UUID, engine: AsyncEngine, clock: FakeClock
) -> None:
    reset_id = await asked(resets, account_id)
    await notified(resets, reset_id)
    clock.advance(timedelta(hours=20))
    assert await resets.ask(account_id, **ASKED) == (reset_id, False)
    await notified(resets, reset_id)
    async with session_factory(engine)() as session:
        view = await waiting_reset(session, account_id)
    assert view is not None
    assert view.takes_effect_at == clock.now() + timedelta(hours=4)


async def test_there_must_be_something_to_reset(
    resets: PostgresFactorResets, account_id: uuid.UUID, engine: AsyncEngine
) -> None:
    assert await resets.ask(uuid.uuid4(), **ASKED) is None
    assert await resets.cancel(uuid.uuid4(), **ASKED) is None
    with pytest.raises(ResetRefusedError, match="no tiene segundo factor"):
        await resets.ask(account_id, **ASKED)
    await _suspend(engine, account_id)
    with pytest.raises(ResetRefusedError, match="no está abierta"):
        await resets.ask(account_id, **ASKED)


async def _suspend(engine: AsyncEngine, account_id: uuid.UUID) -> None:
    async with session_factory(engine).begin() as session:
        when = update(AccountRow).where(AccountRow.id == account_id)
        await session.execute(when.values(suspended_at=AccountRow.created_at))


async def test_an_account_that_is_suspended_or_erased_meanwhile_ends_it(
    resets: PostgresFactorResets,
    factors: SecondFactors,
    holder: Holder,
    engine: AsyncEngine,
    audit: PostgresAuditTrail,
    clock: FakeClock,
) -> None:
    account_id = owner(holder)
    reset_id = await asked(resets, account_id)
    token = await notified(resets, reset_id)
    await _suspend(engine, account_id)
    clock.advance(RESET_WAIT)
    assert (await resets.carry_out(reset_id)).remaining is None
    assert (await factors.of(holder)).is_set_up
    assert (await told(audit))[1:] == [("factor_reset_withdrawn", PRODUCT, "account_closed")]
    async with session_factory(engine).begin() as session:
        await session.execute(delete(AccountRow).where(AccountRow.id == account_id))
    assert await resets.prepare(reset_id) is None
    assert (await resets.carry_out(reset_id)).remaining is None
    await resets.give_up(reset_id)
    assert (await resets.view(token)).state is ChangeState.UNKNOWN


async def test_a_person_without_a_mailbox_keeps_the_factor(
    resets: PostgresFactorResets, holder: Holder, account_id: uuid.UUID, audit: PostgresAuditTrail
) -> None:
    reset_id = await asked(resets, account_id)
    await resets.give_up(reset_id)
    assert await resets.prepare(reset_id) is None
    assert (await told(audit))[1:] == [("factor_reset_withdrawn", PRODUCT, "no_mail")]
    again = await asked(resets, account_id)
    await notified(resets, again)
    await resets.give_up(again)
    assert await resets.prepare(again) is not None, "a notice that went out stands"


async def test_the_notice_goes_to_the_address_in_force_and_to_the_one_that_it_replaces(
    resets: PostgresFactorResets,
    changes: PostgresAddressChanges,
    accounts: PostgresAccounts,
    holder: Holder,
    account_id: uuid.UUID,
    clock: FakeClock,
) -> None:
    reset_id = await asked(resets, account_id)
    waiting = await resets.prepare(reset_id)
    assert waiting is not None
    assert waiting.addresses == (ANA.email,)
    document = DOCTOR.document
    change_id = await changes.note(account_id, OTHER, document=document, reference=RADICADO)
    assert change_id is not None
    waiting = await resets.prepare(reset_id)
    assert waiting is not None
    assert waiting.addresses == (ANA.email,), "a change that waits has no address in force"
    await changes.prepare(change_id)
    await changes.mark_warned(change_id)
    clock.advance(timedelta(hours=24))
    for _ in ("due", "applied"):
        waiting = await resets.prepare(reset_id)
        assert waiting is not None
        assert waiting.addresses == (OTHER, ANA.email)
        await changes.note(account_id, None, document=document, reference=RADICADO)
