import asyncio
from dataclasses import replace
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.audit import PostgresAuditTrail
from mipres.database.credentials import Hasher
from mipres.database.engine import session_factory
from mipres.database.lockouts import LoginLockouts
from mipres.database.second_factors import Holder, SecondFactors
from mipres.database.tables import StaffRow, StaffSessionRow
from mipres.domain.lockout import FREE_FAILURES, LONGEST_LOCK
from mipres.domain.second_factor import SECOND_STEP_FOR, Proof
from mipres.keys import SecretBox
from mipres.support.staff import (
    ABSOLUTE_LIMIT,
    IDLE_LIMIT,
    KEY_LIFETIME,
    PostgresStaff,
    StaffMember,
    StaffNameError,
    StaffPasswordError,
    StaffPresentPasswordError,
    StaffSessionKind,
    StaffUnknownError,
    new_password,
    token_hash,
)
from tests.database.test_second_factors import waits_for_a_row
from tests.fakes import HERE, FakeClock

PASSWORD = "una clave larga de soporte"
ANOTHER = "otra frase larga y distinta"
PAGES, KEY = StaffSessionKind.PAGES, StaffSessionKind.KEY
SECOND = timedelta(seconds=1)
RADICADOS = ("RM-000000000001", "RM-000000000002")


@pytest.fixture
def support(
    engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock, hasher: Hasher
) -> PostgresStaff:
    lockouts = LoginLockouts(engine, key=b"l" * 32, clock=clock)
    return PostgresStaff(engine, hasher=hasher, lockouts=lockouts, audit=audit, clock=clock)


async def enter(support: PostgresStaff, name: str, password: str) -> str | None:
    return (await support.log_in(name, password, origin=HERE)).token


async def logged_in(support: PostgresStaff, name: str = "ana") -> tuple[str, StaffMember]:
    await support.add(name, PASSWORD, actor="operator:root")
    token = await enter(support, name, PASSWORD)
    assert token is not None
    member = await support.member_of(token, PAGES)
    assert member is not None
    return token, member


async def told(audit: PostgresAuditTrail) -> list[str]:
    return [entry.type for entry in await audit.entries()]


# --- accounts


async def test_a_name_of_the_wrong_form_is_refused(support: PostgresStaff) -> None:
    for name in ("", "an", "Ana", "1ana", "ana rojas", "a" * 33, "aná", "ana\n"):
        with pytest.raises(StaffNameError):
            await support.add(name, PASSWORD, actor="operator:root")


async def test_a_name_belongs_to_one_person(support: PostgresStaff, audit: PostgresAuditTrail) -> None:
    await support.add("ana", PASSWORD, actor="operator:root")
    with pytest.raises(StaffNameError, match="Ya hay"):
        await support.add("ana", PASSWORD, actor="operator:root")
    assert await told(audit) == ["staff_changed"]


async def test_only_the_right_password_of_an_open_account_enters(
    support: PostgresStaff, audit: PostgresAuditTrail
) -> None:
    await support.add("ana", PASSWORD, actor="operator:root")
    assert await enter(support, "ana", "otra clave larga de soporte") is None
    assert await enter(support, "eva", PASSWORD) is None
    assert await enter(support, "\0", PASSWORD) is None
    assert await enter(support, "ana", PASSWORD) is not None
    failed = [entry.actor for entry in await audit.entries() if entry.type == "staff_login_failed"]
    # What was typed as a name might be a password.
    assert failed == ["staff:ana", "staff:?", "staff:?"]


async def test_a_disabled_account_is_out_at_once_and_a_reset_lets_it_in(support: PostgresStaff) -> None:
    token, _ = await logged_in(support)
    await support.disable("ana", actor="operator:root")
    assert await support.member_of(token, PAGES) is None
    assert await enter(support, "ana", PASSWORD) is None
    await support.reset("ana", "otra clave larga de soporte", actor="operator:root")
    assert await enter(support, "ana", PASSWORD) is None
    assert await enter(support, "ana", "otra clave larga de soporte") is not None
    with pytest.raises(StaffUnknownError):
        await support.disable("eva", actor="operator:root")


