"""Resets of second factors, which their person has the time to stop.

Every statement holds the account's row first.
"""

import uuid

from sqlalchemy import Select, delete, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from mipres.database.access import end_sessions, is_open, note_mail
from mipres.database.address_changes import address_in_force, open_change
from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import reading_factory, session_factory
from mipres.database.link_statements import lock_account
from mipres.database.lockouts import LoginLockouts
from mipres.database.second_factors import Holder, has_factor, remove_factor
from mipres.database.tables import AccountRow, FactorResetRow, SecondStepRow
from mipres.domain.access import AccessChange
from mipres.domain.address_changes import ChangeState, ChangeView, same_address
from mipres.domain.audit import CITIZEN, PRODUCT, AuditEvent, AuditEventType
from mipres.domain.errors import LinkNotUsableError
from mipres.domain.factor_resets import (
    RESET_WAIT,
    ResetProgress,
    ResetRefusedError,
    ResetView,
    WaitingReset,
)
from mipres.domain.masking import mask_login
from mipres.domain.second_factor import guarded_factor
from mipres.keys import LinkTokens
from mipres.ports import Clock

_EVENTS = {
    ChangeState.WAITING: AuditEventType.FACTOR_RESET_ASKED,
    ChangeState.APPLIED: AuditEventType.FACTOR_RESET_DONE,
    ChangeState.STOPPED: AuditEventType.FACTOR_RESET_STOPPED,
    ChangeState.WITHDRAWN: AuditEventType.FACTOR_RESET_WITHDRAWN,
}


