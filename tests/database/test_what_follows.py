"""Each change of a session, a factor or an access, and all that follows from it.

A person is in with two browsers, each in an application of its own. A change that leaves out one of the consequences
shows here: sessions, tokens, logouts, mail and trail.
"""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database import grants
from mipres.database.accounts import PostgresAccounts
from mipres.database.address_changes import PostgresAddressChanges
from mipres.database.audit import PostgresAuditTrail
from mipres.database.client_grants import ClientGrants
from mipres.database.engine import session_factory
from mipres.database.factor_resets import PostgresFactorResets
from mipres.database.lockouts import LoginLockouts
from mipres.database.oidc_consents import ApplicationConsents
from mipres.database.passkeys import Passkeys, Purpose
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.reviewed_profiles import PostgresReviewedProfiles
from mipres.database.second_factors import Holder, SecondFactors
from mipres.database.sessions import LoggedInUser
from mipres.database.tables import AccessChangeRow, AccountRow, ProfileRow
from mipres.domain.access import AccessCause
from mipres.domain.clients import LogoutAnswer
from mipres.domain.documents import parse_document
from mipres.domain.eligibility import today_in_bogota
from mipres.domain.factor_resets import RESET_WAIT
from mipres.domain.links import LinkPurpose
from mipres.domain.review import Finding
from mipres.domain.second_factor import Proof
from mipres.keys import LinkTokens, SecretBox
from mipres.support.accounts import Decision
from mipres.support.joins import SupportJoins
from tests.database.registrations import DOCTOR, registration
from tests.database.stored_accounts import RADICADO, give_password, issue, register
from tests.database.test_ended_logins import ACTOR, MIPRES, PROOF, REASON, Doors
from tests.database.test_passkeys import SITE, Device
from tests.fakes import FakeClock

HERE, ELSEWHERE = "here", "elsewhere"
BOTH = frozenset({HERE, ELSEWHERE})
BY_SUPPORT = {"reason": REASON, "actor": ACTOR}
SHOWN = (Proof.PASSWORD, Proof.CODE)


@dataclass(kw_only=True)
class Scene:
    """A person who is in twice, and everything that changes what that is worth."""

    engine: AsyncEngine
    clock: FakeClock
    audit: PostgresAuditTrail
    accounts: PostgresAccounts
    links: PostgresPasswordLinks
    changes: PostgresAddressChanges
    doors: Doors
    factors: SecondFactors
    passkeys: Passkeys
    consents: ApplicationConsents
    resets: PostgresFactorResets
    device: Device = field(default_factory=Device)
    newer_id: uuid.UUID = field(default_factory=uuid.uuid4)
    cookies: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    async def user(self, where: str) -> LoggedInUser:
        user = await self.doors.sessions.user_of(self.cookies[where], MIPRES)
        assert user is not None
        return user

    async def holder(self) -> Holder:
        """The person in the session here, which has shown the password."""
        user = await self.user(HERE)
        return Holder(login=user.login, account_id=user.account_id, amr=("pwd",), session_id=user.session_id)

    async def enter(self) -> None:
        for where in (HERE, ELSEWHERE):
            opened = await self.doors.sessions.open(
                self.doors.account_id, MIPRES, verified_hash="hash", proofs=SHOWN
            )
            self.cookies[where] = opened or ""
            self.tokens[where] = await self.doors.enter(self.cookies[where], where)

    async def left(self) -> set[str]:
        """Where the person is still in."""
        found = {
            where: await self.doors.sessions.user_of(cookie, MIPRES) for where, cookie in self.cookies.items()
        }
        return {where for where, user in found.items() if user is not None}

    async def kept(self) -> set[str]:
        """The applications whose tokens still count."""
        now = self.clock.now()
        async with session_factory(self.engine)() as session:
            return {
                where
                for where, token in self.tokens.items()
                if await session.run_sync(lambda db, value=token: grants.live_token(db, value, now=now))
            }

    async def mails(self) -> list[str]:
        async with session_factory(self.engine)() as session:
            return sorted(await session.scalars(select(AccessChangeRow.change)))

    async def register_another(self) -> None:
        """Another account, of another document."""
        other = replace(DOCTOR, document=parse_document("CE", "987654"))
        account = (await self.accounts.register(registration(other, radicado="RM-000000000009"))).account_id
        link = await issue(self.accounts, account, "enlace-9", reference="RM-000000000009")
        await self.links.set_password(link.token, "hash")
        self.newer_id = account

    async def review(self, finding: Finding) -> None:
        reviewed = PostgresReviewedProfiles(self.engine, audit=self.audit, clock=self.clock)
        async with session_factory(self.engine)() as session:
            profile_id = await session.scalar(select(ProfileRow.id))
        assert profile_id
        assert await reviewed.apply(profile_id, finding)

    async def set_last_day(self) -> None:
        """The profile ends today, by the clock of the product."""
        async with self.engine.begin() as connection:
            today = today_in_bogota(self.clock.now())
            await connection.execute(update(ProfileRow).values(ends_on=today))

    async def add_passkey(self) -> None:
        holder = await self.holder()
        made = self.device.made(await self.passkeys.options_to_add(holder, bound_to=""))
        assert await self.passkeys.add(holder, made, name="", bound_to="") is not None

    async def set_up(self) -> None:
        """Have a factor from before the sessions that the person is in."""
        await self.enter()
        await self.add_passkey()

    async def use_passkey(self, *, count: int) -> Holder | None:
        options = self.passkeys.options_to_use(Purpose.LOGIN, bound_to="")
        return await self.passkeys.use(Purpose.LOGIN, self.device.used(options, count=count), bound_to="")


