"""Login sessions in PostgreSQL.

The cookie carries a random value, the table its hash.
"""

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from mipres.database.access import (
    access_of,
    account_state,
    ending_logins,
    is_open,
    note_mail,
    profile_access,
)
from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import session_factory
from mipres.database.link_statements import lock_account
from mipres.database.second_factors import Holder, owes_factor
from mipres.database.tables import (
    AccountRow,
    EndedSessionRow,
    KnownBrowserRow,
    OidcGrantRow,
    ProfileRow,
    SessionRow,
)
from mipres.domain.access import AccessCause, AccessChange, AccessState
from mipres.domain.applications import Application, application_of
from mipres.domain.audit import CITIZEN, AuditEvent, AuditEventType
from mipres.domain.eligibility import today_in_bogota
from mipres.domain.errors import MipresError
from mipres.domain.second_factor import Proof, methods_of, more_methods, renews
from mipres.domain.submissions import UserType
from mipres.ports import Clock

IDLE_LIMIT = timedelta(minutes=15)
ABSOLUTE_LIMIT = timedelta(hours=12)
_TOKEN_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One profile as its owner sees it.

    Attributes:
        state: Only a profile in force opens anything.
        cause: Why it does not.
    """

    user_type: UserType
    entity_name: str | None
    entity_kind: str | None
    entity_regime: str | None
    entity_nit: str | None
    municipality: str | None
    profession_name: str | None
    professional_registration: str | None
    site_name: str | None
    ends_on: date | None
    suspended_until: date | None = None
    state: AccessState = AccessState.IN_FORCE
    cause: AccessCause | None = None


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Where a login comes from.

    Attributes:
        device: The browser and its system, in plain words.
        network: The network around the address.
        browser: What the browser's cookie says; None tells nothing of the browser.
    """

    device: str | None = None
    network: str | None = None
    browser: str | None = None


@dataclass(frozen=True, kw_only=True)
class LoggedInUser:
    """Who is in, and with which profiles of the session's application.

    Attributes:
        session_id: Names the session in forms; it opens nothing.
        previous_login_at: The login before the one of this session.
        amr: How the person was authenticated (RFC 8176).
        authenticated_at: The moment of the oldest of these methods.
        proven_at: When the person last proved anything at all.
    """

    session_id: uuid.UUID
    previous_login_at: datetime | None
    account_id: uuid.UUID
    login: str
    full_name: str
    application: Application
    profiles: tuple[Profile, ...]
    amr: tuple[str, ...]
    authenticated_at: datetime
    proven_at: datetime


_NOBODY_KNOWN = Visitor()


class SecondStepNeededError(MipresError):
    """The password alone opens no session of this person."""


