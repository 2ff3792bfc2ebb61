"""What support sees and decides of a person's access.

Every look and every decision leaves its row in the audit trail, in the same transaction.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from mipres.database.access import (
    Change,
    account_state,
    end_sessions,
    has_logins,
    note_change,
    profile_access,
)
from mipres.database.address_changes import address_in_force, is_waiting, open_change
from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import session_factory
from mipres.database.factor_resets import waiting_reset
from mipres.database.link_statements import lock_account
from mipres.database.lockouts import LoginLock, LoginLockouts
from mipres.database.second_factors import Holder, has_factor
from mipres.database.sessions import ABSOLUTE_LIMIT, IDLE_LIMIT
from mipres.database.tables import (
    AccountRow,
    AddressChangeRow,
    OidcGrantRow,
    PasswordLinkRow,
    ProfileRow,
    SessionRow,
)
from mipres.domain.access import AccessCause, AccessChange, AccessState, AccountState
from mipres.domain.applications import Application
from mipres.domain.audit import AuditEvent, AuditEventType
from mipres.domain.eligibility import today_in_bogota
from mipres.domain.errors import MipresError
from mipres.domain.factor_resets import ResetView
from mipres.domain.links import LinkPurpose
from mipres.domain.masking import mask_login, mask_name
from mipres.domain.outcomes import mask_email
from mipres.domain.second_factor import guarded_factor
from mipres.domain.submissions import UserType
from mipres.ports import Clock

_LAST_LOGINS = 5


class Decision(StrEnum):
    """What support can do with an access."""

    SUSPEND = "suspend"
    REINSTATE = "reinstate"
    END_SESSIONS = "end_sessions"


class UnknownAccountError(MipresError):
    """No account has this login, or no profile of it has this radicado."""


class DecisionRefusedError(MipresError):
    """There is nothing to decide; the text is the Spanish sentence to show."""


@dataclass(frozen=True, kw_only=True)
class ProfileView:
    """One profile, and why it opens nothing.

    Attributes:
        until: The last day of a sanction or of a placement, where there is one.
    """

    radicado: str
    user_type: UserType
    place: str | None
    state: AccessState
    cause: AccessCause | None
    until: date | None
    reviewed_at: datetime | None
    is_suspended_by_support: bool = False


@dataclass(frozen=True, kw_only=True)
class SessionView:
    """One session that is open now."""

    application: Application
    created_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, kw_only=True)
class LinkView:
    """One password link that works now."""

    purpose: LinkPurpose
    reference: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class AddressChangeView:
    """Another address that waits until the owner of the old one had time to stop it.

    Attributes:
        takes_effect_at: None until the old address was warned.
    """

    new_address: str
    found_at: datetime
    takes_effect_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class LoginView:
    """One login that succeeded."""

    at: datetime
    application: str


@dataclass(frozen=True, kw_only=True)
class AccountView:
    """An account and all that decides about its access.

    Masked unless it was asked for with a reason.

    Attributes:
        joined_to: The lasting account, where support joined this one to it.
        joined_login: Its login.
        lock: What keeps the login shut after failed attempts.
        factor_lock: The same of the second step.
        is_in_applications: Whether an application that the person entered still counts on it.
        address_change: The other address that waits.
        has_second_factor: Whether a login asks for one.
        factor_reset: The reset of it that waits.
    """

    account_id: uuid.UUID
    login: str
    full_name: str
    email: str
    state: AccountState
    suspended_at: datetime | None
    password_set_at: datetime | None
    profiles: tuple[ProfileView, ...]
    sessions: tuple[SessionView, ...]
    links: tuple[LinkView, ...]
    logins: tuple[LoginView, ...]
    joined_to: uuid.UUID | None = None
    joined_login: str | None = None
    lock: LoginLock | None = None
    factor_lock: LoginLock | None = None
    is_in_applications: bool = False
    address_change: AddressChangeView | None = None
    has_second_factor: bool = False
    factor_reset: ResetView | None = None

    def masked(self) -> "AccountView":
        return replace(
            self,
            login=mask_login(self.login),
            full_name=mask_name(self.full_name),
            email=mask_email(self.email),
            joined_login=self.joined_login and mask_login(self.joined_login),
            address_change=self.address_change
            and replace(self.address_change, new_address=mask_email(self.address_change.new_address)),
        )


class SupportAccounts:
    """Shows accounts to support, and suspends and reinstates them.

    A suspension removes nothing: to reinstate is to forget it.
    """

    def __init__(
        self, engine: AsyncEngine, *, lockouts: LoginLockouts, audit: PostgresAuditTrail, clock: Clock
    ) -> None:
        self._sessions = session_factory(engine)
        self._lockouts = lockouts
        self._audit = audit
        self._clock = clock

    async def id_of(self, login: str) -> uuid.UUID:
        """The account of a login.

        Raises:
            UnknownAccountError: there is none.
        """
        async with self._sessions() as session:
            found = await session.scalar(select(AccountRow.id).where(AccountRow.login == login))
        if found is None:
            raise UnknownAccountError
        return uuid.UUID(str(found))

    async def radicados_of(self, account_id: uuid.UUID) -> Sequence[str]:
        """The radicados of the account's profiles, the oldest first."""
        own = select(ProfileRow.radicado).where(ProfileRow.account_id == account_id)
        async with self._sessions() as session:
            return list(await session.scalars(own.order_by(ProfileRow.created_at, ProfileRow.radicado)))

    async def unlock(self, account_id: uuid.UUID, *, reason: str, actor: str) -> bool:
        """Forget the failed attempts at login and second step; whether there were any.

        Raises:
            UnknownAccountError: there is none.
        """
        async with self._sessions.begin() as session:
            account = await session.get(AccountRow, account_id)
            if account is None:
                raise UnknownAccountError
            guarded = (account.login, guarded_factor(account.login))
            lifted = any([await self._lockouts.lift_in(session, each) for each in guarded])
            event = AuditEvent(type=AuditEventType.UNLOCKED, actor=actor, login=account.login, reason=reason)
            await self._audit.record_in(session, event)
        return lifted

    async def show(self, account_id: uuid.UUID, *, actor: str, reason: str | None = None) -> AccountView:
        """Everything about one account's access; the person in clear only with a reason.

        Raises:
            UnknownAccountError: there is none.
        """
        async with self._sessions.begin() as session:
            account = await session.get(AccountRow, account_id)
            if account is None:
                raise UnknownAccountError
            view = await self._view(session, account)
            look = AuditEvent(
                type=AuditEventType.DATA_VIEWED,
                actor=actor,
                login=account.login,
                reason=reason,
                details={"in_clear": "no" if reason is None else "yes"},
            )
            await self._audit.record_in(session, look)
        return view.masked() if reason is None else view

    async def decide(
        self,
        decision: Decision,
        account_id: uuid.UUID,
        *,
        reason: str,
        actor: str,
        radicado: str | None = None,
    ) -> int:
        """Suspend or reinstate an account or one of its profiles, or end its sessions.

        Args:
            decision: What to do.
            account_id: Whose access.
            reason: For the trail.
            actor: For the trail.
            radicado: Of the one profile that is meant; None for the whole account.

        Returns:
            How many sessions ended.

        Raises:
            UnknownAccountError: there is no such account or profile.
            DecisionRefusedError: it stands like that already.
        """
        async with self._sessions.begin() as session:
            account = await lock_account(session, account_id)
            if account is None:
                raise UnknownAccountError
            profile = await _profile(session, account_id, radicado) if radicado else None
            if decision is Decision.END_SESSIONS:
                ended = await end_sessions(session, account_id, now=self._clock.now())
                event = AuditEvent(
                    type=AuditEventType.SESSIONS_ENDED,
                    actor=actor,
                    login=account.login,
                    reason=reason,
                    details={"sessions": ended},
                )
            else:
                event = self._change(session, decision, account, profile, reason=reason, actor=actor)
                suspends_all = decision is Decision.SUSPEND and profile is None
                ended = await end_sessions(session, account_id, now=self._clock.now()) if suspends_all else 0
            await session.flush()
            await self._audit.record_in(session, event)
        return ended

    def _change(
        self,
        session: AsyncSession,
        decision: Decision,
        account: AccountRow,
        profile: ProfileRow | None,
        *,
        reason: str,
        actor: str,
    ) -> AuditEvent:
        now, suspends = self._clock.now(), decision is Decision.SUSPEND
        _refuse_what_stands(account, profile, suspends=suspends)
        if profile is None:
            account.suspended_at = now if suspends else None
            kind = AccessChange.ACCOUNT_SUSPENDED if suspends else AccessChange.ACCOUNT_REINSTATED
        else:
            profile.support_suspended_at = now if suspends else None
            kind = AccessChange.PROFILE_SUSPENDED if suspends else AccessChange.PROFILE_REINSTATED
        change = Change(
            kind=kind,
            actor=actor,
            reason=reason,
            profile=profile,
            cause=AccessCause.SUPPORT if suspends else None,
        )
        return note_change(session, account, change, now=now)

    async def _view(self, session: AsyncSession, account: AccountRow) -> AccountView:
        now = self._clock.now()
        lasting = await session.get(AccountRow, account.joined_to) if account.joined_to else None
        change = await open_change(session, account.id)
        own = select(ProfileRow).where(ProfileRow.account_id == account.id).order_by(ProfileRow.created_at)
        live = select(SessionRow).where(
            SessionRow.account_id == account.id,
            SessionRow.last_seen_at > now - IDLE_LIMIT,
            SessionRow.created_at > now - ABSOLUTE_LIMIT,
        )
        links = select(PasswordLinkRow).where(
            PasswordLinkRow.account_id == account.id,
            PasswordLinkRow.closed_at.is_(None),
            PasswordLinkRow.expires_at > now,
        )
        return AccountView(
            account_id=account.id,
            login=account.login,
            full_name=f"{account.given_names} {account.surnames}".strip(),
            email=address_in_force(account, change, now),
            state=account_state(account),
            suspended_at=account.suspended_at,
            password_set_at=account.password_set_at,
            profiles=tuple(
                _profile_view(row, today=today_in_bogota(now)) for row in await session.scalars(own)
            ),
            sessions=_session_views((await session.scalars(live.order_by(SessionRow.created_at))).all()),
            links=_link_views((await session.scalars(links)).all()),
            logins=await self._logins(account.login),
            joined_to=account.joined_to,
            joined_login=lasting.login if lasting else None,
            lock=await self._lockouts.lock_in(session, account.login),
            factor_lock=await self._lockouts.lock_in(session, guarded_factor(account.login)),
            is_in_applications=await has_logins(session, OidcGrantRow.account_id == account.id),
            address_change=_address_change_view(change if is_waiting(change, now) else None),
            has_second_factor=await has_factor(session, Holder(login=account.login, account_id=account.id)),
            factor_reset=await waiting_reset(session, account.id),
        )

    async def _logins(self, login: str) -> tuple[LoginView, ...]:
        entries = await self._audit.entries(login=login)
        views = [
            LoginView(at=entry.occurred_at, application=str(entry.details.get("application", "")))
            for entry in entries
            if entry.type == AuditEventType.LOGIN_SUCCEEDED.value
        ]
        return tuple(reversed(views[-_LAST_LOGINS:]))


