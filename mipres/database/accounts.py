"""Accounts in PostgreSQL. Every write that decides between rivals locks the account row first."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Row,
    and_,
    bindparam,
    case,
    delete,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import reading_factory, session_factory
from mipres.database.lockouts import LoginLockouts
from mipres.database.tables import AccountRow, ConsentRow, PasswordLinkRow, ProfileRow, SessionRow
from mipres.domain.accounts import AccountContact, NewRegistration, RegisteredAccount
from mipres.domain.applications import Application, application_of
from mipres.domain.audit import CITIZEN, PRODUCT, AuditEvent, AuditEventType
from mipres.domain.divipola import department_of
from mipres.domain.documents import Document, DocumentType
from mipres.domain.errors import LinkNotUsableError
from mipres.domain.links import LinkPurpose, LinkState, PasswordLink
from mipres.domain.outcomes import Refusal
from mipres.domain.submissions import Entity, EntityKind, Regime, Submission, UserType
from mipres.domain.terms import Consent
from mipres.keys import LinkTokens
from mipres.ports import Clock

# PostgreSQL's own mark of a row that an upsert has inserted and not updated.
_WAS_INSERTED = literal_column("(xmax = 0)", Boolean)

# One row for each profile of the link's owner, or a single one without a profile.
_OWNER = (
    select(
        PasswordLinkRow.purpose,
        PasswordLinkRow.reference,
        PasswordLinkRow.expires_at,
        PasswordLinkRow.closed_reason,
        AccountRow.id,
        AccountRow.login,
        AccountRow.given_names,
        AccountRow.surnames,
        ProfileRow.radicado,
        ProfileRow.user_type,
    )
    .join(AccountRow, AccountRow.id == PasswordLinkRow.account_id)
    .outerjoin(ProfileRow, ProfileRow.account_id == AccountRow.id)
    .where(PasswordLinkRow.id == bindparam("link_id"))
)
_ACCOUNT_OF_LINK = (
    select(AccountRow)
    .join(PasswordLinkRow, PasswordLinkRow.account_id == AccountRow.id)
    .where(PasswordLinkRow.id == bindparam("link_id"))
    .with_for_update(of=AccountRow)
)


@dataclass(frozen=True, kw_only=True)
class LinkView:
    """A link as the page that refuses it needs it. All but `state` is None for an unknown link."""

    state: LinkState
    purpose: LinkPurpose | None = None
    reference: str | None = None
    user_type: UserType | None = None


@dataclass(frozen=True, kw_only=True)
class Renewal:
    """The registration of an expired link, as it was submitted: what starting it anew takes."""

    submission: Submission
    consent: Consent


@dataclass(frozen=True, kw_only=True)
class PasswordOwner:
    """Whose password a link sets, and who waits for it.

    Attributes:
        reference: The registration or recovery that sent the link.
        radicados: Every registration of the person; any of them may be waiting.
    """

    account_id: uuid.UUID
    login: str
    full_name: str
    purpose: LinkPurpose
    reference: str
    radicados: tuple[str, ...]
    applications: tuple[Application, ...]


class PostgresAccounts:
    """Implements ports.Accounts, and what the API needs of accounts.

    Args:
        engine: The process's engine.
        tokens: Maker and checker of link tokens.
        audit: Takes note of every change, in the same transaction.
        lockouts: What a new password lifts.
        clock: Source of every timestamp that rules depend on.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        tokens: LinkTokens,
        audit: PostgresAuditTrail,
        lockouts: LoginLockouts,
        clock: Clock,
    ) -> None:
        self._sessions = session_factory(engine)
        self._reading = reading_factory(engine)
        self._tokens = tokens
        self._audit = audit
        self._lockouts = lockouts
        self._clock = clock

    async def is_reachable(self) -> bool:
        """Whether the database answers."""
        try:
            async with self._reading() as session:
                await session.execute(select(1))
        except (OSError, SQLAlchemyError):
            return False
        return True

    async def register(self, registration: NewRegistration) -> RegisteredAccount:
        async with self._sessions.begin() as session:
            account, created = await self._upsert_account(session, registration)
            await self._upsert_profile(session, registration, account.account_id)
            # The consent belongs to one submission: without a new one, this is the same call again.
            if await self._keep_consent(session, registration, account.account_id):
                await self._audit.record_in(session, _registered(registration, created=created))
        return account

    async def contact(self, account_id: uuid.UUID) -> AccountContact | None:
        async with self._reading() as session:
            row = await session.get(AccountRow, account_id)
        return None if row is None else _contact(row)

    async def find(self, document: Document) -> uuid.UUID | None:
        statement = select(AccountRow.id).where(AccountRow.login == document.login)
        async with self._reading() as session:
            found: uuid.UUID | None = await session.scalar(statement)
        return found

    async def issue_link(
        self,
        account_id: uuid.UUID,
        *,
        reference: str,
        purpose: LinkPurpose,
        lifetime: timedelta,
        issue_key: str,
    ) -> PasswordLink | None:
        now = self._clock.now()
        link = {
            "account_id": account_id,
            "reference": reference,
            "purpose": purpose,
            "issue_key": issue_key,
            "issued_at": now,
            "expires_at": now + lifetime,
        }
        async with self._sessions.begin() as session:
            account = await _lock_account(session, account_id)
            if account is None or (purpose is LinkPurpose.CREATE and account.password_hash is not None):
                return None
            others = (PasswordLinkRow.account_id == account_id, PasswordLinkRow.issue_key != issue_key)
            await _close_links(session, LinkState.SUPERSEDED, now, *others)
            link_id, is_new = await _upsert_link(session, link)
            if is_new:
                await self._audit.record_in(
                    session, _of_link(AuditEventType.LINK_ISSUED, account.login, reference, purpose)
                )
        return PasswordLink(token=self._tokens.token_of(link_id), expires_at=now + lifetime)

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
            account = await _lock_account(session, account_id) if account_id else None
            if account is None:
                return
            which = PasswordLinkRow.reference == reference
            await _close_links(session, LinkState.SUPERSEDED, self._clock.now(), which)
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

    async def note_refusal(self, *, reference: str, document: Document, refusal: Refusal, run: str) -> None:
        event = AuditEvent(
            type=AuditEventType.REGISTRATION_REFUSED,
            actor=PRODUCT,
            reference=reference,
            login=document.login,
            details={"refusal": refusal.value, "run": run},
        )
        await self._audit.record_once(event)

    async def note_given_up(self, *, reference: str, waited_for: str, run: str) -> bool:
        event = AuditEvent(
            type=AuditEventType.REGISTRATION_GIVEN_UP,
            actor=PRODUCT,
            reference=reference,
            details={"waited_for": waited_for, "run": run},
        )
        try:
            await self._audit.record_once(event)
        except (OSError, SQLAlchemyError):
            # It may be the database that everybody has waited for.
            return False
        return True

    async def expire_links(self, account_id: uuid.UUID, *, reference: str) -> bool:
        async with self._sessions.begin() as session:
            account = await _lock_account(session, account_id)
            which = PasswordLinkRow.reference == reference
            closed = await _close_links(session, LinkState.EXPIRED, self._clock.now(), which)
            if account is None:
                return False
            for purpose in closed:
                await self._audit.record_in(
                    session, _of_link(AuditEventType.LINK_EXPIRED, account.login, reference, purpose)
                )
            return account.password_hash is not None

    async def link(self, token: str) -> LinkView:
        """What the link of this token is worth now."""
        row = await self._link_row(token)
        if row is None:
            return LinkView(state=LinkState.UNKNOWN)
        async with self._reading() as session:
            statement = select(ProfileRow.user_type).where(ProfileRow.radicado == row.reference)
            user_type = (await session.scalars(statement)).first()
        return LinkView(
            state=_state(row, self._clock.now()),
            purpose=LinkPurpose(row.purpose),
            reference=row.reference,
            user_type=UserType(user_type) if user_type else None,
        )

    async def renewal_of(self, token: str) -> Renewal | None:
        """What was submitted, if the link to create a password expired, still without a password and unrenewed."""
        link = await self._link_row(token)
        if link is None or link.purpose != LinkPurpose.CREATE:
            return None
        if _state(link, self._clock.now()) is not LinkState.EXPIRED:
            return None
        async with self._reading() as session:
            account = await session.get_one(AccountRow, link.account_id)
            profile = await session.scalar(select(ProfileRow).where(ProfileRow.radicado == link.reference))
            consents = select(ConsentRow).where(ConsentRow.radicado == link.reference)
            consent = await session.scalar(consents.order_by(ConsentRow.accepted_at.desc()).limit(1))
        if account.password_hash is not None or profile is None or consent is None:
            return None
        return Renewal(submission=_submission(account, profile), consent=_consent(consent))

    async def mark_renewed(self, token: str) -> None:
        """Note that an expired link has been followed by another, which it can be once."""
        link_id, now = self._tokens.link_id_of(token), self._clock.now()
        has_expired = or_(
            PasswordLinkRow.closed_reason == LinkState.EXPIRED,
            and_(PasswordLinkRow.closed_at.is_(None), PasswordLinkRow.expires_at <= now),
        )
        statement = update(PasswordLinkRow).where(PasswordLinkRow.id == link_id, has_expired)
        async with self._sessions.begin() as session:
            await session.execute(statement.values(closed_at=now, closed_reason=LinkState.SUPERSEDED))

    async def owner_of(self, token: str, *, state: LinkState = LinkState.OPEN) -> PasswordOwner | None:
        """The person behind a link that is open, or in another state."""
        link_id = self._tokens.link_id_of(token)
        if link_id is None:
            return None
        async with self._reading() as session:
            found = (await session.execute(_OWNER, {"link_id": link_id})).all()
        return _owner(found) if found and _state(found[0], self._clock.now()) is state else None

    async def set_password(self, token: str, password_hash: str) -> PasswordOwner:
        """Use up the link and store the hash, in one transaction.

        Raises:
            LinkNotUsableError: the link is not open any more; nothing was changed.
        """
        link_id, now = self._tokens.link_id_of(token), self._clock.now()
        if link_id is None:
            raise LinkNotUsableError
        async with self._sessions.begin() as session:
            account = await session.scalar(_ACCOUNT_OF_LINK, {"link_id": link_id})
            if account is None or not await _use_link(session, link_id, now):
                raise LinkNotUsableError
            account.password_hash = password_hash
            account.password_set_at = account.updated_at = now
            await _close_links(session, LinkState.SUPERSEDED, now, PasswordLinkRow.account_id == account.id)
            await session.execute(delete(SessionRow).where(SessionRow.account_id == account.id))
            # Whoever holds the mailbox is the person, whatever others tried at the door.
            await self._lockouts.lift_in(session, account.login)
            owner = _owner((await session.execute(_OWNER, {"link_id": link_id})).all())
            about = (owner.login, owner.reference, owner.purpose, CITIZEN)
            await self._audit.record_in(
                session,
                _of_link(AuditEventType.LINK_USED, *about),
                _of_link(AuditEventType.PASSWORD_SET, *about),
            )
            return owner

    async def _link_row(self, token: str) -> PasswordLinkRow | None:
        link_id = self._tokens.link_id_of(token)
        if link_id is None:
            return None
        async with self._reading() as session:
            row: PasswordLinkRow | None = await session.get(PasswordLinkRow, link_id)
        return row

    async def _upsert_account(
        self, session: AsyncSession, registration: NewRegistration
    ) -> tuple[RegisteredAccount, bool]:
        """The account, and whether it is new."""
        document, person = registration.submission.document, registration.person
        fresh = {
            "given_names": person.given_names,
            "surnames": person.surnames,
            "email": person.email,
            "updated_at": self._clock.now(),
        }
        statement = (
            insert(AccountRow)
            .values(
                id=uuid.uuid4(),
                document_type=document.type,
                document_number=document.number,
                login=document.login,
                created_at=fresh["updated_at"],
                **fresh,
            )
            .on_conflict_do_update(index_elements=["document_type", "document_number"], set_=fresh)
            .returning(AccountRow.id, AccountRow.password_hash.is_not(None), _WAS_INSERTED)
        )
        account_id, has_password, created = (await session.execute(statement)).one()
        account = RegisteredAccount(
            account_id=account_id, login=document.login, email=person.email, has_password=has_password
        )
        return account, created

    async def _upsert_profile(
        self, session: AsyncSession, registration: NewRegistration, account_id: uuid.UUID
    ) -> None:
        values = _profile_values(registration) | {"updated_at": self._clock.now()}
        statement = insert(ProfileRow).values(
            id=uuid.uuid4(),
            account_id=account_id,
            user_type=registration.submission.user_type,
            entity_key=registration.submission.entity_key,
            created_at=values["updated_at"],
            **values,
        )
        key = ["account_id", "user_type", "entity_key"]
        await session.execute(statement.on_conflict_do_update(index_elements=key, set_=values))

    async def _keep_consent(
        self, session: AsyncSession, registration: NewRegistration, account_id: uuid.UUID
    ) -> bool:
        """Keep it once; tell whether it is a new one."""
        consent = registration.consent
        statement = insert(ConsentRow).values(
            id=uuid.uuid4(),
            account_id=account_id,
            radicado=registration.radicado,
            terms_version=consent.terms_version,
            terms_sha256=consent.terms_sha256,
            accepted_at=consent.accepted_at,
            channel=consent.channel,
        )
        kept = statement.on_conflict_do_nothing().returning(ConsentRow.id)
        return (await session.execute(kept)).first() is not None