@pytest.fixture
async def scene(  # noqa: PLR0913, PLR0917 - fixtures.
    engine: AsyncEngine,
    clock: FakeClock,
    audit: PostgresAuditTrail,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    changes: PostgresAddressChanges,
    lockouts: LoginLockouts,
) -> Scene:
    account_id = await register(accounts)
    await give_password(accounts, links, account_id)
    box = SecretBox({"k1": b"o" * 32}, active="k1", purpose="second-factor")
    factors = SecondFactors(engine, box=box, keys=[b"hide"], lockouts=lockouts, audit=audit, clock=clock)
    tokens = LinkTokens(b"r" * 32)
    return Scene(
        engine=engine,
        clock=clock,
        audit=audit,
        accounts=accounts,
        links=links,
        changes=changes,
        doors=Doors(engine, audit, clock, account_id),
        factors=factors,
        passkeys=Passkeys(engine, factors=factors, site=SITE, keys=[b"sign"], clock=clock),
        consents=ApplicationConsents(engine, audit=audit, clock=clock),
        resets=PostgresFactorResets(engine, tokens=tokens, lockouts=lockouts, audit=audit, clock=clock),
    )


Act = Callable[[Scene], Awaitable[None]]


async def logout(scene: Scene) -> None:
    await scene.doors.sessions.end(scene.cookies[HERE])


async def one_session_ended(scene: Scene) -> None:
    other = await scene.user(ELSEWHERE)
    assert await scene.doors.own.end_session(await scene.user(HERE), other.session_id) == 1


async def other_sessions_ended(scene: Scene) -> None:
    assert await scene.doors.own.end_other_sessions(await scene.user(HERE)) == 1


async def password_changed(scene: Scene) -> None:
    changed = await scene.doors.own.change_password(
        await scene.user(HERE), verified_hash="hash", password_hash="new"
    )
    scene.cookies[HERE] = changed or ""


async def password_recovered(scene: Scene) -> None:
    link = await issue(scene.accounts, scene.doors.account_id, "r", purpose=LinkPurpose.RECOVER)
    await scene.links.set_password(link.token, "new")


async def account_suspended(scene: Scene) -> None:
    await scene.doors.decided.decide(Decision.SUSPEND, scene.doors.account_id, **BY_SUPPORT)