def _refuse_what_stands(account: AccountRow, profile: ProfileRow | None, *, suspends: bool) -> None:
    suspended_at = account.suspended_at if profile is None else profile.support_suspended_at
    what = "La cuenta" if profile is None else "El perfil"
    ending = "a" if profile is None else "o"
    if suspends and suspended_at is not None:
        raise DecisionRefusedError(f"{what} ya está suspendid{ending} por soporte")
    if not suspends and suspended_at is None:
        raise DecisionRefusedError(f"{what} no está suspendid{ending} por soporte")


async def _profile(session: AsyncSession, account_id: uuid.UUID, radicado: str) -> ProfileRow:
    wanted = select(ProfileRow).filter_by(account_id=account_id, radicado=radicado).with_for_update()
    profile: ProfileRow | None = await session.scalar(wanted)
    if profile is None:
        raise UnknownAccountError
    return profile


def _profile_view(row: ProfileRow, *, today: date) -> ProfileView:
    access = profile_access(row)
    cause = access.cause(today)
    return ProfileView(
        radicado=row.radicado,
        user_type=access.user_type,
        place=row.site_name or row.entity_name,
        state=access.state(today),
        cause=cause,
        until=row.sanctioned_until if cause is AccessCause.SANCTIONED else row.ends_on,
        reviewed_at=row.reviewed_at,
        is_suspended_by_support=row.support_suspended_at is not None,
    )


def _address_change_view(row: AddressChangeRow | None) -> AddressChangeView | None:
    if row is None:
        return None
    return AddressChangeView(
        new_address=row.new_address, found_at=row.found_at, takes_effect_at=row.takes_effect_at
    )


def _session_views(rows: Sequence[SessionRow]) -> tuple[SessionView, ...]:
    return tuple(
        SessionView(
            application=Application(row.application), created_at=row.created_at, last_seen_at=row.last_seen_at
        )
        for row in rows
    )


def _link_views(rows: Sequence[PasswordLinkRow]) -> tuple[LinkView, ...]:
    return tuple(
        LinkView(purpose=LinkPurpose(row.purpose), reference=row.reference, expires_at=row.expires_at)
        for row in rows
    )