def _contact(row: AccountRow) -> AccountContact:
    return AccountContact(
        login=row.login,
        full_name=f"{row.given_names} {row.surnames}".strip(),
        email=row.email,
        has_password=row.password_hash is not None,
    )


def _submission(account: AccountRow, profile: ProfileRow) -> Submission:
    document = Document(type=DocumentType(account.document_type), number=account.document_number)
    return Submission(
        user_type=UserType(profile.user_type),
        document=document,
        entity=_entity(profile),
        professional_registration=profile.professional_registration,
    )


def _entity(profile: ProfileRow) -> Entity | None:
    if profile.entity_kind is None:
        return None
    return Entity(
        kind=EntityKind(profile.entity_kind),
        regime=Regime(profile.entity_regime) if profile.entity_regime else None,
        nit=profile.entity_nit,
        department=profile.municipality and department_of(profile.municipality),
        municipality=profile.municipality,
    )


def _consent(row: ConsentRow) -> Consent:
    return Consent(
        terms_version=row.terms_version,
        terms_sha256=row.terms_sha256,
        accepted_at=row.accepted_at,
        channel=row.channel,
    )


def _profile_values(registration: NewRegistration) -> dict[str, object]:
    entity, facts, placement = (
        registration.submission.entity,
        registration.facts,
        registration.facts.placement,
    )
    return {
        "radicado": registration.radicado,
        "entity_kind": entity and entity.kind,
        "entity_regime": entity and entity.regime,
        "entity_nit": entity and entity.nit,
        "entity_name": facts.entity_name,
        "municipality": entity and entity.municipality,
        "profession_code": facts.profession_code,
        "profession_name": facts.profession_name,
        "professional_registration": facts.professional_registration,
        "site_code": placement and placement.site_code,
        "site_name": placement and placement.site_name,
        "site_municipality": placement and placement.municipality,
        "starts_on": placement and placement.start,
        "ends_on": placement and placement.end,
    }


