"""Whether the database answers, and whether this code can work with it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from mipres.database.engine import known_revisions, newest_revision, reading_factory
from mipres.database.failures import DATABASE_ERRORS
from mipres.database.milestones import Milestone, milestones_in
from mipres.domain.fitness import Fitness

LOOK_SECONDS: Final = 2.0
_DATABASE, _SCHEMA, _WRITABLE = "database", "schema", "writable"


@dataclass(frozen=True, kw_only=True)
class DatabaseLook:
    """What one look found.

    Attributes:
        checks: `database`, `schema` and `writable`; only the first, where it gives no answer.
        revision: The schema's; None where it is not known.
        milestones: When each was last reached.
    """

    checks: Mapping[str, Fitness]
    revision: str | None = None
    milestones: Mapping[Milestone, datetime] = field(default_factory=dict)

    @property
    def is_up(self) -> bool:
        return self.checks[_DATABASE] is not Fitness.DOWN

    @property
    def is_migrated(self) -> bool:
        return self.checks.get(_SCHEMA) is Fitness.OK

    @property
    def is_writable(self) -> bool:
        return self.checks.get(_WRITABLE) is Fitness.OK


_NO_ANSWER: Final = DatabaseLook(checks={_DATABASE: Fitness.DOWN})


class DatabaseFitness:
    """Looks at the database without waiting for one that stands still.

    Args:
        engine: Of the process that wants to know.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._sessions = reading_factory(engine)
        self._look: asyncio.Task[DatabaseLook] | None = None
        self._newest = newest_revision()
        self._known = known_revisions()

    async def look(self) -> DatabaseLook:
        """Look at it."""
        # A look at a server that stands still cannot even be given up: the next call asks for the same one.
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._see())
        done, _ = await asyncio.wait({self._look}, timeout=LOOK_SECONDS)
        return self._look.result() if done else _NO_ANSWER

    async def _see(self) -> DatabaseLook:
        try:
            async with self._sessions() as session:
                read_only = await session.scalar(text("SELECT current_setting('transaction_read_only')"))
                revision = await _revision(session)
                milestones = await _milestones(session)
        except DATABASE_ERRORS:
            return _NO_ANSWER
        checks = {
            _DATABASE: Fitness.OK,
            _SCHEMA: Fitness.OK if self._fits(revision) else Fitness.UNFIT,
            _WRITABLE: Fitness.OK if read_only == "off" else Fitness.UNFIT,
        }
        return DatabaseLook(checks=checks, revision=revision, milestones=milestones)

    def _fits(self, revision: str | None) -> bool:
        """Migrations only expand, so a schema that is newer than the code fits too."""
        return revision is not None and (revision == self._newest or revision not in self._known)


async def _revision(session: AsyncSession) -> str | None:
    try:
        revision: str | None = await session.scalar(text("SELECT version_num FROM alembic_version"))
    except ProgrammingError:
        return None
    return revision


async def _milestones(session: AsyncSession) -> Mapping[Milestone, datetime]:
    """Those that are written down; an older schema has no place for them."""
    try:
        return await milestones_in(session)
    except ProgrammingError:
        return {}
