"""What support sees and decides of a person's access."""

import uuid
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.access_notices import PostgresAccessNotices
from mipres.database.accounts import PostgresAccounts
from mipres.database.audit import PostgresAuditTrail
from mipres.database.credentials import Hasher, PostgresCredentials
from mipres.database.lockouts import LoginLockouts
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.reviewed_profiles import PostgresReviewedProfiles
from mipres.database.sessions import PostgresSessions
from mipres.domain.access import AccessCause, AccessState, AccountState
from mipres.domain.applications import Application
from mipres.domain.audit import operator
from mipres.domain.lockout import STRANGERS_LIMIT, Origin
from mipres.domain.review import Finding
from mipres.domain.second_factor import guarded_factor
from mipres.support.accounts import (
    Decision,
    DecisionRefusedError,
    SupportAccounts,
    UnknownAccountError,
)
from tests.database.registrations import DELEGATE, DOCTOR, registration
from tests.database.stored_accounts import RADICADO, give_password, register
from tests.fakes import HERE, FakeClock

ACTOR, LOGIN, PASSWORD = operator("ana"), "CC1020304050", "Clave-larga-2027"
REASON = "robaron el celular de la persona"
MIPRES, ADMINISTRATION = Application.MIPRES, Application.ADMINISTRATION


@pytest.fixture
def decided(
    engine: AsyncEngine, lockouts: LoginLockouts, audit: PostgresAuditTrail, clock: FakeClock
) -> SupportAccounts:
    return SupportAccounts(engine, lockouts=lockouts, audit=audit, clock=clock)


@pytest.fixture
def sessions(engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock) -> PostgresSessions:
    return PostgresSessions(engine, audit=audit, clock=clock)


@pytest.fixture
def credentials(
    engine: AsyncEngine,
    hasher: Hasher,
    lockouts: LoginLockouts,
    audit: PostgresAuditTrail,
    clock: FakeClock,
) -> PostgresCredentials:
    return PostgresCredentials(engine, hasher=hasher, lockouts=lockouts, audit=audit, clock=clock)


@pytest.fixture
async def account_id(accounts: PostgresAccounts, links: PostgresPasswordLinks, hasher: Hasher) -> uuid.UUID:
    account_id = await register(accounts)
    await give_password(accounts, links, account_id, await hasher.hash(PASSWORD))
    return account_id


async def enters(credentials: PostgresCredentials, door: Application = MIPRES) -> bool:
    account = (await credentials.authenticate(LOGIN, PASSWORD, door, origin=HERE)).account
    return account is not None and door in account.applications


async def opened(
    credentials: PostgresCredentials, sessions: PostgresSessions, door: Application = MIPRES
) -> str:
    account = (await credentials.authenticate(LOGIN, PASSWORD, door, origin=HERE)).account
    assert account is not None
    token = await sessions.open(account.account_id, door, verified_hash=account.verified_hash)
    assert token is not None
    return token


async def test_a_suspension_ends_every_session_and_every_login_until_it_is_lifted(
    decided: SupportAccounts,
    credentials: PostgresCredentials,
    sessions: PostgresSessions,
    audit: PostgresAuditTrail,
    account_id: uuid.UUID,
) -> None:
    token = await opened(credentials, sessions)
    assert await decided.decide(Decision.SUSPEND, account_id, reason=REASON, actor=ACTOR) == 1
    assert await sessions.user_of(token, MIPRES) is None
    assert not await enters(credentials)
    account = (await credentials.authenticate(LOGIN, PASSWORD, MIPRES, origin=HERE)).account
    assert account is not None
    assert account.access.account is AccountState.SUSPENDED

    await decided.decide(Decision.REINSTATE, account_id, reason=REASON, actor=ACTOR)
    assert await enters(credentials)
    assert await sessions.user_of(token, MIPRES) is None
    written = [(entry.type, entry.actor, entry.reason) for entry in await audit.entries(login=LOGIN)]
    assert ("account_suspended", ACTOR, REASON) in written
    assert ("account_reinstated", ACTOR, REASON) in written


async def test_a_login_that_was_under_way_gets_no_session(
    decided: SupportAccounts,
    credentials: PostgresCredentials,
    sessions: PostgresSessions,
    account_id: uuid.UUID,
) -> None:
    """The suspension falls between the check of the password and the session."""
    account = (await credentials.authenticate(LOGIN, PASSWORD, MIPRES, origin=HERE)).account
    assert account is not None
    await decided.decide(Decision.SUSPEND, account_id, reason=REASON, actor=ACTOR)
    assert await sessions.open(account_id, MIPRES, verified_hash=account.verified_hash) is None


async def test_one_profile_is_suspended_and_the_other_goes_on(
    decided: SupportAccounts,
    accounts: PostgresAccounts,
    credentials: PostgresCredentials,
    sessions: PostgresSessions,
    account_id: uuid.UUID,
) -> None:
    await accounts.register(registration(DELEGATE, radicado="RM-000000000002"))
    assert await decided.radicados_of(account_id) == [RADICADO, "RM-000000000002"]
    token = await opened(credentials, sessions)
    await decided.decide(Decision.SUSPEND, account_id, reason=REASON, actor=ACTOR, radicado=RADICADO)
    assert await sessions.user_of(token, MIPRES) is None
    assert not await enters(credentials)
    assert await enters(credentials, ADMINISTRATION)
    # Registering again is no way around support.
    await accounts.register(registration(radicado=RADICADO))
    assert not await enters(credentials)
    view = await decided.show(account_id, actor=ACTOR)
    states = {profile.radicado: (profile.state, profile.cause) for profile in view.profiles}
    assert states[RADICADO] == (AccessState.SUSPENDED, AccessCause.SUPPORT)
    assert states["RM-000000000002"] == (AccessState.IN_FORCE, None)
    await decided.decide(Decision.REINSTATE, account_id, reason=REASON, actor=ACTOR, radicado=RADICADO)
    assert await enters(credentials)