class PostgresFactorResets:
    """Implements ports.FactorResets, and what support and the person do with a reset.

    Args:
        engine: The process's engine.
        tokens: Makes and checks the tokens that stop a reset.
        lockouts: Forgets wrong codes together with the factor.
        audit: Records every step, in the same transaction.
        clock: Says when the wait is over.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        tokens: LinkTokens,
        lockouts: LoginLockouts,
        audit: PostgresAuditTrail,
        clock: Clock,
    ) -> None:
        self._sessions = session_factory(engine)
        self._reading = reading_factory(engine)
        self._tokens, self._lockouts, self._audit, self._clock = tokens, lockouts, audit, clock

    # ---- What support and the person do

    async def ask(self, account_id: uuid.UUID, *, reason: str, actor: str) -> tuple[uuid.UUID, bool] | None:
        """Begin a reset; its id and whether it is new.

        None without such an account.

        Raises:
            ResetRefusedError: the account is closed, or has no second factor.
        """
        async with self._sessions.begin() as session:
            account = await lock_account(session, account_id)
            if account is None:
                return None
            waiting = await session.scalar(_waiting(account_id))
            if waiting is not None:
                return waiting.id, False
            if not is_open(account):
                raise ResetRefusedError("La cuenta no está abierta: ábrala primero, si corresponde")
            if not await has_factor(session, Holder(login=account.login, account_id=account_id)):
                raise ResetRefusedError("La cuenta no tiene segundo factor")
            now = self._clock.now()
            change = await open_change(session, account_id)
            reset = FactorResetRow(
                id=uuid.uuid4(),
                account_id=account_id,
                address=address_in_force(account, change, now),
                asked_at=now,
            )
            session.add(reset)
            await self._record(session, account, ChangeState.WAITING, actor=actor, reason=reason)
            return reset.id, True

    async def cancel(self, account_id: uuid.UUID, *, reason: str, actor: str) -> uuid.UUID | None:
        """Withdraw the reset that waits; its id.

        None without such an account.

        Raises:
            ResetRefusedError: none waits.
        """
        async with self._sessions.begin() as session:
            account = await lock_account(session, account_id)
            if account is None:
                return None
            waiting: FactorResetRow | None = await session.scalar(_waiting(account_id))
            if waiting is None:
                raise ResetRefusedError("No hay ningún restablecimiento pendiente")
            waiting.closed_at, waiting.closed_reason = self._clock.now(), ChangeState.WITHDRAWN
            await self._record(
                session, account, ChangeState.WITHDRAWN, actor=actor, reason=reason, cause="support"
            )
            return waiting.id

    async def view(self, token: str) -> ChangeView:
        """What the reset of this token is now, for the page that stops it."""
        reset_id = self._tokens.link_id_of(token)
        statement = select(FactorResetRow, AccountRow.login).join(
            AccountRow, AccountRow.id == FactorResetRow.account_id
        )
        async with self._reading() as session:
            row = (await session.execute(statement.where(FactorResetRow.id == reset_id))).first()
        if row is None:
            return ChangeView(state=ChangeState.UNKNOWN)
        reset, login = row
        return ChangeView(
            state=_state_of(reset),
            change_id=reset.id,
            login_hint=mask_login(login),
            takes_effect_at=reset.takes_effect_at,
        )

    async def stop(self, token: str) -> uuid.UUID:
        """Keep the factor, and return the id of the reset.

        Raises:
            LinkNotUsableError: it waits no more; nothing was changed.
        """
        reset_id = self._tokens.link_id_of(token)
        async with self._sessions.begin() as session:
            held = await self._held(session, reset_id) if reset_id else None
            if held is None or held[0].closed_at is not None:
                raise LinkNotUsableError
            reset, account = held
            reset.closed_at, reset.closed_reason = self._clock.now(), ChangeState.STOPPED
            await self._record(session, account, ChangeState.STOPPED, actor=CITIZEN)
            return reset.id

    # ---- What its workflow does

    async def prepare(self, reset_id: uuid.UUID) -> WaitingReset | None:
        async with self._sessions.begin() as session:
            held = await self._held(session, reset_id)
            if held is None or held[0].closed_at is not None:
                return None
            (reset, account), now = held, self._clock.now()
            # The wait counts from the attempt that gets through, not from the first that failed.
            if reset.notified_at is None or reset.takes_effect_at is None:
                reset.takes_effect_at = now + RESET_WAIT
            change = await open_change(session, account.id)
            in_force = address_in_force(account, change, now)
            return WaitingReset(
                login=account.login,
                full_name=f"{account.given_names} {account.surnames}".strip(),
                addresses=_each_once(in_force, account.email, reset.address),
                takes_effect_at=reset.takes_effect_at,
                remaining=reset.takes_effect_at - now,
                token=self._tokens.token_of(reset.id),
            )

    async def mark_notified(self, reset_id: uuid.UUID) -> None:
        async with self._sessions.begin() as session:
            held = await self._held(session, reset_id)
            if held is not None and held[0].notified_at is None:
                held[0].notified_at = self._clock.now()

    async def carry_out(self, reset_id: uuid.UUID) -> ResetProgress:
        async with self._sessions.begin() as session:
            held = await self._held(session, reset_id)
            if held is None:
                return ResetProgress()
            (reset, account), now = held, self._clock.now()
            if reset.closed_at is not None:
                return ResetProgress(is_stopped=reset.closed_reason == ChangeState.STOPPED)
            if not is_open(account):
                reset.closed_at, reset.closed_reason = now, ChangeState.WITHDRAWN
                await self._record(session, account, ChangeState.WITHDRAWN, cause="account_closed")
                return ResetProgress()
            if reset.notified_at is None or reset.takes_effect_at is None:
                return ResetProgress(remaining=RESET_WAIT)
            if reset.takes_effect_at > now:
                return ResetProgress(remaining=reset.takes_effect_at - now)
            reset.closed_at, reset.closed_reason = now, ChangeState.APPLIED
            await self._remove_factor(session, account)
            await self._record(session, account, ChangeState.APPLIED)
            return ResetProgress()

    async def give_up(self, reset_id: uuid.UUID) -> None:
        async with self._sessions.begin() as session:
            held = await self._held(session, reset_id)
            if held is None or held[0].closed_at is not None or held[0].notified_at is not None:
                return
            reset, account = held
            reset.closed_at, reset.closed_reason = self._clock.now(), ChangeState.WITHDRAWN
            await self._record(session, account, ChangeState.WITHDRAWN, cause="no_mail")

    async def _remove_factor(self, session: AsyncSession, account: AccountRow) -> None:
        await remove_factor(session, Holder(login=account.login, account_id=account.id))
        await session.execute(delete(SecondStepRow).where(SecondStepRow.account_id == account.id))
        await end_sessions(session, account.id, now=self._clock.now())
        await self._lockouts.lift_in(session, guarded_factor(account.login))
        note_mail(session, account.id, AccessChange.SECOND_FACTOR_RESET, now=self._clock.now())

    async def _held(
        self, session: AsyncSession, reset_id: uuid.UUID
    ) -> tuple[FactorResetRow, AccountRow] | None:
        """A reset and its account, both held until the transaction ends."""
        owner = select(FactorResetRow.account_id).where(FactorResetRow.id == reset_id)
        account_id = await session.scalar(owner)
        account = await lock_account(session, account_id) if account_id else None
        reset = await session.get(FactorResetRow, reset_id) if account else None
        return (reset, account) if reset and account else None

    async def _record(
        self,
        session: AsyncSession,
        account: AccountRow,
        state: ChangeState,
        *,
        actor: str = PRODUCT,
        reason: str | None = None,
        cause: str | None = None,
    ) -> None:
        event = AuditEvent(
            type=_EVENTS[state],
            actor=actor,
            login=account.login,
            reason=reason,
            details={"cause": cause} if cause else {},
        )
        await session.flush()
        await self._audit.record_in(session, event)


async def waiting_reset(session: AsyncSession, account_id: uuid.UUID) -> ResetView | None:
    """The reset of an account that waits, as support sees it."""
    row: FactorResetRow | None = await session.scalar(_waiting(account_id))
    if row is None:
        return None
    until = row.takes_effect_at if row.notified_at is not None else None
    return ResetView(asked_at=row.asked_at, takes_effect_at=until)


def _each_once(*addresses: str) -> tuple[str, ...]:
    return tuple(
        address
        for place, address in enumerate(addresses)
        if not any(same_address(address, before) for before in addresses[:place])
    )


def _waiting(account_id: uuid.UUID) -> Select[FactorResetRow]:
    return select(FactorResetRow).where(
        FactorResetRow.account_id == account_id, FactorResetRow.closed_at.is_(None)
    )


def _state_of(reset: FactorResetRow) -> ChangeState:
    return ChangeState(reset.closed_reason) if reset.closed_reason is not None else ChangeState.WAITING