class PostgresSessions:
    """Opens, finds and ends sessions. A session belongs to one application."""

    def __init__(self, engine: AsyncEngine, *, audit: PostgresAuditTrail, clock: Clock) -> None:
        self._sessions = session_factory(engine)
        self._audit = audit
        self._clock = clock

    async def open(
        self,
        account_id: uuid.UUID,
        application: Application,
        *,
        verified_hash: str,
        visitor: Visitor = _NOBODY_KNOWN,
        proofs: Sequence[Proof] = (Proof.PASSWORD,),
        former: str | None = None,
    ) -> str | None:
        """Start a session and return the value of its cookie.

        The browser's former session goes on as this one, with the applications that the person has entered, and its
        old value opens nothing. One of another person ends, as if that person had left.

        Args:
            account_id: Whose session it is.
            application: The one that the session belongs to.
            verified_hash: The very hash that the password was verified against, or that stood when a passkey was.
            visitor: Where the login comes from; a browser that the person has not used before is mailed about.
            proofs: What the person proved.
            former: The value that the browser's cookie had.

        Returns:
            None if the password has changed since it was verified, or support has suspended the account: both
            end everything old.

        Raises:
            SecondStepNeededError: the person has a second factor that was not shown.
        """
        token, now = new_token(), self._clock.now()
        async with self._sessions.begin() as session:
            # The change of a password holds the same row, so it ends this session or is seen here.
            account = await lock_account(session, account_id)
            if account is None or account.password_hash != verified_hash or not is_open(account):
                cause = "password_changed" if account is None or is_open(account) else account_state(account)
                login = account.login if account else None
                failed = _event(AuditEventType.LOGIN_FAILED, login, application, cause=cause)
                await self._audit.record_in(session, failed)
                return None
            methods = methods_of(*proofs)
            if await owes_factor(session, Holder(login=account.login, account_id=account_id, amr=methods)):
                raise SecondStepNeededError
            row, left = await _renewed(
                session, former, SessionRow(account_id=account_id, application=application), now=now
            )
            row.id_hash, row.created_at, row.last_seen_at = hashed(token), now, now
            row.device, row.network = visitor.device, visitor.network
            row.amr, row.authenticated_at, row.confirmed_at = list(methods), now, None
            row.previous_login_at, account.last_login_at = account.last_login_at, now
            if visitor.browser is not None:
                await _meet(session, account_id, visitor.browser, now=now)
            cause = "password_right" if Proof.PASSWORD in proofs else "passkey_right"
            entered = _event(AuditEventType.LOGIN_SUCCEEDED, account.login, application, cause=cause)
            await session.flush()
            await self._audit.record_in(session, *left, entered)
        return token

    async def prove(self, user: LoggedInUser, *proofs: Proof) -> str | None:
        """Note that the person has proven something in an open session.

        The moment of the authentication is that of its oldest method, so that applications hear of no method that is
        older: only the password again, where it is all that the session has shown, renews it.

        Returns:
            The new value of its cookie: a stolen copy of the old one gains nothing. None if the session is over.
        """
        token, now = new_token(), self._clock.now()
        which = (SessionRow.id == user.session_id, SessionRow.account_id == user.account_id, *live(now))
        async with self._sessions.begin() as session:
            row = await session.scalar(select(SessionRow).where(*which).with_for_update())
            if row is None:
                return None
            if renews(row.amr, *proofs):
                row.authenticated_at = now
            row.amr = list(more_methods(row.amr, *proofs))
            row.id_hash, row.confirmed_at, row.last_seen_at = hashed(token), now, now
        return token

    async def user_of(
        self, token: str, application: Application, *, is_active: bool = True
    ) -> LoggedInUser | None:
        """The user of a live session of this application.

        Looking counts as activity, unless the caller says otherwise.

        A session ends with the last profile that it was opened for, and with the suspension of the account.
        """
        now = self._clock.now()
        which = (SessionRow.id_hash == hashed(token), SessionRow.application == application, *live(now))
        async with self._sessions.begin() as session:
            if is_active:
                await session.execute(update(SessionRow).where(*which).values(last_seen_at=now))
            row = await session.scalar(select(SessionRow).where(*which))
            if row is None:
                return None
            account = await session.get_one(AccountRow, row.account_id)
            own = select(ProfileRow).where(ProfileRow.account_id == row.account_id)
            rows, today = list(await session.scalars(own)), today_in_bogota(now)
        may_enter = application in access_of(account, rows).applications(today)
        return _user(row, account, rows, today=today) if may_enter else None

    async def was_ended_by_new_password(self, token: str) -> bool:
        """Whether this session is over because the password has changed."""
        statement = select(EndedSessionRow.id_hash).where(EndedSessionRow.id_hash == hashed(token))
        async with self._sessions() as session:
            return await session.scalar(statement) is not None

    async def end(self, token: str) -> None:
        """End a session, and write down that the person left.

        One that is over already leaves no trace.
        """
        ending = (
            delete(SessionRow)
            .where(SessionRow.id_hash == hashed(token), AccountRow.id == SessionRow.account_id)
            .returning(AccountRow.login, SessionRow.application, SessionRow.id)
        )
        async with self._sessions.begin() as session:
            ended = (await session.execute(ending)).first()
            if ended is not None:
                # A person who leaves a session that has run out leaves its applications, too.
                own = OidcGrantRow.session_id == ended.id
                await session.execute(ending_logins(own, now=self._clock.now()))
                await self._audit.record_in(
                    session, _event(AuditEventType.LOGOUT, ended.login, Application(ended.application))
                )