async def test_ending_sessions_leaves_the_account_open(
    decided: SupportAccounts,
    credentials: PostgresCredentials,
    sessions: PostgresSessions,
    account_id: uuid.UUID,
) -> None:
    token = await opened(credentials, sessions)
    assert await decided.decide(Decision.END_SESSIONS, account_id, reason=REASON, actor=ACTOR) == 1
    assert await sessions.user_of(token, MIPRES) is None
    assert await enters(credentials)


async def test_support_sees_logins_sessions_and_links_masked_and_leaves_a_trace(
    decided: SupportAccounts,
    credentials: PostgresCredentials,
    sessions: PostgresSessions,
    audit: PostgresAuditTrail,
    account_id: uuid.UUID,
) -> None:
    await opened(credentials, sessions)
    view = await decided.show(account_id, actor=ACTOR)
    assert (view.login, view.state) == ("CC•••050", AccountState.OPEN)
    assert [session.application for session in view.sessions] == [MIPRES]
    assert [login.application for login in view.logins] == ["mipres"]
    assert view.links == ()
    assert (await audit.entries(login=LOGIN))[-1].type == "data_viewed"
    assert (await decided.show(account_id, actor=ACTOR, reason=REASON)).login == LOGIN


async def test_what_stands_already_is_refused(decided: SupportAccounts, account_id: uuid.UUID) -> None:
    with pytest.raises(DecisionRefusedError, match="no está suspendida"):
        await decided.decide(Decision.REINSTATE, account_id, reason=REASON, actor=ACTOR)
    await decided.decide(Decision.SUSPEND, account_id, reason=REASON, actor=ACTOR)
    with pytest.raises(DecisionRefusedError, match="ya está suspendida"):
        await decided.decide(Decision.SUSPEND, account_id, reason=REASON, actor=ACTOR)


async def test_what_is_unknown_is_named_so(decided: SupportAccounts, account_id: uuid.UUID) -> None:
    with pytest.raises(UnknownAccountError):
        await decided.id_of("CC1")
    with pytest.raises(UnknownAccountError):
        await decided.show(uuid.uuid4(), actor=ACTOR)
    with pytest.raises(UnknownAccountError):
        await decided.decide(
            Decision.SUSPEND, account_id, reason=REASON, actor=ACTOR, radicado="RM-000000000009"
        )


async def test_a_second_step_that_wrong_codes_closed_is_seen_and_opened(
    decided: SupportAccounts, lockouts: LoginLockouts, account_id: uuid.UUID
) -> None:
    for _ in range(STRANGERS_LIMIT):
        # Each from another network, as an attacker who knows the password would guess.
        await lockouts.begin(guarded_factor(LOGIN), Origin(network=str(uuid.uuid4())), is_human=True)
    view = await decided.show(account_id, actor=ACTOR)
    assert (view.lock, view.factor_lock and view.factor_lock.is_closed) == (None, True)
    assert await decided.unlock(account_id, reason=REASON, actor=ACTOR)
    assert (await decided.show(account_id, actor=ACTOR)).factor_lock is None


async def test_each_change_waits_for_its_mail_once(
    decided: SupportAccounts, engine: AsyncEngine, clock: FakeClock, account_id: uuid.UUID
) -> None:
    notices = PostgresAccessNotices(engine, clock=clock)
    await decided.decide(Decision.SUSPEND, account_id, reason=REASON, actor=ACTOR)
    clock.advance(timedelta(seconds=1))
    await decided.decide(Decision.SUSPEND, account_id, reason=REASON, actor=ACTOR, radicado=RADICADO)
    first, second = await notices.waiting(limit=10)
    assert (first.words.title, first.about) == ("Su cuenta está suspendida por soporte", None)
    assert second.about == "Profesional de la Salud"
    assert first.contact.login == LOGIN
    await notices.mark_mailed(first.id)
    assert [notice.id for notice in await notices.waiting(limit=10)] == [second.id]


@pytest.mark.parametrize("cause", [AccessCause.NOT_IN_RETHUS, AccessCause.SANCTIONED])
async def test_what_a_registry_keeps_closed_is_not_mailed_as_open(
    decided: SupportAccounts,
    engine: AsyncEngine,
    audit: PostgresAuditTrail,
    clock: FakeClock,
    account_id: uuid.UUID,
    cause: AccessCause,
) -> None:
    notices = PostgresAccessNotices(engine, clock=clock)
    reviewed = PostgresReviewedProfiles(engine, audit=audit, clock=clock)
    await decided.decide(Decision.SUSPEND, account_id, reason=REASON, actor=ACTOR, radicado=RADICADO)
    profile = await reviewed.find_submitted(DOCTOR)
    assert profile is not None
    await reviewed.apply(profile.profile_id, Finding(cause=cause))
    before = await notices.waiting(limit=10)
    await decided.decide(Decision.REINSTATE, account_id, reason=REASON, actor=ACTOR, radicado=RADICADO)
    assert await notices.waiting(limit=10) == before
    assert (await audit.entries(reference=RADICADO))[-1].type == "profile_reinstated"
    # The registry has the person again, and now the profile opens.
    await reviewed.apply(profile.profile_id, Finding())
    *_, opened = await notices.waiting(limit=10)
    assert opened.words.title == "Su perfil vuelve a estar vigente"
