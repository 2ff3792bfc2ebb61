"""What one application holds of all people, in PostgreSQL."""

from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.access import ending_logins
from mipres.database.engine import session_factory
from mipres.database.tables import OidcGrantRow
from mipres.ports import Clock


class ClientGrants:
    """Ends what an application was given."""

    def __init__(self, engine: AsyncEngine, *, clock: Clock) -> None:
        self._sessions, self._clock = session_factory(engine), clock

    async def end_all(self, client_id: str) -> int:
        """End all its codes and tokens.

        Returns:
            The number of logins that they came of.
        """
        of_client = OidcGrantRow.client_id == client_id
        async with self._sessions.begin() as session:
            return len((await session.scalars(ending_logins(of_client, now=self._clock.now()))).all())
