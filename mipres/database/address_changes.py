"""Changes of the address of an account in use.

Each waits after the old address was warned. Every statement holds the account's row first.
"""

import uuid
from datetime import datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import AnyRow, reading_factory, session_factory
from mipres.database.link_statements import close_links, lock_account
from mipres.database.tables import AccountRow, AddressChangeRow, PasswordLinkRow
from mipres.domain.address_changes import ChangeState, ChangeView, WaitingChange, same_address
from mipres.domain.audit import CITIZEN, PRODUCT, AuditEvent, AuditEventType
from mipres.domain.documents import Document, DocumentType
from mipres.domain.errors import LinkNotUsableError
from mipres.domain.links import LinkState
from mipres.domain.masking import mask_login
from mipres.keys import LinkTokens
from mipres.ports import Clock

WITH_OPEN_CHANGE = (AddressChangeRow.account_id == AccountRow.id) & AddressChangeRow.closed_at.is_(None)
"""Joins the change of an account that is not closed, for `address_in_force`."""
_EVENTS = {
    ChangeState.WAITING: AuditEventType.ADDRESS_CHANGE_FOUND,
    ChangeState.APPLIED: AuditEventType.ADDRESS_CHANGED,
    ChangeState.STOPPED: AuditEventType.ADDRESS_CHANGE_STOPPED,
    ChangeState.WITHDRAWN: AuditEventType.ADDRESS_CHANGE_WITHDRAWN,
}


