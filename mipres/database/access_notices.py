"""The changes of access that wait for their mail, in PostgreSQL."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ScalarSelect, select, update
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import aliased

from mipres.database.address_changes import WITH_OPEN_CHANGE, address_in_force
from mipres.database.engine import reading_factory, session_factory
from mipres.database.tables import AccessChangeRow, AccountRow, AddressChangeRow, ProfileRow
from mipres.domain.access import AccessCause, AccessChange, AccessNotice, words_of_change
from mipres.domain.accounts import AccountContact
from mipres.domain.masking import mask_login
from mipres.domain.submissions import UserType
from mipres.ports import Clock

_MAILS = {AccessChange.PASSWORD_CHANGED: "password_changed", AccessChange.NEW_BROWSER: "new_browser"}


class PostgresAccessNotices:
    """Implements ports.AccessNoticeList."""

    def __init__(self, engine: AsyncEngine, *, clock: Clock) -> None:
        self._sessions = session_factory(engine)
        self._reading = reading_factory(engine)
        self._clock = clock

    async def waiting(self, *, limit: int) -> Sequence[AccessNotice]:
        statement = (
            select(AccessChangeRow, AccountRow, ProfileRow, AddressChangeRow, _other_login())
            .join(AccountRow, AccountRow.id == AccessChangeRow.account_id)
            .outerjoin(AddressChangeRow, WITH_OPEN_CHANGE)
            .outerjoin(ProfileRow, ProfileRow.id == AccessChangeRow.profile_id)
            .where(AccessChangeRow.mailed_at.is_(None))
            .order_by(AccessChangeRow.changed_at)
            .limit(limit)
        )
        now = self._clock.now()
        async with self._reading() as session:
            return [_notice(*row, now=now) for row in await session.execute(statement)]

    async def mark_mailed(self, notice_id: uuid.UUID) -> None:
        mailed = update(AccessChangeRow).where(AccessChangeRow.id == notice_id)
        async with self._sessions.begin() as session:
            await session.execute(mailed.values(mailed_at=self._clock.now()))


def _other_login() -> ScalarSelect[str]:
    """The login of the account that was joined with this one in the very change."""
    other = aliased(AccountRow)
    is_lasting = (AccessChangeRow.change == AccessChange.ACCOUNT_REPLACED) & (
        other.id == AccountRow.joined_to
    )
    is_replaced = (
        (AccessChangeRow.change == AccessChange.ACCOUNT_JOINED)
        & (other.joined_to == AccountRow.id)
        & (other.joined_at == AccessChangeRow.changed_at)
    )
    return select(other.login).where(is_lasting | is_replaced).limit(1).scalar_subquery()


def _notice(
    change: AccessChangeRow,
    account: AccountRow,
    profile: ProfileRow | None,
    address: AddressChangeRow | None,
    other_login: str | None,
    *,
    now: datetime,
) -> AccessNotice:
    return AccessNotice(
        id=change.id,
        contact=AccountContact(
            login=account.login,
            full_name=f"{account.given_names} {account.surnames}".strip(),
            email=address_in_force(account, address, now),
            password_set_at=account.password_set_at,
        ),
        words=words_of_change(
            AccessChange(change.change),
            AccessCause(change.cause) if change.cause else None,
            other_login=mask_login(other_login) if other_login else None,
        ),
        mail=_MAILS.get(AccessChange(change.change), "access_changed"),
        about=_about(profile) if profile else None,
        until=change.until,
    )


def _about(profile: ProfileRow) -> str:
    place = profile.site_name or profile.entity_name
    label = UserType(profile.user_type).label
    return f"{label}, {place}" if place else label
