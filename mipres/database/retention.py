"""Removing what has served its purpose.

Docs/privacy.md lists how long each thing is kept, and why.
"""

import uuid
from collections.abc import Collection, Mapping
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import reading_factory, session_factory
from mipres.database.link_statements import link_event
from mipres.database.sessions import ABSOLUTE_LIMIT, IDLE_LIMIT
from mipres.database.tables import (
    AccessChangeRow,
    AccountRow,
    AddressChangeRow,
    Base,
    CaptchaAnswerRow,
    EndedSessionRow,
    ErasureRow,
    FactorResetRow,
    KnownBrowserRow,
    LoginGuardRow,
    LoginOriginRow,
    OidcAssertionRow,
    OidcGrantRow,
    OidcTokenRow,
    PasskeyAnswerRow,
    PasswordLinkRow,
    RateLimitRow,
    SecondStepRow,
    SentMailRow,
    SessionRow,
)
from mipres.domain.audit import AuditEventType
from mipres.domain.links import LinkPurpose, LinkState
from mipres.domain.lockout import FORGOTTEN_AFTER, KEPT_FOR, STRANGERS_LIMIT
from mipres.domain.second_factor import CHALLENGE_FOR, SECOND_STEP_FOR
from mipres.ports import Clock

UNFINISHED_ACCOUNTS = timedelta(days=30)
"""A person without a password by then registers again, which takes a minute."""
CLOSED_LINKS = timedelta(days=30)
"""So long a page can still tell why a link is of no use."""
SENT_MAILS = timedelta(days=90)
"""As long as Temporal keeps a history, which could send its mails again."""
CLOSED_CHANGES = timedelta(days=30)
"""So long an address that its person stopped is not taken again."""
ERASURES = timedelta(days=90)
"""As long as Temporal keeps a history, which could register its person again."""
ACCESS_CHANGES = timedelta(days=90)
"""As long as SENT_MAILS; the trail keeps the change itself."""
KNOWN_BROWSERS = timedelta(days=365)
"""As long as the browser keeps the cookie that is recognised by it."""
OIDC_TOKENS = timedelta(days=1)
"""So long the replay of a token that has run out still ends its family."""
CLOCKS = timedelta(hours=1)
"""Clocks of the product's machines are closer together than this."""
CAPTCHA_ANSWERS = timedelta(hours=1)
"""A challenge lives half an hour; after that its answer proves nothing."""


class PostgresRetention:
    """Implements ports.Retention."""

    def __init__(self, engine: AsyncEngine, *, audit: PostgresAuditTrail, clock: Clock) -> None:
        self._sessions = session_factory(engine)
        self._reading = reading_factory(engine)
        self._audit = audit
        self._clock = clock

    async def open_links(self) -> Mapping[uuid.UUID, str]:
        """Every password link that can be used, with the reference that sent it."""
        statement = select(PasswordLinkRow.id, PasswordLinkRow.reference).where(
            PasswordLinkRow.closed_at.is_(None), PasswordLinkRow.expires_at > self._clock.now()
        )
        async with self._reading() as session:
            return {row.id: row.reference for row in await session.execute(statement)}

    async def close_links(self, links: Collection[uuid.UUID]) -> int:
        """Expire those of these links that are still open; how many."""
        closing = (
            update(PasswordLinkRow)
            .where(
                PasswordLinkRow.id.in_(links),
                PasswordLinkRow.closed_at.is_(None),
                AccountRow.id == PasswordLinkRow.account_id,
            )
            .values(closed_at=self._clock.now(), closed_reason=LinkState.EXPIRED)
            .returning(AccountRow.login, PasswordLinkRow.reference, PasswordLinkRow.purpose)
        )
        async with self._sessions.begin() as session:
            closed = (await session.execute(closing)).all()
            events = [
                link_event(AuditEventType.LINK_EXPIRED, row.login, row.reference, LinkPurpose(row.purpose))
                for row in closed
            ]
            await self._audit.record_in(session, *events)
        return len(closed)

    async def purge(self) -> Mapping[str, int]:
        """Remove it; how many rows of each table. Doing it twice removes nothing more."""
        removed = {}
        for table, which in self._rules():
            async with self._sessions.begin() as session:
                removed[table.__tablename__] = (await session.execute(delete(table).where(which))).rowcount
        return removed

    def _rules(self) -> list[tuple[type[Base], ColumnElement[bool]]]:
        now = self._clock.now()
        is_open = (PasswordLinkRow.closed_at.is_(None), PasswordLinkRow.expires_at > now)
        open_link = select(PasswordLinkRow.id).where(PasswordLinkRow.account_id == AccountRow.id, *is_open)
        return [
            (
                AccountRow,
                AccountRow.password_hash.is_(None)
                & AccountRow.joined_to.is_(None)
                & (AccountRow.updated_at <= now - UNFINISHED_ACCOUNTS)
                & ~open_link.exists(),
            ),
            (AddressChangeRow, AddressChangeRow.closed_at <= now - CLOSED_CHANGES),
            (FactorResetRow, FactorResetRow.closed_at <= now - CLOSED_CHANGES),
            (PasswordLinkRow, PasswordLinkRow.expires_at <= now - CLOSED_LINKS),
            (
                SessionRow,
                or_(
                    SessionRow.last_seen_at <= now - IDLE_LIMIT,
                    SessionRow.created_at <= now - ABSOLUTE_LIMIT,
                ),
            ),
            (SecondStepRow, SecondStepRow.began_at <= now - SECOND_STEP_FOR),
            # A challenge that is over already proves nothing.
            (PasskeyAnswerRow, PasskeyAnswerRow.answered_at <= now - CHALLENGE_FOR),
            (CaptchaAnswerRow, CaptchaAnswerRow.answered_at <= now - CAPTCHA_ANSWERS),
            (
                LoginGuardRow,
                # Time alone must not open again what a hundred failures closed.
                (LoginGuardRow.failed_at <= now - KEPT_FOR) & (LoginGuardRow.failures < STRANGERS_LIMIT),
            ),
            (LoginOriginRow, LoginOriginRow.failed_at <= now - FORGOTTEN_AFTER),
            (RateLimitRow, RateLimitRow.ends_at <= now),
            (KnownBrowserRow, KnownBrowserRow.last_login_at <= now - KNOWN_BROWSERS),
            (EndedSessionRow, EndedSessionRow.ended_at <= now - ABSOLUTE_LIMIT),
            (ErasureRow, ErasureRow.erased_at <= now - ERASURES),
            (AccessChangeRow, AccessChangeRow.mailed_at <= now - ACCESS_CHANGES),
            (OidcAssertionRow, OidcAssertionRow.expires_at <= now - CLOCKS),
            (OidcTokenRow, OidcTokenRow.expires_at <= now - OIDC_TOKENS),
            (
                OidcGrantRow,
                (OidcGrantRow.created_at <= now - OIDC_TOKENS)
                & (OidcGrantRow.ended_at.is_(None) | OidcGrantRow.announced_at.is_not(None))
                & ~select(OidcTokenRow.hash).where(OidcTokenRow.grant_id == OidcGrantRow.id).exists(),
            ),
            (SentMailRow, SentMailRow.claimed_at <= now - SENT_MAILS),
        ]