async def test_a_login_with_the_password_before_a_reset_gets_no_session(
    support: PostgresStaff, hasher: Hasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reset falls between the check of the password and the session."""
    verify = hasher.verify

    async def reset_meanwhile(password_hash: str | None, password: str) -> bool:
        matches = await verify(password_hash, password)
        await support.reset("ana", "otra clave larga de soporte", actor="operator:root")
        return matches

    await support.add("ana", PASSWORD, actor="operator:root")
    monkeypatch.setattr(hasher, "verify", reset_meanwhile)
    assert await enter(support, "ana", PASSWORD) is None


async def test_a_session_that_a_reset_ends_gets_no_key(support: PostgresStaff) -> None:
    _, member = await logged_in(support)
    await support.reset("ana", "otra clave larga de soporte", actor="operator:root")
    assert await support.mint_key(member) is None


@pytest.mark.parametrize(
    "guessed", ["aaaaaaaaaaaaaaa", "contrasena12345", "millonarios2026", "corta", "ana.rojas.ana.rojas"]
)
async def test_a_password_that_is_guessed_first_is_refused(support: PostgresStaff, guessed: str) -> None:
    with pytest.raises(StaffPasswordError, match="La contraseña debe: "):
        await support.add("ana.rojas", guessed, actor="operator:root")
    await support.add("ana.rojas", PASSWORD, actor="operator:root")
    with pytest.raises(StaffPasswordError):
        await support.reset("ana.rojas", guessed, actor="operator:root")
    assert await enter(support, "ana.rojas", PASSWORD)


async def test_a_changed_password_ends_the_other_sessions_and_keys(
    support: PostgresStaff, audit: PostgresAuditTrail
) -> None:
    token, member = await logged_in(support)
    other, key = await enter(support, "ana", PASSWORD), await support.mint_key(member)
    assert other is not None
    assert key is not None
    await support.change_password(member, token, present=PASSWORD, new=ANOTHER)
    assert await support.member_of(token, PAGES) is not None
    assert (await support.member_of(other, PAGES), await support.member_of(key, KEY)) == (None, None)
    assert await enter(support, "ana", PASSWORD) is None
    assert await enter(support, "ana", ANOTHER) is not None
    changes = [entry.details for entry in await audit.entries() if entry.type == "staff_changed"]
    assert changes[-1] == {"staff": "ana", "change": "password_changed"}


async def test_an_open_browser_alone_changes_no_password(support: PostgresStaff) -> None:
    token, member = await logged_in(support)
    for _ in range(FREE_FAILURES):
        with pytest.raises(StaffPresentPasswordError):
            await support.change_password(member, token, present="otra cosa larga aquí", new=ANOTHER)
    with pytest.raises(StaffPresentPasswordError):
        await support.change_password(member, token, present=PASSWORD, new=ANOTHER)
    assert await enter(support, "ana", ANOTHER) is None


async def test_a_right_password_is_no_failure_however_often_it_is_asked_for(support: PostgresStaff) -> None:
    token, member = await logged_in(support)
    for _ in range(FREE_FAILURES + 1):
        await support.verify_present(member, token, PASSWORD)
    assert await support.locked_members() == []


async def test_a_password_that_was_reset_meanwhile_is_not_changed(support: PostgresStaff) -> None:
    token, member = await logged_in(support)
    await support.reset("ana", ANOTHER, actor="operator:root")
    with pytest.raises(StaffPresentPasswordError):
        await support.change_password(member, token, present=PASSWORD, new="todavía otra clave larga")
    assert await enter(support, "ana", ANOTHER) is not None


async def test_a_name_is_locked_for_a_while_after_failures(
    support: PostgresStaff, audit: PostgresAuditTrail, clock: FakeClock
) -> None:
    await support.add("ana", PASSWORD, actor="operator:root")
    for _ in range(FREE_FAILURES):
        assert await enter(support, "ana", "equivocada") is None
    assert (await told(audit))[-1] == "staff_login_locked"
    assert await enter(support, "ana", PASSWORD) is None
    clock.advance(LONGEST_LOCK)
    assert await enter(support, "ana", PASSWORD) is not None


def test_generated_passwords_are_long_and_new() -> None:
    assert len({new_password() for _ in range(20)}) == 20
    assert len(new_password()) == 20


# --- sessions


async def test_a_session_ends_when_it_rests_and_when_it_is_old(
    support: PostgresStaff, clock: FakeClock
) -> None:
    token, _ = await logged_in(support)
    clock.advance(IDLE_LIMIT - SECOND)
    assert await support.member_of(token, PAGES) is not None
    clock.advance(IDLE_LIMIT)
    assert await support.member_of(token, PAGES) is None
    token = await enter(support, "ana", PASSWORD) or ""
    for _ in range(int((ABSOLUTE_LIMIT - SECOND) / timedelta(minutes=9))):
        clock.advance(timedelta(minutes=9))
        assert await support.member_of(token, PAGES) is not None
    clock.advance(timedelta(minutes=9))
    assert await support.member_of(token, PAGES) is None


async def test_a_cookie_is_no_key_and_a_key_no_cookie(support: PostgresStaff, clock: FakeClock) -> None:
    token, member = await logged_in(support)
    key = await support.mint_key(member)
    assert key is not None
    assert await support.member_of(token, KEY) is None
    assert await support.member_of(key, PAGES) is None
    assert await support.member_of("nonsense \ud800", PAGES) is None
    clock.advance(KEY_LIFETIME - SECOND)
    assert await support.member_of(key, KEY) == member
    clock.advance(SECOND)
    assert await support.member_of(key, KEY) is None


async def test_leaving_ends_the_session_and_the_keys(
    support: PostgresStaff, audit: PostgresAuditTrail
) -> None:
    token, member = await logged_in(support)
    key = await support.mint_key(member)
    assert key is not None
    await support.log_out(token)
    await support.log_out(token)
    assert await support.member_of(token, PAGES) is None
    assert await support.member_of(key, KEY) is None
    assert await told(audit) == [
        "staff_changed",
        "staff_login_succeeded",
        "codec_key_issued",
        "staff_logout",
    ]


# --- a second factor


async def test_an_operator_resets_a_factor_at_once_with_a_reason(
    support: PostgresStaff, engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock
) -> None:
    token, member = await logged_in(support)
    await factors_with_codes(member, engine, audit, clock)
    assert (await support.log_in("ana", PASSWORD, origin=HERE)).needs_second_step
    assert await support.reset_factor("ana", reason="perdió el teléfono", actor="operator:root")
    assert await support.member_of(token, PAGES) is None
    assert not (await support.log_in("ana", PASSWORD, origin=HERE)).needs_second_step
    row = [entry for entry in await audit.entries() if entry.details.get("change") == "second_factor_reset"]
    assert [(entry.actor, entry.reason) for entry in row] == [("operator:root", "perdió el teléfono")]
    assert not await support.reset_factor("ana", reason="perdió el teléfono", actor="operator:root")
    with pytest.raises(StaffUnknownError):
        await support.reset_factor("eva", reason="perdió el teléfono", actor="operator:root")


def factors_of(engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock) -> SecondFactors:
    box = SecretBox({"k1": b"o" * 32}, active="k1", purpose="second-factor")
    lockouts = LoginLockouts(engine, key=b"l" * 32, clock=clock)
    return SecondFactors(engine, box=box, keys=[b"hide"], lockouts=lockouts, audit=audit, clock=clock)


def in_session(member: StaffMember, token: str) -> Holder:
    return replace(member.holder, staff_session=token_hash(token))


async def factors_with_codes(
    member: StaffMember, engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock
) -> tuple[SecondFactors, str]:
    """The factors, once the member has set up codes, and their secret."""
    factors = factors_of(engine, audit, clock)
    secret = await factors.begin_codes(member.holder)
    assert await factors.confirm_codes(member.holder, pyotp.TOTP(secret).at(clock.now()))
    return factors, secret


async def test_an_unlocked_member_may_show_codes_again(
    support: PostgresStaff, engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock
) -> None:
    _, member = await logged_in(support)
    factors, secret = await factors_with_codes(member, engine, audit, clock)
    for _ in range(FREE_FAILURES):
        await factors.check(member.holder, "000000", HERE)
    assert [each.name for each in await support.locked_members()] == ["ana"]
    assert await support.unlock("ana", actor="operator:root")
    assert await support.locked_members() == []
    clock.advance(timedelta(seconds=30))
    assert (await factors.check(member.holder, pyotp.TOTP(secret).at(clock.now()), HERE)).proof is Proof.CODE


async def test_a_second_step_opens_nothing_and_ends_by_itself(
    support: PostgresStaff, engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock
) -> None:
    _, member = await logged_in(support)
    await factors_with_codes(member, engine, audit, clock)
    waiting = [(await support.log_in("ana", PASSWORD, origin=HERE)).token or "" for _ in range(3)]
    for kind in (PAGES, KEY):
        assert await support.member_of(waiting[0], kind) is None
    assert await support.prove(waiting[0], Proof.CODE) is None
    opened = await asyncio.gather(*(support.take_second_step(waiting[0], Proof.CODE) for _ in range(2)))
    [token] = [each for each in opened if each is not None]
    entered = await support.member_of(token, PAGES)
    assert entered is not None
    assert entered.amr == ("pwd", "otp", "mfa")
    clock.advance(SECOND_STEP_FOR)
    assert await support.take_second_step(waiting[1], Proof.CODE) is None
    fresh = (await support.log_in("ana", PASSWORD, origin=HERE)).token or ""
    await support.reset("ana", ANOTHER, actor="operator:root")
    assert await support.take_second_step(fresh, Proof.CODE) is None
    again = (await support.log_in("ana", ANOTHER, origin=HERE)).token or ""
    await support.disable("ana", actor="operator:root")
    assert await support.take_second_step(again, Proof.CODE) is None


async def test_a_login_that_began_before_the_first_factor_asks_for_it(
    support: PostgresStaff,
    engine: AsyncEngine,
    audit: PostgresAuditTrail,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two logins: one sets the factor up once the other's password was found right."""
    token, member = await logged_in(support)
    factors, here = factors_of(engine, audit, clock), in_session(member, token)
    secret = await factors.begin_codes(here)
    verify = Hasher.verify

    async def meanwhile(hasher: Hasher, password_hash: str, password: str) -> bool:
        matches = await verify(hasher, password_hash, password)
        assert await factors.confirm_codes(here, pyotp.TOTP(secret).at(clock.now()))
        return matches

    monkeypatch.setattr(Hasher, "verify", meanwhile)
    late = await support.log_in("ana", PASSWORD, origin=HERE)
    assert late.needs_second_step
    assert await support.member_of(late.token or "", PAGES) is None
    assert await support.mint_key(member) is None, "the session has not shown the factor"
    proven = await support.prove(token, Proof.CODE)
    shown = await support.member_of(proven or "", PAGES)
    assert shown is not None
    assert await support.mint_key(shown)


async def test_a_session_of_support_that_opens_while_the_first_factor_is_set_up_is_ended_too(
    support: PostgresStaff, engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock
) -> None:
    token, member = await logged_in(support)
    factors, here = factors_of(engine, audit, clock), in_session(member, token)
    right = pyotp.TOTP(await factors.begin_codes(here)).at(clock.now())
    async with session_factory(engine).begin() as opening:
        await opening.get_one(StaffRow, member.id, with_for_update=True)
        ending = asyncio.create_task(factors.confirm_codes(here, right))
        await waits_for_a_row(engine)
        row = await opening.scalar(select(StaffSessionRow))
        assert row is not None
        copy = {column.key: getattr(row, column.key) for column in StaffSessionRow.__table__.columns}
        opening.add(StaffSessionRow(**{**copy, "id_hash": token_hash("another")}))
    assert await ending
    assert await support.member_of("another", PAGES) is None
    assert await support.member_of(token, PAGES) is not None
    [last] = (await audit.entries())[-1:]
    assert (last.type, last.actor, last.details) == ("sessions_ended", "staff:ana", {"sessions": 1})


async def test_a_key_has_what_its_session_has_proven(support: PostgresStaff) -> None:
    token, member = await logged_in(support)
    proven = await support.prove(token, Proof.CODE)
    assert proven is not None
    assert await support.member_of(token, PAGES) is None, "a stolen copy of the cookie gains nothing"
    better = await support.member_of(proven, PAGES)
    assert better is not None
    for owner, amr in ((member, ("pwd",)), (better, ("pwd", "otp", "mfa"))):
        key = await support.mint_key(owner)
        found = await support.member_of(key or "", KEY)
        assert found is not None
        assert found.amr == amr
