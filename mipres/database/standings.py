"""What is true of a registration in the database when its run was cut off."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.access import access_of
from mipres.database.engine import reading_factory
from mipres.database.tables import AccountRow, PasswordLinkRow, ProfileRow
from mipres.domain.access import AccessState
from mipres.domain.eligibility import today_in_bogota
from mipres.domain.standing import Standing
from mipres.ports import Clock


class PostgresStandings:
    """Looks up the account and the link of a registration.

    Reveals nothing of the person.
    """

    def __init__(self, engine: AsyncEngine, *, clock: Clock) -> None:
        self._reading = reading_factory(engine)
        self._clock = clock

    async def access(self, radicado: str) -> AccessState | None:
        """How the access of a registration's profile stands today; None without one."""
        statement = (
            select(AccountRow, ProfileRow)
            .join(ProfileRow, ProfileRow.account_id == AccountRow.id)
            .where(ProfileRow.radicado == radicado, AccountRow.password_set_at.is_not(None))
        )
        async with self._reading() as session:
            row = (await session.execute(statement)).first()
        if row is None:
            return None
        access = access_of(row[0], [row[1]])
        return access.state_of(access.profiles[0], today_in_bogota(self._clock.now()))

    async def of(self, radicado: str) -> Standing:
        """Say whether the account has a password, and until when the link works."""
        has_password = (
            select(AccountRow.id)
            .join(ProfileRow, ProfileRow.account_id == AccountRow.id)
            .where(ProfileRow.radicado == radicado, AccountRow.password_set_at.is_not(None))
            .exists()
        )
        link_expires_at = (
            select(func.max(PasswordLinkRow.expires_at))
            .where(
                PasswordLinkRow.reference == radicado,
                PasswordLinkRow.closed_at.is_(None),
                PasswordLinkRow.expires_at > self._clock.now(),
            )
            .scalar_subquery()
        )
        async with self._reading() as session:
            row = (await session.execute(select(has_password, link_expires_at))).one()
        return Standing(has_password=row[0], link_expires_at=row[1])
