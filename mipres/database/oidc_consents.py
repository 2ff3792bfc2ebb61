"""What people allowed applications outside the state, in PostgreSQL."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.access import ending_logins
from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import reading_factory, session_factory
from mipres.database.sessions import LoggedInUser
from mipres.database.tables import OidcConsentRow, OidcGrantRow
from mipres.domain.audit import CITIZEN, AuditEvent, AuditEventType
from mipres.ports import Clock


@dataclass(frozen=True, kw_only=True)
class AllowedApplication:
    """An application that a person has allowed to learn something.

    Attributes:
        since: When the person allowed it last.
    """

    client_id: str
    scopes: tuple[str, ...]
    since: datetime


class ApplicationConsents:
    """Gives and takes back what a person allows."""

    def __init__(self, engine: AsyncEngine, *, audit: PostgresAuditTrail, clock: Clock) -> None:
        self._sessions = session_factory(engine)
        self._reading = reading_factory(engine)
        self._audit, self._clock = audit, clock

    async def given(self, account_id: uuid.UUID, client_id: str) -> Mapping[str, datetime]:
        """The scopes that the application may have, and since when."""
        own = (OidcConsentRow.account_id == account_id, OidcConsentRow.client_id == client_id)
        statement = select(OidcConsentRow.scope, OidcConsentRow.given_at).where(*own)
        async with self._reading() as session:
            return {row.scope: row.given_at for row in await session.execute(statement)}

    async def of(self, account_id: uuid.UUID) -> Sequence[AllowedApplication]:
        """The applications that the person has allowed, the newest first."""
        since = func.max(OidcConsentRow.given_at).label("since")
        statement = (
            select(OidcConsentRow.client_id, func.array_agg(OidcConsentRow.scope).label("scopes"), since)
            .where(OidcConsentRow.account_id == account_id)
            .group_by(OidcConsentRow.client_id)
            .order_by(since.desc())
        )
        async with self._reading() as session:
            return [
                AllowedApplication(client_id=row.client_id, scopes=tuple(sorted(row.scopes)), since=row.since)
                for row in await session.execute(statement)
            ]

    async def give(self, user: LoggedInUser, client_id: str, scopes: Sequence[str]) -> None:
        """Write down that the person allows these scopes, beside those of before."""
        now = self._clock.now()
        rows = [
            {"account_id": user.account_id, "client_id": client_id, "scope": scope, "given_at": now}
            for scope in scopes
        ]
        giving = insert(OidcConsentRow).values(rows)
        event = _event(AuditEventType.APPLICATION_ALLOWED, user, client_id, scopes=" ".join(scopes))
        async with self._sessions.begin() as session:
            await session.execute(
                giving.on_conflict_do_update(
                    index_elements=["account_id", "client_id", "scope"], set_={"given_at": now}
                )
            )
            await self._audit.record_in(session, event)

    async def withdraw(self, user: LoggedInUser, client_id: str) -> None:
        """Take everything back, and end what the application has of the person."""
        own = (OidcConsentRow.account_id == user.account_id, OidcConsentRow.client_id == client_id)
        withdrawing = delete(OidcConsentRow).where(*own).returning(OidcConsentRow.scope)
        held = (OidcGrantRow.account_id == user.account_id, OidcGrantRow.client_id == client_id)
        async with self._sessions.begin() as session:
            if not (await session.scalars(withdrawing)).all():
                return
            await session.execute(ending_logins(*held, now=self._clock.now()))
            await self._audit.record_in(
                session, _event(AuditEventType.APPLICATION_WITHDRAWN, user, client_id)
            )


def _event(kind: AuditEventType, user: LoggedInUser, client_id: str, **details: str) -> AuditEvent:
    return AuditEvent(
        type=kind, actor=CITIZEN, login=user.login, details={"application": client_id, **details}
    )
