"""What is true of a registration in the database when its run was cut off."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.engine import reading_factory
from mipres.database.tables import AccountRow, PasswordLinkRow, ProfileRow
from mipres.domain.standing import Standing
from mipres.ports import Clock


class PostgresStandings:
    """Looks up the account and the link of a registration.

    Reveals nothing of the person.
    """

    def __init__(self, engine: AsyncEngine, *, clock: Clock) -> None:
        self._reading = reading_factory(engine)
        self._clock = clock

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
