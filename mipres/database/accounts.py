"""Accounts as the activities use them.

Every write that decides between rivals locks the account row first.
"""

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CTE, Row, case, delete, func, literal, select
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from mipres.database.access import renew_profile
from mipres.database.address_changes import PostgresAddressChanges, address_in_force
from mipres.database.audit import PostgresAuditTrail, TrailHead, write_and_hold
from mipres.database.engine import reading_factory, session_factory
from mipres.database.erasures import Erasures
from mipres.database.failures import DATABASE_ERRORS
from mipres.database.link_statements import (
    WAS_INSERTED,
    close_links,
    closing_links,
    link_event,
    lock_account,
)
from mipres.database.profiles import profile_values
from mipres.database.tables import AccountRow, AddressChangeRow, ConsentRow, PasswordLinkRow, ProfileRow
from mipres.domain.accounts import AccountContact, IssuedLink, NewRegistration, RegisteredAccount
from mipres.domain.audit import PRODUCT, AuditEvent, AuditEventType
from mipres.domain.documents import Document
from mipres.domain.errors import DocumentReplacedError, PersonErasedError
from mipres.domain.identifiers import folded_registration
from mipres.domain.links import LinkPurpose, LinkState, PasswordLink
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
        self._sessions = session_factory(engine)
        self._reading = reading_factory(engine)
        self._tokens = tokens
        self._audit = audit
        self._erasures = erasures
        self._changes = changes
        self._clock = clock

    async def register(self, registration: NewRegistration) -> RegisteredAccount:
        login = registration.submission.document.login
        async with self._sessions.begin() as session:
            await self._erasures.hold_in(session, login)
            stored, head = await self._store(session, registration)
            # What was written for a person who is refused ends with the transaction.
            if stored.is_erased:
                raise PersonErasedError
            if stored.is_replaced:
                raise DocumentReplacedError
            events = _registration_events(registration, stored)
            change = None
            if not stored.was_inserted:
                change = await self._note_address(session, stored.account_id, registration)
                events += await self._renew_profile(session, registration, stored.account_id)
            await self._audit.record_in(session, *events, head=head)
        return RegisteredAccount(
            account_id=stored.account_id,
            login=login,
            email=registration.person.email,
            has_password=stored.has_password,
            address_change=change,
        )

    async def contact(self, account_id: uuid.UUID) -> AccountContact | None:
        waiting = (AddressChangeRow.account_id == AccountRow.id) & AddressChangeRow.closed_at.is_(None)
        statement = select(AccountRow, AddressChangeRow).outerjoin(AddressChangeRow, waiting)
        async with self._reading() as session:
            found = (await session.execute(statement.where(AccountRow.id == account_id))).first()
        if found is None:
            return None
        row, change = found
        return _contact(row, address_in_force(row, change, self._clock.now()))

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
        link = _link_values(
            reference=reference, purpose=purpose, issue_key=issue_key, lifetime=lifetime, now=now
        )
        async with self._sessions.begin() as session:
            account = await lock_account(session, account_id)
            if account is None or account.joined_to is not None:
                return None
            if purpose is LinkPurpose.CREATE and account.password_hash is not None:
                return None
            if account.password_hash is not None and await self._changes.settle_in(session, account):
                # A link to either address would decide what the wait is there to decide.
                return None
            [found], head = await write_and_hold(
                session, *_superseding_link({**link, "account_id": account_id}, now)
            )
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
        statement = (
            select(PasswordLinkRow, AccountRow)
            .join(AccountRow, AccountRow.id == PasswordLinkRow.account_id)
            .where(
                PasswordLinkRow.issue_key == issue_key,
                PasswordLinkRow.account_id == account_id,
                PasswordLinkRow.closed_at.is_(None),
                PasswordLinkRow.expires_at >= not_before,
                AccountRow.password_hash.is_(None),
                AccountRow.joined_to.is_(None),
            )
        )
        async with self._reading() as session:
            found = (await session.execute(statement)).first()
        if found is None:
            return None
        link, account = found
        return IssuedLink(
            token=self._tokens.token_of(link.id),
            expires_at=link.expires_at,
            contact=_contact(account, account.email),
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

    async def expire_links(self, account_id: uuid.UUID, *, reference: str) -> bool:
        async with self._sessions.begin() as session:
            account = await lock_account(session, account_id)
            which = PasswordLinkRow.reference == reference
            closed = await close_links(session, LinkState.EXPIRED, self._clock.now(), which)
            if account is None:
                return False
            for purpose in closed:
                await self._audit.record_in(
                    session, link_event(AuditEventType.LINK_EXPIRED, account.login, reference, purpose)
                )
            return account.password_hash is not None

    async def _store(
        self, session: AsyncSession, registration: NewRegistration
    ) -> tuple[Row[Any], TrailHead | None]:
        """Write account, profile, declaration and first link in one statement.

        Only a new account has nothing more to write before the trail.
        """
        login, submitted_at = registration.submission.document.login, registration.consent.accepted_at
        account = (
            self._upsert_account(registration)
            .returning(
                AccountRow.id.label("account_id"),
                AccountRow.password_hash.is_not(None).label("has_password"),
                AccountRow.joined_to.is_not(None).label("is_replaced"),
                self._erasures.erasure_of(login, submitted_at=submitted_at).exists().label("is_erased"),
                WAS_INSERTED,
            )
            .cte("account")
        )
        consent, *others = self._belongings(registration, account)
        # The declaration belongs to one submission: without a new one, this is the same call again.
        is_new = select(consent.c.id).exists().label("is_declaration_new")
        fact = select(account, is_new).cte("registered")
        only_if = select(account.c.was_inserted).scalar_subquery()
        rows, head = await write_and_hold(session, fact, consent, *others, only_if=only_if)
        return rows[0], head

    def _upsert_account(self, registration: NewRegistration) -> Insert:
        """Hold the account of the document, so that no join comes between."""
        document, person = registration.submission.document, registration.person
        fresh = {
            "given_names": person.given_names,
            "surnames": person.surnames,
            "updated_at": self._clock.now(),
        }
        row = insert(AccountRow).values(
            id=uuid.uuid4(),
            document_type=document.type,
            document_number=document.number,
            login=document.login,
            email=person.email,
            # Defaults of Python are not applied within a larger statement.
            is_password_changed=False,
            created_at=fresh["updated_at"],
            **fresh,
        )
        return row.on_conflict_do_update(index_elements=["document_type", "document_number"], set_=fresh)

    async def _note_address(
        self, session: AsyncSession, account_id: uuid.UUID, registration: NewRegistration
    ) -> uuid.UUID | None:
        """Note the registry's address on a held account that was there before."""
        account = await session.get_one(AccountRow, account_id)
        return await self._changes.note_in(
            session, account, registration.person.email, reference=registration.radicado
        )

    async def _renew_profile(
        self, session: AsyncSession, registration: NewRegistration, account_id: uuid.UUID
    ) -> list[AuditEvent]:
        """Lift what registries had closed of an older profile; return the events."""
        return await renew_profile(session, account_id, _profile_key(registration), now=self._clock.now())

    def _belongings(self, registration: NewRegistration, account: CTE) -> Iterator[CTE]:
        """What belongs to the account that the statement writes.

        First the declaration, which is kept once.
        """
        now, consent, key = self._clock.now(), registration.consent, _profile_key(registration)
        account_id = select(account.c.account_id).scalar_subquery()
        declared = insert(ConsentRow).values(
            id=uuid.uuid4(),
            account_id=account_id,
            radicado=registration.radicado,
            terms_version=consent.terms_version,
            terms_sha256=consent.terms_sha256,
            accepted_at=consent.accepted_at,
            channel=consent.channel,
        )
        yield declared.on_conflict_do_nothing().returning(ConsentRow.id).cte("consent")
        values = profile_values(registration) | {"updated_at": now, "reviewed_at": now, "review_on": None}
        profile = insert(ProfileRow).values(
            id=uuid.uuid4(), account_id=account_id, created_at=now, **key, **values
        )
        stored = profile.on_conflict_do_update(index_elements=["account_id", *key], set_=values)
        yield stored.returning(ProfileRow.id).cte("profile")
        if registration.first_link is not None:
            link = _link_values(
                reference=registration.radicado,
                purpose=LinkPurpose.CREATE,
                issue_key=registration.first_link.issue_key,
                lifetime=registration.first_link.lifetime,
                now=now,
            )
            typed = [literal(value, PasswordLinkRow.__table__.c[name].type) for name, value in link.items()]
            of_a_new_account = select(*typed, account.c.account_id).where(account.c.was_inserted)
            issued = insert(PasswordLinkRow).from_select([*link, "account_id"], of_a_new_account)
            yield issued.returning(PasswordLinkRow.id).cte("link")


def _link_values(
    *, reference: str, purpose: LinkPurpose, issue_key: str, lifetime: timedelta, now: datetime
) -> dict[str, object]:
    """The columns of a new link, but its account."""
    return {
        "id": uuid.uuid4(),
        "reference": reference,
        "purpose": purpose,
        "issue_key": issue_key,
        "issued_at": now,
        "expires_at": now + lifetime,
    }


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


def _contact(account: AccountRow, email: str) -> AccountContact:
    return AccountContact(
        login=account.login,
        full_name=f"{account.given_names} {account.surnames}".strip(),
        email=email,
        password_set_at=account.password_set_at,
        is_password_changed=account.is_password_changed,
    )


def _profile_key(registration: NewRegistration) -> dict[str, str]:
    """What tells one profile of a person from another."""
    return {
        "user_type": registration.submission.user_type,
        "entity_key": registration.submission.entity_key,
        "registration_key": folded_registration(registration.facts.professional_registration or ""),
    }


def _superseding_link(values: dict[str, object], now: datetime) -> tuple[CTE, CTE]:
    """Insert or revive the link of one mail, and close the account's others.

    An earlier attempt of the mail may have left it. The lifetime counts from the attempt that gets
    through, not from the first that failed. Another link may have superseded it meanwhile; this one is
    the newest now. A used one stays used.
    """
    others = (
        PasswordLinkRow.account_id == values["account_id"],
        PasswordLinkRow.issue_key != values["issue_key"],
    )
    fresh = insert(PasswordLinkRow).values(values)
    was_used = PasswordLinkRow.closed_reason == LinkState.USED
    revived = {
        "expires_at": values["expires_at"],
        "closed_at": case((was_used, PasswordLinkRow.closed_at), else_=None),
        "closed_reason": case((was_used, PasswordLinkRow.closed_reason), else_=None),
    }
    issued = fresh.on_conflict_do_update(index_elements=["issue_key"], set_=revived)
    return (
        issued.returning(PasswordLinkRow.id, WAS_INSERTED).cte("issued"),
        closing_links(LinkState.SUPERSEDED, now, *others).returning(PasswordLinkRow.id).cte("others"),
    )