def _registered(registration: NewRegistration, *, created: bool) -> AuditEvent:
    submission = registration.submission
    return AuditEvent(
        type=AuditEventType.ACCOUNT_CREATED if created else AuditEventType.ACCOUNT_UPDATED,
        actor=PRODUCT,
        reference=registration.radicado,
        login=submission.document.login,
        details={"user_type": submission.user_type.value, "channel": registration.consent.channel},
    )


def _of_link(
    event: AuditEventType, login: str, reference: str, purpose: LinkPurpose, actor: str = PRODUCT
) -> AuditEvent:
    return AuditEvent(
        type=event, actor=actor, reference=reference, login=login, details={"purpose": purpose.value}
    )


def _state(row: PasswordLinkRow | Row[Any], now: datetime) -> LinkState:
    if row.closed_reason is not None:
        return LinkState(row.closed_reason)
    return LinkState.EXPIRED if row.expires_at <= now else LinkState.OPEN


async def _lock_account(session: AsyncSession, account_id: uuid.UUID) -> AccountRow | None:
    return await session.get(AccountRow, account_id, with_for_update=True)


async def _close_links(
    session: AsyncSession, reason: LinkState, now: datetime, *which: ColumnElement[bool]
) -> list[LinkPurpose]:
    """Close the open ones of these; what each of them was for."""
    statement = update(PasswordLinkRow).where(PasswordLinkRow.closed_at.is_(None), *which)
    closing = statement.values(closed_at=now, closed_reason=reason).returning(PasswordLinkRow.purpose)
    return [LinkPurpose(purpose) for purpose in await session.scalars(closing)]


