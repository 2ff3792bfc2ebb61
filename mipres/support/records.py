"""What support may see of a person.

Every look leaves its row in the audit trail, in the same transaction.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from mipres.database.address_changes import address_in_force, open_change
from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import session_factory
from mipres.database.tables import AccountRow, PasswordLinkRow, ProfileRow
from mipres.domain.audit import AuditEvent, AuditEventType
from mipres.domain.documents import Document
from mipres.domain.masking import mask_login, mask_name
from mipres.domain.outcomes import mask_email
from mipres.ports import Clock


@dataclass(frozen=True, kw_only=True)
class PersonView:
    """A person's account as support sees it.

    Masked unless it was asked for with a reason.
    """

    account_id: uuid.UUID
    login: str
    full_name: str
    email: str
    password_set_at: datetime | None
    link_expires_at: datetime | None
    radicados: tuple[str, ...]

    def masked(self) -> "PersonView":
        return replace(
            self,
            login=mask_login(self.login),
            full_name=mask_name(self.full_name),
            email=mask_email(self.email),
        )


class SupportRecords:
    """Looks people up for support."""

    def __init__(self, engine: AsyncEngine, *, audit: PostgresAuditTrail, clock: Clock) -> None:
        self._sessions = session_factory(engine)
        self._audit = audit
        self._clock = clock

    async def person_of(self, reference: str, *, actor: str, reason: str | None = None) -> PersonView | None:
        """The person of a registration or recovery; in clear only with a reason."""
        profile = select(ProfileRow.account_id).where(ProfileRow.radicado == reference)
        link = select(PasswordLinkRow.account_id).where(PasswordLinkRow.reference == reference)
        async with self._sessions.begin() as session:
            account_id = (await session.scalars(profile.union(link).limit(1))).first()
            account = await session.get(AccountRow, account_id) if account_id else None
            person = await self._view(session, account) if account else None
            await self._audit.record_in(
                session, _look(actor, reason, reference=reference, login=account.login if account else None)
            )
        return person.masked() if person and reason is None else person

    async def with_password(self, radicados: Sequence[str]) -> set[str]:
        """Those registrations whose account has a password.

        Nothing personal, so the trail records nothing.
        """
        statement = (
            select(ProfileRow.radicado)
            .join(AccountRow, AccountRow.id == ProfileRow.account_id)
            .where(ProfileRow.radicado.in_(radicados), AccountRow.password_hash.is_not(None))
        )
        async with self._sessions() as session:
            return set(await session.scalars(statement))

    async def person(self, document: Document, *, actor: str) -> PersonView | None:
        """The person with this document, masked."""
        async with self._sessions.begin() as session:
            account = await session.scalar(select(AccountRow).where(AccountRow.login == document.login))
            person = await self._view(session, account) if account else None
            await self._audit.record_in(session, _look(actor, None, login=document.login))
        return person.masked() if person else None

    async def _view(self, session: AsyncSession, account: AccountRow) -> PersonView:
        radicados = await session.scalars(
            select(ProfileRow.radicado)
            .where(ProfileRow.account_id == account.id)
            .order_by(ProfileRow.created_at)
        )
        open_link = select(PasswordLinkRow.expires_at).where(
            PasswordLinkRow.account_id == account.id, PasswordLinkRow.closed_at.is_(None)
        )
        return PersonView(
            account_id=account.id,
            login=account.login,
            full_name=f"{account.given_names} {account.surnames}".strip(),
            email=address_in_force(account, await open_change(session, account.id), self._clock.now()),
            password_set_at=account.password_set_at,
            link_expires_at=(await session.scalars(open_link)).first(),
            radicados=tuple(radicados),
        )


def _look(
    actor: str, reason: str | None, *, reference: str | None = None, login: str | None = None
) -> AuditEvent:
    return AuditEvent(
        type=AuditEventType.DATA_VIEWED,
        actor=actor,
        reference=reference,
        login=login,
        reason=reason,
        details={"in_clear": "no" if reason is None else "yes"},
    )