async def profile_suspended(scene: Scene) -> None:
    await scene.doors.decided.decide(
        Decision.SUSPEND, scene.doors.account_id, radicado=RADICADO, **BY_SUPPORT
    )


async def sessions_ended_by_support(scene: Scene) -> None:
    await scene.doors.decided.decide(Decision.END_SESSIONS, scene.doors.account_id, **BY_SUPPORT)


async def sanction_found(scene: Scene) -> None:
    await scene.review(Finding(cause=AccessCause.SANCTIONED))


async def right_lost(scene: Scene) -> None:
    await scene.review(Finding(cause=AccessCause.NOT_IN_RETHUS))


async def last_day_passed(scene: Scene) -> None:
    scene.clock.advance(timedelta(days=1))
    await scene.doors.ended.end_with_last_days()


async def accounts_joined(scene: Scene) -> None:
    joins = SupportJoins(scene.engine, changes=scene.changes, audit=scene.audit, clock=scene.clock)
    await joins.join(scene.doors.account_id, scene.newer_id, proof=PROOF, **BY_SUPPORT)


async def person_erased(scene: Scene) -> None:
    async with scene.engine.begin() as connection:
        await connection.execute(delete(AccountRow))


async def first_codes(scene: Scene) -> None:
    holder = await scene.holder()
    secret = await scene.factors.begin_codes(holder)
    assert await scene.factors.confirm_codes(holder, pyotp.TOTP(secret).at(scene.clock.now()))


async def first_passkey(scene: Scene) -> None:
    await scene.add_passkey()


async def passkey_copied(scene: Scene) -> None:
    assert await scene.use_passkey(count=7)
    assert await scene.use_passkey(count=7) is None


async def factor_reset(scene: Scene) -> None:
    found = await scene.resets.ask(scene.doors.account_id, **BY_SUPPORT)
    assert found
    await scene.resets.prepare(found[0])
    await scene.resets.mark_notified(found[0])
    scene.clock.advance(RESET_WAIT)
    await scene.resets.carry_out(found[0])


async def consent_withdrawn(scene: Scene) -> None:
    await scene.consents.withdraw(await scene.user(HERE), HERE)


async def application_disabled(scene: Scene) -> None:
    assert await ClientGrants(scene.engine, clock=scene.clock).end_all(HERE) == 1


async def login_again(scene: Scene) -> None:
    again = await scene.doors.sessions.open(
        scene.doors.account_id, MIPRES, verified_hash="hash", proofs=SHOWN, former=scene.cookies[HERE]
    )
    assert await scene.doors.sessions.user_of(scene.cookies[HERE], MIPRES) is None
    scene.cookies[HERE] = again or ""


async def login_of_another_person(scene: Scene) -> None:
    assert await scene.doors.sessions.open(
        scene.newer_id, MIPRES, verified_hash="hash", former=scene.cookies[HERE]
    )


async def password_again(scene: Scene) -> None:
    scene.cookies[HERE] = await scene.doors.sessions.prove(await scene.user(HERE), Proof.PASSWORD) or ""


BEFORE: dict[Act, Act] = {
    passkey_copied: Scene.set_up,
    factor_reset: Scene.set_up,
    accounts_joined: Scene.register_another,
    login_of_another_person: Scene.register_another,
    last_day_passed: Scene.set_last_day,
}
"""What is there before the person is in."""


@dataclass(frozen=True, kw_only=True)
class Follows:
    """What has to follow.

    Attributes:
        left: Where the person is still in.
        hear: The applications whose tokens end, and that hear of it.
        mails: What the person is mailed about.
        trail: The newest rows of the trail.
    """

    left: frozenset[str]
    hear: frozenset[str]
    mails: tuple[str, ...] = ()
    trail: tuple[str, ...] = ()


def only(*where: str) -> frozenset[str]:
    return frozenset(where)