async def _upsert_link(session: AsyncSession, values: dict[str, object]) -> tuple[uuid.UUID, bool]:
    """Insert the link, or revive the one that an earlier attempt of the same mail left; tell which.

    The lifetime counts from the attempt that gets through, not from the first that failed. Another
    link may have superseded it meanwhile; this one is the newest now. A used one stays used.
    """
    fresh = insert(PasswordLinkRow).values(id=uuid.uuid4(), **values)
    was_used = PasswordLinkRow.closed_reason == LinkState.USED
    revived = {
        "expires_at": values["expires_at"],
        "closed_at": case((was_used, PasswordLinkRow.closed_at), else_=None),
        "closed_reason": case((was_used, PasswordLinkRow.closed_reason), else_=None),
    }
    statement = fresh.on_conflict_do_update(index_elements=["issue_key"], set_=revived).returning(
        PasswordLinkRow.id, _WAS_INSERTED
    )
    link_id, is_new = (await session.execute(statement)).one()
    return link_id, is_new


async def _use_link(session: AsyncSession, link_id: uuid.UUID, now: datetime) -> bool:
    """Expiry and single use are decided by the statement that uses the link up."""
    statement = (
        update(PasswordLinkRow)
        .where(
            PasswordLinkRow.id == link_id,
            PasswordLinkRow.closed_at.is_(None),
            PasswordLinkRow.expires_at > now,
        )
        .values(closed_at=now, closed_reason=LinkState.USED)
        .returning(PasswordLinkRow.id)
    )
    return (await session.execute(statement)).first() is not None


def _owner(rows: Sequence[Row[Any]]) -> PasswordOwner:
    """Whoever the rows of `_OWNER` tell of."""
    first, profiles = rows[0], [row for row in rows if row.radicado is not None]
    return PasswordOwner(
        account_id=first.id,
        login=first.login,
        full_name=f"{first.given_names} {first.surnames}".strip(),
        purpose=LinkPurpose(first.purpose),
        reference=first.reference,
        radicados=tuple(row.radicado for row in profiles),
        applications=tuple(sorted({application_of(UserType(row.user_type)) for row in profiles})),
    )
