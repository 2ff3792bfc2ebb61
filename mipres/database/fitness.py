"""Whether the database answers, and whether this code can work with it."""

import asyncio
from typing import Final

from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.engine import alembic_config, reading_factory
from mipres.database.failures import DATABASE_ERRORS
from mipres.domain.fitness import Fitness

LOOK_SECONDS: Final = 2.0
_DATABASE, _SCHEMA, _WRITABLE = "database", "schema", "writable"


class DatabaseFitness:
    """Looks at the database without waiting for one that stands still.

    Args:
        engine: Of the process that wants to know.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._sessions = reading_factory(engine)
        self._look: asyncio.Task[dict[str, Fitness]] | None = None
        scripts = ScriptDirectory.from_config(alembic_config(""))
        self._newest = scripts.get_current_head()
        self._known = {script.revision for script in scripts.walk_revisions()}

    async def checks(self) -> dict[str, Fitness]:
        """What `database`, `schema` and `writable` are like.

        Only the first, where it gives no answer.
        """
        # A look at a server that stands still cannot even be given up: the next call asks for the same one.
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._see())
        done, _ = await asyncio.wait({self._look}, timeout=LOOK_SECONDS)
        return self._look.result() if done else {_DATABASE: Fitness.DOWN}

    async def _see(self) -> dict[str, Fitness]:
        try:
            async with self._sessions() as session:
                read_only = await session.scalar(text("SELECT current_setting('transaction_read_only')"))
                try:
                    revision = await session.scalar(text("SELECT version_num FROM alembic_version"))
                except ProgrammingError:
                    revision = None
        except DATABASE_ERRORS:
            return {_DATABASE: Fitness.DOWN}
        return {
            _DATABASE: Fitness.OK,
            _SCHEMA: Fitness.OK if self._fits(revision) else Fitness.UNFIT,
            _WRITABLE: Fitness.OK if read_only == "off" else Fitness.UNFIT,
        }

    def _fits(self, revision: str | None) -> bool:
        """Migrations only expand, so a schema that is newer than the code fits too."""
        return revision is not None and (revision == self._newest or revision not in self._known)