NONE: frozenset[str] = frozenset()
TABLE: dict[Act, Follows] = {
    logout: Follows(left=only(ELSEWHERE), hear=only(HERE), trail=("logout",)),
    one_session_ended: Follows(left=only(HERE), hear=only(ELSEWHERE), trail=("sessions_ended",)),
    other_sessions_ended: Follows(left=only(HERE), hear=only(ELSEWHERE), trail=("sessions_ended",)),
    password_changed: Follows(
        left=only(HERE), hear=BOTH, mails=("password_changed",), trail=("password_set",)
    ),
    # The mail of a recovery is its workflow's.
    password_recovered: Follows(left=NONE, hear=BOTH, trail=("link_issued", "link_used", "password_set")),
    account_suspended: Follows(
        left=NONE, hear=BOTH, mails=("account_suspended",), trail=("account_suspended",)
    ),
    profile_suspended: Follows(
        left=NONE, hear=BOTH, mails=("profile_suspended",), trail=("profile_suspended",)
    ),
    sessions_ended_by_support: Follows(left=NONE, hear=BOTH, trail=("sessions_ended",)),
    sanction_found: Follows(left=NONE, hear=BOTH, mails=("profile_suspended",), trail=("profile_suspended",)),
    right_lost: Follows(left=NONE, hear=BOTH, mails=("profile_ended",), trail=("profile_ended",)),
    # Mail and trail come with the review that asks the registry for another placement.
    last_day_passed: Follows(left=NONE, hear=BOTH),
    accounts_joined: Follows(
        left=NONE,
        hear=BOTH,
        mails=("account_joined", "account_replaced"),
        trail=("account_replaced", "account_joined"),
    ),
    # The row of the trail is written by the command that erases.
    person_erased: Follows(left=NONE, hear=BOTH),
    first_codes: Follows(
        left=only(HERE),
        hear=only(ELSEWHERE),
        mails=("codes_added",),
        trail=("second_factor_changed", "sessions_ended"),
    ),
    first_passkey: Follows(
        left=only(HERE),
        hear=only(ELSEWHERE),
        mails=("passkey_added",),
        trail=("second_factor_changed", "sessions_ended"),
    ),
    passkey_copied: Follows(
        left=NONE,
        hear=BOTH,
        mails=("passkey_locked",),
        trail=("second_factor_changed", "sessions_ended"),
    ),
    factor_reset: Follows(
        left=NONE,
        hear=BOTH,
        mails=("second_factor_reset",),
        trail=("factor_reset_asked", "factor_reset_done"),
    ),
    consent_withdrawn: Follows(left=BOTH, hear=only(HERE), trail=("application_withdrawn",)),
    # The command writes its row before it changes anything.
    application_disabled: Follows(left=BOTH, hear=only(HERE)),
    login_again: Follows(left=BOTH, hear=NONE, trail=("login_succeeded",)),
    login_of_another_person: Follows(
        left=only(ELSEWHERE), hear=only(HERE), trail=("logout", "login_succeeded")
    ),
    password_again: Follows(left=BOTH, hear=NONE),
}


@pytest.mark.parametrize("change", TABLE, ids=lambda change: change.__name__)
async def test_all_follows_that_has_to(change: Act, scene: Scene) -> None:
    if change in BEFORE:
        await BEFORE[change](scene)
    await scene.enter()
    await scene.consents.give(await scene.user(HERE), HERE, ["openid"])
    for login in await scene.doors.ended.waiting(limit=9):
        await scene.doors.ended.settle(login, LogoutAnswer.ACCEPTED)
    mails, rows = await scene.mails(), len(await scene.audit.entries())

    await change(scene)

    follows, is_erased = TABLE[change], change is person_erased
    assert await scene.left() == follows.left
    assert await scene.kept() == BOTH - follows.hear
    assert set(await scene.doors.waiting()) == follows.hear
    assert sorted((*mails, *follows.mails)) == await scene.mails() or is_erased
    assert [entry.type for entry in (await scene.audit.entries())[rows:]] == list(follows.trail)