def hashed(token: str) -> bytes:
    """What is stored of a cookie's value."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


def new_token() -> str:
    return secrets.token_urlsafe(_TOKEN_BYTES)


def live(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Tell the sessions that are open at this moment."""
    return (SessionRow.last_seen_at > now - IDLE_LIMIT, SessionRow.created_at > now - ABSOLUTE_LIMIT)


def _event(kind: AuditEventType, login: str | None, application: Application, **more: str) -> AuditEvent:
    details = {"application": application.value, **more}
    return AuditEvent(type=kind, actor=CITIZEN, login=login, details=details)


async def _renewed(
    session: AsyncSession, former: str | None, new: SessionRow, *, now: datetime
) -> tuple[SessionRow, list[AuditEvent]]:
    """The session that a login begins, in the browser's former one where it can.

    That is one of the same person and door. Also what the trail says of another person, whose session ends.
    """
    application = Application(new.application)
    which = (SessionRow.id_hash == hashed(former or ""), SessionRow.application == application, *live(now))
    row = await session.scalar(select(SessionRow).where(*which).with_for_update())
    if row is not None and row.account_id == new.account_id:
        return row, []
    left = []
    if row is not None:
        login = await session.scalar(select(AccountRow.login).where(AccountRow.id == row.account_id))
        left.append(_event(AuditEventType.LOGOUT, login, application, cause="another_login"))
        await session.execute(ending_logins(OidcGrantRow.session_id == row.id, now=now))
        await session.delete(row)
    session.add(new)
    return new, left


async def _meet(session: AsyncSession, account_id: uuid.UUID, browser: str, *, now: datetime) -> None:
    """Put down the browser, and a mail to come if the person has only used others.

    The first browser of all is no news.
    """
    browser_hash = hashlib.sha256(account_id.bytes + browser.encode(errors="replace")).digest()
    known = list(
        await session.scalars(select(KnownBrowserRow).where(KnownBrowserRow.account_id == account_id))
    )
    same = next((row for row in known if row.browser_hash == browser_hash), None)
    if same is not None:
        same.last_login_at = now
        return
    session.add(KnownBrowserRow(account_id=account_id, browser_hash=browser_hash, last_login_at=now))
    if known:
        note_mail(session, account_id, AccessChange.NEW_BROWSER, now=now)


def _user(
    opened: SessionRow, account: AccountRow, rows: Sequence[ProfileRow], *, today: date
) -> LoggedInUser:
    application, profiles = Application(opened.application), profiles_of(rows, today=today)
    authenticated_at = opened.authenticated_at or opened.created_at
    return LoggedInUser(
        session_id=opened.id,
        previous_login_at=opened.previous_login_at,
        account_id=account.id,
        login=account.login,
        full_name=f"{account.given_names} {account.surnames}".strip(),
        application=application,
        profiles=tuple(item for item in profiles if application_of(item.user_type) is application),
        amr=tuple(opened.amr),
        authenticated_at=authenticated_at,
        proven_at=opened.confirmed_at or authenticated_at,
    )


def profiles_of(rows: Sequence[ProfileRow], *, today: date) -> tuple[Profile, ...]:
    """The profiles as their owner sees them, oldest first."""
    return tuple(_profile(row, today=today) for row in sorted(rows, key=lambda row: row.created_at))


def _profile(row: ProfileRow, *, today: date) -> Profile:
    access = profile_access(row)
    return Profile(
        user_type=UserType(row.user_type),
        entity_name=row.entity_name,
        entity_kind=row.entity_kind,
        entity_regime=row.entity_regime,
        entity_nit=row.entity_nit,
        municipality=row.municipality,
        profession_name=row.profession_name,
        professional_registration=row.professional_registration,
        site_name=row.site_name,
        ends_on=row.ends_on,
        suspended_until=access.sanctioned_until,
        state=access.state(today),
        cause=access.cause(today),
    )
