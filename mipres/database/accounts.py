"""Accounts as the activities use them.

Every write that decides between rivals locks the account row first.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from mipres.database.access import renew_profile
from mipres.database.account_statements import (
    JUST_ISSUED,
    REGISTER,
    REGISTER_WITH_LINK,
    SUPERSEDE,
    WITH_CHANGE,
    link_values,
    registration_values,
)
from mipres.database.address_changes import PostgresAddressChanges, address_in_force
from mipres.database.audit import PostgresAuditTrail, TrailHead, write_and_hold
from mipres.database.engine import AnyRow, reading_factory, run_alone, session_factory
from mipres.database.erasures import Erasures
from mipres.database.failures import DATABASE_ERRORS
from mipres.database.link_statements import close_links, link_event, lock_account
from mipres.database.profiles import profile_key
from mipres.database.tables import AccountRow, PasswordLinkRow, ProfileRow, arguments
from mipres.domain.accounts import AccountContact, IssuedLink, NewRegistration, RegisteredAccount
from mipres.domain.audit import PRODUCT, AuditEvent, AuditEventType
from mipres.domain.documents import Document
from mipres.domain.errors import DocumentReplacedError, PersonErasedError
from mipres.domain.links import ClosedLinks, LinkPurpose, LinkState, PasswordLink
from mipres.domain.outcomes import Refusal
from mipres.keys import LinkTokens
from mipres.ports import Clock

_JUST_NOW = timedelta(minutes=1)
"""A link of so long ago is mailed as it is; an older one is issued again."""


class PostgresAccounts:
    """Implements ports.Accounts.

    Args:
        engine: The process's engine.
        tokens: Makes link tokens.
        audit: Records every change, in the same transaction.
        erasures: Who was erased, and when.
        changes: Changes of address, which wait where an account is in use.
        clock: Source of every timestamp that rules depend on.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        tokens: LinkTokens,
        audit: PostgresAuditTrail,
        erasures: Erasures,
        changes: PostgresAddressChanges,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._sessions = session_factory(engine)
        self._reading = reading_factory(engine)
        self._tokens = tokens
        self._audit = audit
        self._erasures = erasures
        self._changes = changes
        self._clock = clock

    async def register(self, registration: NewRegistration) -> RegisteredAccount:
        login = registration.submission.document.login
        async with self._engine.begin() as connection:
            await self._erasures.hold_in(connection, login)
            stored, head = await self._store(connection, registration)
            # What was written for a person who is refused ends with the transaction.
            if stored.is_erased:
                raise PersonErasedError
            if stored.is_replaced:
                raise DocumentReplacedError
            events, change = _registration_events(registration, stored), None
            if not stored.was_inserted:
                change, renewed = await self._refresh(connection, stored.account_id, registration)
                events += renewed
            await self._audit.record_in(connection, *events, head=head)
        return RegisteredAccount(
            account_id=stored.account_id,
            login=login,
            email=registration.person.email,
            has_password=stored.has_password,
            address_change=change,
        )

    async def contact(self, account_id: uuid.UUID) -> AccountContact | None:
        rows = await run_alone(self._engine, WITH_CHANGE, {"account_id": account_id})
        if not rows:
            return None
        found = rows[0]
        # Without a change its columns are empty, as those of one that is not due.
        return _contact(found, address_in_force(found, found, self._clock.now()))

    async def find(self, document: Document) -> uuid.UUID | None:
        # What belongs to a replaced document belongs to the account that goes on for it.
        lasting = func.coalesce(AccountRow.joined_to, AccountRow.id)
        statement = select(lasting).where(AccountRow.login == document.login)
        async with self._reading() as session:
            account_id: uuid.UUID | None = await session.scalar(statement)
        return account_id

    async def issue_link(
        self,
        account_id: uuid.UUID,
        *,
        reference: str,
        purpose: LinkPurpose,
        lifetime: timedelta,
        issue_key: str,
    ) -> IssuedLink | None:
        now = self._clock.now()
        if purpose is LinkPurpose.CREATE:
            issued = await self._just_issued(account_id, issue_key, not_before=now - _JUST_NOW + lifetime)
            if issued is not None:
                return issued
        link = link_values(
            reference=reference, purpose=purpose, issue_key=issue_key, lifetime=lifetime, now=now
        )
        values = arguments(PasswordLinkRow, link | {"account_id": account_id})
        async with self._sessions.begin() as session:
            account = await lock_account(session, account_id)
            if account is None or account.joined_to is not None:
                return None
            if purpose is LinkPurpose.CREATE and account.password_hash is not None:
                return None
            if account.password_hash is not None and await self._changes.settle_in(session, account):
                # A link to either address would decide what the wait is there to decide.
                return None
            [found], head = await write_and_hold(session, SUPERSEDE, values)
            if found.was_inserted:
                issued_now = link_event(AuditEventType.LINK_ISSUED, account.login, reference, purpose)
                await self._audit.record_in(session, issued_now, head=head)
        return IssuedLink(
            token=self._tokens.token_of(found.id),
            expires_at=now + lifetime,
            contact=_contact(account, account.email),
        )

    async def _just_issued(
        self, account_id: uuid.UUID, issue_key: str, *, not_before: datetime
    ) -> IssuedLink | None:
        """The link that was issued with the account, while another is no better."""
        which = {"issue_key": issue_key, "account_id": account_id, "not_before": not_before}
        links = await run_alone(self._engine, JUST_ISSUED, which)
        if not links:
            return None
        found = links[0]
        return IssuedLink(
            token=self._tokens.token_of(found.link_id),
            expires_at=found.expires_at,
            contact=_contact(found, found.email),
        )

    async def open_link(self, account_id: uuid.UUID, *, reference: str) -> PasswordLink | None:
        statement = select(PasswordLinkRow).where(
            PasswordLinkRow.account_id == account_id,
            PasswordLinkRow.reference == reference,
            PasswordLinkRow.closed_at.is_(None),
            PasswordLinkRow.expires_at > self._clock.now(),
        )
        async with self._reading() as session:
            row = await session.scalar(statement)
        return row and PasswordLink(token=self._tokens.token_of(row.id), expires_at=row.expires_at)

    async def discard(self, *, reference: str) -> None:
        async with self._sessions.begin() as session:
            statement = select(ProfileRow.account_id).where(ProfileRow.radicado == reference)
            account_id = (await session.scalars(statement)).first()
            account = await lock_account(session, account_id) if account_id else None
            if account is None:
                return
            which = PasswordLinkRow.reference == reference
            await close_links(session, LinkState.SUPERSEDED, self._clock.now(), which)
            if account.password_hash is None:
                await session.execute(delete(ProfileRow).where(ProfileRow.radicado == reference))
                left = select(ProfileRow.id).where(ProfileRow.account_id == account.id)
                await session.execute(delete(AccountRow).where(AccountRow.id == account.id, ~left.exists()))
            await self._audit.record_in(
                session,
                AuditEvent(
                    type=AuditEventType.REGISTRATION_DISCARDED,
                    actor=PRODUCT,
                    reference=reference,
                    login=account.login,
                ),
            )

    async def record_refusal(self, *, reference: str, document: Document, refusal: Refusal, run: str) -> None:
        event = AuditEvent(
            type=AuditEventType.REGISTRATION_REFUSED,
            actor=PRODUCT,
            reference=reference,
            login=document.login,
            details={"refusal": refusal.value, "run": run},
        )
        await self._audit.record_once(event)

    async def record_given_up(self, *, reference: str, waited_for: str, run: str) -> bool:
        event = AuditEvent(
            type=AuditEventType.REGISTRATION_GIVEN_UP,
            actor=PRODUCT,
            reference=reference,
            details={"waited_for": waited_for, "run": run},
        )
        try:
            await self._audit.record_once(event)
        except DATABASE_ERRORS:
            # The database may be what the registration waited for.
            return False
        return True

    async def expire_links(self, account_id: uuid.UUID, *, reference: str) -> ClosedLinks:
        async with self._sessions.begin() as session:
            account = await lock_account(session, account_id)
            which = PasswordLinkRow.reference == reference
            closed = await close_links(session, LinkState.EXPIRED, self._clock.now(), which)
            if account is None:
                return ClosedLinks()
            for purpose in closed:
                await self._audit.record_in(
                    session, link_event(AuditEventType.LINK_EXPIRED, account.login, reference, purpose)
                )
            if account.password_hash is None:
                return ClosedLinks()
            # A link and the password that it sets have one moment.
            used = (PasswordLinkRow.closed_reason == LinkState.USED) & (
                PasswordLinkRow.closed_at == account.password_set_at
            )
            was_used = await session.scalar(select(exists().where(which, used)))
            return ClosedLinks(password_set=True, was_used=bool(was_used))

    async def _store(
        self, connection: AsyncConnection, registration: NewRegistration
    ) -> tuple[Row[Any], TrailHead | None]:
        """Write account, profile, declaration and first link in one statement."""
        login, submitted_at = registration.submission.document.login, registration.consent.accepted_at
        values = registration_values(registration, self._clock.now())
        values |= self._erasures.submission(login, submitted_at=submitted_at)
        statement = REGISTER if registration.first_link is None else REGISTER_WITH_LINK
        rows, head = await write_and_hold(connection, statement, values)
        return rows[0], head

    async def _refresh(
        self, connection: AsyncConnection, account_id: uuid.UUID, registration: NewRegistration
    ) -> tuple[uuid.UUID | None, list[AuditEvent]]:
        """Note the registry's address on a held account that was there before.

        Lift what registries had closed of an older profile, too.

        Returns:
            The change of address, and the events of the profile.
        """
        async with AsyncSession(connection, expire_on_commit=False) as session:
            account = await session.get_one(AccountRow, account_id)
            change = await self._changes.note_in(
                session, account, registration.person.email, reference=registration.radicado
            )
            key = profile_key(registration.submission)
            events = await renew_profile(session, account_id, key, now=self._clock.now())
            await session.flush()
        return change, events


def _registration_events(registration: NewRegistration, stored: Row[Any]) -> list[AuditEvent]:
    """What the trail records of an account, new or refreshed, and its first link."""
    if not stored.is_declaration_new:
        return []
    submission, radicado = registration.submission, registration.radicado
    login = submission.document.login
    event = AuditEvent(
        type=AuditEventType.ACCOUNT_CREATED if stored.was_inserted else AuditEventType.ACCOUNT_UPDATED,
        actor=PRODUCT,
        reference=radicado,
        login=login,
        details={"user_type": submission.user_type.value, "channel": registration.consent.channel},
    )
    if registration.first_link is None or not stored.was_inserted:
        return [event]
    return [event, link_event(AuditEventType.LINK_ISSUED, login, radicado, LinkPurpose.CREATE)]


def _contact(account: AccountRow | AnyRow, email: str) -> AccountContact:
    return AccountContact(
        login=account.login,
        full_name=f"{account.given_names} {account.surnames}".strip(),
        email=email,
        password_set_at=account.password_set_at,
        is_password_changed=account.is_password_changed,
    )
