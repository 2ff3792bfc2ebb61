"""States of access in PostgreSQL.

Reads rows as the domain judges them, and writes each change with its row in the trail and its mail to come.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningUpdate

from mipres.database.tables import (
    AccessChangeRow,
    AccountRow,
    OidcGrantRow,
    ProfileRow,
    SessionRow,
    StaffSessionRow,
)
from mipres.domain.access import (
    Access,
    AccessCause,
    AccessChange,
    AccessState,
    AccountState,
    ProfileAccess,
)
from mipres.domain.audit import PRODUCT, AuditEvent, AuditEventType
from mipres.domain.eligibility import today_in_bogota
from mipres.domain.submissions import UserType

_EVENTS = {
    AccessChange.ACCOUNT_SUSPENDED: AuditEventType.ACCOUNT_SUSPENDED,
    AccessChange.ACCOUNT_REINSTATED: AuditEventType.ACCOUNT_REINSTATED,
    AccessChange.PROFILE_SUSPENDED: AuditEventType.PROFILE_SUSPENDED,
    AccessChange.PROFILE_REINSTATED: AuditEventType.PROFILE_REINSTATED,
    AccessChange.PROFILE_ENDED: AuditEventType.PROFILE_ENDED,
    AccessChange.PLACEMENT_CHANGED: AuditEventType.PLACEMENT_CHANGED,
}
_OPENING = {AccessChange.PROFILE_REINSTATED, AccessChange.PLACEMENT_CHANGED}


def access_of(account: AccountRow, profiles: Sequence[ProfileRow]) -> Access:
    """What the domain decides the access of a person by."""
    return Access(
        account=account_state(account), profiles=tuple(profile_access(profile) for profile in profiles)
    )


def account_state(account: AccountRow) -> AccountState:
    if account.joined_to is not None:
        return AccountState.JOINED
    return AccountState.OPEN if account.suspended_at is None else AccountState.SUSPENDED


def is_open(account: AccountRow) -> bool:
    return account_state(account) is AccountState.OPEN


def profile_access(profile: ProfileRow) -> ProfileAccess:
    return ProfileAccess(
        user_type=UserType(profile.user_type),
        last_day=profile.ends_on,
        site_name=profile.site_name,
        is_sanctioned=profile.sanctioned_at is not None,
        sanctioned_until=profile.sanctioned_until,
        is_suspended_by_support=profile.support_suspended_at is not None,
        ended_cause=AccessCause(profile.ended_cause) if profile.ended_cause else None,
    )


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change of access, as it is recorded and mailed.

    Attributes:
        until: The last day of what the change begins, if it is known.
    """

    kind: AccessChange
    actor: str = PRODUCT
    reason: str | None = None
    profile: ProfileRow | None = None
    cause: AccessCause | None = None
    until: date | None = None


def note_change(session: AsyncSession, account: AccountRow, change: Change, *, now: datetime) -> AuditEvent:
    """Put down the mail to come, and return the event for the trail.

    The caller records the event last in its transaction. Nothing is mailed of a profile that opens nothing
    all the same.
    """
    profile = change.profile
    if not _is_kept_closed(account, change, now=now):
        session.add(
            AccessChangeRow(
                id=uuid.uuid4(),
                account_id=account.id,
                profile_id=profile.id if profile else None,
                change=change.kind,
                cause=change.cause,
                until=change.until,
                changed_at=now,
            )
        )
    details = {
        "user_type": profile.user_type if profile else None,
        "cause": change.cause and change.cause.value,
        "until": change.until and change.until.isoformat(),
    }
    return AuditEvent(
        type=_EVENTS[change.kind],
        actor=change.actor,
        reference=profile.radicado if profile else None,
        login=account.login,
        reason=change.reason,
        details={name: value for name, value in details.items() if value},
    )


def note_mail(session: AsyncSession, account_id: uuid.UUID, change: AccessChange, *, now: datetime) -> None:
    """Put down a mail to come about the whole account."""
    session.add(AccessChangeRow(id=uuid.uuid4(), account_id=account_id, change=change, changed_at=now))


async def end_sessions(
    session: AsyncSession, account_id: uuid.UUID, *, now: datetime, but: uuid.UUID | None = None
) -> int:
    """End every session of an account but a named one; how many there were."""
    own = (SessionRow.account_id == account_id, SessionRow.id != but)
    ended = (await session.scalars(delete(SessionRow).where(*own).returning(SessionRow.id_hash))).all()
    # Applications also have what came of sessions that have run out since.
    logins = (OidcGrantRow.account_id == account_id, OidcGrantRow.session_id != but)
    await session.execute(ending_logins(*logins, now=now))
    return len(ended)


async def end_staff_sessions(session: AsyncSession, staff_id: uuid.UUID | None, *, but: bytes | None) -> int:
    """End the sessions and keys of a member of support but one; how many there were.

    Args:
        session: The transaction.
        staff_id: The member.
        but: The hash of the session that goes on.
    """
    others = (StaffSessionRow.staff_id == staff_id, StaffSessionRow.id_hash != but)
    ending = delete(StaffSessionRow).where(*others).returning(StaffSessionRow.id_hash)
    return len((await session.scalars(ending)).all())


async def has_logins(session: AsyncSession, *which: ColumnElement[bool]) -> bool:
    """Whether an application that such a session entered still counts on it."""
    entered = (OidcGrantRow.ended_at.is_(None), OidcGrantRow.code_used_at.is_not(None))
    return await session.scalar(select(OidcGrantRow.id).where(*which, *entered).limit(1)) is not None


def ending_logins(*which: ColumnElement[bool], now: datetime) -> ReturningUpdate[tuple[uuid.UUID]]:
    """The statement that ends logins into applications that go on.

    It returns their ids.
    """
    return (
        update(OidcGrantRow)
        .where(*which, OidcGrantRow.ended_at.is_(None))
        .values(ended_at=now)
        .returning(OidcGrantRow.id)
    )


async def renew_profile(
    session: AsyncSession, account_id: uuid.UUID, key: Mapping[str, str], *, now: datetime
) -> list[AuditEvent]:
    """Lift what registries had closed, because a registration has just asked them.

    What support has suspended stays suspended.
    """
    wanted = select(ProfileRow).filter_by(account_id=account_id, **key).with_for_update()
    profile = await session.scalar(wanted)
    if profile is None or not (profile.sanctioned_at or profile.ended_at):
        return []
    lift_registry_closing(profile)
    account = await session.get_one(AccountRow, account_id)
    change = Change(kind=AccessChange.PROFILE_REINSTATED, profile=profile)
    event = note_change(session, account, change, now=now)
    await session.flush()
    return [event]


def lift_registry_closing(profile: ProfileRow) -> None:
    """Forget what registries had said against a profile."""
    profile.sanctioned_at = profile.sanctioned_until = None
    profile.ended_at = profile.ended_cause = None


def _is_kept_closed(account: AccountRow, change: Change, *, now: datetime) -> bool:
    """Whether a change opens what something else keeps closed: support, or a registry."""
    if change.profile is None or change.kind not in _OPENING:
        return False
    state = access_of(account, []).state_of(profile_access(change.profile), today_in_bogota(now))
    return state is not AccessState.IN_FORCE
