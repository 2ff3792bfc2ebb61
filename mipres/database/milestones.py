"""When operators last did what has to be done again and again, for monitoring."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from mipres.database.engine import session_factory
from mipres.database.tables import MilestoneRow
from mipres.ports import Clock


class Milestone(StrEnum):
    """What is to be done regularly."""

    BACKUP = "backup"
    """deploy/backup/backup.sh writes it by this name."""
    AUDIT_VERIFICATION = "audit_verification"


class Milestones:
    """Writes down that one was reached."""

    def __init__(self, engine: AsyncEngine, *, clock: Clock) -> None:
        self._sessions = session_factory(engine)
        self._clock = clock

    async def reach(self, milestone: Milestone) -> None:
        """Write down that it was reached now."""
        now = self._clock.now()
        statement = insert(MilestoneRow).values(name=milestone, reached_at=now)
        async with self._sessions.begin() as session:
            await session.execute(
                statement.on_conflict_do_update(
                    index_elements=[MilestoneRow.name], set_={MilestoneRow.reached_at: now}
                )
            )


async def milestones_in(session: AsyncSession) -> Mapping[Milestone, datetime]:
    """When each of them was last reached; those that never were are left out."""
    statement = select(MilestoneRow.name, MilestoneRow.reached_at).where(
        MilestoneRow.name.in_(list(Milestone))
    )
    return {Milestone(row.name): row.reached_at for row in await session.execute(statement)}
