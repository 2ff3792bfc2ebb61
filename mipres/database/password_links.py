"""What the owner of a password link does with it.

Open the page, create the password, ask for another link.
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import CTE, and_, bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.audit import PostgresAuditTrail, holding, write_and_hold
from mipres.database.engine import AnyRow, reading_factory, run_alone, session_factory
from mipres.database.link_statements import (
    closing_links,
    ending_sessions,
    link_event,
    lock_account_of_link,
    state_of,
)
from mipres.database.lockouts import LIFTING, LoginLockouts
from mipres.database.profiles import submission_of
from mipres.database.tables import (
    AccountRow,
    ConsentRow,
    EndedSessionRow,
    PasswordLinkRow,
    ProfileRow,
    arguments,
    parameters,
    table_of,
)
from mipres.domain.applications import Application, application_of
from mipres.domain.audit import CITIZEN, AuditEventType
from mipres.domain.errors import LinkNotUsableError
from mipres.domain.links import LinkPurpose, LinkState
from mipres.domain.submissions import Submission, UserType
from mipres.domain.terms import Consent
from mipres.keys import LinkTokens
from mipres.ports import Clock

# One row for each profile of the link's owner, or a single one without a profile.
_OWNER = (
    select(
        PasswordLinkRow.id.label("link_id"),
        PasswordLinkRow.purpose,
        PasswordLinkRow.reference,
        PasswordLinkRow.expires_at,
        PasswordLinkRow.closed_at,
        PasswordLinkRow.closed_reason,
        AccountRow.id,
        AccountRow.login,
        AccountRow.given_names,
        AccountRow.surnames,
        AccountRow.is_password_changed,
        ProfileRow.radicado,
        ProfileRow.user_type,
    )
    .join(AccountRow, AccountRow.id == PasswordLinkRow.account_id)
    .outerjoin(ProfileRow, ProfileRow.account_id == AccountRow.id)
)
_IS_THIS_LINK = PasswordLinkRow.id == bindparam("link_id")
_OWNER_OF_LINK = _OWNER.where(_IS_THIS_LINK)


def _setting_password() -> Iterator[CTE]:
    """Read the owner, store the hash, end what the old one opened.

    There is no owner where the link was not open; the transaction then has to be given up.
    """
    now = bindparam("now", type_=table_of(AccountRow).c.updated_at.type)
    account = parameters(AccountRow, "id", "password_hash", "is_password_changed")
    own_id = account.pop("id")
    # It decides expiry and single use: it has no row for a link that was not open.
    used = closing_links(LinkState.USED, now, _IS_THIS_LINK, PasswordLinkRow.expires_at > now)
    others = closing_links(LinkState.SUPERSEDED, now, PasswordLinkRow.account_id == own_id, ~_IS_THIS_LINK)
    stored = update(AccountRow).where(AccountRow.id == own_id)
    opened = used.returning(PasswordLinkRow.id).cte("used")
    yield _OWNER_OF_LINK.join(opened, opened.c.id == PasswordLinkRow.id).cte("owner")
    yield opened
    yield others.returning(PasswordLinkRow.id).cte("others")
    yield stored.values(**account, password_set_at=now, updated_at=now).returning(AccountRow.id).cte("stored")
    yield ending_sessions(own_id, now).returning(EndedSessionRow.id_hash).cte("kept")


_SET_PASSWORD = holding(*_setting_password(), *LIFTING)


@dataclass(frozen=True, kw_only=True)
class LinkView:
    """A link as the page that refuses it needs it.

    All but `state` is None for an unknown link.
    """

    state: LinkState
    link_id: uuid.UUID | None = None
    purpose: LinkPurpose | None = None
    reference: str | None = None
    user_type: UserType | None = None


@dataclass(frozen=True, kw_only=True)
class Renewal:
    """The registration of an expired link, as it was submitted.

    Enough to start it again.
    """

    link_id: uuid.UUID
    submission: Submission
    consent: Consent


@dataclass(frozen=True, kw_only=True)
class PasswordOwner:
    """The person whose password a link sets, and the registrations that wait for it.

    Attributes:
        link_id: Names the link in forms; without the key it opens nothing.
        reference: The registration or recovery that sent the link.
        is_password_changed: Whether the password in force replaced another one.
        radicados: Every registration of the person; any of them may be waiting.
        closed_for: How long ago the link was used or closed; None for an open one.
    """

    link_id: uuid.UUID
    account_id: uuid.UUID
    login: str
    full_name: str
    purpose: LinkPurpose
    reference: str
    is_password_changed: bool
    radicados: tuple[str, ...]
    applications: tuple[Application, ...]
    closed_for: timedelta | None = None


class PostgresPasswordLinks:
    """Judges links by their tokens, and sets passwords.

    Args:
        engine: The process's engine.
        tokens: Checks tokens.
        audit: Records every change, in the same transaction.
        lockouts: A new password lifts the lock of its login.
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
        self._engine = engine
        self._sessions = session_factory(engine)
        self._reading = reading_factory(engine)
        self._tokens = tokens
        self._audit = audit
        self._lockouts = lockouts
        self._clock = clock

    async def link(self, token: str) -> LinkView:
        """What the link of this token is worth now."""
        row = await self._row(token)
        if row is None:
            return LinkView(state=LinkState.UNKNOWN)
        async with self._reading() as session:
            statement = select(ProfileRow.user_type).where(ProfileRow.radicado == row.reference)
            user_type = (await session.scalars(statement)).first()
        return LinkView(
            state=state_of(row, self._clock.now()),
            link_id=row.id,
            purpose=LinkPurpose(row.purpose),
            reference=row.reference,
            user_type=UserType(user_type) if user_type else None,
        )

    async def renewal_of(self, token: str) -> Renewal | None:
        """What was submitted, if its link expired without a password or a renewal since."""
        link = await self._row(token)
        if link is None or link.purpose != LinkPurpose.CREATE:
            return None
        if state_of(link, self._clock.now()) is not LinkState.EXPIRED:
            return None
        async with self._reading() as session:
            account = await session.get_one(AccountRow, link.account_id)
            profile = await session.scalar(select(ProfileRow).where(ProfileRow.radicado == link.reference))
            consents = select(ConsentRow).where(ConsentRow.radicado == link.reference)
            consent = await session.scalar(consents.order_by(ConsentRow.accepted_at.desc()).limit(1))
        if account.password_hash is not None or profile is None or consent is None:
            return None
        return Renewal(
            link_id=link.id,
            submission=submission_of(account, profile),
            consent=Consent(
                terms_version=consent.terms_version,
                terms_sha256=consent.terms_sha256,
                accepted_at=consent.accepted_at,
                channel=consent.channel,
            ),
        )

    async def mark_renewed(self, token: str) -> None:
        """Record that another link follows an expired one, which happens once."""
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
        rows = await run_alone(self._engine, _OWNER_OF_LINK, {"link_id": link_id})
        now = self._clock.now()
        if not rows or state_of(rows[0], now) is not state:
            return None
        closed_at = rows[0].closed_at
        return replace(_owner(rows), closed_for=now - closed_at if closed_at else None)

    async def set_password(self, token: str, password_hash: str) -> PasswordOwner:
        """Use up the link and store the hash, in one transaction.

        Raises:
            LinkNotUsableError: the link is not open any more; nothing was changed.
        """
        link_id, now = self._tokens.link_id_of(token), self._clock.now()
        if link_id is None:
            raise LinkNotUsableError
        async with self._engine.begin() as connection:
            account = await lock_account_of_link(connection, link_id)
            if account is None:
                raise LinkNotUsableError
            values = _password_values(account, link_id, password_hash, now)
            # The mailbox proves the person, whatever others tried at the login.
            values |= self._lockouts.hashes_of(account.login)
            rows, head = await write_and_hold(connection, _SET_PASSWORD, values)
            if not rows:
                raise LinkNotUsableError
            owner = replace(_owner(rows), is_password_changed=account.password_hash is not None)
            about = (owner.login, owner.reference, owner.purpose, CITIZEN)
            await self._audit.record_in(
                connection,
                link_event(AuditEventType.LINK_USED, *about),
                link_event(AuditEventType.PASSWORD_SET, *about),
                head=head,
            )
            return owner

    async def _row(self, token: str) -> PasswordLinkRow | None:
        link_id = self._tokens.link_id_of(token)
        if link_id is None:
            return None
        async with self._reading() as session:
            row: PasswordLinkRow | None = await session.get(PasswordLinkRow, link_id)
        return row


def _password_values(
    account: AnyRow, link_id: uuid.UUID, password_hash: str, now: datetime
) -> dict[str, object]:
    """The values of _SET_PASSWORD, but those of LIFTING."""
    is_changed = account.password_hash is not None
    fresh = {"id": account.id, "password_hash": password_hash, "is_password_changed": is_changed}
    return arguments(AccountRow, fresh) | {"link_id": link_id, "now": now}


def _owner(rows: Sequence[AnyRow]) -> PasswordOwner:
    """The person of the rows of `_OWNER`."""
    first, profiles = rows[0], [row for row in rows if row.radicado is not None]
    return PasswordOwner(
        link_id=first.link_id,
        account_id=first.id,
        login=first.login,
        full_name=f"{first.given_names} {first.surnames}".strip(),
        purpose=LinkPurpose(first.purpose),
        reference=first.reference,
        is_password_changed=first.is_password_changed,
        radicados=tuple(row.radicado for row in profiles),
        applications=tuple(sorted({application_of(UserType(row.user_type)) for row in profiles})),
    )
