"""What the database holds of a registration, for its receipt."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.engine import reading_factory
from mipres.database.profiles import submission_of
from mipres.database.tables import AccountRow, ConsentRow, ProfileRow
from mipres.domain.receipt import Receipt


class PostgresReceipts:
    """Finds what a registration stored."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._reading = reading_factory(engine)

    async def of(self, radicado: str) -> Receipt | None:
        """What the newest registration of this radicado stored; None without one."""
        statement = (
            select(AccountRow, ProfileRow, ConsentRow)
            .join(ProfileRow, ProfileRow.account_id == AccountRow.id)
            .join(ConsentRow, ConsentRow.radicado == ProfileRow.radicado)
            .where(ProfileRow.radicado == radicado, ConsentRow.account_id == AccountRow.id)
            .order_by(ConsentRow.accepted_at.desc(), ProfileRow.updated_at.desc())
            .limit(1)
        )
        async with self._reading() as session:
            row = (await session.execute(statement)).first()
        if row is None:
            return None
        account, profile, consent = row
        return Receipt(
            submission=submission_of(account, profile),
            registered_at=consent.accepted_at,
            terms_version=consent.terms_version,
        )