class PostgresAddressChanges:
    """Implements ports.AddressChanges.

    Args:
        engine: The process's engine.
        tokens: Makes and checks the tokens that stop a change.
        audit: Records every change, in the same transaction.
        wait: How long the owner of the old address can stop a change.
        clock: Source of every timestamp that rules depend on.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        tokens: LinkTokens,
        audit: PostgresAuditTrail,
        wait: timedelta,
        clock: Clock,
    ) -> None:
        self._sessions = session_factory(engine)
        self._reading = reading_factory(engine)
        self._tokens = tokens
        self._audit = audit
        self._wait = wait
        self._clock = clock

    async def note(
        self, account_id: uuid.UUID, address: str | None, *, document: Document, reference: str
    ) -> uuid.UUID | None:
        async with self._sessions.begin() as session:
            account = await lock_account(session, account_id)
            if account is None:
                return None
            if account.login != document.login:
                # A replaced document: what the registry still has of it says nothing of the account that goes on.
                address = None
            return await self.note_in(session, account, address, reference=reference)

    async def note_in(
        self, session: AsyncSession, account: AccountRow, address: str | None, *, reference: str
    ) -> uuid.UUID | None:
        """Bring the address of a held account up to date, or begin the wait for it.

        Args:
            session: The transaction that holds the account.
            account: Whose address it is.
            address: What the registry has now; None where it gave no answer.
            reference: The registration or recovery that asked.

        Returns:
            The change that waits, if one does.
        """
        waiting = await self.settle_in(session, account)
        if address is None:
            return waiting.id if waiting else None
        if account.password_hash is None:
            await self._replace_at_once(session, account, address)
            return None
        if waiting is not None and same_address(waiting.new_address, address):
            return waiting.id
        if waiting is not None:
            await self._close(session, waiting, account, ChangeState.WITHDRAWN)
        if same_address(account.email, address) or await self._was_stopped(session, account, address):
            return None
        return await self._begin(session, account, address, reference=reference)

    async def settle_in(self, session: AsyncSession, account: AccountRow) -> AddressChangeRow | None:
        """Apply the change of a held account that is due; return one that still waits."""
        waiting: AddressChangeRow | None = await session.scalar(_waiting(account.id))
        if waiting is None or not _is_due(waiting, self._clock.now()):
            return waiting
        account.email = waiting.new_address
        await self._close(session, waiting, account, ChangeState.APPLIED)
        return None

    async def end_wait_in(self, session: AsyncSession, account: AccountRow) -> None:
        """Apply the change of a held account that is due; withdraw one that waits."""
        waiting = await self.settle_in(session, account)
        if waiting is not None:
            await self._close(session, waiting, account, ChangeState.WITHDRAWN)

    async def prepare(self, change_id: uuid.UUID) -> WaitingChange | None:
        async with self._sessions.begin() as session:
            held = await self._held(session, change_id)
            if held is None or held[0].closed_at is not None:
                return None
            (change, account), now = held, self._clock.now()
            # The wait counts from the attempt that gets through, not from the first that failed.
            if change.warned_at is None or change.takes_effect_at is None:
                change.takes_effect_at = now + self._wait
            return WaitingChange(
                change_id=change.id,
                login=account.login,
                full_name=f"{account.given_names} {account.surnames}".strip(),
                old_address=account.email,
                new_address=change.new_address,
                takes_effect_at=change.takes_effect_at,
                remaining=change.takes_effect_at - now,
                token=self._tokens.token_of(change.id),
            )

    async def mark_warned(self, change_id: uuid.UUID) -> None:
        async with self._sessions.begin() as session:
            held = await self._held(session, change_id)
            if held is not None and held[0].warned_at is None:
                held[0].warned_at = self._clock.now()

    async def view(self, token: str) -> ChangeView:
        """What the change of this token is now, for the page that stops it."""
        change_id = self._tokens.link_id_of(token)
        statement = select(AddressChangeRow, AccountRow.login).join(
            AccountRow, AccountRow.id == AddressChangeRow.account_id
        )
        async with self._reading() as session:
            row = (await session.execute(statement.where(AddressChangeRow.id == change_id))).first()
        if row is None:
            return ChangeView(state=ChangeState.UNKNOWN)
        change, login = row
        return ChangeView(
            state=_state_of(change, self._clock.now()),
            change_id=change.id,
            login_hint=mask_login(login),
            takes_effect_at=change.takes_effect_at,
        )

    async def stop(self, token: str) -> Document:
        """Keep the old address, and return whose it is.

        Raises:
            LinkNotUsableError: the change waits no more; nothing was changed.
        """
        change_id = self._tokens.link_id_of(token)
        async with self._sessions.begin() as session:
            held = await self._held(session, change_id) if change_id else None
            if held is None or _state_of(held[0], self._clock.now()) is not ChangeState.WAITING:
                raise LinkNotUsableError
            change, account = held
            await self._close(session, change, account, ChangeState.STOPPED, actor=CITIZEN)
            await self._close_links(session, account)
            return Document(type=DocumentType(account.document_type), number=account.document_number)

    async def _held(
        self, session: AsyncSession, change_id: uuid.UUID
    ) -> tuple[AddressChangeRow, AccountRow] | None:
        """A change and its account, both held until the transaction ends."""
        owner = select(AddressChangeRow.account_id).where(AddressChangeRow.id == change_id)
        account_id = await session.scalar(owner)
        account = await lock_account(session, account_id) if account_id else None
        change = await session.get(AddressChangeRow, change_id) if account else None
        return (change, account) if change and account else None

    async def _replace_at_once(self, session: AsyncSession, account: AccountRow, address: str) -> None:
        """Replace the address of an account that nobody uses yet.

        A link in the old mailbox would give the account to somebody else.
        """
        if not same_address(account.email, address):
            await self._close_links(session, account)
        account.email = address

    async def _was_stopped(self, session: AsyncSession, account: AccountRow, address: str) -> bool:
        statement = select(AddressChangeRow.id).where(
            AddressChangeRow.account_id == account.id,
            AddressChangeRow.closed_reason == ChangeState.STOPPED,
            func.lower(AddressChangeRow.new_address) == func.lower(address),
        )
        return (await session.scalars(statement.limit(1))).first() is not None

    async def _begin(
        self, session: AsyncSession, account: AccountRow, address: str, *, reference: str
    ) -> uuid.UUID:
        change = AddressChangeRow(
            id=uuid.uuid4(),
            account_id=account.id,
            reference=reference,
            new_address=address,
            found_at=self._clock.now(),
        )
        session.add(change)
        await self._close_links(session, account)
        await self._record(session, change, account, ChangeState.WAITING)
        return change.id

    async def _close(
        self,
        session: AsyncSession,
        change: AddressChangeRow,
        account: AccountRow,
        state: ChangeState,
        *,
        actor: str = PRODUCT,
    ) -> None:
        change.closed_at, change.closed_reason = self._clock.now(), state
        await self._record(session, change, account, state, actor=actor)

    async def _record(
        self,
        session: AsyncSession,
        change: AddressChangeRow,
        account: AccountRow,
        state: ChangeState,
        *,
        actor: str = PRODUCT,
    ) -> None:
        event = AuditEvent(type=_EVENTS[state], actor=actor, reference=change.reference, login=account.login)
        await session.flush()
        await self._audit.record_in(session, event)

    async def _close_links(self, session: AsyncSession, account: AccountRow) -> None:
        which = PasswordLinkRow.account_id == account.id
        await close_links(session, LinkState.SUPERSEDED, self._clock.now(), which)


def address_in_force(
    account: AccountRow | AnyRow, change: AddressChangeRow | AnyRow | None, now: datetime
) -> str:
    """The address that mails go to: of a change, as soon as its wait is over."""
    return change.new_address if change is not None and _is_due(change, now) else account.email


async def open_change(session: AsyncSession, account_id: uuid.UUID) -> AddressChangeRow | None:
    """The change of an account that is not closed, due or not."""
    found: AddressChangeRow | None = await session.scalar(_waiting(account_id))
    return found


def is_waiting(change: AddressChangeRow | None, now: datetime) -> bool:
    """Whether a change that is not closed still waits; one that is due does not."""
    return change is not None and not _is_due(change, now)


def _waiting(account_id: uuid.UUID) -> Select[AddressChangeRow]:
    return select(AddressChangeRow).where(
        AddressChangeRow.account_id == account_id, AddressChangeRow.closed_at.is_(None)
    )


def _is_due(change: AddressChangeRow | AnyRow, now: datetime) -> bool:
    """Whether the old address was warned, and its owner had the time to stop it."""
    if change.warned_at is None or change.takes_effect_at is None:
        return False
    return change.takes_effect_at <= now


def _state_of(change: AddressChangeRow, now: datetime) -> ChangeState:
    if change.closed_reason is not None:
        return ChangeState(change.closed_reason)
    return ChangeState.APPLIED if _is_due(change, now) else ChangeState.WAITING
