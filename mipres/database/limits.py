"""How often each thing was done, counted in PostgreSQL for all processes together."""

import hashlib
import hmac
from datetime import timedelta
from typing import Protocol

from sqlalchemy import case, delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.tables import RateLimitRow
from mipres.domain.limits import Limit
from mipres.ports import Clock

_NO_WAIT = timedelta(0)


class Limits(Protocol):
    """Counts, and answers how long a subject has to wait."""

    async def take(self, limit: Limit, subject: str) -> timedelta:
        """Count once more; zero within the limit, else how long the subject has to wait."""
        ...

    async def forget(self, limit: Limit, subject: str) -> None:
        """Begin again, as after a success."""
        ...


class PostgresLimits:
    """Windows that begin with the first time.

    Refused times do not make the wait longer.

    Subjects are addresses of people or name them, so only a keyed hash of each is stored;
    retention removes what no longer counts.

    Args:
        engine: The process's engine.
        key: Hides the subjects.
        clock: Says when a window is over.
        generosity: How many times as much as a limit says is allowed.
    """

    def __init__(self, engine: AsyncEngine, *, key: bytes, clock: Clock, generosity: int = 1) -> None:
        self._engine = engine
        self._key = key
        self._clock = clock
        self._generosity = generosity

    async def take(self, limit: Limit, subject: str) -> timedelta:
        # One statement, so that requests of the same moment are counted one by one.
        now, most = self._clock.now(), limit.most * self._generosity
        is_over = RateLimitRow.ends_at <= now
        statement = insert(RateLimitRow).values(
            limit_name=limit.name, subject_hash=self._hashed(subject), times=1, ends_at=now + limit.window
        )
        counted = statement.on_conflict_do_update(
            index_elements=["limit_name", "subject_hash"],
            set_={
                # Beyond one too many, counting on tells nothing more.
                "times": case((is_over, 1), else_=func.least(RateLimitRow.times + 1, most + 1)),
                "ends_at": case((is_over, now + limit.window), else_=RateLimitRow.ends_at),
            },
        ).returning(RateLimitRow.times, RateLimitRow.ends_at)
        async with self._engine.begin() as connection:
            times, ends_at = (await connection.execute(counted)).one()
        return ends_at - now if times > most else _NO_WAIT

    async def forget(self, limit: Limit, subject: str) -> None:
        statement = delete(RateLimitRow).where(
            RateLimitRow.limit_name == limit.name, RateLimitRow.subject_hash == self._hashed(subject)
        )
        async with self._engine.begin() as connection:
            await connection.execute(statement)

    def _hashed(self, subject: str) -> bytes:
        return hmac.new(self._key, subject.encode(errors="replace"), hashlib.sha256).digest()


class NoLimits:
    """Where MIPRES_RATE_LIMITS is off.

    Benchmarks, and tests that send everything from one address.
    """

    async def take(self, _limit: Limit, _subject: str) -> timedelta:
        return _NO_WAIT

    async def forget(self, _limit: Limit, _subject: str) -> None:
        return
