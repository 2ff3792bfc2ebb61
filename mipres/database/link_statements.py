"""Statements that accounts and password links share, each written once."""

import uuid
from datetime import datetime

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Insert,
    Row,
    Update,
    bindparam,
    delete,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from mipres.database.engine import AnyRow, Transaction
from mipres.database.tables import AccountRow, EndedSessionRow, PasswordLinkRow, SessionRow
from mipres.domain.audit import PRODUCT, AuditEvent, AuditEventType
from mipres.domain.links import LinkPurpose, LinkState

WAS_INSERTED = literal_column("(xmax = 0)", Boolean).label("was_inserted")
"""PostgreSQL's own mark of a row that an upsert has inserted and not updated."""

_LOCKED_OWNER = (
    select(AccountRow.id, AccountRow.login, AccountRow.password_hash)
    .join(PasswordLinkRow, PasswordLinkRow.account_id == AccountRow.id)
    .where(PasswordLinkRow.id == bindparam("link_id"))
    .with_for_update(of=AccountRow)
)


async def lock_account(session: AsyncSession, account_id: uuid.UUID) -> AccountRow | None:
    """Hold the account until the transaction ends.

    Every write that decides between rivals begins here.
    """
    return await session.get(AccountRow, account_id, with_for_update=True)


async def lock_account_of_link(
    transaction: Transaction, link_id: uuid.UUID
) -> Row[uuid.UUID, str, str | None] | None:
    """Hold the account that a link belongs to: its `id`, `login` and `password_hash`."""
    return (await transaction.execute(_LOCKED_OWNER, {"link_id": link_id})).first()


async def close_links(
    session: AsyncSession, reason: LinkState, now: datetime, *which: ColumnElement[bool]
) -> list[LinkPurpose]:
    """Close the open links among these, and return what each of them was for."""
    closing = closing_links(reason, now, *which).returning(PasswordLinkRow.purpose)
    return [LinkPurpose(purpose) for purpose in await session.scalars(closing)]


def closing_links(
    reason: LinkState, now: datetime | ColumnElement[datetime], *which: ColumnElement[bool]
) -> Update:
    """Close the open links among these."""
    open_ones = update(PasswordLinkRow).where(PasswordLinkRow.closed_at.is_(None), *which)
    return open_ones.values(closed_at=now, closed_reason=reason)


def ending_sessions(
    account_id: ColumnElement[uuid.UUID], now: ColumnElement[datetime], *, but: uuid.UUID | None = None
) -> Insert:
    """End every session of an account, and keep which ones until no browser has them.

    `but` names one that goes on.
    """
    which = [SessionRow.account_id == account_id, *([SessionRow.id != but] if but else [])]
    ended = delete(SessionRow).where(*which).returning(SessionRow.id_hash).cte("ended")
    kept = select(ended.c.id_hash, account_id, now)
    return insert(EndedSessionRow).from_select(["id_hash", "account_id", "ended_at"], kept)


def state_of(row: PasswordLinkRow | AnyRow, now: datetime) -> LinkState:
    """What a link is worth at this moment."""
    if row.closed_reason is not None:
        return LinkState(row.closed_reason)
    return LinkState.EXPIRED if row.expires_at <= now else LinkState.OPEN


def link_event(
    event: AuditEventType, login: str, reference: str, purpose: LinkPurpose, actor: str = PRODUCT
) -> AuditEvent:
    """What the trail records of a link."""
    return AuditEvent(
        type=event, actor=actor, reference=reference, login=login, details={"purpose": purpose.value}
    )
