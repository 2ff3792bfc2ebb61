"""Two accounts of one person become one, because the document was replaced."""

import re
import uuid
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from mipres.database.access import end_sessions, note_mail, profile_access
from mipres.database.address_changes import PostgresAddressChanges
from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import session_factory
from mipres.database.link_statements import close_links, lock_account
from mipres.database.tables import AccountRow, PasswordLinkRow, ProfileRow
from mipres.domain.access import AccessChange, AccessState
from mipres.domain.audit import AuditEvent, AuditEventType
from mipres.domain.eligibility import today_in_bogota
from mipres.domain.errors import MipresError
from mipres.domain.links import LinkState
from mipres.ports import Clock
from mipres.support.accounts import DecisionRefusedError, UnknownAccountError


class ProofRefusedError(MipresError):
    """The reference of a proof cannot be kept; the text is the Spanish sentence."""


def checked_proof(text: str) -> str:
    """The reference of a paper: short, and no place for a person's data.

    Raises:
        ProofRefusedError: it is of another form.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9./-]{2,39}", text.strip()):
        raise ProofRefusedError("Use de 3 a 40 letras, dígitos, punto, guion o barra, como SOL-2026-118")
    return text.strip()


@dataclass(frozen=True, kw_only=True)
class Joined:
    """What a join did.

    Attributes:
        moved: The radicados of the profiles that are now of the new account.
        dropped: The radicados of the profiles that both had, and that did not stay.
        sessions: How many sessions of the old account ended.
    """

    moved: tuple[str, ...]
    dropped: tuple[str, ...]
    sessions: int


class SupportJoins:
    """Joins the account of a replaced document to the one of the new document."""

    def __init__(
        self, engine: AsyncEngine, *, changes: PostgresAddressChanges, audit: PostgresAuditTrail, clock: Clock
    ) -> None:
        self._sessions = session_factory(engine)
        self._changes = changes
        self._audit = audit
        self._clock = clock

    async def join(
        self, old_id: uuid.UUID, new_id: uuid.UUID, *, reason: str, proof: str, actor: str
    ) -> Joined:
        """Move every profile of the old account to the new one, and close the old one.

        Raises:
            UnknownAccountError: there is no such account.
            DecisionRefusedError: these two cannot be joined.
        """
        now = self._clock.now()
        async with self._sessions.begin() as session:
            old, new = await _both(session, old_id, new_id)
            _refuse_unfit(old, new)
            moved, dropped = await self._move_profiles(session, old, new)
            ended = await end_sessions(session, old.id, now=now)
            await close_links(session, LinkState.SUPERSEDED, now, PasswordLinkRow.account_id == old.id)
            # A person who changed documents twice is led to the last one at once.
            earlier = update(AccountRow).where(AccountRow.joined_to == old.id)
            await session.execute(earlier.values(joined_to=new.id))
            old.joined_to, old.joined_at = new.id, now
            note_mail(session, old.id, AccessChange.ACCOUNT_REPLACED, now=now)
            note_mail(session, new.id, AccessChange.ACCOUNT_JOINED, now=now)
            await session.flush()
            # It writes to the trail, so every lock of rows is held by now.
            await self._changes.end_wait_in(session, old)
            details: dict[str, str | int] = {
                "proof": proof,
                "moved": len(moved),
                "dropped": len(dropped),
                "sessions": ended,
            }
            for event, row in (
                (AuditEventType.ACCOUNT_REPLACED, old),
                (AuditEventType.ACCOUNT_JOINED, new),
            ):
                await self._audit.record_in(
                    session,
                    AuditEvent(type=event, actor=actor, login=row.login, reason=reason, details=details),
                )
        return Joined(moved=moved, dropped=dropped, sessions=ended)

    async def _move_profiles(
        self, session: AsyncSession, old: AccountRow, new: AccountRow
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Move the profiles, and return which moved and which gave way to their like."""
        kept = {_key(row): row for row in await _profiles(session, new.id)}
        moved, dropped = [], []
        for profile in await _profiles(session, old.id):
            rival = kept.get(_key(profile))
            if rival is not None and not self._wins(profile, rival):
                await session.delete(profile)
                dropped.append(profile.radicado)
                continue
            if rival is not None:
                await session.delete(rival)
                dropped.append(rival.radicado)
                # The rival leaves first: the account has each profile once.
                await session.flush()
            profile.account_id, profile.updated_at = new.id, self._clock.now()
            moved.append(profile.radicado)
        return tuple(moved), tuple(dropped)

    def _wins(self, profile: ProfileRow, rival: ProfileRow) -> bool:
        """Whether a profile is in force and its like of the new account is not.

        What support suspended never gives way, or a join would undo the suspension.
        """
        if rival.support_suspended_at is not None:
            return False
        today = today_in_bogota(self._clock.now())
        in_force = [profile_access(row).state(today) is AccessState.IN_FORCE for row in (profile, rival)]
        return profile.support_suspended_at is not None or in_force == [True, False]


async def _both(session: AsyncSession, old_id: uuid.UUID, new_id: uuid.UUID) -> tuple[AccountRow, AccountRow]:
    """Hold both accounts in one order, so that two joins never wait in a ring."""
    held = {each: await lock_account(session, each) for each in sorted({old_id, new_id})}
    old, new = held[old_id], held[new_id]
    if old is None or new is None:
        raise UnknownAccountError
    return old, new


def _refuse_unfit(old: AccountRow, new: AccountRow) -> None:
    if old is new:
        raise DecisionRefusedError("Los dos usuarios son la misma cuenta")
    for row in (old, new):
        if row.joined_to is not None:
            raise DecisionRefusedError(f"La cuenta {row.login} ya se unió a otra")
        if row.suspended_at is not None:
            raise DecisionRefusedError(f"La cuenta {row.login} está suspendida por soporte")


async def _profiles(session: AsyncSession, account_id: uuid.UUID) -> list[ProfileRow]:
    own = select(ProfileRow).where(ProfileRow.account_id == account_id).order_by(ProfileRow.created_at)
    return list(await session.scalars(own.with_for_update()))


def _key(row: ProfileRow) -> tuple[str, str, str]:
    return row.user_type, row.entity_key, row.registration_key
