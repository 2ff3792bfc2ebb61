"""How often each thing was done, counted in PostgreSQL for all processes together."""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import case, delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

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
        older_keys: Hid the subjects before a rotation; what they counted goes on.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        key: bytes,
        clock: Clock,
        generosity: int = 1,
        older_keys: Sequence[bytes] = (),
    ) -> None:
        self._engine = engine
        self._key = key
        self._older_keys = tuple(older_keys)
        self._clock = clock
        self._generosity = generosity

    async def take(self, limit: Limit, subject: str) -> timedelta:
        # One statement, so that requests of the same moment are counted one by one.
        now, most = self._clock.now(), limit.most * self._generosity
        async with self._engine.begin() as connection:
            before, ends_at = await self._counted_before(connection, limit, subject)
            counted = self._counting(limit, subject, more=before + 1, ends_at=ends_at or now + limit.window)
            times, ends_at = (await connection.execute(counted)).one()
        return ends_at - now if times > most else _NO_WAIT

    def _counting(self, limit: Limit, subject: str, *, more: int, ends_at: datetime) -> Any:
        now, most = self._clock.now(), limit.most * self._generosity
        is_over = RateLimitRow.ends_at <= now
        statement = insert(RateLimitRow).values(
            limit_name=limit.name, subject_hash=_hashed(self._key, subject), times=more, ends_at=ends_at
        )
        return statement.on_conflict_do_update(
            index_elements=["limit_name", "subject_hash"],
            set_={
                # Beyond one too many, counting on tells nothing more.
                "times": case((is_over, more), else_=func.least(RateLimitRow.times + more, most + 1)),
                "ends_at": case((is_over, ends_at), else_=RateLimitRow.ends_at),
            },
        ).returning(RateLimitRow.times, RateLimitRow.ends_at)

    async def _counted_before(
        self, connection: AsyncConnection, limit: Limit, subject: str
    ) -> tuple[int, datetime | None]:
        """Take what an older key counted in a window that is still open."""
        if not self._older_keys:
            return 0, None
        hashes = [_hashed(key, subject) for key in self._older_keys]
        moved = delete(RateLimitRow).where(
            RateLimitRow.limit_name == limit.name, RateLimitRow.subject_hash.in_(hashes)
        )
        rows = (await connection.execute(moved.returning(RateLimitRow.times, RateLimitRow.ends_at))).all()
        still_open = [row for row in rows if row.ends_at > self._clock.now()]
        return sum(row.times for row in still_open), max((row.ends_at for row in still_open), default=None)

    async def forget(self, limit: Limit, subject: str) -> None:
        hashes = [_hashed(key, subject) for key in (self._key, *self._older_keys)]
        statement = delete(RateLimitRow).where(
            RateLimitRow.limit_name == limit.name, RateLimitRow.subject_hash.in_(hashes)
        )
        async with self._engine.begin() as connection:
            await connection.execute(statement)


def _hashed(key: bytes, subject: str) -> bytes:
    return hmac.new(key, subject.encode(errors="replace"), hashlib.sha256).digest()


class NoLimits:
    """Where MIPRES_RATE_LIMITS is off.

    Benchmarks, and tests that send everything from one address.
    """

    async def take(self, _limit: Limit, _subject: str) -> timedelta:
        return _NO_WAIT

    async def forget(self, _limit: Limit, _subject: str) -> None:
        return
