"""What a person who is in sees and changes of the own account."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, literal, select
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.access import ending_logins, has_logins, is_open, note_mail
from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import reading_factory, session_factory
from mipres.database.link_statements import close_links, ending_sessions, lock_account
from mipres.database.sessions import LoggedInUser, Profile, hashed, live, new_token, profiles_of
from mipres.database.tables import AccountRow, OidcGrantRow, PasswordLinkRow, ProfileRow, SessionRow
from mipres.domain.access import AccessChange
from mipres.domain.applications import Application
from mipres.domain.audit import CITIZEN, AuditEvent, AuditEventType
from mipres.domain.eligibility import today_in_bogota
from mipres.domain.links import LinkState
from mipres.ports import Clock


@dataclass(frozen=True, kw_only=True)
class OwnSession:
    """One open session, as its owner knows it again.

    Attributes:
        is_this: The owner is looking with it.
    """

    id: uuid.UUID
    application: Application
    device: str | None
    network: str | None
    since: datetime
    last_seen_at: datetime
    is_this: bool


@dataclass(frozen=True, kw_only=True)
class OwnAccount:
    """Everything of `/cuenta`; the profiles of both applications.

    Attributes:
        has_other_logins: Whether an application still counts on another session, even one that has run out.
    """

    password_set_at: datetime | None
    profiles: tuple[Profile, ...]
    sessions: tuple[OwnSession, ...]
    has_other_logins: bool = False


class PostgresOwnAccounts:
    """Reads and changes the account of a session."""

    def __init__(self, engine: AsyncEngine, *, audit: PostgresAuditTrail, clock: Clock) -> None:
        self._sessions = session_factory(engine)
        self._reading = reading_factory(engine)
        self._audit = audit
        self._clock = clock

    async def of(self, user: LoggedInUser) -> OwnAccount:
        now = self._clock.now()
        own = select(ProfileRow).where(ProfileRow.account_id == user.account_id)
        opened = select(SessionRow).where(SessionRow.account_id == user.account_id, *live(now))
        async with self._reading() as session:
            account = await session.get_one(AccountRow, user.account_id)
            profiles = list(await session.scalars(own))
            sessions = await session.scalars(opened.order_by(SessionRow.created_at.desc()))
            others = (OidcGrantRow.account_id == user.account_id, OidcGrantRow.session_id != user.session_id)
            has_others = await has_logins(session, *others)
        return OwnAccount(
            password_set_at=account.password_set_at,
            profiles=profiles_of(profiles, today=today_in_bogota(now)),
            sessions=tuple(_own_session(row, user) for row in sessions),
            has_other_logins=has_others,
        )

    async def end_session(self, user: LoggedInUser, session_id: uuid.UUID) -> int:
        """End one session of the same person, and return how many that were."""
        which = (SessionRow.id == session_id, OidcGrantRow.session_id == session_id)
        return await self._end(user, *which)

    async def end_other_sessions(self, user: LoggedInUser) -> int:
        which = (SessionRow.id != user.session_id, OidcGrantRow.session_id != user.session_id)
        return await self._end(user, *which)

    async def change_password(
        self, user: LoggedInUser, *, verified_hash: str, password_hash: str
    ) -> str | None:
        """Replace the password that was verified; the session's cookie gets a new value.

        The other sessions and the open links end with it. A stolen copy of this session's cookie does too.

        Returns:
            The new value of the cookie. None if the password, the account or the session is not what it was when it was verified; nothing
            was changed.
        """
        token, now = new_token(), self._clock.now()
        async with self._sessions.begin() as session:
            account = await lock_account(session, user.account_id)
            which = (SessionRow.id == user.session_id, SessionRow.account_id == user.account_id, *live(now))
            own = await session.scalar(select(SessionRow).where(*which).with_for_update())
            if (
                account is None
                or own is None
                or account.password_hash != verified_hash
                or not is_open(account)
            ):
                return None
            account.password_hash, account.is_password_changed = password_hash, True
            account.password_set_at = account.updated_at = now
            own.id_hash = hashed(token)
            await close_links(session, LinkState.SUPERSEDED, now, PasswordLinkRow.account_id == account.id)
            await session.execute(ending_sessions(literal(account.id), literal(now), but=user.session_id))
            note_mail(session, account.id, AccessChange.PASSWORD_CHANGED, now=now)
            event = AuditEvent(
                type=AuditEventType.PASSWORD_SET,
                actor=CITIZEN,
                login=user.login,
                details={"purpose": "own_account"},
            )
            await session.flush()
            await self._audit.record_in(session, event)
        return token

    async def _end(self, user: LoggedInUser, which: ColumnElement[bool], logins: ColumnElement[bool]) -> int:
        ending = (
            delete(SessionRow).where(SessionRow.account_id == user.account_id, which).returning(SessionRow.id)
        )
        own = OidcGrantRow.account_id == user.account_id
        async with self._sessions.begin() as session:
            # A login that is just opening holds the same row, so its session is ended too.
            await lock_account(session, user.account_id)
            ended: Sequence[uuid.UUID] = (await session.scalars(ending)).all()
            # Applications also have what came of sessions that have run out since.
            left = (await session.scalars(ending_logins(own, logins, now=self._clock.now()))).all()
            if ended or left:
                event = AuditEvent(
                    type=AuditEventType.SESSIONS_ENDED,
                    actor=CITIZEN,
                    login=user.login,
                    details={"sessions": len(ended), **({"logins": len(left)} if left else {})},
                )
                await self._audit.record_in(session, event)
        return len(ended)


def _own_session(row: SessionRow, user: LoggedInUser) -> OwnSession:
    return OwnSession(
        id=row.id,
        application=Application(row.application),
        device=row.device,
        network=row.network,
        since=row.created_at,
        last_seen_at=row.last_seen_at,
        is_this=row.id == user.session_id,
    )
